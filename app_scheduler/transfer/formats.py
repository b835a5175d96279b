"""The four formats, as django-import-export knows formats: a dataset from bytes, and bytes from a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext
from import_export.formats.base_formats import Format

from app_scheduler.exceptions import InvalidInput

from . import delimited, workbook, yamls
from .plain import check_plain, load_json
from .rows import JobRows, SourceRow, check_count
from .texts import ZIP, decode


class JobFormat(Format):
    """One format. Files are bytes throughout: what their encoding is, is for the format to find out."""

    name = ""
    suffixes: tuple[str, ...] = ()
    content_type = ""

    def __init__(self, encoding: str | None = None) -> None:
        # Given by django-import-export, and of no use: the bytes say it.
        self.encoding = encoding

    def create_dataset(self, in_stream: bytes) -> JobRows:
        """Return the rows of a file. Raises ``InvalidInput`` for a file that cannot be taken as a whole."""
        if not in_stream.strip():
            raise InvalidInput(gettext("The file is empty. Choose one that holds jobs, for example an export."))
        return self.read(in_stream)

    def export_data(self, dataset: Any, **kwargs: Any) -> bytes:
        """Return a file of the jobs in a dataset. Raises ``InvalidInput`` where the format cannot hold one."""
        headers = dataset.headers
        return self.write(dict(zip(headers, row, strict=True)) for row in dataset)

    def read(self, data: bytes) -> JobRows:
        raise NotImplementedError

    def write(self, documents: Iterable[Mapping[str, Any]]) -> bytes:
        raise NotImplementedError

    def get_title(self) -> str:
        return self.name

    def get_extension(self) -> str:
        return self.name

    def get_content_type(self) -> str:
        return self.content_type

    def can_import(self) -> bool:
        return True

    def can_export(self) -> bool:
        return True


class CSV(JobFormat):
    name = "csv"
    suffixes = (".csv", ".tsv", ".tab", ".txt")
    content_type = "text/csv; charset=utf-8"

    def read(self, data: bytes) -> JobRows:
        return delimited.read(data)

    def write(self, documents: Iterable[Mapping[str, Any]]) -> bytes:
        return delimited.write(documents)


class XLSX(JobFormat):
    name = "xlsx"
    suffixes = (".xlsx",)
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def read(self, data: bytes) -> JobRows:
        return workbook.read(data)

    def write(self, documents: Iterable[Mapping[str, Any]]) -> bytes:
        return workbook.write(documents)


class JSON(JobFormat):
    name = "json"
    suffixes = (".json",)
    content_type = "application/json"

    def read(self, data: bytes) -> JobRows:
        text = decode(data)
        if text.lstrip()[:1] not in ("{", "["):
            raise InvalidInput(
                gettext("This is not JSON: a list of jobs begins with “[”. Choose the format that matches the file.")
            )
        return _rows(load_json(text))

    def write(self, documents: Iterable[Mapping[str, Any]]) -> bytes:
        jobs = ",\n".join(_pretty(document) for document in documents)
        return f"[\n{jobs}\n]\n".encode()


class YAML(JobFormat):
    name = "yaml"
    suffixes = (".yaml", ".yml")
    content_type = "application/yaml"

    def read(self, data: bytes) -> JobRows:
        return _rows(yamls.load_yaml(decode(data)))

    def write(self, documents: Iterable[Mapping[str, Any]]) -> bytes:
        return yamls.write(documents)


FORMATS: tuple[type[JobFormat], ...] = (CSV, XLSX, JSON, YAML)
FORMATS_BY_NAME: Mapping[str, type[JobFormat]] = {format.name: format for format in FORMATS}

#: Suffixes of spreadsheets that are not read, since people try.
_OTHER_SHEETS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")


def format_of_name(file_name: str) -> type[JobFormat]:
    """Return the format that a file's name tells. Raises ``InvalidInput`` for another name."""
    lower = file_name.lower()
    for format in FORMATS:
        if lower.endswith(format.suffixes):
            return format
    if lower.endswith(_OTHER_SHEETS):
        raise InvalidInput(
            gettext("Save the sheet as .xlsx or as “CSV UTF-8”: other kinds of spreadsheets are not read.")
        )
    raise InvalidInput(
        gettext("The file's name does not say its format. Choose one: %(names)s.")
        % {"names": ", ".join(FORMATS_BY_NAME)}
    )


def format_of_content(data: bytes) -> type[JobFormat]:
    """Return the format of bytes without a name, where it is beyond doubt. Raises ``InvalidInput`` where it is not."""
    if data.startswith(ZIP):
        return XLSX
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return JSON
    raise InvalidInput(gettext("Say which format this is: %(names)s.") % {"names": ", ".join(FORMATS_BY_NAME)})


def _pretty(document: Mapping[str, Any]) -> str:
    """Return a job with one field a line: as readable as indented JSON, and a fifth smaller."""
    fields = (f"    {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in document.items())
    return "  {\n" + ",\n".join(fields) + "\n  }"


def _rows(value: Any) -> JobRows:
    """Return the rows of a JSON or YAML file: a list of jobs, ``{"jobs": […]}``, or one job."""
    if isinstance(value, Mapping):
        value = value["jobs"] if "jobs" in value and "id" not in value else [value]
    if not isinstance(value, list):
        raise InvalidInput(
            gettext(
                "This is not a list of jobs. Write a list of objects, each with id, function and trigger; an "
                "export shows what it looks like."
            )
        )
    if not value:
        raise InvalidInput(gettext("The list of jobs is empty. Nothing would be imported."))
    check_count(len(value))
    return JobRows([_row(number, item) for number, item in enumerate(value, start=1)])


def _row(number: int, item: Any) -> SourceRow:
    row = SourceRow(number, item)
    try:
        check_plain(item)
    except InvalidInput as error:
        return SourceRow(number, {}, error.errors)
    if isinstance(item, dict) and item.get("schedule") and item.get("trigger") is None:
        # Whoever writes the expression means it; beside a trigger it is what a reader of the API got.
        row.document = {key: value for key, value in item.items() if key != "schedule"} | {"trigger": item["schedule"]}
        row.renamed = {"trigger": "schedule"}
    return row
