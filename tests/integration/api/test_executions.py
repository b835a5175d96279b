"""/api/executions/ and the verbs of one execution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution
from rest_framework.test import APIClient

from app_scheduler import services
from app_scheduler.api import pagination
from app_scheduler.api.representations import EXECUTION_FIELDS
from app_scheduler.models import ExecutionDetail, JobSpec, Status
from app_scheduler.signature import MASK

from .conftest import ExecutionMaker, JobMaker

CONTRACT = {
    "id",
    "job",
    "status",
    "run_time",
    "origin",
    "attempt",
    "tick_count",
    "reason",
    "started_at",
    "duration",
    "lateness",
    "instance",
    "exception",
    "traceback",
    "log",
    "result",
}
NOON = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 12:00 in Sydney


@pytest.fixture(autouse=True)
def job(make_job: JobMaker) -> JobSpec:
    return make_job()


def test_an_execution_shows_all_of_itself(client: APIClient, make_execution: ExecutionMaker) -> None:
    made = make_execution(
        status="Error!", run_time=NOON, exception="ValueError: x", traceback="Traceback …", progress_done=3,
        progress_total=10, progress_message="Third",
    )  # fmt: skip

    shown = client.get(f"/api/executions/{made.pk}/").json()

    assert set(shown) >= CONTRACT
    assert tuple(shown) == EXECUTION_FIELDS
    assert shown["run_time"] == "2026-11-23T12:00:00+11:00"
    assert (shown["duration"], shown["lateness"]) == (1.5, 0.5)
    assert (shown["exception"], shown["traceback"]) == ("ValueError: x", "Traceback …")
    assert (shown["log"], shown["result"]) == ("hello\n", "3")
    assert shown["progress"] == {
        "done": 3,
        "total": 10,
        "message": "Third",
        "at": None,
        "rate": None,
        "seconds_left": None,
    }
    assert shown["kwargs"] == {"a": 1}
    assert client.get("/api/executions/").json()["results"] == [shown]


@pytest.mark.parametrize(
    ("status", "told", "rate", "total", "expected"),
    [
        # Of 75 s of work some have passed since it said so.
        (Status.STARTED, 5, 12.0, 1000, (12.0, 70.0)),
        (Status.STARTED, 5, 900.0, 1000, (900.0, 0.0)),
        (Status.STARTED, 5, 12.0, None, (12.0, None)),
        (Status.STARTED, 5, None, 1000, (None, None)),
        # It stands still.
        (Status.STARTED, 90, 12.0, 1000, (None, None)),
        (Status.EXECUTED, 5, 12.0, 1000, (None, None)),
    ],
)
def test_a_run_tells_its_rate_and_what_is_left_while_it_goes_on(
    client: APIClient,
    make_execution: ExecutionMaker,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    told: int,
    rate: float | None,
    total: int | None,
    expected: tuple[float | None, float | None],
) -> None:
    now = NOON
    monkeypatch.setattr(timezone, "now", lambda: now)
    made = make_execution(
        status=status, progress_done=100, progress_total=total, progress_rate=rate,
        progress_at=now - timedelta(seconds=told),
    )  # fmt: skip

    progress = client.get(f"/api/executions/{made.pk}/").json()["progress"]

    assert (progress["rate"], progress["seconds_left"]) == expected
    assert datetime.fromisoformat(progress["at"]) == now - timedelta(seconds=told)


def test_a_row_of_plain_django_apscheduler_is_shown(client: APIClient, make_execution: ExecutionMaker) -> None:
    made = make_execution(plain=True, run_time=NOON)

    shown = client.get(f"/api/executions/{made.pk}/").json()

    assert (shown["origin"], shown["attempt"], shown["tick_count"], shown["log"]) == ("schedule", 1, 1, "")
    assert (shown["duration"], shown["lateness"], shown["args"]) == (2.0, None, None)
    assert shown["finished_at"] == "2026-11-23T12:00:02+11:00"
    assert client.get("/api/executions/").json()["results"] == [shown]
    assert client.get("/api/executions/", {"origin": "schedule"}).json()["count"] == 1
    assert client.get("/api/executions/", {"origin": "manual"}).json()["count"] == 0


def test_a_verdict_without_a_run_has_no_duration(client: APIClient, make_execution: ExecutionMaker) -> None:
    made = make_execution(status="Missed!", started_at=None, tick_count=600, reason="The scheduler was down.")

    shown = client.get(f"/api/executions/{made.pk}/").json()

    assert (shown["duration"], shown["lateness"], shown["started_at"]) == (None, None, None)
    assert (shown["tick_count"], shown["reason"]) == (600, "The scheduler was down.")


def test_secrets_are_masked(client: APIClient, make_execution: ExecutionMaker, secret_function: str) -> None:
    made = make_execution(function=secret_function, args=["host", "hunter2"], kwargs={})

    assert client.get(f"/api/executions/{made.pk}/").json()["args"] == ["host", MASK]
    assert "hunter2" not in client.get("/api/executions/").content.decode()


def test_secrets_are_masked_before_it_starts(
    client: APIClient, make_job: JobMaker, make_execution: ExecutionMaker, secret_function: str
) -> None:
    make_job("s", function=secret_function, kwargs={"host": "a", "password": "hunter2"})
    make_execution("s", function="", args=["host", "hunter2"], kwargs={})

    assert "hunter2" not in client.get("/api/executions/").content.decode()


@pytest.mark.parametrize(
    "text", ["0", "99999999", "9" * 18, "9" * 30, "9" * 5000, "abc", "-1", "1.5", "٣", "%00", "%25"]
)
def test_an_unknown_execution_is_not_found(client: APIClient, text: str) -> None:
    for address in (f"/api/executions/{text}/", f"/api/executions/{text}/retry/"):
        response = client.post(address) if "retry" in address else client.get(address)
        assert response.status_code == 404
        assert "There is no execution" in response.json()["detail"]


class TestList:
    def ids(self, client: APIClient, **query: Any) -> list[int]:
        response = client.get("/api/executions/", query)
        assert response.status_code == 200, response.json()
        return [execution["id"] for execution in response.json()["results"]]

    def test_the_newest_come_first(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = [make_execution(run_time=NOON + timedelta(minutes=minute)).pk for minute in (2, 1, 3)]

        assert self.ids(client) == [made[2], made[0], made[1]]

    def test_filters(self, client: APIClient, make_job: JobMaker, make_execution: ExecutionMaker) -> None:
        make_job("other")
        first = make_execution(status="Error!", run_time=NOON).pk
        second = make_execution(status="Missed!", run_time=NOON + timedelta(hours=1)).pk
        third = make_execution("other", run_time=NOON + timedelta(hours=2), origin="manual").pk

        assert self.ids(client, job="adder") == [second, first]
        assert self.ids(client, job=["adder", "other"]) == [third, second, first]
        assert self.ids(client, job="nobody") == []
        assert self.ids(client, status="Error!") == [first]
        assert self.ids(client, status=["Error!", "Missed!"]) == [second, first]
        assert self.ids(client, origin="manual") == [third]
        assert self.ids(client, since="2026-11-23T13:00:00+11:00") == [third, second]
        assert self.ids(client, until="2026-11-23T02:00:00Z") == [second, first]
        assert self.ids(client, since="2026-11-23T13:00:00", until="2026-11-23 13:00") == [second]
        assert self.ids(client, status="Error!", job="other", nonsense="x") == []

    def test_a_date_is_the_whole_day_of_the_site(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        midnight = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)  # 00:00 of the 23rd in Sydney
        before, first, last, after = (
            make_execution(run_time=midnight + timedelta(seconds=seconds)).pk for seconds in (-1, 0, 86_399, 86_400)
        )

        assert self.ids(client, since="2026-11-23") == [after, last, first]
        assert self.ids(client, until="2026-11-23") == [last, first, before]
        assert self.ids(client, since="2026-11-23", until="2026-11-23") == [last, first]

    def test_a_plus_sign_that_was_not_escaped_is_understood(
        self, client: APIClient, make_execution: ExecutionMaker
    ) -> None:
        made = make_execution(run_time=NOON).pk

        response = client.get("/api/executions/?since=2026-11-23T12:00:00+11:00&until=2026-11-23T12:00+11:00")

        assert [execution["id"] for execution in response.json()["results"]] == [made]

    @pytest.mark.parametrize("name", ["since", "until"])
    @pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-02-30", "0001-01-01", "9999-12-31", "1", "\x00"])
    def test_nonsense_is_refused(self, client: APIClient, name: str, text: str) -> None:
        response = client.get("/api/executions/", {name: text})

        assert response.status_code == 400
        assert list(response.json()) == [name]
        assert "2026-12-01T12:00:00+11:00" in response.json()[name][0]

    def test_an_unknown_status_is_refused_with_those_that_there_are(self, client: APIClient) -> None:
        response = client.get("/api/executions/", {"status": "Failed"})

        assert response.status_code == 400
        assert all(status in response.json()["status"][0] for status in Status.values)

    def test_only_the_fields_asked_for(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = make_execution(traceback="x" * 100)

        with CaptureQueriesContext(connection) as captured:
            response = client.get("/api/executions/", {"fields": "id, status,lateness"})

        assert response.json()["results"] == [{"id": made.pk, "status": "Executed", "lateness": 0.5}]
        assert not any("traceback" in query["sql"] or '"log"' in query["sql"] for query in captured)
        assert client.get(f"/api/executions/{made.pk}/", {"fields": "log"}).json() == {"log": "hello\n"}

    def test_an_unknown_field_is_refused(self, client: APIClient) -> None:
        response = client.get("/api/executions/", {"fields": "id,stauts"})

        assert response.status_code == 400
        assert "status" in response.json()["fields"][0]

    def test_it_takes_the_same_queries_however_long_it_is(
        self, client: APIClient, make_execution: ExecutionMaker
    ) -> None:
        user = get_user_model().objects.get()

        def fill(count: int) -> None:
            start = DjangoJobExecution.objects.count()
            rows = DjangoJobExecution.objects.bulk_create(
                DjangoJobExecution(job_id="adder", status="Executed", run_time=NOON + timedelta(seconds=start + number))
                for number in range(count)
            )
            # Every third as plain django-apscheduler leaves it.
            ExecutionDetail.objects.bulk_create(
                ExecutionDetail(execution=row, queued_at=NOON, requested_by=user, acknowledged_by=user, args=[1])
                for number, row in enumerate(rows)
                if number % 3
            )

        def queries(size: int) -> int:
            with CaptureQueriesContext(connection) as captured:
                page = client.get("/api/executions/", {"page_size": 1000}).json()
            assert len(page["results"]) == page["count"] == size
            return len(captured)

        fill(10)
        few = queries(10)
        fill(990)

        assert queries(1000) == few <= 5

    def test_counting_stops_where_it_would_take_long(
        self, client: APIClient, make_execution: ExecutionMaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = [make_execution().pk for _ in range(5)]
        monkeypatch.setattr(pagination, "MAX_COUNT", 2)

        page = client.get("/api/executions/", {"page_size": 2}).json()
        seen = [execution["id"] for execution in page["results"]]
        while page["next"]:
            assert page["count"] == 2
            page = client.get(page["next"]).json()
            seen += [execution["id"] for execution in page["results"]]

        assert seen == made


class TestRetry:
    def test_it_queues_the_same_call_again(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = make_execution(status="Error!", kwargs={"a": 7})

        response = client.post(f"/api/executions/{made.pk}/retry/", {"reason": "Once more"})

        assert response.status_code == 202
        again = response.json()
        assert again["execution"] == again["id"] != made.pk
        assert response["Location"].endswith(f"/api/executions/{again['id']}/")
        assert (again["origin"], again["attempt"], again["retry_of"]) == ("retry", 2, made.pk)
        assert (again["kwargs"], again["reason"], again["status"]) == ({"a": 7}, "Once more", "Queued")

    def test_with_other_arguments(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = make_execution(status="Error!")

        again = client.post(f"/api/executions/{made.pk}/retry/", {"kwargs": {"a": 9}}).json()

        assert again["kwargs"] == {"a": 9}

    def test_of_a_plain_row(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = make_execution(status="Error!", plain=True)

        assert client.post(f"/api/executions/{made.pk}/retry/").status_code == 202

    def test_what_has_not_ended_is_not_retried(self, client: APIClient) -> None:
        run = client.post("/api/jobs/adder/run/").json()

        response = client.post(f"/api/executions/{run['id']}/retry/")

        assert response.status_code == 400
        assert list(response.json()) == ["non_field_errors"]


class TestCancel:
    def test_a_queued_one_leaves_the_queue(self, client: APIClient) -> None:
        run = client.post("/api/jobs/adder/run/").json()

        response = client.post(f"/api/executions/{run['id']}/cancel/", {"reason": "A mistake"})

        assert response.status_code == 200
        assert response.json()["status"] == "Cancelled"
        assert "A mistake" in response.json()["reason"]
        assert response.json()["available_at"] is None
        assert client.post(f"/api/executions/{run['id']}/cancel/").status_code == 400

    def test_one_that_runs_is_told_to_end(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = make_execution(status=Status.STARTED, finished_at=None)

        response = client.post(f"/api/executions/{made.pk}/cancel/", {"reason": "A mistake"})

        assert response.status_code == 202
        assert response.json()["status"] == "Started execution"
        asked = response.json()["cancel_asked"]
        assert asked["at"] and (asked["reason"], client.get(f"/api/executions/{made.pk}/").json()["cancel_asked"]) == (
            "A mistake",
            asked,
        )
        again = client.post(f"/api/executions/{made.pk}/cancel/")
        assert again.status_code == 400
        assert "cancelled already" in again.json()["non_field_errors"][0]


class TestAcknowledge:
    def test_a_failure(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        made = make_execution(status="Error!")

        response = client.post(f"/api/executions/{made.pk}/acknowledge/", {"note": "The disk was full"})

        assert response.status_code == 200
        seen = response.json()["acknowledged"]
        assert (seen["by"], seen["note"]) == ("ana", "The disk was full")
        assert datetime.fromisoformat(seen["at"]) <= timezone.now()

        again = client.post(f"/api/executions/{made.pk}/acknowledge/", {"note": "Other"})
        assert again.json()["acknowledged"] == seen

    def test_what_is_no_failure(self, client: APIClient, make_execution: ExecutionMaker) -> None:
        for made in (make_execution(), make_execution(status="Error!", plain=True)):
            response = client.post(f"/api/executions/{made.pk}/acknowledge/")
            assert response.status_code == 400
            assert list(response.json()) == ["non_field_errors"]


def test_times_are_told_in_the_zone_of_the_site(client: APIClient, make_execution: ExecutionMaker) -> None:
    made = make_execution(run_time=NOON)
    with timezone.override("UTC"):
        shown = client.get(f"/api/executions/{made.pk}/").json()

    assert shown["run_time"] == "2026-11-23T01:00:00+00:00"
    assert services.get_execution(made.pk).run_time == NOON


def test_an_execution_tells_of_its_chain_of_attempts(client: APIClient, make_execution: ExecutionMaker) -> None:
    JobSpec.objects.update(max_retries=2)
    chain = [make_execution(status=Status.ERROR)]
    for number in (2, 3, 4):
        chain.append(make_execution(status=Status.ERROR, attempt=number, retry_of=chain[-1]))
    told = [client.get(f"/api/executions/{each.pk}/").json() for each in chain]
    ids = [each.pk for each in chain]
    assert [(each["attempt"], each["attempts"]) for each in told] == [(1, 3), (2, 3), (3, 3), (4, None)]
    assert [each["first_attempt"] for each in told] == [ids[0]] * 4
    assert [each["retry_of"] for each in told] == [None, *ids[:3]]
    assert [each["retried_by"] for each in told] == [[ids[1]], [ids[2]], [ids[3]], []]
    listed = client.get("/api/executions/?fields=id,first_attempt,retried_by").json()["results"]
    assert {each["id"]: each["first_attempt"] for each in listed} == dict.fromkeys(ids, ids[0])


def test_attempts_that_go_round_in_a_circle_have_an_end(client: APIClient, make_execution: ExecutionMaker) -> None:
    one = make_execution()
    two = make_execution(retry_of=one)
    ExecutionDetail.objects.filter(pk=one.pk).update(retry_of=two)
    assert client.get(f"/api/executions/{one.pk}/").json()["first_attempt"] in (one.pk, two.pk)
