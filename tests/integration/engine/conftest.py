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
from app_scheduler.engine import jobstore
from app_scheduler.engine.executors import threads
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import JobSpec, Status

#: The moment at which the tests' schedules are set.
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

MakeJob = Callable[..., JobSpec]


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


def next_run_time(job_id: str = "tick") -> datetime | None:
    return DjangoJob.objects.values_list("next_run_time", flat=True).get(id=job_id)


class Passes(ConsoleScheduler):
    """A scheduler whose passes the test makes, one by one, in its own thread; what it starts stays started."""

    def __init__(self) -> None:
        super().__init__()
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

    def hold(run: Run) -> Outcome:
        ended.wait(10)
        return Outcome(run, Status.EXECUTED, START, START)

    monkeypatch.setattr(threads, "execute", hold)
    yield Passes
    ended.set()
