"""Jobs as files: what is written reads back as it was, and what is hostile or odd is refused with the fix."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from openpyxl.reader.excel import load_workbook
from openpyxl.workbook.workbook import Workbook
from pytest_django import Settings

from app_scheduler import triggers
from app_scheduler.documents import FIELDS
from app_scheduler.exceptions import InvalidInput
from app_scheduler.transfer import FORMATS, FORMATS_BY_NAME, JobFormat, SourceRow, format_of_content, format_of_name
from app_scheduler.transfer.table import COLUMNS, escape, unescape
from tests.unit.triggers import strategies

CSV, XLSX, JSON, YAML = FORMATS

DOCUMENT: dict[str, Any] = {
    "id": "nightly",
    "name": "Nightly",
    "description": "",
    "tags": [],
    "function": "tests.probe.jobs.add",
    "args": [],
    "kwargs": {},
    "trigger": {"type": "interval", "hours": 1},
    "executor": "default",
    "queue": "",
    "priority": 0,
    "concurrency_group": "",
    "coalesce": True,
    "max_instances": 1,
    "misfire_grace_time": 300,
    "timeout": None,
    "max_retries": 0,
    "retry_backoff": 30,
    "rerun_if_interrupted": False,
    "paused": False,
}


def document(**values: Any) -> dict[str, Any]:
    return {**DOCUMENT, **values}


def read(format: type[JobFormat], data: bytes) -> list[SourceRow]:
    return format().create_dataset(data).rows


def read_one(format: type[JobFormat], data: bytes) -> SourceRow:
    (row,) = read(format, data)
    return row


def refusal(format: type[JobFormat], data: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        format().create_dataset(data)
    return "\n".join(caught.value.lines())


def as_csv(*rows: str) -> bytes:
    return "\r\n".join(rows).encode()


# --- round trips --------------------------------------------------------------------------------------------------

# As documents.clean leaves text: stripped, without NUL.
characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
texts = st.text(characters, max_size=30).map(lambda text: text.replace("\r\n", "\n").strip())
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8).filter(lambda word: word.strip() == word)
spiky = st.sampled_from(
    [
        *["=1+1", "'=1+1", "'", "''", "'''", "-", "@SUM(A1)", "+49", "'quoted'", "#REF!", "_x0041_", "_x005F_", "none"],
        *["true", "1e5", "0x1f", "1_000", "12:30", "2026-12-01", "~", "null", "no", ".inf", "a\rb", "a\x07b", "\ufffe"],
        *["a;b,c|d\te", 'say "x"', "- a: b", "# no", "{", "[", "a\x85x", "a\u2028x", "＝1", "💡", "<<", "a: b\nc"],
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts | spiky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | spiky, inner, max_size=3),
    max_leaves=8,
)
documents = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "name": (texts | spiky).filter(bool),
        "description": texts | spiky,
        "tags": st.lists(words.map(str.lower), max_size=3, unique=True),
        "function": st.just("tests.probe.jobs.add"),
        "args": st.lists(json_values, max_size=2),
        "kwargs": st.dictionaries(texts | spiky, json_values, max_size=3),
        "trigger": strategies.DOCUMENTS.map(lambda given: triggers.normalise(given, allow_past=True)),
        "executor": st.just("default"),
        "queue": st.sampled_from(["", "mail", "Mail.Bulk", "1e5"]),
        "priority": st.integers(-100, 100),
        "concurrency_group": st.sampled_from(["", "database", "the database", "2026-12-01", "1e5"]),
        "coalesce": st.booleans(),
        "max_instances": st.integers(1, 10_000),
        "misfire_grace_time": st.none() | st.integers(1, 2_147_483_647),
        "timeout": st.none() | st.integers(1, 2_147_483_647),
        "max_retries": st.integers(0, 100),
        "retry_backoff": st.integers(0, 86_400),
        "rerun_if_interrupted": st.booleans(),
        "paused": st.booleans(),
    }
)


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
@hypothesis_settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(written=st.lists(documents, min_size=1, max_size=3, unique_by=lambda document: document["id"]))
def test_what_is_written_reads_back_as_it_was(format: type[JobFormat], written: list[dict[str, Any]]) -> None:
    rows = read(format, format().write(written))
    assert [row.faults for row in rows] == [{}] * len(written)
    for row, original in zip(rows, written, strict=True):
        left_out = {name: original[name] for name in FIELDS if name not in row.document}
        assert set(left_out) <= ({"description", "tags"} if format in (CSV, XLSX) else set())
        assert not any(left_out.values()), "only what is empty is left out"
        # As text, since Python takes 1, 1.0 and True for the same.
        assert json.dumps({**row.document, **left_out}, sort_keys=True) == json.dumps(original, sort_keys=True)


@given(texts | spiky)
def test_no_text_begins_as_a_formula_and_each_comes_back(text: str) -> None:
    assert escape(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}
    assert unescape(escape(text)) == text


def test_an_apostrophe_that_nobody_wrote_for_a_spreadsheet_stays() -> None:
    assert unescape("'tis") == "'tis"


def test_csv_is_for_people_first() -> None:
    made = CSV().write([document(name="=cmd|' /C calc'!A1", trigger={"type": "cron", "expression": "@daily"})])
    header, row = csv.reader(io.StringIO(made.decode()))
    assert header[:4] == ["id", "name", "schedule", "function"]
    values = dict(zip(header, row, strict=True))
    assert values["name"] == "'=cmd|' /C calc'!A1"
    assert (values["paused"], values["timeout"], values["max_retries"]) == ("false", "none", "0")


def test_only_a_csv_with_other_letters_gets_the_mark_that_excel_needs() -> None:
    assert CSV().write([document()]).startswith(b"id,")
    assert CSV().write([document(name="Ärger")]).startswith(b"\xef\xbb\xbfid,")


def test_cells_of_a_workbook_are_typed_and_never_formulas() -> None:
    made = XLSX().write([document(name="=1+1", description="#REF!", kwargs={"a": 1})])
    sheet = load_workbook(io.BytesIO(made))["jobs"]
    cells = {sheet.cell(1, column).value: sheet.cell(2, column) for column in range(1, len(COLUMNS) + 1)}
    assert {cell.data_type for cell in cells.values()} <= {"s", "n", "b"}
    assert (cells["name"].value, cells["description"].value) == ("'=1+1", "#REF!")
    assert (cells["coalesce"].value, cells["max_instances"].value) == (True, 1)


def test_a_workbook_refuses_a_cell_that_would_be_cut() -> None:
    with pytest.raises(InvalidInput, match=r"kwargs of “nightly” has 40,009 characters.*Export as JSON"):
        XLSX().write([document(kwargs={"a": "x" * 40_000})])


def test_yaml_and_json_hold_whole_documents() -> None:
    jobs = [document(kwargs={"a": [1, {"b": None}]}), document(id="other")]
    assert json.loads(JSON().write(jobs)) == jobs
    assert yaml.safe_load(YAML().write(jobs)) == jobs
    assert b"&id" not in YAML().write([document(args=jobs[0]["args"]), document(args=jobs[0]["args"])])


# --- what a table says --------------------------------------------------------------------------------------------


def test_an_empty_cell_is_left_out_and_none_is_said() -> None:
    row = read_one(CSV, as_csv("id,description,timeout,tags", "a,,none,"))
    assert row.document == {"id": "a", "timeout": None}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("schedule", "every 1h"),
        ("trigger", "every 1h"),
        ("trigger", '"{""type"": ""interval"", ""hours"": 1}"'),
        ("Schedule ", "every 1h"),
    ],
)
def test_a_trigger_comes_as_an_expression_or_as_json(column: str, cell: str) -> None:
    assert read_one(CSV, as_csv(f"id,{column}", f"a,{cell}")).document["trigger"] == {"type": "interval", "hours": 1}


def test_what_only_readers_get_is_ignored() -> None:
    assert read_one(CSV, as_csv("id,state,next_run_time", "a,paused,tomorrow")).document == {"id": "a"}


def test_rows_have_the_numbers_that_a_spreadsheet_shows() -> None:
    rows = read(CSV, as_csv("id,description", '1,"two', 'lines"', "", ",", "2,x"))
    assert [(row.number, row.document["id"]) for row in rows] == [(2, "1"), (5, "2")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_and_encodings_of_all_countries_are_understood(separator: str, encoding: str) -> None:
    text = f'id{separator}name{separator}schedule\r\na{separator}"Ä, b; c"{separator}every 1h\r\n'
    row = read_one(CSV, text.encode(encoding))
    assert (row.document["name"], row.faults) == ("Ä, b; c", {})


def test_the_line_that_excel_writes_for_itself_is_no_row() -> None:
    row = read_one(CSV, as_csv("sep=;", "id;name", "a;b"))
    assert (row.number, row.document) == (2, {"id": "a", "name": "b"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["id,naem", "a,b"], "There is no column “naem”. Did you mean “name”?"),
        (["id,name,id", "a,b,c"], "The column “id” is there twice"),
        (["name,function", "a,b"], "The column “id” is missing. Add it"),
        (["colour,price", "a,b"], "does not name the columns of jobs"),
        (["id,name"], "has no jobs. Add a row"),
        ([""], "The file is empty. Choose one that holds jobs"),
        ([",,", ""], "The file is empty. Its first row names the columns"),
        (["id,name", 'a,"b'], "Row 2, from line 2 on, cannot be read"),
        (['{"id": 1}'], "looks like JSON, not CSV. Choose JSON"),
    ],
)
def test_a_table_that_cannot_be_taken_says_what_to_do(rows: list[str], message: str) -> None:
    assert message in refusal(CSV, as_csv(*rows))


@pytest.mark.parametrize(
    ("header", "cells", "field", "message"),
    [
        ("id,name", "a", "", "This row has 1 cell, the first row names 2 columns"),
        ("id,name", "a,b,c", "", "Cell 3 of this row is in a column without a name"),
        ("id,args", "a,7", "args", None),
        ("id,args", "a,[1", "args", "This is not a list, for example [7"),
        ("id,kwargs", 'a,"{""a"": NaN}"', "kwargs", "NaN is not a value that JSON has"),
        ("id,kwargs", 'a,"{""a"": 1, ""a"": 2}"', "kwargs", "The key “a” is given twice"),
        ("id,kwargs", 'a,"{""a"": ""\\ud800""}"', "kwargs", "half of a surrogate pair"),
        ("id,kwargs", "a," + "[" * 100_000, "kwargs", "nested too deeply"),
        ("id,schedule,trigger", "a,every 1h,every 2h", "trigger", "Both “schedule” and “trigger”"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(header: str, cells: str, field: str, message: str | None) -> None:
    faults = read_one(CSV, as_csv(header, cells)).faults
    if message is None:
        # Whoever checks the document says what args have to be.
        assert faults == {}
    else:
        assert message in faults[field][0]


def test_a_row_count_beyond_the_limit_is_refused(settings: Settings) -> None:
    settings.APP_SCHEDULER_IMPORT_MAX_ROWS = 3
    assert len(read(CSV, as_csv("id", "1", "2", "3"))) == 3
    for format, data in (
        (CSV, as_csv("id", "1", "2", "3", "4")),
        (JSON, b"[{},{},{},{}]"),
        (YAML, b"- {}\n- {}\n- {}\n- {}"),
        (XLSX, XLSX().write([document(id=str(number)) for number in range(4)])),
    ):
        assert "more than 3 rows" in refusal(format, data)


# --- bytes that are something else --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [CSV, JSON, YAML], ids=lambda format: format.name)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04rest", "an Excel workbook or another ZIP file, not text"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (b"%PDF-1.7", "This is a PDF"),
        (b"id,name\na,\xff\xfe\xfa", "Line 2 has characters that are not UTF-8. Save it as UTF-8"),
        (b"id,name\na,b\0c", "Line 2 contains NUL characters"),
        ("id".encode("utf-32"), "UTF-32"),
        ("id,na".encode("utf-16")[:-1], "are not UTF-16"),
        (b"   \n", "The file is empty"),
    ],
)
def test_bytes_that_are_no_text_of_this_kind_are_refused(format: type[JobFormat], data: bytes, message: str) -> None:
    assert message in refusal(format, data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,name", "This is not JSON"),
        ('[{"id": "a",}]', "It stops being JSON in line 1, column"),
        ('[{"id": "a", "id": "b"}]', "The key “id” is given twice in one object"),
        ('[{"timeout": NaN}]', "NaN is not a value that JSON has"),
        ('[{"timeout": 1e999}]', "The number 1e999 is too large"),
        ('[{"timeout": ' + "9" * 5000 + "}]", "A number has 5,000 digits"),
        ("[" * 200_000, "nested too deeply"),
        ("[]", "The list of jobs is empty"),
        ('{"jobs": 3}', "This is not a list of jobs"),
    ],
)
def test_json_is_read_strictly(text: str, message: str) -> None:
    assert message in refusal(JSON, text.encode())


@pytest.mark.parametrize(
    ("item", "message"),
    [('{"id": "a\\u0000"}', "NUL"), ('{"id": "\\ud800"}', "surrogate"), ("[" * 70 + "]" * 70, "nested too deeply")],
)
def test_a_job_that_no_database_can_hold_is_named_by_its_row(item: str, message: str) -> None:
    good, bad = read(JSON, f'[{{"id": "a"}}, {item}]'.encode())
    assert (good.number, good.faults, bad.number) == (1, {}, 2)
    assert message in bad.faults[""][0]


def test_json_may_hold_one_job_a_list_or_jobs() -> None:
    for text in ('{"id": "a"}', '[{"id": "a"}]', '{"jobs": [{"id": "a"}]}'):
        assert read_one(JSON, text.encode()).document == {"id": "a"}


def test_an_expression_without_a_trigger_is_one() -> None:
    row = read_one(JSON, b'[{"id": "a", "schedule": "every 2h"}]')
    assert (row.document, row.renamed) == ({"id": "a", "trigger": "every 2h"}, {"trigger": "schedule"})


BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{this}: &{this} [*{last}, *{last}, *{last}]\n" for last, this in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BILLION_LAUGHS, "Line 2 has an alias (*a). Write the value out"),
        ("- id: !!python/object/apply:os.system ['id']", "has the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("- id: !!binary aGk=", "has the tag tag:yaml.org,2002:binary"),
        ("- id: a\n  id: b", "Line 2: The key “id” is given twice"),
        ("- id: [", "It stops being YAML in line"),
        ('- id: "\x07"', "It is not YAML"),
        ("- timeout: .nan", "Line 1: .nan is not a number"),
        ("- timeout: " + "9" * 5000, "Line 1: A number has 5,000 digits"),
        ("- {? [a] : b}", "Line 1 has a list or an object as a key"),
        ("[" * 5_000, "nested too deeply"),
        ("- " * 5_000 + "x", "nested too deeply"),
        ("a: " * 3, "It stops being YAML"),
        ("- id: a\n---\n- id: b", "A second document begins in line 2"),
        ("just words", "This is not a list of jobs"),
        ("# nothing", "This is not a list of jobs"),
    ],
)
def test_yaml_is_read_without_its_surprises(text: str, message: str) -> None:
    assert message in refusal(YAML, text.encode())


def test_yaml_makes_no_dates_booleans_or_clock_times_of_text() -> None:
    text = "- {id: 2026-12-01, name: no, kwargs: {at: 12:30, code: 0123, on: yes, n: 3, f: 1.5, t: true, z: ~}}"
    assert read_one(YAML, text.encode()).document == {
        "id": "2026-12-01",
        "name": "no",
        "kwargs": {"at": "12:30", "code": "0123", "on": "yes", "n": 3, "f": 1.5, "t": True, "z": None},
    }


# --- workbooks ----------------------------------------------------------------------------------------------------


def book(fill: Callable[[Any], None]) -> bytes:
    made = Workbook()
    fill(made.active)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def repacked(data: bytes, **entries: bytes) -> bytes:
    """Return the workbook with the entries of these names replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in entries:
                new.writestr(name, old.read(name))
        for name, content in entries.items():
            new.writestr(name, content)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
