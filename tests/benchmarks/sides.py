"""The sides: the same verbs over the console's engine, plain django-apscheduler and APScheduler's store in memory.

Each runs ``tests.benchmarks.jobs.note`` in ten threads, one job per number, hourly, with no misfire grace time, so that
nothing is left out for being late.
"""

from __future__ import annotations

import copy
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import scheduler, services
from app_scheduler.models import ExecutionDetail, JobSpec
from app_scheduler.services import Actor
from tests.benchmarks.jobs import note, starts

WORKERS = 10
#: Child processes, where they are measured: what the site's settings have.
PROCESSES = 4
#: Jobs that are only stored wait for a moment that no run of the benchmarks sees.
FAR = timedelta(days=2)
READY_SECONDS = 60
ROWS_PER_STATEMENT = 1000


def job_id(number: int) -> str:
    return f"job-{number}"


def _stored_id(number: int) -> str:
    return f"stored-{number}"


def _far(number: int = 0) -> datetime:
    """Return a moment in the far future, another for each number."""
    return datetime.now(UTC) + FAR + timedelta(milliseconds=100 * number)


class Side(ABC):
    """A scheduler in this process, and its store."""

    @abstractmethod
    def fill(self, count: int) -> None:
        """Store ``count`` jobs that are never due here."""

    @abstractmethod
    def add(self, numbers: Sequence[int]) -> None:
        """Store the jobs that will run, due in the far future."""

    @abstractmethod
    def make_due(self, moments: Mapping[int, datetime]) -> None:
        """Set the next ticks of jobs, by number."""

    @abstractmethod
    def start(self) -> None:
        """Start the scheduler, as a server process does; return without waiting for it."""

    @abstractmethod
    def wait_until_ready(self) -> None:
        """Return when the scheduler works off what is due."""

    @abstractmethod
    def run_in_processes(self) -> None:
        """Have the jobs that are added from now on run in child processes, ``PROCESSES`` at a time."""

    @abstractmethod
    def end_processes(self) -> None:
        """End those processes."""

    @abstractmethod
    def recorded(self) -> int:
        """Return how many executions have their verdict; with no history, how many have run."""

    def forget(self) -> None:
        """Delete the history, while the scheduler runs."""
        starts.clear()

    # The verbs that staff use on many jobs, each by the way that the side offers.

    @abstractmethod
    def become_client(self) -> None:
        """Let this process act on jobs without running any."""

    @abstractmethod
    def pause(self, ids: Sequence[str]) -> None: ...

    @abstractmethod
    def resume(self, ids: Sequence[str]) -> None: ...

    @abstractmethod
    def run_now(self, ids: Sequence[str]) -> None: ...

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> None: ...


class _Recorded(Side):
    """A side that keeps its history in django-apscheduler's table."""

    def recorded(self) -> int:
        return DjangoJobExecution.objects.filter(status=DjangoJobExecution.SUCCESS).count()

    def forget(self) -> None:
        super().forget()
        with transaction.atomic(), connection.cursor() as cursor:
            for model in (ExecutionDetail, DjangoJobExecution):
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")


class Ours(_Recorded):
    """The console's engine, by its public scheduler and services."""

    def __init__(self) -> None:
        self._actor = Actor()
        self._executor = "default"

    def run_in_processes(self) -> None:
        self._executor = "processes"

    def end_processes(self) -> None:
        """Leave them: they end with this process."""

    def fill(self, count: int) -> None:
        self._settle_jobs_of_code()
        if not count:
            return
        services.create_job(_document(_stored_id(0), 0), self._actor)
        pattern = services.get_job(_stored_id(0))
        DjangoJob.objects.filter(id=_stored_id(0)).update(next_run_time=_far())
        numbers = range(1, count)
        for batch in (numbers[start : start + 10_000] for start in range(0, len(numbers), 10_000)):
            state = pattern.job.job_state
            rows = [DjangoJob(id=_stored_id(n), next_run_time=_far(n), job_state=state) for n in batch]
            DjangoJob.objects.bulk_create(rows, batch_size=ROWS_PER_STATEMENT)
            JobSpec.objects.bulk_create([_copy_of(pattern, _stored_id(n)) for n in batch], ROWS_PER_STATEMENT)

    def _settle_jobs_of_code(self) -> None:
        """Let the first start, which brings the shipped jobs in, be over, and keep them from running meanwhile."""
        self.start()
        self.wait_until_ready()
        scheduler.shutdown()
        services.pause_jobs(list(DjangoJob.objects.values_list("id", flat=True)), self._actor)

    def add(self, numbers: Sequence[int], **document: Any) -> None:
        given = {"executor": self._executor, **document}
        rows = [{**_document(job_id(number), number), **given} for number in numbers]
        with transaction.atomic():
            services.carry_out_import(services.plan_import(rows), self._actor)
            self.make_due({number: _far(number) for number in numbers})

    def make_due(self, moments: Mapping[int, datetime]) -> None:
        DjangoJob.objects.bulk_create(
            [DjangoJob(id=job_id(n), next_run_time=moment, job_state=b"") for n, moment in moments.items()],
            batch_size=ROWS_PER_STATEMENT,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["next_run_time"],
        )
        scheduler.wakeup()

    def start(self) -> None:
        scheduler.start()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not scheduler.leading:
            if time.monotonic() > deadline:
                raise RuntimeError(f"The scheduler does not lead after {READY_SECONDS} s.")
            time.sleep(0.01)

    def become_client(self) -> None:
        user = get_user_model().objects.create(username="benchmark", is_staff=True)
        self._actor = Actor(user=user)

    def pause(self, ids: Sequence[str]) -> None:
        services.pause_jobs(ids, self._actor)

    def resume(self, ids: Sequence[str]) -> None:
        services.resume_jobs(ids, self._actor)

    def run_now(self, ids: Sequence[str]) -> None:
        services.run_now(ids, self._actor)

    def delete(self, ids: Sequence[str]) -> None:
        services.delete_jobs(ids, self._actor)


