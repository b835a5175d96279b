"""When a document is due: pure, stateless evaluation that engine, preview, words and forms all share.

Moments go in and come out aware. A *tick* is one moment at which the schedule is due. Ticks strictly increase, and no
tick depends on when it was asked for, so any process gives the same answer after any outage.
"""

from __future__ import annotations

import heapq
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from . import cronfields, crontab
from .counting import count_ticks
from .cronfields import Cron
from .documents import CALENDAR_UNITS, Document, canonical, end_of, interval_of, moment_of, start_of
from .values import default_zone_name, zone_of
from .walls import SECOND, day_is_missing, instant_of, is_repeated, offset_of, shift_at

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
#: How far ticks are counted that only a walk can count.
COUNT_LIMIT = 10_000


class Schedule(Protocol):
    """The evaluation of one document. ``jitter`` (seconds) delays a run, never the schedule: no tick includes it."""

    timezone: ZoneInfo
    jitter: int
    counts_exactly: bool

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first tick strictly after the moment, in the schedule's zone, or None when there is none."""

    def ticks(self, after: datetime) -> Iterator[datetime]:
        """Yield the ticks after the moment, one after the other, in the schedule's zone."""

    def count_between(self, after: datetime, until: datetime, limit: int = COUNT_LIMIT) -> int:
        """Count the ticks t with after < t <= until; without ``counts_exactly``, ``limit`` when there are more."""

    def last_before(self, moment: datetime, after: datetime) -> datetime | None:
        """Return the latest tick t with after < t <= moment, or None."""


class _Base(ABC):
    counts_exactly = False

    def __init__(self, timezone: ZoneInfo, jitter: int = 0) -> None:
        self.timezone = timezone
        self.jitter = jitter

    @abstractmethod
    def _next(self, moment: datetime) -> datetime | None:
        """Return the first tick after a moment, both in UTC."""

    def next_after(self, moment: datetime) -> datetime | None:
        _require_aware(moment)
        try:
            tick = self._next(moment.astimezone(UTC))
            return tick.astimezone(self.timezone) if tick is not None else None
        except (OverflowError, ValueError):
            # Only the ends of the calendar, years 1 and 9999, lead here: nothing is due beyond them.
            return None

    def ticks(self, after: datetime) -> Iterator[datetime]:
        tick = self.next_after(after)
        while tick is not None:
            yield tick
            tick = self.next_after(tick)

    def count_between(self, after: datetime, until: datetime, limit: int = COUNT_LIMIT) -> int:
        count = 0
        for tick in self.ticks(after):
            if count >= limit or not _at_most(tick, until):
                break
            count += 1
        return count

    def last_before(self, moment: datetime, after: datetime) -> datetime | None:
        """Search by halving the time between a known tick and the moment, so an outage of years takes no walk."""
        low = self.next_after(after)
        if low is None or not _at_most(low, moment):
            return None
        last, low, high = low, low.astimezone(UTC), moment.astimezone(UTC)
        # Widen backwards from the end first: mostly the answer is near.
        step = timedelta(minutes=1)
        while high - step > low:
            tick = self.next_after(high - step)
            if tick is not None and _at_most(tick, moment):
                last, low = tick, tick.astimezone(UTC)
                break
            high -= step
            step *= 4
        while True:
            tick = self.next_after(last)
            if tick is None or not _at_most(tick, moment):
                return last
            last, low = tick, tick.astimezone(UTC)
            while high - low > MICROSECOND:
                middle = low + (high - low) / 2
                tick = self.next_after(middle)
                if tick is not None and _at_most(tick, moment):
                    last, low = tick, tick.astimezone(UTC)
                else:
                    high = middle
                    break


def _at_most(tick: datetime, moment: datetime) -> bool:
    # Two aware times of the same zone compare by their walls, which is wrong in a repeated hour.
    return tick.astimezone(UTC) <= moment.astimezone(UTC)


def _require_aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError("A moment needs a time zone.")


