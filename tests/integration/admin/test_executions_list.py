"""The list of executions: what a row tells, the filters and the search, and what it costs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app_scheduler.admin.paging import BoundedPaginator
from app_scheduler.models import ExecutionOrigin, Status
from tests.integration.admin.histories import (
    LIST,
    TRACEBACK,
    client_with,
    fill,
    make_execution,
    make_job,
    make_strange_execution,
    make_strange_job,
)

pytestmark = pytest.mark.django_db


def shown(client: Client, query: str = "", **parameters: Any) -> list[int]:
    """Return the executions that the list shows, in its order."""
    response = client.get(LIST + query, parameters or None)
    assert response.status_code == 200, response
    return [execution.pk for execution in response.context["cl"].result_list]


def text_of(client: Client, **parameters: Any) -> str:
    html = client.get(LIST, parameters or None).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html[html.index('id="result_list"') :]))


# --- rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_each_status_is_a_pill_with_its_word(viewer: Client, status: Status) -> None:
    make_job()
    make_execution(status=status)
    html = viewer.get(LIST).content.decode()
    assert re.search(rf'<span class="jc-pill [a-z-]+">{status.label}</span>', html)
    assert 'class="jc-pill unknown"' not in html


def test_a_status_of_another_version_is_shown_as_it_is(viewer: Client) -> None:
    make_job()
    make_execution(status="Exploded <i>")
    assert 'class="jc-pill unknown">Exploded &lt;i&gt;</span>' in viewer.get(LIST).content.decode()


def test_a_row_tells_what_happened(viewer: Client) -> None:
    make_job(name="Failure digest", max_retries=2)
    make_execution(
        status=Status.ERROR,
        exception="SMTPServerDisconnected: Connection unexpectedly closed\nsecond line",
        attempt=2,
        tick_count=12,
        reason="It was late.",
        requested_by=User.objects.create_user("ada"),
        origin=ExecutionOrigin.MANUAL,
    )
    text = text_of(viewer)
    for words in (
        "Failure digest digest",
        "5 min",
        "attempt 2 of 3 · 12 ticks",
        "SMTPServerDisconnected: Connection unexpectedly closed",
        "It was late.",
        "late by 12 ms",
        "took 2.31 s",
        "asked by ada run now",
    ):
        assert words in text, words
    assert "second line" not in text


def test_the_moment_is_exact_on_hover_in_the_jobs_own_zone(viewer: Client) -> None:
    make_job(trigger="0 8 * * * in America/New_York")
    make_execution(due=datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("America/New_York")))
    assert 'title="Wednesday 1 July 2026 08:00:00 EDT (America/New_York)"' in viewer.get(LIST).content.decode()


def test_a_retry_leads_to_what_it_retries(viewer: Client) -> None:
    make_job()
    first = make_execution(status=Status.ERROR)
    make_execution(due=timezone.now(), origin=ExecutionOrigin.RETRY, retry_of=first, attempt=2)
    assert f'retry of <a href="{LIST}{first.pk}/change/">#{first.pk}</a>' in viewer.get(LIST).content.decode()


def test_that_it_is_the_second_attempt_is_said_once(viewer: Client) -> None:
    make_job(max_retries=2)
    make_execution(status=Status.QUEUED, attempt=2, reason="Attempt 2 of 3.", origin=ExecutionOrigin.RETRY)
    assert text_of(viewer).lower().count("attempt 2 of 3") == 1


def test_progress_of_what_runs_is_shown(viewer: Client) -> None:
    make_job()
    make_execution(status=Status.STARTED, progress_done=12, progress_total=400, progress_message="hand 12")
    assert "12 of 400 · hand 12" in text_of(viewer)


def test_rows_of_plain_django_apscheduler_are_shown(viewer: Client) -> None:
    make_strange_job()
    for status in (Status.EXECUTED, Status.STARTED, Status.ERROR):
        run_time = timezone.now() - timedelta(seconds=len(status))
        make_strange_execution(status=status, run_time=run_time, duration=None, exception="ValueError: x")
    assert len(shown(viewer)) == 3
    assert "strange" in text_of(viewer)


def test_the_job_is_a_link_for_those_who_may_see_it(viewer: Client) -> None:
    make_job(name="Digest")
    make_execution()
    link = '<a href="/admin/django_apscheduler/djangojob/digest/change/" title="digest">Digest</a>'
    assert link not in viewer.get(LIST).content.decode()
    both = client_with("view_djangojobexecution", "view_djangojob", name="both")
    assert link in both.get(LIST).content.decode()


def test_text_of_others_is_escaped(viewer: Client) -> None:
    make_job(name="<script>alert(1)</script>")
    make_execution(status=Status.ERROR, exception="<script>alert(2)</script>", reason="<script>alert(3)</script>")
    assert "<script>alert" not in viewer.get(LIST).content.decode()


def test_the_newest_is_first(viewer: Client) -> None:
    make_job()
    now = timezone.now()
    old, new = make_execution(due=now - timedelta(hours=2)), make_execution(due=now - timedelta(hours=1))
    assert shown(viewer) == [new.pk, old.pk]
    assert shown(viewer, o="0") == [old.pk, new.pk]


def test_an_empty_list_says_what_will_be_in_it(viewer: Client) -> None:
    assert "Nothing has run yet" in viewer.get(LIST).content.decode()
    assert "No execution matches" in viewer.get(LIST, {"q": "x"}).content.decode()


# --- filters and search -------------------------------------------------------------------------------------------


def test_each_status_can_be_filtered_for(viewer: Client) -> None:
    make_job()
    made = {
        status: make_execution(status=status, due=timezone.now() - timedelta(minutes=number)).pk
        for number, status in enumerate(Status, 1)
    }
    for status, pk in made.items():
        assert shown(viewer, status=status.value) == [pk], status
        assert shown(viewer, status__exact=status.value) == [pk], status
    failures = {made[status] for status in (Status.ERROR, Status.INTERRUPTED, Status.TIMED_OUT)}
    assert set(shown(viewer, status="failures")) == failures
    assert len(shown(viewer, status="")) == len(Status)
    assert shown(viewer, status="no such status") == []


def test_what_plain_django_apscheduler_runs_is_running(viewer: Client) -> None:
    make_strange_job()
    execution = make_strange_execution(status=Status.STARTED)
    assert shown(viewer, status=Status.STARTED.value) == [execution.pk]


@pytest.mark.parametrize("name", ["job", "job__id__exact", "job__exact", "job_id"])
def test_links_of_other_pages_filter_by_job(viewer: Client, name: str) -> None:
    make_job("digest", name="Failure digest")
    make_job("digest-2")
    execution = make_execution("digest")
    make_execution("digest-2", due=timezone.now())
    response = viewer.get(LIST, {name: "digest"})
    assert [row.pk for row in response.context["cl"].result_list] == [execution.pk]
    assert 'name="job" value="digest"' in response.content.decode(), "the filter is seen to be on"


def test_a_part_of_a_name_finds_its_jobs(viewer: Client) -> None:
    make_job("a-1", name="Season rankings")
    make_job("b-1", name="Back up")
    wanted = make_execution("a-1")
    make_execution("b-1", due=timezone.now())
    assert shown(viewer, job="RANK") == [wanted.pk]
    assert shown(viewer, job="no such job") == []
    assert shown(viewer, job="nul\x00") == []
    assert len(shown(viewer, job=" ")) == 2


def test_jobs_are_suggested_where_they_are_few(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job("a-1", name="Season rankings")
    make_job("b-1")
    assert '<option value="a-1">Season rankings</option>' in viewer.get(LIST).content.decode()
    monkeypatch.setattr("app_scheduler.admin.execution_filters.MAX_SUGGESTIONS", 1)
    assert "<datalist" not in viewer.get(LIST).content.decode()


def test_an_origin_can_be_filtered_for(viewer: Client) -> None:
    make_job()
    make_execution()
    retry = make_execution(due=timezone.now(), origin=ExecutionOrigin.RETRY)
    assert shown(viewer, origin="retry") == [retry.pk]
    assert shown(viewer, detail__origin__exact="retry") == [retry.pk]


def test_failures_like_one_another_can_be_filtered_for(viewer: Client) -> None:
    make_job()
    same = make_execution(status=Status.ERROR, fingerprint="abc", exception="ValueError: no <b>such</b> row")
    make_execution(status=Status.ERROR, fingerprint="def", due=timezone.now())
    html = viewer.get(LIST, {"detail__fingerprint": "abc"}).content.decode()
    assert shown(viewer, detail__fingerprint="abc") == [same.pk]
    assert "failed alike: ValueError: no &lt;b&gt;such&lt;/b&gt; row" in html
    assert "failed alike" not in viewer.get(LIST).content.decode()


def test_other_columns_of_the_detail_cannot_be_asked_about(viewer: Client) -> None:
    make_job()
    make_execution(kwargs={"password": "hunter2"})
    assert viewer.get(LIST, {"detail__kwargs__password": "hunter2"}).status_code == 400


@pytest.mark.parametrize("text", ["digest", "Failure", "disconnected", "misfire", "mail smtp", '"grace time"'])
def test_the_search_looks_at_job_exception_and_reason(viewer: Client, text: str) -> None:
    make_job(name="Failure mail")
    make_job("other")
    wanted = make_execution(exception="SMTPServerDisconnected", reason="Its misfire grace time was over.")
    make_execution("other", due=timezone.now())
    assert shown(viewer, q=text) == [wanted.pk]


def test_filters_and_search_hold_together(viewer: Client) -> None:
    make_job()
    wanted = make_execution(status=Status.ERROR, exception="ValueError: x")
    make_execution(status=Status.ERROR, exception="KeyError", due=timezone.now())
    assert shown(viewer, q="ValueError", status="failures", job="digest", origin="schedule") == [wanted.pk]


# --- dates --------------------------------------------------------------------------------------------------------


def test_the_dates_lead_from_years_to_a_day(viewer: Client) -> None:
    make_job()
    zone = ZoneInfo("Australia/Sydney")
    early = make_execution(due=datetime(2025, 3, 31, 23, 30, tzinfo=zone))
    late = make_execution(due=datetime(2026, 4, 2, 0, 30, tzinfo=zone))
    assert ">2025</a>" in viewer.get(LIST).content.decode()
    year = viewer.get(LIST, {"run_time__year": "2026"}).content.decode()
    assert "January 2026</a>" in year
    assert "May 2026" not in year
    month = viewer.get(LIST, {"run_time__year": "2026", "run_time__month": "4"}).content.decode()
    assert "April 2</a>" in month
    assert "April 3" not in month
    day = {"run_time__year": "2026", "run_time__month": "4", "run_time__day": "2"}
    assert shown(viewer, **day) == [late.pk]
    assert "‹ April 2026" in viewer.get(LIST, day).content.decode().replace("&lsaquo;", "‹")
    assert shown(viewer, run_time__year="2025", run_time__month="3", run_time__day="31") == [early.pk]


def test_a_search_keeps_the_day(viewer: Client) -> None:
    make_job()
    make_execution()
    html = viewer.get(LIST, {"run_time__year": "2026"}).content.decode()
    assert '<input type="hidden" name="run_time__year" value="2026">' in html


@pytest.mark.parametrize("year", ["99999999999", "abc", "-1", "0", "²"])
def test_years_that_are_none_do_no_harm(viewer: Client, year: str) -> None:
    make_job()
    make_execution()
    assert viewer.get(LIST, {"run_time__year": year}).status_code in (200, 302)
    assert viewer.get(LIST, {"run_time__year": "2026", "run_time__month": "2", "run_time__day": year}).status_code in (
        200,
        302,
    )


# --- what it costs ------------------------------------------------------------------------------------------------


def queries_of(client: Client, **parameters: Any) -> list[str]:
    client.get(LIST, parameters)  # what is looked up once per process
    with CaptureQueriesContext(connection) as captured:
        assert client.get(LIST, parameters).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def test_the_number_of_queries_does_not_grow(viewer: Client) -> None:
    make_job("digest")
    fill("digest", 10)
    few = queries_of(viewer)
    make_job("other")
    fill("other", 10_000)
    many = queries_of(viewer)
    assert len(few) == len(many) <= 20, "\n".join(many)
    assert len(queries_of(viewer, p="100")) == len(many)


def test_no_query_counts_the_whole_table(viewer: Client) -> None:
    make_job()
    fill("digest", 60)
    counts = [sql for sql in queries_of(viewer) if "COUNT(" in sql and "djangojobexecution" in sql]
    assert counts
    for sql in counts:
        assert f"LIMIT {BoundedPaginator.limit + 1}" in sql, sql


def test_where_nothing_matches_the_history_is_looked_through_once(viewer: Client) -> None:
    make_job()
    make_execution()
    assert [sql for sql in queries_of(viewer, q="nothing") if '"reason"' in sql and "COUNT(" in sql]
    assert not [sql for sql in queries_of(viewer, q="nothing") if '"reason"' in sql and "COUNT(" not in sql]


def test_no_query_reads_the_large_columns(viewer: Client) -> None:
    make_job()
    asked = User.objects.create_user("ada")
    make_execution(
        status=Status.ERROR, traceback=TRACEBACK, log="x", result="y", args=[1], kwargs={}, requested_by=asked
    )
    (rows,) = [sql for sql in queries_of(viewer) if "LEFT OUTER JOIN" in sql and '"exception"' in sql]
    for column in ("traceback", "log", "result", "args", "kwargs", "job_state", "code_document", "password"):
        assert f'."{column}"' not in rows, column


def test_beyond_the_bound_the_list_says_that_there_is_more(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    fill("digest", 121)
    monkeypatch.setattr(BoundedPaginator, "limit", 120)
    html = viewer.get(LIST).content.decode()
    assert "There are more than 120" in html
    assert viewer.get(LIST, {"p": "3"}).status_code == 200
    monkeypatch.setattr(BoundedPaginator, "limit", 121)
    assert "There are more than" not in viewer.get(LIST).content.decode()


def test_what_nobody_can_see_cannot_be_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_with("view_djangojobexecution", "run_job", name="runner")
    make_job()
    fill("digest", 70)
    assert "Select all 70 executions" in client.get(LIST).content.decode()
    monkeypatch.setattr(BoundedPaginator, "limit", 60)
    assert "Select all 60" not in client.get(LIST).content.decode()
