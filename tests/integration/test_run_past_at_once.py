"""A date that has passed is refused, unless somebody insists: then it is this moment, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from app_scheduler import documents, services
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin, JobSpec, JobState
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import client_of, form_data, make_job, superuser, url_of

pytestmark = pytest.mark.django_db

PAST = {"type": "date", "run_date": "2020-01-01T12:00:00", "timezone": "Asia/Kathmandu"}
BODY: dict[str, Any] = {"id": "sum", "function": "tests.probe.jobs.add", "args": [1], "trigger": PAST}


@pytest.fixture
def actor() -> Actor:
    return Actor(User.objects.create_user("ada"), JobOrigin.STAFF)


def is_soon(moment: datetime | None) -> bool:
    return moment is not None and abs(moment - timezone.now()) < timedelta(minutes=1)


def test_it_is_due_at_once_and_what_is_stored_is_that_moment(actor: Actor) -> None:
    with pytest.raises(InvalidInput, match="or let it run at once"):
        services.create_job(BODY, actor)

    spec = services.create_job(BODY, actor, run_past_at_once=True)

    assert (spec.state, is_soon(spec.job.next_run_time)) == (JobState.SCHEDULED, True)
    assert spec.trigger["timezone"] == "Asia/Kathmandu"
    assert datetime.fromisoformat(spec.trigger["run_date"]) == spec.job.next_run_time


def test_it_does_not_run_again_where_its_document_is_taken_in_again(actor: Actor) -> None:
    spec = services.create_job(BODY, actor, run_past_at_once=True)
    document = documents.of(spec)

    with pytest.raises(InvalidInput, match="in the past"):
        documents.clean({**document, "id": "again"}, now=timezone.now() + timedelta(hours=1))


def test_a_finished_job_runs_once_more(actor: Actor) -> None:
    services.create_job({**BODY, "trigger": "every 1h"}, actor)
    JobSpec.objects.update(trigger=PAST, trigger_type="date", state=JobState.FINISHED)

    spec = services.change_job("sum", {"trigger": PAST}, actor, run_past_at_once=True)

    assert (spec.state, is_soon(spec.job.next_run_time)) == (JobState.SCHEDULED, True)


def test_of_several_only_the_past_date_is_moved(actor: Actor) -> None:
    several = {"type": "any", "triggers": [PAST, {"type": "cron", "hour": "3"}]}
    spec = services.create_job({**BODY, "trigger": several}, actor, run_past_at_once=True)

    first, second = spec.trigger["triggers"]
    assert is_soon(datetime.fromisoformat(first["run_date"]))
    assert second == {"type": "cron", "hour": "3"}


@pytest.mark.parametrize("trigger", ["0 0 30 2 *", "every 1h until 2020-01-01", "whenever", None, 5])
def test_what_can_not_run_at_once_is_refused_as_ever(actor: Actor, trigger: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.create_job({**BODY, "trigger": trigger}, actor, run_past_at_once=True)
    assert any(path.startswith("trigger") for path in caught.value.errors)


def test_a_client_insists_by_a_flag_beside_the_document() -> None:
    client = APIClient()
    client.force_authenticate(superuser())

    assert client.post("/api/jobs/", BODY, format="json").status_code == 400
    assert client.post("/api/jobs/", {**BODY, "run_past_at_once": "yes"}, format="json").status_code == 400
    made = client.post("/api/jobs/", {**BODY, "run_past_at_once": True}, format="json")
    assert (made.status_code, "run_past_at_once" in made.json()) == (201, False)
    changed = client.patch("/api/jobs/sum/", {"trigger": PAST, "run_past_at_once": True}, format="json")
    assert changed.status_code == 200
    assert is_soon(datetime.fromisoformat(changed.json()["next_run_time"]))
    told = client.post("/api/triggers/preview/", {"trigger": PAST, "run_past_at_once": True}, format="json").json()
    assert told["warnings"][0] == "This date has passed: it runs at once."
    assert is_soon(datetime.fromisoformat(told["upcoming"][0]))


def test_a_preview_after_the_end_of_a_schedule_is_empty() -> None:
    client = APIClient()
    client.force_authenticate(superuser())
    body = {"trigger": "@daily until 2090-01-01", "after": "2095-01-01T00:00:00Z"}

    response = client.post("/api/triggers/preview/", body, format="json")

    assert (response.status_code, response.json()["upcoming"]) == (200, [])


def test_staff_insist_by_ticking_a_box() -> None:
    client = client_of(superuser())
    address = "/admin/django_apscheduler/djangojob/add/"
    typed = {"trigger_type": "date", "date_run_date": "2020-01-01T12:00", "arg_a": 1}
    data = {
        **form_data(client, f"{address}?function=tests.probe.jobs.add", **typed),
        "function": "tests.probe.jobs.add",
    }

    refused = client.post(address, data)
    assert "in the past" in str(refused.context["form"].errors)
    assert "If this moment has passed, run at once" in refused.content.decode()
    made = client.post(address, {**data, "run_past_at_once": "on"})

    assert made.status_code == 302
    spec = JobSpec.objects.select_related("job").get()
    assert is_soon(spec.job.next_run_time)


def test_a_line_that_is_refused_for_the_past_comes_back_with_the_box_that_lets_it_run() -> None:
    make_job()
    client = client_of(superuser())
    response = client.post(url_of("sum"), form_data(client, url_of("sum"), expression="at 2020-01-01 10:00"))
    assert response.context["form"].errors["expression"]
    (chosen,) = [card["value"] for card in response.context["form"].cards if card["chosen"]]
    assert chosen == "date", "the box is among its inputs"
