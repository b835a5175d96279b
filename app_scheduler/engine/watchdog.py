"""The watchdog: a thread that ended all the same is started again, and a pass that hangs is said.

No exception ends a thread of the engine in the ordinary way: each is caught where it arises. What is left is an
exception that strikes between two statements, as one raised into a thread from outside does.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app_scheduler.engine.faults import Faults

logger = logging.getLogger("app_scheduler")

WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A thread by the name that the log gives it, how to tell whether it lives, and how to bring it back."""

    name: str
    alive: Callable[[], bool]
    revive: Callable[[], None]


class Watchdog:
    """Looks each second, in a small daemon thread, until ``stopped`` is set; ``look`` is called each time as well."""

    def __init__(
        self, watched: Sequence[Watched], look: Callable[[], None], stopped: threading.Event, faults: Faults
    ) -> None:
        self._watched = watched
        self._look = look
        self._stopped = stopped
        self._faults = faults
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Start it, unless it runs. The loop calls this at each pass, so that each watches over the other."""
        if self._thread is None or not self._thread.is_alive():
            if self._thread is not None:
                self._faults.note("A thread of the scheduler had ended and was started again", "watchdog")
            thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            thread.start()
            self._thread = thread

    def _watch(self) -> None:
        while not self._stopped.wait(WATCH_SECONDS):
            try:
                self._look()
            except Exception as error:
                self._faults.note("The watchdog cannot look", error)
            for watched in self._watched:
                try:
                    if not watched.alive():
                        watched.revive()
                        self._faults.note("A thread of the scheduler had ended and was started again", watched.name)
                except Exception as error:
                    self._faults.note(f"The {watched.name} cannot be started again", error)


def stack_of(thread: threading.Thread | None) -> str:
    """Return where ``thread`` is now, as a traceback."""
    frame = sys._current_frames().get(thread.ident or 0) if thread is not None else None
    return "".join(traceback.format_stack(frame)) if frame is not None else "(it has no stack)"
