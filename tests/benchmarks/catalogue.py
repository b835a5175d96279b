"""What can be measured: each measure's figures and its sizes. How, says the module of its name in ``measures``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tests.benchmarks.results import DATABASES, Case

#: ``full`` is for publishing, ``quick`` for a look, ``tiny`` only shows that it still works.
Scale = Literal["full", "quick", "tiny"]


@dataclass(frozen=True)
class Figure:
    """A number that a measure yields: how the tables name it, and with how many decimals."""

    title: str
    decimals: int = 0
    ratio: bool = True


@dataclass(frozen=True)
class Measure:
    """Something that can be measured, and at which sizes."""

    title: str
    better: Literal["more", "less"]
    figures: Mapping[str, Figure]
    cases: Mapping[Scale, tuple[Case, ...]]
    sides: tuple[str, ...] = ("ours", "stock", "memory")
    databases: tuple[str, ...] = DATABASES


MEASURES: Mapping[str, Measure] = {
    "drain": Measure(
        "Jobs due at one instant",
        "more",
        {"per_second": Figure("executions per second")},
        {
            "full": (Case(count=500), Case(count=2000), Case(count=10_000)),
            "quick": (Case(count=500), Case(count=2000)),
            "tiny": (Case(count=20, stored=10),),
        },
    ),
    "processes": Measure(
        "In child processes",
        "more",
        {
            "per_second": Figure("executions per second in processes"),
            "threads_per_second": Figure("executions per second in threads"),
        },
        {"full": (Case(count=2000),), "quick": (Case(count=500),), "tiny": (Case(count=20, stored=10),)},
        ("ours", "stock"),
    ),
    "celery": Measure(
        "Jobs due at one instant, through Celery",
        "more",
        {
            "dispatched_per_second": Figure("published to the broker per second"),
            "run_per_second": Figure("run by the workers per second"),
        },
        {
            "full": tuple(Case(count=count, workers=workers) for count in (1000, 10_000) for workers in (1, 2)),
            "quick": (Case(count=1000, workers=1), Case(count=1000, workers=2)),
            "tiny": (Case(count=10, workers=1),),
        },
        ("ours", "beat"),
        ("postgres",),
    ),
    "statements": Measure(
        "SQL statements in such a burst",
        "less",
        {
            "per_execution": Figure("statements per execution", 2),
            "control_per_execution": Figure("of them BEGIN, COMMIT and the like", 2),
        },
        {"full": (Case(count=2000),), "quick": (Case(count=500),), "tiny": (Case(count=20, stored=10),)},
        ("ours", "stock"),
    ),
    "lateness": Measure(
        "Lateness at a steady rate",
        "less",
        {
            "p50_ms": Figure("lateness, median, ms", 1),
            "p99_ms": Figure("lateness, 99th percentile, ms", 1),
            "max_ms": Figure("lateness, maximum, ms", 1),
            "cpu_percent": Figure("CPU of the process, % of one core", 1),
        },
        {
            "full": tuple(Case(rate=rate, seconds=30, stored=100_000) for rate in (10, 100)),
            "quick": tuple(Case(rate=rate, seconds=5, stored=10_000) for rate in (10, 100)),
            "tiny": (Case(rate=10, seconds=1, stored=10),),
        },
    ),
    "idle": Measure(
        "Nothing to do",
        "less",
        {
            "cpu_percent": Figure("CPU of the process, % of one core", 2),
            "statements_per_second": Figure("statements per second", 2),
        },
        {
            "full": (Case(seconds=60, stored=100_000),),
            "quick": (Case(seconds=10, stored=10_000),),
            "tiny": (Case(seconds=0.5, stored=10),),
        },
    ),
    "startup": Measure(
        "From start to the first run",
        "less",
        {"seconds": Figure("seconds", 3)},
        {
            "full": tuple(Case(stored=stored) for stored in (10, 1000, 100_000)),
            "quick": tuple(Case(stored=stored) for stored in (10, 10_000)),
            "tiny": (Case(stored=10),),
        },
    ),
    "memory": Measure(
        "Memory over many executions",
        "less",
        {
            "first_mb": Figure("RAM after the warm-up, MB", 1),
            "last_mb": Figure("RAM at the end, MB", 1),
            "growth_mb": Figure("growth per 100,000 executions, MB", 2, ratio=False),
        },
        {"full": (Case(count=20_000),), "quick": (Case(count=4000),), "tiny": (Case(count=4, stored=10),)},
    ),
    "preview": Measure(
        "A preview of a trigger",
        "less",
        {
            "first_ms": Figure("slowest of the first, ms", 1, ratio=False),
            "median_ms": Figure("median of the rest, ms", 1, ratio=False),
            "max_ms": Figure("slowest of the rest, ms", 1, ratio=False),
        },
        {"full": (Case(count=100),), "quick": (Case(count=20),), "tiny": (Case(count=2, stored=10),)},
        ("ours",),
    ),
    "verbs": Measure(
        "Many jobs at once",
        "less",
        {
            f"{verb}_{unit}": Figure(f"{title}, {words}", decimals)
            for verb, title in (("pause", "pause"), ("resume", "resume"), ("run_now", "run now"), ("delete", "delete"))
            for unit, words, decimals in (("seconds", "seconds", 2), ("statements", "statements", 0))
        },
        {"full": (Case(count=10_000),), "quick": (Case(count=1000),), "tiny": (Case(count=20, stored=10),)},
    ),
    "calendar": Measure(
        "The calendar's pages",
        "less",
        {
            **{
                f"{view}_{unit}": Figure(f"{title}, {words}")
                for view, title in (("day", "a day"), ("week", "a week"), ("month", "a month"))
                for unit, words in (("ms", "ms"), ("cpu_ms", "ms of CPU"))
            },
            "again_ms": Figure("a day once more, ms"),
        },
        {"full": (Case(count=10_000),), "quick": (Case(count=1000),), "tiny": (Case(count=20, stored=10),)},
        ("ours",),
    ),
    "pages": Measure(
        "The admin's pages over a long past",
        "less",
        {
            f"{page}_{unit}": Figure(f"{title}, {unit}")
            for page, title in (
                ("jobs", "jobs"),
                ("executions", "executions"),
                ("errors", "executions that failed"),
                ("job", "a job"),
                ("execution", "an execution"),
                ("overview", "overview"),
                ("index", "the admin's index"),
                ("failures", "failures"),
                ("failure", "a failure"),
            )
            for unit in ("ms", "queries")
        },
        {
            "full": (Case(count=500_000, stored=1000), Case(count=5_000_000, stored=10_000)),
            "quick": (Case(count=50_000, stored=1000),),
            "tiny": (Case(count=100, stored=10),),
        },
        ("ours", "stock"),
    ),
    "volume": Measure(
        "A long past, in one table and in partitions",
        "less",
        {
            f"{shape}_{figure}": Figure(f"{title}: {words}", decimals, ratio=False)
            for shape, title in (("whole", "one table"), ("parts", "partitions"))
            for figure, words, decimals in (
                ("jobs_ms", "page of jobs, ms", 0),
                ("job_ms", "page of a job, ms", 0),
                ("executions_ms", "page of executions, ms", 0),
                ("errors_ms", "those that failed, ms", 0),
                ("execution_ms", "page of an execution, ms", 0),
                ("overview_ms", "overview, ms", 0),
                ("burst_per_second", "executions per second of a burst", 0),
                ("prune_seconds", "the oldest thirtieth goes, seconds", 2),
                ("vacuum_seconds", "vacuum after it, seconds", 2),
                ("megabytes", "size with indexes, MB", 0),
            )
        },
        {
            "full": (Case(count=3_000_000, stored=1000),),
            "quick": (Case(count=100_000, stored=1000),),
            "tiny": (Case(count=6000, stored=10),),
        },
        ("ours",),
        ("postgres",),
    ),
}


def cases_of(measure: str, scale: Scale, executions: int | None = None) -> tuple[Case, ...]:
    """Return the sizes at which to measure; ``executions`` replaces the memory measure's."""
    cases = MEASURES[measure].cases[scale]
    if measure == "memory" and executions:
        return tuple(replace(case, count=executions) for case in cases)
    return cases
