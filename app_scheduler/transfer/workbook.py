"""XLSX: typed cells, no formulas; and no workbook is opened before it is known how large it unpacks."""

# mypy: disable-error-code="no-untyped-call"
# openpyxl has no types.

from __future__ import annotations

import logging
import math
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

from django.utils.translation import gettext

from app_scheduler.conf import console_settings
from app_scheduler.exceptions import InvalidInput

from .rows import JobRows
from .table import COLUMNS, MAX_CELLS, BadCell, cells_of, escape, read_table
from .texts import ZIP, binary_kind

logger = logging.getLogger(__name__)

#: What a cell of a spreadsheet holds; openpyxl cuts what is longer without a word.
MAX_CELL = 32_767
MAX_SHEET_ROWS = 1_048_576
MAX_ENTRIES = 1_000
#: A workbook of text unpacks to about ten times its size. A bomb unpacks to a thousand times.
MAX_UNPACKED_FACTOR = 12
MAX_RATIO = 200
_SMALL = 1_000_000
#: Tags of XML: a cell has six, one of rich text more; a row that somebody formatted to its end has 16,384 cells.
MAX_TAGS_PER_CELL = 10
MAX_TAGS_PER_ROW = 40_000
SHEET = "jobs"

_WIDTHS = {
    "id": 24,
    "name": 28,
    "schedule": 30,
    "function": 38,
    "args": 14,
    "kwargs": 30,
    "tags": 20,
    "description": 40,
}

