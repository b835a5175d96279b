"""What goes to workers by way of a broker: marked as sent, begun once however often its message comes, sent again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connections
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import services
from app_scheduler.engine import recovery, sending, workbench
from app_scheduler.engine.claim import claim
from app_scheduler.engine.dispatch import Dispatcher
from app_scheduler.engine.executors import SendingExecutor
from app_scheduler.engine.hands import Hands
from app_scheduler.engine.queue import Entry, enqueue, insert, utc_now
from app_scheduler.engine.runner import Run
from app_scheduler.engine.sending import Message
from app_scheduler.engine.workbench import Workbench
from app_scheduler.models import ExecutionDetail, JobSpec, Status
from app_scheduler.services import Actor
from tests.integration.engine.conftest import START, MakeJob
from tests.live import wait_until
from tests.probe import jobs as probe

LATER = START + timedelta(seconds=1)


class Outbox(SendingExecutor):
    """Keeps what it is to publish."""

    def __init__(self, room: int = 10) -> None:
        super().__init__()
        self.room = room
        self.messages: list[Message] = []

    @property
    def busy(self) -> int:
        return 0

    @property
    def free(self) -> int:
        return max(0, self.room - sending.count_sent())

    def send(self, messages: Sequence[Message]) -> None:
        self.messages += messages

    def stop(self, seconds: float) -> None:
        pass


@pytest.fixture
def outbox(settings: Any) -> Outbox:
    settings.APP_SCHEDULER_EXECUTORS = {"workers": {"type": "celery"}}
    probe.effects.clear()
    return Outbox()


@pytest.fixture
def dispatcher(outbox: Outbox) -> Dispatcher:
    return Dispatcher({"workers": outbox}, "here")


@pytest.fixture
def make(make_job: MakeJob, outbox: Outbox) -> MakeJob:
    return partial(make_job, executor="workers", function="tests.probe.jobs.count", args=[])


def queue(job_id: str = "tick", **values: Any) -> int:
    return insert([Entry(job_id, START, START, **values)])[0]


def queue_sent(job_id: str = "tick", moment: datetime | None = None) -> int:
    moment = moment or utc_now()
    return enqueue([Entry(job_id, moment, moment, is_sent=True)])[0]


def detail(pk: int) -> ExecutionDetail:
    return ExecutionDetail.objects.select_related("execution").get(execution_id=pk)


def begin(pk: int, now: datetime = LATER) -> list[Run]:
    return sending.begin([pk], "worker-1", "process 1", now)


def in_thread(call: Callable[[], Any]) -> Any:
    """Call it as a worker does: its thread's connections are its own."""

    def run() -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


# --- sending --------------------------------------------------------------------------------------------------------


def test_what_is_queued_is_sent_and_stays_queued(make: MakeJob, dispatcher: Dispatcher, outbox: Outbox) -> None:
    make()
    JobSpec.objects.update(queue="reports")
    pk = queue()
    dispatcher.look(LATER)
    found = detail(pk)
    assert outbox.messages == [Message(pk, "reports")]
    assert (found.execution.status, found.available_at, found.sent_at) == (Status.QUEUED, None, LATER)
    assert found.started_at is None


def test_a_tick_is_sent_with_its_claim(make: MakeJob, dispatcher: Dispatcher, outbox: Outbox) -> None:
    make()
    JobSpec.objects.update(queue="reports")
    claimed = claim(LATER, dispatcher=dispatcher, instance="here")
    (row,) = claimed.sent
    assert claimed.started == []
    assert outbox.messages == [Message(row.execution_id, "reports")]
    assert detail(row.execution_id).sent_at == LATER


def test_no_more_is_sent_than_may_be_in_flight(make: MakeJob, dispatcher: Dispatcher, outbox: Outbox) -> None:
    outbox.room = 1
    for job_id in ("a", "b"):
        make(id=job_id)
    first, second = queue("a"), queue("b")
    dispatcher.look(LATER)
    assert outbox.messages == [Message(first, "")]
    assert begin(first)
    dispatcher.go_on(LATER)
    assert outbox.messages[1:] == [Message(second, "")]


def test_what_is_sent_holds_its_jobs_instances(make: MakeJob, dispatcher: Dispatcher, outbox: Outbox) -> None:
    make()
    sent = queue()
    dispatcher.look(LATER)
    tick = insert([Entry("tick", LATER, LATER)])[0]
    dispatcher.look(LATER)
    found = detail(tick)
    assert found.execution.status == Status.MAX_INSTANCES
    assert f"Execution {sent} was with the workers" in found.reason
    assert len(outbox.messages) == 1


