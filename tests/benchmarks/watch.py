"""How a process watches itself: its progress, its faults, its CPU time and memory, the statements that it sends."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

POLL_SECONDS = 0.005
#: With no progress for this long, a side has stopped for good: longer than SQLite's wait for another writer.
PATIENCE_SECONDS = 40.0

CONTROL = re.compile(r"\s*(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)
#: A line of libpq's trace in which the client has the server carry out a statement; the text follows where it is there.
SENT = re.compile(r'^\d{4}-\S+ \S+\tF\t\d+\t(?:Query|Execute)\t ?"(.*)')


@dataclass(frozen=True)
class Progress:
    """How many were done, and when that was first seen, in seconds of the epoch."""

    count: int
    at: float


def wait_for(done: Callable[[], int], count: int, patience: float = PATIENCE_SECONDS) -> Progress:
    """Wait until ``count`` are done, or until none more has been for ``patience`` seconds."""
    progress = Progress(done(), time.time())
    while progress.count < count:
        time.sleep(POLL_SECONDS)
        now = time.time()
        if (seen := done()) > progress.count:
            progress = Progress(seen, now)
        elif now - progress.at > patience:
            break
    return progress


class Faults(logging.Handler):
    """Keeps the last thing that went wrong in any thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        logging.getLogger().addHandler(self)
        threading.excepthook = self._note_thread

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.last = f"{type(error).__name__}: {error}" if error else record.getMessage()

    def _note_thread(self, arguments: threading.ExceptHookArgs) -> None:
        self.last = f"{arguments.exc_type.__name__}: {arguments.exc_value}"


def cpu_seconds() -> float:
    """Return the CPU time that this process has used, all threads, in user and system mode."""
    times = os.times()
    return times.user + times.system


def resident_megabytes() -> float:
    """Return the memory of this process that is in RAM, as Linux's /proc tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Sent:
    """Statements that the database was sent; ``control`` of them only begin, end or mark a transaction."""

    total: int = 0
    control: int = 0

    def __sub__(self, other: Sent) -> Sent:
        return Sent(self.total - other.total, self.control - other.control)


class Statements:
    """Counts what reaches the database, as SQLite and libpq themselves trace it.

    That is on every connection that Django opens meanwhile, by whatever cursor, with BEGIN and COMMIT, and each row of
    an ``executemany`` that is sent by itself. The main thread's connection, on which a benchmark asks how far the
    scheduler is, counts only where ``main`` says so.
    """

    def __init__(self, *, main: bool = False) -> None:
        self._main = main
        self._lock = threading.Lock()
        self._total = self._control = 0
        self._traces: list[Path] = []

    @contextmanager
    def watching(self) -> Iterator[Statements]:
        """Count on the connections that are opened within. They stay traced afterwards."""
        with tempfile.TemporaryDirectory() as directory:
            self._directory = Path(directory)
            connection_created.connect(self._trace)
            try:
                yield self
            finally:
                connection_created.disconnect(self._trace)

    def sent(self) -> Sent:
        """Return what was sent so far."""
        read = [self._read(trace) for trace in list(self._traces)]
        total, control = self._total, self._control
        return Sent(total + sum(sent.total for sent in read), control + sum(sent.control for sent in read))

    def _trace(self, connection: Any, **kwargs: object) -> None:
        if not self._main and threading.current_thread() is threading.main_thread():
            return
        if connection.vendor == "sqlite":
            connection.connection.set_trace_callback(self._note)
            return
        with self._lock:
            path = self._directory / f"{len(self._traces)}.trace"
            self._traces.append(path)
        # libpq writes each line at once. It takes the descriptor over.
        connection.connection.pgconn.trace(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def _note(self, statement: str) -> None:
        if statement.startswith("--"):  # A trigger's own.
            return
        with self._lock:
            self._total += 1
            self._control += bool(CONTROL.match(statement))

    @staticmethod
    def _read(trace: Path) -> Sent:
        with trace.open(errors="replace") as lines:
            found = [match[1] for line in lines if (match := SENT.match(line))]
        return Sent(len(found), sum(bool(CONTROL.match(text)) for text in found))
