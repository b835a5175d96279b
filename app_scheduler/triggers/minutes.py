"""In which minutes of a window a schedule is due: bits of one number, so that thousands of jobs are added up at once.

Bit *n* of a bitmap stands for minute *n* of the window. A second and a month of ticks cost the same few operations,
and what they count is exact, for ticks are grouped by their place within the minute. The work for a schedule is
bounded by the days of the window and by 60 groups, never by the number of its ticks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import gcd
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .counting import _has_tick_at_end
from .cronfields import Cron
from .days import Days
from .schedules import (
    DAY,
    MICROSECOND,
    AnySchedule,
    CalendarSchedule,
    CronSchedule,
    DateSchedule,
    IntervalSchedule,
    Schedule,
)
from .walls import Shift, day_is_missing, shifts_between

MINUTE = timedelta(minutes=1)
#: Microseconds of a minute, and minutes of a day.
_PLACES, _DAY_MINUTES = 60_000_000, 1440
#: So many places of an any-of are not worth comparing.
_FEW = 8


class Window(NamedTuple):
    """So many minutes from ``start``, a whole minute in UTC. Offsets of zones are whole minutes from 1973 on."""

    start: datetime
    minutes: int

    @property
    def end(self) -> datetime:
        return self.start + self.minutes * MINUTE

    @property
    def full(self) -> int:
        return (1 << self.minutes) - 1


class Group(NamedTuple):
    """Ticks at the same places of several minutes: ``places`` in microseconds within a minute, minutes as bits."""

    places: Sequence[int]
    minutes: int


Groups = tuple[Group, ...]


def minutes_of(schedule: Schedule, window: Window) -> Groups:
    """Return the ticks of a schedule in a window. No tick is in two groups."""
    if isinstance(schedule, IntervalSchedule):
        return _interval(schedule, window)
    if isinstance(schedule, CronSchedule):
        return _cron(schedule, window)
    if isinstance(schedule, CalendarSchedule):
        return _calendar(schedule, window)
    if isinstance(schedule, DateSchedule):
        return single(schedule.instant, window)
    assert isinstance(schedule, AnySchedule), schedule
    return _any(schedule, window)


def single(instant: datetime, window: Window) -> Groups:
    """Return one tick, or nothing where it is outside the window."""
    minute, place = divmod((instant - window.start) // MICROSECOND, _PLACES)
    return (Group((place,), 1 << minute),) if 0 <= minute < window.minutes else ()


def ticks_from(groups: Groups, window: Window, moment: datetime) -> Groups:
    """Return the ticks t with t >= moment."""
    return tuple(_cut(groups, window, moment, later=True))


def ticks_before(groups: Groups, window: Window, moment: datetime) -> Groups:
    """Return the ticks t with t < moment."""
    return tuple(_cut(groups, window, moment, later=False))


def _cut(groups: Groups, window: Window, moment: datetime, *, later: bool) -> Iterator[Group]:
    minute, place = divmod((moment - window.start) // MICROSECOND, _PLACES)
    # Far away moments would make numbers of as many bits.
    minute = max(-1, min(minute, window.minutes))
    below = (1 << max(0, minute)) - 1
    within = 1 << minute if 0 <= minute < window.minutes else 0
    for places, minutes in groups:
        whole = minutes & ~(below | within) if later else minutes & below
        rest = [each for each in places if (each >= place) == later] if minutes & within else []
        if len(rest) == len(places):
            whole |= within
        elif rest:
            yield Group(rest, within)
        if whole:
            yield Group(places, whole)


def _up_to(groups: Groups, window: Window, end: datetime | None) -> Groups:
    """Return the ticks up to and with a schedule's end, which may be the last moment there is."""
    return groups if end is None or end >= window.end else ticks_before(groups, window, end + MICROSECOND)


def later(groups: Groups, by: int) -> Groups:
    """Return the ticks ``by`` microseconds later, which must leave each in its minute."""
    return tuple(Group([place + by for place in places], minutes) for places, minutes in groups) if by else groups


