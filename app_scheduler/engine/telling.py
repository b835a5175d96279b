"""What a run tells while it goes on, its progress and its log, and the thread that writes that down.

A thread of its own, for what the function does must not matter: a transaction that it holds open would keep the words
back until its end, one that it rolls back would take them along, and a database that is away would fail the run. Runs
that are shorter than ``INTERVAL`` cost no statement, and where nothing runs there is no thread.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from app_scheduler.engine.capture import RunLog
from app_scheduler.engine.connections import drop_connection
from app_scheduler.models import ExecutionDetail

logger = logging.getLogger(__name__)

#: Seconds between two writes, and how long a run lasts before its first.
INTERVAL = 2.0
#: As much of a log as is written while its run goes on, in characters; the record at its end has the whole.
LOG_LENGTH = 32_000
#: The rate is that of the last so many moments, which are at least a second apart.
SAMPLES = 20
#: Less than this says nothing about a rate, in seconds.
SHORTEST_SPAN = 2.0
MESSAGE_LENGTH = 255
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run was ``at`` some moment. ``rate`` is in steps a second, None where it is not known."""

    done: int
    total: int | None
    message: str
    at: datetime
    rate: float | None = None


class Telling:
    """What one run has told so far. Its own thread tells, another one reads."""

    def __init__(self, execution_id: int, log: RunLog) -> None:
        self.execution_id = execution_id
        self.began = time.monotonic()
        self.progress: Progress | None = None
        self._log = log
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._written_progress: Progress | None = None
        self._written_entries = 0

    def tell(self, done: int, total: int | None, message: str) -> None:
        """Note how far the run is. Raises ``TypeError`` or ``ValueError`` for what is no number."""
        done = _number(done)
        now = time.monotonic()
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()  # It began anew, with another part of its work perhaps.
        if not self._samples or now - self._samples[-1][0] >= 1:
            self._samples.append((now, done))
        words = str(message).replace("\x00", "").encode("utf-8", "replace").decode()[:MESSAGE_LENGTH]
        known = None if total is None else _number(total)
        self.progress = Progress(done, known, words, datetime.now(UTC), self._rate(now, done))

    def _rate(self, now: float, done: int) -> float | None:
        began, at_first = self._samples[0]
        span = now - began
        return (done - at_first) / span if span >= SHORTEST_SPAN and done > at_first else None

    def news(self) -> tuple[dict[str, Any], Progress | None, int]:
        """Return what has changed since it was last written, by field, and what to pass to ``written``."""
        progress, entries = self.progress, self._log.entries
        changed: dict[str, Any] = {}
        if progress is not None and progress is not self._written_progress:
            changed |= progress_fields(progress)
        if entries != self._written_entries:
            changed["log"] = self._log.so_far(LOG_LENGTH)
        return changed, progress, entries

    def written(self, progress: Progress | None, entries: int) -> None:
        self._written_progress, self._written_entries = progress, entries


#: Where ``ExecutionDetail`` keeps a progress.
PROGRESS_FIELDS = ("progress_done", "progress_total", "progress_message", "progress_at", "progress_rate")


def progress_fields(progress: Progress) -> dict[str, Any]:
    """Return the values of the fields of ``ExecutionDetail`` that keep a progress."""
    values = (progress.done, progress.total, progress.message, progress.at, progress.rate)
    return dict(zip(PROGRESS_FIELDS, values, strict=True))


def _number(value: Any) -> int:
    try:
        return max(-LARGEST, min(LARGEST, int(value)))
    except OverflowError as error:  # infinity
        raise ValueError(str(error)) from None


class Writer:
    """Writes down what the runs of this process tell, every ``INTERVAL`` seconds while there are any."""

    def __init__(self) -> None:
        self._running: dict[int, Telling] = {}
        self._guard = threading.Lock()
        self._awake = False

    def begin(self, telling: Telling) -> None:
        self._running[telling.execution_id] = telling
        # In this order: the thread looks for runs after it has said that it sleeps.
        if not self._awake:
            self._wake()

    def end(self, telling: Telling) -> None:
        self._running.pop(telling.execution_id, None)

    def _wake(self) -> None:
        with self._guard:
            if self._awake:
                return
            self._awake = True
            try:
                threading.Thread(target=self._work, name="telling", daemon=True).start()
            except RuntimeError:  # The system has no more threads to give; the next run tries again.
                self._awake = False

    def _work(self) -> None:
        try:
            while True:
                time.sleep(INTERVAL)
                self.write()
                with self._guard:
                    if not self._running:
                        # From here on the next run starts a thread of its own, whose word this one must not touch.
                        self._awake = False
                        return
        except BaseException:  # It was killed: the next run starts another.
            self._awake = False
            raise
        finally:
            connection.close()

    def write(self) -> None:
        """Write what is new of the runs that have lasted for a while. Never raises."""
        begun_before = time.monotonic() - INTERVAL
        for telling in tuple(self._running.values()):
            if telling.began > begun_before:
                continue
            try:
                self._write(telling)
            except Exception:  # Locked or away: what the run told is written at the next time, or with its record.
                logger.debug("What execution %d tells cannot be written", telling.execution_id, exc_info=True)
                drop_connection()
                return

    def _write(self, telling: Telling) -> None:
        changed, progress, entries = telling.news()
        if not changed:
            return
        # Not the record of a run that has ended meanwhile: on PostgreSQL a row that was locked is looked at again, so
        # the condition has to be on this row itself.
        ExecutionDetail.objects.filter(execution_id=telling.execution_id, finished_at__isnull=True).update(**changed)
        telling.written(progress, entries)


writer = Writer()
# A child process has none of its parent's threads.
os.register_at_fork(after_in_child=lambda: globals().update(writer=Writer()))
