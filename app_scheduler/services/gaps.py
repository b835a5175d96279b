"""What holds ticks of a job back in a window: the ticks in a gap are not due and are kept apart with the reason.

``gaps_of`` is the one place for it. Nearly every job has no gap but those of blackouts, which it shares with others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.text import capfirst
from django.utils.translation import gettext

from app_scheduler.engine.blackouts import words_of
from app_scheduler.engine.windows import exceptions_of
from app_scheduler.models import JobState
from app_scheduler.services.due_rows import Row
from app_scheduler.services.excepted import ScheduleExceptions, cause_in_words
from app_scheduler.triggers.minutes import MINUTE, Groups, Window, single, ticks_before, ticks_from
from app_scheduler.triggers.schedules import MICROSECOND

#: The cause of a gap that is no state of the job: its next run was set to a later moment than its schedule says.
MOVED = "moved"


class Gap(NamedTuple):
    """A time in which a job's ticks are not due: since <= tick < until; None is without end. ``cause`` says why."""

    cause: str
    since: datetime | None
    until: datetime | None = None


class Cut(NamedTuple):
    """The ticks that are left without those in gaps, and how many those were, by cause."""

    groups: Groups
    held: tuple[tuple[str, int], ...]


class Blackouts:
    """The blackouts of a window as gaps, read in one query."""

    def __init__(self, window: Window) -> None:
        self._causes = ScheduleExceptions.now(window.start).between(window.start, window.end).causes
        self._gaps = {
            id(cause): Gap(capfirst(cause_in_words(cause)), cause.since, cause.until) for cause, _window in self._causes
        }
        self._by_tags: dict[str | None, tuple[Gap, ...]] = {}
        self._same: dict[tuple[Gap, ...], tuple[Gap, ...]] = {}
        #: Ticks of one minute are then always in the same gaps.
        self.are_whole_minutes = all(
            (moment - window.start) % MINUTE == 0 * MINUTE
            for cause, _window in self._causes
            for moment in (cause.since, cause.until)
        )

    def __bool__(self) -> bool:
        return bool(self._causes)

    def of(self, tags: str | None) -> tuple[Gap, ...]:
        """Return the gaps of a job by its tags as they are stored: of equal gaps the very same tuple."""
        known = self._by_tags.get(tags)
        if known is None:
            causes = exceptions_of(self._causes, words_of(json.loads(tags or "[]"))).causes
            gaps = tuple(self._gaps[id(cause)] for cause in causes)
            known = self._by_tags[tags] = self._same.setdefault(gaps, gaps)
        return known


def gaps_of(row: Row, groups: Groups, window: Window, now: datetime, blackouts: Sequence[Gap]) -> Iterator[Gap]:
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
            yield Gap(gettext("Skipped"), row.skip_tick, row.skip_tick + MICROSECOND)
        yield from blackouts


def minutes_to_come(window: Window, now: datetime) -> int:
    """Return the number of the window's first whole minute that is still to come."""
    return max(0, (now - window.start) // MINUTE + 1)


def _waits(following: datetime, groups: Groups, window: Window, now: datetime) -> bool:
    """Say whether a schedule has ticks in the whole minutes before the job's next run; so it is where it was moved."""
    first = minutes_to_come(window, now)
    end = min(window.minutes, (following - window.start) // MINUTE)
    if end <= first:
        return False
    between = (1 << end) - (1 << first)
    return any(minutes & between for _, minutes in groups)


def due_of(row: Row, groups: Groups, window: Window, now: datetime, blackouts: Sequence[Gap]) -> Cut:
    """Return which of its schedule's ticks are due for one job, whatever its state."""
    if row.anchor is not None and row.anchor >= window.start:
        groups = ticks_from(groups, window, row.anchor + MICROSECOND)
    if row.next_run_time is not None and row.state == JobState.SCHEDULED:
        extra = single(row.next_run_time, window)
        if extra and not any(minutes & extra[0].minutes for _, minutes in groups):
            groups += extra
    return without(groups, window, gaps_of(row, groups, window, now, blackouts))


def without(groups: Groups, window: Window, gaps: Iterator[Gap] | Sequence[Gap]) -> Cut:
    """Take the ticks in gaps out. A tick in several is counted for the first of them."""
    held = []
    for cause, since, until in gaps:
        before = ticks_before(groups, window, since) if since is not None else ()
        inside = ticks_from(groups, window, since) if since is not None else groups
        after = ticks_from(inside, window, until) if until is not None else ()
        inside = ticks_before(inside, window, until) if until is not None else inside
        ticks = sum(len(places) * minutes.bit_count() for places, minutes in inside)
        if ticks:
            groups = before + after
            if cause != JobState.FINISHED:
                held.append((cause, ticks))
    return Cut(groups, tuple(held))
