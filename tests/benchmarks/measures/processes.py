"""What it costs to run a function in a child process: executions per second there, and in threads beside."""

from __future__ import annotations

from tests.benchmarks.burst import WARM_UP_JOBS, Burst, first_tick, set_ticks, warm_up
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import wait_for


def measure(side: Side, case: Case) -> Outcome:
    numbers = range(max(case.count, WARM_UP_JOBS))
    side.add(numbers)
    warm_up(side)
    in_threads = _run(side, case.count)
    side.run_in_processes()
    side.add(numbers)
    _run(side, WARM_UP_JOBS)
    in_processes = _run(side, case.count)
    side.end_processes()
    done = [burst.recorded.count for burst in (in_threads, in_processes)]
    return Outcome(
        {
            "per_second": in_processes.recorded.count / in_processes.seconds,
            "threads_per_second": in_threads.recorded.count / in_threads.seconds,
        },
        min(done),
        case.count,
    )


def _run(side: Side, count: int) -> Burst:
    """Make jobs due at one instant and wait for their verdicts: what runs elsewhere cannot tell that it does."""
    side.forget()
    due = set_ticks(side, dict.fromkeys(range(count), first_tick(count)))
    return Burst(due, wait_for(side.recorded, count))