# XML cannot hold these. A workbook writes them as _x0007_ (ECMA-376, ST_Xstring), and what looks like that, as well.
UNWRITABLE = re.compile("[\x01-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_WRITTEN = re.compile("_x(00(?:0[1-9A-Fa-f]|1[0-9A-Fa-f]|5[Ff])|[Ff]{3}[EeFf])_")


# --- writing ------------------------------------------------------------------------------------------------------


def write(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Return a workbook. Raises ``InvalidInput`` for a job that no cell can hold."""
    from openpyxl.cell.cell import WriteOnlyCell
    from openpyxl.styles.fonts import Font
    from openpyxl.utils.cell import get_column_letter
    from openpyxl.workbook.workbook import Workbook

    # All of it before the first is written: a half-written sheet would leave its temporary file behind.
    rows = [_writable_cells(document) for document in documents]
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    sheet.freeze_panes = "B2"
    for position, column in enumerate(COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(position)].width = _WIDTHS.get(column, 12)
    headings = [WriteOnlyCell(sheet, column) for column in COLUMNS]
    for heading in headings:
        heading.font = Font(bold=True)
    sheet.append(headings)

    def text_cell(text: str) -> Any:
        cell = WriteOnlyCell(sheet)
        # Not through the constructor's guess, which sees formulas, errors and dates in text.
        cell._value, cell.data_type = text, "s"
        return cell

    for row in rows:
        sheet.append([text_cell(value) if isinstance(value, str) else value for value in row])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _writable_cells(document: Mapping[str, Any]) -> list[str | int | bool | None]:
    return [
        (_writable(value, column, document["id"]) or None) if isinstance(value, str) else value
        for column, value in zip(COLUMNS, cells_of(document), strict=True)
    ]


def _writable(text: str, column: str, job_id: str) -> str:
    text = UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", escape(text))
    if len(text) > MAX_CELL:
        raise InvalidInput(
            gettext(
                "The %(column)s of “%(job_id)s” has %(count)s characters; a spreadsheet's cell holds %(limit)s. "
                "Export as JSON, YAML or CSV."
            )
            % {"column": column, "job_id": job_id, "count": f"{len(text):,}", "limit": f"{MAX_CELL:,}"}
        )
    return text


# --- reading ------------------------------------------------------------------------------------------------------


def read(data: bytes) -> JobRows:
    """Read the sheet “jobs”, or else the first. Raises ``InvalidInput``, and nothing else."""
    check_archive(data)
    # openpyxl warns of each feature that it does not keep; nothing is kept here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_table(_numbered(data))
        except InvalidInput:
            raise
        except Exception as error:
            # A broken workbook shows itself as an error of any kind, from zlib's to a missing key.
            logger.info("A workbook could not be read: %s: %s", type(error).__name__, error)
            raise InvalidInput(
                gettext(
                    "This workbook cannot be read: it is damaged, or not what Excel or LibreOffice write. Open it "
                    "there and save it again as .xlsx."
                )
            ) from None


def check_archive(data: bytes) -> None:
    """Refuse what is no workbook and what unpacks to too much, before anything is parsed.

    The archive's directory says how large each entry is, and Python's zipfile reads no more of it than that, so a lie
    in it gains nothing.
    """
    if not data.startswith(ZIP):
        kind = binary_kind(data)
        hint = gettext("Choose the format that matches the file.")
        if data[:2] == b"\xd0\xcf":
            hint = gettext("Open it in Excel and save it as .xlsx, without a password.")
        if kind:
            raise InvalidInput(gettext("This is %(kind)s. %(hint)s") % {"kind": kind, "hint": hint})
        raise InvalidInput(gettext("This is not an Excel workbook (.xlsx). %(hint)s") % {"hint": hint})
    limit = MAX_UNPACKED_FACTOR * console_settings.import_max_bytes
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > limit:
                raise _too_large()
            if any(entry.file_size > _SMALL and entry.file_size > MAX_RATIO * entry.compress_size for entry in entries):
                raise _too_large()
            if "[Content_Types].xml" not in {entry.filename for entry in entries}:
                raise InvalidInput(gettext("This is a ZIP file, but not an Excel workbook. Save the sheet as .xlsx."))
            for entry in entries:
                if entry.filename.lower().endswith((".xml", ".rels")):
                    _check_xml(archive.read(entry))
    except InvalidInput:
        raise
    except Exception as error:
        logger.info("A workbook could not be opened: %s: %s", type(error).__name__, error)
        raise InvalidInput(gettext("This workbook is damaged. Open it in Excel and save it again as .xlsx.")) from None


def _too_large() -> InvalidInput:
    return InvalidInput(
        gettext(
            "This workbook holds far more than a list of jobs needs. Copy the jobs into a new workbook and save that."
        )
    )


def _check_xml(data: bytes) -> None:
    """Refuse XML that no spreadsheet program writes: with entities of its own, in UTF-16, or of millions of tags.

    A row is parsed as a whole: one of ten million empty cells would take gigabytes.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise InvalidInput(
            gettext("This workbook declares XML entities, which none that Excel wrote does. It is not opened.")
        )
    if b"\0" in data:
        raise InvalidInput(gettext("This workbook is damaged. Open it in Excel and save it again as .xlsx."))
    if data.count(b"<") > MAX_TAGS_PER_CELL * len(COLUMNS) * console_settings.import_max_rows + MAX_TAGS_PER_ROW:
        raise _too_large()
    if b"sheetData" in data and max(piece.count(b"<") for piece in data.split(b"row>")) > MAX_TAGS_PER_ROW:
        raise _too_large()


def _numbered(data: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield each row of the sheet that is not blank, with its number, as long as the first or longer."""
    from openpyxl.reader.excel import load_workbook

    # Not data_only: that takes a formula's last result for its value, whatever it was.
    book = load_workbook(BytesIO(data), read_only=True, data_only=False, keep_links=False)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
        if not sheets:
            raise InvalidInput(gettext("This workbook has no sheet. Put the jobs into its first sheet."))
        sheet = next((sheet for sheet in sheets if sheet.title.lower() == SHEET), sheets[0])
        # What the file says of its own size is not to be believed: rows are padded to it.
        sheet.reset_dimensions()
        width = 0
        gap: object = None
        for number, row in enumerate(sheet.iter_rows(max_col=MAX_CELLS, max_row=MAX_SHEET_ROWS), start=1):
            if row is gap:
                # openpyxl yields one and the same row for all that the file leaves out, a million of them at worst.
                continue
            values = [_value(cell) for cell in row]
            while values and values[-1] is None:
                values.pop()
            if not values:
                gap = row
                continue
            width = width or len(values)
            yield number, values + [None] * (width - len(values))
    finally:
        book.close()


def _value(cell: Any) -> Any:
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "f":
        return BadCell(
            gettext("This is a formula. Copy the cell and paste it as a value (“Paste special”, “Values only”).")
        )
    if cell.data_type == "e":
        return BadCell(
            gettext("This cell shows the error %(error)s. Correct it, or empty the cell.") % {"error": str(value)[:20]}
        )
    if isinstance(value, str):
        return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), value)
    if isinstance(value, float) and not math.isfinite(value):
        return BadCell(gettext("This number is too large. Give a smaller one."))
    if isinstance(value, (date, datetime, time, timedelta)):
        return BadCell(
            gettext("The spreadsheet has made a date of this. Format the cell as text and write the value again.")
        )
    return value