class IntervalSchedule(_Base):
    """first + k × step for k ≥ 0, in real time, up to and including ``end``."""

    counts_exactly = True

    def __init__(self, timezone: ZoneInfo, jitter: int, first: datetime, step: timedelta, end: datetime | None) -> None:
        super().__init__(timezone, jitter)
        self.first, self.step, self._end = first, step, end

    def _next(self, moment: datetime) -> datetime | None:
        index = self._index_after(moment)
        tick = self.first + index * self.step
        return None if self._end is not None and tick > self._end else tick

    def _index_after(self, moment: datetime) -> int:
        return 0 if moment < self.first else (moment - self.first) // self.step + 1

    def _index_end(self, moment: datetime) -> int:
        """Return the index after the last tick at or before the moment and the end."""
        moment = moment.astimezone(UTC)
        return self._index_after(moment if self._end is None else min(moment, self._end))

    def count_between(self, after: datetime, until: datetime, limit: int = COUNT_LIMIT) -> int:
        return max(0, self._index_end(until) - self._index_after(after.astimezone(UTC)))

    def last_before(self, moment: datetime, after: datetime) -> datetime | None:
        index = self._index_end(moment) - 1
        if index < self._index_after(after.astimezone(UTC)):
            return None
        return (self.first + index * self.step).astimezone(self.timezone)


class DateSchedule(_Base):
    counts_exactly = True

    def __init__(self, timezone: ZoneInfo, instant: datetime) -> None:
        super().__init__(timezone)
        self.instant = instant

    def _next(self, moment: datetime) -> datetime | None:
        return self.instant if self.instant > moment else None


class CronSchedule(_Base):
    """Cron fields and crontab lines, with the wall clock as cron(8) of Debian reads it.

    A *fixed* time (no field of the time of day begins with ``*``) is due once each matching local day: in a gap at the
    gap's end, in a repeated hour the first time. Otherwise the rhythm is that of real time: a wall that does not exist
    is left out, one that repeats is due twice.
    """

    counts_exactly = True

    def __init__(
        self, timezone: ZoneInfo, jitter: int, cron: Cron, start: datetime | None, end: datetime | None
    ) -> None:
        super().__init__(timezone, jitter)
        self.cron, self._start, self._end = cron, start, end

    def _next(self, moment: datetime) -> datetime | None:
        if self._start is not None and moment < self._start:
            moment = self._start - MICROSECOND
        if self._end is not None and moment >= self._end:
            return None
        tick = self._next_fixed(moment) if self.cron.fixed else self._next_rhythm(moment)
        return None if tick is None or (self._end is not None and tick > self._end) else tick

    def count_between(self, after: datetime, until: datetime, limit: int = COUNT_LIMIT) -> int:
        after, until = after.astimezone(UTC), until.astimezone(UTC)
        if self._start is not None:
            after = max(after, self._start - MICROSECOND)
        if self._end is not None:
            until = min(until, self._end)
        try:
            # Ticks are whole seconds: the first after a moment, and up to and with the last.
            low, high = (moment.replace(microsecond=0) + SECOND for moment in (after, until))
            return count_ticks(self.cron, self.timezone, low, high)
        except (OverflowError, ValueError):
            # Only the ends of the calendar, years 1 and 9999, lead here.
            return super().count_between(after, until, limit)

    def first_wall(self, wall: datetime) -> datetime | None:
        """Return the first wall at or after this one (whole seconds) whose day and time match."""
        cron = self.cron
        day = cron.days.first_from(wall.date())
        if day is None:
            return None
        if day == wall.date():
            clock = self._clock_from(wall)
            if clock is not None:
                return datetime.combine(day, clock)
            if day == date.max:
                return None
            day = cron.days.first_from(day + DAY)
            if day is None:
                return None
        return datetime.combine(day, time(cron.hours[0], cron.minutes[0], cron.seconds[0]))

    def _clock_from(self, wall: datetime) -> time | None:
        """Return the first matching time of day from the wall's on, within its day."""
        hours, minutes, seconds = self.cron.hours, self.cron.minutes, self.cron.seconds
        for hour in hours:
            if hour < wall.hour:
                continue
            if hour > wall.hour:
                return time(hour, minutes[0], seconds[0])
            for minute in minutes:
                if minute < wall.minute:
                    continue
                if minute > wall.minute:
                    return time(hour, minute, seconds[0])
                for second in seconds:
                    if second >= wall.second:
                        return time(hour, minute, second)
        return None

    def _next_fixed(self, moment: datetime) -> datetime | None:
        zone = self.timezone
        wall = self.first_wall(_wall_of(moment, zone) + SECOND)
        while wall is not None:
            shift = shift_at(wall, zone)
            if shift is None:
                return (wall - offset_of(wall, zone, 0)).replace(tzinfo=UTC)
            if is_repeated(wall, zone):
                instant = (wall - offset_of(wall, zone, 0)).replace(tzinfo=UTC)
                resume = shift.before
            else:
                instant = shift.instant
                resume = shift.after
                if day_is_missing(wall, shift):
                    wall = self.first_wall(resume)
                    continue
            if instant > moment:
                return instant
            # The moment is past this one's only instant: go on where the wall clock is shown once again.
            wall = self.first_wall(resume)
        return None

    def _next_rhythm(self, moment: datetime) -> datetime | None:
        zone = self.timezone
        here = _wall_of(moment, zone)
        wall = self.first_wall(here + SECOND)
        if is_repeated(here, zone) and not moment.astimezone(zone).fold:
            # In the first pass of a repeated hour: the rest of it comes first, then all of the hour again.
            shift = shift_at(here, zone)
            if shift is not None:
                if wall is not None and wall < shift.before:
                    return (wall - offset_of(wall, zone, 0)).replace(tzinfo=UTC)
                wall = self.first_wall(shift.after)
                if wall is not None and wall < shift.before:
                    return (wall - offset_of(wall, zone, 1)).replace(tzinfo=UTC)
        while wall is not None:
            shift = shift_at(wall, zone)
            if shift is None or is_repeated(wall, zone):
                for fold in (0, 1):
                    instant = (wall - offset_of(wall, zone, fold)).replace(tzinfo=UTC)
                    if instant > moment:
                        return instant
            # Inside a gap: nothing until its end.
            wall = self.first_wall(max(wall + SECOND, shift.after) if shift is not None else wall + SECOND)
        return None


