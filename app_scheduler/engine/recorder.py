"""The recorder: one writer for everything that finishes, which flushes whatever waits in one transaction."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from datetime import timedelta
from decimal import Decimal
from itertools import islice

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connection
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.connections import drop_connection, set_up_connection
from app_scheduler.engine.faults import Faults
from app_scheduler.engine.queue import enqueue, timestamp
from app_scheduler.engine.retrying import retry_of
from app_scheduler.engine.runner import Outcome
from app_scheduler.engine.sql import update_from_values, writing
from app_scheduler.engine.telling import PROGRESS_FIELDS, progress_fields
from app_scheduler.engine.verdicts import Verdict, fingerprint_of, note
from app_scheduler.models import ExecutionDetail, Status

logger = logging.getLogger(__name__)

#: Outcomes per transaction, and the characters of their texts.
MAX_BATCH = 1000
MAX_BATCH_LENGTH = 8_000_000
MAX_BACKOFF_SECONDS = 5.0
#: Where more than this waits to be written, in outcomes or in characters of their texts, nothing new is dispatched.
MAX_UNFLUSHED = 10_000
MAX_CHARACTERS = 100_000_000
SHORT = 1000
#: What says that the database is away, not that there is something wrong with what is written. A server that has
#: become a standby, read-only, raises the third; one whose tables are away for a moment the last.
AWAY = (OperationalError, InterfaceError, InternalError, ProgrammingError)
FAULT = "Finished executions cannot be recorded"


class Recorder:
    """Takes outcomes from any thread and writes them from its own. Nobody waits on a timer.

    ``on_recorded`` is called, in the recorder's thread, with the outcomes of each transaction once it is committed.
    """

    def __init__(self, on_recorded: Callable[[Sequence[Outcome]], None], faults: Faults | None = None) -> None:
        self._on_recorded = on_recorded
        self._faults = faults or Faults()
        self._condition = threading.Condition()
        # Both are changed without the lock, an operation at a time: ten threads that end short runs would queue for it.
        self._waiting: deque[Outcome] = deque()
        self._unflushed: dict[int, None] = {}
        self._idle = False
        self._in_hand: list[Outcome] = []
        self._characters = 0
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._deadline = 0.0

    def put(self, outcome: Outcome) -> None:
        self._unflushed[outcome.run.execution_id] = None
        if size := _size(outcome):
            with self._condition:
                self._characters += size
        # In this order: the recorder says that it is idle before it looks whether something waits.
        self._waiting.append(outcome)
        if self._idle or self._thread is None:
            self._wake()

    def _wake(self) -> None:
        with self._condition:
            if self._thread is None:
                self._stopping.clear()
            try:
                self._ensure_thread()
            except RuntimeError as error:  # The system has no more threads to give; the watchdog tries again.
                self._faults.note("The recorder cannot start", error)
            self._condition.notify()

    @property
    def alive(self) -> bool:
        """Tell whether it has a thread, or needs none."""
        with self._condition:
            return self._thread.is_alive() if self._thread is not None else not self._waiting

    def revive(self) -> None:
        """Start its thread again where that has ended before its work."""
        with self._condition:
            self._ensure_thread()

    def _ensure_thread(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        # What a thread had in hand when it was killed is written again: only what is still started is changed.
        self._waiting.extendleft(reversed(self._in_hand))
        self._in_hand = []
        self._characters = sum(map(_size, tuple(self._waiting)))
        thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        thread.start()
        self._thread = thread

    @property
    def full(self) -> bool:
        """Tell whether so much waits that nothing new should start before some of it is written."""
        return len(self._unflushed) >= MAX_UNFLUSHED or self._characters >= MAX_CHARACTERS

    def unflushed(self) -> Set[int]:
        """Return the executions that have finished here and are not yet recorded."""
        return frozenset(tuple(self._unflushed))

    def stop(self, seconds: float) -> None:
        """Write what waits, at most ``seconds`` long."""
        with self._condition:
            self._deadline = time.monotonic() + seconds
            self._stopping.set()
            thread = self._thread
            self._condition.notify()
        if thread is not None:
            thread.join(seconds)

    def _work(self) -> None:
        set_up_connection()
        try:
            while batch := self._next():
                self._record(batch)
        finally:
            connection.close()

    def _next(self) -> list[Outcome]:
        """Wait for work and take it in hand; nothing is left to do when it is empty."""
        with self._condition:
            self._idle = True
            while not self._waiting and not self._stopping.is_set():
                self._condition.wait()
            self._idle = False
            # In this order: killed in between, it writes some twice, which does no harm, and loses none.
            self._in_hand = batch = self._first()
            for _ in batch:
                self._waiting.popleft()
            if not batch:
                self._thread = None
            return batch

    def _record(self, batch: Sequence[Outcome]) -> None:
        characters = sum(map(_size, batch))
        self._write_surely(batch)
        with self._condition:
            self._in_hand = []
            self._characters -= characters
        for outcome in batch:
            self._unflushed.pop(outcome.run.execution_id, None)
        try:
            self._on_recorded(batch)
        except BaseException as error:  # A SystemExit of a listener must not end the recorder.
            self._faults.note("What follows a recorded execution failed", error)

    def _first(self) -> list[Outcome]:
        """Return of what waits as much as makes one statement of a bearable length."""
        length = 0
        batch: list[Outcome] = []
        for outcome in islice(tuple(self._waiting), MAX_BATCH):
            length += _size(outcome)
            if batch and length > MAX_BATCH_LENGTH:
                break
            batch.append(outcome)
        return batch

    def write_now(self, outcomes: Sequence[Outcome]) -> bool:
        """Write in this thread, however long the database is away; return whether these are now all the verdicts."""
        lost = {outcome.run.execution_id: outcome for outcome in outcomes}
        for pk in self._write_surely(outcomes):
            lost.pop(pk, None)
        if not lost:
            return True
        # After a COMMIT that was cut off they may have been written at the first try.
        written = ExecutionDetail.objects.filter(execution_id__in=lost)
        found = dict(written.values_list("execution_id", "finished_at"))
        return all(found.get(pk) == outcome.finished_at for pk, outcome in lost.items())

    def _write_surely(self, batch: Sequence[Outcome]) -> set[int]:
        """Write ``batch``, however long the database is away; one outcome that cannot be stored spoils no other.

        Returns the executions that were still started.
        """
        backoff = 0.05
        bare = False
        while True:
            try:
                won = record(batch)
                self._faults.over(FAULT)
                return won
            except AWAY as error:
                self._faults.note(FAULT, error)
                drop_connection()
                if self._stopping.is_set() and time.monotonic() > self._deadline:
                    return set()
                # A stop cuts the waiting short, but not to nothing.
                if self._stopping.wait(backoff):
                    time.sleep(0.05)
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            except Exception as error:
                drop_connection()
                if len(batch) > 1:
                    return set[int]().union(*(self._write_surely([outcome]) for outcome in batch))
                if bare:
                    # The loop finds that nobody holds it any more, and gives it a verdict.
                    logger.exception("Execution %d cannot be recorded at all", batch[0].run.execution_id)
                    return set()
                logger.exception("Execution %d cannot be recorded as it is", batch[0].run.execution_id)
                _strip(batch[0], error)
                bare = True


def _strip(outcome: Outcome, error: Exception) -> None:
    outcome.log = outcome.result = ""
    outcome.traceback = outcome.progress = None
    outcome.reason = f"What it wrote could not be stored: {type(error).__name__}."


def _size(outcome: Outcome) -> int:
    """Return how many characters an outcome's texts have; short ones, of which their number is bound enough, none."""
    characters = len(outcome.log) + len(outcome.result) + len(outcome.traceback or "")
    return characters if characters > SHORT else 0


