"""A trigger as flat form data, and back: every valid document survives the round trip."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

from .cronfields import FIELDS
from .documents import CALENDAR_UNITS, CLOCK, INTERVAL_UNITS, KINDS, MAX_TRIGGERS, Document, canonical
from .expressions import format_expression
from .normalising import normalise
from .values import shown

_SHARED = ("trigger_timezone", "trigger_start_date", "trigger_end_date", "trigger_jitter")

# The names of the form's fields, grouped by the type of trigger that reads them.
FORM_FIELDS: dict[str, tuple[str, ...]] = {
    "type": ("trigger_type",),
    "interval": tuple(f"interval_{unit}" for unit in INTERVAL_UNITS),
    "cron": (*(f"cron_{name}" for name in FIELDS), "cron_expression"),
    "date": ("date_run_date",),
    "calendar": tuple(f"calendar_{name}" for name in (*CALENDAR_UNITS, *CLOCK)),
    "any": ("any_expressions",),
    "expression": ("expression",),
    "shared": _SHARED,
}
# Where a message about the whole trigger is shown.
_MAIN = {
    "interval": "interval_hours",
    "cron": "cron_expression",
    "date": "date_run_date",
    "calendar": "calendar_months",
    "any": "any_expressions",
    "expression": "expression",
}
_SHARED_BY_TYPE = {
    "interval": _SHARED,
    "cron": _SHARED,
    "date": ("trigger_timezone",),
    "calendar": _SHARED,
    "any": (),
    "expression": (),
}


def to_form_data(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the filled fields only; a field that is not named is empty."""
    document = canonical(document)
    kind = document["type"]
    data = {"trigger_type": kind}
    if kind == "any":
        data["any_expressions"] = "\n".join(format_expression(child) for child in document["triggers"])
        return data
    for name, value in document.items():
        if name != "type":
            shared = f"trigger_{name}"
            data[shared if shared in _SHARED else f"{kind}_{name}"] = str(value)
    return data


def from_form_data(data: Mapping[str, str], *, now: datetime | None = None, allow_past: bool = False) -> Document:
    """Return the document of a filled form. Raises InvalidInput keyed by the names of FORM_FIELDS.

    Only the fields of the chosen type and the shared ones are read.
    """
    kind = _text(data, "trigger_type")
    if kind not in _MAIN:
        types = {"type": shown(kind), "types": ", ".join(KINDS)}
        if kind:
            message = gettext("%(type)s is not a type of trigger. Choose %(types)s or expression.") % types
        else:
            message = gettext("Choose %(types)s or expression.") % types
        raise InvalidInput({"trigger_type": message})
    errors = {
        name: _misplaced(name, kind) for name in _SHARED if name not in _SHARED_BY_TYPE[kind] and _text(data, name)
    }
    if errors:
        raise InvalidInput(errors)
    if kind == "any":
        return _any(_text(data, "any_expressions"), now=now, allow_past=allow_past)
    if kind == "expression":
        return _expression(_text(data, "expression"), now=now, allow_past=allow_past)
    document: Document = {"type": kind}
    for field in (*FORM_FIELDS[kind], *_SHARED_BY_TYPE[kind]):
        document[field.partition("_")[2]] = _text(data, field)
    try:
        return normalise(document, now=now, allow_past=allow_past)
    except InvalidInput as error:
        raise InvalidInput({_field_of(kind, path): messages for path, messages in error.errors.items()}) from None


def _text(data: Mapping[str, str], name: str) -> str:
    value = data.get(name)
    return "" if value is None else str(value).strip()


def _misplaced(name: str, kind: str) -> str:
    if kind in ("any", "expression"):
        word = {"timezone": "in Australia/Sydney", "start_date": "from 2026-01-01", "end_date": "until 2026-12-31"}
        clause = word.get(name.removeprefix("trigger_"), "jitter 30s")
        message = gettext("Leave this empty and write it in the expression, for example: every 3h %(clause)s")
        return message % {"clause": clause}
    return gettext("A single run has no such setting. Leave this empty.")


def _field_of(kind: str, path: str) -> str:
    if not path:
        return _MAIN[kind]
    shared = f"trigger_{path}"
    return shared if shared in (*_SHARED, "trigger_type") else f"{kind}_{path}"


def _any(text: str, *, now: datetime | None, allow_past: bool) -> Document:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InvalidInput({"any_expressions": gettext("Write one schedule on each line, for example: every 3h")})
    if len(lines) > MAX_TRIGGERS:
        message = gettext("Use at most %(count)d schedules, one on each line.")
        raise InvalidInput({"any_expressions": message % {"count": MAX_TRIGGERS}})
    triggers: list[Document] = []
    messages: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            triggers.append(normalise(line, now=now, allow_past=allow_past))
        except InvalidInput as error:
            messages += [
                gettext("Line %(number)d: %(message)s") % {"number": number, "message": message}
                for message in error.lines()
            ]
    if messages:
        raise InvalidInput({"any_expressions": messages})
    try:
        return normalise({"type": "any", "triggers": triggers}, now=now, allow_past=True)
    except InvalidInput as error:
        raise InvalidInput({"any_expressions": list(error.lines())}) from None


def _expression(text: str, *, now: datetime | None, allow_past: bool) -> Document:
    try:
        return normalise(text, now=now, allow_past=allow_past)
    except InvalidInput as error:
        raise InvalidInput({"expression": list(error.lines())}) from None
