"""Crontab lines as crontab(5) of Debian's cron means them, and ``#`` and ``L`` of other crons where they are clear.

Weekdays are Sunday 0 to Saturday 6, and 7 is Sunday too. If both the day of the month and the weekday are restricted,
that is, neither begins with ``*``, a day that matches either is due; otherwise both must match. A range whose end lies
before its beginning wraps: ``22-2`` is 22, 23, 0, 1 and 2. Five fields; six begin with seconds.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.utils.translation import gettext, gettext_lazy, ngettext

from app_scheduler.exceptions import InvalidInput

from .cronfields import HINTS, Cron, not_valid
from .days import Days
from .values import shown

MAX_LENGTH = 400
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
PARTS = ("second", "minute", "hour", "day", "month", "day_of_week")
LAST = -1

_LIMITS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "day_of_week": (0, 7),
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMES = {
    "month": {name: i for i, name in enumerate(_MONTHS, 1)},
    "day_of_week": {n: i for i, n in enumerate(_WEEKDAYS)},
}
_HINTS = {
    **HINTS,
    "day": gettext_lazy("Use 1 to 31 or L for the last day, for example 1, 10-20 or */2."),
    "day_of_week": gettext_lazy("Use 0 to 7 (0 and 7 are Sunday) or sun to sat, for example mon-fri, mon#1 or 5L."),
}
_LAST_MARK = re.compile(r"^([0-9]*|sun|mon|tue|wed|thu|fri|sat)l$")
_FORM = gettext_lazy("A crontab line has five fields, minute hour day month weekday, for example 0 3 * * mon-fri.")


@dataclass(frozen=True)
class Crontab:
    """One line. ``weekdays`` and ``positions`` count Monday as 0, as Python does; a position ends in 1–5 or LAST."""

    text: str
    parts: dict[str, str]
    months: tuple[int, ...]
    days: frozenset[int]
    last_day: bool
    weekdays: frozenset[int]
    positions: frozenset[tuple[int, int]]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    @property
    def either_day(self) -> bool:
        """True when a match of the day or of the weekday is enough (crontab(5), the note at its end)."""
        return not self.parts["day"].startswith("*") and not self.parts["day_of_week"].startswith("*")

    def matches(self, day: date) -> bool:
        weekday = day.weekday()
        by_month = day.day in self.days or (self.last_day and day.day == monthrange(day.year, day.month)[1])
        by_week = (
            weekday in self.weekdays
            or (weekday, (day.day + 6) // 7) in self.positions
            or ((weekday, LAST) in self.positions and day.day + 7 > monthrange(day.year, day.month)[1])
        )
        return (by_month or by_week) if self.either_day else (by_month and by_week)


def parse(text: str) -> Crontab:
    """Read a line. Raises InvalidInput by field: second, minute, hour, day, month, day_of_week, or "" for the whole."""
    if len(text) > MAX_LENGTH * 4 or len(" ".join(text.split())) > MAX_LENGTH:
        message = gettext("This crontab line is too long: use at most %(limit)d characters.")
        raise InvalidInput(message % {"limit": MAX_LENGTH})
    return _parse(" ".join(text.split()))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Crontab:
    line = _canonical(text)
    if line == "@reboot":
        raise InvalidInput(
            gettext(
                "@reboot is not supported: a start of the server is no moment in time. Use a date, or an interval such "
                "as every 1h."
            )
        )
    if line.startswith("@") and line not in MACROS:
        message = gettext("%(text)s is not a known shorthand. Use %(shorthands)s.")
        raise InvalidInput(message % {"text": shown(text), "shorthands": ", ".join(MACROS)})
    items = MACROS.get(line, line).split()
    if len(items) not in (5, 6):
        _refuse_command(text, items)
        raise InvalidInput(_wrong_number(text, items))
    parts = dict(zip(PARTS, items if len(items) == 6 else ["0", *items], strict=True))
    errors: dict[str, str] = {}
    values: dict[str, _Values] = {}
    for name, part in parts.items():
        try:
            values[name] = _field(name, part)
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        _refuse_command(text, items)
        raise InvalidInput(errors)
    return Crontab(
        text=line,
        parts=parts,
        months=values["month"].sorted(),
        days=frozenset(values["day"].numbers),
        last_day=values["day"].last_day,
        weekdays=frozenset((number - 1) % 7 for number in values["day_of_week"].numbers),
        positions=frozenset(((number - 1) % 7, nth) for number, nth in values["day_of_week"].positions),
        hours=values["hour"].sorted(),
        minutes=values["minute"].sorted(),
        seconds=values["second"].sorted(),
    )


def _wrong_number(text: str, items: list[str]) -> str:
    message = ngettext("%(text)s has %(count)d field. %(form)s", "%(text)s has %(count)d fields. %(form)s", len(items))
    return message % {"text": shown(text), "count": len(items), "form": _FORM}


def _refuse_command(text: str, items: list[str]) -> None:
    """Refuse a line of a crontab file, whose command follows the five fields."""
    if len(items) > 5 and items[5][0] not in "*0123456789" and not any(_faults(items[:5])):
        message = gettext("%(text)s has more than a schedule in it. Write only %(schedule)s.")
        raise InvalidInput(message % {"text": shown(text), "schedule": " ".join(items[:5])})


def _faults(items: list[str]) -> Iterator[str]:
    for name, part in zip(PARTS[1:], items, strict=True):
        try:
            _field(name, part)
        except ValueError as error:
            yield str(error)


def _canonical(text: str) -> str:
    """One space between fields, names in lower case, L in upper case."""
    if text.startswith("@"):
        return text.lower()
    return " ".join(
        ",".join(_LAST_MARK.sub(r"\1L", item) for item in field.split(",")) for field in text.lower().split(" ")
    )


class _Values:
    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.positions: set[tuple[int, int]] = set()
        self.last_day = False

    def sorted(self) -> tuple[int, ...]:
        return tuple(sorted(self.numbers))


def _field(name: str, part: str) -> _Values:
    values = _Values()
    for item in part.split(","):
        if not item.isascii() or not _special(name, item, values):
            values.numbers.update(_range(name, item))
    return values


def _special(name: str, item: str, values: _Values) -> bool:
    """Read ``L``, ``5L`` and ``mon#1``; refuse what no schedule here can say. False for an ordinary item."""
    if "?" in item:
        raise ValueError(gettext("“?” is not supported. Use * instead."))
    if name == "day":
        if "W" in item.upper():
            raise ValueError(gettext("“W” (the nearest working day) is not supported. Name the days, for example 1-3."))
        if item == "L":
            values.last_day = True
            return True
        if item.startswith("l-") or item.endswith("L"):
            message = gettext("%(item)s is not supported. L alone is the last day of the month.")
            raise ValueError(message % {"item": shown(item)})
    if name == "day_of_week":
        if item == "L":
            raise ValueError(
                gettext("“L” alone is not a weekday. Write 5L for the month's last Friday, or 6 for Saturday.")
            )
        if item.endswith("L"):
            values.positions.add((_number(name, item[:-1], item) % 7, LAST))
            return True
        if "#" in item:
            weekday, _, nth = item.partition("#")
            if nth not in ("1", "2", "3", "4", "5"):
                hint = gettext("After # comes 1 to 5, for example mon#1.")
                raise ValueError(not_valid(name, shown(item), hint))
            values.positions.add((_number(name, weekday, item) % 7, int(nth)))
            return True
    return False


