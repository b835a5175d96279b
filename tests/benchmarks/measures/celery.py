"""Executions per second through Celery when many jobs are due at one instant: published, and run by the workers.

Broker, application, workers and task are the same for both sides; the scheduler has a process of its own.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from django.test import override_settings

from app_scheduler.engine.lease import read_lease
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Beat, Ours
from tests.benchmarks.watch import Progress, wait_for
from tests.broker import broker
from tests.live import Process, wait_until

APP = "tests.benchmarks.celery"
#: django-celery-beat knows no bound of what is with the broker; so ours has one that does not matter here.
EXECUTOR = {"type": "celery", "app": f"{APP}:app", "queue": "jobs", "max_in_flight": 100_000}
#: From the start of the scheduler to the tick: at least so long, and a second for so many more.
LEAD_SECONDS = 8.0
READ_PER_SECOND = 1000
QUIET = ("--loglevel", "WARNING")
WORKER = ("worker", "--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "INFO")
BEAT = ("beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--pidfile", "", *QUIET)


def measure(side: Ours | Beat, case: Case) -> Outcome:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        made = stack.enter_context(broker(directory, _free_port()))
        env = {**os.environ, **made.environment(**EXECUTOR), "BENCHMARK_RUNS": str(directory / "runs")}

        def start(name: str, *command: str, **more: str) -> Process:
            process = Process([sys.executable, *command], {**env, **more}, directory / f"{name}.log")
            stack.callback(process.kill_group)
            return process

        for number in range(case.workers):
            worker = start(f"worker{number}", "-m", "celery", "-A", APP, *WORKER, "--hostname", f"worker{number}")
            worker.wait_for_output(" ready.")
        due = _add(side, case.count)
        published = {"BENCHMARK_PUBLISHED": str(directory / "published")}
        if isinstance(side, Beat):
            start("beat", "-m", "celery", "-A", APP, *BEAT, **published)
        else:
            start("leader", "manage.py", "runscheduler", **published)
            wait_until(lambda: (lease := read_lease()) is not None and lease.holder, what="a leader")
        time.sleep(max(0.0, due - time.time()))
        sent = _Notes(directory / "published").wait_for(case.count)
        ran = _Notes(directory / "runs").wait_for(case.count)
        figures = _figures(due, case.count, sent, ran)
        return Outcome(figures, min(sent.count, ran.count), case.count)


def _figures(due: float, count: int, sent: Progress, ran: Progress) -> dict[str, float]:
    return {
        "dispatched_per_second": count / max(sent.at - due, 1e-6),
        "run_per_second": count / max(ran.at - due, 1e-6),
    }


def _add(side: Ours | Beat, count: int) -> float:
    """Store the jobs; return when they are due, in seconds of the epoch."""
    if isinstance(side, Beat):
        due = _lead(count)
        side.add(count, due)
        return due.timestamp()
    with override_settings(APP_SCHEDULER_EXECUTORS={"celery": EXECUTOR}):
        side.add(range(count), executor="celery", function="tests.benchmarks.jobs.note_in_file")
    due = _lead(count)
    side.make_due(dict.fromkeys(range(count), due))
    return due.timestamp()


def _lead(count: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS + count / READ_PER_SECOND)


class _Notes:
    """A file of moments and numbers, read as it grows. What is named again, as when it is sent again, counts once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._named: set[int] = set()
        self._latest = 0.0

    def wait_for(self, count: int) -> Progress:
        """Wait for ``count`` different numbers; return how many there are, and when the last was named first."""
        reached = wait_for(self._look, count)
        return Progress(reached.count, self._latest or reached.at)

    def _look(self) -> int:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                complete = file.read().rpartition(b"\n")[0]
            self._read += len(complete) + 1 if complete else 0
            for line in complete.splitlines():
                moment, *numbers = line.split()
                new = set(map(int, numbers)) - self._named
                if new:
                    self._named |= new
                    self._latest = max(self._latest, float(moment))
        return len(self._named)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
