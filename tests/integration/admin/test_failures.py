"""The failure inbox: what its list and pages tell, who may do what, each act with its note, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, FailureGroup, JobSpec, Release, Status
from app_scheduler.services import Actor
from tests.integration.admin.histories import client_with
from tests.integration.admin.jobs_site import messages_of, text_of
from tests.integration.failing import ago, fail, group_of, make_job, run

pytestmark = pytest.mark.django_db

LIST = "/admin/app_scheduler/failuregroup/"
EXECUTIONS = "/admin/django_apscheduler/djangojobexecution/"
ACTS = ("acknowledge", "snooze", "reopen", "retry")


def url_of(group: FailureGroup, page: str = "change") -> str:
    return f"{LIST}{group.pk}/{page}/"


def shown(client: Client, query: str = "", **parameters: Any) -> list[str]:
    """Return the jobs of the failures that the list shows, in its order."""
    response = client.get(LIST + query, parameters or None)
    assert response.status_code == 200, response
    return [group.job_id for group in response.context["cl"].result_list]


def ages_of(client: Client) -> list[tuple[str, str]]:
    """Return the number and the address of each cell that has one."""
    page = client.get(LIST).content.decode()
    found = re.findall(r'<a class="jc-age [^"]*" href="([^"]*)"[^>]*><span[^>]*>[^<]*</span> ([^<]*)</a>', page)
    return [(number, unescape(url)) for url, number in found]


# --- the list -----------------------------------------------------------------------------------------------------


def test_an_empty_inbox_says_what_will_be_here_and_what_to_do_next(client: Client) -> None:
    response = client.get(LIST)
    text = text_of(response)
    assert "Nothing is open" in text and "Each error, timeout and interruption comes here" in text
    assert "Look at all executions" in text
    assert "<title>Failures |" in re.sub(r"\s*\n\s*", "", response.content.decode())


def test_the_title_counts_what_is_open(client: Client) -> None:
    make_job()
    for fault in "abc":
        fail(fault=fault)
    services.snooze_failures([group_of(fault="c").pk], Actor(), until=timezone.now() + timedelta(hours=1))
    assert "<title>(2) Failures |" in client.get(LIST).content.decode()


def test_a_row_tells_the_fault_its_ages_and_what_came_before(client: Client, root: User) -> None:
    make_job(name="Failure digest")
    services.change_job("digest", {"description": "Other"}, Actor(root))
    Release.objects.create(version="2.3.1", started_at=timezone.now())
    first = timezone.now() + timedelta(minutes=40)
    fail(at=first, text="SMTPServerDisconnected: closed\nsecond line")
    text = text_of(client.get(LIST))
    for words in (
        "Failure digest",
        "SMTPServerDisconnected: closed · games.py, line 4, in deal",
        "40 min after a change by root",
        "40 min after the start of release 2.3.1",
        "1 open",
    ):
        assert words in text
    assert "second line" not in text


def test_each_cell_leads_to_the_executions_that_it_counts(client: Client) -> None:
    for job_id in ("a b&é", "other"):
        make_job(job_id)
    for span in ({"minutes": 5}, {"hours": 2}, {"days": 2}):
        fail("a b&é", ago(**span))
    services.acknowledge_execution(fail("a b&é", ago(minutes=6)), Actor())
    fail("other", ago(days=20))
    cells = ages_of(client)
    assert [number for number, _ in cells] == ["1", "2", "2", "3", "3"]
    for number, url in cells:
        response = client.get(url)
        assert response.status_code == 200
        assert len(response.context["cl"].result_list) == int(number)
        assert "open failures since" in text_of(response)


@pytest.mark.parametrize("since", ["yesterday", "0001-01-01T00:00", "9999-12-31T23:59:59+00:00", "\x00", "2026-13-01"])
def test_a_moment_that_cannot_be_read_finds_nothing_and_breaks_nothing(client: Client, since: str) -> None:
    make_job()
    assert client.get(EXECUTIONS, {"open_since": since}).status_code == 200


def test_tabs_filters_and_the_search_narrow_the_list(client: Client) -> None:
    for job_id in ("a", "b", "c"):
        make_job(job_id, tags=["mail"] if job_id == "a" else [], name=f"Job {job_id}")
    fail("a", ago(hours=3), text="ValueError: cards")
    fail("b", ago(hours=2), text="KeyError: chips")
    fail("c", ago(hours=1))
    services.snooze_failures([group_of("b").pk], Actor(), until=timezone.now() + timedelta(hours=1), note="They know")
    services.acknowledge_failures([group_of("c").pk], Actor(), note="Known")
    assert shown(client) == ["a"]
    assert shown(client, state="snoozed") == ["b"]
    assert shown(client, state="acknowledged") == ["c"]
    assert shown(client, state="all") == ["c", "b", "a"]
    assert shown(client, state="all", tag="mail") == ["a"]
    assert shown(client, state="all", job="b") == ["b"]
    assert shown(client, state="all", q="chips") == ["b"]
    assert shown(client, state="all", q='"job C"') == ["c"]
    assert shown(client, state="nonsense") == []
    assert "They know" in text_of(client.get(LIST, {"state": "snoozed"}))
    assert "“Known”" in text_of(client.get(LIST)), "the section below the open ones"


def test_what_recovered_says_so(client: Client) -> None:
    make_job()
    fail()
    assert "Recovered" not in text_of(client.get(LIST))
    run("digest", ago(minutes=1))
    assert "Recovered" in text_of(client.get(LIST))
    assert "The job’s last run was executed." in text_of(client.get(url_of(group_of())))


def test_what_came_back_says_what_was_noted_before(client: Client) -> None:
    make_job()
    fail(at=ago(days=2))
    services.acknowledge_failures([group_of().pk], Actor(), note="Provider outage")
    fail()
    assert "back after it was acknowledged" in text_of(client.get(LIST))
    assert "“Provider outage”" in text_of(client.get(url_of(group_of())))


# --- one failure --------------------------------------------------------------------------------------------------


def test_the_page_of_a_failure_tells_where_how_often_and_who_did_what(client: Client, root: User) -> None:
    for job_id in ("digest", "twin"):
        make_job(job_id, name=job_id.title())
        fail(job_id)
    fail(at=ago(minutes=3))
    services.retry_failures([group_of().pk], Actor(root), note="Again")
    response = client.get(url_of(group_of()))
    text = text_of(response)
    for words in ("line 88, in deliver", "smtp.send_message(message)", "2 times, 2 open", "Twin", "root", "Again"):
        assert words in text
    assert len(response.context["attempts"]) == 2
    assert all(attempt.retried and not attempt.can_retry for attempt in response.context["attempts"])
    assert client.get(url_of(group_of(), "history")).headers["Location"].endswith("#jc-history")


def test_one_execution_is_retried_from_the_page(client: Client) -> None:
    make_job()
    pk = fail()
    page = client.get(url_of(group_of())).content.decode()
    action = f"{EXECUTIONS}{pk}/retry/"
    assert action in page
    assert client.post(action).status_code == 302
    assert ExecutionDetail.objects.get(origin=ExecutionOrigin.RETRY).retry_of_id == pk


def test_a_failure_without_anything_left_has_a_page(client: Client) -> None:
    make_job()
    fail()
    ExecutionDetail.objects.all().delete()
    DjangoJobExecution.objects.all().delete()
    FailureGroup.objects.update(exception="", place="", last_execution_id=0, status="Exploded")
    JobSpec.objects.all().delete()
    text = text_of(client.get(url_of(group_of())))
    assert "Exploded" in text and "deleted by the retention" in text


@pytest.mark.parametrize("name", ["0", "x", "9" * 30, "-1", "١"])
def test_a_failure_that_is_not_there_leads_back_to_the_list(client: Client, name: str) -> None:
    for page in ("change", "history", *ACTS):
        response = client.get(f"{LIST}{name}/{page}/", follow=True)
        assert response.redirect_chain[0][0] == LIST
        assert "There is no failure" in messages_of(response)[0]


# --- acts ---------------------------------------------------------------------------------------------------------


def test_a_failure_is_acknowledged_with_a_note_and_opened_again(client: Client, root: User) -> None:
    make_job()
    fail()
    group = group_of()
    assert "This failure is closed" in text_of(client.get(url_of(group, "acknowledge")))
    response = client.post(url_of(group, "acknowledge"), {"note": "Ticket 881"}, follow=True)
    assert messages_of(response) == ["1 failure acknowledged."]
    assert "Acknowledged by root" in text_of(response) and "“Ticket 881”" in text_of(response)
    response = client.post(url_of(group, "reopen"), {"note": ""}, follow=True)
    assert messages_of(response) == ["1 failure is open again."]
    assert group_of().open_count == 1


def test_a_failure_is_snoozed_for_a_span_or_until_a_moment(client: Client) -> None:
    make_job()
    fail()
    group = group_of()
    client.post(url_of(group, "snooze"), {"span": "4", "until": "", "note": "later"})
    until = group_of().snoozed_until
    assert until is not None and abs(until - timezone.now() - timedelta(hours=4)) < timedelta(minutes=1)
    moment = timezone.localtime(timezone.now() + timedelta(days=3)).replace(microsecond=0)
    given = {"span": "4", "until": moment.strftime("%Y-%m-%dT%H:%M:%S"), "note": ""}
    client.post(url_of(group, "snooze"), given)
    assert group_of().snoozed_until == moment


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"span": "", "until": ""}, "Give the moment"),
        ({"span": "5"}, "Select a valid choice"),
        ({"until": "2020-01-01T00:00"}, "has passed"),
        ({"until": "9999-12-31T23:59"}, "year at most"),
        ({"until": "soon"}, "valid date/time"),
        ({"span": "4", "note": "x" * 1001}, "at most 1000"),
    ],
)
def test_a_snooze_that_cannot_be_is_told_beside_its_field(client: Client, data: dict[str, str], words: str) -> None:
    make_job()
    fail()
    response = client.post(url_of(group_of(), "snooze"), data)
    assert response.status_code == 200
    assert words in text_of(response)
    assert group_of().snoozed_until is None


@pytest.mark.parametrize("rate", ["", "0", "6001", "1.5", "many"])
def test_a_rate_that_is_none_is_told_beside_its_field(client: Client, rate: str) -> None:
    make_job()
    fail()
    response = client.post(url_of(group_of(), "retry"), {"per_minute": rate})
    assert response.status_code == 200
    assert response.context["form"].errors["per_minute"]
    assert not ExecutionDetail.objects.filter(origin=ExecutionOrigin.RETRY).exists()


def test_all_of_a_failure_is_retried_at_a_rate(client: Client) -> None:
    make_job()
    for minutes in (1, 2, 3):
        fail(at=ago(minutes=minutes))
    assert "3 open executions are queued again" in text_of(client.get(url_of(group_of(), "retry")))
    response = client.post(url_of(group_of(), "retry"), {"per_minute": "6", "note": "Back"}, follow=True)
    assert messages_of(response) == ["3 executions queued again."]
    assert "There is nothing to retry" in text_of(client.get(url_of(group_of(), "retry")))


def select(client: Client, action: str, *jobs: str, query: str = "", **data: Any) -> Any:
    given = {"action": f"{action}_selected", "_selected_action": [group_of(job_id).pk for job_id in jobs], **data}
    return client.post(LIST + query, given, follow=True)


def test_an_action_asks_and_applies_to_what_was_ticked_or_to_all_that_match(client: Client) -> None:
    for job_id in ("a", "b", "c", "d"):
        make_job(job_id, tags=["mail"] if job_id != "d" else [])
        fail(job_id)
    asked = select(client, "acknowledge", "a", query="?tag=mail", index="0", select_across="0")
    assert "Apply to all 3 that match the list" in text_of(asked)
    assert not FailureGroup.objects.filter(open_count=0).exists()
    select(client, "acknowledge", "a", query="?tag=mail", _confirmed="1", note="One")
    assert list(FailureGroup.objects.filter(open_count=0).values_list("job_id", flat=True)) == ["a"]
    done = select(client, "acknowledge", "b", query="?tag=mail", _confirmed="1", select_across="1", note="All")
    assert messages_of(done) == ["2 failures acknowledged."]
    assert shown(client) == ["d"]


def test_retrying_many_says_what_was_left_out_and_why(client: Client) -> None:
    for job_id in ("fine", "gone"):
        make_job(job_id)
        fail(job_id)
    JobSpec.objects.filter(job_id="gone").update(function="tests.probe.jobs.nowhere")
    done = select(client, "retry", "fine", "gone", _confirmed="1", per_minute="60", note="")
    said = messages_of(done)
    assert said[0] == "1 execution queued again."
    assert "1 was left as it is" in said[1] and "not a registered function" in said[1]


def test_a_tab_offers_what_its_failures_allow(client: Client) -> None:
    make_job()
    fail()

    def offered(**parameters: str) -> set[str]:
        return {
            name for name, _ in client.get(LIST, parameters).context["action_form"].fields["action"].choices if name
        }

    assert offered() == {"acknowledge_selected", "snooze_selected", "retry_selected"}
    services.acknowledge_failures([group_of().pk], Actor())
    assert offered(state="acknowledged") == {"reopen_selected"}


# --- who may ------------------------------------------------------------------------------------------------------


def test_who_may_not_see_executions_sees_no_failures(db: None) -> None:
    make_job()
    fail()
    client = client_with("view_djangojob")
    assert "failuregroup" not in client.get("/admin/").content.decode()
    for page in (LIST, url_of(group_of()), *(url_of(group_of(), act) for act in ACTS)):
        assert client.get(page).status_code == 403


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (("view_djangojobexecution",), set()),
        (("view_djangojobexecution", "change_djangojobexecution"), {"acknowledge", "snooze", "reopen"}),
        (("view_djangojobexecution", "run_job"), {"retry"}),
    ],
)
def test_each_act_asks_for_its_own_permission(permissions: tuple[str, ...], allowed: set[str]) -> None:
    make_job()
    fail()
    client = client_with(*permissions)
    page = client.get(LIST).content.decode()
    for act in ACTS:
        expected = 200 if act in allowed else 403
        assert client.get(url_of(group_of(), act)).status_code == expected
        if act != "reopen":
            assert (url_of(group_of(), act) in page) is (act in allowed)
        if act not in allowed:
            assert client.post(url_of(group_of(), act), {"span": "4", "per_minute": "60"}).status_code == 403
            assert select(client, act, "digest", _confirmed="1", span="4", per_minute="60").status_code == 403
    assert (group_of().open_count, group_of().snoozed_until) == (1, None)
    assert "/djangojob/digest/" not in page


def test_acts_are_protected_against_forged_requests(root: User) -> None:
    make_job()
    fail()
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    for act in ACTS:
        assert client.post(url_of(group_of(), act), {"span": "4", "per_minute": "60"}).status_code == 403
    assert client.post(url_of(group_of())).status_code == 403


def test_nobody_adds_or_deletes_a_failure(client: Client) -> None:
    make_job()
    fail()
    for page in (f"{LIST}add/", url_of(group_of(), "delete")):
        assert client.get(page).status_code == 403
    assert client.post(url_of(group_of()), {"exception": "x"}).status_code == 403


# --- what it costs ------------------------------------------------------------------------------------------------


def queries_of(client: Client, url: str) -> int:
    ContentType.objects.get_for_model(DjangoJob)
    ContentType.objects.get_for_model(FailureGroup)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_the_list_takes_the_same_queries_for_ten_failures_and_for_many(client: Client) -> None:
    make_job()
    for number in range(10):
        fail(fault=str(number))
    few = queries_of(client, LIST)
    FailureGroup.objects.bulk_create(
        FailureGroup(
            job_id="digest",
            fingerprint=f"more-{number}",
            status=Status.ERROR,
            first_seen=ago(hours=2),
            last_seen=ago(hours=1),
            opened_at=ago(hours=2),
            count=1,
            open_count=number % 3,
            acknowledged_at=ago(hours=1),
            last_execution_id=0,
        )
        for number in range(2_000)
    )
    many = queries_of(client, LIST)
    # The section of what was acknowledged is one query more.
    assert many <= few + 1
    assert many < 25


def test_the_page_of_a_failure_takes_the_same_queries_for_one_execution_and_for_many(client: Client) -> None:
    make_job()
    fail()
    few = queries_of(client, url_of(group_of()))
    for second in range(60):
        fail(at=ago(minutes=9, seconds=second))
    services.retry_failures([group_of().pk], Actor())
    assert queries_of(client, url_of(group_of())) == few
    assert few < 20
