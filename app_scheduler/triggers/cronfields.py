"""The eight fields of a cron document, read and matched by APScheduler's own field classes.

APScheduler's patterns are not anchored at their end, so ``mon#1`` would pass as ``mon``; each item is therefore
required to match in full before APScheduler sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date
from functools import lru_cache
from typing import Any, NamedTuple

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import MONTHS, WEEKDAYS
from django.utils.translation import gettext, gettext_lazy

from .days import Days
from .values import MAX_YEAR, MIN_YEAR, shown, whole_number

# APScheduler ships no types.
_Trigger: Any = CronTrigger
FIELDS: tuple[str, ...] = tuple(CronTrigger.FIELD_NAMES)
MAX_LENGTH = 200

# One sentence for each, since other languages change the words around a noun.
_NOT_VALID = {
    "year": gettext_lazy("%(value)s is not a valid year. %(hint)s"),
    "month": gettext_lazy("%(value)s is not a valid month. %(hint)s"),
    "day": gettext_lazy("%(value)s is not a valid day of the month. %(hint)s"),
    "week": gettext_lazy("%(value)s is not a valid ISO week. %(hint)s"),
    "day_of_week": gettext_lazy("%(value)s is not a valid weekday. %(hint)s"),
    "hour": gettext_lazy("%(value)s is not a valid hour. %(hint)s"),
    "minute": gettext_lazy("%(value)s is not a valid minute. %(hint)s"),
    "second": gettext_lazy("%(value)s is not a valid second. %(hint)s"),
}
HINTS = {
    "year": gettext_lazy("Use 1970 to 9999, for example 2026, 2026-2028 or */2."),
    "month": gettext_lazy("Use 1 to 12 or jan to dec, for example 1, jan-mar or */3."),
    "day": gettext_lazy("Use 1 to 31, for example 1, 10-20, last, 1st mon or last fri."),
    "week": gettext_lazy("Use 1 to 53, for example 1, 10-20 or */2."),
    "day_of_week": gettext_lazy(
        "Use mon to sun (or 0 for Monday to 6 for Sunday), for example mon, mon-fri or sat,sun."
    ),
    "hour": gettext_lazy("Use 0 to 23, for example 9, 9-17 or */2."),
    "minute": gettext_lazy("Use 0 to 59, for example 0, 15-45 or */5."),
    "second": gettext_lazy("Use 0 to 59, for example 0, 15-45 or */5."),
}
_LIMITS = {
    "year": (MIN_YEAR, MAX_YEAR),
    "month": (1, 12),
    "day": (1, 31),
    "week": (1, 53),
    "day_of_week": (0, 6),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}
_NAMES: dict[str, list[str]] = {"month": MONTHS, "day_of_week": WEEKDAYS}
_SPECIAL = {
    "#": gettext_lazy(
        "For the first Monday of the month put “1st mon” in the day of the month, or use a crontab expression."
    ),
    "l": gettext_lazy("For the last day of the month use “last” as the day of the month."),
    "w": gettext_lazy("“W” (the nearest working day) is not supported: no schedule here can express it."),
    "?": gettext_lazy("“?” is not supported: leave the field empty instead."),
}


def not_valid(name: str, value: str, hint: object) -> str:
    """Say that a field, a key of FIELDS, cannot hold a value (quoted by the caller), and what to do about it."""
    return _NOT_VALID[name] % {"value": value, "hint": hint}


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
            raise ValueError(not_valid(name, shown(value), HINTS[name])) from None
    if not isinstance(value, str):
        raise ValueError(not_valid(name, shown(value), HINTS[name]))
    text = " ".join(value.lower().split())
    if len(text) > MAX_LENGTH:
        raise ValueError(gettext("This is too long: use at most %(limit)d characters.") % {"limit": MAX_LENGTH})
    if not text.isascii():
        raise ValueError(not_valid(name, shown(value), HINTS[name]))
    return ",".join(_item_text(name, item.strip()) for item in text.split(","))


def _item_text(name: str, item: str) -> str:
    field_class = _Trigger.FIELDS_MAP[name]
    compiler = next((each for each in field_class.COMPILERS if each.value_re.match(item)), None)
    if compiler is None or not compiler.value_re.fullmatch(item):
        raise ValueError(not_valid(name, shown(item), _special_hint(name, item)))
    try:
        return str(field_class(name, item))
    except ValueError as error:
        hint: object = _backwards_hint(name, item) or HINTS[name]
        if "step" in str(error) or "Increment" in str(error):
            hint = _step_hint(name, item)
        raise ValueError(not_valid(name, shown(item)[1:-1], hint)) from None


def _special_hint(name: str, item: str) -> object:
    if name in ("day", "day_of_week"):
        if item.endswith("w") or item in ("lw", "wl"):
            return _SPECIAL["w"]
        for mark in "#?":
            if mark in item:
                return _SPECIAL[mark]
        if item.endswith("l") and (item[:-1].isdigit() or item == "l"):
            return _SPECIAL["l"]
    return HINTS[name]


def _backwards_hint(name: str, item: str) -> str:
    """Say how to write a range such as ``22-2`` or ``fri-mon`` that runs past the end of its field."""
    first, dash, last = item.partition("/")[0].partition("-")
    names = _NAMES.get(name, [])
    if not dash:
        return ""
    if first in names and last in names and names.index(first) > names.index(last):
        head = first if first == names[-1] else f"{first}-{names[-1]}"
        tail = last if last == names[0] else f"{names[0]}-{last}"
    elif first.isdigit() and last.isdigit() and name != "day_of_week" and int(first) > int(last):
        low, high = _LIMITS[name]
        if not (low <= int(last) and int(first) <= high):
            return ""
        head = first if int(first) == high else f"{first}-{high}"
        tail = last if int(last) == low else f"{low}-{last}"
    else:
        return ""
    return gettext("A range runs upwards. Write %(head)s,%(tail)s.") % {"head": head, "tail": tail}


def _step_hint(name: str, item: str) -> str:
    _, slash, step = item.partition("/")
    if slash and step.strip("0") == "":
        return gettext("A step of 0 never moves on. Use 1 or more, for example */5.")
    message = gettext("The step %(step)s is larger than its range. %(hint)s")
    return message % {"step": shown(step), "hint": HINTS[name]}


def given_fields(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, document[name]) for name in FIELDS if name in document)


def _field(name: str, text: str) -> Any:
    return _Trigger.FIELDS_MAP[name](name, text)


def _field_takes(field: Any, day: date) -> bool:
    return bool(field.get_next_value(day) == field.get_value(day))


@lru_cache(maxsize=512)
def field_values(name: str, text: str) -> tuple[int, ...]:
    """Return the numbers that a field takes, in their order; of days of the month no positions of weekdays.

    Weekdays count Monday as 0, as APScheduler's do.
    """
    low, high = _LIMITS[name]
    numbers: set[int] = set()
    for part in _field(name, text).expressions:
        if hasattr(part, "step"):
            first, last = getattr(part, "first", None), getattr(part, "last", None)
            numbers.update(range(low if first is None else first, (high if last is None else last) + 1, part.step or 1))
    return tuple(sorted(numbers))


@lru_cache(maxsize=512)
def _days(year: str, month: str, day: str, week: str, day_of_week: str) -> Days:
    days = _yearly(month, day, week, day_of_week)
    return days if year == "*" else days.in_years(field_values("year", year))


@lru_cache(maxsize=512)
def _yearly(month: str, day: str, week: str, day_of_week: str) -> Days:
    # Only positions such as “last fri” depend on the month, and are asked of APScheduler day by day.
    day_field = _field("day", day)
    has_positions = any(char.isalpha() for char in day)
    weekdays = frozenset(field_values("day_of_week", day_of_week))
    weeks = frozenset(field_values("week", week))

    def matches(candidate: date) -> bool:
        return (
            candidate.weekday() in weekdays
            and (len(weeks) == 53 or candidate.isocalendar()[1] in weeks)
            and (not has_positions or _field_takes(day_field, candidate))
        )

    return Days(
        matches,
        field_values("month", month),
        numbers=range(1, 32) if has_positions else field_values("day", day),
    )


@lru_cache(maxsize=4096)
def compiled(fields: tuple[tuple[str, str], ...]) -> Cron:
    """Compile canonical fields. What is not given follows APScheduler: ``*`` left of the last given, else minimum."""
    texts = effective_fields(fields)
    clock = [texts["hour"], texts["minute"], texts["second"]]
    return Cron(
        _days(texts["year"], texts["month"], texts["day"], texts["week"], texts["day_of_week"]),
        field_values("hour", texts["hour"]),
        field_values("minute", texts["minute"]),
        field_values("second", texts["second"]),
        fixed=not any(text.startswith("*") for text in clock),
    )


def effective_fields(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return all eight fields as they act, defaults included."""
    return {field.name: str(field) for field in _Trigger(**dict(fields), timezone=UTC).fields}


def runs(numbers: Sequence[int], name: Callable[[int], str] = str) -> str:
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
