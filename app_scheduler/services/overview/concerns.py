"""Which jobs need a look: what fails, cannot run, got slower, is unreliable, slow, or slower than its ticks come.

The sums by job and day are read once, for all jobs, by one statement that answers with a few rows of each kind. Only
the jobs that it names are looked at closely.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import F, FloatField, Max, Q, Sum, Value
from django.db.models.functions import Cast, Coalesce

from app_scheduler import triggers
from app_scheduler.models import FAILURES, JobDay, JobSpec, JobState, Status
from app_scheduler.services.durations import LATEST, usual_of
from app_scheduler.services.failing import failing_at
from app_scheduler.services.overview.latest import Latest, latest_of
from app_scheduler.services.remembered import Remembered

DAY = timedelta(days=1)
#: The days that are compared with the week before them, today the last; and those that reliability is told of.
RECENT, WEEK = 2, 7
#: How many of each kind are shown; those that fail or are broken are counted besides.
SHOWN = 5
#: Executions in which the beginning of a row of failures is looked for.
STREAK = 50
#: Below so many runs nothing is compared.
ENOUGH = 5
#: Markedly slower: so many times as long as before, and by at least so many seconds.
TIMES, SECONDS = 1.5, 0.5
#: A job may be slower than its ticks come if its longest run fills this share of a day, run as often as it is.
CROWDED = 0.25
#: Ticks of a schedule whose least distance is its interval.
TICKS = 6


@dataclass(frozen=True, slots=True)
class Failing:
    """A job whose last run failed: since when and how often in a row, and what the last said.

    ``more`` says that the row goes back further than was looked.
    """

    job_id: str
    name: str
    execution_id: int | None
    since: datetime | None
    in_a_row: int
    more: bool
    exception: str


@dataclass(frozen=True, slots=True)
class Broken:
    job_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Slower:
    """A job whose runs took longer than in the week before; means in seconds."""

    job_id: str
    name: str
    before: float
    recent: float


@dataclass(frozen=True, slots=True)
class Crowded:
    """A job of whose latest runs 95 of 100 end within ``p95``, which is longer than its ticks are apart."""

    job_id: str
    name: str
    p95: timedelta
    interval: timedelta


@dataclass(frozen=True, slots=True)
class Unreliable:
    """A job of the last week, by the share of its runs that failed."""

    job_id: str
    name: str
    runs: int
    failed: int


@dataclass(frozen=True, slots=True)
class Slow:
    """A job of the last week, by how long its runs took: in seconds, on average and at most."""

    job_id: str
    name: str
    runs: int
    mean: float
    longest: float


@dataclass(slots=True)
class Concerns:
    """What needs a look, and what is worth knowing. Lists are short; ``*_count`` say how many there are in all."""

    broken: list[Broken] = field(default_factory=list)
    broken_count: int = 0
    failing: list[Failing] = field(default_factory=list)
    failing_count: int = 0
    slower: list[Slower] = field(default_factory=list)
    crowded: list[Crowded] = field(default_factory=list)
    unreliable: list[Unreliable] = field(default_factory=list)
    slowest: list[Slow] = field(default_factory=list)

    @property
    def job_ids(self) -> list[str]:
        """The jobs that need a look, the worst first."""
        found: Iterable[Any] = (*self.failing, *self.broken, *self.crowded, *self.slower)
        return list(dict.fromkeys(each.job_id for each in found))

    @property
    def are_any(self) -> bool:
        return bool(self.broken or self.failing or self.slower or self.crowded)


def concerns(now: datetime) -> Concerns:
    """Return what needs a look at ``now``, in a number of queries that does not depend on what there is.

    What fails and is broken is as it is now; what the sums of days say too, but with many jobs, as it was within the
    last minute.
    """
    found = Concerns()
    _stopped(found, now)
    today = now.astimezone(UTC).date()
    many = JobSpec.objects.order_by("pk")[MANY : MANY + 1].exists()
    sums = SUMS.to(today, lambda: _sums(today)) if many else _sums(today)
    named = {row.job_id for row in sums}
    specs = {spec.job_id: spec for spec in JobSpec.objects.filter(pk__in=named)} if named else {}
    # A job that is gone, or done for good, is nothing to look after any more.
    rows = [row for row in sums if row.job_id in specs and specs[row.job_id].state != JobState.FINISHED]
    for row in rows:
        name = specs[row.job_id].name
        if row.kind == "slower":
            found.slower.append(Slower(row.job_id, name, row.first, row.second))
        elif row.kind == "unreliable":
            found.unreliable.append(Unreliable(row.job_id, name, int(row.first), int(row.second)))
        elif row.kind == "slowest":
            found.slowest.append(Slow(row.job_id, name, int(row.first), row.score, row.second))
    candidates = [specs[row.job_id] for row in rows if row.kind == "crowded"]
    found.crowded = _crowded(candidates, now)[:SHOWN]
    return found


# --- what fails and what cannot run ---------------------------------------------------------------------------------


def _stopped(found: Concerns, now: datetime) -> None:
    """Fill in the jobs that fail and those that are broken: six queries."""
    failing = JobSpec.objects.filter(failing_at(now))
    broken = JobSpec.objects.filter(state=JobState.BROKEN)
    found.failing_count, found.broken_count = failing.count(), broken.count()
    rows = broken.order_by("-updated_at", "pk").values_list("pk", "name", "state_reason")
    found.broken = [Broken(*row) for row in rows[:SHOWN]]
    columns = ("pk", "name", "last_execution_id")
    shown = list(failing.order_by("-last_finished_at", "pk").values_list(*columns)[:SHOWN])
    latest = latest_of([job_id for job_id, _, _ in shown], STREAK)
    found.failing = [_failing(job, latest[job[0]]) for job in shown]


def _failing(job: tuple[str, str, int | None], latest: Sequence[Latest]) -> Failing:
    # Only a run that succeeded ends a row of failures: missed and skipped ticks tried nothing.
    since_success = [*takewhile(lambda row: row.status != Status.EXECUTED, latest)]
    streak = [row for row in since_success if row.status in FAILURES]
    more = len(since_success) == STREAK
    if not streak:
        return Failing(*job, since=None, in_a_row=0, more=more, exception="")
    return Failing(
        *job, since=streak[-1].run_time, in_a_row=len(streak), more=more, exception=streak[0].exception or ""
    )


# --- what the sums of days say --------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """A job that stands out: ``kind`` says in what, ``score`` how much, the others are what is told of it."""

    kind: str
    job_id: str
    score: float
    first: float
    second: float


#: With more than ``MANY`` jobs their sums are most of what the overview costs. With few they cost next to nothing, and
#: who has just run the first job wants to see it.
MANY = 500
SUMS: Remembered[list[_Row]] = Remembered(seconds=60)


def _sums(today: date) -> list[_Row]:
    """Return the jobs that stand out. One statement, which reads ten days of sums once.

    The ORM makes the sums; that several short lists are taken from them, it cannot say.
    """
    recent = Q(day__gt=today - RECENT * DAY)
    before = Q(day__lte=today - RECENT * DAY, day__gt=today - (RECENT + WEEK) * DAY)
    week = Q(day__gt=today - WEEK * DAY)
    days = JobDay.objects.filter(day__gt=today - (RECENT + WEEK) * DAY, day__lte=today)
    sums = (
        days.order_by()
        .values("job_id")
        .annotate(
            recent_runs=_sum("executed", recent),
            recent_seconds=_sum("seconds", recent),
            recent_longest=Coalesce(Max("longest", filter=recent), Value(0.0)),
            recent_ticks=_sum(F("executed") + F("failed") + F("missed"), recent),
            before_runs=_sum("executed", before),
            before_seconds=_sum("seconds", before),
            week_runs=_sum("executed", week),
            week_failed=_sum("failed", week),
            week_seconds=_sum("seconds", week),
            week_longest=Coalesce(Max("longest", filter=week), Value(0.0)),
        )
    )
    sql, parameters = sums.query.sql_with_params()
    connection = connections[JobDay.objects.db]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH sums AS ({sql}) {_KINDS}", [*parameters])
        return [_Row(*row) for row in cursor.fetchall()]


def _sum(what: Any, days: Q) -> Coalesce:
    return Coalesce(Cast(Sum(what, filter=days), FloatField()), Value(0.0))


_KINDS = " UNION ALL ".join(
    f"SELECT * FROM (SELECT '{kind}' AS kind, job_id, {score} AS score, {first} AS first, {second} AS second"
    f" FROM sums WHERE {where} ORDER BY 3 DESC, 2 LIMIT {SHOWN * (2 if kind == 'crowded' else 1)}) AS {kind}"
    for kind, score, first, second, where in (
        (
            "slower",
            "(recent_seconds / recent_runs) / (before_seconds / before_runs)",
            "before_seconds / before_runs",
            "recent_seconds / recent_runs",
            f"recent_runs >= {ENOUGH} AND before_runs >= {ENOUGH} AND before_seconds > 0"
            f" AND recent_seconds / recent_runs >= {TIMES} * before_seconds / before_runs"
            f" AND recent_seconds / recent_runs >= {SECONDS} + before_seconds / before_runs",
        ),
        (
            "unreliable",
            "week_failed / (week_runs + week_failed)",
            "week_runs + week_failed",
            "week_failed",
            "week_failed > 0",
        ),
        ("slowest", "week_seconds / week_runs", "week_runs", "week_longest", "week_runs > 0 AND week_seconds > 0"),
        (
            "crowded",
            "recent_longest * recent_ticks",
            "0.0",
            "0.0",
            f"recent_longest * recent_ticks >= {CROWDED * RECENT * DAY.total_seconds()}",
        ),
    )
)


def _crowded(candidates: Sequence[JobSpec], now: datetime) -> list[Crowded]:
    """Return those of a few jobs whose usual runs take longer than their ticks are apart. Two queries."""
    scheduled = [spec for spec in candidates if spec.state == JobState.SCHEDULED]
    latest = latest_of([spec.job_id for spec in scheduled], LATEST)
    found = []
    for spec in scheduled:
        usual = usual_of((row.status, row.duration) for row in latest[spec.job_id])
        interval = interval_of(spec, now)
        if usual is not None and interval is not None and usual.p95 > interval:
            found.append(Crowded(spec.job_id, spec.name, usual.p95, interval))
    return found


def interval_of(spec: JobSpec, now: datetime) -> timedelta | None:
    """Return how far apart the closest of a job's next ticks are, or None where it has fewer than two."""
    try:
        schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
    except Exception:  # a trigger that cannot be read is told of elsewhere
        return None
    ticks: list[datetime] = []
    tick = schedule.next_after(now)
    while tick is not None and len(ticks) < TICKS:
        ticks.append(tick.astimezone(UTC))
        tick = schedule.next_after(tick)
    return min((later - earlier for earlier, later in pairwise(ticks)), default=None)
