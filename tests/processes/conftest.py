"""Real processes of the site, killed, stalled and raced; see ``tests/live.py`` for what a site can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import live
from tests.live import Site


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Yield a site with a database of its own, once on each kind of database."""
    with live.site(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite_site(tmp_path: Path) -> Iterator[Site]:
    with live.site("sqlite", tmp_path) as made:
        yield made


@pytest.fixture
def postgres_site(tmp_path: Path) -> Iterator[Site]:
    with live.site("postgres", tmp_path) as made:
        yield made
