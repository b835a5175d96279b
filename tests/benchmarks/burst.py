"""Jobs that are all due at one instant, which several measures begin with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.benchmarks.jobs import starts
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import Progress, wait_for

#: From setting ticks to the first of them: at least so long, and a second for so many more.
LEAD_SECONDS = 0.5
SET_PER_SECOND = 1500
WARM_UP_JOBS = 100
#: A side may still be writing when the last verdict is there.
SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Burst:
    """When the jobs were due, in seconds of the epoch, and how many executions were recorded by when."""

    due: float
    recorded: Progress

    @property
    def seconds(self) -> float:
        """How long it took until the last was recorded."""
        return max(self.recorded.at - self.due, 1e-6)


def first_tick(count: int) -> datetime:
    """Return a moment before which ``count`` ticks should be set."""
    return datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS + count / SET_PER_SECOND)


def set_ticks(side: Side, moments: Mapping[int, datetime]) -> float:
    """Set ticks and wait for the first; return when the side could run it, in seconds of the epoch.

    That is its tick, or when all were set, should it have passed by then: they are seen together or not at all.
    """
    side.make_due(moments)
    first = min(moments.values()).timestamp()
    now = time.time()
    time.sleep(max(0.0, first - now))
    return max(first, now)


def run_burst(side: Side, count: int) -> Burst:
    """Make the first ``count`` jobs due at one instant and wait until all are recorded, or nothing goes on."""
    starts.clear()
    due = set_ticks(side, dict.fromkeys(range(count), first_tick(count)))
    # Their bodies tell by themselves that they ran, so the database is not asked while it is busy.
    wait_for(lambda: len(starts), count)
    return Burst(due, wait_for(side.recorded, count))


def warm_up(side: Side) -> None:
    """Start the side and let it run its first jobs, so that threads, connections and caches are there."""
    side.start()
    side.wait_until_ready()
    run_burst(side, WARM_UP_JOBS)
    time.sleep(SETTLE_SECONDS)
    side.forget()