def test_what_was_settled_is_not_sent(make: MakeJob, dispatcher: Dispatcher, outbox: Outbox) -> None:
    make()
    pk = queue()
    DjangoJobExecution.objects.filter(pk=pk).update(status=Status.CANCELLED)
    assert sending.send([pk], LATER) == set()


# --- beginning ------------------------------------------------------------------------------------------------------


def test_a_message_that_comes_twice_begins_once(make: MakeJob) -> None:
    make()
    pk = queue_sent()
    (run,) = begin(pk)
    assert begin(pk) == []
    found = detail(pk)
    assert run.execution_id == pk
    assert (found.execution.status, found.sent_at, found.started_at) == (Status.STARTED, None, LATER)
    assert (found.instance, found.worker, found.function) == ("worker-1", "process 1", "tests.probe.jobs.count")


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_begins(make: MakeJob) -> None:
    make()
    pk = queue_sent()
    workers = 6
    barrier = threading.Barrier(workers)

    def one(number: int) -> list[Run]:
        barrier.wait()
        try:
            return sending.begin([pk], f"worker-{number}", "process 1", LATER)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(workers) as pool:
        begun = [run for runs in pool.map(one, range(workers)) for run in runs]
    assert len(begun) == 1


def test_what_begins_has_the_arguments_and_limits_of_the_table(make: MakeJob) -> None:
    make(function="tests.probe.jobs.mark", args=["of the job"], timeout=7, max_retries=2, retry_backoff=3)
    moment = utc_now()
    pk = enqueue([Entry("tick", moment, moment, is_sent=True, args=["of this run"], kwargs={}, attempt=2)])[0]
    (run,) = begin(pk)
    assert (run.args, run.attempt, run.timeout, run.max_retries, run.retry_backoff) == (["of this run"], 2, 7, 2, 3)
    assert run.executor == "workers"


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.STARTED, Status.EXECUTED])
def test_what_is_not_queued_does_not_begin(make: MakeJob, status: Status) -> None:
    make()
    pk = queue_sent()
    DjangoJobExecution.objects.filter(pk=pk).update(status=status)
    assert begin(pk) == []


def test_cancelled_before_its_message_comes_it_never_begins(make: MakeJob) -> None:
    make()
    pk = queue_sent()
    services.cancel_execution(pk, Actor())
    assert detail(pk).execution.status == Status.CANCELLED
    assert detail(pk).sent_at is None
    assert begin(pk) == []


def test_after_a_commit_that_was_cut_off_the_table_says_who_has_begun(make: MakeJob) -> None:
    make()
    pk = queue_sent()
    begin(pk)
    assert [run.execution_id for run in sending.begun_by("worker-1", "process 1", [pk])] == [pk]
    assert sending.begun_by("worker-1", "process 2", [pk]) == []


def test_what_a_worker_does_not_know_is_left_to_another(make: MakeJob) -> None:
    make()
    JobSpec.objects.update(function="tests.probe.jobs.of_the_next_release")
    now = utc_now()
    pk = queue_sent(moment=now)
    assert begin(pk, now) == []
    found = detail(pk)
    assert found.execution.status == Status.QUEUED
    assert found.available_at == now + timedelta(seconds=sending.LEAVE_SECONDS)
    assert "does not know the function" in found.reason
    ExecutionDetail.objects.filter(execution_id=pk).update(available_at=None, sent_at=now)
    begin(pk, now + timedelta(seconds=sending.PATIENCE_SECONDS + 1))
    assert detail(pk).execution.status == Status.ERROR


# --- again ----------------------------------------------------------------------------------------------------------


def test_what_nobody_begins_is_sent_again_with_growing_waits(make: MakeJob, outbox: Outbox) -> None:
    make()
    outbox.resend_seconds = 10
    pk = queue_sent(moment=START)
    sent: list[int] = []
    for seconds in range(0, 200, 5):
        recovery.send_again({"workers": outbox}, START + timedelta(seconds=seconds))
        if len(outbox.messages) > len(sent):
            sent.append(seconds)
    assert {message.execution_id for message in outbox.messages} == {pk}
    assert sent == [10, 20, 40, 80, 160]


def test_what_was_begun_is_not_sent_again(make: MakeJob, outbox: Outbox) -> None:
    make()
    begin(queue_sent(moment=START))
    assert recovery.send_again({"workers": outbox}, START + timedelta(hours=1)) == 0
    assert outbox.messages == []


