"""The ways out of a broken state, through the one door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, scheduler, services
from app_scheduler.engine import jobstore
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.models import JobOrigin, JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import Actor

pytestmark = pytest.mark.django_db

GONE = "old.jobs.add"
ADD = "tests.probe.jobs.add"


@pytest.fixture
def actor() -> Actor:
    return Actor(User.objects.create_user("ada"))


def make(job_id: str = "sum", **values: Any) -> JobSpec:
    document = {"id": job_id, "function": ADD, "kwargs": {"a": 1}, "trigger": "every 1h", **values}
    return services.create_job(document, Actor(origin=JobOrigin.STAFF))


def broken(job_id: str = "sum", function: str = GONE, **values: Any) -> JobSpec:
    make(job_id)
    JobSpec.objects.filter(job_id=job_id).update(
        state=JobState.BROKEN, state_reason="gone", function=function, **values
    )
    DjangoJob.objects.filter(id=job_id).update(next_run_time=None)
    return services.get_job(job_id)


def next_run_time(job_id: str = "sum") -> Any:
    return DjangoJob.objects.get(id=job_id).next_run_time


# --- one job ------------------------------------------------------------------------------------------------------


def test_a_job_is_pointed_at_another_function_and_is_scheduled_again(actor: Actor) -> None:
    broken()
    spec = services.repair_job("sum", {"function": ADD}, actor, reason="It was renamed")
    assert (spec.function, spec.state, spec.state_reason, spec.kwargs) == (ADD, JobState.SCHEDULED, "", {"a": 1})
    assert next_run_time() > utc_now()
    (entry,) = json.loads(LogEntry.objects.get().change_message)
    assert (entry["before"], entry["after"]) == ({"function": GONE}, {"function": ADD})
    assert entry["reason"] == "It was renamed"


def test_stored_arguments_that_do_not_fit_are_named(actor: Actor) -> None:
    broken(kwargs={"a": 1, "colour": "red"})
    with pytest.raises(InvalidInput) as caught:
        services.repair_job("sum", {"function": ADD}, actor)
    assert list(caught.value.errors) == ["kwargs.colour"]
    assert JobSpec.objects.get().state == JobState.BROKEN
    services.repair_job("sum", {"function": ADD, "kwargs": {"a": 2}}, actor)
    assert JobSpec.objects.get().state == JobState.SCHEDULED


def test_an_executor_that_is_there_is_used(actor: Actor) -> None:
    broken(function=ADD, executor="steam")
    assert services.repair_job("sum", {"executor": "default"}, actor).state == JobState.SCHEDULED


def test_a_job_whose_cause_is_gone_is_scheduled_again_as_it_is(actor: Actor) -> None:
    broken(function=ADD)
    assert services.repair_job("sum", {}, actor, reason="It is back").state == JobState.SCHEDULED
    assert LogEntry.objects.get().change_message == "Scheduled again: It is back"


def test_what_is_not_broken_and_what_is_gone_is_said(actor: Actor) -> None:
    make()
    with pytest.raises(InvalidInput, match="not broken any more"):
        services.repair_job("sum", {}, actor)
    with pytest.raises(JobNotFound):
        services.repair_job("nothing", {}, actor)


def test_a_page_that_is_out_of_date_changes_nothing(actor: Actor) -> None:
    spec = broken()
    services.repair_job("sum", {"function": ADD}, actor, expected_revision=spec.revision)
    JobSpec.objects.update(state=JobState.BROKEN)
    with pytest.raises(InvalidInput) as caught:
        services.repair_job("sum", {"function": ADD}, actor, expected_revision=spec.revision)
    assert list(caught.value.errors) == ["revision"]


@pytest.fixture
def lookalikes() -> Iterator[None]:
    def moved(a: int) -> None: ...
    def other(width: int, height: int = 1) -> None: ...

    before = {function.name: function for function in registry.all()}
    functions: dict[str, Any] = {"new_home.jobs.tidy": moved, "new_home.jobs.measure": other}
    for name, func in functions.items():
        module, _, short = name.rpartition(".")
        func.__module__, func.__qualname__, func.__name__ = module, short, short
        registry.register(func)
    yield
    registry._functions.clear()
    registry._functions.update(before)


@pytest.mark.parametrize(
    ("function", "kwargs", "best"),
    [
        ("old_home.jobs.tidy", {}, "new_home.jobs.tidy"),
        ("new_home.jobs.tidyy", {}, "new_home.jobs.tidy"),
        ("elsewhere.zzz", {"width": 3}, "new_home.jobs.measure"),
    ],
    ids=["moved", "misspelt", "the same arguments"],
)
def test_the_best_guess_comes_first(lookalikes: None, function: str, kwargs: dict[str, Any], best: str) -> None:
    guesses = services.guesses_for(broken(function=function, kwargs=kwargs))
    assert guesses[0].name == best
    assert len(guesses) <= 5


def test_nothing_is_guessed_from_nothing() -> None:
    assert services.guesses_for(broken(function="", kwargs={})) == []


# --- many jobs ----------------------------------------------------------------------------------------------------


def test_two_hundred_jobs_are_pointed_at_another_function_in_few_statements(actor: Actor) -> None:
    clean = documents.of(make("first"))
    jobstore.insert_jobs(
        [
            (documents.new_spec({**clean, "id": f"job-{n:03}"}, origin="staff", anchor=utc_now()), None)
            for n in range(200)
        ]
    )
    JobSpec.objects.update(function=GONE, state=JobState.BROKEN)
    JobSpec.objects.filter(job_id="job-000").update(state=JobState.PAUSED)
    ids = list(JobSpec.objects.values_list("job_id", flat=True))
    with CaptureQueriesContext(connection) as statements:
        assert sorted(services.repoint_jobs(ids, ADD, actor, reason="Renamed")) == sorted(ids)
    assert len(statements) < 15
    assert set(JobSpec.objects.values_list("function", flat=True)) == {ADD}
    assert JobSpec.objects.filter(state=JobState.SCHEDULED).count() == 200
    assert JobSpec.objects.get(job_id="job-000").state == JobState.PAUSED, "a paused job stays paused"
    assert next_run_time("job-000") is None
    assert DjangoJob.objects.filter(next_run_time__isnull=False).count() == 200
    assert LogEntry.objects.count() == 201


def test_one_that_does_not_fit_holds_them_all_back_and_is_named(actor: Actor) -> None:
    broken("fits")
    broken("misfit", kwargs={"b": 1})
    plan = services.plan_repoint(["fits", "misfit"], ADD)
    assert [change.spec.job_id for change in plan.fitting] == ["fits"]
    assert [spec.job_id for spec, _ in plan.faulty] == ["misfit"]
    with pytest.raises(InvalidInput) as caught:
        services.repoint_jobs(["fits", "misfit"], ADD, actor)
    assert list(caught.value.errors) == ["misfit.kwargs.a"]
    assert set(JobSpec.objects.values_list("function", "state")) == {(GONE, "broken")}
    assert not LogEntry.objects.exists()


def test_a_job_that_somebody_changes_meanwhile_holds_them_all_back(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken("one")
    broken("two")
    save = scheduler.save_changes

    def save_later(changes: Any) -> Any:
        JobSpec.objects.filter(job_id="two").update(revision=99)
        return save(changes)

    monkeypatch.setattr(scheduler, "save_changes", save_later)
    with pytest.raises(InvalidInput, match="Somebody changed two meanwhile"):
        services.repoint_jobs(["one", "two"], ADD, actor)
    assert JobSpec.objects.get(job_id="one").function == GONE


def test_those_that_call_it_already_stay_as_they_are(actor: Actor) -> None:
    make("runs")
    broken("same", function=ADD)
    plan = services.plan_repoint(["runs", "same"], ADD)
    assert [spec.job_id for spec in plan.unchanged] == ["runs"]
    assert services.repoint_jobs(["runs", "same"], ADD, actor) == ["same"]


def test_an_unknown_function_and_a_job_that_is_gone_are_said(actor: Actor) -> None:
    broken()
    with pytest.raises(InvalidInput) as caught:
        services.repoint_jobs(["sum"], "tests.probe.jobs.ad", actor)
    assert "Did you mean tests.probe.jobs.add" in caught.value.errors["function"][0]
    with pytest.raises(JobNotFound):
        services.repoint_jobs(["nothing"], ADD, actor)


def test_what_is_missing_is_counted_in_one_query() -> None:
    for number in range(3):
        broken(f"gone-{number}")
    make("steam")
    JobSpec.objects.filter(job_id="steam").update(executor="steam")
    make("done")
    JobSpec.objects.filter(job_id="done").update(state=JobState.FINISHED, function=GONE)
    with CaptureQueriesContext(connection) as statements:
        causes = services.missing_causes()
    assert len(statements) == 1
    assert [(cause.function, cause.executor, cause.jobs) for cause in causes] == [(GONE, "", 3), ("", "steam", 1)]
