"""A day back and a day ahead, job by job: what the ledger has, and what the schedules say.

A few jobs have a row each, the others are added up by their function. Executions are read by index and no further back
than a fixed number of them reaches, so a row may say that it begins later than the others. Several in half an hour are
one mark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, Count, Max, Min, OuterRef, Q, Subquery, Sum, Value
from django.db.models import When as Whenever
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine.sql import among
from app_scheduler.engine.tallies import hour_of
from app_scheduler.models import FAILURES, ExecutionDetail, JobDay, JobSpec, JobState, Status
from app_scheduler.services.calendar import Calendar, due_in, moments
from app_scheduler.services.load import Tally
from app_scheduler.services.overview.slots import SLOT, SlotOf, slot_begin
from app_scheduler.triggers.minutes import MINUTE, Groups, Window, later, ticks_before, ticks_from

DAY = timedelta(days=1)
#: Jobs with a row of their own, and functions whose other jobs share one; the rest of them share the last.
MAX_ROWS, MAX_GROUPS = 12, 4
#: Of these many candidates of each kind, the first are taken.
FROM_CONCERNS, FROM_MISSED = 8, 3
#: So many of its executions a row reaches back at most, and so many of all jobs those that are added up.
ROW_REACH, GROUP_REACH = 2_500, 5_000
#: With more jobs than this in the shared rows, these tell the next tick of each job instead of all that come.
MAX_AHEAD = 500
#: Rows of ledger that stand for several ticks, each drawn as long as they lasted.
MAX_SPANS = 200

OK, FAIL, MISSED, SKIPPED, RUNNING, QUEUED, DUE = "ok", "fail", "missed", "skipped", "running", "queued", "due"
#: Where several are one mark, the first of these that is among them is its look.
WORST = (FAIL, MISSED, RUNNING, QUEUED, SKIPPED, OK, DUE)
LOOKS = {
    Status.EXECUTED.value: OK,
    **dict.fromkeys([status.value for status in FAILURES], FAIL),
    Status.MISSED.value: MISSED,
    Status.MAX_INSTANCES.value: MISSED,
    Status.SKIPPED.value: SKIPPED,
    Status.CANCELLED.value: SKIPPED,
    Status.STARTED.value: RUNNING,
    Status.QUEUED.value: QUEUED,
}


@dataclass(slots=True)
class Mark:
    """What happened, or is due, from ``start`` until ``end``, in UTC: ``counts`` by look.

    ``execution_id`` is that of the only execution; of several there is none.
    """

    start: datetime
    end: datetime
    counts: dict[str, int]
    execution_id: int | None = None

    @property
    def look(self) -> str:
        return next(look for look in WORST if self.counts.get(look))

    @property
    def count(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class Lane:
    """One row: a job, or the other jobs of a function (``jobs`` of them; of all further functions where it is "").

    ``since`` is where the row begins, if later than the others; ``is_next_only`` says that of what is due only the
    next tick of each job is in it.
    """

    job_id: str = ""
    name: str = ""
    function: str = ""
    jobs: int = 1
    state: str = ""
    since: datetime | None = None
    marks: list[Mark] = field(default_factory=list)
    is_next_only: bool = False

    @property
    def is_merged(self) -> bool:
        return any(mark.count > 1 for mark in self.marks)


@dataclass(slots=True)
class Timeline:
    """The rows from ``start`` to ``end``, a day before and after ``now``."""

    now: datetime
    rows: list[Lane]
    groups: list[Lane]

    @property
    def start(self) -> datetime:
        return self.now - DAY

    @property
    def end(self) -> datetime:
        return self.now + DAY


def timeline(now: datetime, concerned: Sequence[str] = (), running: Sequence[str] = ()) -> Timeline:
    """Return the timeline around ``now``, in UTC. ``concerned`` and ``running`` are jobs that come first."""
    specs = _chosen(now, concerned, running)
    rows = [Lane(spec.job_id, spec.name, state=spec.state, function=spec.function) for spec in specs]
    by_job = {row.job_id: row for row in rows}
    groups = _groups(by_job)
    _fill_past(by_job, now)
    if groups:
        _fill_past_of_groups(groups, by_job, now)
    # From a whole hour on, so that what is known of the schedules in it is of use for as long.
    window = Window(hour_of(now), 25 * 60)
    jobs: Any = JobSpec.objects.all()
    if sum(lane.jobs for lane in groups) > MAX_AHEAD:
        jobs = jobs.filter(pk__in=list(by_job))
        _fill_next(groups, by_job, now)
    _fill_ahead(rows, groups, due_in(window, jobs, now=now), now)
    for row in (*rows, *groups):
        row.marks.sort(key=lambda mark: mark.start)
    return Timeline(now, rows, groups)


# --- which jobs -----------------------------------------------------------------------------------------------------


def _chosen(now: datetime, concerned: Sequence[str], running: Sequence[str]) -> list[Any]:
    """Return the jobs that have a row: what needs a look first, then what runs, missed, took the most time, is next."""
    days = JobDay.objects.filter(day__gte=(now - DAY).astimezone(UTC).date(), day__lte=now.astimezone(UTC).date())
    by_job = days.order_by().values("job_id")
    missed = by_job.filter(missed__gt=0).annotate(sum=Sum("missed")).order_by("-sum", "job_id")
    busy = by_job.annotate(sum=Sum("seconds")).order_by("-sum", "job_id")
    ticks = DjangoJob.objects.filter(next_run_time__isnull=False).order_by("next_run_time", "pk")
    wanted = [
        *concerned[:FROM_CONCERNS],
        *running,
        *missed.values_list("job_id", flat=True)[:FROM_MISSED],
        *busy.values_list("job_id", flat=True)[: MAX_ROWS // 2],
        *ticks.values_list("pk", flat=True)[:MAX_ROWS],
    ]
    ranks = {job_id: rank for rank, job_id in reversed([*enumerate(wanted)])}
    specs = JobSpec.objects.filter(pk__in=list(ranks)).exclude(state=JobState.FINISHED)
    found = sorted(specs.only("name", "state", "function"), key=lambda spec: ranks[spec.job_id])[:MAX_ROWS]
    # What needs a look stays first; the others are found by their names.
    return sorted(
        found, key=lambda spec: (ranks[spec.job_id] if spec.job_id in concerned else len(ranks), spec.name.lower())
    )


def _groups(rows: Collection[str]) -> list[Lane]:
    """Return the rows of the jobs that have none of their own: by function the largest, then all the rest."""
    others = JobSpec.objects.exclude(pk__in=list(rows)).exclude(state=JobState.FINISHED).order_by()
    counts = others.values_list("function").annotate(jobs=Count("pk")).order_by("-jobs", "function")
    found = [Lane(function=function, jobs=jobs) for function, jobs in counts[: MAX_GROUPS + 1]]
    if len(found) > MAX_GROUPS:
        found = found[:MAX_GROUPS]
        found.append(Lane(jobs=others.exclude(function__in=[lane.function for lane in found]).count()))
    return found


def _group(groups: Sequence[Lane], field: str) -> Case:
    """Return which of the shared rows a job is in, by its function."""
    named = [lane.function for lane in groups if lane.function]
    cases = [Whenever(**{field: function}, then=Value(function)) for function in named]
    return Case(*cases, default=Value(""), output_field=CharField())


# --- what the ledger has --------------------------------------------------------------------------------------------


def _fill_past(rows: dict[str, Lane], now: datetime) -> None:
    """Fill in the last day of a few jobs: four queries."""
    if not rows:
        return
    start = now - DAY
    newest = DjangoJobExecution.objects.filter(job_id=OuterRef("pk")).order_by("-run_time").values("run_time")
    reach = DjangoJob.objects.filter(pk__in=list(rows)).annotate(first=Subquery(newest[ROW_REACH - 1 : ROW_REACH]))
    ranges = Q()
    for job_id, first in reach.values_list("pk", "first"):
        if first is not None and first > start:
            rows[job_id].since = first
        ranges |= Q(job_id=job_id, run_time__gte=rows[job_id].since or start, run_time__lte=now)
    if not ranges:
        return
    executions = DjangoJobExecution.objects.filter(ranges)
    # What runs and what stands for a span of time is drawn as long as it lasted, not where it is due.
    running = _running(rows, now)
    spans = _spans(executions, start)
    for job_id, mark in (*running, *spans):
        rows[job_id].marks.append(mark)
    drawn = [mark.execution_id for _, mark in spans]
    settled = executions.exclude(status=Status.STARTED.value).exclude(pk__in=drawn)
    for job_id, marks in _merged(settled, "job_id").items():
        row = rows[job_id]
        row.marks += _from(marks, row.since or start)


def _running(rows: dict[str, Lane], now: datetime) -> list[tuple[str, Mark]]:
    found = ExecutionDetail.objects.running().filter(execution__job__in=list(rows)).order_by("started_at")
    columns = ("execution__job_id", "execution_id", "started_at")
    return [
        (job_id, Mark(started, now, {RUNNING: 1}, pk))
        for job_id, pk, started in found.values_list(*columns)[:MAX_SPANS]
    ]


def _spans(executions: Any, start: datetime) -> list[tuple[str, Mark]]:
    """Return the rows that stand for several ticks which did not run."""
    unrun = [status for status, look in LOOKS.items() if look in (MISSED, SKIPPED)]
    rows = executions.filter(status__in=unrun, detail__tick_count__gt=1, detail__first_tick__isnull=False)
    columns = ("job_id", "pk", "status", "detail__first_tick", "run_time", "detail__tick_count")
    return [
        (job_id, Mark(max(first, start), last, {LOOKS[status]: count}, pk))
        for job_id, pk, status, first, last, count in rows.order_by("-run_time").values_list(*columns)[:MAX_SPANS]
    ]


def _merged(executions: Any, by: str) -> dict[str, list[Mark]]:
    """Return the executions as marks, one for each half hour in which there are any, by job or group."""
    sums = (
        executions.order_by()
        .annotate(slot=SlotOf("run_time"))
        .values_list(by, "slot", "status")
        .annotate(Count("pk"), Min("pk"), Min("run_time"), Max("duration"))
    )
    marks: dict[tuple[str, int], Mark] = {}
    for key, slot, status, count, pk, run_time, duration in sums:
        look = LOOKS.get(status, SKIPPED)
        known = marks.get((key, slot))
        if known is None:
            end = run_time + timedelta(seconds=float(duration or 0))
            alone = count == 1
            begin = slot_begin(slot)
            marks[key, slot] = Mark(run_time, end, {look: 1}, pk) if alone else Mark(begin, begin + SLOT, {look: count})
            continue
        known.start = slot_begin(slot)
        known.end, known.execution_id = known.start + SLOT, None
        known.counts[look] = known.counts.get(look, 0) + count
    found: dict[str, list[Mark]] = {}
    for (key, _slot), mark in marks.items():
        found.setdefault(key, []).append(mark)
    return found


def _from(marks: list[Mark], since: datetime) -> list[Mark]:
    """Let no mark begin before what was read: its list then holds just what it counts."""
    for mark in marks:
        mark.start = max(mark.start, since)
    return marks


def _fill_past_of_groups(groups: Sequence[Lane], rows: Collection[str], now: datetime) -> None:
    """Fill in the last day of all other jobs, as far back as is quick: two queries by the index of run times."""
    start = now - DAY
    newest = DjangoJobExecution.objects.filter(run_time__lte=now).order_by("-run_time")
    first = newest.values_list("run_time", flat=True)[GROUP_REACH - 1 : GROUP_REACH].first()
    since = start if first is None else max(start, first)
    group = _group(groups, "job__spec__function")
    others = DjangoJobExecution.objects.filter(run_time__gte=since, run_time__lte=now).exclude(job_id__in=list(rows))
    marks = _merged(others.exclude(job__spec__state=JobState.FINISHED).annotate(group=group), "group")
    for lane in groups:
        lane.marks += _from(marks.get(lane.function, []), since)
        lane.since = since if since > start else None


# --- what the schedules say -----------------------------------------------------------------------------------------


def _fill_ahead(rows: Sequence[Lane], groups: Sequence[Lane], calendar: Calendar, now: datetime) -> None:
    window, until = calendar.window, now + DAY
    slots = [*_slots(window, now, until)]
    by_job = {row.job_id: row for row in rows}
    by_function = {lane.function: (lane, Tally()) for lane in groups}
    shared = [job.job_id for bundle in calendar.bundles for job in bundle.jobs if job.job_id not in by_job]
    functions = dict(JobSpec.objects.filter(pk__in=among(shared)).values_list("pk", "function")) if shared else {}
    for bundle in calendar.bundles:
        counts: dict[str, int] = {}
        for job in bundle.jobs:
            row = by_job.get(job.job_id)
            if row is not None:
                groups_of_ticks = ticks_from(later(job.groups, job.later_by), window, now)
                row.marks += _due(ticks_before(groups_of_ticks, window, until), slots, window)
                continue
            function = functions.get(job.job_id, "")
            counts[function] = counts.get(function, 0) + 1
        for function, jobs in counts.items():
            found = by_function.get(function) or by_function.get("")
            if found is not None:
                for places, minutes in bundle.groups:
                    found[1].add(minutes, jobs * len(places))
    for lane, tally in by_function.values():
        for begin, end, minutes in slots:
            if ticks := tally.sum(minutes):
                lane.marks.append(Mark(begin, end, {DUE: ticks}))


def _fill_next(groups: Sequence[Lane], rows: Collection[str], now: datetime) -> None:
    """Fill in the next tick of each of thousands of jobs, whose schedules nobody walks for a picture. One query."""
    by_function = {lane.function: lane for lane in groups}
    ticks = DjangoJob.objects.filter(next_run_time__gt=now, next_run_time__lt=now + DAY).exclude(pk__in=list(rows))
    slots = ticks.order_by().annotate(slot=SlotOf("next_run_time"), group=_group(groups, "spec__function"))
    for function, slot, jobs in slots.values_list("group", "slot").annotate(Count("pk")):
        if lane := by_function.get(function):
            begin = slot_begin(slot)
            lane.marks.append(Mark(max(begin, now), min(begin + SLOT, now + DAY), {DUE: jobs}))
    for lane in groups:
        lane.is_next_only = True


def _slots(window: Window, now: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, int]]:
    """Yield the half hours to come: begin, end and the minutes, the one that goes on from the next minute on."""
    begin = window.start
    while begin < until:
        end = min(begin + SLOT, until)
        first = max((begin - window.start) // MINUTE, (now - window.start) // MINUTE)
        last = -((window.start - end) // MINUTE)
        if end > now and last > first:
            yield max(begin, now), end, ((1 << last) - 1) & ~((1 << first) - 1)
        begin += SLOT


def _due(groups: Groups, slots: Sequence[tuple[datetime, datetime, int]], window: Window) -> Iterator[Mark]:
    for begin, end, minutes in slots:
        ticks = sum(len(places) * (each & minutes).bit_count() for places, each in groups)
        if ticks == 1:
            (tick,) = moments(groups, minutes, window, 1)
            yield Mark(tick, tick, {DUE: 1})
        elif ticks:
            yield Mark(begin, end, {DUE: ticks})
