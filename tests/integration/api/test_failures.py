"""/api/failures/: the inbox for programs, one group and all that match."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob
from rest_framework.test import APIClient

from app_scheduler import services
from app_scheduler.models import ExecutionDetail, FailureGroup, JobSpec, Release, Status
from app_scheduler.services import Actor, failures
from tests.integration.failing import ago, fail, group_of, make_job, run

from .conftest import VIEWER, ClientMaker, make_user
from .test_schema import check

ALL = "/api/failures/"
ONE = "/api/failures/{id}/"
#: In an order in which each finds something to do.
VERBS = ("snooze", "retry", "acknowledge", "reopen")
#: A body that each verb takes.
BODIES: dict[str, dict[str, Any]] = {"snooze": {"hours": 4}}
CHANGE = "django_apscheduler.change_djangojobexecution"


def address(verb: str = "", fault: str = "f", job: str = "digest") -> str:
    return f"{ALL}{group_of(job, fault).pk}/{f'{verb}/' if verb else ''}"


def post(client: APIClient, verb: str, body: dict[str, Any] | None = None, *, of: str = "f") -> Any:
    """Act on one group, hold the answer against the schema, and return it."""
    response = client.post(address(verb, of), BODIES.get(verb, {}) if body is None else body)
    check(response, "post", f"{ONE}{verb}/")
    return response


def post_all(client: APIClient, verb: str, body: dict[str, Any]) -> Any:
    response = client.post(f"{ALL}{verb}/", {**BODIES.get(verb, {}), **body})
    check(response, "post", f"{ALL}{verb}/")
    return response


def listed(client: APIClient, **query: Any) -> list[str]:
    """Return the fingerprints of the failures that a list shows."""
    answer = check(client.get(ALL, query), "get", ALL)
    assert answer["count"] == len(answer["results"])
    return [failure["fingerprint"] for failure in answer["results"]]


def said_of(group: FailureGroup) -> list[str]:
    content_type = ContentType.objects.get_for_model(FailureGroup)
    entries = LogEntry.objects.filter(content_type=content_type, object_id=str(group.pk)).order_by("pk")
    return list(entries.values_list("change_message", flat=True))


# --- what is shown ------------------------------------------------------------------------------------------------


def test_a_failure_tells_what_the_inbox_tells(client: APIClient) -> None:
    make_job()
    fail(at=ago(hours=3))
    last = fail()
    group = group_of()

    shown = check(client.get(address()), "get", ONE)

    assert {name: shown[name] for name in ("id", "job", "fingerprint", "status", "exception", "place", "state")} == {
        "id": group.pk,
        "job": "digest",
        "fingerprint": "f",
        "status": "Error!",
        "exception": "ValueError: no",
        "place": "games.py, line 4, in deal",
        "state": "open",
    }
    assert (shown["count"], shown["open_count"], shown["last_execution"], shown["recovered"]) == (2, 2, last, False)
    for name, moment in (("first_seen", group.first_seen), ("last_seen", group.last_seen)):
        assert datetime.fromisoformat(shown[name]) == moment
        assert shown[name].endswith("+11:00")
    assert shown["open_since"] == shown["first_seen"]
    assert (shown["acknowledged"], shown["snoozed"], shown["released_before"]) == (None, None, None)
    assert check(client.get(ALL), "get", ALL)["results"] == [shown]
    assert client.get("/api/").json()["failures"] == f"http://testserver{ALL}"


def test_it_tells_what_came_before_and_that_it_has_recovered(client: APIClient) -> None:
    make_job()
    services.change_job(
        "digest", {"name": "Morning digest"}, Actor(get_user_model().objects.get(username="ana")), partial=True
    )
    Release.objects.create(version="2026.11.3", started_at=ago(minutes=2))
    LogEntry.objects.update(action_time=ago(minutes=3))
    fail(at=ago(minutes=1))
    run("digest", timezone.now())

    shown = check(client.get(address()), "get", ONE)

    assert shown["changed_before"]["by"] == "ana"
    assert shown["released_before"]["version"] == "2026.11.3"
    assert shown["changed_before"]["at"] < shown["released_before"]["at"] < shown["first_seen"]
    assert (shown["recovered"], shown["state"]) == (True, "open")


@pytest.mark.parametrize("text", ["0", "99999999", "9" * 18, "9" * 30, "abc", "-1", "1.5", "٣", "%00"])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_an_unknown_failure_is_not_found(client: APIClient, text: str, verb: str) -> None:
    if verb:
        response = client.post(f"{ALL}{text}/{verb}/", BODIES.get(verb, {}))
        check(response, "post", f"{ONE}{verb}/")
    else:
        response = client.get(f"{ALL}{text}/")
        check(response, "get", ONE)
    assert response.status_code == 404
    assert "There is no failure" in response.json()["detail"]


class TestList:
    @pytest.fixture(autouse=True)
    def inbox(self, client: APIClient) -> None:
        make_job(name="Morning digest", tags=["mail"])
        make_job("scores", tags=["mail", "games"])
        fail(at=ago(hours=3), fault="old", text="SMTPError: greylisted")
        fail(at=ago(hours=1), fault="new", text="ValueError: 100% of nothing")
        fail("scores", at=ago(hours=2), fault="scores")
        for fault, verb in (("snoozed", "snooze"), ("seen", "acknowledge")):
            fail(at=ago(hours=4), fault=fault)
            post(client, verb, of=fault)

    def test_the_last_to_come_is_first(self, client: APIClient) -> None:
        assert listed(client) == ["new", "scores", "old"]

    @pytest.mark.parametrize(
        ("state", "faults"),
        [
            ("open", ["new", "scores", "old"]),
            ("snoozed", ["snoozed"]),
            ("acknowledged", ["seen"]),
            ("all", ["new", "scores", "old", "seen", "snoozed"]),
        ],
    )
    def test_states_are_those_of_the_inbox(self, client: APIClient, state: str, faults: list[str]) -> None:
        assert listed(client, state=state) == faults

    @pytest.mark.parametrize(
        ("query", "faults"),
        [
            ({"job": "scores"}, ["scores"]),
            ({"job": ["scores", "digest"]}, ["new", "scores", "old"]),
            ({"job": "nobody"}, []),
            ({"tag": "GAMES"}, ["scores"]),
            ({"tag": ["mail", "games"]}, ["scores"]),
            ({"search": "smtp"}, ["old"]),
            ({"search": "morning valueerror"}, ["new"]),
            ({"search": '"of nothing"'}, ["new"]),
            ({"search": "100%"}, ["new"]),
            ({"search": "greylisted scores"}, []),
            ({"search": '"'}, []),
            ({"nonsense": "x", "job": "", "state": " "}, ["new", "scores", "old"]),
        ],
        ids=str,
    )
    def test_filters(self, client: APIClient, query: dict[str, Any], faults: list[str]) -> None:
        assert listed(client, **query) == faults

    def test_moments_bound_the_last_failure(self, client: APIClient) -> None:
        last = group_of("scores", "scores").last_seen.isoformat()
        assert listed(client, since=last) == ["new", "scores"]
        assert listed(client, until=last) == ["scores", "old"]
        assert listed(client, since=last, until=last) == ["scores"]

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ({"state": "closed"}, "“snoozed”"),
            ({"since": "yesterday"}, "2026-12-01T12:00:00+11:00"),
            ({"until": "\x00"}, "2026-12-01T12:00:00+11:00"),
            ({"search": "x" * 201}, "200"),
            ({"search": "a\x00"}, "ull"),
            ({"job": "a\x00"}, "ull"),
            ({"page_size": "many"}, "whole number"),
        ],
        ids=str,
    )
    def test_nonsense_is_refused_beside_its_name(self, client: APIClient, query: dict[str, Any], says: str) -> None:
        response = client.get(ALL, query)
        answer = check(response, "get", ALL)
        assert response.status_code == 400
        ((path, messages),) = answer.items()
        assert path.split(".")[0] in query
        assert says in messages[0]

    def test_it_comes_in_pages(self, client: APIClient) -> None:
        first = client.get(ALL, {"page_size": 2}).json()
        assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
        second = client.get(first["next"]).json()
        assert [failure["fingerprint"] for failure in second["results"]] == ["old"]
        assert second["next"] is None
        assert client.get(ALL, {"page": 9}).status_code == 404


# --- one ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(db: None) -> FailureGroup:
    make_job()
    fail(at=ago(hours=2))
    fail()
    return group_of()


@pytest.mark.usefixtures("failing")
class TestOne:
    def test_it_is_acknowledged_with_a_note(self, client: APIClient) -> None:
        shown = post(client, "acknowledge", {"note": "The provider was down"}).json()

        assert (shown["state"], shown["open_count"], shown["open_since"]) == ("acknowledged", 0, None)
        assert (shown["acknowledged"]["by"], shown["acknowledged"]["note"]) == ("ana", "The provider was down")
        assert not ExecutionDetail.objects.filter(acknowledged_at=None).exists()
        assert said_of(group_of()) == ["Acknowledged, 2 failures: The provider was down"]
        # To do it again changes nothing, and leaves no trace.
        again = post(client, "acknowledge", {"note": "Other"})
        assert (again.status_code, again.json()) == (200, shown)
        assert len(said_of(group_of())) == 1

    def test_one_that_came_again_tells_both(self, client: APIClient) -> None:
        post(client, "acknowledge", {"note": "Known"})
        fail(at=ago(seconds=1))

        shown = client.get(address()).json()

        assert (shown["state"], shown["count"], shown["open_count"]) == ("open", 3, 1)
        assert shown["acknowledged"]["note"] == "Known"
        assert shown["open_since"] == shown["last_seen"]

    def test_it_is_snoozed_for_hours_or_until_a_moment(self, client: APIClient) -> None:
        until = (timezone.now() + timedelta(hours=30)).replace(microsecond=0)
        shown = post(client, "snooze", {"hours": 24, "note": "Tonight"}).json()
        assert (shown["state"], shown["snoozed"]["by"], shown["snoozed"]["note"]) == ("snoozed", "ana", "Tonight")
        first = datetime.fromisoformat(shown["snoozed"]["until"])
        assert abs(first - until) < timedelta(hours=7)

        shown = post(client, "snooze", {"until": until.isoformat()}).json()
        assert datetime.fromisoformat(shown["snoozed"]["until"]) == until
        assert len(said_of(group_of())) == 2

        # When the moment has come, it is open without anybody's doing.
        FailureGroup.objects.update(snoozed_until=ago(seconds=1))
        shown = client.get(address()).json()
        assert (shown["state"], shown["snoozed"]) == ("open", None)

    @pytest.mark.parametrize(
        ("body", "path", "says"),
        [
            ({}, "until", "either “until” or “hours”"),
            ({"hours": 1, "until": "2099-01-01"}, "until", "either “until” or “hours”"),
            ({"hours": 0}, "hours", "from 1 to 8,784"),
            ({"hours": 8785}, "hours", "from 1 to 8,784"),
            ({"hours": "soon"}, "hours", "from 1 to 8,784"),
            ({"until": "soon"}, "until", "2026-12-01T12:00:00+11:00"),
            ({"until": "2020-01-01"}, "until", "has passed"),
            ({"until": "2199-01-01"}, "until", "year at most"),
            ({"hours": 1, "note": "x" * 1001}, "note", "1000"),
            ({"hours": 1, "reason": "x"}, "reason", "no such field"),
        ],
        ids=str,
    )
    def test_a_snooze_that_cannot_be_is_told_beside_its_field(
        self, client: APIClient, body: dict[str, Any], path: str, says: str
    ) -> None:
        response = post(client, "snooze", body)
        assert response.status_code == 400
        assert list(response.json()) == [path]
        assert says in response.json()[path][0]
        assert group_of().snoozed_until is None

    def test_what_is_acknowledged_is_not_snoozed(self, client: APIClient) -> None:
        post(client, "acknowledge")
        response = post(client, "snooze")
        assert response.status_code == 400
        assert "Open it again first" in response.json()["non_field_errors"][0]

    def test_it_is_opened_again(self, client: APIClient) -> None:
        post(client, "snooze")
        assert post(client, "reopen", {"reason": "Too early"}).json()["state"] == "open"
        post(client, "acknowledge", {"note": "Known"})
        shown = post(client, "reopen", {"reason": "Not known"}).json()
        assert (shown["state"], shown["open_count"], shown["acknowledged"]) == ("open", 2, None)
        assert said_of(group_of())[1::2] == ["Snooze ended: Too early", "Opened again: Not known"]
        # To do it again changes nothing.
        assert post(client, "reopen").json() == shown
        assert len(said_of(group_of())) == 4

    def test_nothing_is_opened_where_retention_has_deleted_all(self, client: APIClient) -> None:
        post(client, "acknowledge")
        ExecutionDetail.objects.all().delete()
        response = post(client, "reopen")
        assert response.status_code == 400
        assert "deleted" in response.json()["non_field_errors"][0]

    def test_all_that_is_open_is_retried_at_a_rate_and_once(self, client: APIClient) -> None:
        response = post(client, "retry", {"per_minute": 30, "reason": "It answers again"})

        assert response.status_code == 202
        assert (response.json()["refused"], response.json()["more_left"]) == ([], False)
        first, second = ExecutionDetail.objects.filter(pk__in=response.json()["queued"]).order_by("available_at")
        assert [first.pk, second.pk] == response.json()["queued"]
        assert second.available_at - first.available_at == timedelta(seconds=2)
        assert (first.requested_by.get_username(), first.reason) == ("ana", "It answers again")
        assert said_of(group_of()) == ["Retried 2 failures, 30 a minute: It answers again"]
        assert post(client, "retry").json() == {"queued": [], "refused": [], "more_left": False}

    def test_the_newest_alone_is_retried_once(self, client: APIClient) -> None:
        (queued,) = post(client, "retry", {"newest_only": True}).json()["queued"]
        assert ExecutionDetail.objects.get(pk=queued).retry_of_id == group_of().last_execution_id
        assert post(client, "retry", {"newest_only": True}).json()["queued"] == []
        assert len(post(client, "retry").json()["queued"]) == 1

    def test_more_than_go_at_once_is_said(self, client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(failures, "MAX_RETRIES", 1)
        answer = post(client, "retry").json()
        assert (len(answer["queued"]), answer["more_left"]) == (1, True)

    def test_what_cannot_run_is_told_with_the_reason(self, client: APIClient) -> None:
        JobSpec.objects.update(function="gone.jobs.work")
        answer = post(client, "retry").json()
        assert answer["queued"] == []
        ((reason, count),) = [(each["reason"], each["count"]) for each in answer["refused"]]
        assert reason
        assert count == 2

    @pytest.mark.parametrize("rate", [0, 6001, "fast", 1.5, None])
    def test_a_rate_that_is_none_is_told_beside_its_field(self, client: APIClient, rate: Any) -> None:
        response = post(client, "retry", {"per_minute": rate})
        assert response.status_code == 400
        assert "from 1 to 6,000" in response.json()["per_minute"][0]

    def test_what_is_deleted_meanwhile_is_a_conflict(self, client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(entries: Sequence[Any]) -> list[int]:
            raise IntegrityError

        monkeypatch.setattr(failures, "enqueue", refuse)
        response = post(client, "retry")
        assert response.status_code == 409
        assert "Try again" in response.json()["non_field_errors"][0]


# --- all that match -----------------------------------------------------------------------------------------------


class TestMany:
    @pytest.fixture(autouse=True)
    def inbox(self, client: APIClient) -> None:
        make_job()
        make_job("scores", tags=["games"])
        for number in range(3):
            fail(at=ago(hours=number + 1), fault=f"f{number}", text=f"ValueError: number {number}")
        fail("scores", fault="scores")

    def test_all_that_match_are_acknowledged_and_no_others(self, client: APIClient) -> None:
        response = post_all(client, "acknowledge", {"job": ["digest"], "note": "One cause"})

        assert response.json() == {"matching": 3, "changed": 3}
        assert listed(client) == ["scores"]
        assert said_of(group_of(fault="f1")) == ["Acknowledged, 1 failure: One cause"]
        assert group_of(fault="f1").acknowledged_note == "One cause"
        # Nothing of them is open any more, so nothing matches.
        assert post_all(client, "acknowledge", {"job": ["digest"]}).json() == {"matching": 0, "changed": 0}

    def test_those_that_are_so_already_are_counted_apart(self, client: APIClient) -> None:
        post(client, "acknowledge", of="f0")
        answer = post_all(client, "acknowledge", {"state": "all", "job": ["digest"]}).json()
        assert answer == {"matching": 3, "changed": 2}

    def test_they_are_put_aside_and_opened_again(self, client: APIClient) -> None:
        assert post_all(client, "snooze", {"search": "number", "hours": 2}).json() == {"matching": 3, "changed": 3}
        assert listed(client, state="snoozed") == ["f0", "f1", "f2"]
        assert post_all(client, "reopen", {"state": "snoozed"}).json() == {"matching": 3, "changed": 3}
        post_all(client, "acknowledge", {"state": "open"})
        # What is to be opened again is what was acknowledged, unless the body says so.
        assert post_all(client, "reopen", {"tag": ["games"]}).json() == {"matching": 1, "changed": 1}
        assert listed(client) == ["scores"]

    def test_they_are_retried_together_at_a_rate(self, client: APIClient) -> None:
        fail(at=ago(hours=9), fault="f0")

        one_each = post_all(client, "retry", {"job": ["digest"], "newest_only": True, "reason": "Again"}).json()
        assert (one_each["matching"], len(one_each["queued"])) == (3, 3)
        rest = post_all(client, "retry", {"state": "open", "per_minute": 60}).json()

        assert (rest["matching"], len(rest["queued"])) == (4, 2)
        first, second = ExecutionDetail.objects.filter(pk__in=rest["queued"]).order_by("available_at")
        assert second.available_at - first.available_at == timedelta(seconds=1)
        assert said_of(group_of(fault="f0")) == [
            "Retried 1 failure, 60 a minute: Again",
            "Retried 1 failure, 60 a minute",
        ]

    def test_moments_bound_what_is_meant(self, client: APIClient) -> None:
        last = group_of(fault="f1").last_seen.isoformat()
        assert post_all(client, "acknowledge", {"since": last, "until": last}).json()["matching"] == 1
        assert "f1" not in listed(client)

    def test_all_that_match_are_put_aside_for_hours_alone(self, client: APIClient) -> None:
        """A moment to come in ``until`` is a filter there: who means the other thing is told."""
        for body in ({"until": "2099-01-01"}, {"state": "open", "hours": 0}):
            response = client.post(f"{ALL}snooze/", body)
            check(response, "post", f"{ALL}snooze/")
            assert response.status_code == 400
            assert "from 1 to 8,784" in response.json()["hours"][0]

    @pytest.mark.parametrize("verb", VERBS)
    def test_without_any_filter_nothing_is_done(self, client: APIClient, verb: str) -> None:
        response = post_all(client, verb, {})
        assert response.status_code == 400
        assert "“search”" in response.json()["non_field_errors"][0]
        assert FailureGroup.objects.filter(open_count=1, snoozed_until=None).count() == 4

    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize(
        ("filters", "path"),
        [
            ({"state": "closed"}, "state"),
            ({"job": []}, "job"),
            ({"job": "digest"}, "job"),
            ({"job": ["x"] * 1001}, "job"),
            ({"tag": [{}]}, "tag"),
            ({"since": "yesterday"}, "since"),
            ({"until": None}, "until"),
            ({"search": ""}, "search"),
            ({"stat": "open"}, "stat"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_filters_that_cannot_be_are_told_and_nothing_is_done(
        self, client: APIClient, verb: str, filters: dict[str, Any], path: str
    ) -> None:
        response = post_all(client, verb, filters)
        assert response.status_code == 400
        assert {each.split(".")[0] for each in response.json()} == {path}
        assert FailureGroup.objects.filter(open_count=1, snoozed_until=None).count() == 4


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "sees", "allowed"),
    [
        ((), False, set()),
        (("django_apscheduler.view_djangojob",), False, set()),
        (VIEWER, True, set()),
        ((CHANGE,), True, {"acknowledge", "snooze", "reopen"}),
        ((*VIEWER, "app_scheduler.run_job"), True, {"retry"}),
        # Who may not see failures does not retry them.
        (("app_scheduler.run_job",), False, set()),
        ((CHANGE, "app_scheduler.run_job"), True, set(VERBS)),
    ],
)
def test_each_may_do_what_they_may_in_the_admin(
    client_with: ClientMaker, failing: FailureGroup, permissions: tuple[str, ...], sees: bool, allowed: set[str]
) -> None:
    client = client_with(*permissions)
    for path in (ALL, address()):
        response = client.get(path)
        assert response.status_code == (200 if sees else 403)
        assert sees or "You need the permission" in response.json()["detail"]
    for verb in VERBS:
        for response in (post(client, verb), post_all(client, verb, {"state": "all"})):
            assert response.status_code in ((200, 202) if verb in allowed else (403,)), verb
            assert verb in allowed or "You need the permission" in response.json()["detail"]


def test_a_stranger_is_asked_who_they_are(failing: FailureGroup) -> None:
    stranger = APIClient()
    for path in (ALL, address()):
        assert stranger.get(path).status_code == 401
    for verb in VERBS:
        assert stranger.post(address(verb)).status_code == stranger.post(f"{ALL}{verb}/").status_code == 401


def test_a_session_acts_with_the_csrf_token_only(failing: FailureGroup) -> None:
    make_user("ben", (CHANGE, "app_scheduler.run_job"))
    browser = APIClient(enforce_csrf_checks=True)
    assert browser.login(username="ben", password="secret")
    for verb in VERBS:
        for path in (address(verb), f"{ALL}{verb}/"):
            refused = browser.post(path, {"state": "all", **BODIES.get(verb, {})})
            assert refused.status_code == 403
            assert "CSRF" in refused.json()["detail"]
    browser.get("/api/docs/")
    headers = {"x-csrftoken": browser.cookies["csrftoken"].value}
    assert browser.post(address("acknowledge"), {}, headers=headers).status_code == 200
    for path in (address(), ALL):
        for method in ("post", "put", "patch", "delete"):
            if path == ALL or method != "get":
                assert getattr(browser, method)(path, {}, headers=headers).status_code == 405


# --- what it costs ------------------------------------------------------------------------------------------------


def queries_of(client: APIClient, path: str, body: dict[str, Any] | None = None) -> int:
    for model in (DjangoJob, FailureGroup):
        ContentType.objects.get_for_model(model)
    with CaptureQueriesContext(connection) as captured:
        response = client.get(path) if body is None else client.post(path, body)
    assert response.status_code in (200, 202)
    assert not any("COUNT(*)" in query["sql"] and "execution" in query["sql"] for query in captured)
    return len(captured)


def more_failures(number: int) -> None:
    """Add groups of which each second is open."""
    made = FailureGroup.objects.count()
    FailureGroup.objects.bulk_create(
        FailureGroup(
            job_id="digest",
            fingerprint=f"more-{made + each}",
            status=Status.ERROR,
            first_seen=ago(hours=2),
            last_seen=ago(hours=1),
            opened_at=ago(hours=2),
            count=1,
            open_count=each % 2,
            acknowledged_at=ago(hours=1),
            acknowledged_by=get_user_model().objects.first(),
            last_execution_id=0,
        )
        for each in range(number)
    )


def test_the_list_takes_the_same_queries_for_few_failures_and_for_many(
    client: APIClient, failing: FailureGroup
) -> None:
    more_failures(5)
    path = f"{ALL}?state=all&page_size=1000&search=digest"
    few = queries_of(client, path)
    more_failures(1_200)
    assert len(client.get(path).json()["results"]) == 1_000
    assert queries_of(client, path) == few <= 4


def test_one_failure_takes_the_same_queries_for_one_execution_and_for_many(
    client: APIClient, failing: FailureGroup
) -> None:
    few = queries_of(client, address())
    for second in range(30):
        fail(at=ago(minutes=9, seconds=second))
    assert queries_of(client, address()) == few <= 3


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_takes_the_same_queries_for_two_executions_and_for_many(
    client: APIClient, failing: FailureGroup, verb: str
) -> None:
    few = queries_of(client, address(verb), BODIES.get(verb, {}))
    for second in range(30):
        fail(at=ago(minutes=9, seconds=second))
    FailureGroup.objects.update(snoozed_until=None)
    assert queries_of(client, address(verb), BODIES.get(verb, {})) == few


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_on_all_that_match_takes_the_same_queries_for_few_and_for_many(
    client: APIClient, failing: FailureGroup, verb: str
) -> None:
    body = {"state": "all", **BODIES.get(verb, {})}
    more_failures(4)
    few = queries_of(client, f"{ALL}{verb}/", body)
    fail()
    more_failures(100)
    assert queries_of(client, f"{ALL}{verb}/", body) == few
