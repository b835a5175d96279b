"""The engine's parts one by one, with rows in a real database and a clock that the test holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, triggers
from app_scheduler.engine import custody, jobstore, loop, recorder
from app_scheduler.engine.executors import ThreadsExecutor, threads
from app_scheduler.engine.queue import Entry, enqueue, utc_now
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionOrigin, JobSpec, Status
from tests.live import wait_until
from tests.probe import jobs as probe

#: The moment at which the tests' schedules are set.
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

MakeJob = Callable[..., JobSpec]
RunNow = Callable[..., int]


@pytest.fixture
def make_job(db: None) -> MakeJob:
    """Return a maker of stored jobs: each second from START, unless its document says otherwise."""

    def make(**document: Any) -> JobSpec:
        given = {"id": "tick", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1s", **document}
        clean = documents.clean(given, now=START)
        spec = documents.new_spec(clean, origin="staff", anchor=START)
        tick = triggers.schedule_for(spec.trigger, anchor=START).next_after(START)
        jobstore.insert_jobs([(spec, None if clean["paused"] else tick)])
        return JobSpec.objects.select_related("job").get(job_id=clean["id"])

    return make


@pytest.fixture
def quick(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a short lease and short waits after faults."""
    settings.APP_SCHEDULER_LEASE_SECONDS = 2
    monkeypatch.setattr(loop, "MAX_BACKOFF_SECONDS", 0.1)
    monkeypatch.setattr(recorder, "MAX_BACKOFF_SECONDS", 0.1)
    probe.effects.clear()


@pytest.fixture
def engine(transactional_db: None, quick: None) -> Iterator[ConsoleScheduler]:
    """Yield a scheduler of this process that leads."""
    scheduler = ConsoleScheduler()
    scheduler.start()
    try:
        wait_until(lambda: scheduler.leading, what="the lease")
        yield scheduler
    finally:
        stop(scheduler)


def stop(scheduler: ConsoleScheduler) -> None:
    """Stop a scheduler and wait until its threads have closed their connections."""
    threads = [scheduler._thread, scheduler._doorbell._thread, scheduler._recorder._thread]
    executors = [executor for executor in scheduler._consoles() if isinstance(executor, ThreadsExecutor)]
    if scheduler.serving:
        scheduler.shutdown()
    for thread in threads:
        if thread is not None:
            thread.join(5)
    wait_until(lambda: not any(executor._threads for executor in executors), 5, "the end of the executors' threads")


@pytest.fixture
def run_now(engine: ConsoleScheduler, make_job: MakeJob) -> RunNow:
    """Return what runs a job beside its schedule, which never comes; it returns the execution's id."""

    def run(job_id: str = "hand", **document: Any) -> int:
        make_job(
            id=job_id, trigger="at 2199-01-01 00:00", **{"function": "tests.probe.jobs.count", "args": [], **document}
        )
        now = utc_now()
        (pk,) = enqueue([Entry(job_id, now, now, origin=ExecutionOrigin.MANUAL)])
        engine.wakeup()
        return pk

    return run


@pytest.fixture
def keep_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the test's own connection, and its transaction, where the engine would drop it."""
    for module in (recorder, custody, loop):
        monkeypatch.setattr(module, "drop_connection", lambda: None)


def next_run_time(job_id: str = "tick") -> datetime | None:
    return DjangoJob.objects.values_list("next_run_time", flat=True).get(id=job_id)


class Passes(ConsoleScheduler):
    """A scheduler whose passes the test makes, one by one, in its own thread; what it starts stays started."""

    def __init__(self) -> None:
        super().__init__()
        #: Set when a thread is in a run.
        self.begun = threading.Event()
        self._event = threading.Event()
        self._prepared = True
        executor = threads.ThreadsExecutor(10)
        executor.on_finish = lambda outcome: None
        executor.on_free = self._give_slot
        self.add_executor(executor, "default")
        self._attach()

    def look(self) -> tuple[float, list[str]]:
        """Make a pass; return the seconds until the next and the statements that it took."""
        with CaptureQueriesContext(connection) as queries:
            seconds = self._pass()
        return seconds, [query["sql"] for query in queries]


@pytest.fixture
def make_passes(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Passes]]:
    """Return a maker of schedulers whose runs end with the test."""
    ended = threading.Event()
    made: list[Passes] = []

    def make() -> Passes:
        made.append(Passes())
        return made[-1]

    def hold(run: Run) -> Outcome:
        for passes in made:
            passes.begun.set()
        ended.wait(10)
        return Outcome(run, Status.EXECUTED, START, START)

    monkeypatch.setattr(threads, "execute", hold)
    yield make
    ended.set()
