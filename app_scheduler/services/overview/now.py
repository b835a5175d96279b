"""What is open, missed, running, due and kept: each by an index that is small however many executions are kept."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connections
from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.models import ExecutionDetail, FailureGroup, JobDay, JobSpec, JobState, Status
from app_scheduler.registry import registry
from app_scheduler.services.excepted import ScheduleExceptions
from app_scheduler.services.overview.latest import latest_of

HOUR = timedelta(hours=1)
#: New failures are counted up to here, and from at most so long ago.
MOST_NEW, LONGEST_LOOK = 1000, timedelta(days=7)
#: Jobs whose missed ticks are asked for their reasons, and how many of the newest executions of each are read for it.
ASKED_JOBS, ASKED_ROWS = 6, 100
#: Runs that are named of those that run now, and ticks that are looked at for the first one that will run.
MOST_RUNNING, FIRST_DUE = 3, 10

UNRUN = (Status.MISSED.value, Status.MAX_INSTANCES.value)


# --- failures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenFailures:
    """Failures that nobody has acknowledged or snoozed, and the groups that they are of.

    ``new`` are those since a moment, at most ``MOST_NEW`` + 1; None where no moment was given.
    """

    failures: int
    groups: int
    new: int | None


def open_failures(now: datetime, since: datetime | None = None) -> OpenFailures:
    """Return what is open; ``since`` is when somebody last looked. Two queries."""
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=now)
    sums = FailureGroup.objects.filter(awake, open_count__gt=0).aggregate(open=Sum("open_count"), groups=Count("pk"))
    new = None
    if since is not None:
        snoozed = FailureGroup.objects.filter(
            job=OuterRef("execution__job"), fingerprint=OuterRef("fingerprint"), snoozed_until__gt=now
        )
        failed = ExecutionDetail.objects.filter(
            ~Exists(snoozed),
            fingerprint__gt="",
            finished_at__gt=max(since, now - LONGEST_LOOK),
            acknowledged_at=None,
        )
        new = failed.order_by()[: MOST_NEW + 1].count()
    return OpenFailures(sums["open"] or 0, sums["groups"], new)


# --- missed ticks ---------------------------------------------------------------------------------------------------


class Why(NamedTuple):
    """Why ticks were missed: a cause, and for an outage or a pause of everything its time, aware."""

    cause: str
    since: datetime | None = None
    until: datetime | None = None


#: No scheduler, all scheduling paused, the job paused or broken, changed meanwhile, still running, or merely late.
DOWN, PAUSED, JOB_PAUSED, JOB_BROKEN, CHANGED, OVERLAP, LATE = (
    *("down", "paused", "job paused", "job broken", "changed", "overlap", "late"),
)
_MOMENT = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
#: As the engine writes reasons, in English whatever the site's language is.
_CAUSES = (
    (DOWN, re.compile(rf"no scheduler was running from {_MOMENT} to {_MOMENT}")),
    (PAUSED, re.compile(rf"all scheduling was paused(?: by .*?)? from {_MOMENT} to {_MOMENT}")),
    (JOB_PAUSED, re.compile(r"\bwas paused\b")),
    (JOB_BROKEN, re.compile(r"\bwas broken\b")),
    (CHANGED, re.compile(r"\bwhen the job was changed\b")),
)


@dataclass(frozen=True, slots=True)
class Missed:
    """Why most of the ticks were missed that could be asked, and one execution that says so; None where none could."""

    why: Why
    execution_id: int
    job_id: str


def why_missed(now: datetime, since: datetime) -> Missed | None:
    """Return the main reason why ticks were missed from ``since`` on, asked of the jobs that missed most.

    Four queries. Reasons of rows that many newer executions hide are not found, which only a job that runs each few
    seconds has.
    """
    days = JobDay.objects.filter(day__gte=since.astimezone(UTC).date(), day__lte=now.date(), missed__gt=0)
    sums = days.values("job_id").annotate(ticks=Sum("missed")).order_by("-ticks", "job_id")
    jobs = list(sums.values_list("job_id", flat=True)[:ASKED_JOBS])
    rows = [
        row
        for latest in latest_of(jobs, ASKED_ROWS).values()
        for row in latest
        if row.status in UNRUN and row.run_time >= since
    ]
    if not rows:
        return None
    details = {
        pk: (reason, ticks)
        for pk, reason, ticks in ExecutionDetail.objects.filter(pk__in=[row.pk for row in rows]).values_list(
            "pk", "reason", "tick_count"
        )
    }
    ticks: Counter[Why] = Counter()
    examples: dict[Why, Missed] = {}
    for row in rows:
        reason, count = details.get(row.pk, ("", 1))
        why = Why(OVERLAP) if row.status == Status.MAX_INSTANCES else why_of(reason)
        ticks[why] += count
        examples.setdefault(why, Missed(why, row.pk, row.job_id))
    return examples[ticks.most_common(1)[0][0]]


def why_of(reason: str) -> Why:
    """Return the cause that the reason of a missed tick names."""
    for cause, pattern in _CAUSES:
        if found := pattern.search(reason):
            return Why(cause, *(_read(text) for text in found.groups()))
    return Why(LATE)


def _read(text: str) -> datetime:
    # Reasons are written in the site's zone.
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone.get_default_timezone_name()))


# --- running and due ------------------------------------------------------------------------------------------------


class Running(NamedTuple):
    execution_id: int
    job_id: str
    name: str
    started_at: datetime


def running_longest() -> list[Running]:
    """Return the runs that go on, those that began first first. One query by the index of what runs."""
    columns = ("execution_id", "execution__job_id", "execution__job__spec__name", "started_at")
    rows = ExecutionDetail.objects.running().order_by("started_at", "pk").values_list(*columns)
    return [Running(pk, job_id, name or job_id, started) for pk, job_id, name, started in rows[:MOST_RUNNING]]


def oldest_waiting(now: datetime) -> datetime | None:
    """Return since when the first row in the queue could have started, or None where none waits. One query."""
    waiting = ExecutionDetail.objects.queued().filter(available_at__lte=now)
    moment: datetime | None = waiting.aggregate(first=Min("available_at"))["first"]
    return moment


@dataclass(frozen=True, slots=True)
class Due:
    """How many jobs are due within an hour, and the first tick that will run: its job, its name and its moment."""

    jobs: int
    job_id: str = ""
    name: str = ""
    at: datetime | None = None


def due_soon(now: datetime, exceptions: ScheduleExceptions | None = None) -> Due:
    """Return what comes next, by the index of the next ticks. Ticks that a blackout or a skip swallows are passed over.

    Two queries, and one for the blackouts where ``exceptions`` are not given.
    """
    ticks = DjangoJob.objects.filter(next_run_time__isnull=False)
    jobs = ticks.filter(next_run_time__lte=now + HOUR).count()
    exceptions = exceptions or ScheduleExceptions.now()
    specs: Any = JobSpec.objects.filter(state=JobState.SCHEDULED, job__next_run_time__isnull=False)
    first = list(specs.select_related("job").order_by("job__next_run_time", "pk")[:FIRST_DUE])
    for spec in first:
        following = exceptions.next_run(spec)
        runs = spec.job.next_run_time if following is None else following.runs
        if runs == spec.job.next_run_time:
            return Due(jobs, spec.job_id, spec.name, runs)
    return Due(jobs)


# --- what is kept ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retention:
    """About how many executions are kept and since when, and the job that deletes them with what it is told.

    XX
    """

    about: int
    at_most: bool
    oldest: datetime | None
    job_id: str = ""
    name: str = ""
    state: str = ""
    at: datetime | None = None
    days: int | None = None
    keep_per_job: int | None = None


PRUNER = "app_scheduler.jobs.delete_old_executions"


def retention() -> Retention:
    """Return what is kept and what goes when. At most four queries, none of which counts executions."""
    rows = DjangoJobExecution.objects
    oldest = rows.order_by("run_time").values_list("run_time", flat=True).first()
    pruners: QuerySet[Any] = JobSpec.objects.filter(function=PRUNER).select_related("job")
    # One that will run says more than one that is paused.
    spec = pruners.order_by(F("job__next_run_time").asc(nulls_last=True), "pk").first()
    if spec is None:
        return Retention(*_about(), oldest)
    given = _arguments(spec)
    return Retention(
        *(*_about(), oldest, spec.job_id, spec.name, spec.state, spec.job.next_run_time),
        days=given.get("days"),
        keep_per_job=given.get("keep_per_job"),
    )


def _arguments(spec: JobSpec) -> dict[str, int]:
    """Return the whole numbers that the job is told, defaults included."""
    function = registry.find(PRUNER)
    parameters = function.signature.parameters if function is not None else []
    given: dict[str, Any] = {each.name: each.default for each in parameters}
    if isinstance(spec.args, list):
        given |= dict(zip([each.name for each in parameters], spec.args, strict=False))
    if isinstance(spec.kwargs, dict):
        given |= spec.kwargs
    return {name: value for name, value in given.items() if isinstance(value, int)}


def _about() -> tuple[int, bool]:
    """Return about how many executions there are, without counting them, and whether there may be far fewer."""
    rows = DjangoJobExecution.objects
    connection = connections[rows.db]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table])
            estimate = int(cursor.fetchone()[0])
        # Below 0 where the table was never analysed; 0 may be from before its first rows.
        if estimate > 0:
            return estimate, False
    first = rows.order_by("pk").values_list("pk", flat=True).first()
    last = rows.order_by("-pk").values_list("pk", flat=True).first()
    return (0, False) if first is None or last is None else (last - first + 1, last > first)
