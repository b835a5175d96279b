"""What is due in a period: computed from the triggers, nothing stored, by arithmetic and never by a walk over ticks.

A job is due where its schedule says so and nothing holds it back: see ``gaps`` for what does, ``patterns`` for what a
schedule says. Jobs whose ticks come in the same minutes are one bundle.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, overload

from app_scheduler.engine.queue import utc_now
from app_scheduler.models import JobState
from app_scheduler.services.due_rows import Row, rows_of
from app_scheduler.services.gaps import Blackouts, Cut, due_of, minutes_to_come, without
from app_scheduler.services.load import Tally, count_jobs
from app_scheduler.services.patterns import patterns_of
from app_scheduler.triggers.minutes import MINUTE, Groups, Window, later
from app_scheduler.triggers.schedules import MICROSECOND

logger = logging.getLogger(__name__)

#: Beyond these years nobody plans; within them every offset of a zone is whole minutes.
FIRST_YEAR, LAST_YEAR = 2000, 2199
#: A job that is due in as many hours of a day is due all day long: each hour of a day of 23, and all night but a few.
FREQUENT = 20
_HOUR = (1 << 60) - 1
_SCHEDULED = JobState.SCHEDULED.value


class Job(NamedTuple):
    """One job of a period, and its ticks there."""

    job_id: str
    groups: Groups
    #: By so many microseconds its ticks come later than the groups say, within the same minutes.
    later_by: int = 0


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
    _days: Sequence[int] = ()
    _on: tuple[int, ...] = ()

    def on(self, days: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of the days, which are minutes, on which the jobs are due; worked out once."""
        if days is not self._days:
            minutes = self.minutes
            self._days, self._on = days, tuple([number for number, day in enumerate(days) if minutes & day])
        return self._on

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
        return self._cells(masks, count_jobs([(bundle.minutes, len(bundle.jobs)) for bundle in self.bundles], masks))

    def loads(self, days: Sequence[int]) -> list[Cell]:
        """Return the load of each of the days by which ``apart`` and ``rarest`` go too."""
        jobs = [0] * len(days)
        for bundle in self.bundles:
            for number in bundle.on(days):
                jobs[number] += len(bundle.jobs)
        return self._cells(days, jobs)

    def _cells(self, masks: Sequence[int], jobs: Sequence[int]) -> list[Cell]:
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
    first = days[bundle.on(days)[0]]
    left = (bundle.minutes & first) >> ((first & -first).bit_length() - 1)
    hours = 0
    while left:
        hours += bool(left & _HOUR)
        left >>= 60
    return hours >= FREQUENT


def rarest(bundles: Iterable[Bundle], days: Sequence[int], count: int) -> list[list[tuple[int, str]]]:
    """Return for each day up to ``count`` jobs, as (first minute, id) in their order: those due on the fewest days."""
    due: list[tuple[int, int, Sequence[int], Bundle]] = []
    for bundle in bundles:
        due.append((len(bundle.on(days)), bundle.minutes & -bundle.minutes, bundle.on(days), bundle))
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


def spread(bundles: Iterable[Bundle], cells: Sequence[int], window: Window) -> list[list[Bundle]]:
    """Return for each cell, a bitmap of minutes that no other has, the bundles that are due in it."""
    numbers = [0] * window.minutes
    for number, cell in enumerate(cells):
        while cell:
            lowest = cell & -cell
            numbers[lowest.bit_length() - 1] = number
            cell ^= lowest
    found: list[list[Bundle]] = [[] for _ in cells]
    for bundle in bundles:
        left = bundle.minutes
        while left:
            number = numbers[(left & -left).bit_length() - 1]
            found[number].append(bundle)
            left &= ~cells[number]
    return found


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
        jobs = [each for bundle in due[minute] for each in _placed(bundle, 1 << minute)]
        jobs.sort(key=lambda each: each[:2])
        for _at, _id, job, bundle in jobs[start : start + count - len(shown)]:
            ticks = moments(later(job.groups, job.later_by), minutes, window, MOMENTS)
            shown.append(Entry(job.job_id, minute, bundle.ticks(minutes), ticks))
        start = 0
        if len(shown) >= count:
            break
    return shown


