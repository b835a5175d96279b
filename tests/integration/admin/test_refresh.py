"""Pages that refresh themselves: what a look is answered with, when it is 304, when it is done, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.admin.arrivals import MAX_COUNTED
from app_scheduler.models import ExecutionDetail, Status
from tests.integration.admin.histories import (
    LIST,
    client_with,
    fill,
    make_execution,
    make_job,
    make_strange_job,
    page_url,
)

pytestmark = pytest.mark.django_db

JOBS = "/admin/django_apscheduler/djangojob/"


def look(client: Client, url: str, rows: Any = (), etag: str = "", seen: str = "") -> Any:
    """Ask as the script of a page does."""
    headers = {"HX-Request": "true", "HX-Target": "jc-look", "Live-Rows": ",".join(quote(str(row)) for row in rows)}
    if etag:
        headers["If-None-Match"] = etag
    if seen:
        headers["Live-Seen"] = seen
    return client.get(url, headers=headers)


def test_a_look_is_answered_with_the_rows_in_sight_and_no_page(viewer: Client) -> None:
    make_job()
    shown, other = make_execution(), make_execution(due=timezone.now() - timedelta(hours=1))
    answer = look(viewer, LIST, [shown.pk])
    text = answer.content.decode()
    assert answer["Live"] == "on"
    assert f'<tr id="jc-row-{shown.pk}" hx-swap-oob="true">' in text
    assert f"jc-row-{other.pk}" not in text
    assert 'id="jc-live-bar" hx-swap-oob="true"' in text
    assert "<html" not in text
    assert "csrf" not in text


def test_the_cells_of_a_look_are_those_of_the_page(viewer: Client) -> None:
    make_job()
    execution = make_execution(due=timezone.now() - timedelta(days=400))
    page = viewer.get(LIST).content.decode()
    answer = look(viewer, LIST, [execution.pk]).content.decode()
    cells = answer[answer.index("<tr id=") :].split(">", 1)[1].split("</tr>")[0]
    assert f"<tr>{cells}</tr>" in page


def test_what_has_not_changed_is_not_sent_again(viewer: Client) -> None:
    make_job()
    execution = make_execution(due=timezone.now() - timedelta(days=400))
    first = look(viewer, LIST, [execution.pk])
    again = look(viewer, LIST, [execution.pk], etag=first["ETag"])
    assert (again.status_code, again.content, again["Live"]) == (304, b"", "on")
    DjangoJobExecution.objects.filter(pk=execution.pk).update(status=Status.ERROR, exception="ValueError: 3")
    changed = look(viewer, LIST, [execution.pk], etag=first["ETag"])
    assert changed.status_code == 200
    assert "ValueError: 3" in changed.content.decode()


def test_a_row_stays_though_the_filter_would_leave_it_out_by_now(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.EXECUTED)
    assert f"jc-row-{execution.pk}" in look(viewer, f"{LIST}?status=Queued", [execution.pk]).content.decode()


@pytest.mark.parametrize("rows", [["x"], ["1" * 40], ["-1"], ["\x00"], ["1,2"], [""]])
def test_rows_that_nobody_showed_do_no_harm(viewer: Client, rows: list[str]) -> None:
    make_job()
    for url in (LIST, JOBS):
        client = viewer if url == LIST else client_with("view_djangojob", name=f"jobs {len(rows[0])}")
        assert look(client, url, rows).status_code == 200


def test_new_executions_are_counted_and_not_put_in_between(viewer: Client) -> None:
    make_job()
    make_job("other")
    seen = make_execution()
    assert f'data-seen="{seen.pk}"' in viewer.get(LIST).content.decode()
    assert " new</a>" not in look(viewer, LIST, [seen.pk], seen=str(seen.pk)).content.decode()
    new = make_execution(due=timezone.now())
    make_execution("other", due=timezone.now())
    text = look(viewer, LIST, [seen.pk], seen=str(seen.pk)).content.decode()
    assert ">2 new</a>" in text
    assert f"jc-row-{new.pk}" not in text
    filtered = look(viewer, f"{LIST}?job=other&p=1", [seen.pk], seen=str(seen.pk)).content.decode()
    assert '<a href="?job=other">1 new</a>' in filtered


def test_new_executions_are_counted_so_far(viewer: Client) -> None:
    make_job()
    seen = make_execution()
    fill("digest", MAX_COUNTED + 5)
    assert f"more than {MAX_COUNTED} new" in look(viewer, LIST, [seen.pk], seen=str(seen.pk)).content.decode()


@pytest.mark.parametrize("seen", ["", "x", "9" * 60, "-4"])
def test_a_strange_word_for_what_was_seen_counts_nothing(viewer: Client, seen: str) -> None:
    make_job()
    make_execution()
    answer = look(viewer, LIST, seen=seen)
    assert answer.status_code == 200
    assert " new</a>" not in answer.content.decode()


def test_jobs_are_named_by_their_ids_whatever_those_hold(client: Client) -> None:
    make_job("a,b <ü>")
    make_strange_job("not adopted")
    text = look(client, JOBS, ["a,b <ü>", "not adopted"]).content.decode()
    assert 'id="jc-row-a,b &lt;ü&gt;"' in text
    assert 'id="jc-row-not adopted"' in text
    assert 'data-row="a,b &lt;ü&gt;"' in client.get(JOBS).content.decode()
    assert 'id="jc-summary" hx-swap-oob="true"' in text
    # How many are found is not counted again, so what says it stays.
    assert "jc-summary" not in look(client, f"{JOBS}?q=digest", []).content.decode()


def test_a_look_without_a_session_gets_no_mark(db: None) -> None:
    answer = look(Client(), LIST)
    assert answer.status_code == 302
    assert "Live" not in answer


def test_a_look_needs_the_permission_that_the_page_needs() -> None:
    make_job()
    execution = make_execution(status=Status.STARTED)
    stranger = client_with()
    for url in (LIST, JOBS, page_url(execution)):
        answer = look(stranger, url, [execution.pk])
        assert answer.status_code == 403
        assert "Live" not in answer


def test_the_page_of_an_execution_looks_while_it_is_on_the_way(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.STARTED)
    assert 'id="jc-look"' in viewer.get(page_url(execution)).content.decode()
    running = look(viewer, page_url(execution))
    assert running["Live"] == "on"
    assert "Running for" in running.content.decode()
    ended = timezone.now()
    DjangoJobExecution.objects.filter(pk=execution.pk).update(status=Status.EXECUTED)
    ExecutionDetail.objects.filter(pk=execution.pk).update(
        finished_at=ended, log="2026-01-01T00:00:00.000Z PRINT    hi"
    )
    over = look(viewer, page_url(execution))
    assert over["Live"] == "done"
    assert "<title>Executed: " in over.content.decode()
    assert "jc-log-card" in over.content.decode()
    assert 'id="jc-look"' not in viewer.get(page_url(execution)).content.decode()


def test_the_page_of_a_failure_looks_until_the_next_attempt_has_ended(viewer: Client) -> None:
    make_job(max_retries=1)
    execution = make_execution(status=Status.ERROR, exception="ValueError: 3")
    following = make_execution(
        status=Status.QUEUED,
        due=timezone.now() + timedelta(seconds=41),
        attempt=2,
        retry_of=execution,
        queued_at=timezone.now(),
    )
    assert look(viewer, page_url(execution))["Live"] == "on"
    DjangoJobExecution.objects.filter(pk=following.pk).update(status=Status.EXECUTED)
    assert look(viewer, page_url(execution))["Live"] == "done"


def test_an_execution_that_is_gone_ends_the_looking(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.STARTED)
    url = page_url(execution)
    execution.delete()
    answer = look(viewer, url)
    assert answer.status_code == 404
    assert "Live" not in answer


def _queries(client: Client, url: str, rows: Any, seen: str = "") -> int:
    look(client, url, rows, seen=seen)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = look(client, url, rows, seen=seen)
    assert answer.status_code == 200
    return len(queries)


def test_a_look_at_executions_costs_the_same_however_many_there_are(viewer: Client) -> None:
    make_job()
    few = [make_execution(due=timezone.now() - timedelta(minutes=number)).pk for number in range(3)]
    budget = _queries(viewer, LIST, few, seen=str(few[-1]))
    fill("digest", 300)
    many = list(DjangoJobExecution.objects.order_by("-pk").values_list("pk", flat=True)[:60])
    assert _queries(viewer, LIST, many, seen=str(few[-1])) == budget
    # Fewer than the page itself: nothing is counted, and no filter is made.
    assert budget <= 14


def test_a_look_at_jobs_costs_the_same_however_many_there_are(client: Client) -> None:
    for number in range(3):
        make_job(f"few-{number}")
    budget = _queries(client, JOBS, [f"few-{number}" for number in range(3)])
    for number in range(40):
        make_job(f"many-{number}")
    assert _queries(client, JOBS, [f"many-{number}" for number in range(40)]) == budget
    assert budget <= 16


def test_a_look_at_an_execution_costs_the_same_however_long_its_history(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.STARTED)
    budget = _queries(viewer, page_url(execution), [])
    fill("digest", 300)
    assert _queries(viewer, page_url(execution), []) == budget
