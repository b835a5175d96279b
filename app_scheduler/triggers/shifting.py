"""The same schedule some minutes later: for moving a job away from a minute at which many others start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from app_scheduler.exceptions import InvalidInput

from . import crontab
from .cronfields import effective_fields, given_fields
from .documents import Document, canonical

_STEP = re.compile(r"(?:\*|0-59|0)/(\d{1,2})", re.ASCII)
_NUMBERS = re.compile(r"\d{1,2}(?:,\d{1,2})*", re.ASCII)


def shifted(document: Mapping[str, object], minutes: int) -> Document | None:
    """Return the schedule with each of its ticks ``minutes`` later, within the same hour; None where it has no such.

    Intervals have none: they begin when they are saved. Neither has any-of, whose parts would move together.
    """
    checked = canonical(document)
    later: Document | None = None
    if checked["type"] == "cron" and "expression" in checked:
        later = _shifted_line(checked, minutes)
    elif checked["type"] == "cron":
        text = _later(effective_fields(given_fields(checked))["minute"], minutes)
        later = {**checked, "minute": text} if text else None
    elif checked["type"] == "calendar":
        minute = checked.get("minute", 0) + minutes
        later = {**checked, "minute": minute} if minute < 60 else None
    elif checked["type"] == "date":
        moment = datetime.fromisoformat(checked["run_date"])
        if moment.minute + minutes < 60:
            later = {**checked, "run_date": (moment + timedelta(minutes=minutes)).isoformat()}
    try:
        return canonical(later) if later else None
    except InvalidInput:
        return None


def _shifted_line(document: Document, minutes: int) -> Document | None:
    expression: str = document["expression"]
    words = crontab.MACROS.get(expression, expression).split()
    text = _later(words[-5], minutes)
    if text is None:
        return None
    words[-5] = text
    return {**document, "expression": " ".join(words)}


def minute_text(document: Mapping[str, object]) -> str:
    """Return the minutes of a cron schedule as its field says them, or "" for another type."""
    checked = canonical(document)
    if checked["type"] != "cron":
        return ""
    if "expression" in checked:
        expression: str = checked["expression"]
        return crontab.MACROS.get(expression, expression).split()[-5]
    return effective_fields(given_fields(checked))["minute"]


def _later(text: str, minutes: int) -> str | None:
    """Return the field for minutes of the hour, later; None where it would leave the hour or is not understood."""
    step = _STEP.fullmatch(text)
    if step:
        return f"{minutes}-59/{step[1]}" if minutes < int(step[1]) and 60 % int(step[1]) == 0 else None
    if not _NUMBERS.fullmatch(text):
        return None
    numbers = [int(number) + minutes for number in text.split(",")]
    return ",".join(map(str, numbers)) if max(numbers) < 60 else None
