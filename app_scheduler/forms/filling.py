"""What fills in a schedule: a pick, a pasted line, the line at the top, a free minute, another row; and its undoing.

Each comes as a button's name in what was posted, so it works without scripts; with them, the same is posted to the
fragment, whose answer fills the fields in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import triggers
from app_scheduler.documents import Document
from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers.documents import MAX_TRIGGERS
from app_scheduler.triggers.pasted import as_fields, read_pasted
from app_scheduler.triggers.values import shown

from .schedule import (
    SCHEDULE_FIELDS,
    SHARED_FIELDS,
    TRIGGER_FIELDS,
    data_of,
    line_was_typed,
    lines_of,
    schedule_data,
    trigger_from,
)

#: Schedules to start from: (key, name, expression). ``{tomorrow}`` is tomorrow's date.
PICKS = (
    ("weekdays", _("weekdays at 09:00"), "cron day_of_week=mon-fri hour=9 minute=0"),
    ("daily", _("daily at 03:00"), "cron hour=3 minute=0"),
    ("weekly", _("Mondays at 08:00"), "cron day_of_week=mon hour=8 minute=0"),
    ("month-end", _("monthly on the last day"), "cron day=last hour=18 minute=0"),
    ("first-monday", _("first Monday of the month"), "cron day=1st mon hour=9 minute=0"),
    ("office", _("every 15 min in office hours"), "cron day_of_week=mon-fri hour=9-16 minute=*/15"),
    ("hourly", _("every hour"), "cron minute=0"),
    ("quarterly", _("every 3 months"), "calendar months=3 hour=9"),
    ("tomorrow", _("once, tomorrow at 09:00"), "at {tomorrow} 09:00"),
)
#: Buttons that fill in a schedule. They show something and save nothing.
FILLS = ("_pick", "_use", "_fill", "_add", "_remove", "_undo", "_pasted")
#: Inputs that are for a whole line: a crontab line that is pasted there stays one.
LINES = ("expression", "cron_expression")
MAX_UNDO = 60_000


@dataclass(frozen=True, slots=True)
class Filled:
    """What was posted, with the schedule that was filled in; what to say of it, and what undoes it.

    ``undo`` is the schedule before as JSON, or "" where nothing was filled in.
    """

    data: dict[str, Any]
    said: str = ""
    undo: str = ""
    focus: str = ""
    is_filled: bool = False


def pick_expression(key: str) -> str | None:
    expression = next((text for name, _label, text in PICKS if name == key), None)
    tomorrow = timezone.localdate() + timedelta(days=1)
    return expression.format(tomorrow=tomorrow.isoformat()) if expression else None


def pick_data(key: str) -> dict[str, str] | None:
    """Return the form data of a schedule to start from, or None."""
    expression = pick_expression(key)
    return triggers.to_form_data(triggers.parse_expression(expression)) if expression else None


def fill(posted: Mapping[str, Any], *, detect: bool = True) -> Filled:
    """Return what was posted with the schedule filled in as its buttons ask; never raises.

    ``detect`` also finds a crontab line in a field that is for one of its parts.
    """
    filled = Filled({**{name: posted[name] for name in posted}, **schedule_data(posted)})
    given = filled.data
    if "_undo" in posted:
        return _undone(filled, str(posted.get("trigger_undo", "")))
    if "_pick" in posted:
        expression = pick_expression(str(given["_pick"]))
        name = next((label for key, label, _text in PICKS if key == given["_pick"]), "")
        return _with_expression(filled, expression or "", gettext("Filled in: %(schedule)s.") % {"schedule": name})
    if "_use" in posted:
        text = str(given["_use"])
        return _with_expression(filled, text, gettext("Filled in: %(schedule)s.") % {"schedule": text}, whole=True)
    if "_add" in posted:
        return _with_row(filled)
    if "_remove" in posted:
        return _without_row(filled, str(given["_remove"]))
    if "_pasted" in posted:
        return _pasted(filled, str(given["_pasted"]), keep=given.get("_into") in LINES)
    if "_fill" in posted:
        return _from_line(filled)
    return _detected(filled) if detect else filled


def agree(filled: Filled) -> Filled:
    """Bring the line and the fields into agreement: whichever of them was typed last fills in the other.

    Where neither is a schedule yet, a line that was typed stays and one that was not is emptied.
    """
    typed = line_was_typed(filled.data)
    try:
        fields = data_of(trigger_from(filled.data))
    except InvalidInput:
        blank = {} if typed else {"expression": "", "expression_was": ""}
        return replace(filled, data={**filled.data, **blank})
    if not typed:
        # The fields stay as they were typed; those of other types too.
        fields = {name: fields[name] for name in ("expression", "expression_was")}
        return replace(filled, data={**filled.data, **fields})
    rest = {name: value for name, value in filled.data.items() if name not in SCHEDULE_FIELDS}
    return replace(filled, data={**rest, **fields}, is_filled=True)


def _undone(filled: Filled, stored: str) -> Filled:
    try:
        before = json.loads(stored[:MAX_UNDO])
    except (ValueError, RecursionError):
        return filled
    if not isinstance(before, dict):
        return filled
    back = {name: before[name] for name in SCHEDULE_FIELDS if isinstance(before.get(name), str)}
    rest = {name: value for name, value in filled.data.items() if name not in SCHEDULE_FIELDS}
    return Filled({**rest, **back}, said=gettext("As it was before."), is_filled=True)


def _replaced(filled: Filled, fields: Mapping[str, str], said: str) -> Filled:
    """Put ``fields`` in the place of the schedule, and keep what it was for the undoing."""
    before = {name: filled.data[name] for name in SCHEDULE_FIELDS if name in filled.data}
    rest = {name: value for name, value in filled.data.items() if name not in SCHEDULE_FIELDS}
    return Filled({**rest, **fields}, said=said, undo=json.dumps(before, ensure_ascii=False), is_filled=True)


def _filled_in(filled: Filled, document: Document, said: str, *, whole: bool = False) -> Filled:
    """Fill in a trigger. Unless it is the ``whole`` schedule, the zone that is typed stays where it names none."""
    zone = str(filled.data.get("trigger_timezone", "")).strip()
    if whole or not zone or "timezone" in document or document["type"] == "any":
        return _replaced(filled, data_of(document), said)
    try:
        fields = data_of({**document, "timezone": zone})
    except InvalidInput:
        fields = {**data_of(document), "trigger_timezone": zone}
    return _replaced(filled, fields, said)


def _with_expression(filled: Filled, expression: str, said: str, *, whole: bool = False) -> Filled:
    try:
        document = triggers.parse_expression(expression)
        if filled.data.get("trigger_type") == "any" and not whole:
            return _with_rows(filled, [expression], said)
        return _filled_in(filled, document, said, whole=whole)
    except InvalidInput:
        return filled


def _from_line(filled: Filled) -> Filled:
    """Take the line at the top. One that is no schedule stays, and its message is shown beside it."""
    text = str(filled.data.get("expression", ""))
    try:
        return _filled_in(
            filled, triggers.parse_expression(text), gettext("The fields say what the line says."), whole=True
        )
    except InvalidInput:
        return _pasted(filled, text, keep=True)


# --- several schedules ------------------------------------------------------------------------------------------------


def _rows(filled: Filled) -> list[str]:
    """Return the rows as they are; where nothing is in them yet, the schedule that the other fields say."""
    rows = lines_of(str(filled.data.get("any_expressions", "")))
    if not any(rows):
        rows = [str(filled.data.get("expression_was", "")).strip()]
        if " | " in rows[0]:
            rows = [part.strip() for part in rows[0].split(" | ")]
    return rows


def _as_rows(filled: Filled, rows: list[str], said: str, focus: int) -> Filled:
    fields = {"trigger_type": "any", "any_expressions": "\n".join(rows)}
    try:
        line = triggers.format_expression(triggers.from_form_data(fields, allow_past=True))
    except InvalidInput:
        line = ""
    others = {name: filled.data.get(name, "") for name in TRIGGER_FIELDS if name not in ("expression", *fields)}
    others = {name: value for name, value in others.items() if value}
    made = _replaced(filled, {**others, **fields, "expression": line, "expression_was": line}, said)
    return replace(made, focus=f"id_any_expressions_{focus}")


def _with_row(filled: Filled) -> Filled:
    rows = [*_rows(filled), ""]
    if len(rows) > MAX_TRIGGERS:
        return replace(filled, said=gettext("There is no room for more than %(count)d.") % {"count": MAX_TRIGGERS})
    return _as_rows(filled, rows, gettext("Schedule %(number)d was added.") % {"number": len(rows)}, len(rows))


def _with_rows(filled: Filled, lines: list[str], said: str) -> Filled:
    rows = [*(row for row in _rows(filled) if row), *lines]
    if len(rows) > MAX_TRIGGERS:
        return replace(filled, said=gettext("There is no room for more than %(count)d.") % {"count": MAX_TRIGGERS})
    return _as_rows(filled, rows, said, len(rows))


def _without_row(filled: Filled, number: str) -> Filled:
    rows = lines_of(str(filled.data.get("any_expressions", "")))
    if not number.isdecimal() or len(number) > 9 or not 1 <= int(number) <= len(rows):
        return filled
    del rows[int(number) - 1]
    said = gettext("Schedule %(number)s was removed.") % {"number": int(number)}
    return _as_rows(filled, rows, said, min(int(number), max(len(rows), 1)))


# --- pasted lines -----------------------------------------------------------------------------------------------------


def _detected(filled: Filled) -> Filled:
    """Find a crontab line in a field that is for a part of one."""
    kind = str(filled.data.get("trigger_type", ""))
    names = (*triggers.FORM_FIELDS.get(kind, ()), *SHARED_FIELDS.get(kind, ()))
    for name in names:
        text = str(filled.data.get(name, "")).strip()
        if name == "any_expressions" or not text or (name in LINES and _is_line(text)):
            continue
        if read_pasted(text) is not None:
            return _pasted(filled, text, keep=name in LINES)
    line = str(filled.data.get("expression", "")).strip()
    return _pasted(filled, line, keep=True) if line and not _is_line(line) else filled


def _is_line(text: str) -> bool:
    try:
        triggers.parse_expression(text)
    except InvalidInput:
        return False
    return True


def _pasted(filled: Filled, text: str, *, keep: bool = False) -> Filled:
    """Fill in what was pasted; a crontab line goes into the fields, unless it is to be kept as a line."""
    found = read_pasted(text)
    if found is None:
        return filled
    said = ngettext(
        "Filled in from the line that was pasted: %(lines)s.",
        "Filled in from the lines that were pasted: %(lines)s.",
        len(found.lines),
    ) % {"lines": " | ".join(shown(line) for line in found.lines[:3])}
    if found.left_out:
        said += " " + gettext("The command behind it was left out: the function is chosen above.")
    if filled.data.get("trigger_type") == "any" and not keep:
        pasted = "".join(text.split())
        rows = [row for row in _rows(filled) if row and "".join(row.split()) not in ("", pasted)]
        cleared = replace(filled, data={**filled.data, "any_expressions": "\n".join(rows)})
        lines = list(found.lines)
        made = _as_rows(cleared, [*rows, *lines], said, len(rows) + len(lines))
        undo = json.dumps({name: filled.data.get(name, "") for name in SCHEDULE_FIELDS}, ensure_ascii=False)
        return replace(made, undo=undo)
    return _filled_in(filled, found.document if keep else as_fields(found.document), said)
