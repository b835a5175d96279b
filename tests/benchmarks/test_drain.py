"""How fast jobs that are due at one instant are worked off, beside plain django-apscheduler, on both databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import live, postgres

COUNT = int(os.environ.get("BENCH_JOBS", "1000"))


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield a database of its own for each side."""
    if request.param == "sqlite":
        yield {side: f"sqlite:///{tmp_path / side}.sqlite3" for side in ("ours", "peer")}
        return
    with postgres.database() as ours, postgres.database() as peer:
        yield {"ours": ours, "peer": peer}


def test_jobs_due_at_one_instant(urls: dict[str, str], request: pytest.FixtureRequest) -> None:
    rates = {}
    for side, url in urls.items():
        environment = live.environment(url, {"DEBUG": "0", "LOG_LEVEL": "WARNING"})
        done = live.run(["-m", "tests.benchmarks.drain", side, str(COUNT)], environment, timeout=600)
        assert done.returncode == 0, done.stderr
        rates[side] = float(done.stdout.split()[-1])
    ratio = rates["ours"] / rates["peer"]
    print(
        f"\n{request.node.callspec.id}: {COUNT:,} jobs due at once: ours {rates['ours']:,.0f}/s, "
        f"plain django-apscheduler {rates['peer']:,.0f}/s, ratio {ratio:.1f}"
    )
