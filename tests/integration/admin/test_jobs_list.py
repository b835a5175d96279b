"""The list of jobs: what a row says, what narrows it, and what it costs."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from django_apscheduler.models import DjangoJob

from app_scheduler import services
from app_scheduler.engine.queue import Entry, enqueue
from app_scheduler.models import JobSpec, JobState, SchedulerInstance, SchedulerLease, Status
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import LIST, make_job, person, rows_of, text_of, url_of

pytestmark = pytest.mark.django_db


def test_a_row_says_what_the_job_is_when_it_runs_and_how_it_went(client: Client) -> None:
    make_job("nightly", name="Nightly clean-up", tags=["maintenance"], trigger="0 3 * * *")
    JobSpec.objects.update(
        last_status=Status.ERROR, last_execution_id=77, last_finished_at=timezone.now() - timedelta(minutes=5)
    )
    response = client.get(LIST)
    words = text_of(response)
    assert rows_of(response) == ["Nightly clean-up"]
    for expected in ("nightly", "maintenance", "tests.probe.jobs.add", "At 03:00", "0 3 * * *", "Error", "5 min"):
        assert expected in words
    assert "Failing" in words
    assert "/djangojobexecution/77/change/" in response.content.decode()
    assert re.search(
        r"<time datetime=\"[^\"]*\+1[01]:00\" title=\"[^\"]*AE[SD]T \(Australia/Sydney\)\">in ",
        response.content.decode(),
    )


def test_the_schedule_is_described_in_the_users_language(client: Client) -> None:
    make_job(trigger="every 5m")
    with translation.override("de"):
        from app_scheduler import triggers

        expected = triggers.describe({"type": "interval", "minutes": 5})
    assert expected in text_of(client.get(LIST, headers={"accept-language": "de"}))


def test_the_zone_of_the_job_is_the_zone_of_its_times(client: Client) -> None:
    make_job(trigger="cron hour=9 in America/New_York")
    page = client.get(LIST).content.decode()
    assert "(America/New_York)" in page
    assert re.search(r"title=\"[^\"]*09:00:00 E[SD]T \(America/New_York\)\"", page)


def test_a_paused_job_says_by_whom_until_when_and_why(client: Client) -> None:
    ada = person("ada")
    make_job()
    services.pause_jobs(["sum"], Actor(ada), reason="Easter series", until=timezone.now() + timedelta(days=2))
    words = text_of(client.get(LIST))
    assert "paused by ada" in words
    assert "since" in words
    assert "“Easter series”" in words
    assert "Paused until" in words
    assert "Resume" in words


def test_a_broken_job_says_why_and_leads_to_its_repair(client: Client) -> None:
    make_job()
    JobSpec.objects.update(state=JobState.BROKEN, state_reason="Its function is gone.")
    page = client.get(LIST)
    assert "Its function is gone." in text_of(page)
    assert re.search(rf'<a class="jc-btn" href="{url_of("sum")}"[^>]*>Repair…</a>', page.content.decode())
    assert "formaction" not in page.content.decode(), "what is broken cannot run or pause"


def test_a_finished_job_and_one_that_runs_say_so(client: Client) -> None:
    make_job("done")
    JobSpec.objects.update(state=JobState.FINISHED)
    make_job("busy")
    now = timezone.now()
    (execution,) = enqueue([Entry("busy", now, now)])
    from app_scheduler.models import ExecutionDetail

    ExecutionDetail.objects.filter(execution_id=execution).update(started_at=now, available_at=None)
    page = client.get(LIST)
    assert "Finished" in text_of(page)
    assert '<span class="jc-pill running">Running</span>' in page.content.decode()
    ExecutionDetail.objects.filter(execution_id=execution).update(progress_done=61, progress_total=100)
    assert "Running 61 %" in text_of(client.get(LIST))
    JobSpec.objects.filter(job_id="busy").update(last_status=Status.ERROR)
    assert re.search("Failing Running 61 %", text_of(client.get(LIST))), "that it fails is not hidden by that it runs"
    (other,) = enqueue([Entry("busy", now - timedelta(minutes=1), now)])
    ExecutionDetail.objects.filter(execution_id=other).update(started_at=now, available_at=None)
    assert "Failing 2 running" in text_of(client.get(LIST))


def test_a_tick_that_nobody_claimed_is_said_to_be_due(client: Client) -> None:
    make_job()
    DjangoJob.objects.update(next_run_time=timezone.now() - timedelta(minutes=3))
    assert re.search(r"due 3 min( \d+ s)? ago", text_of(client.get(LIST)))
    assert re.search(r"Due 3 min( \d+ s)? ago", text_of(client.get(url_of("sum"))))


def test_a_row_of_plain_django_apscheduler_is_shown_as_not_adopted(client: Client) -> None:
    DjangoJob.objects.create(id="old", next_run_time=timezone.now() + timedelta(hours=1), job_state=b"\x80junk")
    page = client.get(LIST)
    assert rows_of(page) == ["old"]
    assert "Not adopted yet" in text_of(page)
    assert "Not adopted yet" in text_of(client.get(url_of("old")))
    assert client.get(url_of("old", "history")).status_code == 200
    assert client.get(url_of("old", "delete")).status_code == 200


def test_the_next_to_run_comes_first_and_those_without_a_tick_last(client: Client) -> None:
    make_job("c", name="late", trigger="every 3h")
    make_job("a", name="paused", paused=True)
    make_job("b", name="soon", trigger="every 1m")
    assert rows_of(client.get(LIST)) == ["soon", "late", "paused"]


@pytest.mark.parametrize("column", [1, 2, 3, 4])
def test_each_column_sorts_both_ways(client: Client, column: int) -> None:
    for name in ("b", "a", "c"):
        make_job(name, name=name, trigger=f"every {ord(name) - 95}h")
    up, down = (rows_of(client.get(LIST, {"o": f"{sign}{column}"})) for sign in ("", "-"))
    assert sorted(up) == sorted(down) == ["a", "b", "c"]
    if column in (1, 2):
        assert (up, down) == (["a", "b", "c"], ["c", "b", "a"])


# --- search and filters -------------------------------------------------------------------------------------------


@pytest.fixture
def many(client: Client) -> Client:
    make_job("one", name="First", tags=["späße", "mail"], description="Greets the morning")
    make_job("two", name="Second", function="tests.probe.jobs.fail", kwargs={}, trigger="0 3 * * *", tags=["mail-out"])
    make_job("three", name="Third", trigger="at 2999-01-01 12:00")
    JobSpec.objects.filter(job_id="two").update(last_status=Status.ERROR)
    JobSpec.objects.filter(job_id="three").update(state=JobState.PAUSED, last_status=Status.EXECUTED)
    DjangoJob.objects.create(id="old", job_state=b"")
    return client


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("first", ["First"]),
        ("TWO", ["Second"]),
        ("probe.jobs.fail", ["Second"]),
        ("späße", ["First"]),
        ("mail", ["First", "Second"]),
        ("morning", ["First"]),
        ("first mail", ["First"]),
        ("first two", []),
        ('"greets the"', ["First"]),
        ("old", ["old"]),
        ("%", []),
        ("'", []),
    ],
)
def test_search_finds_words_in_names_ids_functions_tags_and_descriptions(
    many: Client, query: str, found: list[str]
) -> None:
    assert sorted(rows_of(many.get(LIST, {"q": query}))) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "scheduled"}, ["First", "Second"]),
        ({"state": "paused"}, ["Third"]),
        ({"state": "failing"}, ["Second"]),
        ({"state": "not-adopted"}, ["old"]),
        ({"trigger": "cron"}, ["Second"]),
        ({"trigger": "date"}, ["Third"]),
        ({"function": "tests.probe.jobs.fail"}, ["Second"]),
        ({"tag": "mail"}, ["First"]),
        ({"tag": "späße"}, ["First"]),
        ({"outcome": "Error!"}, ["Second"]),
        ({"outcome": "never"}, ["First"]),
        ({"state": "scheduled", "tag": "mail-out"}, ["Second"]),
        ({"state": "", "tag": "", "q": ""}, ["First", "Second", "Third", "old"]),
        ({"state": "nonsense"}, []),
        ({"tag": "'; drop"}, []),
    ],
)
def test_filters_narrow_the_list(many: Client, query: dict[str, str], found: list[str]) -> None:
    response = many.get(LIST, query)
    assert response.status_code == 200
    assert sorted(rows_of(response)) == found


def test_a_filter_that_is_on_is_seen_and_can_be_cleared(many: Client) -> None:
    page = many.get(LIST, {"tag": "mail"})
    assert '<option value="mail" selected>' in page.content.decode()
    assert '<a href="?">Clear</a>' in page.content.decode()
    assert "Clear" not in text_of(many.get(LIST))


@pytest.mark.parametrize("query", ["?nonsense=1", "?q=%00", "?p=99", "?p=x", "?o=99.x", "?_facets=1"])
def test_a_strange_address_is_no_error(many: Client, query: str) -> None:
    assert many.get(LIST + query, follow=True).status_code == 200


def test_the_line_above_the_list_counts_what_matters(many: Client) -> None:
    assert "4 jobs · 1 failing · 1 paused · 1 not adopted yet" in text_of(many.get(LIST))
    assert "1 found of 4 jobs" in text_of(many.get(LIST, {"tag": "mail"}))


def test_an_empty_list_leads_on(client: Client) -> None:
    assert "There are no jobs yet." in text_of(client.get(LIST))
    assert "No job matches." in text_of(client.get(LIST, {"q": "x"}))


def test_names_and_ids_cannot_inject_html(client: Client) -> None:
    make_job('odd "id" %41 _5F é#?&', name="<script>alert(1)</script>", tags=["a+b"])
    page = client.get(LIST)
    assert "<script>alert(1)" not in page.content.decode()
    assert rows_of(page) == ["<script>alert(1)</script>"]


# --- the bar ------------------------------------------------------------------------------------------------------


def lead(**values: Any) -> None:
    now = timezone.now()
    SchedulerInstance.objects.create(
        id="web-2:1", host="web-2", pid=4711, role="leader", started_at=now, heartbeat=now, slots=10, busy=3
    )
    SchedulerInstance.objects.create(id="web-1:1", host="web-1", pid=1, started_at=now, heartbeat=now)
    SchedulerLease.objects.update_or_create(
        id=1, defaults={"holder": "web-2:1", "expires_at": now + timedelta(minutes=5), "led_since": now, **values}
    )


def test_the_bar_says_who_leads(client: Client) -> None:
    lead()
    words = text_of(client.get(LIST))
    assert "Live web-2, process 4711 leads" in words
    assert "0 of 10 slots busy" in words
    assert "1 on standby" in words


def test_the_bar_says_since_when_nothing_is_alive_and_what_to_do(client: Client) -> None:
    SchedulerLease.objects.update_or_create(
        id=1, defaults={"expires_at": timezone.now(), "alive_at": timezone.now() - timedelta(minutes=7)}
    )
    words = text_of(client.get(LIST))
    assert "Down" in words
    assert "7 min" in words
    assert "manage.py runscheduler" in words


def test_the_bar_says_by_whom_since_when_and_why_everything_is_paused(client: Client) -> None:
    lead(paused_at=timezone.now(), paused_by=person("ada"), pause_reason="Migration")
    words = text_of(client.get(LIST))
    assert "Everything is paused" in words
    assert "Paused by ada since" in words
    assert "“Migration”" in words
    assert "Resume everything…" in words


# --- what it costs ------------------------------------------------------------------------------------------------


def _many_jobs(count: int) -> None:
    now = timezone.now()
    first = DjangoJob.objects.count()
    ids = [f"job-{number:05}" for number in range(first, first + count)]
    DjangoJob.objects.bulk_create([DjangoJob(id=pk, next_run_time=now, job_state=b"") for pk in ids])
    JobSpec.objects.bulk_create(
        [
            JobSpec(
                job_id=pk,
                name=pk,
                function="tests.probe.jobs.add",
                trigger={"type": "interval", "hours": 1},
                trigger_type="interval",
                anchor=now,
                tags=["bulk"],
                last_status=Status.EXECUTED,
            )
            for pk in ids
        ]
    )


@pytest.mark.slow
def test_the_number_of_queries_does_not_grow(client: Client) -> None:
    _many_jobs(10)
    client.get(LIST)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(LIST)
    _many_jobs(9_990)
    with CaptureQueriesContext(connection) as many:
        response = client.get(LIST)
    assert len(many) == len(few) <= 19, "\n".join(query["sql"][:200] for query in many.captured_queries)
    assert len(rows_of(response)) == 50
    # Whether a job has succeeded since it failed is asked of its own index, for the few with an open failure.
    counts = [q["sql"].partition("EXISTS")[0] for q in many.captured_queries if "COUNT" in q["sql"]]
    counted = [sql for sql in counts if "djangojobexecution" in sql]
    assert not counted, "the history may hold millions"


def test_the_list_travels_compressed(client: Client) -> None:
    make_job()
    answer = client.get(LIST, headers={"accept-encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"result_list" in gzip.decompress(answer.content)
