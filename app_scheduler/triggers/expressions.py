"""Schedule expressions: a trigger document as one readable line, and back without loss.

::

    0 3 * * mon-fri                              a crontab line, or @daily and the like
    cron hour=3 day=1st mon,last fri             fields as APScheduler means them
    every 1h 30m                                 also: every 2 hours, every hour
    at 2026-12-01 12:00
    calendar months=2 hour=9
    <any of these> in Australia/Sydney from 2026-01-01 until 2026-12-31 12:00 jitter 30s
    every 3h | every 5h                          any of several
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

from .cronfields import FIELDS
from .documents import (
    CALENDAR_UNITS,
    CLOCK,
    FORMS,
    INTERVAL_UNITS,
    MAX_TRIGGERS,
    Document,
    canonical,
    kind_of,
    shown_moment,
    too_many_triggers,
)
from .values import grouped, shown

# Longer than the longest valid trigger: eight fields of 200 characters and its clauses.
MAX_PART = 2_500
MAX_LENGTH = MAX_PART * MAX_TRIGGERS

_CLAUSES = {"in": "timezone", "from": "start_date", "until": "end_date", "jitter": "jitter"}
_UNITS = {unit[0]: unit for unit in INTERVAL_UNITS}
_UNIT_WORDS = {
    **_UNITS,
    **{unit: unit for unit in INTERVAL_UNITS},
    **{unit[:-1]: unit for unit in INTERVAL_UNITS},
    **{"hr": "hours", "hrs": "hours", "min": "minutes", "mins": "minutes", "sec": "seconds", "secs": "seconds"},
}
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_SPAN = re.compile(r"(?P<number>[0-9]*)\s*(?P<unit>[a-z]+)(?:\s+and\b)?\s*", re.IGNORECASE | re.ASCII)
_KEY_VALUE = re.compile(r"([a-z_]+)=(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)


def parse_expression(text: str) -> Document:
    """Return the canonical document of an expression. Raises InvalidInput({"": …}); never says whether it is past."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(_say_when())
    if len(text) > MAX_LENGTH:
        raise InvalidInput(_too_long(MAX_LENGTH))
    body = text.strip()
    several = bool(re.match(r"any of\s", body, re.IGNORECASE))
    if several:
        body = body[len("any of ") :]
    parts = body.split("|", MAX_TRIGGERS)
    if len(parts) > MAX_TRIGGERS:
        raise InvalidInput(too_many_triggers())
    if len(parts) == 1 and not several:
        return _single(parts[0])
    triggers = []
    messages: list[str] = []
    for number, part in enumerate(parts, 1):
        try:
            triggers.append(_single(part))
        except InvalidInput as error:
            message = gettext("%(part)s (number %(number)d): %(message)s")
            messages += [message % {"part": shown(part.strip()), "number": number, "message": m} for m in error.lines()]
    if messages:
        raise InvalidInput({"": messages})
    return {"type": "any", "triggers": triggers}


def _say_when() -> str:
    return gettext("Say when to run. %(forms)s") % {"forms": FORMS}


def _too_long(limit: int) -> str:
    return gettext("This schedule expression is too long: use at most %(limit)s characters.") % {
        "limit": grouped(limit)
    }


def _single(text: str) -> Document:
    if len(text) > MAX_PART:
        raise InvalidInput(_too_long(MAX_PART))
    words = text.split()
    if not words:
        raise InvalidInput(_say_when())
    body, clauses = _clauses(words)
    document = _body(body) if body else None
    if document is None:
        message = gettext("%(text)s is not a schedule. %(forms)s")
        raise InvalidInput(message % {"text": shown(text.strip()), "forms": FORMS})
    for name, value in clauses.items():
        document[name] = _span_seconds(value) if name == "jitter" else value
    try:
        return canonical(document)
    except InvalidInput as error:
        # The line itself is the expression: only the fields within it are named.
        raise InvalidInput({"": [line.removeprefix("expression: ") for line in error.lines()]}) from None


