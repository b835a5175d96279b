"""What an execution prints and logs, kept apart from every other thread's."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

_log: ContextVar[RunLog | None] = ContextVar("app_scheduler_log", default=None)
#: Takes each line as well, in a process that may be killed before it can hand over what it has.
copy_line: Callable[[str], None] | None = None


class RunLog:
    """The lines of one execution, at most ``limit`` characters: the beginning and the end survive, the middle goes."""

    def __init__(self, limit: int) -> None:
        self._head_left = limit // 4
        self._tail_limit = limit - limit // 4
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0
        #: How many were added so far.
        self.entries = 0
        self._partial: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, level: str, message: str) -> None:
        """Add a line with the present time; further lines of the message are indented below it."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{stamp} {level:<8} " + message.replace("\x00", "\N{REPLACEMENT CHARACTER}").replace("\n", "\n    ")
        with self._lock:
            self.entries += 1
            if copy_line is not None:
                copy_line(line)
            if not self._tail and len(line) <= self._head_left:
                self._head_left -= len(line) + 1
                self._head.append(line)
                return
            line = line if len(line) <= self._tail_limit else line[: self._tail_limit - 1] + "…"
            self._tail.append(line)
            self._tail_size += len(line) + 1
            while self._tail_size > self._tail_limit + 1:
                self._tail_size -= len(self._tail.popleft()) + 1
                self._dropped += 1

    def write(self, level: str, text: str) -> None:
        """Take what was printed, a line at a time."""
        *lines, rest = (self._partial.pop(level, "") + text).split("\n")
        for line in lines:
            self.add(level, line)
        if len(rest) > 10_000:
            self.add(level, rest)
        elif rest:
            self._partial[level] = rest

    def text(self) -> str:
        """Return all of it."""
        for level, rest in list(self._partial.items()):
            self._partial.pop(level)
            self.add(level, rest)
        with self._lock:
            gap = [f"… {self._dropped:,} lines left out …"] if self._dropped else []
            return "\n".join([*self._head, *gap, *self._tail])

    def so_far(self, limit: int) -> str:
        """Return what there is by now, at most about ``limit`` characters of it; any thread may ask."""
        with self._lock:
            head, tail, dropped = list(self._head), list(self._tail), self._dropped
        fits = sum(map(len, head)) + sum(map(len, tail)) <= limit
        first = head if fits else _that_fit(head, limit // 4)
        rest = [*head[len(first) :], *tail]
        last = rest if fits else _that_fit(rest[::-1], limit - limit // 4)[::-1]
        dropped += len(rest) - len(last)
        gap = [f"… {dropped:,} lines left out …"] if dropped else []
        return "\n".join([*first, *gap, *last])


def _that_fit(lines: list[str], limit: int) -> list[str]:
    """Return as many of the first lines as have ``limit`` characters."""
    for number, line in enumerate(lines):
        limit -= len(line) + 1
        if limit < 0:
            return lines[:number]
    return lines


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = _log.get()
        if log is None:
            return
        try:
            message = record.getMessage()
            if record.exc_info:
                message += "\n" + (record.exc_text or logging.Formatter().formatException(record.exc_info))
            log.add(record.levelname, f"{record.name}: {message}")
        except Exception:
            self.handleError(record)


class _Tee(io.TextIOBase):
    """Passes on what is written, and keeps a copy where an execution runs in this thread."""

    def __init__(self, stream: IO[str], level: str) -> None:
        self._stream = stream
        self._level = level

    def write(self, text: str) -> int:
        log = _log.get()
        if log is not None:
            log.write(self._level, text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_handler = _Handler()
_install_lock = threading.Lock()


def start(limit: int) -> RunLog:
    """Capture from here on in this context (a thread's own copy), until the context ends."""
    # Seen without the lock first: each run comes by here, and ten threads would queue for it.
    if not (_handler in logging.getLogger().handlers and isinstance(sys.stdout, _Tee) and isinstance(sys.stderr, _Tee)):
        _install()
    log = RunLog(limit)
    _log.set(log)
    return log


def _install() -> None:
    with _install_lock:
        root = logging.getLogger()
        if _handler not in root.handlers:
            root.addHandler(_handler)
        if not isinstance(sys.stdout, _Tee):
            sys.stdout = _Tee(sys.stdout, "PRINT")
        if not isinstance(sys.stderr, _Tee):
            sys.stderr = _Tee(sys.stderr, "STDERR")
