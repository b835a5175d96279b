"""Seconds from ``scheduler.start()`` until the first body starts, with a few jobs due and many stored.

Django is set up by then. The store in memory keeps nothing between two processes, so there adding the jobs counts.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tests.benchmarks.jobs import starts
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import wait_for

DUE_JOBS = 3


def measure(side: Side, case: Case) -> Outcome:
    side.add(range(DUE_JOBS))
    side.make_due(dict.fromkeys(range(DUE_JOBS), datetime.now(UTC)))
    began = time.time()
    side.start()
    done = wait_for(lambda: len(starts), DUE_JOBS).count
    return Outcome({"seconds": starts[0][1] - began} if starts else {}, done, DUE_JOBS)
