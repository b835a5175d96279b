"""The ticks that no claim will see: a job that was paused, broken or changed before they could run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import documents, scheduler, services
from app_scheduler.engine import jobstore
from app_scheduler.engine.claim import claim
from app_scheduler.engine.gaps import Outage, Pause
from app_scheduler.engine.lease import ensure_lease, read_lease
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.recovery import heal
from app_scheduler.models import ExecutionDetail, JobSpec, JobState, Status
from tests.integration.engine.conftest import START, MakeJob, next_run_time

pytestmark = pytest.mark.django_db

Row = tuple[str, datetime, int, datetime | None]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def rows() -> list[Row]:
    executions = DjangoJobExecution.objects.select_related("detail").order_by("job_id", "run_time")
    return [(row.status, row.run_time, row.detail.tick_count, row.detail.first_tick) for row in executions]


def reason() -> str:
    return ExecutionDetail.objects.get().reason


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna")


def pause(*ids: str, by: Any = None, at: datetime = START, why: str = "") -> None:
    assert jobstore.pause_jobs(ids, by=by, reason=why, until=None, now=at) == sorted(ids)


def test_the_ticks_of_a_pause_get_one_row(make_job: MakeJob, anna: User) -> None:
    make_job(trigger="every 1m")
    pause("tick", by=anna, why="Moving house.")
    assert jobstore.resume_jobs(["tick"], now=START + minutes(14.5)) == ["tick"]
    assert rows() == [(Status.MISSED, START + minutes(14), 14, START + minutes(1))]
    assert reason() == (
        "These 14 ticks from 2026-11-23 23:01:00 to 2026-11-23 23:14:00 "
        "passed while it was paused by anna: Moving house."
    )
    assert next_run_time() == START + minutes(15)
    spec = JobSpec.objects.get()
    assert (spec.state, spec.held_from, spec.paused_at, spec.last_status) == ("scheduled", None, None, Status.MISSED)


def test_one_tick_says_from_when_to_when(make_job: MakeJob, anna: User) -> None:
    make_job(trigger="every 1h")
    pause("tick", by=anna, at=START + minutes(30), why="{why}")
    jobstore.resume_jobs(["tick"], now=START + minutes(75))
    assert rows() == [(Status.MISSED, START + minutes(60), 1, None)]
    assert reason() == "It was paused by anna from 2026-11-23 23:30:00 to 2026-11-24 00:15:00: {why}."


def test_a_reason_may_hold_braces(make_job: MakeJob) -> None:
    make_job(trigger="every 1m")
    pause("tick", why="{0} {ticks}")
    jobstore.resume_jobs(["tick"], now=START + minutes(3))
    assert reason().endswith("passed while it was paused: {0} {ticks}.")


def test_a_pause_without_a_tick_leaves_nothing(make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    pause("tick")
    jobstore.resume_jobs(["tick"], now=START + minutes(59))
    assert rows() == []


def test_a_tick_that_was_due_when_the_job_was_paused_is_among_them(make_job: MakeJob) -> None:
    make_job(trigger="every 1m")
    pause("tick", at=START + minutes(3.5))
    jobstore.resume_jobs(["tick"], now=START + minutes(5))
    assert rows() == [(Status.MISSED, START + minutes(5), 5, START + minutes(1))]


def test_a_tick_that_has_its_execution_is_left_out(make_job: MakeJob) -> None:
    make_job(trigger="every 1m")
    make_job(id="other", trigger="every 1m")
    insert([Entry("tick", START + minutes(3), START)])
    pause("other", "tick")
    jobstore.resume_jobs(["other", "tick"], now=START + minutes(3))
    assert rows() == [
        (Status.MISSED, START + minutes(3), 3, START + minutes(1)),
        (Status.MISSED, START + minutes(2), 2, START + minutes(1)),
        (Status.QUEUED, START + minutes(3), 1, None),
    ]


def test_a_job_whose_schedule_ended_meanwhile_is_finished_with_its_row(make_job: MakeJob) -> None:
    make_job(trigger={"type": "date", "run_date": "2026-11-23T13:00:00+00:00"})
    pause("tick")
    jobstore.resume_jobs(["tick"], now=START + minutes(90))
    assert rows() == [(Status.MISSED, START + minutes(60), 1, None)]
    assert JobSpec.objects.get().state == JobState.FINISHED


def test_what_cannot_be_counted_exactly_is_said_to_be_at_least(make_job: MakeJob) -> None:
    each = [{"type": "interval", "seconds": 1}, {"type": "cron", "second": "*/2"}]
    make_job(trigger={"type": "any", "triggers": each})
    pause("tick")
    jobstore.resume_jobs(["tick"], now=START + timedelta(hours=4))
    assert reason().startswith("These at least 10,000 ticks from")


def test_resuming_many_jobs_takes_a_handful_of_statements(make_job: MakeJob) -> None:
    spec = make_job(trigger="every 1m")
    copies = []
    for number in range(2000):
        copy = documents.new_spec({**documents.of(spec), "id": f"job-{number}"}, origin="staff", anchor=START)
        copies.append((copy, START + minutes(1)))
    jobstore.insert_jobs(copies)
    ids = [copy.job_id for copy, _ in copies]
    jobstore.pause_jobs(ids, by=None, reason="", until=None, now=START)
    with CaptureQueriesContext(connection) as queries:
        assert len(jobstore.resume_jobs(ids, now=START + minutes(30))) == 2000
    assert DjangoJobExecution.objects.filter(status=Status.MISSED).count() == 2000
    # SQLite takes rows in smaller portions, some 45 at a time.
    assert len(queries) < (20 if connection.vendor == "postgresql" else 100)


# --- the other ways out of a pause --------------------------------------------------------------------------------


@pytest.fixture
def paused(make_job: MakeJob, anna: User) -> JobSpec:
    """An hourly job that anna paused five and a half hours ago, by the real clock."""
    make_job(trigger="every 1h")
    now = datetime.now(UTC)
    JobSpec.objects.update(anchor=now - minutes(330))
    DjangoJob.objects.update(next_run_time=now - minutes(270))
    pause("tick", by=anna, at=now - minutes(330), why="Deploy")
    return JobSpec.objects.get()


def by_hand(anna: User) -> None:
    services.resume_job("tick", services.Actor(anna))


def by_document(anna: User) -> None:
    services.change_job("tick", {"paused": False}, services.Actor(anna))


def by_import(anna: User) -> None:
    plan = services.plan_import([{"id": "tick", "paused": False}])
    services.carry_out_import(plan, services.Actor(anna))


def by_apscheduler(anna: User) -> None:
    scheduler.resume_job("tick")


def by_next_run_time(anna: User) -> None:
    scheduler.modify_job("tick", next_run_time=datetime.now(UTC) + minutes(1))


def by_job_store(anna: User) -> None:
    job = scheduler.get_job("tick")
    assert job is not None
    job.next_run_time = datetime.now(UTC) + minutes(1)
    scheduler._jobstores["default"].update_job(job)


@pytest.mark.parametrize(
    "resume",
    [by_hand, by_document, by_import, by_apscheduler, by_next_run_time, by_job_store],
    ids=lambda f: f.__name__,
)
def test_each_way_out_of_a_pause_accounts_for_its_ticks(
    paused: JobSpec, anna: User, resume: Callable[[User], None]
) -> None:
    resume(anna)
    ((status, _, count, first),) = rows()
    assert (status, count) == (Status.MISSED, 5)
    assert first == paused.held_from
    assert "paused by anna: Deploy." in reason()
    spec = JobSpec.objects.get()
    assert (spec.state, spec.paused_by, spec.paused_at, spec.held_from) == (JobState.SCHEDULED, None, None, None)
    assert spec.state_reason == ""
    assert next_run_time() is not None


def test_another_trigger_for_a_paused_job_accounts_for_the_old_ticks(paused: JobSpec, anna: User) -> None:
    services.change_job("tick", {"trigger": "every 10m"}, services.Actor(anna))
    ((_, _, count, _),) = rows()
    assert count == 5
    spec = JobSpec.objects.get()
    assert (spec.state, spec.paused_by, spec.paused_at) == (JobState.PAUSED, anna, paused.paused_at)
    assert spec.held_from is not None
    assert spec.held_from >= spec.anchor
    # The new schedule's ticks are its own matter, from the change on.
    jobstore.resume_jobs(["tick"], now=spec.anchor + minutes(25))
    assert [row[2] for row in rows()] == [5, 2]


def test_a_change_that_moves_no_tick_leaves_the_pause_alone(paused: JobSpec, anna: User) -> None:
    services.change_job("tick", {"max_instances": 7}, services.Actor(anna))
    assert rows() == []
    assert JobSpec.objects.get().held_from == paused.held_from


def test_a_job_paused_through_the_job_store_is_held_from_its_next_tick(make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    later = datetime.now(UTC) + minutes(40)
    DjangoJob.objects.update(next_run_time=later)
    job = scheduler.get_job("tick")
    assert job is not None
    job.next_run_time = None
    scheduler._jobstores["default"].update_job(job)
    spec = JobSpec.objects.get()
    assert (spec.state, spec.held_from) == (JobState.PAUSED, later)
    assert spec.paused_at is not None


# --- changes of scheduled jobs ------------------------------------------------------------------------------------


def test_ticks_that_were_due_when_the_trigger_was_changed_are_accounted_for(make_job: MakeJob, anna: User) -> None:
    make_job(trigger="every 1h")
    now = datetime.now(UTC)
    JobSpec.objects.update(anchor=now - minutes(150))
    DjangoJob.objects.update(next_run_time=now - minutes(90))
    services.change_job("tick", {"trigger": "every 10m"}, services.Actor(anna))
    ((status, _, count, first),) = rows()
    assert (status, count, first) == (Status.MISSED, 2, now - minutes(90))
    assert "had not run when the job was changed at" in reason()


def test_a_change_before_the_next_tick_leaves_nothing(make_job: MakeJob, anna: User) -> None:
    make_job(trigger="every 1h")
    DjangoJob.objects.update(next_run_time=datetime.now(UTC) + minutes(1))
    services.change_job("tick", {"trigger": "every 10m"}, services.Actor(anna))
    assert rows() == []


# --- broken jobs --------------------------------------------------------------------------------------------------


def test_the_ticks_of_a_broken_job_are_accounted_for_when_it_is_healed(make_job: MakeJob) -> None:
    make_job(trigger="every 1m")
    JobSpec.objects.update(function="tests.probe.jobs.gone")
    claim(START + minutes(1.1))
    spec = JobSpec.objects.get()
    assert spec.state == JobState.BROKEN
    assert [row[:2] for row in rows()] == [(Status.MISSED, START + minutes(1))]
    JobSpec.objects.update(function="tests.probe.jobs.add")
    assert heal(START + minutes(6)) == ["tick"]
    assert rows()[1:] == [(Status.MISSED, START + minutes(6), 5, START + minutes(2))]
    told = ExecutionDetail.objects.order_by("pk").last()
    assert told is not None
    assert "passed while it was broken: " in told.reason
    assert "gone" in told.reason
    assert JobSpec.objects.get().held_from is None


def test_the_ticks_of_a_broken_job_are_accounted_for_when_it_is_mended(make_job: MakeJob, anna: User) -> None:
    make_job(trigger="every 1h")
    now = datetime.now(UTC)
    JobSpec.objects.update(
        anchor=now - minutes(150), state=JobState.BROKEN, state_reason="Gone.", held_from=now - minutes(100)
    )
    DjangoJob.objects.update(next_run_time=None)
    services.change_job("tick", {"max_instances": 2}, services.Actor(anna))
    ((status, run_time, count, first),) = rows()
    assert (status, run_time, count, first) == (Status.MISSED, now - minutes(30), 2, now - minutes(90))
    assert JobSpec.objects.get().state == JobState.SCHEDULED


# --- all scheduling -----------------------------------------------------------------------------------------------


def test_a_pause_of_everything_is_named_where_it_made_ticks_late(make_job: MakeJob) -> None:
    make_job(trigger="every 1m", misfire_grace_time=10, coalesce=False)
    gap = Pause(START, START + minutes(10), "anna", "Deploy.")
    claim(START + minutes(10.5), gaps=[gap])
    assert rows() == [(Status.MISSED, START + minutes(10), 10, START + minutes(1))]
    assert reason() == (
        "These 10 ticks since 2026-11-23 23:01:00 were more than the misfire grace time of 10 s late: "
        "all scheduling was paused by anna from 2026-11-23 23:00:00 to 2026-11-23 23:10:00: Deploy."
    )


def test_a_run_for_several_ticks_names_each_gap(make_job: MakeJob) -> None:
    make_job(trigger="every 1m")
    outage = Outage(START + minutes(5), START + minutes(6))
    claim(START + minutes(6.5), gaps=[outage, Pause(START, START + minutes(2)), Pause(START, START + minutes(0.5))])
    assert reason() == (
        "Runs once for 6 ticks since 2026-11-23 23:01:00. "
        "In between all scheduling was paused from 2026-11-23 23:00:00 to 2026-11-23 23:02:00, "
        "and no scheduler was running from 2026-11-23 23:05:00 to 2026-11-23 23:06:00."
    )


def test_one_late_tick_names_the_gap_and_one_after_it_does_not(make_job: MakeJob) -> None:
    make_job(trigger="every 1m")
    gap = Pause(START, START + minutes(1.5))
    claim(START + minutes(1.6), gaps=[gap])
    assert reason().startswith("It is late: all scheduling was paused from")
    ExecutionDetail.objects.all().delete()
    claim(START + minutes(2), gaps=[gap])
    assert reason() == ""


def test_a_missed_tick_tells_of_the_newer_one_that_runs(make_job: MakeJob) -> None:
    make_job(trigger="every 1m", misfire_grace_time=90, coalesce=False)
    claim(START + minutes(3))
    assert [row[0] for row in rows()] == [Status.MISSED, Status.QUEUED, Status.QUEUED]
    missed = ExecutionDetail.objects.get(execution__status=Status.MISSED)
    assert missed.reason.endswith("Newer ticks, from 2026-11-23 23:02:00 on, are in time.")


def test_the_lease_remembers_the_last_pause(anna: User) -> None:
    ensure_lease()
    services.pause_all(services.Actor(anna), reason="Deploy")
    began = read_lease()
    assert began is not None
    services.resume_all(services.Actor(anna))
    lease = read_lease()
    assert lease is not None
    assert (lease.paused_at, lease.paused_by, lease.pause_reason) == (None, None, "")
    assert (lease.last_paused_at, lease.last_paused_by, lease.last_pause_reason) == (began.paused_at, anna, "Deploy")
    assert lease.last_resumed_at is not None
    assert lease.last_paused_at is not None
    assert lease.last_resumed_at >= lease.last_paused_at
