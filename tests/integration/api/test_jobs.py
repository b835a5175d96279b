"""/api/jobs/ and /api/jobs/{id}/: documents, filters, pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from app_scheduler import documents, services
from app_scheduler.models import JobOrigin, JobSpec, JobState
from app_scheduler.services import Actor
from app_scheduler.signature import MASK

from .conftest import EDITOR, ClientMaker, ExecutionMaker, JobMaker

BODY = {
    "id": "nightly-cleanup",
    "name": "Nightly clean-up",
    "tags": ["maintenance"],
    "function": "tests.probe.jobs.add",
    "kwargs": {"a": 1, "b": 5},
    "trigger": {"type": "cron", "hour": "3", "minute": "0", "timezone": "Australia/Sydney"},
}
TRIGGERS: list[Any] = [
    {"type": "interval", "hours": 1, "minutes": 30},
    {"type": "interval", "days": 1, "start_date": "2026-01-01", "end_date": "2090-12-31", "jitter": 5},
    {"type": "cron", "hour": "3", "day_of_week": "mon-fri", "timezone": "Australia/Sydney"},
    {"type": "cron", "expression": "0 3 1,15 * 1"},
    {"type": "date", "run_date": "2090-12-01T12:00:00", "timezone": "Asia/Kathmandu"},
    {"type": "calendar", "months": 2, "hour": 9, "start_date": "2026-01-31"},
    {"type": "any", "triggers": [{"type": "interval", "hours": 3}, {"type": "cron", "expression": "0 5 * * *"}]},
    "every 3h | 0 5 * * * in Australia/Sydney",
]


def test_creating_a_job_answers_with_it_and_its_address(client: APIClient) -> None:
    response = client.post("/api/jobs/", BODY)

    assert response.status_code == 201
    assert response["Location"] == "http://testserver/api/jobs/nightly-cleanup/"
    job = response.json()
    assert {name: job[name] for name in BODY} == BODY
    assert job["origin"] == JobOrigin.API
    assert job["state"] == "scheduled"
    assert job["paused"] is False
    assert job["revision"] == 1
    assert job["schedule"] and job["expression"] == "cron hour=3 minute=0 in Australia/Sydney"
    # In the job's own zone, which has whole-hour offsets.
    assert datetime.fromisoformat(job["next_run_time"]).strftime("%H:%M") == "03:00"
    assert client.get(response["Location"]).json() == job


def test_a_job_shows_fields_that_may_be_sent_back_and_no_others(client: APIClient, make_job: JobMaker) -> None:
    make_job()

    shown = set(client.get("/api/jobs/adder/").json())

    assert set(documents.FIELDS) <= shown <= {*documents.FIELDS, *documents.READ_ONLY}


def test_creating_leaves_a_trace_with_the_user_and_the_reason(client: APIClient) -> None:
    client.post("/api/jobs/?reason=Asked+for+by+Ana", BODY)

    entry = LogEntry.objects.get()
    assert entry.object_id == "nightly-cleanup"
    assert entry.user.get_username() == "ana"
    assert "Asked for by Ana" in entry.change_message


def test_an_id_that_is_left_out_is_made_from_the_name(client: APIClient) -> None:
    body = {key: value for key, value in BODY.items() if key != "id"}

    first, second = (client.post("/api/jobs/", body).json()["id"] for _ in range(2))

    assert (first, second) == ("nightly-clean-up", "nightly-clean-up-2")


def test_an_id_that_is_taken_is_refused_at_its_field(client: APIClient, make_job: JobMaker) -> None:
    make_job("nightly-cleanup", name="Theirs")

    response = client.post("/api/jobs/", BODY)

    assert response.status_code == 400
    assert list(response.json()) == ["id"]
    assert services.get_job("nightly-cleanup").name == "Theirs"


def test_replace_existing_changes_the_job_that_exists(client: APIClient, make_job: JobMaker) -> None:
    make_job("nightly-cleanup", name="Theirs", max_retries=3)

    response = client.post("/api/jobs/", {**BODY, "replace_existing": True})

    assert response.status_code == 200
    assert response.json()["name"] == "Nightly clean-up"
    assert response.json()["max_retries"] == 0
    assert JobSpec.objects.count() == 1


def test_replace_existing_creates_the_job_that_does_not_exist(client: APIClient) -> None:
    assert client.post("/api/jobs/", {**BODY, "replace_existing": True}).status_code == 201


def test_replace_existing_is_true_or_false(client: APIClient) -> None:
    response = client.post("/api/jobs/", {**BODY, "replace_existing": "maybe"})

    assert response.status_code == 400
    assert list(response.json()) == ["replace_existing"]


def test_replace_existing_does_not_resume_a_paused_job(client: APIClient, make_job: JobMaker) -> None:
    make_job("nightly-cleanup", paused=True)

    job = client.post("/api/jobs/", {**BODY, "replace_existing": True}).json()

    assert job["state"] == "paused"


def test_put_replaces_and_patch_changes_parts(client: APIClient, make_job: JobMaker) -> None:
    make_job(tags=["a"], max_retries=3)

    patched = client.patch("/api/jobs/adder/", {"name": "Adder"}).json()
    assert (patched["tags"], patched["max_retries"], patched["name"]) == (["a"], 3, "Adder")
    assert patched["revision"] == 2

    put = client.put(
        "/api/jobs/adder/", {"function": "tests.probe.jobs.add", "kwargs": {"a": 4}, "trigger": "every 2h"}
    ).json()
    assert (put["tags"], put["max_retries"], put["name"], put["kwargs"]) == ([], 0, "Add", {"a": 4})
    assert put["trigger"] == {"type": "interval", "hours": 2}


def test_put_says_which_function_and_when(client: APIClient, make_job: JobMaker) -> None:
    make_job()

    response = client.put("/api/jobs/adder/", {"name": "Adder"})

    assert response.status_code == 400
    assert set(response.json()) == {"function", "trigger"}


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_an_unknown_job_is_not_found_and_not_created(client: APIClient, method: str) -> None:
    response = getattr(client, method)("/api/jobs/nightly-cleanup/", BODY if method != "get" else None)

    assert response.status_code == 404
    assert "There is no job with the id “nightly-cleanup”" in response.json()["detail"]
    assert not JobSpec.objects.exists()


def test_a_job_keeps_its_id(client: APIClient, make_job: JobMaker) -> None:
    make_job()

    response = client.patch("/api/jobs/adder/", {"id": "other"})

    assert response.status_code == 400
    assert list(response.json()) == ["id"]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_get_shows_is_accepted_back_and_changes_nothing(client: APIClient, trigger: Any, method: str) -> None:
    created = client.post("/api/jobs/", {**BODY, "trigger": trigger})
    assert created.status_code == 201, created.json()
    before = client.get("/api/jobs/nightly-cleanup/").json()
    traces = LogEntry.objects.count()

    response = getattr(client, method)("/api/jobs/nightly-cleanup/", before)

    assert response.status_code == 200, response.json()
    assert response.json() == before
    assert LogEntry.objects.count() == traces


def test_a_job_whose_time_has_passed_is_accepted_back(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    JobSpec.objects.update(trigger={"type": "date", "run_date": "2020-01-01T00:00:00"}, state=JobState.FINISHED)
    before = client.get("/api/jobs/adder/").json()

    response = client.put("/api/jobs/adder/", before)

    assert response.status_code == 200, response.json()
    assert response.json() == before


def test_a_broken_job_can_be_read(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    JobSpec.objects.update(function="gone.away", trigger={"type": "lunar"}, state=JobState.BROKEN, kwargs={"token": 1})

    job = client.get("/api/jobs/adder/").json()

    assert (job["state"], job["expression"]) == ("broken", "")
    assert job["kwargs"] == {"token": MASK}
    assert client.get("/api/jobs/adder/upcoming/").status_code in {200, 400}


def test_secrets_are_masked_and_a_mask_sent_back_keeps_them(client: APIClient, secret_function: str) -> None:
    kwargs = {"host": "a", "password": "hunter2", "options": {"api_key": "k", "port": 1}}
    created = client.post("/api/jobs/", {"id": "s", "function": secret_function, "kwargs": kwargs, "trigger": "@daily"})
    assert created.status_code == 201, created.json()
    shown = created.json()
    assert shown["kwargs"] == {"host": "a", "password": MASK, "options": {"api_key": MASK, "port": 1}}

    changed = client.put("/api/jobs/s/", {**shown, "kwargs": {**shown["kwargs"], "host": "b"}})

    assert changed.status_code == 200, changed.json()
    assert services.get_job("s").kwargs == {**kwargs, "host": "b"}
    assert "hunter2" not in changed.content.decode()
    assert "hunter2" not in "".join(LogEntry.objects.values_list("change_message", flat=True))


def test_a_mask_is_no_secret_for_a_new_job(client: APIClient, secret_function: str) -> None:
    kwargs = {"host": "a", "password": MASK}

    response = client.post("/api/jobs/", {"function": secret_function, "kwargs": kwargs, "trigger": "@daily"})

    assert response.status_code == 400
    assert list(response.json()) == ["kwargs.password"]


def test_a_stale_revision_is_a_conflict_and_changes_nothing(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    read = client.get("/api/jobs/adder/").json()
    client.patch("/api/jobs/adder/", {"name": "Theirs"})

    for method in (client.put, client.patch):
        response = method("/api/jobs/adder/", {**read, "name": "Mine"})
        assert response.status_code == 409
        assert list(response.json()) == ["revision"]
    assert services.get_job("adder").name == "Theirs"

    without = {key: value for key, value in read.items() if key != "revision"}
    assert client.put("/api/jobs/adder/", {**without, "name": "Mine"}).status_code == 200


@pytest.mark.parametrize("revision", ["1", True, 1.5, [1]])
def test_a_revision_is_a_whole_number(client: APIClient, make_job: JobMaker, revision: Any) -> None:
    make_job()

    response = client.patch("/api/jobs/adder/", {"name": "x", "revision": revision})

    assert response.status_code == 400
    assert list(response.json()) == ["revision"]


def test_paused_in_a_document_pauses_and_resumes(client: APIClient, make_job: JobMaker) -> None:
    make_job()

    paused = client.patch("/api/jobs/adder/?reason=Noise", {"paused": True}).json()
    assert (paused["state"], paused["paused"], paused["next_run_time"]) == ("paused", True, None)
    assert (paused["state_reason"], paused["paused_by"]) == ("Noise", "ana")

    resumed = client.patch("/api/jobs/adder/", {"paused": False}).json()
    assert (resumed["state"], resumed["paused"]) == ("scheduled", False)
    assert resumed["next_run_time"]


class TestPausedTakesItsOwnPermission:
    def test_to_create_a_paused_job(self, client_with: ClientMaker) -> None:
        client = client_with(*EDITOR)

        assert client.post("/api/jobs/", {**BODY, "paused": True}).status_code == 403
        assert client.post("/api/jobs/", {**BODY, "paused": "yes"}).status_code == 403
        assert not JobSpec.objects.exists()
        assert client.post("/api/jobs/", {**BODY, "paused": False}).status_code == 201

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_to_change_it(self, client_with: ClientMaker, make_job: JobMaker, method: str) -> None:
        make_job()
        client = client_with(*EDITOR)
        body = client.get("/api/jobs/adder/").json()

        response = getattr(client, method)("/api/jobs/adder/", {**body, "paused": True})
        assert response.status_code == 403
        assert "app_scheduler.pause_job" in response.json()["detail"]
        assert services.get_job("adder").state == JobState.SCHEDULED

        assert getattr(client, method)("/api/jobs/adder/", {**body, "name": "Other"}).status_code == 200

    def test_to_change_it_by_replacing(self, client_with: ClientMaker, make_job: JobMaker) -> None:
        make_job("nightly-cleanup")
        client = client_with(*EDITOR)

        response = client.post("/api/jobs/", {**BODY, "replace_existing": True, "paused": True})

        assert response.status_code == 403

    def test_not_to_send_it_back_as_it_is(self, client_with: ClientMaker, make_job: JobMaker) -> None:
        make_job(paused=True)
        client = client_with(*EDITOR)

        response = client.put("/api/jobs/adder/", {**client.get("/api/jobs/adder/").json(), "name": "Other"})

        assert response.status_code == 200
        assert response.json()["paused"] is True


def test_replacing_takes_the_permission_to_change(client_with: ClientMaker, make_job: JobMaker) -> None:
    make_job("nightly-cleanup")
    client = client_with("django_apscheduler.add_djangojob")

    response = client.post("/api/jobs/", {**BODY, "replace_existing": True})

    assert response.status_code == 403
    assert "django_apscheduler.change_djangojob" in response.json()["detail"]


def test_deleting_takes_the_history_along(client: APIClient, make_job: JobMaker, make_execution: Any) -> None:
    make_job()
    make_execution()

    assert client.delete("/api/jobs/adder/").status_code == 204

    assert client.get("/api/jobs/adder/").status_code == 404
    assert client.get("/api/executions/").json()["count"] == 0
    assert client.delete("/api/jobs/adder/").status_code == 404


@pytest.mark.parametrize(
    "job_id", ["a.b", "50%", "50%25", 'it\'s "quoted"', "zażółć gęślą", "日本語", "a b", "a?b#c&d", "..a", "x" * 255]
)
def test_odd_ids_have_addresses(client: APIClient, job_id: str) -> None:
    created = client.post("/api/jobs/", {**BODY, "id": job_id})
    assert created.status_code == 201, created.json()

    assert client.get(created["Location"]).json()["id"] == job_id
    address = f"/api/jobs/{quote(job_id, safe='')}/"
    for verb in ("pause", "resume", "run"):
        assert client.post(f"{address}{verb}/").status_code in {200, 202}
    assert client.get(f"{address}upcoming/").status_code == 200
    assert client.get("/api/executions/", {"job": job_id}).json()["count"] == 1
    assert client.delete(address).status_code == 204


@pytest.mark.parametrize("job_id", ["a/b", "a\\b", "", "x" * 256, "a\nb", "a\x00b", ".", "..", 5, None, [], "\ud800"])
def test_ids_without_an_address_are_refused(client: APIClient, job_id: Any) -> None:
    if job_id in ("", None):
        assert client.post("/api/jobs/", {**BODY, "id": job_id}).status_code == 201
        return
    body = json.dumps({**BODY, "id": job_id})

    response = client.post("/api/jobs/", body, content_type="application/json")

    assert response.status_code == 400
    assert list(response.json()) == ["id"]


def test_unknown_fields_are_refused_with_the_nearest(client: APIClient) -> None:
    response = client.post("/api/jobs/", {**BODY, "triger": 1})

    assert response.status_code == 400
    assert "trigger" in response.json()["triger"][0]


def test_errors_are_named_by_the_path_of_their_field(client: APIClient) -> None:
    body = {**BODY, "trigger": {"type": "cron", "hour": "25"}, "kwargs": {"a": "x"}, "max_instances": 0}

    response = client.post("/api/jobs/", body)

    assert response.status_code == 400
    assert set(response.json()) == {"trigger.hour", "kwargs.a", "max_instances"}
    assert all(isinstance(messages, list) and messages for messages in response.json().values())


class TestList:
    @pytest.fixture(autouse=True)
    def jobs(self, make_job: JobMaker) -> None:
        make_job("a", name="Zebra", tags=["mail"], trigger="every 1h")
        make_job("b", name="Yak", tags=["mail", "night"], trigger="0 3 * * *", paused=True)
        make_job("c", name="Xerus", function="tests.probe.jobs.sleep", kwargs={"seconds": 1}, trigger="every 5h")
        JobSpec.objects.filter(job_id="c").update(last_status="Error!")

    def ids(self, client: APIClient, **query: Any) -> list[str]:
        response = client.get("/api/jobs/", query)
        assert response.status_code == 200, response.json()
        return [job["id"] for job in response.json()["results"]]

    def test_it_is_a_page(self, client: APIClient) -> None:
        page = client.get("/api/jobs/").json()

        assert list(page) == ["count", "next", "previous", "results"]
        assert (page["count"], page["next"], page["previous"]) == (3, None, None)
        assert page["results"][0] == client.get("/api/jobs/a/").json()

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"state": "paused"}, ["b"]),
            ({"state": ["paused", "scheduled"]}, ["a", "b", "c"]),
            ({"function": "tests.probe.jobs.sleep"}, ["c"]),
            ({"tag": "mail"}, ["a", "b"]),
            ({"tag": ["mail", "Night"]}, ["b"]),
            ({"tag": "mai"}, []),
            ({"trigger_type": "interval"}, ["a", "c"]),
            ({"last_status": "Error!"}, ["c"]),
            ({"origin": "api"}, []),
            ({"search": "zeb"}, ["a"]),
            ({"search": "jobs.sleep"}, ["c"]),
            ({"search": "%"}, []),
            ({"search": "_"}, []),
            ({"ordering": "-id"}, ["c", "b", "a"]),
            ({"ordering": "name"}, ["c", "b", "a"]),
            ({"ordering": "next_run_time", "state": "", "unknown": "x"}, ["a", "c", "b"]),
            ({"ordering": "-next_run_time"}, ["c", "a", "b"]),
        ],
    )
    def test_filters(self, client: APIClient, query: dict[str, Any], found: list[str]) -> None:
        assert self.ids(client, **query) == found

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ({"state": "asleep"}, "scheduled"),
            ({"trigger_type": "lunar"}, "interval"),
            ({"last_status": "Fine"}, "Executed"),
            ({"ordering": "colour"}, "next_run_time"),
            ({"search": "x" * 201}, "200"),
            ({"function": "a\x00b"}, ""),
            ({"page": "0"}, "whole number from 1"),
            ({"page": "many"}, "whole number from 1"),
            ({"page": "9" * 30}, "whole number from 1"),
            ({"page": "9" * 5000}, "whole number from 1"),
            ({"page_size": "-1"}, "whole number from 1"),
            ({"page_size": "1.5"}, "whole number from 1"),
        ],
    )
    def test_nonsense_is_refused_with_what_to_give(self, client: APIClient, query: dict[str, str], says: str) -> None:
        response = client.get("/api/jobs/", query)

        assert response.status_code == 400
        (name,) = query
        assert says in str(response.json()[name])

    def test_pages_lead_to_each_other(self, client: APIClient) -> None:
        first = client.get("/api/jobs/", {"page_size": "2", "ordering": "-id"}).json()
        second = client.get(first["next"]).json()

        assert [job["id"] for job in first["results"] + second["results"]] == ["c", "b", "a"]
        assert (first["previous"], second["next"]) == (None, None)
        assert client.get(second["previous"]).json() == first
        assert first["count"] == second["count"] == 3

    def test_a_page_that_does_not_exist(self, client: APIClient) -> None:
        response = client.get("/api/jobs/", {"page": 3, "page_size": 2})

        assert response.status_code == 404
        assert "The last one is 2" in response.json()["detail"]

    def test_a_page_has_at_most_a_thousand(self, client: APIClient) -> None:
        assert len(self.ids(client, page_size=5000)) == 3


def test_the_list_takes_the_same_queries_however_long_it_is(client: APIClient) -> None:
    def fill(start: int, end: int) -> None:
        data = {"function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "0 3 * * *", "tags": ["x"]}
        rows = services.plan_import([{**data, "id": f"job-{number}"} for number in range(start, end)])
        services.carry_out_import(rows, Actor())

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page = client.get("/api/jobs/", {"page_size": "1000", "tag": "x"}).json()
        assert len(page["results"]) == page["count"]
        return len(captured)

    fill(0, 10)
    few = queries()
    fill(10, 1000)

    assert queries() == few <= 4


def test_the_next_run_is_told_in_the_jobs_zone(client: APIClient, make_job: JobMaker) -> None:
    make_job(trigger="0 3 * * * in Asia/Kathmandu")

    assert client.get("/api/jobs/adder/").json()["next_run_time"].endswith("T03:00:00+05:45")


class TestUpcoming:
    def test_it_begins_with_the_tick_that_the_job_waits_for(self, client: APIClient, make_job: JobMaker) -> None:
        make_job(trigger="every 90m in Asia/Kathmandu")

        response = client.get("/api/jobs/adder/upcoming/", {"count": 3})

        ticks = [datetime.fromisoformat(tick) for tick in response.json()["upcoming"]]
        assert response.json()["upcoming"][0] == client.get("/api/jobs/adder/").json()["next_run_time"]
        assert [later - sooner for sooner, later in pairwise(ticks)] == [timedelta(minutes=90)] * 2
        assert response.json()["job"] == "adder"

    def test_it_tells_ten_unless_asked(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()

        assert len(client.get("/api/jobs/adder/upcoming/").json()["upcoming"]) == 10

    @pytest.mark.parametrize("count", ["0", "1001", "x", "-1", "1e3"])
    def test_nonsense_is_refused(self, client: APIClient, make_job: JobMaker, count: str) -> None:
        make_job()

        response = client.get("/api/jobs/adder/upcoming/", {"count": count})

        assert response.status_code == 400
        assert response.json() == {"count": ["Give a whole number from 1 to 1,000."]}

    def test_a_paused_job_has_none(self, client: APIClient, make_job: JobMaker) -> None:
        make_job(paused=True)

        assert client.get("/api/jobs/adder/upcoming/").json()["upcoming"] == []


class TestExplain:
    ADDRESS = "/api/jobs/adder/explain/"

    def test_it_names_the_execution_of_the_tick(
        self, client: APIClient, make_job: JobMaker, make_execution: ExecutionMaker
    ) -> None:
        make_job(trigger="0 * * * * in Asia/Kathmandu")
        tick = datetime(2026, 11, 20, 3, tzinfo=ZoneInfo("Asia/Kathmandu"))
        execution = make_execution(run_time=tick)

        for at in ("2026-11-20T03:00", "2026-11-20 03:00:00", "2026-11-20T03:00:00 05:45", "2026-11-19T21:15:00Z"):
            response = client.get(self.ADDRESS, {"at": at})

            assert response.status_code == 200, at
            assert response.json() == {
                "job": "adder",
                "sentence": f"It ran: execution {execution.pk} started at 03:00:00 (Asia/Kathmandu), 0.50 s after the "
                "tick, and ended Executed.",
                "tick": "2026-11-20T03:00:00+05:45",
                "execution": execution.pk,
                "verdict": "Executed",
            }

    def test_it_tells_where_there_is_none(self, client: APIClient, make_job: JobMaker) -> None:
        make_job(trigger="0 3 * * *")

        answer = client.get(self.ADDRESS, {"at": "2999-11-20T03:10"}).json()

        assert answer["sentence"] == (
            "Its schedule has no tick at 03:10; the ones around it are 03:00 and 2999-11-21 03:00."
        )
        assert (answer["tick"], answer["execution"], answer["verdict"]) == (None, None, None)

    @pytest.mark.parametrize("at", ["x", "2026-13-01", "25:00", "", None])
    def test_nonsense_is_refused(self, client: APIClient, make_job: JobMaker, at: str | None) -> None:
        make_job()

        response = client.get(self.ADDRESS, {} if at is None else {"at": at})

        assert response.status_code == 400
        ((message,),) = response.json().values()
        assert "Give a date and time in ISO 8601" in message
        assert "the job's time zone" in message

    @pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31T23:59:59", "9998-12-31T23:59:59-12:00"])
    def test_the_ends_of_the_calendar_are_no_fault(self, client: APIClient, make_job: JobMaker, at: str) -> None:
        make_job()

        assert client.get(self.ADDRESS, {"at": at}).status_code in {200, 400}

    def test_an_unknown_job_is_not_found(self, client: APIClient) -> None:
        assert client.get(self.ADDRESS, {"at": "2026-11-20T03:00"}).status_code == 404


class TestPauseAndResume:
    def test_with_a_reason_and_an_end(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()
        until = datetime.now(UTC) + timedelta(days=1)

        response = client.post("/api/jobs/adder/pause/", {"reason": "Noise", "until": until.isoformat()})

        assert response.status_code == 200
        job = response.json()
        assert (job["state"], job["paused"], job["state_reason"]) == ("paused", True, "Noise")
        assert datetime.fromisoformat(job["paused_until"]) == until
        assert job["paused_by"] == "ana"

        resumed = client.post("/api/jobs/adder/resume/", {"reason": "Quiet"}).json()
        assert (resumed["state"], resumed["paused_by"], resumed["paused_until"]) == ("scheduled", None, None)
        assert ["Quiet" in text for text in LogEntry.objects.values_list("change_message", flat=True)].count(True) == 1

    def test_without_a_body_and_twice(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()

        for verb, state in (("pause", "paused"), ("pause", "paused"), ("resume", "scheduled"), ("resume", "scheduled")):
            response = client.post(f"/api/jobs/adder/{verb}/")
            assert (response.status_code, response.json()["state"]) == (200, state)

    def test_a_finished_job_cannot_be_paused(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()
        JobSpec.objects.update(state=JobState.FINISHED)

        response = client.post("/api/jobs/adder/pause/")

        assert response.status_code == 400
        assert list(response.json()) == ["non_field_errors"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"until": "2020-01-01"}, "until"),
            ({"until": "tomorrow"}, "until"),
            ({"until": 5}, "until"),
            ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
            ({"reason": "x" * 1001}, "reason"),
            ({"reason": ["x"]}, "reason"),
            ({"reason": "a\x00b"}, "reason"),
            ({"resaon": "x"}, "resaon"),
        ],
    )
    def test_bad_bodies(self, client: APIClient, make_job: JobMaker, body: Any, field: str) -> None:
        make_job()

        response = client.post("/api/jobs/adder/pause/", body)

        assert response.status_code == 400
        assert list(response.json()) == [field]
        assert services.get_job("adder").state == JobState.SCHEDULED

    @pytest.mark.parametrize("verb", ["run", "pause", "resume"])
    def test_an_unknown_job_is_not_found(self, client: APIClient, verb: str) -> None:
        assert client.post(f"/api/jobs/nobody/{verb}/").status_code == 404


class TestRun:
    def test_it_queues_an_execution_and_tells_where(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()
        tick = services.get_job("adder").job.next_run_time

        response = client.post("/api/jobs/adder/run/")

        assert response.status_code == 202
        run = response.json()
        assert run["execution"] == run["id"]
        assert (run["job"], run["status"], run["origin"], run["requested_by"]) == ("adder", "Queued", "manual", "ana")
        assert response["Location"].endswith(reverse("api:execution", args=[run["id"]]))
        assert client.get(response["Location"]).json() == {k: v for k, v in run.items() if k != "execution"}
        assert services.get_job("adder").job.next_run_time == tick

    def test_with_arguments_and_a_reason(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()

        run = client.post("/api/jobs/adder/run/", {"args": [4], "kwargs": {"b": 5}, "reason": "A test"}).json()

        assert (run["args"], run["kwargs"], run["reason"]) == ([4], {"b": 5}, "A test")
        assert services.get_job("adder").kwargs == {"a": 1}

    def test_a_mask_keeps_the_stored_secret(self, client: APIClient, make_job: JobMaker, secret_function: str) -> None:
        make_job("s", function=secret_function, kwargs={"host": "a", "password": "hunter2"})

        run = client.post("/api/jobs/s/run/", {"kwargs": {"host": "b", "password": MASK}})

        assert run.status_code == 202, run.json()
        assert run.json()["kwargs"] == {"host": "b", "password": MASK}
        stored = services.get_execution(run.json()["id"]).detail.kwargs
        assert stored == {"host": "b", "password": "hunter2"}

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"args": "abc"}, "args"),
            ({"kwargs": []}, "kwargs"),
            ({"kwargs": {"a": "many"}}, "kwargs.a"),
            ({"args": [1, 2, 3], "kwargs": {}}, "args"),
            ({"kwargs": {"a": 1, "c": 2}}, "kwargs.c"),
            ({"argz": []}, "argz"),
        ],
    )
    def test_bad_arguments(self, client: APIClient, make_job: JobMaker, body: Any, field: str) -> None:
        make_job()

        response = client.post("/api/jobs/adder/run/", body)

        assert response.status_code == 400
        assert list(response.json()) == [field]
        assert client.get("/api/executions/").json()["count"] == 0
