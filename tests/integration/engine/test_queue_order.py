"""The order of the queue, and the slots that the jobs of a concurrency group share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine import dispatch
from app_scheduler.engine.dispatch import Dispatcher
from app_scheduler.engine.executors import ConsoleExecutor
from app_scheduler.engine.recorder import record
from app_scheduler.models import ConcurrencyGroup, Status
from tests.integration.engine.conftest import START, MakeJob
from tests.integration.engine.test_dispatch import Held, queue, run_in_thread, status_of

GROUPED = {"max_instances": 10, "misfire_grace_time": None, "concurrency_group": "database"}


def dispatcher(executors: Mapping[str, ConsoleExecutor], *, instance: str = "here", leads: bool = True) -> Dispatcher:
    return Dispatcher(executors, instance, leads=lambda: leads)


def started(executor: Held) -> list[int]:
    return [run.execution_id for run in executor.runs]


def test_the_highest_priority_starts_first_and_of_those_alike_the_longest_waiting(make_job: MakeJob) -> None:
    make_job(max_instances=10, misfire_grace_time=None)
    low = queue(offset=0, priority=-5)
    late, early = queue(offset=3), queue(offset=1)
    high = queue(offset=4, priority=7)
    executor = Held(slots=3)
    looking = dispatcher({"default": executor})
    looking.look(START + timedelta(seconds=5))
    assert started(executor) == [high, early, late]
    assert status_of(low) == Status.QUEUED
    executor.runs.clear()
    looking.go_on(START + timedelta(seconds=5))
    assert started(executor) == [low]


def test_a_full_executor_hides_nothing_from_another(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LOOK", 2)
    make_job(id="slow", max_instances=10, misfire_grace_time=None)
    other = make_job(id="other", max_instances=10, misfire_grace_time=None)
    other.executor = "second"
    other.save(update_fields=["executor"])
    for offset in range(5):
        queue("slow", offset, priority=10)
    wanted = queue("other", 6)
    full, free = Held(slots=0), Held(slots=1)
    dispatcher({"default": full, "second": free}).look(START + timedelta(seconds=7))
    assert (started(full), started(free)) == ([], [wanted])


@pytest.mark.parametrize(("slots", "expected"), [(None, 1), (1, 1), (2, 2)])
def test_jobs_of_a_group_share_its_slots(make_job: MakeJob, slots: int | None, expected: int) -> None:
    if slots is not None:
        ConcurrencyGroup.objects.create(name="database", slots=slots)
    for name in ("one", "two", "three"):
        make_job(id=name, **GROUPED)
        queue(name)
    make_job(id="free")
    outside = queue("free", 1)
    executor = Held()
    dispatcher({"default": executor}).look(START + timedelta(seconds=2))
    assert len(executor.runs) == expected + 1
    assert outside in started(executor)


def test_a_group_is_kept_across_hosts_until_its_run_has_ended(make_job: MakeJob) -> None:
    for name in ("one", "two"):
        make_job(id=name, **GROUPED)
    queue("one")
    there, here = Held(), Held()
    dispatcher({"default": there}, instance="there").look(START)
    waiting = queue("two", 1)
    looking = dispatcher({"default": here})
    looking.look(START + timedelta(seconds=1))
    assert (started(here), status_of(waiting)) == ([], Status.QUEUED)
    (run,) = there.runs
    assert looking.is_awaited(run)
    record([run_in_thread(run)])
    looking.look(START + timedelta(seconds=2))
    assert started(here) == [waiting]


def test_who_does_not_lead_any_more_starts_nothing_of_a_group(make_job: MakeJob) -> None:
    make_job(id="one", **GROUPED)
    make_job(id="free")
    grouped, free = queue("one"), queue("free")
    executor = Held()
    dispatcher({"default": executor}, leads=False).look(START)
    assert (started(executor), status_of(grouped)) == ([free], Status.QUEUED)


def test_a_tick_that_waits_for_its_group_beyond_its_grace_is_missed(make_job: MakeJob) -> None:
    make_job(id="one", **GROUPED)
    make_job(id="two", **{**GROUPED, "misfire_grace_time": 10})
    queue("one")
    waiting = queue("two", 1)
    executor = Held()
    looking = dispatcher({"default": executor})
    looking.look(START + timedelta(seconds=1))
    assert status_of(waiting) == Status.QUEUED
    looking.look(START + timedelta(seconds=12))
    assert status_of(waiting) == Status.MISSED
    reason = DjangoJobExecution.objects.select_related("detail").get(pk=waiting).detail.reason
    assert "database" in reason
