"""The limits on what runs: priority, the slots of concurrency groups, and what they may not keep waiting."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models.functions import Now
from django_apscheduler.models import DjangoJobExecution
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_scheduler import services
from app_scheduler.engine import dispatch, recovery
from app_scheduler.engine.claim import claim
from app_scheduler.engine.dispatch import Dispatcher
from app_scheduler.engine.lease import Lease, ensure_lease
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.sql import read
from app_scheduler.models import (
    ConcurrencyGroup,
    ExecutionDetail,
    ExecutionOrigin,
    JobSpec,
    SchedulerInstance,
    SchedulerLease,
    Status,
)
from app_scheduler.services import Actor
from tests.integration.engine.conftest import START, MakeJob
from tests.integration.engine.test_dispatch import Held, queue, status_of

GROUPED: dict[str, Any] = {"max_instances": 10, "misfire_grace_time": None, "concurrency_group": "database"}
SECOND = timedelta(seconds=1)
LATER = START + timedelta(minutes=1)


def started(executor: Held) -> list[int]:
    return [run.execution_id for run in executor.runs]


def end(executor: Held, run: Run, status: Status = Status.EXECUTED) -> None:
    """Record the end of a run that the executor holds."""
    executor.runs.remove(run)
    record([Outcome(run, status, START, START + SECOND)])


def running_in(group: str) -> int:
    return ExecutionDetail.objects.running().filter(execution__job__spec__concurrency_group=group).count()


# --- priority -------------------------------------------------------------------------------------------------------


def test_what_is_urgent_passes_a_queue_longer_than_a_look(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LOOK", 3)
    make_job(id="many", max_instances=50, misfire_grace_time=None)
    make_job(id="urgent", misfire_grace_time=None)
    for offset in range(20):
        queue("many", offset)
    urgent = queue("urgent", 30, priority=1)
    executor = Held(slots=1)
    Dispatcher({"default": executor}, "here").look(LATER)
    assert started(executor) == [urgent]


def test_what_a_claim_queues_passes_what_waits_with_a_lower_priority(make_job: MakeJob) -> None:
    make_job(id="low", trigger="at 2199-01-01 00:00", max_instances=10)
    make_job(id="high", priority=5)
    waiting = queue("low", origin=ExecutionOrigin.MANUAL)
    queue("low", 0.5, origin=ExecutionOrigin.MANUAL)
    executor = Held(slots=0)
    dispatcher = Dispatcher({"default": executor}, "here")
    dispatcher.look(START + SECOND)
    assert dispatcher.rest[0].execution_id == waiting
    claim(START + SECOND, dispatcher=dispatcher, instance="here")
    executor.slots = 1
    assert dispatcher.must_look
    dispatcher.look(START + SECOND)
    assert [run.job_id for run in executor.runs] == ["high"]


def test_what_is_left_for_want_of_slots_goes_on_in_its_order(make_job: MakeJob) -> None:
    make_job(max_instances=10, misfire_grace_time=None)
    low, high = queue(priority=-3), queue(offset=5, priority=3)
    executor = Held(slots=0)
    dispatcher = Dispatcher({"default": executor}, "here")
    dispatcher.look(LATER)
    executor.slots = 1
    dispatcher.go_on(LATER)
    assert started(executor) == [high]
    end(executor, executor.runs[0])
    dispatcher.go_on(LATER)
    assert started(executor) == [low]


def test_a_claim_takes_no_slot_of_a_group_that_something_else_waits_for(make_job: MakeJob) -> None:
    make_job(id="holder", trigger="at 2199-01-01 00:00", **GROUPED)
    make_job(id="urgent", trigger="at 2199-01-01 00:00", **GROUPED)
    make_job(id="tick", **GROUPED)
    queue("holder")
    executor = Held()
    dispatcher = Dispatcher({"default": executor}, "here")
    dispatcher.look(START)
    (run,) = executor.runs
    urgent = queue("urgent", priority=5)
    dispatcher.look(START)
    end(executor, run)
    claimed = claim(START + SECOND, dispatcher=dispatcher, instance="here")
    assert (claimed.jobs, claimed.started) == (1, [])
    assert dispatcher.must_look
    dispatcher.look(START + SECOND)
    assert started(executor) == [urgent]


# --- groups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 2])
def test_executors_and_instances_share_the_slots_of_a_group(make_job: MakeJob, slots: int) -> None:
    ConcurrencyGroup.objects.create(name="database", slots=slots)
    for name in ("one", "two", "three", "four"):
        make_job(id=name, **GROUPED)
        queue(name)
    JobSpec.objects.filter(job_id__in=["two", "four"]).update(executor="second")
    here, second, there = Held(), Held(), Held()
    Dispatcher({"default": here, "second": second}, "here").look(LATER)
    Dispatcher({"default": there, "second": there}, "there").look(LATER)
    assert (len(here.runs) + len(second.runs), len(there.runs)) == (slots, 0)
    assert bool(second.runs) is (slots == 2)


def test_what_waits_for_a_group_keeps_nothing_else_waiting(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LOOK", 2)
    make_job(id="grouped", **GROUPED)
    make_job(id="other-group", **{**GROUPED, "concurrency_group": "mail"})
    make_job(id="free", misfire_grace_time=None)
    first, *_ = [queue("grouped", offset, priority=9) for offset in range(9)]
    mail, free = queue("other-group", 10), queue("free", 11)
    executor = Held()
    Dispatcher({"default": executor}, "here").look(LATER)
    assert started(executor) == [first, mail, free]


@pytest.mark.parametrize("how", [Status.EXECUTED, Status.ERROR, Status.CANCELLED, "reaped"])
def test_the_slot_is_free_again_when_an_execution_has_ended(make_job: MakeJob, how: str) -> None:
    for name in ("one", "two"):
        make_job(id=name, **GROUPED)
    queue("one")
    waiting = queue("two", 1)
    executor = Held()
    dispatcher = Dispatcher({"default": executor}, "gone")
    dispatcher.look(LATER)
    (run,) = executor.runs
    assert status_of(waiting) == Status.QUEUED
    if how == "reaped":
        SchedulerInstance.objects.create(id="gone", host="h", pid=1, started_at=START, heartbeat=START)
        assert recovery.reap(LATER) == 1
    else:
        end(executor, run, Status(how))
    successor = Held()
    Dispatcher({"default": successor}, "here").look(LATER)
    assert started(successor) == [waiting]


def test_a_cancelled_execution_that_waited_for_its_group_never_starts(make_job: MakeJob) -> None:
    make_job(id="one", **GROUPED)
    queue("one")
    waiting, after = queue("one", 1), queue("one", 2)
    executor = Held()
    dispatcher = Dispatcher({"default": executor}, "here")
    dispatcher.look(LATER)
    assert services.cancel_execution(waiting, Actor())
    end(executor, executor.runs[0])
    dispatcher.look(LATER)
    assert started(executor) == [after]
    assert status_of(waiting) == Status.CANCELLED


def test_a_group_whose_slots_grow_lets_more_run_at_the_next_look(make_job: MakeJob) -> None:
    make_job(id="one", **GROUPED)
    for offset in range(3):
        queue("one", offset)
    executor = Held()
    dispatcher = Dispatcher({"default": executor}, "here")
    dispatcher.look(LATER)
    assert len(executor.runs) == 1
    ConcurrencyGroup.objects.create(name="database", slots=2)
    dispatcher.look(LATER)
    assert len(executor.runs) == 2


# --- two at once ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_never_exceed_the_slots(make_job: MakeJob) -> None:
    """Each has room where the other has none, so no row is fought for and only the lease can tell them apart."""
    for name in ("one", "two"):
        make_job(id=name, **GROUPED)
    JobSpec.objects.filter(job_id="two").update(executor="second")
    ensure_lease()
    leases = [Lease(instance=f"host-{number}-aaaaaa") for number in range(2)]
    starts, moments = Counter[str](), itertools.count()
    barrier = threading.Barrier(2)

    def one_round(number: int, lease: Lease) -> list[Run]:
        free, full = Held(), Held(slots=0)
        mine = {"default": free, "second": full} if number == 0 else {"default": full, "second": free}
        dispatcher = Dispatcher(mine, lease.instance, leads=lease.hold_to_commit)
        try:
            barrier.wait(20)
            if lease.acquire():
                dispatcher.look(LATER)
            # Stalled, and unaware that another may lead by now.
            dispatcher.look(LATER)
            return free.runs
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(30):
            for name in ("one", "two"):
                queue(name, next(moments))
            SchedulerLease.objects.update(expires_at=Now() - timedelta(seconds=60))
            found = [run for runs in pool.map(one_round, range(2), leases) for run in runs]
            assert running_in("database") == len(found) <= 1
            starts.update(run.job_id for run in found)
            record([Outcome(run, Status.EXECUTED, START, LATER) for run in found])
    assert starts.total() > 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nobody_else_leads_before_what_a_leader_starts_is_committed() -> None:
    ensure_lease()
    first, second = Lease(instance="first-1-aaaaaa"), Lease(instance="second-1-aaaaaa")
    assert first.acquire()
    SchedulerLease.objects.update(expires_at=Now() - timedelta(seconds=60))

    def lead() -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            return second.acquire()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert first.hold_to_commit()
            with pytest.raises(OperationalError, match="lock timeout"):
                pool.submit(lead).result(20)
        assert pool.submit(lead).result(20)
    with transaction.atomic():
        assert not first.hold_to_commit()


# --- a model --------------------------------------------------------------------------------------------------------

JOBS: dict[str, dict[str, Any]] = {
    "a": {"max_instances": 1, "concurrency_group": "g"},
    "b": {"max_instances": 3, "concurrency_group": "g"},
    "c": {"max_instances": 2, "concurrency_group": "h"},
    "d": {"max_instances": 2},
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("queue"), st.sampled_from(sorted(JOBS)), st.integers(-2, 2)),
        st.tuples(st.just("end"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("go on"), st.just(0), st.just(0)),
        st.tuples(st.just("look"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """What should run: the queue in its order, each where its job, its group and the executor have room."""

    def __init__(self, room: int, slots: dict[str, int]) -> None:
        self.room, self.slots = room, slots
        #: (-priority, number in the order of arrival, job, execution)
        self.queued: list[tuple[int, int, str, int]] = []
        self.running: dict[int, str] = {}

    def has_room(self, job: str) -> bool:
        jobs = Counter(self.running.values())
        group = JOBS[job].get("concurrency_group")
        in_group = sum(JOBS[each].get("concurrency_group") == group for each in self.running.values())
        return (
            len(self.running) < self.room
            and jobs[job] < JOBS[job]["max_instances"]
            and (group is None or in_group < self.slots.get(group, 1))
        )

    def look(self) -> set[int]:
        begun = set()
        for row in sorted(self.queued):
            if self.has_room(row[2]):
                self.queued.remove(row)
                self.running[row[3]] = row[2]
                begun.add(row[3])
        return begun

    def take(self, begun: set[int]) -> None:
        """Take over what was started without a look, which has to keep the limits and no more."""
        for row in [row for row in sorted(self.queued) if row[3] in begun]:
            assert self.has_room(row[2])
            self.queued.remove(row)
            self.running[row[3]] = row[2]


@given(steps=STEPS, room=st.integers(1, 5), slots=st.integers(1, 3), page=st.integers(1, 4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_dispatcher_does_as_its_model(
    make_job: MakeJob, steps: list[tuple[str, Any, int]], room: int, slots: int, page: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(dispatch, "LOOK", page)
        patch.setattr(dispatch, "LOOKS", 100)
        for job_id, document in JOBS.items():
            make_job(id=job_id, misfire_grace_time=None, **document)
        ConcurrencyGroup.objects.create(name="g", slots=slots)
        model, executor = Model(room, {"g": slots}), Held(room)
        dispatcher = Dispatcher({"default": executor}, "here")
        for number, (step, which, priority) in enumerate([*steps, ("look", 0, 0)]):
            before = set(started(executor))
            if step == "queue":
                pk = queue(which, number, priority=priority, origin=ExecutionOrigin.MANUAL)
                model.queued.append((-priority, number, which, pk))
            elif step == "end" and executor.runs:
                run = executor.runs[which % len(executor.runs)]
                end(executor, run)
                del model.running[run.execution_id]
            elif step == "go on":
                dispatcher.go_on(LATER)
                model.take(set(started(executor)) - before)
            elif step == "look":
                dispatcher.look(LATER)
                assert set(started(executor)) - before == model.look()
            assert set(started(executor)) == set(model.running)
        transaction.set_rollback(True)


# --- what a long queue costs ----------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_a_look_at_a_long_queue_reads_it_by_its_order(make_job: MakeJob) -> None:
    make_job(id="many", max_instances=1000, misfire_grace_time=None)
    moments = [START + timedelta(milliseconds=number) for number in range(5000)]
    insert([Entry("many", each, each, available_at=each, origin=ExecutionOrigin.MANUAL) for each in moments])
    with connection.cursor() as cursor:
        # Not ANALYZE: the number of rows that it notes outlives the test's transaction, and other tests' plans.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")

    def explained(statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        if "next_available" in statement:
            plans.append("\n".join(row[0] for row in read(f"EXPLAIN {statement}", parameters)))
        return read(statement, parameters)

    plans: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "read", explained)
        Dispatcher({"default": Held(slots=0)}, "here").look(LATER)
    assert plans
    assert all("jc_order" in plan for plan in plans), plans
    assert DjangoJobExecution.objects.filter(status=Status.QUEUED).count() == 5000
