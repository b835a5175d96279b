"""An independent judge: walks real time step by step and looks at the wall clock. Slow, and too simple to be wrong.

It shares no code with the application: not even what a field or a document means.
"""

from __future__ import annotations

import itertools
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
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
    first: dict[datetime, datetime] = {}
    for instant, wall in walls(zone, start, end, step):
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


# --- documents -----------------------------------------------------------------------------------------------------
#
# What a document means, read again from its text: a question about each day, and about each wall that is shown on it.

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CRON_FIELDS = ["year", "month", "day", "week", "day_of_week", "hour", "minute", "second"]
LOWEST = {"year": "*", "month": "1", "day": "1", "week": "*", "day_of_week": "*", "hour": "0", "minute": "0"}
RANGES = {
    "year": range(1970, 10_000),
    "month": range(1, 13),
    "day": range(1, 32),
    "week": range(1, 54),
    "day_of_week": range(0, 7),
    "hour": range(0, 24),
    "minute": range(0, 60),
    "second": range(0, 60),
}
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def _number(text: str, names: tuple[str, ...], first: int) -> int:
    return names.index(text) + first if text in names else int(text)


@lru_cache(maxsize=100_000)
def _in_item(value: int, item: str, values: range, names: tuple[str, ...], first: int) -> bool:
    """Tell whether a list's item takes a value, by going through the item as one would on paper."""
    span, _, step = item.partition("/")
    low_text, dash, high_text = span.partition("-")
    if span == "*":
        low, high = values[0], values[-1]
    else:
        low = _number(low_text, names, first)
        high = _number(high_text, names, first) if dash else values[-1] if step else low
    each = low
    while True:
        # A range that ends before it begins goes on at the field's beginning.
        if (each - values[0]) % len(values) + values[0] == value:
            return True
        each += int(step or 1)
        if each > (high if high >= low else high + len(values)):
            return False


def _position(day: date, item: str) -> bool:
    """Tell whether a day is the “1st mon” or the “last fri” of its month."""
    place, _, name = item.partition(" ")
    if day.weekday() != WEEKDAYS.index(name):
        return False
    if place == "last":
        return (day + timedelta(days=7)).month != day.month
    return (day.day - 1) // 7 + 1 == int(place[0])


def cron_day(fields: dict[str, str], day: date) -> bool:
    """Tell whether the effective fields of a cron document take a day: all of them must."""
    for name, value in (
        ("year", day.year),
        ("month", day.month),
        ("day", day.day),
        ("week", day.isocalendar()[1]),
        ("day_of_week", day.weekday()),
    ):
        for item in fields[name].split(","):
            if name == "day" and " " in item:
                if _position(day, item):
                    break
            elif name == "day" and item == "last":
                if (day + timedelta(days=1)).month != day.month:
                    break
            elif _in_item(value, item, RANGES[name], *_names(name)):
                break
        else:
            return False
    return True


def _names(name: str) -> tuple[tuple[str, ...], int]:
    return {"month": (MONTHS, 1), "day_of_week": (WEEKDAYS, 0)}.get(name, ((), 0))


def _effective(document: dict[str, Any]) -> dict[str, str]:
    """Return all fields: left of the last given one “*”, right of it the lowest."""
    last = max(number for number, name in enumerate(CRON_FIELDS) if name in document)
    return {
        name: str(document.get(name, "*" if number < last else LOWEST.get(name, "0")))
        for number, name in enumerate(CRON_FIELDS)
    }


