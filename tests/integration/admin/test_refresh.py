"""Pages that refresh themselves: what a look is answered with, when it is 304, when it is done, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import services
from app_scheduler.admin.arrivals import MAX_COUNTED
from app_scheduler.admin.lastlook import KEY
from app_scheduler.models import ExecutionDetail, FailureGroup, Status
from app_scheduler.services import Actor
from tests.integration.admin.histories import (
    LIST,
    client_with,
    fill,
    make_execution,
    make_job,
    make_strange_job,
    page_url,
)
from tests.integration.failing import fail, group_of
from tests.integration.failing import make_job as make_failing_job

pytestmark = pytest.mark.django_db

JOBS = "/admin/django_apscheduler/djangojob/"
INBOX = "/admin/app_scheduler/failuregroup/"


def look(client: Client, url: str, rows: Any = (), etag: str = "", seen: str = "", part: str = "") -> Any:
    """Ask as the script of a page does."""
    headers = {"HX-Request": "true", "HX-Target": "jc-look", "Live-Rows": ",".join(quote(str(row)) for row in rows)}
    if etag:
        headers["If-None-Match"] = etag
    if seen:
        headers["Live-Seen"] = seen
    if part:
        headers["Live-Part"] = part
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


def test_the_inbox_tells_of_failures_that_came_and_changes_the_rows_in_sight(client: Client) -> None:
    make_failing_job()
    fail()
    page = client.get(INBOX).content.decode()
    seen = re.search(r'data-seen="(\d+)"', page)
    group = group_of()
    assert seen is not None and f'data-row="{group.pk}"' in page
    assert " new</a>" not in look(client, INBOX, [group.pk], seen=seen[1]).content.decode()
    fail(at=timezone.now() + timedelta(seconds=1), fault="b")
    services.acknowledge_failures([group.pk], Actor(), note="Seen")
    text = look(client, INBOX, [group.pk], seen=seen[1]).content.decode()
    assert "<title>(1) Failures |" in text and 'id="jc-tabs" hx-swap-oob="true"' in text
    assert ">1 new</a>" in text
    (row,) = re.findall(r'<tr id="jc-row-[^>]*>.*?</tr>', text, re.DOTALL)
    assert f'id="jc-row-{group.pk}"' in row and "acknowledged" in row and "Acknowledge…" not in row


@pytest.mark.parametrize("seen", ["", "x", "9" * 60, "9" * 18, "-4"])
def test_a_strange_moment_of_the_inbox_counts_nothing(client: Client, seen: str) -> None:
    make_failing_job()
    fail()
    answer = look(client, INBOX, ["x", group_of().pk], seen=seen)
    assert answer.status_code == 200
    assert " new</a>" not in answer.content.decode()


def test_a_look_at_the_inbox_costs_the_same_however_much_is_in_it(client: Client) -> None:
    make_failing_job()
    fail()
    seen = str(int(timezone.now().timestamp() * 1000) - 3_600_000)
    budget = _queries(client, INBOX, [group_of().pk], seen=seen)
    for number in range(20):
        fail(fault=f"more {number}")
    many = list(FailureGroup.objects.values_list("pk", flat=True))
    assert _queries(client, INBOX, many, seen=seen) == budget
    assert budget <= 17


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


def _queries(client: Client, url: str, rows: Any, seen: str = "", part: str = "") -> int:
    look(client, url, rows, seen=seen, part=part)
    with CaptureQueriesContext(connection) as queries:
        answer = look(client, url, rows, seen=seen, part=part)
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


OVERVIEW = f"{JOBS}overview/"
JOB_PAGE = f"{JOBS}digest/change/"


def regions_of(answer: Any) -> set[str]:
    """Return the ids of the regions of an answer."""
    return set(re.findall(r'id="([\w-]+)" hx-swap-oob="true"', answer.content.decode()))


PARTS = {
    OVERVIEW: (
        {"jc-live-bar", "jc-tiles"},
        {
            *("jc-needs-card", "jc-timeline-place", "jc-outcomes-card", "jc-slowest-card", "jc-unreliable-card"),
            "jc-kept-card",
        },
    ),
    f"{OVERVIEW}?on=index": ({"jc-live-bar", "jc-tiles"}, {"jc-needs-card"}),
    JOB_PAGE: ({"jc-state", "jc-faults-place", "jc-executions"}, {"jc-preview", "jc-history-place"}),
}


@pytest.mark.parametrize("url", PARTS)
def test_a_quick_look_leaves_out_what_costs_more(client: Client, url: str) -> None:
    make_job()
    make_execution()
    quick, others = PARTS[url]
    assert regions_of(look(client, url)) == quick | others
    answer = look(client, url, part="quick")
    assert regions_of(answer) == quick
    assert answer["Live"] == "on"
    assert "csrf" not in answer.content.decode()


@pytest.mark.parametrize("url", PARTS)
def test_the_page_has_each_region_that_a_look_brings(client: Client, url: str) -> None:
    make_job()
    make_execution()
    page = client.get("/admin/" if "index" in url else url).content.decode()
    for region in regions_of(look(client, url)):
        assert page.count(f'id="{region}"') == 1
    asked = "/admin/django_apscheduler/djangojob/overview/?on=index" if "index" in url else url
    assert f'hx-get="{asked}"' in page


@pytest.mark.parametrize("url", PARTS)
def test_a_quick_look_costs_less_and_the_same_however_much_there_is(client: Client, url: str) -> None:
    for name in ("digest", *(f"few-{number}" for number in range(20))):
        make_job(name)
    fill("digest", 12)
    quick, whole = _queries(client, url, [], part="quick"), _queries(client, url, [])
    assert quick < whole
    for number in range(40):
        make_job(f"many-{number}")
    fill("few-1", 300)
    assert _queries(client, url, [], part="quick") == quick
    assert _queries(client, url, []) == whole


def test_a_look_at_a_job_needs_the_job_and_the_permission(client: Client) -> None:
    make_job()
    assert look(client_with(), JOB_PAGE).status_code == 403
    assert look(client_with(name="another"), OVERVIEW).status_code == 403
    make_strange_job("not adopted")
    for url in (f"{JOBS}gone/change/", f"{JOBS}not_20adopted/change/"):
        answer = look(client, url)
        assert answer.status_code == 404
        assert "Live" not in answer


def test_a_look_at_a_job_has_what_its_reader_may_do(client: Client) -> None:
    make_job()
    assert "Run now" in look(client, JOB_PAGE).content.decode()
    viewer = client_with("view_djangojob")
    assert "Run now" not in look(viewer, JOB_PAGE).content.decode()
    assert 'id="jc-look"' in viewer.get(JOB_PAGE).content.decode()


def test_a_page_that_answers_a_form_does_not_refresh_itself(client: Client) -> None:
    make_job()
    assert 'id="jc-look"' in client.get(JOB_PAGE).content.decode()
    assert 'id="jc-look"' not in client.post(JOB_PAGE, {"_preview": "1", "_job": "digest"}).content.decode()
    assert 'id="jc-look"' not in client.get(f"{JOBS}add/").content.decode()


def test_a_page_that_refreshes_itself_is_no_reader(client: Client) -> None:
    make_job()
    client.get(OVERVIEW)
    kept = client.session[KEY]
    session = client.session
    session[KEY] = {"seen": (timezone.now() - timedelta(hours=9)).isoformat(), "before": None}
    session.save()
    look(client, OVERVIEW)
    assert client.session[KEY] == session[KEY] != kept
