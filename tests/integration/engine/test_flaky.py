"""Thousands of ticks on a database that fails one call in five; then each tick and each effect is reconciled.

FLAKY_SEED repeats a run as far as threads allow, FLAKY_TICKS makes it longer, FLAKY_RATE says what part of the calls
fails.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine import loop, recorder
from app_scheduler.engine.queue import Entry, enqueue, utc_now
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, JobState, Status
from tests.flaky import Flaky
from tests.integration.engine.conftest import MakeJob, stop
from tests.live import wait_until
from tests.probe import jobs as probe

RATE = float(os.environ.get("FLAKY_RATE", "0.2"))
#: Seconds of backlog of the busiest jobs: about five times as many ticks.
BACKLOG = int(os.environ.get("FLAKY_TICKS", "1000")) // 5
#: Seconds for which ticks still come while the backlog is worked off.
LIVE_SECONDS = 8
RAN = {Status.EXECUTED, Status.ERROR}


@pytest.fixture
def engine(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsoleScheduler]:
    """Yield a scheduler of this process that leads and does not wait long after faults."""
    settings.APP_SCHEDULER_LEASE_SECONDS = 3
    settings.APP_SCHEDULER_MAX_WORKERS = 20
    monkeypatch.setattr(loop, "MAX_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(recorder, "MAX_BACKOFF_SECONDS", 0.01)
    probe.effects.clear()
    scheduler = ConsoleScheduler()
    scheduler.start()
    try:
        wait_until(lambda: scheduler.leading, what="the lease")
        yield scheduler
    finally:
        stop(scheduler)


def make_jobs(make_job: MakeJob) -> dict[str, tuple[datetime, datetime, int]]:
    """Make jobs of every kind; return the first and the last tick of each, and the seconds between two."""
    now = utc_now().replace(microsecond=0)
    spans: dict[str, tuple[datetime, datetime, int]] = {}

    def make(job_id: str, step: int, since: int, until: int = 0, function: str = "count", **document: Any) -> None:
        first, last = now - timedelta(seconds=since), now + timedelta(seconds=until)
        last = first + (last - first) // timedelta(seconds=step) * timedelta(seconds=step)
        trigger = {"type": "interval", "seconds": step, "start_date": first.isoformat(), "end_date": last.isoformat()}
        given = {"args": [], "coalesce": False, "misfire_grace_time": None, **document}
        make_job(id=job_id, trigger=trigger, function=f"tests.probe.jobs.{function}", **given)
        spans[job_id] = (first, last, step)

    make("many", 1, BACKLOG, max_instances=8)
    make("serial", 4, BACKLOG)
    make("coalescing", 1, BACKLOG * 2, coalesce=True)
    make("missed", 1, BACKLOG * 2, misfire_grace_time=BACKLOG // 4, max_instances=4)
    make("failing", 8, BACKLOG, function="count_failing", args=[2], max_retries=2, retry_backoff=1, max_instances=8)
    make("overlapping", 1, 0, LIVE_SECONDS, function="count_slowly", kwargs={"seconds": 1.5})
    make("live", 1, 0, LIVE_SECONDS, coalesce=True)
    make("hand", 86400, 0, 86400)
    return spans


@pytest.mark.timeout(600)
def test_a_database_that_fails_one_call_in_five_costs_nothing_but_time(
    engine: ConsoleScheduler, make_job: MakeJob
) -> None:
    seed = int(os.environ.get("FLAKY_SEED", "0")) or random.randrange(1, 10**6)
    print(f"FLAKY_SEED={seed}")
    with Flaky(RATE, seed).installed() as flaky:
        spans = make_jobs(make_job)
        del spans["hand"]
        engine.wakeup()
        asked = [pk for _ in range(40) for pk in ask(engine)]
        wait_until(lambda: is_at_rest(spans), 500, "the verdicts of all ticks")
        failed = Counter(flaky.failed)
    engine.shutdown()
    for when in ("before call", "after call", "before COMMIT", "after COMMIT"):
        assert failed[when], failed
    reconcile(spans, asked)
    print(f"{sum(failed.values())} calls failed: {dict(failed)}; {len(probe.effects)} effects")


def ask(engine: ConsoleScheduler) -> list[int]:
    now = utc_now()
    asked = enqueue([Entry("hand", now, now, origin=ExecutionOrigin.MANUAL)])
    engine.wakeup()
    time.sleep(0.05)  # A pace, so that requests come all the while.
    return asked


def is_at_rest(spans: dict[str, Any]) -> bool:
    waiting = JobSpec.objects.filter(job_id__in=spans, state=JobState.SCHEDULED)
    open_rows = DjangoJobExecution.objects.filter(status__in=[Status.QUEUED, Status.STARTED])
    return not waiting.exists() and not open_rows.exists()


def reconcile(spans: dict[str, tuple[datetime, datetime, int]], asked: list[int]) -> None:
    """Hold each effect against its execution, and each tick against the rows that stand for it."""
    # Not the shipped jobs, which the scheduler has as well.
    executions = DjangoJobExecution.objects.filter(job_id__in=[*spans, "hand"])
    status = dict(executions.values_list("id", "status"))
    effects = Counter(probe.effects)
    assert [pk for pk, count in effects.items() if count > 1] == [], "executions that ran twice"
    assert {pk for pk in effects if status.get(pk) not in RAN} == set(), "effects without such a verdict"
    assert {pk for pk in status if status[pk] in RAN and pk not in effects} == set(), "verdicts without an effect"
    assert {pk for pk in asked if status[pk] != Status.EXECUTED} == set(), "requests that did not run"
    assert Status.INTERRUPTED not in status.values(), "no process has ended"
    rows = ExecutionDetail.objects.filter(origin=ExecutionOrigin.SCHEDULE).select_related("execution")
    for job_id, (first, last, step) in spans.items():
        covered: Counter[datetime] = Counter()
        for row in rows.filter(execution__job_id=job_id):
            ticks = (row.execution.run_time - timedelta(seconds=step * n) for n in range(row.tick_count))
            covered.update(ticks)
        expected = int((last - first).total_seconds()) // step + 1
        assert set(covered.values()) == {1}, f"{job_id}: a tick has two rows"
        assert (len(covered), min(covered), max(covered)) == (expected, first, last), job_id
    retries = Counter(row.retry_of_id for row in ExecutionDetail.objects.filter(retry_of__isnull=False))
    assert set(retries.values()) == {1}, "a failed attempt is retried once"
