"""What is due in a period: computed from the triggers, nothing stored, by arithmetic and never by a walk over ticks.

A job is due where its schedule says so and nothing holds it back. What holds ticks back is told by ``gaps_of``, the one
place for it: the ticks in a gap are not due and are kept apart with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, overload

from django.conf import settings
from django.db.models import Case, DateTimeField, Q, TextField, Value, When
from django.db.models.functions import Cast
from django.utils.text import capfirst
from django.utils.translation import gettext

from app_scheduler import triggers
from app_scheduler.engine.blackouts import words_of
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.windows import Cause, exceptions_of
from app_scheduler.engine.windows import Window as BlackoutWindow
from app_scheduler.models import JobState
from app_scheduler.services.excepted import ScheduleExceptions, cause_in_words
from app_scheduler.services.load import Tally, count_jobs
from app_scheduler.triggers.minutes import (
    MINUTE,
    Groups,
    Window,
    minutes_of,
    single,
    ticks_before,
    ticks_from,
)

logger = logging.getLogger(__name__)

#: Beyond these years nobody plans; within them every offset of a zone is whole minutes.
FIRST_YEAR, LAST_YEAR = 2000, 2199
#: A job that is due in as many hours of a day is due all day long: each hour of a day of 23, and all night but a few.
FREQUENT = 20
#: No schedule's ticks depend on the moment that it was set, except those of an interval and of a calendar interval.
_WITHOUT_ANCHOR = frozenset({"cron", "date"})
_ANY_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)
#: A week in any zone, and more schedules than are usual.
_KEPT_MINUTES, _KEPT_PATTERNS = 8 * 1440, 40_000
_HOUR = (1 << 60) - 1
_MICROSECOND = MINUTE / 60_000_000


class Row(NamedTuple):
    """What of a job decides when it is due."""

    job_id: str
    trigger: str
    trigger_type: str
    state: str
    #: None where the ticks in the window do not depend on it.
    anchor: datetime | None
    #: None where it lies before the window or has passed.
    next_run_time: datetime | None
    skip_tick: datetime | None = None
    tags: Any = ()
    held_from: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None


class Gap(NamedTuple):
    """A time in which a job's ticks are not due: since <= tick < until; None is without end. ``cause`` says why."""

    cause: str
    since: datetime | None
    until: datetime | None = None


#: The cause of a gap that is no state of the job: its next run was set to a later moment than its schedule says.
MOVED = "moved"


def gaps_of(
    row: Row, groups: Groups, window: Window, now: datetime, blackouts: Sequence[tuple[Cause, BlackoutWindow]]
) -> Iterator[Gap]:
    """Yield the times of a window in which ticks of this job will not run."""
    if row.state == JobState.PAUSED:
        yield Gap(JobState.PAUSED, row.held_from or row.paused_at, row.paused_until)
    elif row.state == JobState.BROKEN:
        yield Gap(JobState.BROKEN, row.held_from)
    elif row.state == JobState.FINISHED:
        yield Gap(JobState.FINISHED, now)
    else:
        if row.next_run_time is not None and _waits(row.next_run_time, groups, window, now):
            yield Gap(MOVED, now, row.next_run_time)
        if row.skip_tick is not None:
            yield Gap(gettext("Skipped"), row.skip_tick, row.skip_tick + _MICROSECOND)
        if blackouts:
            for cause in exceptions_of(blackouts, words_of(row.tags)).causes:
                yield Gap(capfirst(cause_in_words(cause)), cause.since, cause.until)