def _placed(bundle: Bundle, minute: int) -> Iterator[tuple[int, str, Job, Bundle]]:
    """Yield the jobs of a bundle, each with the place of its first tick in a minute."""
    places: dict[int, int] = {}
    for job in bundle.jobs:
        place = places.get(id(job.groups))
        if place is None:
            place = min(min(places) for places, minutes in job.groups if minutes & minute)
            places[id(job.groups)] = place
        yield place + job.later_by, job.job_id, job, bundle


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
    return [window.start + minute * MINUTE + place * MICROSECOND for minute, place in sorted(found)[:count]]


class _Bundles:
    """The bundles of a window, found by equal minutes, and by identity where the groups are the very same."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._by_value: dict[tuple[int, ...], Bundle] = {}
        self._by_identity: dict[int, Bundle] = {}
        # An identity must not be given to something else meanwhile.
        self._seen: list[Groups] = []

    def of(self, groups: Groups) -> Bundle:
        found = self._by_identity.get(id(groups))
        if found is not None:
            return found
        minutes = 0
        key: tuple[int, ...] = ()
        for places, each in groups:
            minutes |= each
            key += (len(places), each)
        bundle = self._by_value.get(key)
        if bundle is None:
            bundle = self._by_value[key] = Bundle(groups, minutes)
        self._by_identity[id(groups)] = bundle
        self._seen.append(groups)
        return bundle

    def filled(self) -> list[Bundle]:
        return [bundle for bundle in self._by_value.values() if bundle.jobs]


class _Now:
    """Tells whether a job's next run is the one that its schedule says, without a look at more than its minute."""

    def __init__(self, window: Window, now: datetime) -> None:
        self._window, self._first = window, minutes_to_come(window, now)
        self._following: dict[int, int] = {}

    def leads(self, bundle: Bundle, next_run_time: datetime) -> bool:
        """Say whether the bundle has a tick in the next run's minute, and none in a whole minute to come before it."""
        minute = (next_run_time - self._window.start) // MINUTE
        if minute < self._first:
            return bool(bundle.minutes >> minute & 1)
        following = self._following.get(id(bundle))
        if following is None:
            left = bundle.minutes >> self._first
            following = self._first + (left & -left).bit_length() - 1 if left else self._window.minutes
            self._following[id(bundle)] = following
        return min(minute, self._window.minutes) == following


def due_in(window: Window, jobs: Any, *, now: datetime | None = None) -> Calendar:
    """Return what of ``jobs``, a queryset of ``JobSpec``, is due in a window; in three queries however many there are.

    Ticks from before a trigger was set are none. The work grows with the number of jobs and of days, not of ticks.
    """
    now = now or utc_now()
    start, patterns, blackouts = window.start, patterns_of(window), Blackouts(window)
    bundles, at_now = _Bundles(window), _Now(window, now)
    held: list[Held] = []
    unreadable: list[str] = []
    cuts: dict[tuple[int, int], Cut] = {}
    for fields in rows_of(window, jobs, now, has_blackouts=bool(blackouts)):
        job_id, trigger, state, anchor, following, skip_tick, tags = fields[:7]
        try:
            groups, later_by = patterns.of(trigger, anchor)
        except Exception:
            # A row that no check would let pass must not fail the page.
            logger.info("The schedule of job %s cannot be read", job_id, exc_info=True)
            unreadable.append(job_id)
            continue
        bundle = bundles.of(groups)
        gaps = blackouts.of(tags) if blackouts else ()
        is_plain = state == _SCHEDULED and skip_tick is None and (anchor is None or anchor < start)
        if not is_plain or (following is not None and not at_now.leads(bundle, following)):
            cut = due_of(Row(*fields), later(groups, later_by), window, now, gaps)
            later_by = 0
        elif not gaps:
            if groups:
                bundle.jobs.append(Job(job_id, groups, later_by))
            continue
        elif later_by and not blackouts.are_whole_minutes:
            cut = without(later(groups, later_by), window, gaps)
            later_by = 0
        else:
            # Most jobs share both. The bundles keep the groups, and the blackouts their gaps, so identities stay.
            key = id(groups), id(gaps)
            if key not in cuts:
                cuts[key] = without(groups, window, gaps)
            cut = cuts[key]
        held += [Held(job_id, cause, ticks) for cause, ticks in cut.held]
        if cut.groups:
            bundles.of(cut.groups).jobs.append(Job(job_id, cut.groups, later_by))
    return Calendar(window, bundles.filled(), held, unreadable)


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