def crontab_day(line: str, day: date) -> bool:
    """Tell whether a crontab line takes a day, as the manual page crontab(5) puts it."""
    day_text, month_text, weekday_text = MACROS.get(line, line).split()[-3:]
    if not any(_in_item(day.month, item, range(1, 13), MONTHS, 1) for item in month_text.split(",")):
        return False
    sunday_first = WEEKDAYS[-1:] + WEEKDAYS[:-1]
    number = (day.weekday() + 1) % 7

    def takes_weekday(item: str) -> bool:
        if "#" in item or item.endswith("L"):
            weekday, nth = item.split("#") if "#" in item else (item[:-1], "last")
            name = WEEKDAYS[(_number(weekday, sunday_first, 0) - 1) % 7]
            return _position(day, f"{nth} {name}")
        span, slash, step = item.partition("/")
        low_text, dash, high_text = span.partition("-")
        if dash and _number(low_text, sunday_first, 0) > _number(high_text, sunday_first, 0):
            # Past Saturday: the seventh day is the first one again.
            low, high = _number(low_text, sunday_first, 0) % 7, _number(high_text, sunday_first, 0)
            return _in_item(number, f"{low}-{high}{slash}{step}", range(0, 7), (), 0)
        # Sunday is 0, and 7 too.
        taken = (number, 7) if number == 0 else (number,)
        return any(_in_item(each, item, range(0, 8), sunday_first, 0) for each in taken)

    by_month = any(
        (day + timedelta(days=1)).month != day.month if item == "L" else _in_item(day.day, item, range(1, 32), (), 0)
        for item in day_text.split(",")
    )
    by_week = any(takes_weekday(item) for item in weekday_text.split(","))
    if day_text.startswith("*") or weekday_text.startswith("*"):
        return by_month and by_week
    return by_month or by_week


def _times_of_day(document: dict[str, Any]) -> tuple[set[tuple[int, int, int]], bool]:
    """Return the times of day, and whether they are fixed ones: no field of them begins with a star."""
    if "expression" in document:
        words = MACROS.get(document["expression"], document["expression"]).split()
        minute, hour = words[-5:-3]
        texts = {"hour": hour, "minute": minute, "second": "0" if len(words) == 5 else words[0]}
    else:
        texts = {name: _effective(document)[name] for name in ("hour", "minute", "second")}
    taken = [
        [value for value in RANGES[name] if any(_in_item(value, item, RANGES[name], (), 0) for item in text.split(","))]
        for name, text in texts.items()
    ]
    return {(hour, minute, second) for hour, minute, second in itertools.product(*taken)}, not any(
        text.startswith("*") for text in texts.values()
    )


@lru_cache(maxsize=4096)
def _around(zone: str, day: date) -> tuple[frozenset[timedelta], frozenset[date]]:
    """Return the offsets from UTC and the dates that a zone's clocks show around a day."""
    midnight, info = datetime(day.year, day.month, day.day, tzinfo=UTC), ZoneInfo(zone)
    shown = [(midnight + timedelta(minutes=30 * number)).astimezone(info) for number in range(-32, 84)]
    return frozenset(each.utcoffset() or timedelta() for each in shown), frozenset(each.date() for each in shown)


def instants(zone: str, wall: datetime) -> list[datetime]:
    """Return when a wall is shown: once, twice where the clocks go back, or never."""
    info = ZoneInfo(zone)
    tried = ((wall - offset).replace(tzinfo=UTC) for offset in _around(zone, wall.date())[0])
    return sorted(instant for instant in tried if instant.astimezone(info).replace(tzinfo=None, fold=0) == wall)


def gap_end(zone: str, wall: datetime) -> datetime:
    """Return when a wall that is never shown is past, to the minute."""
    info, instant = ZoneInfo(zone), wall.replace(tzinfo=UTC, second=0) - timedelta(hours=39)
    while instant.astimezone(info).replace(tzinfo=None) < wall:
        instant += timedelta(minutes=1)
    return instant


def _moment(text: str, zone: ZoneInfo, clock: str = "00:00:00") -> datetime:
    """Return the first instant of a date and time; of one that the wall clock skips, the gap's end."""
    moment = datetime.fromisoformat(text if len(text) > 10 else f"{text}T{clock}")
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    shown = instants(zone.key, moment)
    return shown[0] if shown else gap_end(zone.key, moment)


def day_ticks(zone: str, day: date, times: set[tuple[int, int, int]], is_fixed: bool) -> set[datetime]:
    """Return the ticks of one day, as cron(8) of Debian has them."""
    ticks: set[datetime] = set()
    for hour, minute, second in times:
        wall = datetime(day.year, day.month, day.day, hour, minute, second)
        shown = instants(zone, wall)
        if not is_fixed:
            ticks.update(shown)
        elif shown:
            ticks.add(shown[0])
        elif day in _around(zone, day)[1]:
            ticks.add(gap_end(zone, wall))
    return ticks


