"""Executions in threads of this process: the default."""

from __future__ import annotations

import threading
import time
from collections import deque

from app_scheduler.engine.executors.base import ConsoleExecutor
from app_scheduler.engine.runner import Run, execute


class ThreadsExecutor(ConsoleExecutor):
    """A fixed number of daemon threads, started as they are needed.

    The standard library's pool joins its threads when the interpreter ends, so that one hung job would keep a server
    from stopping for ever. Here a stop waits as long as it is told and then leaves them; what they ran is marked
    interrupted.
    """

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.slots = slots
        self._condition = threading.Condition()
        self._waiting: deque[Run] = deque()
        self._running: set[int] = set()
        self._idle = 0
        self._threads = 0
        self._stopped = False

    @property
    def busy(self) -> int:
        with self._condition:
            return len(self._running) + len(self._waiting)

    def running(self) -> list[int]:
        """Return the ids of the executions that it holds."""
        with self._condition:
            return sorted({*self._running, *(run.execution_id for run in self._waiting)})

    def submit(self, run: Run) -> None:
        with self._condition:
            self._stopped = False
            self._waiting.append(run)
            if self._idle < len(self._waiting) and self._threads < self.slots:
                self._threads += 1
                name = f"thread {self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self._condition.notify()

    def stop(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
            while (self._running or self._waiting) and (left := deadline - time.monotonic()) > 0:
                self._condition.wait(left)

    def shutdown(self, wait: bool = True) -> None:
        self.stop(0)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._idle += 1
                while not self._waiting and not self._stopped:
                    self._condition.wait()
                self._idle -= 1
                if not self._waiting:
                    self._threads -= 1
                    return
                run = self._waiting.popleft()
                self._running.add(run.execution_id)
            try:
                self.on_finish(execute(run))
            finally:
                with self._condition:
                    self._running.discard(run.execution_id)
                    self._condition.notify_all()
                self.on_free()
