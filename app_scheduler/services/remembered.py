"""An answer that a process may give again for a while: dear to work out, and slow to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """The last answer to a question, for ``seconds``. Who gets it must not change it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._last: tuple[Hashable, float, Answer] | None = None

    def to(self, question: Hashable, work_out: Callable[[], Answer]) -> Answer:
        """Return the answer, worked out if it is too old or to another question; by one thread at a time."""
        with self._lock:
            now = time.monotonic()
            if self._last is None or self._last[0] != question or self._last[1] < now:
                self._last = (question, now + self._seconds, work_out())
            return self._last[2]

    def forget(self) -> None:
        """Forget the answer, as who has changed what it is about must."""
        with self._lock:
            self._last = None
