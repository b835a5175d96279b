"""The slots of a concurrency group under real servers: what a ledger file saw, no table has to be believed for."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from tests.live import Site, wait_until
from tests.processes.acts import act, create_job, leader
from tests.processes.test_engine import QUICK_LEASE


def spans(path: Path) -> list[tuple[float, float, int]]:
    """Return the runs that have ended, by their beginning: (from, until, process)."""
    begun: dict[str, tuple[float, int]] = {}
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        moment, pid, what, execution = line.split()
        if what == "begins":
            begun[execution] = float(moment), int(pid)
        else:
            found.append((begun[execution][0], float(moment), begun[execution][1]))
    return sorted(found)


def test_one_group_runs_one_at_a_time_whoever_leads(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    for job_id in ("load", "check"):
        create_job(
            site,
            id=job_id,
            function="tests.probe.jobs.enter_and_leave",
            kwargs={"path": str(path), "seconds": 0.2},
            trigger="every 1h",
            concurrency_group="database",
            max_instances=10,
        )
    servers = {server.children()[0]: server for server in (site.gunicorn(env=QUICK_LEASE) for _ in range(2))}
    act(site, "for number in range(6): services.run_now(['load', 'check'], actor)")
    wait_until(lambda: len(spans(path)) >= 3, what="the first runs")
    first = leader(site)
    assert first is not None
    # A clean end: the other leads while the run of the first one still holds the slot.
    os.kill(servers[first].pid, 15)
    wait_until(lambda: len(spans(path)) >= 12, 40, "all runs")
    found = spans(path)
    assert len(found) == 12
    for (_, until, _), (since, _, _) in itertools.pairwise(found):
        assert until <= since, found
    assert len({pid for _, _, pid in found}) == 2, "both servers ran some"
