"""Milliseconds of CPU time for a preview of ten ticks, its sentence and its warnings, of triggers hard to answer.

Each trigger is asked about ``count`` times. The first time nothing of it is known yet.
"""

from __future__ import annotations

import time
from statistics import median

from app_scheduler import services
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side

TRIGGERS = (
    "0 9 * * mon-fri in Australia/Sydney",
    "*/15 9-17 * * mon-fri in Australia/Lord_Howe",
    "cron second=* in America/Santiago",
    "cron month=2 day=29 day_of_week=mon",
    "cron year=*/4 week=53 day=1",
    "cron day=5th mon month=2",
    "calendar years=100 from 2000-01-01",
    "calendar months=1 days=1 from 1970-01-31",
    "every 3h | every 5h | 0 0 29 2 mon | at 2999-12-31 12:00",
)


def measure(side: Side, case: Case) -> Outcome:
    first, later = [], []
    for trigger in TRIGGERS:
        took = [_time_of(trigger) for _ in range(case.count)]
        first.append(took[0])
        later += took[1:]
    figures = {"first_ms": max(first), "median_ms": median(later), "max_ms": max(later)}
    return Outcome(figures, len(TRIGGERS) * case.count, len(TRIGGERS) * case.count)


def _time_of(trigger: str) -> float:
    # Of this thread alone: what else the machine does has no say in it.
    began = time.thread_time()
    services.preview(trigger)
    return (time.thread_time() - began) * 1000