def phase_of(first: datetime, step: timedelta, window: Window) -> tuple[Groups, int]:
    """Return the ticks first + k × step, k ≥ 0, as groups and the microseconds by which each comes later than those.

    Intervals whose ticks come in the same minutes have the very same groups, however far apart their phases are.
    """
    length = step // MICROSECOND
    begin = (first - window.start) // MICROSECOND
    # The first tick in the window: an interval that began earlier goes on in its phase.
    begin = begin % length if begin < 0 else begin
    if begin >= window.minutes * _PLACES:
        return (), 0
    # Minutes and steps are whole multiples of this, so a part of it never moves a tick into another minute.
    rest = begin % gcd(length, _PLACES)
    return _phase(length, begin - rest, window.minutes), rest


@lru_cache(maxsize=4096)
def _phase(step: int, begin: int, length: int) -> Groups:
    common = gcd(step, _PLACES)
    minute, place = divmod(begin, _PLACES)
    if common == step:
        # It divides the minute: the same places in each but the first.
        groups = [Group(range(place, _PLACES, step), 1 << minute)] if place >= step else []
        whole = minute + bool(groups)
        if whole < length:
            groups.append(Group(range(place % step, _PLACES, step), ((1 << length - whole) - 1) << whole))
        return tuple(groups)
    # After a minute's worth of places the pattern starts anew, a whole number of minutes later.
    places: dict[int, list[int]] = {}
    for number in range(_PLACES // common):
        minute, place = divmod(begin + number * step, _PLACES)
        if minute < length:
            places.setdefault(minute, []).append(place)
    return tuple(Group(each, _comb(step // common, minute, length)) for minute, each in places.items())


def _interval(schedule: IntervalSchedule, window: Window) -> Groups:
    return _up_to(later(*phase_of(schedule.first, schedule.step, window)), window, schedule._end)


@lru_cache(maxsize=2048)
def _comb(period: int, first: int, length: int) -> int:
    """Return the bits first, first + period, first + 2 × period and so on below ``length``."""
    teeth = -(-(length - first) // period)
    return int(((1 << teeth * period) - 1) // ((1 << period) - 1)) << first


def _cron(schedule: CronSchedule, window: Window) -> Groups:
    groups = _of_clock(schedule.cron, schedule.timezone, window)
    if schedule._start is not None:
        groups = ticks_from(groups, window, schedule._start)
    groups = _up_to(groups, window, schedule._end)
    return tuple([group for group in groups if group.minutes])


@lru_cache(maxsize=1024)
def _of_clock(cron: Cron, zone: ZoneInfo, window: Window) -> Groups:
    """Return a cron's ticks without its bounds. Many an any-of has the same lines as others."""
    minutes = 0
    for stretch in stretches_of(zone, window):
        days = _due_days(cron.days, stretch.wall.date(), stretch.last.date())
        minutes |= _on_days(days, cron.hours, cron.minutes, stretch)
    groups: Groups = (Group(_places_of(cron.seconds), minutes),)
    return _with_shifts(groups, zone, window, cron) if cron.fixed else groups


@lru_cache(maxsize=512)
def _places_of(seconds: tuple[int, ...]) -> Sequence[int]:
    return tuple([second * 1_000_000 for second in seconds])


@lru_cache(maxsize=1024)
def _due_days(days: Days, first: date, last: date) -> int:
    """Return the matching days from the first to the last as bits."""
    return sum(1 << (day - first).days for day in days.between(first, last + DAY))


def _calendar(schedule: CalendarSchedule, window: Window) -> Groups:
    zone, clock = schedule.timezone, schedule.clock
    stretches = stretches_of(zone, window)
    # A day of slack on each side: the end of a gap may lie on the day after the one that it swallows.
    dates = set(_dates(schedule, stretches[0].wall.date() - DAY, stretches[-1].last.date() + DAY))
    minutes = 0
    for stretch in stretches:
        first, last = stretch.wall.date(), stretch.last.date()
        days = sum(1 << (day - first).days for day in dates if first <= day <= last)
        minutes |= _on_days(days, (clock.hour,), (clock.minute,), stretch)
    groups = _with_shifts((Group(_places_of((clock.second,)), minutes),), zone, window, schedule, dates)
    return tuple(group for group in groups if group.minutes)


def _dates(schedule: CalendarSchedule, first: date, last: date) -> Iterator[date]:
    if schedule._end is not None:
        last = min(last, schedule._end)
    for day in schedule.dates_from(first):
        if day > last:
            return
        if day >= first:
            yield day


def _any(schedule: AnySchedule, window: Window) -> Groups:
    """Return the union: ticks of several children are one where minute and place are the same."""
    merged: dict[int, int] = {}
    for child in schedule.children:
        for places, minutes in minutes_of(child, window):
            for place in places:
                merged[place] = merged.get(place, 0) | minutes
    if len(merged) <= _FEW:
        return tuple(Group((place,), minutes) for place, minutes in merged.items())
    alike: dict[int, list[int]] = {}
    for place, minutes in merged.items():
        alike.setdefault(minutes, []).append(place)
    return tuple(Group(places, minutes) for minutes, places in alike.items())


# --- walls ----------------------------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """A part of a window in which the zone's offset stays: its first minute, its length, its first and last wall."""

    first: int
    minutes: int
    wall: datetime
    last: datetime


@lru_cache(maxsize=512)
def stretches_of(zone: ZoneInfo, window: Window) -> tuple[Stretch, ...]:
    begins = [window.start, *(shift.instant for shift in _shifts(zone, window) if shift.instant > window.start)]
    ends = [*begins[1:], window.end]
    found = []
    for low, high in zip(begins, ends, strict=True):
        wall = low.astimezone(zone).replace(tzinfo=None)
        last = wall + (high - low - MINUTE)
        found.append(Stretch((low - window.start) // MINUTE, (high - low) // MINUTE, wall, last))
    return tuple(found)


@lru_cache(maxsize=512)
def _shifts(zone: ZoneInfo, window: Window) -> list[Shift]:
    # One shortly before the window tells whether the window begins in a repeated hour.
    return shifts_between(zone, window.start - 2 * DAY, window.end)


@lru_cache(maxsize=1024)
def _midnights(days: int) -> int:
    """Return the first minute of each of some days, which are bits, as bits."""
    return sum(1 << _DAY_MINUTES * day for day in range(days.bit_length()) if days >> day & 1)


def _on_days(days: int, hours: Iterable[int], minutes: Iterable[int], stretch: Stretch) -> int:
    """Return those times of the clock on those days, bits from the stretch's first, that lie within the stretch."""
    midnights, begins, walls = _midnights(days), 0, 0
    for hour in hours:
        begins |= midnights << 60 * hour
    for minute in minutes:
        walls |= begins << minute
    walls >>= stretch.wall.hour * 60 + stretch.wall.minute
    if walls.bit_length() > stretch.minutes:
        walls &= (1 << stretch.minutes) - 1
    return walls << stretch.first


def _with_shifts(
    groups: Groups, zone: ZoneInfo, window: Window, due: Cron | CalendarSchedule, dates: Iterable[date] = ()
) -> Groups:
    """Return a fixed time's ticks as cron(8) has them: once where it is repeated, at the gap's end where skipped."""
    for shift in _shifts(zone, window):
        at = (shift.instant - window.start) // MINUTE
        repeated = (shift.before - shift.after) // MINUTE
        if repeated > 0:
            again = ((1 << max(0, at + repeated)) - 1) & ~((1 << max(0, at)) - 1)
            groups = tuple(Group(places, minutes & ~again) for places, minutes in groups)
        elif isinstance(due, Cron):
            if _has_tick_at_end(due, shift):
                groups += single(shift.instant, window)
        elif any(_is_swallowed(datetime.combine(day, due.clock), shift) for day in dates):
            groups += single(shift.instant, window)
    return groups


def _is_swallowed(wall: datetime, shift: Shift) -> bool:
    return shift.before <= wall < shift.after and not day_is_missing(wall, shift)
