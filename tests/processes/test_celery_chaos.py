"""Workers, their processes, their broker and the leaders come to harm at random; then each tick is reconciled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker import broker
from tests.live import Site
from tests.processes.test_chaos import SECONDS, SHORT_SECONDS, seed
from tests.processes.workers_chaos import WorkersChaos


@pytest.mark.timeout(300)
def test_a_moment_of_chaos_with_workers_leaves_no_tick_unaccounted_for(site: Site, tmp_path: Path) -> None:
    with broker(tmp_path) as made:
        assert WorkersChaos(site, made, tmp_path, seed(), SHORT_SECONDS).run().faults_found == []


@pytest.mark.chaos
def test_chaos_with_workers_leaves_no_tick_unaccounted_for(site: Site, tmp_path: Path) -> None:
    with broker(tmp_path) as made:
        assert WorkersChaos(site, made, tmp_path, seed(), SECONDS).run().faults_found == []
