"""A job as one row of a table: CSV and XLSX say the same things in the same columns.

An empty cell leaves its field out: a new job takes the default, an existing one keeps what it has.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import triggers
from app_scheduler.documents import FIELDS, READ_ONLY, Document
from app_scheduler.exceptions import InvalidInput

from .plain import check_plain, load_json
from .rows import JobRows, SourceRow, check_count

#: The columns as they are written: what a person looks for first comes first.
COLUMNS = (
    "id",
    "name",
    "schedule",
    "function",
    "args",
    "kwargs",
    "paused",
    "tags",
    "description",
    "timeout",
    "max_retries",
    "retry_backoff",
    "misfire_grace_time",
    "max_instances",
    "coalesce",
    "rerun_if_interrupted",
    "executor",
    "queue",
    "priority",
    "concurrency_group",
)
#: Columns as they are read: the trigger may also come under its own name, and what only readers get is ignored.
KNOWN = (*COLUMNS, "trigger")
#: Cells of one row that are looked at. More than the columns, so that a stray one is found, and not without end.
MAX_CELLS = 60

_OPTIONAL_NUMBERS = frozenset({"misfire_grace_time", "timeout"})
_NUMBERS = frozenset({"max_retries", "retry_backoff", "max_instances", "priority"}) | _OPTIONAL_NUMBERS
_NAMES = frozenset({"queue", "concurrency_group"})
_BOOLEANS = frozenset({"paused", "coalesce", "rerun_if_interrupted"})
_JSON = {"args": _('a list, for example [7, "all"]'), "kwargs": _('an object, for example {"days": 30}')}

#: What stands for null in a cell, since an empty one leaves the field out.
NONE = "none"


class _LeftOut:
    """The type of ``LEFT_OUT``: the cell says nothing."""


LEFT_OUT: Final = _LeftOut()


@dataclass(frozen=True, slots=True)
class BadCell:
    """Stands in for a cell that could not be read."""

    message: str


# --- formulas -----------------------------------------------------------------------------------------------------

# A spreadsheet takes text with such a beginning for a formula; the full-width forms count in East Asian locales.
_FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
_MARKED = re.compile(f"'[{re.escape(_FORMULA_STARTS)}']")


def escape(text: str) -> str:
    """Return ``text`` such that no spreadsheet calculates it: with an apostrophe before it. ``unescape`` undoes it.

    Text that begins with an apostrophe gets another, or it could not be told from text that was escaped.
    """
    return f"'{text}" if text[:1] and (text[0] in _FORMULA_STARTS or text[0] == "'") else text


def unescape(text: str) -> str:
    """Return what ``escape`` was given; an apostrophe before anything harmless is part of the text."""
    return text[1:] if _MARKED.match(text) or text == "''" else text


# --- writing ------------------------------------------------------------------------------------------------------


def cells_of(document: Mapping[str, Any]) -> list[str | int | bool | None]:
    """Return a document as cells in the order of ``COLUMNS``. Text is not escaped yet."""
    return [_cell(column, document) for column in COLUMNS]


def _cell(column: str, document: Mapping[str, Any]) -> str | int | bool | None:
    if column == "schedule":
        return _schedule(document["trigger"])
    value: Any = document[column]
    if column in _JSON:
        return json_text(value)
    if column == "tags":
        return ", ".join(value)
    if value is None or (column in _NAMES and not value):
        return NONE
    return value


def _schedule(trigger: Document) -> str:
    try:
        return triggers.format_expression(trigger)
    except InvalidInput:
        # A trigger from before a rule was made stricter: it is still exported, and the import says what is wrong.
        return json_text(trigger)


def json_text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # Not characters: XML has no way to hold them.
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


# --- reading ------------------------------------------------------------------------------------------------------


def read_table(numbered: Iterable[tuple[int, Sequence[Any]]]) -> JobRows:
    """Read a table whose first row that is not blank names the columns. Raises ``InvalidInput`` for the whole file."""
    headings: list[str] | None = None
    rows: list[SourceRow] = []
    for number, cells in numbered:
        if all(_is_blank(cell) for cell in cells):
            continue
        if headings is None:
            headings = read_headings(cells)
            continue
        check_count(len(rows) + 1)
        rows.append(_read_row(number, headings, cells))
    if headings is None:
        raise InvalidInput(
            gettext("The file is empty. Its first row names the columns: %(names)s.") % {"names": ", ".join(COLUMNS)}
        )
    if not rows:
        raise InvalidInput(gettext("The file names its columns but has no jobs. Add a row for each job."))
    return JobRows(rows, headings)


def read_headings(cells: Sequence[Any]) -> list[str]:
    """Return the columns' names; ``""`` for one without. Raises ``InvalidInput`` with everything wrong with them."""
    names = ["" if _is_blank(cell) else _heading(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    known = {*KNOWN, *READ_ONLY}
    if not known & set(names):
        raise InvalidInput(
            gettext(
                "The first row does not name the columns of jobs. They are %(names)s; only id is needed to change "
                "jobs. Is this the right file?"
            )
            % {"names": ", ".join(COLUMNS)}
        )
    messages = []
    for position, name in enumerate(names):
        if name and name not in known:
            near = get_close_matches(name, KNOWN, n=1)
            hint = (
                gettext("Did you mean “%(name)s”?") % {"name": near[0]}
                if near
                else gettext("The columns are %(names)s.") % {"names": ", ".join(COLUMNS)}
            )
            messages.append(gettext("There is no column “%(name)s”. %(hint)s") % {"name": name[:60], "hint": hint})
        elif name and name in names[:position]:
            messages.append(gettext("The column “%(name)s” is there twice. Remove one of them.") % {"name": name})
    if "id" not in names:
        messages.append(gettext("The column “id” is missing. Add it: it says which job each row is about."))
    if messages:
        raise InvalidInput({"": messages})
    return names


def _heading(cell: Any) -> str:
    return re.sub(r"[\s-]+", "_", str(cell.message if isinstance(cell, BadCell) else cell).strip().lower())


def _read_row(number: int, headings: list[str], cells: Sequence[Any]) -> SourceRow:
    row = SourceRow(number, {})
    shape = _misfit(headings, cells)
    if shape:
        row.faults[""] = [shape]
        return row
    for name, cell in zip(headings, cells, strict=False):
        if not name or (name in READ_ONLY and name != "schedule"):
            continue
        try:
            value = _read_cell(name, cell)
        except InvalidInput as error:
            row.faults[name] = [line for messages in error.errors.values() for line in messages]
            continue
        if value is LEFT_OUT:
            continue
        field = "trigger" if name == "schedule" else name
        if field in row.document:
            row.faults[name] = [gettext("Both “schedule” and “trigger” say when the job runs. Empty one of them.")]
        row.document[field] = value
        if name == "schedule":
            row.renamed = {"trigger": "schedule"}
    if "schedule" in headings and "trigger" not in row.document:
        row.renamed = {"trigger": "schedule"}
    return row


def _misfit(headings: list[str], cells: Sequence[Any]) -> str:
    """Say how a row does not fit below its headings, or nothing. A shifted cell would end up in another field."""
    if len(cells) < len(headings):
        text = ngettext(
            "This row has %(count)s cell, the first row names %(columns)s columns. Are separators missing?",
            "This row has %(count)s cells, the first row names %(columns)s columns. Are separators missing?",
            len(cells),
        )
        return text % {"count": len(cells), "columns": len(headings)}
    for position, cell in enumerate(cells):
        unnamed = position >= len(headings) or not headings[position]
        if unnamed and not _is_blank(cell):
            return gettext(
                "Cell %(position)s of this row is in a column without a name. Name the column, or put text that "
                "has a separator in it in quotation marks."
            ) % {"position": position + 1}
    return ""


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _read_cell(column: str, cell: Any) -> Any:
    """Return what a cell says. Raises ``InvalidInput``."""
    if isinstance(cell, BadCell):
        raise InvalidInput(cell.message)
    if _is_blank(cell):
        return LEFT_OUT
    if isinstance(cell, str):
        cell = unescape(cell.strip())
    if column in ("schedule", "trigger"):
        return _read_trigger(cell)
    if column in _JSON:
        return _read_json(column, cell)
    if column in _BOOLEANS:
        return {"true": True, "false": False}.get(cell.lower(), cell) if isinstance(cell, str) else cell
    if column in _NUMBERS:
        return _read_number(column, cell) if isinstance(cell, str) else cell
    if column in _NAMES and isinstance(cell, str) and cell.lower() == NONE:
        return ""
    return _read_tags(cell) if column == "tags" else _read_text(cell)


def _read_number(column: str, text: str) -> int | str | None:
    """Return the number that a cell plainly is; the rest is for the check of the document to refuse."""
    if column in _OPTIONAL_NUMBERS and text.lower() in {NONE, "null", "unlimited"}:
        return None
    return int(text) if re.fullmatch("-?[0-9]{1,11}", text) else text


def _read_trigger(cell: Any) -> Any:
    if isinstance(cell, Mapping):
        return cell
    if not isinstance(cell, str):
        raise InvalidInput(
            gettext(
                "This is a number or a date, not a schedule. Format the cell as text and write, for example, "
                "“every 1h”, “0 3 * * *” or “at 2027-01-31 12:00”."
            )
        )
    if cell.startswith("{"):
        return _load(cell)
    try:
        return triggers.parse_expression(cell)
    except InvalidInput:
        # Whoever checks the document says what is wrong with it.
        return cell


def _read_json(column: str, cell: Any) -> Any:
    if isinstance(cell, (list, tuple, Mapping)):
        return cell
    if not isinstance(cell, str):
        raise InvalidInput(gettext("Write %(wanted)s.") % {"wanted": _JSON[column]})
    try:
        return _load(cell)
    except InvalidInput as error:
        fault = " ".join(error.lines())
        raise InvalidInput(
            gettext("This is not %(wanted)s. %(fault)s") % {"wanted": _JSON[column], "fault": fault}
        ) from None


def _load(text: str) -> Any:
    value = load_json(text)
    check_plain(value)
    return value


def _read_tags(cell: Any) -> Any:
    if isinstance(cell, (list, tuple)):
        return cell
    return [tag.strip() for tag in _read_text(cell).split(",") if tag.strip()]


def _read_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and math.isfinite(cell):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, bool):
        raise InvalidInput(
            gettext(
                "The spreadsheet has made true or false of this. Format the column as text and write the value again."
            )
        )
    raise InvalidInput(
        gettext(
            "The spreadsheet has made a date or a number of this. Format the column as text and write the value again."
        )
    )


assert set(COLUMNS) == {*FIELDS, "schedule"} - {"trigger"}, "a document's field has no column"
