"""How late the bodies start at a steady rate, with many jobs stored, and the CPU time that it takes.

Each tick is another job's. Lateness is the moment at which the body starts, by its own clock, minus the tick.
"""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

from tests.benchmarks.burst import WARM_UP_JOBS, first_tick, set_ticks, warm_up
from tests.benchmarks.jobs import starts
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import cpu_seconds, wait_for

#: So long there are ticks that do not count, before those that do.
RUN_UP_SECONDS = 1.0


def measure(side: Side, case: Case) -> Outcome:
    run_up = round(case.rate * RUN_UP_SECONDS)
    wanted = round(case.rate * case.seconds)
    # The warm-up's jobs are among them.
    side.add(range(max(run_up + wanted, WARM_UP_JOBS)))
    warm_up(side)
    begin = first_tick(run_up + wanted)
    ticks = {number: begin + timedelta(seconds=number / case.rate) for number in range(run_up + wanted)}
    if set_ticks(side, ticks) > ticks[run_up].timestamp():
        raise RuntimeError("Setting the ticks took longer than it may. Measure again when the machine is less busy.")
    time.sleep(RUN_UP_SECONDS)
    cpu = cpu_seconds()
    time.sleep(case.seconds)
    cpu = cpu_seconds() - cpu
    wait_for(lambda: len(starts), run_up + wanted)
    late = [(started - ticks[number].timestamp()) * 1000 for number, started in starts if number >= run_up]
    figures = {"cpu_percent": 100 * cpu / case.seconds}
    if len(late) > 1:
        p99 = statistics.quantiles(late, n=100, method="inclusive")[98]
        figures |= {"p50_ms": statistics.median(late), "p99_ms": p99, "max_ms": max(late)}
    return Outcome(figures, len(late), wanted)
