"""CSV: as spreadsheets of all countries write it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

from .rows import JobRows
from .table import COLUMNS, KNOWN, MAX_CELLS, cells_of, escape, read_table
from .texts import decode

DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


def write(documents: Iterable[Mapping[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_text(cell) for cell in cells_of(document)] for document in documents)
    text = out.getvalue()
    # Excel takes a file without this mark for one in the code page of its country.
    return text.encode() if text.isascii() else text.encode("utf-8-sig")


def _text(cell: str | int | bool | None) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return escape(cell) if isinstance(cell, str) else str(cell)


def read(data: bytes) -> JobRows:
    text = decode(data)
    if text.lstrip()[:1] in ("{", "["):
        raise InvalidInput(gettext("This looks like JSON, not CSV. Choose JSON as its format."))
    delimiter, start = _delimiter(text)
    return read_table(_numbered(text[start:], delimiter))


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each record with its number: what a spreadsheet shows, also where a cell has several lines."""
    number = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, record in enumerate(reader, start=1):
            yield number, record[:MAX_CELLS]
    except csv.Error as error:
        raise InvalidInput(
            gettext(
                "Row %(row)s, from line %(line)s on, cannot be read: %(fault)s. Look for a quotation mark "
                "that is not closed or not doubled."
            )
            % {"row": number + 1, "line": reader.line_num, "fault": error}
        ) from None


def _delimiter(text: str) -> tuple[str, int]:
    """Return the delimiter, and where the table begins: Excel writes the delimiter into a first line that it hides."""
    told = _SEPARATOR_LINE.match(text)
    if told:
        return told[1], told.end()
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=lambda delimiter: _known_columns(first, delimiter)), 0


def _known_columns(line: str, delimiter: str) -> int:
    names = [name.strip(' "').lower() for name in line.split(delimiter)]
    return len(set(KNOWN).intersection(names)) * 100 + len(names)
