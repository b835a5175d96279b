"""Wall-clock time and instants: what a clock on the wall shows, and when it shows it.

A *wall* is a naive datetime of a zone; an *instant* is an aware datetime in UTC. Arithmetic happens on one or the
other, never on aware local times, whose subtraction ignores the offset. PEP 495 gives the rules: for a wall that does
not exist ``fold=0`` yields the offset before the shift and ``fold=1`` the one after it; for a repeated wall
``fold=0`` is the first time it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shift:
    """One change of a zone's offset: when, and what the wall clock shows just before and just after it."""

    instant: datetime
    before: datetime
    after: datetime


def offset_of(wall: datetime, zone: tzinfo, fold: int) -> timedelta:
    offset = wall.replace(tzinfo=zone, fold=fold).utcoffset()
    return offset if offset is not None else timedelta(0)


def _offset_at(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def shift_around(zone: ZoneInfo, low: datetime, high: datetime) -> Shift:
    """Return the change of offset in (low, high]; the two must have different offsets."""
    before, after = _offset_at(low, zone), _offset_at(high, zone)
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    while high - low > SECOND:
        middle = low + timedelta(seconds=(high - low) // SECOND // 2)
        if _offset_at(middle, zone) == before:
            low = middle
        else:
            high = middle
    naive = high.replace(tzinfo=None)
    return Shift(high, naive + before, naive + after)


def shifts_between(zone: ZoneInfo, low: datetime, high: datetime) -> list[Shift]:
    """Return the zone's changes of offset in [low, high), both in UTC, in their order."""
    years = range(low.year, high.year + 1)
    return [shift for year in years for shift in _shifts_of(zone, year) if low <= shift.instant < high]


@lru_cache(maxsize=4096)
def _shifts_of(zone: ZoneInfo, year: int) -> tuple[Shift, ...]:
    # Looking at each midnight is enough: no zone changes its offset and changes it back within a day.
    first, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    midnights = [first + timedelta(days=number) for number in range((end - first).days + 1)]
    offsets = [_offset_at(midnight, zone) for midnight in midnights]
    return tuple(
        shift_around(zone, midnights[day], midnights[day + 1])
        for day in range(len(midnights) - 1)
        if offsets[day] != offsets[day + 1]
    )


def shift_at(wall: datetime, zone: ZoneInfo) -> Shift | None:
    """Return the change of offset that skips or repeats this wall, or None for a wall that is shown just once."""
    before, after = offset_of(wall, zone, 0), offset_of(wall, zone, 1)
    return None if before == after else _found(wall, zone, before, after)


@lru_cache(maxsize=1024)
def _found(wall: datetime, zone: ZoneInfo, before: timedelta, after: timedelta) -> Shift:
    early, late = sorted((wall - before, wall - after))
    # Both walls and shifts are whole seconds; one second of slack keeps the shift strictly inside.
    return shift_around(zone, (early - SECOND).replace(tzinfo=UTC), late.replace(tzinfo=UTC))


def is_skipped(wall: datetime, zone: ZoneInfo) -> bool:
    """True for a wall inside a gap: no clock ever shows it."""
    return offset_of(wall, zone, 0) < offset_of(wall, zone, 1)


def is_repeated(wall: datetime, zone: ZoneInfo) -> bool:
    return offset_of(wall, zone, 0) > offset_of(wall, zone, 1)


def day_is_missing(wall: datetime, shift: Shift) -> bool:
    """True when the shift swallows the wall's whole day, as 30 December 2011 in Apia: that day had no ticks."""
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    return shift.before <= midnight and midnight + timedelta(days=1) <= shift.after


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a fixed time happens: a skipped wall at the gap's end, a repeated one the first time (cron(8))."""
    try:
        if is_skipped(wall, zone):
            shift = shift_at(wall, zone)
            if shift is not None:
                return shift.instant
        return (wall - offset_of(wall, zone, 0)).replace(tzinfo=UTC)
    except OverflowError:
        return LAST_INSTANT if wall.year > 5000 else datetime.min.replace(tzinfo=UTC)