def _clauses(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Part the words of the schedule from the clauses behind it."""
    body: list[str] = []
    clauses: dict[str, str] = {}
    current: str | None = None
    for word in words:
        name = _CLAUSES.get(word.lower())
        if name is not None:
            if name in clauses:
                raise InvalidInput(_twice(word))
            current, clauses[name] = name, ""
        elif current is None:
            body.append(word)
        else:
            clauses[current] = f"{clauses[current]} {word}".strip()
    for word, name in _CLAUSES.items():
        if clauses.get(name) == "":
            raise InvalidInput(gettext("Nothing follows “%(word)s”. %(forms)s") % {"word": word, "forms": FORMS})
    return body, clauses


def _twice(word: str) -> str:
    return gettext("“%(word)s” is given twice. Keep one of them.") % {"word": word}


def _body(words: list[str]) -> Document | None:
    head, rest = words[0].lower(), words[1:]
    parse = _BODIES.get(head)
    if parse is not None:
        return parse(rest)
    if head.startswith("@") or len(words) in (5, 6):
        return {"type": "cron", "expression": " ".join(words)}
    return None


def _every(words: list[str]) -> Document:
    return {"type": "interval", **_span(" ".join(words), "every 1h 30m")}


def _at(words: list[str]) -> Document:
    return {"type": "date", "run_date": " ".join(words)}


def _cron(words: list[str]) -> Document:
    return {"type": "cron", **_key_values(words, FIELDS, "cron hour=3 day_of_week=mon-fri")}


def _calendar(words: list[str]) -> Document:
    return {"type": "calendar", **_key_values(words, (*CALENDAR_UNITS, *CLOCK), "calendar months=2 hour=9")}


_BODIES: dict[str, Callable[[list[str]], Document]] = {"every": _every, "at": _at, "cron": _cron, "calendar": _calendar}


def _key_values(words: Iterable[str], names: tuple[str, ...], example: str) -> dict[str, str]:
    """Read ``hour=3 day=1st mon``: a word without ``=`` continues the value before it."""
    values: dict[str, str] = {}
    last = ""
    for word in words:
        match = _KEY_VALUE.fullmatch(word)
        if match:
            last = match[1].lower()
            if last not in names:
                message = gettext("%(name)s is not a field. Use %(names)s, for example: %(example)s")
                raise InvalidInput(message % {"name": shown(match[1]), "names": ", ".join(names), "example": example})
            if last in values:
                raise InvalidInput(_twice(last))
            values[last] = match[2]
        elif last:
            values[last] = f"{values[last]} {word}"
        else:
            message = gettext("%(word)s is not a field with its value. Write it like this: %(example)s")
            raise InvalidInput(message % {"word": shown(word), "example": example})
    empty = next((name for name, value in values.items() if not value.strip()), None)
    if empty:
        message = gettext("“%(name)s” has no value. Write it like this: %(example)s")
        raise InvalidInput(message % {"name": empty, "example": example})
    return values


def _span(text: str, example: str) -> dict[str, int]:
    """Read ``1h 30m``, ``2 hours``, ``hour``, ``1 hour and 30 minutes`` into whole numbers by unit."""
    span: dict[str, int] = {}
    position = 0
    while position < len(text):
        match = _SPAN.match(text, position)
        unit = _UNIT_WORDS.get(match["unit"].lower()) if match else None
        if match is None or unit is None:
            raise InvalidInput(_span_problem(text, example))
        if not match["number"] and span:
            raise InvalidInput(_span_problem(text, example))
        if unit in span:
            message = gettext("%(text)s gives %(unit)s twice. Write one sum, for example %(example)s.")
            raise InvalidInput(message % {"text": shown(text), "unit": unit, "example": example})
        if len(match["number"]) > 12:
            message = gettext("%(number)s %(unit)s is too long. An interval is at most 100 years.")
            raise InvalidInput(message % {"number": shown(match["number"]), "unit": unit})
        span[unit] = int(match["number"] or 1)
        position = match.end()
    if not span:
        raise InvalidInput(_span_problem(text, example))
    return span


def _span_problem(text: str, example: str) -> str:
    lower = text.lower()
    if "month" in lower or "year" in lower:
        unit = "months" if "month" in lower else "years"
        return gettext("Months and years differ in length. Write, for example, calendar %(unit)s=1 hour=9.") % {
            "unit": unit
        }
    message = gettext("%(text)s is not a length of time. Use w, d, h, m and s with whole numbers, as in %(example)s.")
    return message % {"text": shown(text), "example": example}


def _span_seconds(text: str) -> int | str:
    if text.isdigit():
        return text
    return sum(number * _SECONDS[unit] for unit, number in _span(text, "jitter 30s").items())


def format_expression(document: Mapping[str, Any]) -> str:
    """Return the expression of a document: ``parse_expression`` of it gives the canonical document back."""
    document = canonical(document)
    if document["type"] == "any":
        parts = [_formatted(child) for child in document["triggers"]]
        # One alone would read as a schedule of its own kind.
        return f"any of {parts[0]}" if len(parts) == 1 else " | ".join(parts)
    return _formatted(document)


def _formatted(document: Document) -> str:
    words = [_FORMATS[kind_of(document)](document)]
    for word, name in _CLAUSES.items():
        if name in document:
            value = document[name]
            if name == "jitter":
                words.append(f"{word} {_short_span({'seconds': value})}")
            else:
                words.append(f"{word} {value if name == 'timezone' else shown_moment(value)}")
    return " ".join(words)


def _short_span(span: Mapping[str, Any]) -> str:
    return " ".join(f"{span[unit]}{unit[0]}" for unit in INTERVAL_UNITS if unit in span)


def _format_cron(document: Document) -> str:
    if "expression" in document:
        return str(document["expression"])
    return "cron " + " ".join(f"{name}={document[name]}" for name in FIELDS if name in document)


_FORMATS: dict[str, Callable[[Document], str]] = {
    "interval": lambda document: f"every {_short_span(document)}",
    "cron": _format_cron,
    "date": lambda document: f"at {shown_moment(document['run_date'])}",
    "calendar": lambda document: (
        "calendar " + " ".join(f"{name}={document[name]}" for name in (*CALENDAR_UNITS, *CLOCK) if name in document)
    ),
}