def _wall_of(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)


class CalendarSchedule(_Base):
    """Every so many years, months, weeks and days from a date, at one time of day.

    As APScheduler documents it: years and months are added keeping the day of the month, over and over until that day
    exists, then weeks and days. The time of day follows cron(8), see CronSchedule.
    """

    def __init__(
        self,
        timezone: ZoneInfo,
        jitter: int,
        start: date,
        end: date | None,
        months: int,
        days: int,
        clock: time,
    ) -> None:
        super().__init__(timezone, jitter)
        self.start, self._end, self._months, self._days, self.clock = start, end, months, days, clock

    def dates_from(self, floor: date) -> Iterator[date]:
        """Yield the dates of the sequence at or after ``floor``; a few earlier ones may come first."""
        if not self._months:
            day = self.start + max(0, (floor - self.start).days // self._days) * timedelta(days=self._days)
            while True:
                yield day
                day += timedelta(days=self._days)
        elif not self._days:
            yield from self._same_day(floor)
        else:
            yield from self._drifting(floor)

    def _same_day(self, floor: date) -> Iterator[date]:
        first = self.start.year * 12 + self.start.month - 1
        passed = (floor.year * 12 + floor.month - 1 - first) // self._months
        number = first + max(0, passed) * self._months
        while number // 12 <= date.max.year:
            try:
                day = date(number // 12, number % 12 + 1, self.start.day)
            except ValueError:
                pass  # This month has no such day.
            else:
                yield day
            number += self._months

    def _drifting(self, floor: date) -> Iterator[date]:
        # With days added after the months the day of the month wanders, so only a walk from the start knows it.
        day = _drifted_to(self.start, self._months, self._days, max(self.start.year, floor.year) // 100)
        while day is not None:
            yield day
            day = _drifted(day, self._months, self._days)

    def _next(self, moment: datetime) -> datetime | None:
        return next(self._instants(moment), None)

    def ticks(self, after: datetime) -> Iterator[datetime]:
        # One walk for all of them.
        _require_aware(after)
        with suppress(OverflowError, ValueError):
            for instant in self._instants(after.astimezone(UTC)):
                yield instant.astimezone(self.timezone)

    def _instants(self, moment: datetime) -> Iterator[datetime]:
        """Yield the ticks after a moment, all in UTC."""
        local = moment.astimezone(self.timezone).date()
        # One day of slack: the end of a gap may lie on the day after.
        floor = local - DAY if local > date.min else local
        for day in self.dates_from(floor):
            if day < floor:
                continue
            if self._end is not None and day > self._end:
                return
            wall = datetime.combine(day, self.clock)
            shift = shift_at(wall, self.timezone)
            if shift is not None and shift.before <= wall < shift.after and day_is_missing(wall, shift):
                continue
            instant = instant_of(wall, self.timezone)
            if instant > moment:
                yield instant


def _drifted(day: date, months: int, days: int) -> date | None:
    """Return the date that follows a date of a sequence of months and days, or None at the end of the calendar."""
    number = day.year * 12 + day.month - 1
    while True:
        number += months
        if number // 12 > date.max.year:
            return None
        try:
            moved = date(number // 12, number % 12 + 1, day.day)
        except ValueError:
            continue  # This month has no such day.
        return moved + timedelta(days=days) if date.max - moved >= timedelta(days=days) else None


@lru_cache(maxsize=4096)
def _drifted_to(start: date, months: int, days: int, century: int) -> date | None:
    """Return the sequence's last date before a century, or its start: no walk is longer than a century's."""
    if century <= start.year // 100:
        return start
    day = following = _drifted_to(start, months, days, century - 1)
    while following is not None and following.year // 100 < century:
        day, following = following, _drifted(following, months, days)
    return day


class AnySchedule(_Base):
    """The union of several schedules; a tick that several share counts once."""

    def __init__(self, children: tuple[_Base, ...]) -> None:
        super().__init__(children[0].timezone, max(child.jitter for child in children))
        self.children = children

    def _next(self, moment: datetime) -> datetime | None:
        ticks = [tick.astimezone(UTC) for child in self.children if (tick := child.next_after(moment)) is not None]
        return min(ticks, default=None)

    def ticks(self, after: datetime) -> Iterator[datetime]:
        # Each child goes on from its own tick, so that a sparse one is not searched again at every tick of a dense one.
        last: datetime | None = None
        streams = ((tick.astimezone(UTC) for tick in child.ticks(after)) for child in self.children)
        for tick in heapq.merge(*streams):
            if tick != last:
                last = tick
                yield tick.astimezone(self.timezone)

    def last_before(self, moment: datetime, after: datetime) -> datetime | None:
        ticks = [t.astimezone(UTC) for child in self.children if (t := child.last_before(moment, after)) is not None]
        return max(ticks).astimezone(self.timezone) if ticks else None


def schedule_for(document: Mapping[str, Any], *, anchor: datetime) -> Schedule:
    """Return the evaluation of a document (cached). ``anchor`` is the moment the schedule was set; it must be aware.

    An interval without a start has its ticks at anchor + k × interval, k ≥ 1; with one at start + k × interval, k ≥ 0.
    A calendar document without a start begins on the anchor's local date. Raises InvalidInput for a bad document.
    """
    _require_aware(anchor)
    try:
        key = json.dumps(document, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return _built(canonical(document), anchor.astimezone(UTC))
    return _cached(key, anchor.astimezone(UTC), default_zone_name())


def schedule_of_text(text: str, *, anchor: datetime) -> Schedule:
    """Return the evaluation of a document that is stored as JSON, as ``schedule_for`` does."""
    _require_aware(anchor)
    return _cached(text, anchor.astimezone(UTC), default_zone_name())


@lru_cache(maxsize=16_384)
def _cached(key: str, anchor: datetime, _default_zone: str) -> _Base:
    return _built(canonical(json.loads(key)), anchor)


def _built(document: Document, anchor: datetime) -> _Base:
    kind = document["type"]
    if kind == "any":
        return AnySchedule(tuple(_built(child, anchor) for child in document["triggers"]))
    zone = zone_of(document)
    jitter = document.get("jitter", 0)
    if kind == "date":
        return DateSchedule(zone, moment_of(document["run_date"], document))
    if kind == "interval":
        step = interval_of(document)
        start = start_of(document)
        return IntervalSchedule(zone, jitter, anchor + step if start is None else start, step, end_of(document))
    if kind == "cron":
        return CronSchedule(zone, jitter, cron_of(document), start_of(document), end_of(document))
    return _calendar(document, zone, jitter, anchor)


def cron_of(document: Mapping[str, Any]) -> Cron:
    if "expression" in document:
        return crontab.compiled(document["expression"])
    return cronfields.compiled(cronfields.given_fields(document))


def _calendar(document: Document, zone: ZoneInfo, jitter: int, anchor: datetime) -> CalendarSchedule:
    years, months, weeks, days = (document.get(unit, 0) for unit in CALENDAR_UNITS)
    start, end = document.get("start_date"), document.get("end_date")
    return CalendarSchedule(
        zone,
        jitter,
        date.fromisoformat(start) if start else anchor.astimezone(zone).date(),
        date.fromisoformat(end) if end else None,
        years * 12 + months,
        weeks * 7 + days,
        time(document.get("hour", 0), document.get("minute", 0), document.get("second", 0)),
    )


def upcoming(document: Mapping[str, Any], *, anchor: datetime, after: datetime, count: int) -> list[datetime]:
    """Return the next ``count`` ticks after a moment, fewer when the schedule ends."""
    return list(islice(schedule_for(document, anchor=anchor).ticks(after), count))
