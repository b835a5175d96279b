"""The loop's passes: what they ask of the database, and what they leave for later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine.jobstore import pause_jobs
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.models import ExecutionDetail, JobSpec, Status
from tests.integration.engine.conftest import MakeJob, Passes
from tests.live import wait_until


@pytest.fixture
def passes(make_passes: Callable[[], Passes]) -> Passes:
    """A scheduler that leads."""
    scheduler = make_passes()
    scheduler.look()  # It takes the lease, and there is nothing else to do.
    stay_between_whole_passes(scheduler)
    return scheduler


def stay_between_whole_passes(scheduler: Passes) -> None:
    """Have only the ticks asked for from now on, however slow the machine is."""
    scheduler._whole_pass_at += 3600
    scheduler._lease.renewed += 3600


def due(job_id: str, seconds: float = 0) -> None:
    DjangoJob.objects.filter(id=job_id).update(next_run_time=timezone.now() + timedelta(seconds=seconds))


def test_between_two_whole_passes_nothing_but_the_ticks_is_asked_for(passes: Passes, make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    due("tick", 30)
    passes.wakeup()
    seconds, statements = passes.look()
    assert len(statements) <= 4, statements
    assert 0 < seconds <= 1
    stay_between_whole_passes(passes)
    _, statements = passes.look()
    assert len(statements) == 1, statements


def test_it_sleeps_until_the_next_tick(passes: Passes, make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    due("tick", 0.5)
    passes.wakeup()
    seconds, _ = passes.look()
    assert 0 <= seconds <= 0.5


def test_a_tick_that_starts_at_once_takes_a_handful_of_statements(passes: Passes, make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    due("tick", -0.01)
    _, statements = passes.look()
    assert DjangoJobExecution.objects.get().status == Status.STARTED
    writes = [sql for sql in statements if "UPDATE" in sql or "INSERT" in sql]
    assert len(writes) == 3, statements  # the next tick, the execution, its detail: no queue in between
    assert len(statements) <= 8, statements


def test_a_burst_takes_hardly_more_statements_than_a_tick(passes: Passes, make_job: MakeJob) -> None:
    for number in range(200):
        make_job(id=f"job-{number}", trigger="every 1h")
    DjangoJob.objects.update(next_run_time=timezone.now() - timedelta(seconds=0.01))
    _, statements = passes.look()
    assert len(statements) <= 12, statements
    counted = DjangoJobExecution.objects.filter(status=Status.STARTED).count()
    assert counted == 10
    assert DjangoJobExecution.objects.filter(status=Status.QUEUED).count() == 190
    assert len(passes._dispatcher.rest) == 190


def test_what_starts_at_once_says_what_it_runs(passes: Passes, make_job: MakeJob) -> None:
    make_job(trigger="every 1h", args=[7])
    due("tick", -0.01)
    passes.look()
    detail = ExecutionDetail.objects.get()
    assert (detail.function, detail.args, detail.kwargs) == ("tests.probe.jobs.add", [7], {})
    assert (detail.instance, detail.available_at) == (passes.instance, None)
    assert detail.started_at is not None


def test_a_pause_ends_at_its_moment(passes: Passes, make_job: MakeJob) -> None:
    """Not at the next heartbeat: a tick right after it would be late by then."""
    make_job(trigger="every 1h")
    until = timezone.now() + timedelta(seconds=0.3)
    pause_jobs(["tick"], by=None, reason="", until=until, now=timezone.now())
    passes._lease.beaten = 0
    passes.wakeup()
    seconds, _ = passes.look()
    assert seconds <= 0.3
    stay_between_whole_passes(passes)

    def resumed() -> bool:
        passes.look()
        return JobSpec.objects.get().state == "scheduled"

    wait_until(resumed, 5, "the end of the pause")
    assert timezone.now() >= until


def test_what_overlaps_at_its_claim_gets_its_verdict_there(passes: Passes, make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    due("tick", -0.02)
    passes.look()
    due("tick", -0.01)
    passes.look()
    first, second = DjangoJobExecution.objects.order_by("pk")
    assert (first.status, second.status) == (Status.STARTED, Status.MAX_INSTANCES)
    assert f"Execution {first.pk} was still running" in second.detail.reason
    assert JobSpec.objects.get().last_status == Status.MAX_INSTANCES


def test_what_a_claim_leaves_in_the_queue_is_remembered(passes: Passes, make_job: MakeJob) -> None:
    make_job(id="jittered", trigger={"type": "interval", "hours": 1, "jitter": 1000})
    due("jittered", -0.01)
    passes.look()
    entry = ExecutionDetail.objects.get()
    assert entry.available_at is not None
    assert passes._dispatcher.next_available == entry.available_at
    assert DjangoJobExecution.objects.get().status == Status.QUEUED


def test_a_tick_that_has_its_execution_already_spoils_no_other(passes: Passes, make_job: MakeJob) -> None:
    for job_id in ("a", "b"):
        make_job(id=job_id, trigger="every 1h")
    moment = timezone.now() - timedelta(seconds=0.01)
    insert([Entry("a", moment, moment, Status.EXECUTED)])
    DjangoJob.objects.update(next_run_time=moment)
    passes.look()
    passes.look()
    assert DjangoJobExecution.objects.get(job_id="b").status == Status.STARTED
    assert DjangoJobExecution.objects.filter(job_id="a").count() == 1
    assert not DjangoJob.objects.filter(next_run_time__lte=moment).exists()


def test_a_leader_that_overslept_its_lease_starts_nothing(passes: Passes, make_job: MakeJob) -> None:
    make_job(trigger="every 1h")
    due("tick", -0.01)
    passes._lease.renewed -= 7200
    connection.cursor().execute("UPDATE app_scheduler_schedulerlease SET holder = 'another', token = token + 1")
    passes.look()
    assert not passes.leading
    assert not DjangoJobExecution.objects.exists()
    assert DjangoJob.objects.filter(next_run_time__lte=timezone.now()).exists()


def test_a_job_that_is_not_scheduled_has_no_tick_whatever_the_table_says(passes: Passes, make_job: MakeJob) -> None:
    make_job(paused=True)
    due("tick", -0.01)
    passes.look()
    assert not DjangoJobExecution.objects.exists()
    assert DjangoJob.objects.get().next_run_time is None
    assert JobSpec.objects.get().state == "paused"


def test_runs_that_do_not_get_their_turn_go_back_into_the_queue(passes: Passes, make_job: MakeJob) -> None:
    (executor,) = passes._consoles()
    executor.slots = 1
    executor._lengths.note(0.0001)  # type: ignore[attr-defined]
    for number in range(3):
        make_job(id=f"job-{number}", trigger="every 1h")
    DjangoJob.objects.update(next_run_time=timezone.now() - timedelta(seconds=0.01))
    passes.look()
    assert DjangoJobExecution.objects.filter(status=Status.STARTED).count() == 3
    assert passes.begun.wait(5)
    executor._lengths.note(60)  # type: ignore[attr-defined]
    executor._moved -= 60  # type: ignore[attr-defined]
    passes.wakeup()
    passes.look()
    assert DjangoJobExecution.objects.filter(status=Status.STARTED).count() == 1
    back = ExecutionDetail.objects.filter(execution__status=Status.QUEUED)
    assert {(row.instance, row.started_at) for row in back} == {("", None)}
    assert all(row.available_at is not None for row in back)