PLAIN = XLSX().write([document()])


def with_sheet(rows: str, before: str = "") -> bytes:
    text = (
        f'{before}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<sheetData>{rows}</sheetData></worksheet>"
    )
    return repacked(PLAIN, **{SHEET: text.encode()})


def test_a_sheet_saved_by_another_program_is_read() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["id", "schedule", "max_retries", "coalesce", "name"])
        sheet.append([])
        sheet.append(["a", "every 1h", 3.0, True, 42])

    row = read_one(XLSX, book(fill))
    assert row.number == 3
    assert row.document == {
        "id": "a",
        "trigger": {"type": "interval", "hours": 1},
        "max_retries": 3.0,
        "coalesce": True,
        "name": "42",
    }


def test_no_result_of_a_formula_is_taken() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["id", "name"])
        sheet.append(["a", '=HYPERLINK("http://example.com")'])
        sheet.append(["=A2", "b"])

    first, second = read(XLSX, book(fill))
    assert "This is a formula. Copy the cell and paste it as a value" in first.faults["name"][0]
    assert "This is a formula" in second.faults["id"][0]


def test_a_cell_that_the_spreadsheet_made_something_else_of_says_so() -> None:
    from datetime import datetime

    def fill(sheet: Any) -> None:
        sheet.append(["id", "name", "schedule", "tags"])
        sheet.append([datetime(2026, 1, 2), True, 5, "#N/A"])

    faults = read_one(XLSX, book(fill)).faults
    assert "has made a date of this" in faults["id"][0]
    assert "has made true or false of this" in faults["name"][0]
    assert "This is a number or a date, not a schedule" in faults["schedule"][0]
    assert "shows the error #N/A" in faults["tags"][0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"id,name\na,b", "This is not an Excel workbook (.xlsx). Choose the format"),
        (b"\xd0\xcf\x11\xe0rest", "Open it in Excel and save it as .xlsx, without a password"),
        (b"PK\x03\x04broken", "This workbook is damaged"),
        (PLAIN[:-200], "This workbook is damaged"),
        (repacked(PLAIN, **{SHEET: b"<worksheet"}), "This workbook cannot be read"),
        (repacked(PLAIN, **{"xl/workbook.xml": b"<x/>"}), "This workbook"),
        (repacked(PLAIN, **{SHEET: b" " * 40_000_000}), "holds far more than a list of jobs needs"),
        (repacked(PLAIN, **{f"x{number}": b"" for number in range(1001)}), "holds far more than"),
        (with_sheet("<row>" + "<c/>" * 50_000 + "</row>"), "holds far more than"),
        (with_sheet("", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'), "declares XML entities"),
        (with_sheet('<row r="1048577"><c r="A1048577" t="str"><v>id</v></c></row>'), "The file is empty"),
    ],
    ids=range(11),
)
def test_a_workbook_that_is_broken_or_a_bomb_is_refused(data: bytes, message: str) -> None:
    assert message in refusal(XLSX, data)


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "This is a ZIP file, but not an Excel workbook" in refusal(XLSX, out.getvalue())