def record(outcomes: Sequence[Outcome]) -> set[int]:
    """Write the verdicts of ``outcomes`` in one transaction, only where the execution is still started.

    Returns the ids of those.
    """
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
            ["started_at", "finished_at", "worker", "log", "result", "fingerprint"],
            [
                (
                    pk,
                    o.started_at,
                    o.finished_at,
                    o.worker[:64],
                    o.log,
                    o.result,
                    fingerprint_of(o.status, o.fingerprint),
                )
                for pk, o in by_id.items()
                if pk in won
            ],
        )
        # A run without anything to say leaves what its claim said, such as how many ticks it stands for.
        reasons = [(pk, o.reason) for pk, o in by_id.items() if pk in won and o.reason]
        update_from_values(ExecutionDetail, ["execution"], ["reason"], reasons)
        told = [(pk, *progress_fields(o.progress).values()) for pk, o in by_id.items() if pk in won and o.progress]
        update_from_values(ExecutionDetail, ["execution"], PROGRESS_FIELDS, told)
        finished = [outcome for pk, outcome in by_id.items() if pk in won]
        if retries := [entry for outcome in finished for entry in retry_of(outcome)]:
            enqueue(retries)
        note(map(_verdict, finished))
    return set(won)


def _verdict(outcome: Outcome) -> Verdict:
    run = outcome.run
    return Verdict(
        run.job_id,
        outcome.status,
        run.execution_id,
        outcome.finished_at,
        due=run.run_time if run.by_schedule else None,
        started_at=outcome.started_at,
        fingerprint=outcome.fingerprint,
        exception=outcome.exception or "",
        place=outcome.place,
    )


def _seconds(duration: timedelta) -> Decimal:
    return Decimal(f"{duration.total_seconds():.2f}")
