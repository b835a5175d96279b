"""How many ticks a cron schedule has between two moments, by arithmetic however long the gap is.

Between two changes of its zone's offset each matching wall is one tick, so days are counted and multiplied by the times
of day. What cron(8) makes of a skipped and of a repeated hour is settled at the change itself.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from .cronfields import Cron
from .walls import SECOND, Shift, day_is_missing, shifts_between

DAY = timedelta(days=1)


def count_ticks(cron: Cron, zone: ZoneInfo, low: datetime, high: datetime) -> int:
    """Count the ticks t with low <= t < high, both whole seconds in UTC.

    Raises ``OverflowError`` or ``ValueError`` at the ends of the calendar, the years 1 and 9999.
    """
    if low >= high:
        return 0
    wall, end = _wall_of(low, zone), _wall_of(high - SECOND, zone) + SECOND
    total = 0
    # A change shortly before the first moment tells whether that moment lies in a repeated hour.
    for shift in shifts_between(zone, low - 2 * DAY, high):
        if shift.instant > low:
            total += _matching(cron, wall, shift.before)
            wall = shift.after
        if cron.fixed:
            # What is shown the second time had its tick the first time.
            wall = max(wall, shift.before)
            total += shift.instant >= low and _has_tick_at_end(cron, shift)
    return total + _matching(cron, wall, end)


def _wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _has_tick_at_end(cron: Cron, shift: Shift) -> bool:
    """Tell whether a gap's end is a tick for the sake of the walls inside the gap alone."""
    if shift.before >= shift.after or _matching(cron, shift.after, shift.after + SECOND):
        return False
    wall = shift.before
    while wall < shift.after:
        midnight = datetime.combine(wall.date() + DAY, time())
        if not day_is_missing(wall, shift) and _matching(cron, wall, min(midnight, shift.after)):
            return True
        wall = midnight
    return False


def _matching(cron: Cron, first: datetime, until: datetime) -> int:
    """Count the matching walls w with first <= w < until."""
    if first >= until:
        return 0
    days = cron.days.count(first.date(), until.date())
    total = days * len(cron.hours) * len(cron.minutes) * len(cron.seconds)
    return total + _earlier(cron, until) - _earlier(cron, first)


def _earlier(cron: Cron, wall: datetime) -> int:
    """Count the matching walls of the wall's own day that come before it."""
    if not cron.days.count(wall.date(), wall.date() + DAY):
        return 0
    hours, minutes, seconds = cron.hours, cron.minutes, cron.seconds
    count = bisect_left(hours, wall.hour) * len(minutes) * len(seconds)
    if wall.hour in hours:
        count += bisect_left(minutes, wall.minute) * len(seconds)
        if wall.minute in minutes:
            count += bisect_left(seconds, wall.second)
    return count
