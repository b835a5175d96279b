"""Whether a run is to end before its time: somebody has cancelled it, or its timeout has passed.

A thread cannot be stopped from outside. So a run is told, in the process that runs it, and ends when its function
looks: by ``current_execution().cancelled`` or ``check()``, or at the next ``await`` of a coroutine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

from app_scheduler.exceptions import ExecutionCancelled


class Ending:
    """What one run is told about its end. Another thread tells, the run's own looks."""

    def __init__(self, timeout: float | None = None) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._reason: str | None = None
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        #: Whether the run has looked after it was told.
        self.is_known = False

    @property
    def reason(self) -> str:
        """Why somebody wants it to end, or "" where nobody does."""
        return self._reason or ""

    @property
    def is_asked(self) -> bool:
        return self._reason is not None

    @property
    def is_due(self) -> bool:
        """Whether it is to end, as the run itself sees it: looking is noted."""
        if self._reason is not None:
            self.is_known = True
            return True
        return self._deadline is not None and time.monotonic() >= self._deadline

    def check(self) -> None:
        """Raise ``ExecutionCancelled`` if it is to end."""
        if self.is_due:
            raise ExecutionCancelled(self.reason or "Its timeout has passed.")

    def ask(self, reason: str) -> None:
        """Tell the run to end; once is enough."""
        with self._guard:
            if self._reason is not None:
                return
            self._reason = reason
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Await a run's coroutine, which gets ``asyncio.CancelledError`` where it waits once it is to end."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        with self._guard:
            self._loop, self._task = loop, task
            if self._reason is not None:
                task.cancel()
        timer = None
        if self._deadline is not None:
            timer = loop.call_later(max(0.0, self._deadline - time.monotonic()), task.cancel)
        try:
            return await coroutine
        finally:
            if timer is not None:
                timer.cancel()
            with self._guard:
                self._loop = self._task = None


def is_an_end(error: BaseException) -> bool:
    """Tell whether an exception says that a run ended since it was told to."""
    return isinstance(error, (ExecutionCancelled, asyncio.CancelledError))


_running: dict[int, Ending] = {}


def begin(execution_id: int, ending: Ending) -> None:
    """Note that a run begins in this process."""
    _running[execution_id] = ending


def end(execution_id: int) -> None:
    """Note that it has ended."""
    _running.pop(execution_id, None)


def ask(execution_id: int, reason: str) -> bool:
    """Tell a run of this process to end; return False where it does not run here, or not yet."""
    ending = _running.get(execution_id)
    if ending is None:
        return False
    ending.ask(reason)
    return True
