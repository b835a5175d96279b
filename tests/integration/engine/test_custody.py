"""Custody: what a dispatch of unknown outcome marked, what nobody holds, what begins too late."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine import custody, recovery
from app_scheduler.engine.claim import claim
from app_scheduler.engine.dispatch import Dispatcher
from app_scheduler.engine.executors import ThreadsExecutor
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionDetail, Status
from tests.integration.engine.conftest import START, MakeJob, RunNow
from tests.integration.engine.faulty import (
    commit_that_fails,
    fails_once,
    queued,
    started,
    wait_for_status,
)
from tests.integration.engine.test_dispatch import Held, status_of
from tests.live import wait_until
from tests.probe import jobs as probe


@pytest.fixture
def executor() -> Held:
    return Held()


def dispatch_now(executor: Held, in_doubt: dict[int, Run]) -> None:
    Dispatcher({"default": executor}, "here", in_doubt=in_doubt).look(START)


def held(executor: Held) -> set[int]:
    return {run.execution_id for run in executor.runs}


def test_what_a_dispatch_marked_before_it_failed_starts_once(
    make_job: MakeJob, executor: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job()
    pk = queued()
    in_doubt: dict[int, Run] = {}
    with commit_that_fails(monkeypatch, after=True):
        dispatch_now(executor, in_doubt)
    assert (status_of(pk), executor.runs) == (Status.STARTED, [])
    for _ in range(2):
        custody.start_in_doubt(in_doubt, "here", {"default": executor}, held(executor))
        dispatch_now(executor, in_doubt)
    assert [run.execution_id for run in executor.runs] == [pk]
    assert not in_doubt


def test_what_a_dispatch_did_not_mark_stays_in_the_queue_and_in_doubt(
    make_job: MakeJob, executor: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job()
    pk = queued()
    in_doubt: dict[int, Run] = {}
    with commit_that_fails(monkeypatch, after=False):
        dispatch_now(executor, in_doubt)
    assert status_of(pk) == Status.QUEUED
    assert custody.start_in_doubt(in_doubt, "here", {"default": executor}, set()) == []
    assert list(in_doubt) == [pk], "a COMMIT that was cut off may still be carried out"
    dispatch_now(executor, in_doubt)
    assert [run.execution_id for run in executor.runs] == [pk]
    assert not in_doubt


@pytest.mark.parametrize("fate", ["another started it", "interrupted", "deleted", "held"])
def test_what_is_in_doubt_and_has_another_fate_is_forgotten(
    make_job: MakeJob, executor: Held, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    make_job()
    pk = queued()
    in_doubt: dict[int, Run] = {}
    with commit_that_fails(monkeypatch, after=True):
        dispatch_now(executor, in_doubt)
    if fate == "another started it":
        ExecutionDetail.objects.filter(pk=pk).update(instance="there")
    elif fate == "interrupted":
        recovery.interrupt(list(ExecutionDetail.objects.select_related("execution__job__spec")), START, "gone")
    elif fate == "deleted":
        DjangoJobExecution.objects.all().delete()
    custody.start_in_doubt(in_doubt, "here", {"default": executor}, {pk} if fate == "held" else set())
    assert (executor.runs, in_doubt) == ([], {})


def test_an_executor_that_cannot_take_a_run_is_given_it_again(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = engine._consoles()[0]
    monkeypatch.setattr(executor, "submit", fails_once(executor.submit, RuntimeError("can't start new thread")))
    pk = run_now()
    wait_for_status(pk, Status.EXECUTED)
    assert probe.effects == [pk]


def test_threads_that_cannot_be_started_leave_the_executor_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = ThreadsExecutor(2)
    finished: list[Outcome] = []
    executor.on_finish = finished.append
    executor.on_free = lambda: None
    run = Run(1, "x", "tests.probe.jobs.add", [1], {}, START)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fails_once(threading.Thread.start, RuntimeError("no more")))
        with pytest.raises(RuntimeError):
            executor.submit([run])
    assert (executor.busy, executor._threads) == (0, 0)
    executor.may_start = lambda run: False
    executor.submit([run])
    wait_until(lambda: executor.busy == 0, what="the run's end")
    executor.stop(5)
    assert finished == [], "a run that may not start is dropped"


def test_a_claim_that_was_committed_and_raised_is_found_again_as_queued_rows(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job()
    now = START + timedelta(seconds=1)
    with commit_that_fails(monkeypatch, after=True):
        claim(now)
    assert claim(now).jobs == 0
    assert [row.status for row in DjangoJobExecution.objects.all()] == [Status.QUEUED]


@pytest.mark.parametrize("committed", [True, False])
def test_what_a_claim_started_at_once_before_it_failed_starts_once(
    make_job: MakeJob, executor: Held, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    make_job()
    now = START + timedelta(seconds=1)
    in_doubt: dict[int, Run] = {}
    dispatcher = Dispatcher({"default": executor}, "here", in_doubt=in_doubt)
    with commit_that_fails(monkeypatch, after=committed):
        claim(now, dispatcher=dispatcher, instance="here")
    assert (len(executor.runs), len(in_doubt)) == (0, 1)
    for _ in range(2):
        custody.start_in_doubt(in_doubt, "here", {"default": executor}, held(executor))
        claim(now, dispatcher=dispatcher, instance="here")
        dispatcher.look(now)
    (execution,) = DjangoJobExecution.objects.all()
    assert [run.execution_id for run in executor.runs] == [execution.pk]
    assert execution.status == Status.STARTED
    assert not in_doubt


def test_what_was_started_here_and_nobody_holds_is_interrupted(make_job: MakeJob) -> None:
    make_job(max_instances=9)
    lost, kept, elsewhere = (started(instance, offset) for offset, instance in enumerate(["here", "here", "there"]))
    assert custody.interrupt_lost("here", {kept}, START) == 1
    assert [status_of(pk) for pk in (lost, kept, elsewhere)] == [Status.INTERRUPTED, Status.STARTED, Status.STARTED]


def test_an_executor_that_cannot_tell_what_it_holds_leaves_it_to_others() -> None:
    assert custody.held_here([Held()], set) is None
    assert custody.held_here([ThreadsExecutor(1)], lambda: {7}) == {7}


def old_run(pk: int, age: float) -> Run:
    return Run(pk, "tick", "tests.probe.jobs.add", [1], {}, START, made_at=time.monotonic() - age)


@pytest.mark.parametrize(("instance", "verdict", "may"), [
    ("here", None, True), ("there", None, False), ("here", Status.INTERRUPTED, False),
])  # fmt: skip
def test_a_run_that_begins_long_after_its_dispatch_asks_whether_it_is_still_ours(
    make_job: MakeJob, settings: Any, django_assert_num_queries: Any, instance: str, verdict: Status | None, may: bool
) -> None:
    settings.APP_SCHEDULER_LEASE_SECONDS = 10
    make_job()
    pk = started(instance)
    if verdict:
        recovery.interrupt(list(ExecutionDetail.objects.select_related("execution__job__spec")), START, "gone")
    with django_assert_num_queries(0):
        assert custody.may_start(old_run(pk, 4), "here", threading.Event())
    with django_assert_num_queries(1):
        assert custody.may_start(old_run(pk, 6), "here", threading.Event()) is may


def test_a_late_run_waits_while_nobody_can_tell(
    make_job: MakeJob, keep_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job()
    pk = started()
    monkeypatch.setattr(custody, "RETRY_SECONDS", 0.01)
    running = ExecutionDetail.objects.running
    monkeypatch.setattr(ExecutionDetail.objects, "running", fails_once(running, OperationalError("away")))
    assert custody.may_start(old_run(pk, 60), "here", threading.Event())
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr(ExecutionDetail.objects, "running", fails_once(running, OperationalError("away")))
    assert not custody.may_start(old_run(pk, 60), "here", stopping)