def test_a_workbook_that_claims_to_be_huge_is_read_for_what_it_holds() -> None:
    row = '<row r="{0}"><c r="A{0}" t="str"><v>{1}</v></c></row>'
    text = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        f"<sheetData>{row.format(1, 'id')}{row.format(900_000, 'a')}</sheetData></worksheet>"
    )
    found = read_one(XLSX, repacked(PLAIN, **{SHEET: text.encode()}))
    assert (found.number, found.document) == (900_000, {"id": "a"})


# --- which format -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", "csv"), ("A.CSV", "csv"), ("a.tsv", "csv"), ("a.xlsx", "xlsx"), ("a.json", "json"), ("a.b.yml", "yaml")],
)
def test_the_format_is_told_by_the_name(name: str, format: str) -> None:
    assert format_of_name(name) is FORMATS_BY_NAME[format]


@pytest.mark.parametrize(
    ("name", "message"), [("jobs", "Choose one: csv, xlsx, json, yaml"), ("jobs.xls", "Save the sheet as .xlsx")]
)
def test_a_name_that_tells_no_format_asks_for_one(name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        format_of_name(name)


def test_bytes_without_a_name_tell_their_format_or_ask() -> None:
    assert format_of_content(PLAIN) is XLSX
    assert format_of_content(b" \n[{}]") is JSON
    with pytest.raises(InvalidInput, match="Say which format this is"):
        format_of_content(b"id,name")
