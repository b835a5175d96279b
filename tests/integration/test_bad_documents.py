"""Rows that no check would let pass, put straight into the table: every door shows them, and none fails for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from rest_framework.test import APIClient

from app_scheduler import scheduler, services
from app_scheduler.engine import recovery
from app_scheduler.engine.claim import claim
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin, JobSpec, JobState, Status
from app_scheduler.resources import export_bytes
from app_scheduler.services import Actor
from app_scheduler.transfer import FORMATS_BY_NAME

pytestmark = pytest.mark.django_db

LIST = "/admin/django_apscheduler/djangojob/"
NOW = datetime.now(UTC)

#: What a row holds, and where its reason has to point.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a type that nobody knows": ({"trigger": {"type": "nonsense"}}, "trigger.type"),
    "no type": ({"trigger": {}}, "trigger.type"),
    "a list": ({"trigger": []}, "trigger"),
    "a text": ({"trigger": "every 1h"}, "trigger"),
    "a number": ({"trigger": 7}, "trigger"),
    "nothing": ({"trigger": None}, "trigger"),
    "a field that is gone": ({"trigger": {"type": "interval", "fortnights": 1}}, "trigger.fortnights"),
    "a zone that is gone": ({"trigger": {"type": "cron", "hour": "3", "timezone": "Mars/Olympus"}}, "trigger.timezone"),
    "no date": ({"trigger": {"type": "date", "run_date": "soon"}}, "trigger.run_date"),
    "a child": ({"trigger": {"type": "any", "triggers": [{"type": "x"}]}}, "trigger.triggers.0.type"),
    "an argument that is gone": ({"kwargs": {"a": 1, "old": 2}}, "kwargs.old"),
    "an argument that is missing": ({"kwargs": {}}, "kwargs.a"),
    "an argument of another type": ({"kwargs": {"a": "many"}}, "kwargs.a"),
    "too many arguments": ({"args": [1, 2, 3], "kwargs": {}}, "args"),
    "arguments of no shape": ({"args": {"a": 1}, "kwargs": [1]}, "args"),
    "arguments that are nothing": ({"args": None, "kwargs": None}, "args"),
    "a function that is gone": ({"function": "tests.probe.jobs.gone"}, "function"),
    "no function": ({"function": ""}, "function"),
    "an executor that is gone": ({"executor": "steam"}, "executor"),
    "everything": (
        {
            "function": "x",
            "executor": "",
            "trigger": [[]],
            "args": 3,
            "kwargs": "x",
            "tags": {"a": 1},
            "trigger_type": "",
            "name": "",
        },
        "trigger",
    ),
}


@pytest.fixture(params=list(BAD.values()), ids=list(BAD))
def bad(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Put a bad row beside a good one; return its id and the path of its fault."""
    values, path = request.param
    for job_id in ("bad", "good"):
        document = {"id": job_id, "function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "every 1h"}
        services.create_job(document, Actor(origin=JobOrigin.STAFF))
    _put("bad", values)
    return "bad", path


def _put(job_id: str, values: dict[str, Any]) -> None:
    """Write as another program would: JSON null into a column that takes JSON, which Django's update cannot say."""
    nulls = [name for name, value in values.items() if value is None]
    JobSpec.objects.filter(job_id=job_id).update(**{name: value for name, value in values.items() if value is not None})
    with connection.cursor() as cursor:
        for name in nulls:
            cursor.execute(f"UPDATE app_scheduler_jobspec SET {name} = 'null' WHERE job_id = %s", [job_id])


@pytest.fixture
def client() -> Client:
    made = Client()
    made.force_login(User.objects.create_superuser("root"))
    return made


@pytest.fixture
def api() -> APIClient:
    made = APIClient()
    made.force_authenticate(User.objects.create_superuser("ana"))
    return made


def _make_due() -> datetime:
    due = NOW - timedelta(seconds=30)
    DjangoJob.objects.update(next_run_time=due)
    return due


def test_the_engine_keeps_it_as_broken_with_the_reason_and_claims_the_others(bad: tuple[str, str]) -> None:
    job_id, path = bad
    due = _make_due()
    # Arguments that no longer fit are an error of the first run; at the tick after it they are looked at.
    JobSpec.objects.filter(job_id=job_id).update(last_status=Status.ERROR)
    claim(NOW)
    spec = JobSpec.objects.select_related("job").get(job_id=job_id)
    assert (spec.state, spec.job.next_run_time) == (JobState.BROKEN, None)
    assert f"{path}: " in spec.state_reason
    execution = DjangoJobExecution.objects.select_related("detail").get(job_id=job_id)
    assert (execution.status, execution.run_time) == ("Missed!", due)
    assert execution.detail.reason == spec.state_reason
    assert DjangoJobExecution.objects.get(job_id="good").status == "Queued"
    assert recovery.heal(NOW) == [], "its cause is still there"


def test_the_engine_never_fails_for_it(bad: tuple[str, str]) -> None:
    job_id, _ = bad
    recovery.quarantine(NOW)
    recovery.heal(NOW)
    assert {job.id for job in scheduler.get_jobs()} == {"bad", "good"}
    found = scheduler.get_job(job_id)
    assert found is not None
    assert str(found)
    JobSpec.objects.update(state=JobState.PAUSED)
    assert sorted(scheduler.resume_jobs(["bad", "good"])) == ["bad", "good"]
    assert JobSpec.objects.get(job_id=job_id).state == JobState.BROKEN
    assert JobSpec.objects.get(job_id="good").state == JobState.SCHEDULED


@pytest.mark.parametrize("state", [JobState.SCHEDULED, JobState.BROKEN])
def test_the_pages_of_the_admin_show_it(client: Client, bad: tuple[str, str], state: JobState) -> None:
    job_id, _ = bad
    JobSpec.objects.filter(job_id=job_id).update(state=state, state_reason="It is bad." if state == "broken" else "")
    addresses = [
        LIST,
        f"{LIST}?q=bad",
        f"{LIST}?state={state}",
        f"{LIST}{job_id}/change/",
        f"{LIST}{job_id}/history/",
        f"{LIST}{job_id}/delete/",
        f"{LIST}{job_id}/repair/",
        f"{LIST}{job_id}/run-with/",
        "/admin/django_apscheduler/djangojobexecution/",
    ]
    for address in addresses:
        assert client.get(address, follow=True).status_code == 200, address
    page = client.get(f"{LIST}{job_id}/change/").content.decode()
    assert ("It is bad." if state == JobState.BROKEN else "It cannot run any more:") in page
    assert 'id="job-form"' in page
    assert "Ways out" in page


def test_a_viewer_sees_it(bad: tuple[str, str]) -> None:
    from tests.integration.admin.jobs_site import VIEWER, client_of, person

    page = client_of(person("vera", *VIEWER)).get(f"{LIST}{bad[0]}/change/")
    assert page.status_code == 200
    assert "It cannot run any more:" in page.content.decode()


def test_the_page_is_good_to_mend_it(client: Client, bad: tuple[str, str]) -> None:
    job_id, _ = bad
    JobSpec.objects.filter(job_id=job_id).update(state=JobState.BROKEN)
    revision = JobSpec.objects.get(job_id=job_id).revision
    sent = {
        "function": "tests.probe.jobs.add",
        "arg-for": "tests.probe.jobs.add",
        "arg-a": "4",
        "name": "Mended",
        "trigger_type": "interval",
        "interval_hours": "2",
        "executor": "default",
        "max_instances": "1",
        "misfire_grace_time": "300",
        "max_retries": "0",
        "retry_backoff": "30",
        "revision": str(revision),
        "_save": "1",
    }
    response = client.post(f"{LIST}{job_id}/change/", sent)
    assert response.status_code == 302, response.context["form"].errors
    spec = JobSpec.objects.select_related("job").get(job_id=job_id)
    assert (spec.state, spec.state_reason, spec.kwargs) == (JobState.SCHEDULED, "", {"a": 4})
    assert spec.job.next_run_time is not None


def test_acts_on_it_say_why_not(client: Client, bad: tuple[str, str]) -> None:
    job_id, _ = bad
    for act in ("pause", "resume", "run"):
        assert client.post(reverse(f"admin:django_apscheduler_djangojob_{act}", args=[job_id])).status_code in {
            200,
            302,
        }
    for action in ("run_selected", "pause_selected", "resume_selected", "repoint_selected"):
        sent = {"action": action, "_selected_action": ["bad", "good"], "_confirmed": "1", "reason": ""}
        assert client.post(LIST, sent, follow=True).status_code == 200, action


def test_the_api_shows_it_and_mends_it(api: APIClient, bad: tuple[str, str]) -> None:
    job_id, path = bad
    listed = api.get("/api/jobs/")
    assert listed.status_code == 200
    assert [job["id"] for job in listed.json()["results"]] == ["bad", "good"]
    assert api.get(f"/api/jobs/{job_id}/").status_code == 200
    assert api.get(f"/api/jobs/{job_id}/upcoming/").status_code in {200, 400}
    if JobSpec.objects.get(job_id=job_id).trigger != "every 1h":  # which any change makes a trigger of
        refused = api.patch(f"/api/jobs/{job_id}/", {"name": "x"})
        assert refused.status_code == 400
        assert _place(path) in map(_place, refused.json())
    whole = {"id": job_id, "function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "every 2h"}
    JobSpec.objects.filter(job_id=job_id).update(state=JobState.BROKEN)
    mended = api.put(f"/api/jobs/{job_id}/", whole)
    assert (mended.status_code, mended.json()["state"]) == (200, "scheduled")


def _place(path: str) -> str:
    return path.partition(".")[0]


def test_every_format_exports_it(bad: tuple[str, str]) -> None:
    for name in FORMATS_BY_NAME:
        assert export_bytes(name), name


def test_services_refuse_it_with_the_fault(bad: tuple[str, str]) -> None:
    job_id, path = bad
    if JobSpec.objects.get(job_id=job_id).trigger != "every 1h":
        with pytest.raises(InvalidInput) as caught:
            services.repair_job(job_id, {}, Actor())
        assert _place(path) in map(_place, caught.value.errors)
    assert services.missing_causes() is not None
