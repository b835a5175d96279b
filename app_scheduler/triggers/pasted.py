"""Text that somebody pasted: lines of a crontab, with comments and commands, or schedule expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from app_scheduler.exceptions import InvalidInput

from . import crontab
from .cronfields import runs
from .documents import MAX_TRIGGERS, Document, canonical
from .expressions import MAX_LENGTH, format_expression, parse_expression
from .schedules import cron_of

_ZONE = re.compile(r"(?:CRON_TZ|TZ)\s*=\s*[\"']?([^\"'\s]+)[\"']?", re.ASCII)
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=", re.ASCII)
_HEADS = ("every", "at", "cron", "calendar")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_POSITIONS = {crontab.LAST: "last", 1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th"}
#: Days on which fields are compared with the line that they are to say: every length of month, every weekday.
_FIRST_DAY, _DAYS = date(2024, 1, 1), 1_461


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was found: the trigger, its lines as expressions, and whether commands behind them were left out."""

    document: Document
    lines: tuple[str, ...]
    left_out: bool


def read_pasted(text: str) -> Pasted | None:
    """Return what a pasted text says, or None where it is nothing but the value of one field, or is no schedule.

    Comments are passed over, ``CRON_TZ`` names the zone of the lines behind it, and a command behind the five fields
    is left out. Several lines become any of them.
    """
    if len(text) > MAX_LENGTH:
        return None
    documents: list[Document] = []
    left_out, zone = False, ""
    for line in _lines(text):
        named = _ZONE.fullmatch(line)
        if named:
            zone = named[1]
            continue
        if _SETTING.match(line):
            continue
        found = _schedule(line)
        if found is None or len(documents) >= MAX_TRIGGERS:
            return None
        document, has_command = found
        left_out = left_out or has_command
        parts = document["triggers"] if document["type"] == "any" else [document]
        documents += [{**part, "timezone": zone} if zone and "timezone" not in part else part for part in parts]
    try:
        documents = [canonical(document) for document in documents]
        if not documents:
            return None
        whole = documents[0] if len(documents) == 1 else canonical({"type": "any", "triggers": documents})
    except InvalidInput:
        return None
    return Pasted(whole, tuple(format_expression(document) for document in documents), left_out)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _schedule(line: str) -> tuple[Document, bool] | None:
    """Return the schedule of a line and whether a command follows it."""
    words = line.split()
    shorthand = words[0].startswith("@")
    if not shorthand and len(words) < 5 and words[0].lower() not in _HEADS:
        return None
    if len(words) < 2 and not shorthand:
        return None
    head = 1 if shorthand else 5
    for text, has_command in ((line, False), (" ".join(words[:head]), True)):
        try:
            return parse_expression(text), has_command
        except InvalidInput:
            continue
    return None


def as_fields(document: Document) -> Document:
    """Return the same schedule by fields where a crontab line can be said so exactly, else the document as it is."""
    if "expression" not in document:
        return document
    line = crontab.parse(document["expression"])
    fields = {"type": "cron", **_fields(line), **{k: v for k, v in document.items() if k not in ("type", "expression")}}
    try:
        found = canonical(fields)
    except InvalidInput:
        return document
    return found if _is_same(found, document) else document


def _fields(line: crontab.Crontab) -> Document:
    parts = line.parts
    fields = {name: parts[name] for name in ("minute", "hour", "month") if name == "minute" or parts[name] != "*"}
    if parts["second"] != "0":
        fields["second"] = parts["second"]
    if parts["day"] != "*":
        fields["day"] = ",".join("last" if item == "L" else item for item in parts["day"].split(","))
    if line.positions:
        positions = sorted(line.positions, key=lambda position: (position[1] % 7, position[0]))
        fields["day"] = ",".join(f"{_POSITIONS[nth]} {_WEEKDAYS[weekday]}" for weekday, nth in positions)
    elif parts["day_of_week"] != "*":
        fields["day_of_week"] = runs(sorted(line.weekdays), lambda number: _WEEKDAYS[number])
    return fields


def _is_same(one: Document, other: Document) -> bool:
    first, second = cron_of(one), cron_of(other)
    if first[1:] != second[1:]:
        return False
    day, end = _FIRST_DAY, _FIRST_DAY + timedelta(days=_DAYS)
    while day < end:
        found = first.days.first_from(day)
        if found != second.days.first_from(day):
            return False
        if found is None:
            break
        day = found + timedelta(days=1)
    return True
