"""The recorder: one writer for everything that finishes, which flushes whatever waits in one transaction."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence, Set
from datetime import timedelta
from decimal import Decimal

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.queue import Entry, insert, note_last, timestamp
from app_scheduler.engine.runner import Outcome
from app_scheduler.engine.sql import update_from_values, writing
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, Status

logger = logging.getLogger(__name__)

#: Outcomes per transaction, and the characters of their texts.
MAX_BATCH = 1000
MAX_BATCH_LENGTH = 8_000_000
MAX_BACKOFF_SECONDS = 5.0


class Recorder:
    """Takes outcomes from any thread and writes them from its own. Nobody waits on a timer.

    ``on_recorded`` is called, in the recorder's thread, with the outcomes of each transaction once it is committed.
    """

    def __init__(self, on_recorded: Callable[[Sequence[Outcome]], None]) -> None:
        self._on_recorded = on_recorded
        self._condition = threading.Condition()
        self._waiting: list[Outcome] = []
        self._unflushed: set[int] = set()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def put(self, outcome: Outcome) -> None:
        with self._condition:
            self._waiting.append(outcome)
            self._unflushed.add(outcome.run.execution_id)
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
                self._thread.start()
            self._condition.notify()

    def unflushed(self) -> Set[int]:
        """Return the executions that have finished here and are not yet recorded."""
        with self._condition:
            return frozenset(self._unflushed)

    def stop(self, seconds: float) -> None:
        """Write what waits, at most ``seconds`` long."""
        with self._condition:
            self._stopping = True
            thread = self._thread
            self._condition.notify()
        if thread is not None:
            thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._stopping:
                    self._condition.wait()
                batch = self._take()
                if not batch:
                    self._thread = None
                    break
            self._write_surely(batch)
            with self._condition:
                self._unflushed.difference_update(outcome.run.execution_id for outcome in batch)
            try:
                self._on_recorded(batch)
            except Exception:
                logger.exception("After recording executions")
        connection.close()

    def _take(self) -> list[Outcome]:
        """Take what waits, as much as makes one statement of a bearable length."""
        length = 0
        batch: list[Outcome] = []
        for outcome in self._waiting[:MAX_BATCH]:
            length += len(outcome.log) + len(outcome.result) + len(outcome.traceback or "")
            if batch and length > MAX_BATCH_LENGTH:
                break
            batch.append(outcome)
        del self._waiting[: len(batch)]
        return batch

    def _write_surely(self, batch: Sequence[Outcome]) -> None:
        """Write ``batch``, however long the database is away; one outcome that cannot be stored spoils no other."""
        backoff = 0.05
        while True:
            try:
                record(batch)
                return
            except (OperationalError, InterfaceError) as error:
                logger.warning("Cannot record %d executions yet: %s", len(batch), error)
                connection.close()
                if self._stopping:
                    return
                time.sleep(backoff)
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            except DatabaseError as error:
                if len(batch) == 1:
                    logger.exception("Execution %d cannot be recorded as it is", batch[0].run.execution_id)
                    self._write_bare(batch[0], error)
                    return
                for outcome in batch:
                    self._write_surely([outcome])
                return

    def _write_bare(self, outcome: Outcome, error: Exception) -> None:
        outcome.log = outcome.result = ""
        outcome.traceback = None
        outcome.reason = f"What it wrote could not be stored: {type(error).__name__}."
        try:
            record([outcome])
        except DatabaseError:
            logger.exception("Execution %d cannot be recorded at all", outcome.run.execution_id)


def record(outcomes: Sequence[Outcome]) -> None:
    """Write the verdicts of ``outcomes`` in one transaction, only where the execution is still started."""
    by_id = {outcome.run.execution_id: outcome for outcome in outcomes}
    with writing():
        won = update_from_values(
            DjangoJobExecution,
            ["id", "status"],
            ["status", "duration", "finished", "exception", "traceback"],
            [
                (
                    pk,
                    Status.STARTED.value,
                    outcome.status.value,
                    _seconds(outcome.finished_at - outcome.started_at),
                    timestamp(outcome.finished_at),
                    outcome.exception,
                    outcome.traceback,
                )
                for pk, outcome in by_id.items()
            ],
        )
        update_from_values(
            ExecutionDetail,
            ["execution"],
            ["started_at", "finished_at", "worker", "log", "result", "reason", "fingerprint"],
            [
                (pk, o.started_at, o.finished_at, o.worker[:64], o.log, o.result, o.reason, o.fingerprint)
                for pk, o in by_id.items()
                if pk in won
            ],
        )
        finished = [outcome for pk, outcome in by_id.items() if pk in won]
        insert([entry for outcome in finished for entry in _retry_of(outcome)])
        note_last([(o.run.job_id, o.status, o.run.execution_id, o.finished_at) for o in finished])


def _retry_of(outcome: Outcome) -> list[Entry]:
    """Return the next attempt of a run that failed, where its job allows one."""
    run = outcome.run
    if not outcome.is_retried:
        return []
    wait = timedelta(seconds=run.retry_backoff * 2 ** (run.attempt - 1))
    due = outcome.finished_at + wait
    return [
        Entry(
            run.job_id,
            due,
            outcome.finished_at,
            origin=ExecutionOrigin.RETRY,
            available_at=due,
            args=run.args,
            kwargs=run.kwargs,
            attempt=run.attempt + 1,
            retry_of_id=run.execution_id,
            reason=f"Attempt {run.attempt + 1} of {run.max_retries + 1}.",
        )
    ]


def _seconds(duration: timedelta) -> Decimal:
    return Decimal(str(round(duration.total_seconds(), 2)))
