"""An instance that is asked to drain: it gives the lease up, ends what it runs, and goes on when it is let."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine.executors import ThreadsExecutor
from app_scheduler.models import InstanceRole, SchedulerInstance, SchedulerLease, Status
from tests.integration.engine.conftest import MakeJob, Passes
from tests.integration.engine.test_loop import due, stay_between_whole_passes
from tests.live import wait_until

MakePasses = Callable[[], Passes]


def whole_pass(scheduler: Passes) -> float:
    scheduler.wakeup()
    seconds, _ = scheduler.look()
    return seconds


def started(make_passes: MakePasses) -> Passes:
    """Return a scheduler that has joined, as ``_prepare`` does."""
    scheduler = make_passes()
    whole_pass(scheduler)
    scheduler._beat()
    return scheduler


def test_a_leader_that_drains_gives_the_lease_up_and_another_leads(make_passes: MakePasses) -> None:
    first, second = started(make_passes), started(make_passes)
    assert (first.leading, second.leading) == (True, False)
    first.drain_instance(first.instance)
    seconds = whole_pass(first)
    assert not first.leading
    assert seconds >= 0.5, "a lease that it may not take is nothing to wait for"
    assert SchedulerLease.objects.get().holder == ""
    assert SchedulerInstance.objects.get(id=first.instance).role == InstanceRole.STANDBY
    whole_pass(second)
    assert second.leading
    whole_pass(first)
    assert not first.leading


def test_it_takes_nothing_new_though_nobody_leads(make_passes: MakePasses, make_job: MakeJob) -> None:
    alone = started(make_passes)
    make_job(trigger="every 1h")
    alone.drain_instance(alone.instance)
    whole_pass(alone)
    due("tick", -0.01)
    assert whole_pass(alone) >= 0.5
    assert not DjangoJobExecution.objects.exists()
    alone.resume_instance(alone.instance)
    whole_pass(alone)
    assert alone.leading
    assert DjangoJobExecution.objects.get().status == Status.STARTED


def test_what_it_runs_goes_on_and_what_was_handed_out_ahead_goes_back(
    make_passes: MakePasses, make_job: MakeJob
) -> None:
    first = started(make_passes)
    executor = first._consoles()[0]
    assert isinstance(executor, ThreadsExecutor)
    executor._lengths.note(0.001)  # so quick that runs are handed out ahead
    for number in range(30):
        make_job(id=f"job-{number}", trigger="every 1h")
    DjangoJob.objects.update(next_run_time=timezone.now() - timedelta(seconds=0.01))
    stay_between_whole_passes(first)
    first.look()
    assert DjangoJobExecution.objects.filter(status=Status.STARTED).count() == 30
    wait_until(lambda: executor._queue.qsize() == 30 - executor.slots, what="a run in each thread")
    first.drain_instance(first.instance)
    whole_pass(first)
    assert executor.busy == executor.slots
    assert DjangoJobExecution.objects.filter(status=Status.STARTED).count() == executor.slots
    assert DjangoJobExecution.objects.filter(status=Status.QUEUED).count() == 30 - executor.slots


def test_one_whose_row_was_taken_away_while_it_was_stalled_still_drains(make_passes: MakePasses) -> None:
    stalled = started(make_passes)
    stalled.drain_instance(stalled.instance)
    whole_pass(stalled)
    SchedulerInstance.objects.all().delete()
    whole_pass(stalled)
    assert not stalled.leading
    stalled._beat()
    assert SchedulerInstance.objects.get().draining_since is not None
    stalled.resume_instance(stalled.instance)
    whole_pass(stalled)
    assert stalled.leading