def upcoming(
    document: dict[str, Any], anchor: datetime, after: datetime, count: int, until: datetime
) -> list[datetime]:
    """Return the first ``count`` ticks after a moment and up to another, in UTC, found by going through the days."""
    kind = document["type"]
    if kind == "any":
        children = [upcoming(child, anchor, after, count, until) for child in document["triggers"]]
        return sorted(set(itertools.chain(*children)))[:count]
    zone = ZoneInfo(document.get("timezone", "UTC"))
    if kind == "date":
        found: Iterable[datetime] = [_moment(document["run_date"], zone)]
    elif kind == "interval":
        found = _interval(document, zone, anchor)
    elif kind == "calendar":
        clock = (document.get("hour", 0), document.get("minute", 0), document.get("second", 0))
        found = _by_days(zone, _calendar_days(document, zone, anchor), {clock}, True, after)
    else:
        times, is_fixed = _times_of_day(document)
        found = _by_days(zone, _cron_days(document, zone, after, until), times, is_fixed, after)
    first, last = None, until
    if kind in ("interval", "cron"):
        first = _moment(document["start_date"], zone) if "start_date" in document else None
        if "end_date" in document:
            last = min(until, _moment(document["end_date"], zone, "23:59:59.999999"))
    ticks: list[datetime] = []
    for tick in found:
        if tick > last or len(ticks) == count:
            break
        if tick > after and (first is None or tick >= first):
            ticks.append(tick)
    return ticks


def _cron_days(document: dict[str, Any], zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[date]:
    day = max(after, datetime(1970, 1, 4, tzinfo=UTC)).astimezone(zone).date() - timedelta(days=2)
    if "start_date" in document:
        day = max(day, _moment(document["start_date"], zone).date() - timedelta(days=2))
    line = document.get("expression")
    fields = {} if line else _effective(document)
    while day <= until.date() + timedelta(days=1):
        if crontab_day(line, day) if line else cron_day(fields, day):
            yield day
        day += timedelta(days=1)


def _by_days(
    zone: ZoneInfo,
    days: Iterable[date],
    times: set[tuple[int, int, int]],
    is_fixed: bool,
    after: datetime,
) -> Iterator[datetime]:
    """Yield the ticks of some days, which are in their order."""
    waiting: set[datetime] = set()
    for day in days:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if midnight < after - timedelta(days=3):
            continue
        # A tick of the day before may be as late as a gap's end on this one.
        settled = midnight - timedelta(hours=26)
        yield from sorted(tick for tick in waiting if tick < settled)
        waiting = {tick for tick in waiting if tick >= settled}

        waiting |= day_ticks(zone.key, day, times, is_fixed)
    yield from sorted(waiting)


def _interval(document: dict[str, Any], zone: ZoneInfo, anchor: datetime) -> Iterator[datetime]:
    units = ("weeks", "days", "hours", "minutes", "seconds")
    length = timedelta(**{unit: document[unit] for unit in units if unit in document})
    tick = _moment(document["start_date"], zone) if "start_date" in document else anchor + length
    while True:
        yield tick
        tick += length


def _calendar_days(document: dict[str, Any], zone: ZoneInfo, anchor: datetime) -> Iterator[date]:
    """Count the months on one's fingers, on and on until one has the day; then the weeks and days."""
    day = date.fromisoformat(document["start_date"]) if "start_date" in document else anchor.astimezone(zone).date()
    end = date.fromisoformat(document["end_date"]) if "end_date" in document else date(9900, 1, 1)
    months = document.get("years", 0) * 12 + document.get("months", 0)
    while day <= end:
        yield day
        year, month, has_day = day.year, day.month, not months
        while not has_day:
            for _ in range(months):
                year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            if year > end.year:
                return
            has_day = day.day <= monthrange(year, month)[1]
        day = date(year, month, day.day)
        day += timedelta(weeks=document.get("weeks", 0), days=document.get("days", 0))
