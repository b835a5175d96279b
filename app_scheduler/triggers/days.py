"""The days on which a schedule is due: a predicate on dates, searched by months and years so rare days are quick."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cache, cached_property

# The Gregorian calendar, weekdays and ISO weeks included, repeats after 400 years: what has not come by then never
# does.
CYCLE = 400
#: January's first weekday, leap or not, and never after another leap year.
KINDS = 7 * 3
_LAST_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@cache
def _kind_of(year: int) -> tuple[int, bool, bool]:
    # January's ISO weeks also hang on whether the year before was a leap year.
    return date(year, 1, 1).weekday(), isleap(year), isleap(year - 1)


class Days:
    """Matching days, found forwards, and counted.

    ``matches`` must depend only on the month, the day, the weekday and the ISO week; it is asked about ``numbers``,
    days of the month, in ``months``. ``years`` are the allowed ones; without them every year is. All are in order.
    """

    def __init__(
        self,
        matches: Callable[[date], bool],
        months: tuple[int, ...] = tuple(range(1, 13)),
        years: tuple[int, ...] | None = None,
        numbers: Sequence[int] = range(1, 32),
    ) -> None:
        self._matches = matches
        self._months = months
        self._years = years
        self._numbers = numbers
        self._memo: dict[tuple[int, bool, bool, int], tuple[int, ...]] = {}
        self._firsts: dict[tuple[int, bool, bool], tuple[int, int] | None] = {}

    def in_years(self, years: tuple[int, ...]) -> Days:
        """Return the same days in some years only. What is known of kinds of years is known to both."""
        days = Days(self._matches, self._months, years, self._numbers)
        days._memo, days._firsts = self._memo, self._firsts
        return days

    @property
    def _never(self) -> bool:
        """True once each kind of year was looked at and has no matching day."""
        return len(self._firsts) == KINDS and not any(self._firsts.values())

    def _in_month(self, year: int, month: int) -> tuple[int, ...]:
        # A month's days depend on the kind of its year alone.
        kind = (*_kind_of(year), month)
        days = self._memo.get(kind)
        if days is None:
            last = _LAST_DAYS[month - 1] + (month == 2 and kind[1])
            days = tuple(day for day in self._numbers if day <= last and self._matches(date(year, month, day)))
            self._memo[kind] = days
        return days

    def _first_in(self, year: int) -> tuple[int, int] | None:
        """Return the month and the day of a year's first matching day: one look for a kind of year seen before."""
        kind = _kind_of(year)
        if kind not in self._firsts:
            found = ((month, self._in_month(year, month)) for month in self._months)
            self._firsts[kind] = next(((month, days[0]) for month, days in found if days), None)
        return self._firsts[kind]

    def first_from(self, start: date) -> date | None:
        """Return the first matching day on or after ``start``; None when none ever comes."""
        if self._allows(start.year):
            for month in self._months:
                if month < start.month:
                    continue
                days = self._in_month(start.year, month)
                index = bisect_left(days, start.day) if month == start.month else 0
                if index < len(days):
                    return date(start.year, month, days[index])
        for year in self._years_after(start.year):
            first = self._first_in(year)
            if first is not None:
                return date(year, *first)
            if self._never:
                break
        return None

    def _allows(self, year: int) -> bool:
        if self._years is None:
            return True
        index = bisect_left(self._years, year)
        return index < len(self._years) and self._years[index] == year

    def _years_after(self, year: int) -> Sequence[int]:
        if self._years is None:
            # After years in a row that are a whole cycle long, the rest only repeats them.
            return range(year + 1, min(year + CYCLE, date.max.year) + 1)
        return self._matching_years[bisect_right(self._matching_years, year) :][:1]

    @cached_property
    def _matching_years(self) -> tuple[int, ...]:
        """The allowed years that have a matching day."""
        of_kind: dict[tuple[int, bool, bool], bool] = {}
        for year in self._years or ():
            kind = _kind_of(year)
            if kind not in of_kind:
                of_kind[kind] = self._first_in(year) is not None
        return tuple(year for year in self._years or () if of_kind[_kind_of(year)])

    def count(self, first: date, until: date) -> int:
        """Count the matching days d with first <= d < until."""
        total = 0
        for year in range(first.year, until.year + 1):
            if not self._allows(year):
                continue
            for month in self._months:
                if (year, month) < (first.year, first.month) or (year, month) > (until.year, until.month):
                    continue
                days = self._in_month(year, month)
                low = bisect_left(days, first.day) if (year, month) == (first.year, first.month) else 0
                high = bisect_left(days, until.day) if (year, month) == (until.year, until.month) else len(days)
                total += max(0, high - low)
        return total

    def between(self, first: date, until: date) -> Iterator[date]:
        """Yield the matching days d with first <= d < until, in their order."""
        year, month = first.year, first.month
        while (year, month) <= (until.year, until.month):
            if month in self._months and self._allows(year):
                low = first.day if (year, month) == (first.year, first.month) else 1
                high = until.day if (year, month) == (until.year, until.month) else 32
                for day in self._in_month(year, month):
                    if low <= day < high:
                        yield date(year, month, day)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
