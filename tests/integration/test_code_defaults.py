"""What staff made of the code's jobs and the way back, through the one door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, scheduler, services
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import InvalidInput, JobExists
from app_scheduler.models import DismissedDefault, JobOrigin, JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import Actor
from app_scheduler.signature import MASK

pytestmark = pytest.mark.django_db

GONE = "old.jobs.add"
ADD = "tests.probe.jobs.add"


@pytest.fixture
def actor() -> Actor:
    return Actor(User.objects.create_user("ada"))


def make(job_id: str = "sum", **values: Any) -> JobSpec:
    document = {"id": job_id, "function": ADD, "kwargs": {"a": 1}, "trigger": "every 1h", **values}
    return services.create_job(document, Actor(origin=JobOrigin.STAFF))


def next_run_time(job_id: str = "sum") -> Any:
    return DjangoJob.objects.get(id=job_id).next_run_time


def nightly(days: int = 30, token: str = "") -> None:
    """Stand in for a function with a schedule of its own."""


@pytest.fixture
def code() -> Iterator[JobSpec]:
    """Yield a job as the code asks for it."""
    before = {function.name: function for function in registry.all()}
    registry.register(nightly, trigger="every 1h", kwargs={"days": 30, "token": "first"}, tags=["night"])
    scheduler.add_default(scheduler.defaults()["nightly"], utc_now())
    yield services.get_job("nightly")
    registry._functions.clear()
    registry._functions.update(before)


def test_a_job_as_the_code_has_it_has_no_differences(code: JobSpec, actor: Actor) -> None:
    assert services.code_differences(code) == []
    services.pause_jobs(["nightly"], actor)
    assert services.changed_from_code() == [], "a pause is no change of what the code asks"
    with pytest.raises(InvalidInput, match="nothing to revert"):
        services.revert_to_code("nightly", actor)


def test_what_staff_changed_is_told_field_by_field_with_secrets_masked(code: JobSpec, actor: Actor) -> None:
    make("other")
    changed = {"trigger": "every 6h", "kwargs": {"days": 31, "token": "second"}}
    services.change_job("nightly", changed, actor)
    trigger, kwargs = sorted(services.code_differences(services.get_job("nightly")), key=lambda d: d.field)[::-1]
    assert (trigger.field, trigger.code, trigger.job) == (
        "trigger",
        {"type": "interval", "hours": 1},
        {"type": "interval", "hours": 6},
    )
    assert (kwargs.code, kwargs.job) == ({"days": 30, "token": MASK}, {"days": 31, "token": MASK})
    assert services.changed_from_code() == ["nightly"]


def test_another_secret_is_a_difference_that_does_not_show(code: JobSpec, actor: Actor) -> None:
    services.change_job("nightly", {"kwargs": {"days": 30, "token": "second"}}, actor)
    (difference,) = services.code_differences(services.get_job("nightly"))
    assert difference.is_masked
    assert "second" not in repr(difference)


def test_one_field_or_all_go_back(code: JobSpec, actor: Actor) -> None:
    services.change_job("nightly", {"trigger": "every 6h", "tags": ["x"], "max_retries": 2}, actor)
    spec = services.revert_to_code("nightly", actor, fields=["trigger"], reason="Enough")
    assert (spec.trigger, spec.tags) == ({"type": "interval", "hours": 1}, ["x"])
    (entry,) = json.loads(LogEntry.objects.order_by("pk").last().change_message)  # type: ignore[union-attr]
    assert (entry["changed"]["fields"], entry["reason"]) == (["trigger"], "Reverted to the code's: Enough")
    services.pause_jobs(["nightly"], actor)
    spec = services.revert_to_code("nightly", actor)
    assert services.changed_fields(spec) == []
    assert (spec.tags, spec.max_retries, spec.state) == (["night"], 0, JobState.PAUSED)


def test_secrets_go_back_and_arguments_together(code: JobSpec, actor: Actor) -> None:
    JobSpec.objects.update(args=[7], kwargs={"token": "second"})
    spec = services.revert_to_code("nightly", actor, fields=["args"])
    assert (spec.args, spec.kwargs) == ([], {"days": 30, "token": "first"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [(["colour"], "cannot be reverted"), (["paused"], "cannot be reverted"), (["tags"], "as the code asks already")],
)
def test_fields_that_cannot_be_reverted_are_said(code: JobSpec, actor: Actor, fields: list[str], message: str) -> None:
    services.change_job("nightly", {"max_retries": 2}, actor)
    with pytest.raises(InvalidInput, match=message):
        services.revert_to_code("nightly", actor, fields=fields)


def test_a_job_whose_function_the_code_gave_up_is_staffs_alone(code: JobSpec, actor: Actor) -> None:
    JobSpec.objects.update(function=GONE, code_document={**documents.of(code), "function": GONE, "max_retries": 9})
    services.repair_job("nightly", {"function": ADD, "kwargs": {"a": 1}}, actor)
    assert services.code_differences(services.get_job("nightly")) == []


def test_a_deleted_job_of_the_code_is_brought_back(code: JobSpec, actor: Actor) -> None:
    services.delete_jobs(["nightly"], actor)
    (deleted,) = services.deleted_defaults()
    assert (deleted.job_id, deleted.deleted_by) == ("nightly", actor.user)
    assert deleted.document is not None
    assert deleted.document["kwargs"] == {"days": 30, "token": MASK}
    spec = services.bring_back("nightly", actor)
    assert spec is not None
    assert (spec.origin, spec.state, spec.kwargs["token"]) == (JobOrigin.CODE, JobState.SCHEDULED, "first")
    assert next_run_time("nightly") is not None
    assert services.changed_fields(spec) == []
    assert not DismissedDefault.objects.exists()
    entry = LogEntry.objects.order_by("-pk")[0]
    assert (entry.action_flag, "Brought back" in entry.change_message) == (ADDITION, True)
    with pytest.raises(InvalidInput, match="Load the list again"):
        services.bring_back("nightly", actor)


def test_a_job_whose_code_is_not_known_here_comes_at_the_next_start(actor: Actor) -> None:
    DismissedDefault.objects.create(job_id="from-elsewhere", dismissed_by=actor.user)
    assert services.deleted_defaults()[0].document is None
    assert services.bring_back("from-elsewhere", actor) is None
    assert services.count_deleted_defaults() == 0
    assert LogEntry.objects.get().change_message == "Comes back when the code next asks for it"


def test_an_id_that_was_taken_meanwhile_stays_taken(code: JobSpec, actor: Actor) -> None:
    services.delete_jobs(["nightly"], actor)
    make("nightly")
    with pytest.raises(JobExists):
        services.bring_back("nightly", actor)
    assert DismissedDefault.objects.count() == 1
