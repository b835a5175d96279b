"""Leaders are killed, stalled beyond their lease, stopped and cut off at random; then each tick is reconciled.

CHAOS_SECONDS says for how long `make chaos` does so (60), CHAOS_SEED repeats a run's choices. docs/reliability.md says
how to read what it prints.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.live import Site
from tests.processes.chaos import Chaos

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SHORT_SECONDS = 20


def seed() -> int:
    return int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 10**6)


@pytest.mark.timeout(300)
def test_a_moment_of_chaos_leaves_no_tick_unaccounted_for(site: Site, tmp_path: Path) -> None:
    assert Chaos(site, tmp_path, seed(), SHORT_SECONDS).run().faults_found == []


@pytest.mark.chaos
def test_chaos_leaves_no_tick_unaccounted_for(site: Site, tmp_path: Path) -> None:
    assert Chaos(site, tmp_path, seed(), SECONDS).run().faults_found == []