def test_what_has_another_executor_by_now_goes_back_into_the_queue(
    make: MakeJob, make_job: MakeJob, outbox: Outbox
) -> None:
    make()
    pk = queue_sent(moment=START)
    JobSpec.objects.update(executor="default")
    now = START + timedelta(hours=1)
    assert recovery.send_again({"workers": outbox}, now) == 1
    found = detail(pk)
    assert (outbox.messages, found.sent_at, found.available_at) == ([], None, now)


# --- a process of a worker ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_process_runs_and_records_what_a_message_names_once(make: MakeJob) -> None:
    for job_id in ("a", "b"):
        make(id=job_id)
    ids = [queue_sent("a"), queue_sent("b")]

    def work() -> str:
        bench = Workbench("worker-1", None)
        bench.work_off([*ids, *ids], lambda rest: None)
        bench.work_off(ids, lambda rest: None)
        return bench.worker

    worker = in_thread(work)
    assert sorted(pk for pk in probe.effects if pk) == sorted(ids)
    for pk in ids:
        found = detail(pk)
        assert (found.execution.status, found.worker, found.instance) == (Status.EXECUTED, worker, "worker-1")


@pytest.mark.django_db(transaction=True)
def test_what_waits_behind_a_long_run_is_handed_on(make: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "HAND_ON_SECONDS", 0.01)
    gate = threading.Event()
    handed: list[int] = []

    def take(ids: Sequence[int]) -> None:
        handed.extend(ids)
        gate.set()

    monkeypatch.setattr(probe, "count", lambda: gate.wait(20))
    make(id="long", function="tests.probe.jobs.count_slowly", args=[0])
    make(id="short")
    first, second = queue_sent("long"), queue_sent("short")
    in_thread(lambda: Workbench("worker-1", None).work_off([first, second], take))
    assert handed == [second]
    assert detail(first).execution.status == Status.EXECUTED
    assert detail(second).execution.status == Status.QUEUED


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_handed_on_runs_here(make: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "HAND_ON_SECONDS", 0.01)
    monkeypatch.setattr(workbench, "MAX_BACKOFF_SECONDS", 60)
    bench: list[Workbench] = []
    tried = threading.Event()

    def fail(ids: Sequence[int]) -> None:
        tried.set()
        raise ConnectionError("the broker is away")

    def wait_until_it_is_back() -> None:
        if not probe.effects:
            probe.effects.append(None)
            wait_until(tried.is_set, what="the attempt")
            wait_until(lambda: bool(bench[0]._rest), what="its failure")

    def work() -> None:
        bench.append(Workbench("worker-1", None))
        bench[0].work_off([first, second], fail)

    make(id="long", function="tests.probe.jobs.count_slowly", args=[0])
    make(id="short", function="tests.probe.jobs.count_slowly", args=[0])
    monkeypatch.setattr(probe, "count", wait_until_it_is_back)
    first, second = queue_sent("long"), queue_sent("short")
    in_thread(work)
    assert {detail(pk).execution.status for pk in (first, second)} == {Status.EXECUTED}


@pytest.mark.django_db(transaction=True)
def test_what_has_begun_behind_a_long_run_is_queued_again(make: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "HAND_ON_SECONDS", 0.01)
    for job_id in ("short", "long", "behind"):
        make(id=job_id, function="tests.probe.jobs.count_slowly", args=[0])
    short, long, behind = ids = [queue_sent(job_id) for job_id in ("short", "long", "behind")]
    met: list[str] = []

    def settled() -> bool:
        return [detail(pk).execution.status for pk in ids] == [Status.EXECUTED, Status.STARTED, Status.QUEUED]

    def wait_in_the_second() -> None:
        met.append("")
        if len(met) == 2:
            wait_until(settled, what="what is before and behind it to be out of hand")

    def work() -> None:
        bench = Workbench("worker-1", None)
        bench._at_once = 3
        bench.work_off(ids, lambda rest: None)

    monkeypatch.setattr(probe, "count", wait_in_the_second)
    in_thread(work)
    assert len(met) == 2
    assert detail(long).execution.status == Status.EXECUTED
    assert (detail(behind).started_at, detail(behind).instance) == (None, "")
    assert detail(behind).available_at is not None
    assert detail(short).execution.status == Status.EXECUTED


# --- what a process has in hand -------------------------------------------------------------------------------------


def test_a_parent_sees_what_its_process_has_in_hand() -> None:
    hands = Hands()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        hands.take([11, 12, 13])
        hands.turn_to(1)
        os.write(writer, b".")
        os._exit(0)
    os.read(reader, 1)
    os.waitpid(child, 0)
    for descriptor in (reader, writer):
        os.close(descriptor)
    hand = hands.of(child)
    assert (hand.current, list(hand.waiting)) == (12, [13])
    assert hands.of(child + 1).current is None
