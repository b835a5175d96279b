"""An independent judge: walks real time step by step and looks at the wall clock. Slow, and too simple to be wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

# Days on which something odd happens to the clock, and plain ones.
ODD_DAYS = [
    ("Australia/Sydney", date(2026, 10, 4)),
    ("Australia/Sydney", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("America/Santiago", date(2026, 9, 6)),  # The gap is at midnight.
    ("America/Santiago", date(2026, 4, 5)),
    ("Asia/Kathmandu", date(1986, 1, 1)),  # A quarter of an hour is skipped.
    ("Asia/Kathmandu", date(2026, 3, 1)),
    ("Pacific/Apia", date(2011, 12, 30)),  # This day does not exist.
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # Nor does this one.
    ("Antarctica/Troll", date(2026, 3, 29)),  # Two hours.
    ("Antarctica/Troll", date(2026, 10, 25)),
    ("Europe/Dublin", date(2026, 10, 25)),  # Winter time is the exception here.
    ("UTC", date(2026, 2, 28)),
]


@lru_cache(maxsize=64)
def walls(zone: str, start: datetime, end: datetime, step: int) -> list[tuple[datetime, datetime]]:
    """Return (instant, wall) for each step of real time."""
    info = ZoneInfo(zone)
    result = []
    instant = start
    while instant <= end:
        result.append((instant, instant.astimezone(info).replace(tzinfo=None, fold=0)))
        instant += timedelta(seconds=step)
    return result


def window(day: date, days: int = 1) -> tuple[datetime, datetime]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return noon - timedelta(days=days), noon + timedelta(days=days)


def rhythm(
    zone: str, start: datetime, end: datetime, matches: Callable[[datetime], bool], step: int = 60
) -> list[datetime]:
    """Return the instants at which the wall clock matches: as often as it shows a matching time."""
    return [instant for instant, wall in walls(zone, start, end, step) if matches(wall)]


def fixed(
    zone: str, start: datetime, end: datetime, matches: Callable[[datetime], bool], step: int = 60
) -> list[datetime]:
    """Return one instant for each matching time of each local day: the first showing, or else the gap's end."""
    shown = walls(zone, start, end, step)
    first: dict[datetime, datetime] = {}
    for instant, wall in shown:
        first.setdefault(wall, instant)
    existing_days = {wall.date() for wall in first}
    ticks: set[datetime] = set()
    wall, last = min(first), max(first)
    while wall <= last:
        if matches(wall) and wall.date() in existing_days:
            if wall in first:
                ticks.add(first[wall])
            else:
                ticks.add(min(instant for other, instant in first.items() if other > wall))
        wall += timedelta(seconds=step)
    return sorted(ticks)
