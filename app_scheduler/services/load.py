"""How much is due when: days and hours of a time zone, and sums over the minutes of thousands of jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app_scheduler.triggers.minutes import MINUTE, Window, stretches_of
from app_scheduler.triggers.walls import Shift, instant_of, shifts_between

DAY = timedelta(days=1)


class Hour(NamedTuple):
    """One hour of the clock on one day: its minutes as bits. None where the clock skips it, 120 where it repeats it."""

    day: date
    hour: int
    minutes: int

    @property
    def length(self) -> int:
        return self.minutes.bit_count()


class Day(NamedTuple):
    """One day of a zone: its 24 hours of the clock, its minutes as bits, and the changes of the clock on it."""

    date: date
    hours: tuple[Hour, ...]
    minutes: int
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """Some days in a row in a time zone."""

    zone: ZoneInfo
    window: Window
    days: tuple[Day, ...]

    @property
    def hours(self) -> list[Hour]:
        return [hour for day in self.days for hour in day.hours]

    def at(self, minute: int) -> datetime:
        """Return the moment at which a minute of the window begins, in the zone."""
        return (self.window.start + minute * MINUTE).astimezone(self.zone)


def period_of(zone: ZoneInfo, first: date, days: int) -> Period:
    """Return ``days`` days from ``first`` on. A day that a zone has left out is one without minutes."""
    start = instant_of(datetime.combine(first, time()), zone)
    end = instant_of(datetime.combine(first + days * DAY, time()), zone)
    window = Window(start, (end - start) // MINUTE)
    hours: dict[tuple[date, int], int] = {}
    for position, length, wall in _hours_in(zone, window):
        key = wall.date(), wall.hour
        hours[key] = hours.get(key, 0) | ((1 << length) - 1) << position
    shifts = [(shift, _day_of(shift, zone)) for shift in shifts_between(zone, start, end)]
    found = []
    for day in (first + number * DAY for number in range(days)):
        clock = tuple(Hour(day, hour, hours.get((day, hour), 0)) for hour in range(24))
        changes = tuple(shift for shift, on in shifts if on == day)
        found.append(Day(day, clock, sum(hour.minutes for hour in clock), changes))
    return Period(zone, window, tuple(found))


def _day_of(shift: Shift, zone: ZoneInfo) -> date:
    # At midnight a clock is put forward on the day that begins, and back on the one that goes on.
    return shift.instant.astimezone(zone).date()


def _hours_in(zone: ZoneInfo, window: Window) -> Iterator[tuple[int, int, datetime]]:
    """Yield the pieces of hours that the clock shows in a row: first minute, length, and the wall at its begin."""
    if not window.minutes:
        return
    for stretch in stretches_of(zone, window):
        position, wall = stretch.first, stretch.wall
        while position < stretch.first + stretch.minutes:
            length = min(60 - wall.minute, stretch.first + stretch.minutes - position)
            yield position, length, wall
            position, wall = position + length, wall + length * MINUTE


class Tally:
    """A sum for each minute, as columns of bits: plane *n* has bit *n* of all sums. Adding costs a few operations."""

    def __init__(self) -> None:
        self._planes: list[int] = []

    def add(self, minutes: int, times: int = 1) -> None:
        """Add ``times`` to the sum of each of these minutes."""
        planes = self._planes
        start = 0
        while times:
            if times & 1:
                carry, level = minutes, start
                while carry:
                    while level >= len(planes):
                        planes.append(0)
                    planes[level], carry = planes[level] ^ carry, planes[level] & carry
                    level += 1
            times >>= 1
            start += 1

    def sum(self, minutes: int) -> int:
        """Return the sum over these minutes."""
        return sum((plane & minutes).bit_count() << level for level, plane in enumerate(self._planes))

    def highest(self, minutes: int) -> tuple[int, int]:
        """Return the greatest sum of any of these minutes, and those that have it; (0, 0) where all are 0."""
        greatest, left = 0, minutes
        for level in range(len(self._planes) - 1, -1, -1):
            if higher := self._planes[level] & left:
                left = higher
                greatest |= 1 << level
        return (greatest, left) if greatest else (0, 0)


def count_jobs(bitmaps: Iterable[tuple[int, int]], cells: Sequence[int]) -> list[int]:
    """Return for each cell, a bitmap of minutes, how many jobs are due in it; each pair is minutes and how many jobs.

    Most cells are whole hours. For these the minutes are folded: one bit for each hour in which any minute is due.
    """
    starts = 0
    hours: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    for number, cell in enumerate(cells):
        first = cell & -cell
        if cell and cell == (first << 60) - first:
            starts |= first
            hours.append((number, first))
        elif cell:
            others.append((number, cell))
    tally = Tally()
    counts = [0] * len(cells)
    for minutes, jobs in bitmaps:
        if starts:
            folded = minutes | minutes >> 1
            for shift in (2, 4, 8, 16, 28):
                folded |= folded >> shift
            tally.add(folded & starts, jobs)
        for number, cell in others:
            if minutes & cell:
                counts[number] += jobs
    for number, first in hours:
        counts[number] = tally.sum(first)
    return counts


def free_spans(busy: int, minutes: int, least: int) -> list[tuple[int, int]]:
    """Return the runs of at least ``least`` of the minutes that are not busy, as (first minute, length), longest first.

    ``minutes`` are in a row.
    """
    if not minutes:
        return []
    begin = (minutes & -minutes).bit_length() - 1
    length = minutes.bit_length() - begin
    # Bit 0 is the first minute, and the last character.
    text = format((busy & minutes) >> begin, f"0{length}b")[::-1]
    found = [(begin + run.start(), run.end() - run.start()) for run in re.finditer(f"0{{{least},}}", text)]
    return sorted(found, key=lambda run: (-run[1], run[0]))
