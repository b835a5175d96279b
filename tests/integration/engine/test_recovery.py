"""What dead instances leave behind, and a lease whose fate is unknown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from app_scheduler.engine import recovery
from app_scheduler.engine.lease import Lease, ensure_lease
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionDetail, SchedulerInstance, SchedulerLease, Status
from tests.integration.engine.conftest import MakeJob, RunNow
from tests.integration.engine.faulty import started
from tests.integration.engine.test_dispatch import status_of


def instance(name: str, age: float) -> None:
    moment = timezone.now() - timedelta(seconds=age)
    SchedulerInstance.objects.create(id=name, host="h", pid=1, started_at=moment, heartbeat=moment)


def test_only_what_dead_instances_started_is_lost(make_job: MakeJob) -> None:
    make_job(max_instances=9)
    alive, dead, unknown_old, unknown_new = (
        started(name, offset) for offset, name in enumerate(["alive", "dead", "unknown", "unknown"])
    )
    instance("alive", 1)
    instance("dead", 60)
    # An instance that was stalled may have lost its row and be about to beat again.
    ExecutionDetail.objects.filter(pk=unknown_new).update(started_at=timezone.now())
    assert recovery.reap(utc_now()) == 2
    found = [status_of(pk) for pk in (alive, dead, unknown_old, unknown_new)]
    assert found == [Status.STARTED, Status.INTERRUPTED, Status.INTERRUPTED, Status.STARTED]
    assert list(SchedulerInstance.objects.values_list("id", flat=True)) == ["alive"]


def test_a_lease_that_was_taken_without_our_knowing_is_ours_at_once(db: None) -> None:
    ensure_lease()
    lease = Lease()
    assert lease.acquire()
    lease.held, lease.token = False, 0
    assert lease.acquire()
    assert (lease.token, Lease().acquire()) == (2, False)


def test_a_lease_whose_release_failed_is_released_at_the_end(db: None) -> None:
    ensure_lease()
    lease = Lease()
    lease.acquire()
    lease.held = False
    lease.leave()
    assert SchedulerLease.objects.get().holder == ""


def test_a_leader_that_was_stalled_notices_before_it_starts_anything(db: None) -> None:
    ensure_lease()
    scheduler = ConsoleScheduler()
    lease = scheduler._lease
    lease.acquire()
    lease.renewed -= 3600
    assert scheduler._still_leads(), "nobody took it: it is renewed"
    assert lease.is_fresh()
    lease.renewed -= 3600
    SchedulerLease.objects.update(holder="another", token=99)
    assert not scheduler._still_leads()
    assert not scheduler.leading


def test_a_stalled_leader_dispatches_nothing(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_still_leads", lambda: False)
    pk = run_now()
    engine._watchdog._stopped.wait(1.5)  # A start that must not come leaves nothing to wait for.
    assert status_of(pk) == Status.QUEUED