def _number(name: str, text: str, item: str) -> int:
    named = _NAMES.get(name, {}).get(text)
    if named is not None:
        return named
    low, high = _LIMITS[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(not_valid(name, shown(item), _HINTS[name]))
    if not low <= int(text) <= high:
        raise ValueError(not_valid(name, str(int(text)), _HINTS[name]))
    return int(text)


def _range(name: str, item: str) -> Iterable[int]:
    low, high = _LIMITS[name]
    body, slash, step_text = item.partition("/")
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit() and len(step_text) <= 4):
            raise ValueError(not_valid(name, shown(item), gettext("After / comes a whole number, as in */5.")))
        step = int(step_text)
        if step == 0:
            raise ValueError(gettext("A step of 0 never moves on. Use 1 or more, for example */5."))
    first_text, dash, last_text = body.partition("-")
    if body == "*":
        first, last = low, high
    else:
        first = _number(name, first_text, item)
        last = _number(name, last_text, item) if dash else high if slash else first
    if first <= last:
        return range(first, last + 1, step)
    # fri-mon and 22-2 run past the end of their field and go on at its beginning, step by step.
    size = 7 if name == "day_of_week" else high - low + 1
    return ((number - low) % size + low for number in range(first, last + size + 1, step))


@lru_cache(maxsize=4096)
def compiled(text: str) -> Cron:
    """Compile a checked line for evaluation. Fixed (cron(8)): no field of the time of day begins with ``*``."""
    line = parse(text)
    fixed = not any(line.parts[name].startswith("*") for name in ("second", "minute", "hour"))
    days = _days(line.parts["day"], line.parts["month"], line.parts["day_of_week"])
    return Cron(days, line.hours, line.minutes, line.seconds, fixed)


@lru_cache(maxsize=1024)
def _days(day: str, month: str, day_of_week: str) -> Days:
    """Return the days of all lines that agree in these fields, so that a month's are worked out once for them all."""
    line = parse(f"0 0 {day} {month} {day_of_week}")
    only_days = not line.either_day and not line.last_day
    return Days(line.matches, line.months, numbers=sorted(line.days) if only_days else range(1, 32))
