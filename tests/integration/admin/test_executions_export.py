"""The list of executions as a file: what is in it, that it is safe to open, and that it is never whole in memory."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution
from openpyxl.reader.excel import load_workbook
from openpyxl.utils.escape import unescape

from app_scheduler.admin import execution_export
from app_scheduler.models import Status
from app_scheduler.transfer import streams
from tests.integration.admin.histories import (
    LIST,
    client_with,
    fill,
    make_execution,
    make_job,
    make_strange_execution,
    make_strange_job,
)

pytestmark = pytest.mark.django_db

DUE = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone.get_default_timezone())


def content_of(client: Client, kind: str, query: str = "") -> bytes:
    response: Any = client.get(f"{LIST}export/{kind}/{query}")
    assert response.status_code == 200, response
    assert f".{kind}" in response["Content-Disposition"]
    return b"".join(response.streaming_content)


def rows_of(client: Client, kind: str, query: str = "") -> list[dict[str, Any]]:
    """Return what a spreadsheet finds in the file."""
    content = content_of(client, kind, query)
    if kind == "csv":
        assert content.startswith("\ufeff".encode())
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    sheet: Any = load_workbook(io.BytesIO(content)).active
    headings, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(headings, row, strict=True)) for row in rows]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_row_tells_what_happened(viewer: Client, kind: str) -> None:
    make_job(name="Failure digest")
    execution = make_execution(
        status=Status.ERROR, due=DUE, late=0.25, took=2.31, exception="ValueError: <3> & “x”", attempt=2, reason="a\nb"
    )
    (row,) = rows_of(viewer, kind)
    shown = {name: str(value) for name, value in row.items()}
    assert shown["id"] == str(execution.pk)
    assert shown["run_time"].startswith("2026-01-02 03:04:05.678")
    assert shown["started_at"].startswith("2026-01-02 03:04:05.928")
    wanted = {
        "job": "digest",
        "name": "Failure digest",
        "status": "Error!",
        "lateness": "0.25",
        "duration": "2.31",
        "time_zone": "Australia/Sydney",
        "origin": "schedule",
        "attempt": "2",
        "exception": "ValueError: <3> & “x”",
        "reason": "a\nb",
    }
    assert {name: shown[name] for name in wanted} == wanted
    if kind == "xlsx":
        assert isinstance(row["run_time"], datetime)
        assert isinstance(row["duration"], float)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_was_made_without_details_is_in_it_as_well(viewer: Client, kind: str) -> None:
    make_strange_job()
    make_strange_execution()
    (row,) = rows_of(viewer, kind)
    assert (row["job"], float(row["duration"])) == ("strange", 1.5)
    assert not row["started_at"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "'"])
def test_no_spreadsheet_calculates_what_a_run_said(viewer: Client, kind: str, start: str) -> None:
    make_job()
    make_execution(status=Status.ERROR, exception=f'{start}HYPERLINK("http://example.com")')
    (row,) = rows_of(viewer, kind)
    assert row["exception"].startswith("'")
    # A workbook says the first character in another way, which openpyxl leaves as it is in text of a cell's own.
    assert row["exception"][1:].startswith("_x000D_" if (kind, start) == ("xlsx", "\r") else start)


def test_a_workbook_takes_what_xml_cannot_hold_and_cuts_what_no_cell_holds(viewer: Client) -> None:
    make_job()
    make_execution(status=Status.ERROR, exception="a\x07b\x0b", reason="x" * 40_000)
    (row,) = rows_of(viewer, "xlsx")
    assert unescape(row["exception"]) == "a\x07b\x0b"
    assert len(row["reason"]) == 32_767


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_it_has_all_pages_of_the_filtered_list_the_newest_first(
    viewer: Client, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_export, "PAGE", 7)
    make_job()
    make_job("other")
    make_execution("other")
    fill("digest", 64)
    # Several at one moment, at the borders of what is read at once.
    DjangoJobExecution.objects.filter(job_id="digest").update(status=Status.EXECUTED)
    rows = rows_of(viewer, kind, "?job=digest&o=1&p=1")
    wanted = DjangoJobExecution.objects.filter(job_id="digest").order_by("-run_time", "-pk")
    assert [int(row["id"]) for row in rows] == [execution.pk for execution in wanted]
    assert len(rows) == 64


def test_executions_of_one_moment_are_each_in_it_once(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_export, "PAGE", 3)
    for number in range(8):
        make_job(f"job-{number}")
        make_execution(f"job-{number}", due=DUE)
    ids = [int(row["id"]) for row in rows_of(viewer, "csv")]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == 8


def test_no_more_is_read_than_is_sent(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_export, "PAGE", 10)
    monkeypatch.setattr(streams, "CHUNK", 1)
    make_job()
    fill("digest", 100)
    response: Any = viewer.get(f"{LIST}export/csv/")
    with CaptureQueriesContext(connection) as queries:
        next(iter(response.streaming_content))
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert len(list(response.streaming_content)) > 90
    # Ten more pages, the last of them empty.
    assert len(queries) == 10


def test_a_workbook_ends_where_a_sheet_does_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_ROWS", 3)
    endless = ([number] for number in count())
    content = b"".join(streams.workbook_of(["n"], endless, sheet="s", widths=[10], more="There are more."))
    sheet: Any = load_workbook(io.BytesIO(content)).active
    assert [value for (value,) in sheet.iter_rows(values_only=True)] == ["n", 0, 1, 2, "There are more."]
    exact = b"".join(streams.workbook_of(["n"], islice(([n] for n in count()), 3), sheet="s", widths=[10], more="more"))
    assert load_workbook(io.BytesIO(exact)).active.max_row == 4


def test_a_workbook_is_sent_while_it_is_written() -> None:
    taken: list[int] = []

    def rows() -> Any:
        for number in range(200_000):
            taken.append(number)
            yield [f"{number * 7919 % 1_000_003} and some words that do not repeat {number}"] * 3

    content = streams.workbook_of(["a", "b", "c"], rows(), sheet="s", widths=[9, 9, 9], more="")
    assert next(content)
    assert len(taken) < 100_000


def test_under_asgi_it_is_sent_bit_by_bit() -> None:
    request = AsyncRequestFactory().get(LIST)
    made: list[int] = []

    def content() -> Any:
        for number in range(5):
            made.append(number)
            yield b"x"

    async def first() -> tuple[bytes, int]:
        answer = StreamingHttpResponse(execution_export._sent_to(request, content()))
        assert answer.is_async
        async for part in answer:
            return part, len(made)
        raise AssertionError("nothing was sent")

    assert asyncio.run(first()) == (b"x", 1)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_it_needs_the_permission_to_look(kind: str) -> None:
    assert client_with().get(f"{LIST}export/{kind}/").status_code == 403
    assert Client().get(f"{LIST}export/{kind}/").status_code == 302


def test_it_is_asked_for_by_get_and_by_what_the_list_understands(viewer: Client) -> None:
    assert viewer.post(f"{LIST}export/csv/").status_code == 405
    wrong = viewer.get(f"{LIST}export/csv/?nosuchfield=1")
    assert wrong.status_code == 302
    assert wrong["Location"] == f"{LIST}?e=1"


def test_the_list_leads_to_it_as_it_is_filtered(viewer: Client) -> None:
    make_job()
    make_execution(due=timezone.now() - timedelta(days=2))
    page = viewer.get(f"{LIST}?job=digest&status=failures").content.decode()
    assert f'href="{LIST}export/csv/?job=digest&amp;status=failures"' in page
    assert f'href="{LIST}export/xlsx/?job=digest&amp;status=failures"' in page
    assert "1,048,574" in page
