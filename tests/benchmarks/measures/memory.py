"""The memory of the process over many executions, in bursts; the history is deleted after each, as a site would."""

from __future__ import annotations

import statistics

from tests.benchmarks.burst import WARM_UP_JOBS, run_burst, warm_up
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import resident_megabytes

MAX_JOBS = 1000
#: A process's memory grows to its working size first: this part of the series tells nothing of a leak.
WARM_UP_PART = 0.25
LEAST_BURSTS = 8


def measure(side: Side, case: Case) -> Outcome:
    jobs = max(1, min(MAX_JOBS, case.count // LEAST_BURSTS))
    side.add(range(max(jobs, WARM_UP_JOBS)))
    warm_up(side)
    done, series = 0, [(0, resident_megabytes())]
    while done < case.count:
        recorded = run_burst(side, jobs).recorded.count
        side.forget()
        done += recorded
        series.append((done, resident_megabytes()))
        if recorded < jobs:
            break
    settled = series[int(len(series) * WARM_UP_PART) :]
    figures = {"first_mb": settled[0][1], "last_mb": settled[-1][1]}
    if len(settled) > 1:
        slope = statistics.linear_regression([runs for runs, _ in settled], [size for _, size in settled]).slope
        figures["growth_mb"] = slope * 100_000
    return Outcome(figures, done, case.count, series=series)
