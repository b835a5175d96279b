"""/api/jobs/{id}/code/ and revert/: what the code asks of a job, and the way back to it; and broken jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient

from app_scheduler import scheduler, services
from app_scheduler.engine.queue import utc_now
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import Actor
from app_scheduler.signature import MASK

from .conftest import JobMaker
from .test_schema import check

ADDRESS = "/api/jobs/nightly/"


def nightly(days: int = 30, token: str = "") -> None:
    """Stand in for a function with a schedule of its own."""


@pytest.fixture
def code(db: None) -> Iterator[None]:
    """Make a job of the code that staff changed."""
    before = {function.name: function for function in registry.all()}
    registry.register(nightly, trigger="every 1h", kwargs={"days": 30, "token": "first"})
    scheduler.add_default(scheduler.defaults()["nightly"], utc_now())
    services.change_job("nightly", {"trigger": "every 6h", "max_retries": 2}, Actor())
    yield
    registry._functions.clear()
    registry._functions.update(before)


def test_it_tells_what_the_code_asks_and_what_was_changed(client: APIClient, code: None) -> None:
    shown = check(client.get(f"{ADDRESS}code/"), "get", "/api/jobs/{id}/code/")
    assert shown["job"] == "nightly"
    assert shown["document"]["kwargs"] == {"days": 30, "token": MASK}
    assert shown["changed"][0] == {
        "field": "trigger",
        "code": {"type": "interval", "hours": 1},
        "job": {"type": "interval", "hours": 6},
        "code_before": None,
        "is_new": False,
    }
    assert [change["field"] for change in shown["changed"]] == ["trigger", "max_retries"]


def test_what_the_code_now_asks_comes_with_what_it_was(client: APIClient, code: None) -> None:
    JobSpec.objects.update(code_before={"trigger": {"type": "interval", "minutes": 30}})
    change = check(client.get(f"{ADDRESS}code/"), "get", "/api/jobs/{id}/code/")["changed"][0]
    assert (change["is_new"], change["code_before"]) == (True, {"type": "interval", "minutes": 30})


def test_a_job_that_is_not_the_codes_has_none(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    shown = check(client.get("/api/jobs/adder/code/"), "get", "/api/jobs/{id}/code/")
    assert (shown["document"], shown["changed"]) == (None, [])


def test_fields_or_all_go_back(client: APIClient, code: None) -> None:
    body = {"fields": ["trigger"], "reason": "Enough"}
    job = check(client.post(f"{ADDRESS}revert/", body), "post", "/api/jobs/{id}/revert/")
    assert (job["trigger"], job["max_retries"]) == ({"type": "interval", "hours": 1}, 2)
    job = check(client.post(f"{ADDRESS}revert/"), "post", "/api/jobs/{id}/revert/")
    assert job["max_retries"] == 0
    assert "Reverted to the code's: Enough" in LogEntry.objects.order_by("pk")[0].change_message


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({"fields": ["colour"]}, 400, "fields"),
        ({"fields": "trigger"}, 400, "fields"),
        ({"field": "trigger"}, 400, "field"),
        ({"fields": ["tags"]}, 400, "fields"),
        ({"revision": 77}, 409, "revision"),
        ({"revision": "x"}, 400, "revision"),
    ],
)
def test_what_cannot_be_reverted_is_said(
    client: APIClient, code: None, body: dict[str, object], status: int, path: str
) -> None:
    response = client.post(f"{ADDRESS}revert/", body)
    assert check(response, "post", "/api/jobs/{id}/revert/").keys() == {path}
    assert response.status_code == status
    assert JobSpec.objects.get().max_retries == 2


def test_nothing_to_revert_and_no_job_are_said(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    response = client.post("/api/jobs/adder/revert/")
    assert (response.status_code, list(response.json())) == (400, ["non_field_errors"])
    for verb in ("get", "post"):
        address = "/api/jobs/nothing/code/" if verb == "get" else "/api/jobs/nothing/revert/"
        assert getattr(client, verb)(address).status_code == 404


def test_a_bad_row_is_told_and_reverted(client: APIClient, code: None) -> None:
    JobSpec.objects.update(trigger={"type": "nonsense"}, args={"a": 1}, kwargs=[7], tags=5, state=JobState.BROKEN)
    shown = check(client.get(f"{ADDRESS}code/"), "get", "/api/jobs/{id}/code/")
    assert {"trigger", "args", "kwargs"} <= {change["field"] for change in shown["changed"]}
    assert [spec.job_id for spec in JobSpec.objects.filter(job_id__in=services.changed_from_code())] == ["nightly"]
    assert client.post(f"{ADDRESS}revert/").json()["state"] == "scheduled"


def test_a_change_of_the_function_mends_a_broken_job(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    JobSpec.objects.update(function="old.jobs.add", state=JobState.BROKEN, state_reason="gone")
    job = client.patch("/api/jobs/adder/", {"function": "tests.probe.jobs.add"}).json()
    assert (job["state"], job["state_reason"]) == ("scheduled", "")
    assert job["next_run_time"] is not None
