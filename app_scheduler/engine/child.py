"""A child process that runs executions: what it does at its start, for each run, and when its parent is gone.

It is imported in the child before Django is set up there, so it imports nothing of Django's itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app_scheduler.engine.runner import Outcome, Run

#: What stands for the exit code 0, which no signal and no process can have.
EXITED_WITH_0 = 256
#: Asks a child where it is. A real-time signal, where there are some: functions use the others.
STACK_SIGNAL: int = signal.SIGRTMIN + 3 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2

_notes: Notes | None = None


class Notes:
    """What a child writes down where its parent can read it whatever becomes of the child: in memory of both.

    It is the execution that it has begun, and of that one's log the last ``size`` bytes.
    """

    def __init__(self, context: SpawnContext, size: int) -> None:
        self._size = size
        self._execution = context.RawValue("q", 0)
        self._written = context.RawValue("q", 0)
        self._text = context.RawArray("c", size)

    @property
    def execution_id(self) -> int:
        return int(self._execution.value)

    def begin(self, execution_id: int) -> None:
        """Begin a page for an execution; 0 stands for none."""
        self._written.value = 0
        self._execution.value = execution_id

    def add(self, line: str) -> None:
        written = self._written.value
        data = (line + "\n").encode("utf-8", "replace")[-self._size :]
        at = written % self._size
        first = data[: self._size - at]
        memory = memoryview(self._text).cast("B")
        memory[at : at + len(first)] = first
        memory[: len(data) - len(first)] = data[len(first) :]
        self._written.value = written + len(data)

    def log(self) -> str:
        """Return the last lines."""
        written, data = self._written.value, self._text.raw
        if written <= self._size:
            return data[:written].decode("utf-8", "replace").rstrip("\n")
        at = written % self._size
        whole = (data[at:] + data[:at]).partition(b"\n")[2]
        return "… earlier lines left out …\n" + whole.decode("utf-8", "replace").rstrip("\n")


class ChildProcess(SpawnProcess):
    """A process that is ended with all that it has started, and at once.

    It is spawned: a fork of a process with threads may find any lock held for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made_by = os.getpid()

    @property
    def exitcode(self) -> int | None:
        """Return how it has ended, None while it runs.

        Pebble takes 0 for a worker that has had its share of tasks, and waits for ever for the one that it had; but
        here no worker ends by itself, and 0 comes from a function that called ``os._exit(0)``.
        """
        code = super().exitcode
        return EXITED_WITH_0 if code == 0 else code

    def terminate(self) -> None:
        """End it, with its subprocesses, without asking: a long call into C would never look."""
        if self.pid is None or self._made_by != os.getpid():
            return  # A fork of this process knows it too, and has no right to.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Also where it has ended itself: its number is not given away while its subprocesses bear it as a group's.
            os.killpg(self.pid, signal.SIGKILL)
        super().kill()


def begin(notes: Notes, last_words: Connection) -> None:
    """Do what comes first in a child. ``last_words`` takes the stack of one that crashes or is asked for it."""
    global _notes
    _notes = notes
    # Its own session: a Ctrl-C in the terminal is for the server, and what it starts can be ended with it.
    os.setsid()
    # Service managers send it to all processes of a service. The server knows how long its runs may still take.
    signal.signal(signal.SIGTERM, _leave_it_to_the_server)
    _end_with_parent()
    faulthandler.enable(last_words.fileno(), all_threads=False)
    faulthandler.register(STACK_SIGNAL, last_words.fileno(), all_threads=False)
    from app_scheduler.engine import process

    process.is_child = True
    # It is in the logs and in the execution.
    threading.current_thread().name = f"process {os.getpid()}"


def _leave_it_to_the_server(number: int, frame: FrameType | None) -> None:
    # A function and not SIG_IGN, which the subprocesses of a job would inherit.
    pass


def _end_with_parent() -> None:
    """End as soon as the parent has ended, whatever runs: nobody would take the outcome or end it at its timeout."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel
    if hasattr(fcntl, "F_SETSIG"):
        # By the kernel itself: a call into C that keeps the interpreter's lock lets no thread look.
        fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_wait_for_end_of, args=(sentinel,), name="parent", daemon=True).start()


def _wait_for_end_of(sentinel: int) -> None:
    connection.wait([sentinel])
    os.killpg(0, signal.SIGKILL)


def set_up() -> None:
    """Set Django up and import every ``jobs.py``, so that the first run need not wait for it. Never starts a scheduler.

    Raises what the site's settings and apps raise.
    """
    import django

    django.setup()
    from app_scheduler.engine import capture
    from app_scheduler.registry import registry

    assert _notes is not None
    capture.copy_line = _notes.add
    registry.discover()


def run(given: Run) -> Outcome:
    """Run it as a thread would, and return the outcome without its live objects."""
    from app_scheduler.engine.runner import execute

    assert _notes is not None
    _notes.begin(given.execution_id)
    outcome = execute(given)
    outcome.value = outcome.error = None
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    return outcome