def _waits(following: datetime, groups: Groups, window: Window, now: datetime) -> bool:
    """Say whether a schedule has ticks in the whole minutes before the job's next run; so it is where it was moved."""
    first = max(0, (now - window.start) // MINUTE + 1)
    end = min(window.minutes, (following - window.start) // MINUTE)
    if end <= first:
        return False
    between = (1 << end) - (1 << first)
    return any(minutes & between for _, minutes in groups)


class Job(NamedTuple):
    """One job of a period, and its ticks there."""

    job_id: str
    groups: Groups


class Held(NamedTuple):
    """A job with ticks in the period that are not due: why, and how many."""

    job_id: str
    cause: str
    ticks: int


@dataclass(slots=True)
class Bundle:
    """Jobs that are due in the same minutes, as often in each; ``groups`` are those of one of them."""

    groups: Groups
    minutes: int
    jobs: list[Job] = field(default_factory=list)

    def ticks(self, minutes: int) -> int:
        """Return how often each of the jobs is due in these minutes."""
        return sum(len(places) * (each & minutes).bit_count() for places, each in self.groups)


@dataclass(frozen=True, slots=True)
class Cell:
    """The load of some minutes: how many jobs and ticks, and the most jobs that are due in one minute, and in which."""

    jobs: int
    ticks: int
    most: int
    busiest: int | None


@dataclass(slots=True)
class Calendar:
    """What is due in a window. ``unreadable`` are the jobs whose triggers say nothing."""

    window: Window
    bundles: list[Bundle]
    held: list[Held]
    unreadable: list[str]
    _jobs: Tally = field(default_factory=Tally)
    # Most jobs are due at most once in a minute: only what is more than their number is added up again.
    _more: Tally = field(default_factory=Tally)
    _less: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        for bundle in self.bundles:
            jobs = len(bundle.jobs)
            self._jobs.add(bundle.minutes, jobs)
            if len(bundle.groups) == 1:
                self._more.add(bundle.minutes, jobs * (len(bundle.groups[0].places) - 1))
                continue
            self._less.add(bundle.minutes, jobs)
            for places, minutes in bundle.groups:
                self._more.add(minutes, jobs * len(places))

    def ticks(self, minutes: int) -> int:
        """Return how many ticks all jobs have in these minutes."""
        return self._jobs.sum(minutes) + self._more.sum(minutes) - self._less.sum(minutes)

    def cells(self, masks: Sequence[int]) -> list[Cell]:
        """Return the load of each of several sets of minutes."""
        jobs = count_jobs([(bundle.minutes, len(bundle.jobs)) for bundle in self.bundles], masks)
        found = []
        for mask, count in zip(masks, jobs, strict=True):
            most, where = self._jobs.highest(mask)
            found.append(Cell(count, self.ticks(mask), most, (where & -where).bit_length() - 1 if most else None))
        return found

    def apart(self, days: Sequence[int]) -> tuple[list[Bundle], list[Bundle]]:
        """Return the jobs that are due all day long, the densest first, and the others; each day is minutes."""
        often: list[Bundle] = []
        others: list[Bundle] = []
        for bundle in self.bundles:
            (often if _is_frequent(bundle, days) else others).append(bundle)
        often.sort(key=lambda bundle: -bundle.ticks(self.window.full))
        return often, others


def _is_frequent(bundle: Bundle, days: Sequence[int]) -> bool:
    """Say whether the first day on which these jobs are due has them in most of its hours."""
    if bundle.minutes.bit_count() < FREQUENT:
        return False
    first = next(day for day in days if bundle.minutes & day)
    left = (bundle.minutes & first) >> ((first & -first).bit_length() - 1)
    hours = 0
    while left:
        hours += bool(left & _HOUR)
        left >>= 60
    return hours >= FREQUENT


def rarest(bundles: Iterable[Bundle], days: Sequence[int], count: int) -> list[list[tuple[int, str]]]:
    """Return for each day up to ``count`` jobs, as (first minute, id) in their order: those due on the fewest days."""
    due = []
    for bundle in bundles:
        on = [number for number, day in enumerate(days) if bundle.minutes & day]
        due.append((len(on), bundle.minutes & -bundle.minutes, on, bundle))
    due.sort(key=lambda each: each[:2])
    shown: list[list[tuple[int, str]]] = [[] for _ in days]
    room = count * len(days)
    for _, _, on, bundle in due:
        if not room:
            break
        for number in on:
            free = count - len(shown[number])
            if free:
                first = bundle.minutes & days[number]
                minute = (first & -first).bit_length() - 1
                added = [(minute, job.job_id) for job in bundle.jobs[:free]]
                shown[number] += added
                room -= len(added)
    return [sorted(each) for each in shown]


def busy(bundles: Iterable[Bundle]) -> int:
    """Return the minutes in which any of these are due."""
    minutes = 0
    for bundle in bundles:
        minutes |= bundle.minutes
    return minutes


class Entry(NamedTuple):
    """A job that is due in some minutes: its first tick there, how many, and the first few of them."""

    job_id: str
    minute: int
    ticks: int
    first: list[datetime]


def entries(bundles: Iterable[Bundle], minutes: int, window: Window, start: int, count: int) -> list[Entry]:
    """Return ``count`` of the jobs that are due in these minutes, from number ``start``, by first tick and id."""
    due: dict[int, list[Bundle]] = {}
    for bundle in bundles:
        if found := bundle.minutes & minutes:
            due.setdefault((found & -found).bit_length() - 1, []).append(bundle)
    shown: list[Entry] = []
    for minute in sorted(due):
        size = sum(len(bundle.jobs) for bundle in due[minute])
        if start >= size:
            start -= size
            continue
        jobs = [(_place(job, 1 << minute), job.job_id, job, bundle) for bundle in due[minute] for job in bundle.jobs]
        jobs.sort(key=lambda each: each[:2])
        for _at, _id, job, bundle in jobs[start : start + count - len(shown)]:
            ticks = moments(job.groups, minutes, window, MOMENTS)
            shown.append(Entry(job.job_id, minute, bundle.ticks(minutes), ticks))
        start = 0
        if len(shown) >= count:
            break
    return shown


def _place(job: Job, minute: int) -> int:
    return min(min(places) for places, minutes in job.groups if minutes & minute)


#: So many of the ticks of an entry are named; the others are counted.
MOMENTS = 4


def moments(groups: Groups, minutes: int, window: Window, count: int) -> list[datetime]:
    """Return the first ticks in these minutes, in UTC."""
    found: list[tuple[int, int]] = []
    for places, due in groups:
        left = due & minutes
        for _ in range(count):
            if not left:
                break
            lowest = left & -left
            found += [(lowest.bit_length() - 1, place) for place in islice(places, count)]
            left ^= lowest
    return [window.start + minute * MINUTE + place * _MICROSECOND for minute, place in sorted(found)[:count]]


def due_in(window: Window, jobs: Any, *, now: datetime | None = None) -> Calendar:
    """Return what of ``jobs``, a queryset of ``JobSpec``, is due in a window; in one query however many there are.

    Ticks from before a trigger was set are none. The work grows with the number of jobs and of days, not of ticks.
    """
    now = now or utc_now()
    # Groups are compared by identity: those of a bundle live as long as it does, and equal ones are made once.
    bundles: dict[tuple[tuple[int, int], ...], Bundle] = {}
    held: list[Held] = []
    unreadable: list[str] = []
    patterns = _patterns(window)
    end = window.start + window.minutes * MINUTE
    blackouts = ScheduleExceptions.now(window.start).between(window.start, end).causes
    for row in _rows(window, jobs, now, has_blackouts=bool(blackouts)):
        try:
            groups = _pattern(row, window, patterns)
        except Exception:
            # A row that no check would let pass must not fail the page.
            logger.info("The schedule of job %s cannot be read", row.job_id, exc_info=True)
            unreadable.append(row.job_id)
            continue
        groups = _apart(row, groups, window, now, held, blackouts)
        if not groups:
            continue
        key = tuple([(len(places), id(minutes)) for places, minutes in groups])
        bundle = bundles.get(key)
        if bundle is None:
            minutes = 0
            for group in groups:
                minutes |= group.minutes
            bundle = bundles[key] = Bundle(groups, minutes)
        bundle.jobs.append(Job(row.job_id, groups))
    return Calendar(window, list(bundles.values()), held, unreadable)


def _rows(window: Window, jobs: Any, now: datetime, *, has_blackouts: bool) -> Iterator[Row]:
    """Yield what decides when jobs are due. Moments that cannot matter are left out: reading them takes its time."""
    jobs = jobs.order_by()
    if window.start > now:
        jobs = jobs.exclude(state=JobState.FINISHED)
    matters = ~Q(trigger_type__in=_WITHOUT_ANCHOR) | Q(anchor__gte=window.start)
    later = Q(job__next_run_time__gt=max(now, window.start))
    columns = (
        "job_id",
        # As text, since many jobs have the same trigger, which is then read once.
        Cast("trigger", TextField()),
        "trigger_type",
        "state",
        Case(When(matters, then="anchor"), output_field=DateTimeField()),
        Case(When(later, then="job__next_run_time"), output_field=DateTimeField()),
        "skip_tick",
        "tags" if has_blackouts else Value(None, output_field=TextField()),
    )
    held = Q(state__in=(JobState.PAUSED, JobState.BROKEN))
    yield from (Row(*found) for found in jobs.exclude(held).values_list(*columns))
    moments = ("held_from", "paused_at", "paused_until")
    yield from (Row(*found) for found in jobs.filter(held).values_list(*columns, *moments))


def _pattern(row: Row, window: Window, patterns: dict[Any, Groups]) -> Groups:
    """Return a job's ticks by its schedule alone."""
    anchor = _ANY_ANCHOR if row.trigger_type in _WITHOUT_ANCHOR else row.anchor
    assert anchor is not None
    key = row.trigger, anchor
    known = patterns.get(key)
    if known is None:
        known = patterns[key] = minutes_of(triggers.schedule_of_text(row.trigger, anchor=anchor), window)
    return known


def _patterns(window: Window) -> dict[Any, Groups]:
    """Return what is known of schedules in a window. It follows from them alone, so no change of a job makes it wrong.

    Whoever looks at a day looks at its hours and comes back; a month's bitmaps would be too large to keep.
    """
    if window.minutes > _KEPT_MINUTES:
        return {}
    patterns = _kept(window, settings.TIME_ZONE)
    if len(patterns) > _KEPT_PATTERNS:
        patterns.clear()
    return patterns


@lru_cache(maxsize=4)
def _kept(window: Window, zone: str) -> dict[Any, Groups]:
    return {}


def _apart(
    row: Row,
    groups: Groups,
    window: Window,
    now: datetime,
    held: list[Held],
    blackouts: Sequence[tuple[Cause, BlackoutWindow]],
) -> Groups:
    """Return the ticks that are due; the others are noted in ``held``."""
    if row.anchor is not None and row.anchor >= window.start:
        groups = ticks_from(groups, window, row.anchor + _MICROSECOND)
    if row.next_run_time is not None and row.state == JobState.SCHEDULED:
        extra = single(row.next_run_time, window)
        if extra and not any(minutes & extra[0].minutes for _, minutes in groups):
            groups += extra
    for cause, since, until in gaps_of(row, groups, window, now, blackouts):
        before = ticks_before(groups, window, since) if since is not None else ()
        inside = ticks_from(groups, window, since) if since is not None else groups
        after = ticks_from(inside, window, until) if until is not None else ()
        inside = ticks_before(inside, window, until) if until is not None else inside
        ticks = sum(len(places) * minutes.bit_count() for places, minutes in inside)
        if ticks:
            groups = before + after
            if cause != JobState.FINISHED:
                held.append(Held(row.job_id, cause, ticks))
    return groups


class DueJobs(Sequence[Entry]):
    """All jobs that are due in a calendar's window, by their first tick; a slice works out its own entries only."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def __len__(self) -> int:
        return sum(len(bundle.jobs) for bundle in self._calendar.bundles)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        calendar = self._calendar
        if isinstance(index, int):
            return self[index : index + 1][0]
        start, stop, _step = index.indices(len(self))
        return entries(calendar.bundles, calendar.window.full, calendar.window, start, max(0, stop - start))


def due_jobs(since: datetime, until: datetime, jobs: Any) -> DueJobs:
    """Return the jobs that are due from the minute of ``since`` to the minute before ``until``; both are aware."""
    start = since.astimezone(UTC).replace(second=0, microsecond=0)
    length = -((start - until.astimezone(UTC)) // MINUTE)
    return DueJobs(due_in(Window(start, max(0, length)), jobs))
