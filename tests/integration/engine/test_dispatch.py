"""Dispatch and recording: overlap, misfires and verdicts, settled from the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine import recovery, retrying
from app_scheduler.engine.dispatch import Dispatcher
from app_scheduler.engine.executors import ConsoleExecutor
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import Outcome, Run, execute
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, Status
from tests.integration.engine.conftest import START, MakeJob


class Held(ConsoleExecutor):
    """An executor that runs nothing until the test says so."""

    def __init__(self, slots: int = 10) -> None:
        super().__init__()
        self.slots = slots
        self.runs: list[Run] = []

    @property
    def busy(self) -> int:
        return len(self.runs)

    def submit(self, runs: Sequence[Run]) -> None:
        self.runs += runs

    def stop(self, seconds: float) -> None:
        pass


@pytest.fixture
def executor() -> Held:
    return Held()


@pytest.fixture
def look(executor: Held) -> Callable[..., Dispatcher]:
    def run(now: datetime, **options: Any) -> Dispatcher:
        dispatcher = Dispatcher({"default": executor}, "here", **options)
        dispatcher.look(now)
        return dispatcher

    return run


def queue(job_id: str = "tick", offset: float = 0, **values: Any) -> int:
    moment = START + timedelta(seconds=offset)
    return insert([Entry(job_id, moment, moment, **values)])[0]


def status_of(pk: int) -> str:
    return DjangoJobExecution.objects.get(pk=pk).status


Look = Callable[..., Dispatcher]


def run_in_thread(run: Run) -> Outcome:
    """Run it as the executor does: the runner closes its thread's connections, which must not be the test's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(execute, run).result()


def test_what_is_available_starts_and_leaves_the_queue(make_job: MakeJob, executor: Held, look: Look) -> None:
    make_job(args=[4])
    pk = queue()
    look(START)
    assert status_of(pk) == Status.STARTED
    detail = ExecutionDetail.objects.get()
    assert (detail.available_at, detail.started_at, detail.instance) == (None, START, "here")
    assert (detail.function, detail.args, detail.kwargs) == ("tests.probe.jobs.add", [4], {})
    assert [run.execution_id for run in executor.runs] == [pk]


def test_what_is_not_available_yet_waits(make_job: MakeJob, look: Look) -> None:
    make_job()
    pk = queue(available_at=START + timedelta(seconds=5))
    look(START + timedelta(seconds=4))
    assert status_of(pk) == Status.QUEUED


def test_no_more_starts_than_there_is_room_for(make_job: MakeJob, executor: Held, look: Look) -> None:
    executor.slots = 2
    for name in "abc":
        make_job(id=name)
        queue(name)
    assert [row.job_id for row in look(START).rest] == ["c"]
    assert len(executor.runs) == 2
    assert DjangoJobExecution.objects.filter(status=Status.QUEUED).count() == 1


def test_a_tick_that_overlaps_is_settled_with_the_execution_that_held_it_up(make_job: MakeJob, look: Look) -> None:
    make_job()
    first, second = queue(), queue(offset=1)
    look(START)
    look(START + timedelta(seconds=1))
    assert status_of(second) == Status.MAX_INSTANCES
    assert f"Execution {first} was still running" in ExecutionDetail.objects.get(pk=second).reason
    assert JobSpec.objects.get().last_status == Status.MAX_INSTANCES


def test_max_instances_lets_that_many_run_side_by_side(make_job: MakeJob, executor: Held, look: Look) -> None:
    make_job(max_instances=2)
    for offset in range(3):
        queue(offset=offset)
        look(START + timedelta(seconds=offset))
    assert len(executor.runs) == 2


def test_a_run_by_hand_waits_for_its_turn(make_job: MakeJob, look: Look) -> None:
    make_job()
    queue()
    look(START)
    by_hand = queue(offset=1, origin=ExecutionOrigin.MANUAL)
    look(START + timedelta(seconds=1))
    assert status_of(by_hand) == Status.QUEUED


def test_late_ticks_of_a_job_that_does_not_coalesce_run_one_after_another(make_job: MakeJob, look: Look) -> None:
    make_job(coalesce=False)
    ticks = [queue(offset=offset) for offset in range(3)]
    look(START + timedelta(seconds=5))
    assert [status_of(pk) for pk in ticks] == [Status.STARTED, Status.QUEUED, Status.QUEUED]


