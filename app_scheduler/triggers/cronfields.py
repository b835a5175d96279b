"""The eight fields of a cron document, read and matched by APScheduler's own field classes.

APScheduler's patterns are not anchored at their end, so ``mon#1`` would pass as ``mon``; each item is therefore
required to match in full before APScheduler sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import MONTHS, WEEKDAYS

from .days import Days
from .values import shown, whole_number

# APScheduler ships no types.
_Trigger: Any = CronTrigger
FIELDS: tuple[str, ...] = tuple(CronTrigger.FIELD_NAMES)
MAX_LENGTH = 200

_NOUNS = {
    "year": "year",
    "month": "month",
    "day": "day of the month",
    "week": "ISO week",
    "day_of_week": "day of the week",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
}
_HINTS = {
    "year": "Use 1970 to 9999, for example 2026, 2026-2028 or */2.",
    "month": "Use 1 to 12 or jan to dec, for example 1, jan-mar or */3.",
    "day": "Use 1 to 31, for example 1, 10-20, last, 1st mon or last fri.",
    "week": "Use 1 to 53, for example 1, 10-20 or */2.",
    "day_of_week": "Use mon to sun (or 0 for Monday to 6 for Sunday), for example mon, mon-fri or sat,sun.",
    "hour": "Use 0 to 23, for example 9, 9-17 or */2.",
    "minute": "Use 0 to 59, for example 0, 15-45 or */5.",
    "second": "Use 0 to 59, for example 0, 15-45 or */5.",
}
_NAMES: dict[str, list[str]] = {"month": MONTHS, "day_of_week": WEEKDAYS}
_SPECIAL = {
    "#": "For the first Monday of the month put “1st mon” in the day of the month, or use a crontab expression.",
    "l": "For the last day of the month use “last” as the day of the month.",
    "w": "“W” (the nearest working day) is not supported: no schedule here can express it.",
    "?": "“?” is not supported: leave the field empty instead.",
}


class Cron(NamedTuple):
    """Compiled cron fields: the days, the times of day as sorted tuples, and whether the time is fixed (cron(8))."""

    days: Days
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    fixed: bool


def field_text(name: str, value: object) -> str:
    """Return one field in canonical form (``"03"`` → ``"3"``, ``"MON-FRI"`` → ``"mon-fri"``), or raise ValueError."""
    if isinstance(value, (int, float)):
        try:
            value = str(whole_number(value, 0, 9999))
        except ValueError:
            raise ValueError(f"{shown(value)} is not a valid {_NOUNS[name]}. {_HINTS[name]}") from None
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a valid {_NOUNS[name]}. {_HINTS[name]}")
    text = " ".join(value.lower().split())
    if len(text) > MAX_LENGTH:
        raise ValueError(f"This {_NOUNS[name]} is too long: use at most {MAX_LENGTH} characters.")
    if not text.isascii():
        raise ValueError(f"{shown(value)} is not a valid {_NOUNS[name]}. {_HINTS[name]}")
    return ",".join(_item_text(name, item.strip()) for item in text.split(","))


def _item_text(name: str, item: str) -> str:
    field_class = _Trigger.FIELDS_MAP[name]
    compiler = next((each for each in field_class.COMPILERS if each.value_re.match(item)), None)
    if compiler is None or not compiler.value_re.fullmatch(item):
        raise ValueError(f"{shown(item)} is not a valid {_NOUNS[name]}. {_special_hint(name, item)}")
    try:
        return str(field_class(name, item))
    except ValueError as error:
        hint = _backwards_hint(name, item) or _HINTS[name]
        if "step" in str(error) or "Increment" in str(error):
            hint = _step_hint(name, item)
        raise ValueError(f"{shown(item)[1:-1]} is not a valid {_NOUNS[name]}. {hint}") from None


def _special_hint(name: str, item: str) -> str:
    if name in ("day", "day_of_week"):
        if item.endswith("w") or item in ("lw", "wl"):
            return _SPECIAL["w"]
        for mark in "#?":
            if mark in item:
                return _SPECIAL[mark]
        if item.endswith("l") and (item[:-1].isdigit() or item == "l"):
            return _SPECIAL["l"]
    return _HINTS[name]


def _backwards_hint(name: str, item: str) -> str:
    """Say how to write a range such as ``22-2`` or ``fri-mon`` that runs past the end of its field."""
    first, dash, last = item.partition("/")[0].partition("-")
    names = _NAMES.get(name, [])
    limits = {"month": (1, 12), "day": (1, 31), "week": (1, 53), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
    if not dash:
        return ""
    if first in names and last in names and names.index(first) > names.index(last):
        head = first if first == names[-1] else f"{first}-{names[-1]}"
        tail = last if last == names[0] else f"{names[0]}-{last}"
    elif first.isdigit() and last.isdigit() and name in limits and int(first) > int(last):
        low, high = limits[name]
        if not (low <= int(last) and int(first) <= high):
            return ""
        head = first if int(first) == high else f"{first}-{high}"
        tail = last if int(last) == low else f"{low}-{last}"
    else:
        return ""
    return f"A range runs upwards. Write {head},{tail}."


def _step_hint(name: str, item: str) -> str:
    _, slash, step = item.partition("/")
    if slash and step.strip("0") == "":
        return "A step of 0 never moves on. Use 1 or more, for example */5."
    return f"The step {shown(step)} is larger than its range. {_HINTS[name]}"


def given_fields(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, document[name]) for name in FIELDS if name in document)


def _field(name: str, text: str) -> Any:
    return _Trigger.FIELDS_MAP[name](name, text)


def _field_takes(field: Any, day: date) -> bool:
    return bool(field.get_next_value(day) == field.get_value(day))


def _values(field: Any, low: int, high: int, part: str) -> tuple[int, ...]:
    parts = {"month": 1, "hour": 0, "minute": 0, "second": 0}
    matching = []
    for value in range(low, high + 1):
        parts |= {part: value}
        moment = datetime(2000, parts["month"], 1, parts["hour"], parts["minute"], parts["second"])
        if field.get_next_value(moment) == value:
            matching.append(value)
    return tuple(matching)


@lru_cache(maxsize=512)
def _time_values(name: str, text: str) -> tuple[int, ...]:
    field = _field(name, text)
    low, high = {"month": (1, 12), "hour": (0, 23)}.get(name, (0, 59))
    return _values(field, low, high, name)


@lru_cache(maxsize=512)
def _days(year: str, month: str, day: str, week: str, day_of_week: str) -> Days:
    # Numbers are asked of APScheduler once; only positions such as “last fri” depend on the month.
    day_field, week_field = _field("day", day), _field("week", week)
    has_positions = any(char.isalpha() for char in day)
    numbers = frozenset(number for number in range(1, 32) if _field_takes(day_field, date(2024, 1, number)))
    weekdays = frozenset(weekday_numbers(day_of_week))
    weeks = frozenset(
        number for number in range(1, 54) if _field_takes(week_field, date.fromisocalendar(2020, number, 1))
    )

    def matches(candidate: date) -> bool:
        return (
            (_field_takes(day_field, candidate) if has_positions else candidate.day in numbers)
            and candidate.weekday() in weekdays
            and (len(weeks) == 53 or candidate.isocalendar()[1] in weeks)
        )

    def next_year(candidate: int) -> int | None:
        found: int | None = years.get_next_value(date(candidate, 1, 1)) if candidate <= date.max.year else None
        return found

    years = _field("year", year)
    return Days(matches, _time_values("month", month), None if year == "*" else next_year)


@lru_cache(maxsize=4096)
def compiled(fields: tuple[tuple[str, str], ...]) -> Cron:
    """Compile canonical fields. What is not given follows APScheduler: ``*`` left of the last given, else minimum."""
    texts = effective_fields(fields)
    clock = [texts["hour"], texts["minute"], texts["second"]]
    return Cron(
        _days(texts["year"], texts["month"], texts["day"], texts["week"], texts["day_of_week"]),
        _time_values("hour", texts["hour"]),
        _time_values("minute", texts["minute"]),
        _time_values("second", texts["second"]),
        fixed=not any(text.startswith("*") for text in clock),
    )


def effective_fields(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return all eight fields as they act, defaults included."""
    return {field.name: str(field) for field in _Trigger(**dict(fields), timezone=UTC).fields}


def weekday_numbers(text: str) -> list[int]:
    """Return the weekdays that a field takes, Monday as 0."""
    field = _field("day_of_week", text)
    days = [date(2024, 1, number) for number in range(1, 8)]  # 1 January 2024 was a Monday.
    return [day.weekday() for day in days if _field_takes(field, day)]


def runs(numbers: list[int] | tuple[int, ...], name: Callable[[int], str] = str) -> str:
    """Write sorted numbers as a cron list: 1,2,3,7 becomes 1-3,7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(
        f"{name(run[0])}-{name(run[-1])}" if len(run) > 2 else ",".join(name(number) for number in run) for run in runs
    )
