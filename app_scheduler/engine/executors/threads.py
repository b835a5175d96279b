"""Executions in threads of this process: the default."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from django.db import connections

from app_scheduler.engine import ending
from app_scheduler.engine.executors.base import ConsoleExecutor
from app_scheduler.engine.runner import Outcome, Run, broken_off, execute

logger = logging.getLogger(__name__)

#: An executor is given ahead what it can be expected to run in this time, so that no thread waits for a transaction.
AHEAD_SECONDS = 0.2
#: The most that it is given ahead: what would be marked interrupted without having begun if the process were killed.
MAX_AHEAD = 500


class ThreadsExecutor(ConsoleExecutor):
    """A fixed number of daemon threads, started as they are needed.

    The standard library's pool joins its threads when the interpreter ends, so that one hung job would keep a server
    from stopping for ever. Here a stop waits as long as it is told and then leaves them; what they ran is marked
    interrupted.
    """

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.slots = slots
        self._queue: SimpleQueue[Run | None] = SimpleQueue()
        self._guard = threading.Condition()
        #: What was submitted and has not ended, by execution.
        self._held: dict[int, Run] = {}
        self._moved = 0.0
        self._threads = 0
        self._stopping = False
        self._lengths = _Lengths()

    @property
    def busy(self) -> int:
        return len(self._held)

    @property
    def free(self) -> int:
        """How many more it takes now: its slots, and what it will get to in a moment."""
        return max(0, self.slots + self._ahead() - len(self._held))

    def _ahead(self) -> int:
        expected = int(self.slots * AHEAD_SECONDS / self._lengths.mean)
        return min(MAX_AHEAD, expected) if expected > self.slots else 0

    def running(self) -> list[int]:
        return sorted(self._held)

    def submit(self, runs: Sequence[Run]) -> None:
        self._moved = time.monotonic()
        with self._guard:
            self._stopping = False
            self._start_threads(min(self.slots, len(self._held) + len(runs)) - self._threads)
            for run in runs:
                self._held[run.execution_id] = run
        for run in runs:
            self._queue.put(run)

    def _start_threads(self, count: int) -> None:
        for _ in range(count):
            try:
                name = f"thread {self._threads + 1}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
                self._threads += 1
            except RuntimeError:  # The system has no more threads to give; those that there are go on.
                if not self._threads:
                    raise
                return

    def take_back(self, seconds: float = 0) -> list[Run]:
        if self._queue.empty() or time.monotonic() - self._moved < seconds:
            return []
        taken: list[Run] = []
        stops = 0
        try:
            while True:
                run = self._queue.get_nowait()
                if run is None:
                    stops += 1
                else:
                    taken.append(run)
        except Empty:
            for _ in range(stops):
                self._queue.put(None)
        with self._guard:
            for run in taken:
                self._held.pop(run.execution_id, None)
            self._guard.notify_all()
        return taken

    def cancel(self, execution_id: int, reason: str) -> bool:
        # One that waits for a thread here is told as soon as it runs.
        return ending.ask(execution_id, reason) or execution_id in self._held

    def stop(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._guard:
            if not self._stopping:
                self._stopping = True
                for _ in range(self._threads):
                    self._queue.put(None)  # Behind all that waits: each thread takes one and ends.
            while self._held and (left := deadline - time.monotonic()) > 0:
                self._guard.wait(left)

    def shutdown(self, wait: bool = True) -> None:
        self.stop(0)

    def _work(self) -> None:
        try:
            while (run := self._next()) is not None:
                self._do(run)
        finally:
            connections.close_all()
            with self._guard:
                self._threads -= 1

    def _next(self) -> Run | None:
        """Wait for the next run; None says that the thread is to end."""
        return self._queue.get()

    def _run(self, run: Run) -> Outcome | None:
        """Run it and return how that went, or None where it may not begin any more."""
        return execute(run) if self.may_start(run) else None

    def _do(self, run: Run) -> None:
        self._moved = began = time.monotonic()
        try:
            if (outcome := self._run(run)) is not None:
                self.on_finish(outcome)
        except BaseException as error:  # Whatever struck the thread, the execution gets its verdict.
            logger.exception("The thread of execution %d failed", run.execution_id)
            self.on_finish(broken_off(run, error))
        finally:
            self._lengths.note(time.monotonic() - began)
            self._end(run)

    def _end(self, run: Run) -> None:
        self._held.pop(run.execution_id, None)
        left = len(self._held)
        if self._stopping:
            with self._guard:
                self._guard.notify_all()
        # Woken for each run that ends, the loop would start them one by one. It is in time when half are left.
        if left < self.slots or left * 2 <= self.slots + self._ahead():
            self.on_free()


class _Lengths:
    """How long runs take of late, in seconds."""

    def __init__(self) -> None:
        self.mean = 3600.0  # Unknown: nothing is given ahead before a run has ended.
        self._known = False

    def note(self, seconds: float) -> None:
        """Take the length of a run into account; threads that do so at once may lose one, which does no harm."""
        seconds = max(seconds, 1e-6)
        self.mean += (seconds - self.mean) / 8 if self._known else seconds - self.mean
        self._known = True
