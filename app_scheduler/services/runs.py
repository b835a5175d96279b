"""How the latest ticks and runs of jobs went: what the strips and the charts of the pages show, read by the index.

A *tick* is an execution that a schedule asked for. What people run by hand, retries and backfills are runs, but no
ticks: they say nothing about what a schedule keeps of its promise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.sql import each_text, moment_column, moments, read
from app_scheduler.engine.verdicts import WITHOUT_RUN
from app_scheduler.models import FAILURES, ExecutionDetail, ExecutionOrigin, JobDay, Status

#: Bars of a strip.
BARS = 40
#: A row of ticks that did not run is as wide as they are many, up to this many bars.
WIDEST = 5
#: Executions of a job among which its latest ticks are looked for: runs by hand and retries lie between them.
LOOK_BACK = 200
#: Executions of one job that its chart shows, and days.
CHARTED = 200
CHARTED_DAYS = 90

#: Of ``WITHOUT_RUN``, what nobody asked for.
NOT_KEPT = (Status.MISSED, Status.MAX_INSTANCES)


class Run(NamedTuple):
    """One execution. ``due`` is UTC; ``ticks`` is for how many ticks it stands.

    ``seconds`` is how long it took, or takes so far; None where it did not run. ``says`` is its exception, or its
    reason.
    """

    execution_id: int
    status: str
    due: datetime
    ticks: int = 1
    seconds: float | None = None
    origin: str = ExecutionOrigin.SCHEDULE
    says: str = ""

    @property
    def is_without_run(self) -> bool:
        return self.status in WITHOUT_RUN

    @property
    def weight(self) -> int:
        """How many of what was promised it is: a run is one, a row of ticks without a run as many as it stands for."""
        return self.ticks if self.is_without_run else 1

    @property
    def bars(self) -> int:
        return min(self.weight, WIDEST)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How what was promised ended, counted as ``JobDay`` counts it, and how long the executed took, ascending."""

    executed: int = 0
    failed: int = 0
    missed: int = 0
    skipped: int = 0
    lengths: tuple[float, ...] = ()

    @property
    def promised(self) -> int:
        """What was to run: not what somebody had skipped or cancelled, nor what is still on its way."""
        return self.executed + self.failed + self.missed

    @property
    def success(self) -> float | None:
        """The share (0 to 1) of what was to run that did, and ended well; None where nothing was."""
        return self.executed / self.promised if self.promised else None

    def within(self, share: float) -> float | None:
        """Return the seconds within which ``share`` of the runs ended: a length that a run had, by the nearest rank."""
        if not self.lengths:
            return None
        rank = -(-round(share * 1000) * len(self.lengths) // 1000)
        return self.lengths[max(rank, 1) - 1]

    @property
    def usual(self) -> float | None:
        return self.within(0.5)


def outcome_of(runs: Iterable[Run]) -> Outcome:
    counts = dict.fromkeys(("executed", "failed", "missed", "skipped"), 0)
    lengths = []
    for run in runs:
        if run.status == Status.EXECUTED:
            counts["executed"] += 1
            if run.seconds is not None:
                lengths.append(run.seconds)
        elif run.status in FAILURES:
            counts["failed"] += 1
        elif run.status in NOT_KEPT:
            counts["missed"] += run.weight
        elif run.status in (Status.SKIPPED, Status.CANCELLED):
            counts["skipped"] += run.weight
    return Outcome(**counts, lengths=tuple(sorted(lengths)))


def outcome_of_days(days: Iterable[JobDay]) -> Outcome:
    """Return the sums of days; the lengths of single runs are not in them."""
    names = ("executed", "failed", "missed", "skipped")
    kept = list(days)
    return Outcome(**{name: sum(getattr(day, name) for day in kept) for name in names})


@dataclass(frozen=True, slots=True)
class Strip:
    """The latest ticks of a job, the oldest first, and how they went."""

    runs: tuple[Run, ...]
    outcome: Outcome

    @property
    def ticks(self) -> int:
        return sum(run.weight for run in self.runs)


def strip_of(runs: Iterable[Run]) -> Strip:
    """Return the strip of a job's executions, given the latest first: its ticks, as many as there are bars for."""
    shown: list[Run] = []
    left = BARS
    for run in runs:
        if run.origin != ExecutionOrigin.SCHEDULE:
            continue
        left -= run.bars
        if left < 0:
            break
        shown.append(run)
    return Strip(tuple(reversed(shown)), outcome_of(shown))


def strips_of(job_ids: Sequence[str]) -> dict[str, Strip]:
    """Return the strip of each job that has executions. One query, which reads each job's latest by the index.

    Of a job's latest ``LOOK_BACK`` executions, however many lie behind them.
    """
    if not job_ids:
        return {}
    _, moment = moments()
    now = utc_now()
    found: dict[str, list[Run]] = {}
    rows = read(strip_statement(), [json.dumps(list(job_ids), ensure_ascii=False), ExecutionOrigin.SCHEDULE.value])
    for job_id, pk, status, due, took, ticks, started, finished in rows:
        seconds = _seconds(started and moment(started), finished and moment(finished), status, now)
        if ticks is None:
            # A row of plain django-apscheduler, whose duration is all that is known of it.
            seconds = None if took is None else float(took)
        found.setdefault(job_id, []).append(Run(pk, status, moment(due), ticks or 1, seconds))
    # The index gives a job's rows in their order, but no database promises that a join keeps it.
    return {job_id: strip_of(sorted(runs, key=_due, reverse=True)) for job_id, runs in found.items()}


def strip_statement() -> str:
    """Return the query of ``strips_of``. Its parameters are the jobs' ids as a JSON array, and the origin of ticks."""
    executions, details = DjangoJobExecution._meta.db_table, ExecutionDetail._meta.db_table
    columns = (
        f"e.id, e.status, {moment_column('e.run_time')}, e.duration, d.tick_count,"
        f" {moment_column('d.started_at')}, {moment_column('d.finished_at')}"
    )
    of_job = f"FROM {executions} WHERE job_id = asked.id ORDER BY run_time DESC"
    ticks = f"(d.origin = %s OR d.origin IS NULL) ORDER BY e.run_time DESC LIMIT {BARS}"
    if connection.vendor != "sqlite":
        return (
            f"SELECT asked.id, ticks.* FROM ({each_text()} AS id) AS asked CROSS JOIN LATERAL (SELECT {columns}"
            f" FROM (SELECT id, status, run_time, duration {of_job} LIMIT {LOOK_BACK}) AS e"
            f" LEFT JOIN {details} AS d ON d.execution_id = e.id WHERE {ticks}) AS ticks"
        )
    # SQLite knows no LATERAL, but lets an IN be about the row beside it, which here is one job. A bound of its own
    # for how far back it looks keeps the order of the index, where a subquery's rows would be sorted again.
    return (
        f"SELECT asked.id, {columns} FROM (SELECT value AS id FROM json_each(%s)) AS asked"
        f" CROSS JOIN {executions} AS e LEFT JOIN {details} AS d ON d.execution_id = e.id"
        f" WHERE e.id IN (SELECT e.id FROM {executions} AS e LEFT JOIN {details} AS d ON d.execution_id = e.id"
        f" WHERE e.job_id = asked.id AND e.run_time >= COALESCE((SELECT run_time {of_job} LIMIT 1"
        f" OFFSET {LOOK_BACK - 1}), '') AND {ticks})"
    )


_OF_RUN = (
    *("pk", "status", "run_time", "duration", "exception", "detail__tick_count", "detail__started_at"),
    *("detail__finished_at", "detail__origin", "detail__reason"),
)


def runs_of(job_id: str, count: int = CHARTED) -> list[Run]:
    """Return a job's latest executions, the latest first, whoever asked for them. One query, by the index."""
    now = utc_now()
    rows = DjangoJobExecution.objects.filter(job_id=job_id).order_by("-run_time").values_list(*_OF_RUN)[:count]
    runs = []
    for pk, status, due, took, exception, ticks, started, finished, origin, reason in rows:
        seconds = _seconds(started, finished, status, now)
        if ticks is None:
            seconds = None if took is None else float(took)
        says = exception or reason or ""
        runs.append(Run(pk, status, due, ticks or 1, seconds, origin or ExecutionOrigin.SCHEDULE.value, says))
    return runs


def days_of(job_id: str, count: int = CHARTED_DAYS) -> list[JobDay]:
    """Return the sums of a job's latest days, UTC, the oldest first; days without a verdict have none."""
    first = utc_now().date() - timedelta(days=count - 1)
    return list(JobDay.objects.filter(job_id=job_id, day__gte=first).order_by("day"))


def _seconds(started: Any, finished: Any, status: str, now: datetime) -> float | None:
    if finished is None and status == Status.STARTED:
        finished = now
    if started is None or finished is None:
        return None
    # Two machines' clocks differ a little.
    return max(0.0, float((finished - started).total_seconds()))


def _due(run: Run) -> datetime:
    return run.due
