"""The days on which a schedule is due: a predicate on dates, searched by months and years so rare days are quick."""

from __future__ import annotations

from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import date

# The Gregorian calendar, weekdays and ISO weeks included, repeats after 400 years: what has not come by then never
# does.
CYCLE = 400


class Days:
    """Matching days, found forwards, and counted.

    ``matches`` must depend only on the month, the day, the weekday and the ISO week. ``next_year`` gives the first
    allowed year from a year on, or None when there is none left; without it every year is allowed.
    """

    def __init__(
        self,
        matches: Callable[[date], bool],
        months: tuple[int, ...] = tuple(range(1, 13)),
        next_year: Callable[[int], int | None] | None = None,
    ) -> None:
        self._matches = matches
        self._months = months
        self._next_year = next_year
        self._memo: dict[tuple[int, bool, bool, int], tuple[int, ...]] = {}

    def _in_month(self, year: int, month: int) -> tuple[int, ...]:
        # A month's days depend on the kind of its year alone. January's ISO weeks also hang on whether the year before
        # was a leap year.
        kind = (date(year, 1, 1).weekday(), isleap(year), isleap(year - 1), month)
        days = self._memo.get(kind)
        if days is None:
            last = monthrange(year, month)[1]
            days = tuple(day for day in range(1, last + 1) if self._matches(date(year, month, day)))
            self._memo[kind] = days
        return days

    def first_from(self, start: date) -> date | None:
        """Return the first matching day on or after ``start``; None when none ever comes."""
        year, first_month, first_day = start.year, start.month, start.day
        searched = 0
        while searched <= CYCLE and year <= date.max.year:
            if self._next_year:
                allowed = self._next_year(year)
                if allowed is None:
                    return None
                if allowed > year:
                    # Only years in a row prove that the rest repeats them.
                    year, first_month, first_day, searched = allowed, 1, 1, 0
            for month in self._months:
                if month < first_month:
                    continue
                days = self._in_month(year, month)
                index = bisect_left(days, first_day) if month == first_month else 0
                if index < len(days):
                    return date(year, month, days[index])
            year, first_month, first_day, searched = year + 1, 1, 1, searched + 1
        return None

    def count(self, first: date, until: date) -> int:
        """Count the matching days d with first <= d < until."""
        total = 0
        for year in range(first.year, until.year + 1):
            if self._next_year and self._next_year(year) != year:
                continue
            for month in self._months:
                if (year, month) < (first.year, first.month) or (year, month) > (until.year, until.month):
                    continue
                days = self._in_month(year, month)
                low = bisect_left(days, first.day) if (year, month) == (first.year, first.month) else 0
                high = bisect_left(days, until.day) if (year, month) == (until.year, until.month) else len(days)
                total += max(0, high - low)
        return total
