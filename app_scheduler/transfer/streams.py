"""Long tables as files that are written while they are sent: CSV, and XLSX as far as a workbook goes.

Neither holds more than a few rows at a time. Text is safe to open in a spreadsheet, as in files of jobs.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape as escape_xml

from .table import escape
from .workbook import MAX_CELL, MAX_SHEET_ROWS, UNWRITABLE

#: The value of a cell: a datetime is without a zone, a local time.
Value = str | int | float | datetime | None
Row = Sequence[Value]
#: Rows of a workbook beside its heading and the line that says that there are more.
MAX_ROWS = MAX_SHEET_ROWS - 2
#: So many bytes are sent at once.
CHUNK = 64 * 1024
_EPOCH = datetime(1899, 12, 30)
_DAY = 86_400
_BOLD, _TIME = 1, 2


def csv_of(headings: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a CSV file of ``rows``, in UTF-8 with the mark by which Excel knows it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow(headings)
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
        if out.tell() >= CHUNK:
            yield out.getvalue().encode("utf-8", "replace")
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode("utf-8", "replace")


def _csv_cell(value: Value) -> str | int | float | None:
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds")
    return escape(value) if isinstance(value, str) else value


def workbook_of(
    headings: Sequence[str], rows: Iterable[Row], *, sheet: str, widths: Sequence[int], more: str
) -> Iterator[bytes]:
    """Yield a workbook of one sheet. After ``MAX_ROWS`` rows, where more follow, its last line says ``more``."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, content in _PARTS.items():
            archive.writestr(name, content.format(sheet=escape_xml(sheet, {'"': "&quot;"})))
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for text in _sheet(headings, rows, widths, more):
                part.write(text.encode("utf-8", "replace"))
                if sink.waiting >= CHUNK:
                    yield sink.take()
    yield sink.take()


def _sheet(headings: Sequence[str], rows: Iterable[Row], widths: Sequence[int], more: str) -> Iterator[str]:
    columns = "".join(
        f'<col min="{i}" max="{i}" width="{width}" customWidth="1"/>' for i, width in enumerate(widths, 1)
    )
    yield (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"<cols>{columns}</cols><sheetData>"
    )
    yield f"<row>{''.join(_text_cell(heading, _BOLD) for heading in headings)}</row>"
    for number, row in enumerate(rows):
        if number == MAX_ROWS:
            yield f"<row>{_text_cell(more, _BOLD)}</row>"
            break
        yield f"<row>{''.join(map(_cell, row))}</row>"
    yield "</sheetData></worksheet>"


def _cell(value: Value) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        return _text_cell(escape(value))
    if isinstance(value, datetime):
        return f'<c s="{_TIME}"><v>{(value - _EPOCH).total_seconds() / _DAY:.9f}</v></c>'
    return f"<c><v>{value}</v></c>"


def _text_cell(text: str, style: int = 0) -> str:
    text = UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    if len(text) > MAX_CELL:
        text = f"{text[: MAX_CELL - 1]}…"
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{escape_xml(text)}</t></is></c>'


class _Sink(io.RawIOBase):
    """Takes what an archive writes until it is sent. It cannot go back, so the archive does not try to."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        taken = bytes(data)
        self._parts.append(taken)
        self.waiting += len(taken)
        return len(taken)

    def take(self) -> bytes:
        taken, self._parts, self.waiting = b"".join(self._parts), [], 0
        return taken


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
#: The parts of a workbook beside its sheet.
_PARTS = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'{_XML}<styleSheet xmlns="{_MAIN}">'
        '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss.000"/></numFmts>'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
        '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        "</styleSheet>"
    ),
}
