"""The engine's faults: each is logged when it begins and then rarely, counted, and shown with the heartbeat."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

logger = logging.getLogger("app_scheduler")

#: A fault of the same kind is logged again only after this long, however often it comes.
REPEAT_SECONDS = 300.0
#: How long the last fault stays on the status after it came.
SHOWN_SECONDS = 600.0


@dataclass(slots=True)
class _Kind:
    count: int = 0
    logged_at: float | None = None


class Faults:
    """Takes faults from any thread of the engine. ``what`` says in words what failed; faults of one ``what`` belong
    together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._in_a_row: dict[str, int] = {}
        self._logged: set[str] = set()
        self._last: tuple[float, str] | None = None

    def note(self, what: str, error: BaseException | str) -> None:
        """Count a fault, keep it for the status, and log it unless its like was logged a moment ago."""
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        away = isinstance(error, (DatabaseError, InterfaceError))
        # A database that goes away says so in several ways: one line is enough for all of them.
        key = (what, type(error).__name__ if away else text[:100])
        now = time.monotonic()
        with self._lock:
            if len(self._kinds) > 100:
                self._kinds.clear()
            kind = self._kinds.setdefault(key, _Kind())
            kind.count += 1
            self._in_a_row[what] = self._in_a_row.get(what, 0) + 1
            times = f" (time {kind.count})" if kind.count > 1 else ""
            moment = timezone.localtime().strftime("%Y-%m-%d %H:%M:%S")
            self._last = (now, f"{moment}: {what}: {text}{times}"[:2000])
            if kind.logged_at is not None and now - kind.logged_at < REPEAT_SECONDS:
                return
            kind.logged_at = now
            self._logged.add(what)
        if away and not times:
            logger.warning("%s: %s", what, text)
        else:
            trace = error if isinstance(error, BaseException) else None
            logger.error("%s%s: %s", what, times, text, exc_info=trace)

    def over(self, what: str) -> None:
        """Take notice that ``what`` goes well again; it is logged where its fault was."""
        if what not in self._in_a_row:
            return
        with self._lock:
            count = self._in_a_row.pop(what, 0)
            logged = what in self._logged
            self._logged.discard(what)
        if logged:
            logger.info("Over after %d times: %s", count, what)

    def in_a_row(self, what: str) -> int:
        """Return how often ``what`` has failed since it last went well."""
        return self._in_a_row.get(what, 0)

    def shown(self) -> str:
        """Return the last fault with its moment, or nothing once it is old and over."""
        last = self._last
        if last is None or (not self._in_a_row and time.monotonic() - last[0] > SHOWN_SECONDS):
            return ""
        return last[1]
