"""APScheduler's contract for job stores, and its API on the live scheduler, as a client process uses both."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django_apscheduler.models import DjangoJob

from app_scheduler import scheduler
from app_scheduler.engine.jobstore import SpecJobStore
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.exceptions import UnknownFunction
from app_scheduler.models import JobSpec, JobState
from tests.probe.jobs import add, sleep

pytestmark = pytest.mark.django_db

EPOCH = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def store() -> SpecJobStore:
    made = SpecJobStore()
    made.start(scheduler, "default")
    return made


def job(job_id: str, next_run_time: datetime | None = EPOCH, **values: Any) -> Job:
    options = {
        "func": add,
        "args": [1],
        "kwargs": {},
        "trigger": DateTrigger(EPOCH),
        "executor": "default",
        "name": job_id,
        "misfire_grace_time": 30,
        "coalesce": True,
        "max_instances": 1,
        "next_run_time": next_run_time,
    }
    return Job(scheduler, id=job_id, **{**options, **values})


def test_it_finds_what_was_added(store: SpecJobStore) -> None:
    store.add_job(job("a", name="Adds", max_instances=3))
    found = store.lookup_job("a")
    assert found is not None
    assert (found.name, found.func, list(found.args), found.max_instances) == ("Adds", add, [1], 3)
    assert found.next_run_time == EPOCH
    assert isinstance(found.trigger, DateTrigger)


def test_it_finds_nothing_where_nothing_is(store: SpecJobStore) -> None:
    assert store.lookup_job("missing") is None
    assert store.get_next_run_time() is None


def test_it_refuses_an_id_twice(store: SpecJobStore) -> None:
    store.add_job(job("a"))
    with pytest.raises(ConflictingIdError):
        store.add_job(job("a"))


def test_all_jobs_come_by_next_run_time_and_paused_ones_last(store: SpecJobStore) -> None:
    store.add_job(job("paused", None))
    store.add_job(job("later", EPOCH + timedelta(hours=1)))
    store.add_job(job("sooner", EPOCH))
    assert [found.id for found in store.get_all_jobs()] == ["sooner", "later", "paused"]


def test_due_jobs_are_those_at_or_before_now(store: SpecJobStore) -> None:
    for number in range(3):
        store.add_job(job(f"job-{number}", EPOCH + timedelta(seconds=number)))
    assert [found.id for found in store.get_due_jobs(EPOCH + timedelta(seconds=1))] == ["job-0", "job-1"]
    assert store.get_next_run_time() == EPOCH


def test_it_updates_a_job(store: SpecJobStore) -> None:
    store.add_job(job("a"))
    store.update_job(job("a", None, name="Other", max_instances=6, args=[7]))
    found = store.lookup_job("a")
    assert found is not None
    assert (found.name, found.max_instances, list(found.args), found.next_run_time) == ("Other", 6, [7], None)


def test_it_says_when_there_is_nothing_to_update_or_remove(store: SpecJobStore) -> None:
    with pytest.raises(JobLookupError):
        store.update_job(job("missing"))
    with pytest.raises(JobLookupError):
        store.remove_job("missing")


def test_it_removes_one_and_all(store: SpecJobStore) -> None:
    for name in "abc":
        store.add_job(job(name))
    store.remove_job("a")
    assert {found.id for found in store.get_all_jobs()} == {"b", "c"}
    store.remove_all_jobs()
    assert store.get_all_jobs() == []


def test_a_job_whose_function_is_gone_is_kept_and_can_be_read(store: SpecJobStore) -> None:
    store.add_job(job("a"))
    JobSpec.objects.update(function="tests.probe.jobs.renamed")
    (found,) = store.get_all_jobs()
    with pytest.raises(UnknownFunction, match="renamed"):
        found.func()
    assert DjangoJob.objects.count() == 1


def test_the_stored_state_is_what_plain_apscheduler_reads(store: SpecJobStore) -> None:
    store.add_job(job("a", trigger=CronTrigger(hour=3, timezone="Australia/Sydney")))
    state = bytes(DjangoJob.objects.get().job_state)
    assert b"app_scheduler" not in state
    plain = Job.__new__(Job)
    plain.__setstate__(pickle.loads(state))
    assert type(plain.trigger) is CronTrigger
    assert plain.func is add


# --- the scheduler's API ------------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[ConsoleScheduler]:
    made = ConsoleScheduler()
    yield made
    assert not made.serving


def test_add_job_works_as_documented(client: ConsoleScheduler) -> None:
    before = datetime.now(UTC)
    client.add_job(add, trigger=IntervalTrigger(hours=24), id="x", max_instances=1, replace_existing=True, args=[7])
    spec = JobSpec.objects.select_related("job").get()
    assert spec.trigger == {"type": "interval", "days": 1}
    assert (spec.args, spec.origin, spec.name) == ([7], "code", "Add")
    assert spec.job.next_run_time is not None
    assert (
        timedelta(hours=24) - timedelta(seconds=5) < spec.job.next_run_time - before <= timedelta(hours=24, seconds=5)
    )


@pytest.mark.parametrize(
    ("trigger", "options", "document"),
    [
        ("interval", {"minutes": 5}, {"type": "interval", "minutes": 5}),
        ("cron", {"hour": 3, "day_of_week": "mon-fri"}, {"type": "cron", "hour": "3", "day_of_week": "mon-fri"}),
        ("date", {"run_date": "2099-01-01 12:00:00"}, {"type": "date"}),
    ],
)
def test_add_job_takes_triggers_by_name(
    client: ConsoleScheduler, trigger: str, options: dict[str, Any], document: dict[str, Any]
) -> None:
    client.add_job(add, trigger, id="x", args=[1], **options)
    stored = JobSpec.objects.get().trigger
    assert document.items() <= stored.items()


def test_without_replace_existing_an_id_conflicts(client: ConsoleScheduler) -> None:
    client.add_job(add, "interval", hours=1, id="x", args=[1])
    with pytest.raises(ConflictingIdError):
        client.add_job(add, "interval", hours=1, id="x", args=[1])


def test_replacing_keeps_phase_pause_and_what_staff_changed(client: ConsoleScheduler) -> None:
    client.add_job(add, "interval", hours=1, id="x", args=[1], replace_existing=True)
    first = JobSpec.objects.select_related("job").get()
    client.add_job(add, "interval", hours=1, id="x", args=[2], replace_existing=True)
    second = JobSpec.objects.select_related("job").get()
    assert second.args == [2]
    assert (second.anchor, second.job.next_run_time) == (first.anchor, first.job.next_run_time)

    client.pause_job("x")
    JobSpec.objects.update(trigger={"type": "interval", "hours": 6}, max_instances=5)
    client.add_job(add, "interval", hours=1, id="x", args=[3], replace_existing=True)
    third = JobSpec.objects.select_related("job").get()
    assert third.state == JobState.PAUSED
    assert third.job.next_run_time is None
    assert third.trigger == {"type": "interval", "hours": 6}
    assert third.max_instances == 5
    assert third.args == [3]


def test_a_default_that_the_code_changes_moves_a_schedule_that_staff_left_alone(client: ConsoleScheduler) -> None:
    client.add_job(add, "interval", hours=1, id="x", args=[1], replace_existing=True)
    client.add_job(add, "interval", hours=2, id="x", args=[1], replace_existing=True)
    assert JobSpec.objects.get().trigger == {"type": "interval", "hours": 2}


def test_only_registered_functions_are_taken(client: ConsoleScheduler) -> None:
    with pytest.raises(UnknownFunction):
        client.add_job(pickle.dumps, "interval", hours=1, id="x")  # not a plain function either
    with pytest.raises(UnknownFunction):
        client.add_job("os:system", "interval", hours=1, id="x", args=["true"])
    assert not JobSpec.objects.exists()


def test_modify_reschedule_pause_resume_and_remove(client: ConsoleScheduler) -> None:
    client.add_job(sleep, "interval", hours=1, id="x", args=[1])
    assert client.modify_job("x", max_instances=4, name="Sleeper").max_instances == 4
    client.pause_job("x")
    rescheduled = client.reschedule_job("x", trigger="cron", hour=5)
    assert rescheduled.next_run_time is None, "a paused job stays paused"
    assert isinstance(rescheduled.trigger, CronTrigger)
    resumed = client.resume_job("x")
    assert resumed is not None
    assert resumed.next_run_time is not None
    assert [found.id for found in client.get_jobs()] == ["x"]
    client.remove_job("x")
    assert client.get_job("x") is None
    with pytest.raises(JobLookupError):
        client.remove_job("x")


def test_a_job_added_with_no_next_run_time_is_paused(client: ConsoleScheduler) -> None:
    client.add_job(add, "interval", hours=1, id="x", args=[1], next_run_time=None)
    assert JobSpec.objects.get().state == JobState.PAUSED


def test_a_first_run_time_of_its_own_is_kept(client: ConsoleScheduler) -> None:
    client.add_job(add, "interval", hours=1, id="x", args=[1], next_run_time=EPOCH)
    assert DjangoJob.objects.get().next_run_time == EPOCH


def test_pickles_are_not_imported(client: ConsoleScheduler) -> None:
    with pytest.raises(NotImplementedError, match="importjobs"):
        client.import_jobs("jobs.json")