def _document(identifier: str, number: int) -> dict[str, Any]:
    return {
        "id": identifier,
        "function": "tests.benchmarks.jobs.note",
        "args": [number],
        "trigger": "every 1h",
        "misfire_grace_time": None,
    }


def _copy_of(pattern: JobSpec, identifier: str) -> JobSpec:
    spec = copy.copy(pattern)
    spec._state = copy.copy(pattern._state)
    spec._state.fields_cache = {}
    spec.job_id = identifier
    return spec


class _Plain(Side):
    """APScheduler's own scheduler. Its verbs take one job at a time."""

    def __init__(self) -> None:
        self.scheduler: Any = BackgroundScheduler(executors={"default": ThreadPoolExecutor(WORKERS)}, timezone=UTC)

    def start(self) -> None:
        self.scheduler.start()

    def wait_until_ready(self) -> None:
        """Return at once: it does from its start."""

    def run_in_processes(self) -> None:
        self._processes = ProcessPoolExecutor(PROCESSES)
        self.scheduler.add_executor(self._processes, "processes")

    def end_processes(self) -> None:
        self._processes.shutdown()

    def become_client(self) -> None:
        self.scheduler.start(paused=True)

    def pause(self, ids: Sequence[str]) -> None:
        for identifier in ids:
            self.scheduler.pause_job(identifier)

    def resume(self, ids: Sequence[str]) -> None:
        for identifier in ids:
            self.scheduler.resume_job(identifier)

    def run_now(self, ids: Sequence[str]) -> None:
        now = datetime.now(UTC)
        for identifier in ids:
            self.scheduler.modify_job(identifier, next_run_time=now)

    def delete(self, ids: Sequence[str]) -> None:
        for identifier in ids:
            self.scheduler.remove_job(identifier)


class Stock(_Plain, _Recorded):
    """django-apscheduler's ``DjangoJobStore``, with its listeners, in APScheduler's own scheduler."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler.add_jobstore(DjangoJobStore())
        pattern = Job(
            self.scheduler,
            "pattern",
            func=note,
            name="note",
            trigger=IntervalTrigger(hours=1, timezone=UTC),
            args=[0],
            kwargs={},
            executor="default",
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
            next_run_time=None,
        )
        self._pattern = pattern.__getstate__()

    def run_in_processes(self) -> None:
        super().run_in_processes()
        self._pattern["executor"] = "processes"

    def fill(self, count: int) -> None:
        numbers = range(count)
        for batch in (numbers[start : start + 10_000] for start in range(0, count, 10_000)):
            self._write([(_stored_id(number), number, _far(number)) for number in batch])

    def add(self, numbers: Sequence[int]) -> None:
        self.make_due({number: _far(number) for number in numbers})

    def make_due(self, moments: Mapping[int, datetime]) -> None:
        self._write([(job_id(number), number, moment) for number, moment in moments.items()])
        if self.scheduler.running:
            self.scheduler.wakeup()

    def _write(self, jobs: Sequence[tuple[str, int, datetime]]) -> None:
        DjangoJob.objects.bulk_create(
            [
                DjangoJob(id=identifier, next_run_time=moment, job_state=self._state(identifier, number, moment))
                for identifier, number, moment in jobs
            ],
            batch_size=ROWS_PER_STATEMENT,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["next_run_time", "job_state"],
        )

    def _state(self, identifier: str, number: int, moment: datetime) -> bytes:
        state = {**self._pattern, "id": identifier, "args": (number,), "next_run_time": moment}
        return pickle.dumps(state, pickle.HIGHEST_PROTOCOL)


class Memory(_Plain):
    """APScheduler's ``MemoryJobStore``: no database, no history, nothing that outlives the process."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler.add_jobstore(MemoryJobStore())

    def fill(self, count: int) -> None:
        for number in range(count):
            self._add(_stored_id(number), number)

    def add(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._add(job_id(number), number)

    def _add(self, identifier: str, number: int) -> None:
        self.scheduler.add_job(
            note,
            IntervalTrigger(hours=1, timezone=UTC),
            args=[number],
            id=identifier,
            misfire_grace_time=None,
            next_run_time=_far(number),
        )

    def make_due(self, moments: Mapping[int, datetime]) -> None:
        for number, moment in moments.items():
            self.scheduler.modify_job(job_id(number), next_run_time=moment)

    def recorded(self) -> int:
        return len(starts)


class Beat:
    """django-celery-beat's ``DatabaseScheduler``: it publishes, and keeps no history."""

    def fill(self, count: int) -> None:
        """Store nothing: what is measured of it has no other jobs."""

    def add(self, count: int, due: datetime) -> None:
        """Store ``count`` hourly tasks that are due at one moment."""
        # Here, for it is installed where it is measured only.
        from django_celery_beat import models

        tables: Any = models
        hourly, _ = tables.IntervalSchedule.objects.get_or_create(every=1, period="hours")
        tasks = [
            tables.PeriodicTask(
                name=job_id(number),
                task="tests.benchmarks.note",
                args=f"[{number}]",
                interval=hourly,
                last_run_at=due - timedelta(hours=1),
            )
            for number in range(count)
        ]
        tables.PeriodicTask.objects.bulk_create(tasks, batch_size=ROWS_PER_STATEMENT)


SIDES: Mapping[str, type[Side | Beat]] = {"ours": Ours, "stock": Stock, "memory": Memory, "beat": Beat}
