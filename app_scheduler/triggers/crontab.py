"""Crontab lines as crontab(5) of Debian's cron means them, and ``#`` and ``L`` of other crons where they are clear.

Weekdays are Sunday 0 to Saturday 6, and 7 is Sunday too. If both the day of the month and the weekday are restricted,
that is, neither begins with ``*``, a day that matches either is due; otherwise both must match. Five fields; six begin
with seconds.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from app_scheduler.exceptions import InvalidInput

from .cronfields import Cron
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
_NOUNS = {
    "second": "second",
    "minute": "minute",
    "hour": "hour",
    "day": "day of the month",
    "month": "month",
    "day_of_week": "weekday",
}
_HINTS = {
    "second": "Use 0 to 59, for example 0, 15-45 or */5.",
    "minute": "Use 0 to 59, for example 0, 15-45 or */5.",
    "hour": "Use 0 to 23, for example 9, 9-17 or */2.",
    "day": "Use 1 to 31 or L for the last day, for example 1, 10-20 or */2.",
    "month": "Use 1 to 12 or jan to dec, for example 1, jan-mar or */3.",
    "day_of_week": "Use 0 to 7 (0 and 7 are Sunday) or sun to sat, for example mon-fri, mon#1 or 5L.",
}
_LAST_MARK = re.compile(r"^([0-9]*|sun|mon|tue|wed|thu|fri|sat)l$")
_FORM = "A crontab line has five fields, minute hour day month weekday, for example 0 3 * * mon-fri."


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
        raise InvalidInput(f"This crontab line is too long: use at most {MAX_LENGTH} characters.")
    return _parse(" ".join(text.split()))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Crontab:
    line = _canonical(text)
    if line == "@reboot":
        raise InvalidInput(
            "@reboot is not supported: a start of the server is no moment in time. Use a date, or an interval such as "
            "every 1h."
        )
    if line.startswith("@") and line not in MACROS:
        raise InvalidInput(f"{shown(text)} is not a known shorthand. Use {', '.join(MACROS)}.")
    items = MACROS.get(line, line).split()
    if len(items) not in (5, 6):
        raise InvalidInput(f"{shown(text)} has {len(items)} fields. {_FORM}")
    parts = dict(zip(PARTS, items if len(items) == 6 else ["0", *items], strict=True))
    errors: dict[str, str] = {}
    values: dict[str, _Values] = {}
    for name, part in parts.items():
        try:
            values[name] = _field(name, part)
        except ValueError as error:
            errors[name] = str(error)
    if errors:
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
        raise ValueError("“?” is not supported. Use * instead.")
    if name == "day":
        if "W" in item.upper():
            raise ValueError("“W” (the nearest working day) is not supported. Name the days, for example 1-3.")
        if item == "L":
            values.last_day = True
            return True
        if item.startswith("l-") or item.endswith("L"):
            raise ValueError(f"{shown(item)} is not supported. L alone is the last day of the month.")
    if name == "day_of_week":
        if item == "L":
            raise ValueError("“L” alone is not a weekday. Write 5L for the month's last Friday, or 6 for Saturday.")
        if item.endswith("L"):
            values.positions.add((_number(name, item[:-1], item) % 7, LAST))
            return True
        if "#" in item:
            weekday, _, nth = item.partition("#")
            if nth not in ("1", "2", "3", "4", "5"):
                raise ValueError(f"{shown(item)} is not a valid weekday. After # comes 1 to 5, for example mon#1.")
            values.positions.add((_number(name, weekday, item) % 7, int(nth)))
            return True
    return False


def _number(name: str, text: str, item: str) -> int:
    named = _NAMES.get(name, {}).get(text)
    if named is not None:
        return named
    low, high = _LIMITS[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(f"{shown(item)} is not a valid {_NOUNS[name]}. {_HINTS[name]}")
    if not low <= int(text) <= high:
        raise ValueError(f"{int(text)} is not a valid {_NOUNS[name]}. {_HINTS[name]}")
    return int(text)


def _range(name: str, item: str) -> range:
    low, high = _LIMITS[name]
    body, slash, step_text = item.partition("/")
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit() and len(step_text) <= 4):
            raise ValueError(f"{shown(item)} is not a valid {_NOUNS[name]}. After / comes a whole number, as in */5.")
        step = int(step_text)
        if step == 0:
            raise ValueError("A step of 0 never moves on. Use 1 or more, for example */5.")
    first_text, dash, last_text = body.partition("-")
    if body == "*":
        first, last = low, high
    else:
        first = _number(name, first_text, item)
        last = _number(name, last_text, item) if dash else high if slash else first
    if dash and name == "day_of_week" and last_text == "sun" and first > 0:
        # crontab(5) writes Sunday as 7 where a range ends with it.
        last = 7
    if first > last:
        raise ValueError(f"{shown(item)} runs backwards. {_forwards(name, first, last)}")
    return range(first, last + 1, step)


def _forwards(name: str, first: int, last: int) -> str:
    low, high = _LIMITS[name]
    if name == "day_of_week":
        return f"Write {_WEEKDAYS[first % 7]}-sun,{'mon' if last == 1 else f'mon-{_WEEKDAYS[last % 7]}'}."
    head = str(first) if first == high else f"{first}-{high}"
    return f"Write {head},{low if last == low else f'{low}-{last}'}."


@lru_cache(maxsize=4096)
def compiled(text: str) -> Cron:
    """Compile a checked line for evaluation. Fixed (cron(8)): no field of the time of day begins with ``*``."""
    line = parse(text)
    fixed = not any(line.parts[name].startswith("*") for name in ("second", "minute", "hour"))
    return Cron(Days(line.matches, line.months), line.hours, line.minutes, line.seconds, fixed)