def test_what_has_finished_here_and_is_being_recorded_holds_nothing_up(make_job: MakeJob, look: Look) -> None:
    make_job()
    first, second = queue(), queue(offset=1)
    look(START)
    look(START + timedelta(seconds=1), finished_here=lambda: {first})
    assert status_of(second) == Status.STARTED


def test_rows_that_wait_for_their_own_job_do_not_hide_other_jobs(
    make_job: MakeJob, executor: Held, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_scheduler.engine.dispatch.LOOK", 3)
    make_job()
    make_job(id="other")
    for offset in range(8):
        queue(offset=offset, origin=ExecutionOrigin.MANUAL)
    other = queue("other", offset=9)
    look(START + timedelta(seconds=9))
    assert status_of(other) == Status.STARTED


def test_a_tick_that_waited_too_long_for_a_slot_is_missed(make_job: MakeJob, look: Look) -> None:
    make_job(misfire_grace_time=10)
    pk = queue()
    look(START + timedelta(seconds=11))
    assert status_of(pk) == Status.MISSED
    assert "No slot was free" in ExecutionDetail.objects.get().reason


def test_an_outcome_is_recorded_with_its_times_and_its_result(make_job: MakeJob, executor: Held, look: Look) -> None:
    make_job(args=[4])
    pk = queue()
    look(START)
    record([run_in_thread(executor.runs[0])])
    execution = DjangoJobExecution.objects.select_related("detail").get(pk=pk)
    assert execution.status == Status.EXECUTED
    assert execution.detail.result == "6"
    assert execution.detail.finished_at >= execution.detail.started_at
    assert JobSpec.objects.get().last_execution_id == pk


def test_a_verdict_is_final(make_job: MakeJob, executor: Held, look: Look) -> None:
    make_job()
    pk = queue()
    look(START)
    details = list(ExecutionDetail.objects.select_related("execution__job__spec"))
    assert recovery.interrupt(details, START, "gone") == 1
    record([run_in_thread(executor.runs[0])])
    assert status_of(pk) == Status.INTERRUPTED


def test_an_interrupted_run_is_queued_again_where_its_job_asks_for_it(make_job: MakeJob, look: Look) -> None:
    make_job(rerun_if_interrupted=True)
    pk = queue()
    look(START)
    recovery.interrupt(list(ExecutionDetail.objects.select_related("execution__job__spec")), START, "gone")
    again = ExecutionDetail.objects.exclude(pk=pk).get()
    assert (again.retry_of_id, again.attempt, again.origin) == (pk, 2, ExecutionOrigin.RETRY)


def test_a_failure_is_retried_with_growing_waits(
    make_job: MakeJob, executor: Held, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "JITTER", 0)
    make_job(function="tests.probe.jobs.fail", args=[], max_retries=2, retry_backoff=10)
    queue()
    waits = []
    moment = START
    for _ in range(3):
        look(moment)
        record([run_in_thread(executor.runs.pop())])
        following = ExecutionDetail.objects.queued().first()
        if following is None or following.available_at is None:
            break
        failed = ExecutionDetail.objects.get(pk=following.retry_of_id)
        assert failed.finished_at is not None
        waits.append(round((following.available_at - failed.finished_at).total_seconds()))
        moment = following.available_at
    assert waits == [10, 20]
    assert DjangoJobExecution.objects.filter(status=Status.ERROR).count() == 3


def test_an_exception_of_five_thousand_characters_and_a_nul_is_stored(
    make_job: MakeJob, executor: Held, look: Look
) -> None:
    make_job(function="tests.probe.jobs.fail", args=[], kwargs={"message": "boom", "size": 5000})
    pk = queue()
    look(START)
    outcome = run_in_thread(executor.runs[0])
    record([outcome])
    execution = DjangoJobExecution.objects.get(pk=pk)
    assert execution.status == Status.ERROR
    assert len(execution.exception) == 1000
    assert "x" * 5000 in execution.traceback
    assert "engine/runner.py" not in execution.traceback


def test_a_run_of_a_deleted_job_leaves_nothing_and_breaks_nothing(
    make_job: MakeJob, executor: Held, look: Look
) -> None:
    spec = make_job()
    queue()
    look(START)
    spec.job.delete()
    record([run_in_thread(executor.runs[0])])
    assert not DjangoJobExecution.objects.exists()
