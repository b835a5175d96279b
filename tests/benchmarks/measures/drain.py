"""Executions per second when many jobs are due at one instant, from that instant until the last is recorded."""

from __future__ import annotations

from tests.benchmarks.burst import WARM_UP_JOBS, run_burst, warm_up
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side


def measure(side: Side, case: Case) -> Outcome:
    side.add(range(max(case.count, WARM_UP_JOBS)))
    warm_up(side)
    burst = run_burst(side, case.count)
    done = burst.recorded.count
    return Outcome({"per_second": done / burst.seconds}, done, case.count)
