"""Executions in child processes of this one: ended at their timeout, ended when cancelled, and free to crash."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from queue import Empty

from app_scheduler.engine.executors.base import Abilities
from app_scheduler.engine.executors.children import Child
from app_scheduler.engine.executors.threads import ThreadsExecutor
from app_scheduler.engine.runner import Outcome, Run, cut_off
from app_scheduler.models import Status

logger = logging.getLogger(__name__)

MAX_WORKERS = 4
#: A child makes room for a new one after so many runs: what functions and their libraries leak goes with it.
MAX_RUNS_PER_WORKER = 1000
#: A child that has had nothing to do for so long ends, in seconds.
IDLE_SECONDS = 600.0


class ProcessesExecutor(ThreadsExecutor):
    """A fixed number of threads, each with a child process that runs what the thread is given.

    Children start with the first runs, or with the executor where ``warm_up`` asks for it. They set Django up before
    they take a run, so that its timeout is its own. ``max_runs_per_worker`` of 0 keeps them for ever.
    """

    abilities = Abilities(ends_at_timeout=True, ends_when_cancelled=True, survives_crashes=True)

    def __init__(
        self,
        slots: int = MAX_WORKERS,
        max_runs_per_worker: int = MAX_RUNS_PER_WORKER,
        idle_seconds: float = IDLE_SECONDS,
        warm_up: bool = False,
    ) -> None:
        super().__init__(slots)
        self._max_runs = max_runs_per_worker
        self._idle_seconds = idle_seconds
        self._warm_up = warm_up
        self._own = threading.local()
        self._children: set[Child] = set()
        #: Which child has which execution.
        self._running: dict[int, Child] = {}
        #: What was cancelled while it waited for a child here.
        self._dropped: set[int] = set()
        self._ending = False

    def start(self, scheduler: object, alias: str) -> None:
        super().start(scheduler, alias)
        if self._warm_up:
            with self._guard:
                self._start_threads(self.slots - self._threads)

    def submit(self, runs: Sequence[Run]) -> None:
        self._ending = False
        super().submit(runs)

    def take_back(self, seconds: float = 0) -> list[Run]:
        return [run for run in super().take_back(seconds) if not self._is_dropped(run)]

    def cancel(self, execution_id: int, reason: str) -> bool:
        with self._guard:
            run = self._held.get(execution_id)
            if run is None or execution_id in self._dropped:
                return False
            child = self._running.get(execution_id)
            if child is None:
                self._dropped.add(execution_id)
        if child is not None:
            child.cancel(reason)
        else:
            self.on_finish(cut_off(run, Status.CANCELLED, datetime.now(UTC), reason))
        return True

    def end(self) -> None:
        self._ending = True
        for child in tuple(self._children):
            child.kill()

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)
        self.end()

    def _work(self) -> None:
        child = self._own.child = Child(self._max_runs)
        self._children.add(child)
        try:
            if self._warm_up:
                self._prepare(child)
            super()._work()
        finally:
            self._children.discard(child)
            child.close()

    def _next(self) -> Run | None:
        child: Child = self._own.child
        while True:
            try:
                return self._queue.get(timeout=self._idle_seconds)
            except Empty:
                if not self._warm_up:
                    child.close()

    def _run(self, run: Run) -> Outcome | None:
        child: Child = self._own.child
        with self._guard:
            if self._ending:
                return None
            child.expect_run()
            self._running[run.execution_id] = child
            if self._is_dropped(run):
                return None
        try:
            outcome = child.execute(run, self.may_start)
        finally:
            with self._guard:
                self._running.pop(run.execution_id, None)
        return outcome

    def _end(self, run: Run) -> None:
        super()._end(run)
        # Its verdict is on its way. The next run need not wait for the child that takes the place of this one's.
        if not self._stopping and not self._ending and not self._own.child.is_open:
            self._prepare(self._own.child)

    def _prepare(self, child: Child) -> None:
        try:
            child.expect_run()
            child.open()
        except CancelledError:  # It was killed meanwhile.
            child.close()
        except Exception as error:  # The next run says it in its verdict.
            logger.warning("A child process could not be made ready: %s", error)
            child.close()

    def _is_dropped(self, run: Run) -> bool:
        if run.execution_id not in self._dropped:
            return False
        self._dropped.discard(run.execution_id)
        self._running.pop(run.execution_id, None)
        return True
