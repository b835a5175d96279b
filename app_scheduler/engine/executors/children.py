"""A child process as its parent sees it: kept ready, given one run at a time, ended and replaced."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing import connection
from multiprocessing.context import SpawnContext
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from app_scheduler.conf import console_settings
from app_scheduler.engine import child
from app_scheduler.engine.child import EXITED_WITH_0, STACK_SIGNAL, ChildProcess, Notes
from app_scheduler.engine.runner import Outcome, Run, could_not_begin, cut_off
from app_scheduler.models import Status

logger = logging.getLogger(__name__)

#: How long a child may take to set Django up.
START_SECONDS = 120.0
#: How often a run that has not begun is given to another child, where one ends before that.
TRIES = 3
#: How long a process that was sent SIGKILL may take to be gone: as long as the kernel needs for its memory.
DEATH_SECONDS = 10.0
#: How long a child is waited for to say where it is.
STACK_SECONDS = 0.5
#: It writes in small pieces: it has said all when nothing has come for so long.
QUIET_SECONDS = 0.05
STACK_LENGTH = 65_536


class _Context(SpawnContext):
    """Makes the processes of one pool, and knows the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.process: ChildProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> ChildProcess:  # type: ignore[override]  # a class there
        self.process = ChildProcess(*args, **kwargs)
        return self.process


class _Ended(Exception):
    """The child has ended with this exit code, negative for a signal, None where nobody knows."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class _TimedOut(Exception):
    """The child has not answered in time."""


class Child:
    """One child at a time, in a Pebble pool of its own.

    Of its own, for the children of one pool share a pipe and its locks: one that is killed while it holds them would
    keep the others from their work. All but ``cancel`` and ``kill`` is called by one thread only.
    """

    def __init__(self, max_runs: int) -> None:
        self._max_runs = max_runs
        self._pool: ProcessPool | None = None
        self._context = _Context()
        #: The one that is ready. Pebble starts another as soon as it ends.
        self._process: ChildProcess | None = None
        self._notes: Notes | None = None
        self._last_words: connection.Connection | None = None
        self._runs = 0
        self._guard = threading.Lock()
        self._future: ProcessFuture[Any] | None = None
        #: Why the present run is to end, or None.
        self._cancelled: str | None = None
        self._killed = False

    # --- what other threads ask for -------------------------------------------------------------------------------

    def cancel(self, reason: str) -> None:
        """End the present run; ``reason`` is that of its verdict."""
        with self._guard:
            self._cancelled = reason
            if self._future is not None:
                self._future.cancel()

    def kill(self) -> None:
        """End it for good, in the middle of a run; nothing is to be said of that here."""
        with self._guard:
            self._killed = True
            if self._future is not None:
                self._future.cancel()
        process = self._context.process
        if process is not None and process.pid is not None:
            process.terminate()
            connection.wait([process.sentinel], DEATH_SECONDS)

    # --- one run --------------------------------------------------------------------------------------------------

    def expect_run(self) -> None:
        """Forget what was asked for about an earlier run."""
        self._cancelled = None

    def execute(self, run: Run, may_start: Callable[[Run], bool]) -> Outcome | None:
        """Run it and return how that went; None where it did not begin, or where the child was killed for good."""
        for attempt in range(1, TRIES + 1):
            began = datetime.now(UTC)
            try:
                self.open()
                # Only now: a child takes a second to start, in which the run may have become somebody else's.
                if not may_start(run):
                    return None
                assert self._notes is not None
                self._notes.begin(0)
                began = datetime.now(UTC)
                outcome: Outcome = self._ask(child.run, (run,), run.timeout)
                self._runs += 1
                outcome.run = run
            except _TimedOut:
                stack = self._stack()
                self._end_child()
                reason = f"It was ended at its timeout of {run.timeout} s."
                outcome = cut_off(run, Status.TIMED_OUT, began, reason, self._log_of(run), stack)
            except CancelledError:
                self._end_child()
                if self._killed:
                    return None
                outcome = cut_off(run, Status.CANCELLED, began, self._cancelled or "Cancelled.", self._log_of(run))
            except _Ended as end:
                stack = self._read_last_words()
                self._end_child()
                if self._killed:
                    return None
                logger.warning("The child process for execution %d %s", run.execution_id, _how(end.code))
                if self._has_begun(run):
                    reason = f"The process that ran it {_how(end.code)}."
                    outcome = cut_off(run, Status.ERROR, began, reason, self._log_of(run), stack)
                elif attempt < TRIES:
                    continue
                else:
                    outcome = could_not_begin(
                        run, f"{TRIES} processes ended before it began; the last {_how(end.code)}."
                    )
            except Exception as error:  # The site could not be set up there, or the outcome could not be sent.
                logger.exception("The child process for execution %d failed", run.execution_id)
                self._end_child()
                text = f"{type(error).__name__}: {error}"
                outcome = could_not_begin(run, text, getattr(error, "traceback", None))
            outcome.worker = self._name
            return outcome
        raise AssertionError("the last try returns")

    def open(self) -> None:
        """Have a child that is ready. Raises ``_Ended`` where it ends instead, and what setting Django up raised."""
        if self.is_open:
            return
        self.close()
        self._context = _Context()
        self._notes = Notes(self._context, max(1024, console_settings.log_limit))
        self._last_words, writer = self._context.Pipe(duplex=False)
        os.set_blocking(self._last_words.fileno(), False)
        self._process = None
        self._runs = 0
        self._pool = ProcessPool(1, 0, child.begin, (self._notes, writer), self._context)
        try:
            self._ask(child.set_up, (), START_SECONDS)
        except _TimedOut:
            raise TimeoutError(f"The process was not ready after {START_SECONDS:.0f} s.") from None
        self._process = self._context.process

    def close(self) -> None:
        """Let it end, to be started again when it is needed."""
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(Exception):  # One whose threads have failed; the process is gone all the same.
                pool.stop()
                pool.join()

    @property
    def is_open(self) -> bool:
        """Whether it is ready for a run, as far as is known, and has not had its share of them."""
        has_had_its_share = 0 < self._max_runs <= self._runs
        return self._pool is not None and bool(self._pool.active) and not has_had_its_share

    def _ask(self, function: Callable[..., Any], args: tuple[Any, ...], seconds: float | None) -> Any:
        """Have the child call a function.

        Raises what that raises, ``_TimedOut``, ``_Ended`` and ``CancelledError``. The time is not Pebble's to take:
        it goes by the clock on the wall, which may jump.
        """
        assert self._pool is not None
        future: ProcessFuture[Any] | None = None
        try:
            with self._guard:
                if self._cancelled is not None or self._killed:
                    raise CancelledError
                self._future = future = self._pool.schedule(function, args)
            try:
                return future.result(seconds)
            except TimeoutError:
                if not future.done():
                    raise _TimedOut from None
                return future.result()  # It has just come, or is a TimeoutError of the site's.
        except ProcessExpired as error:
            raise _Ended(error.exitcode) from None
        except RuntimeError as error:
            if future is not None and not isinstance(error, BrokenProcessPool):
                raise  # By the site, over there.
            raise _Ended(self._exit_code()) from None
        finally:
            self._future = None

    def _has_begun(self, run: Run) -> bool:
        return self._notes is not None and self._notes.execution_id == run.execution_id

    def _log_of(self, run: Run) -> str:
        return self._notes.log() if self._notes is not None and self._has_begun(run) else ""

    @property
    def _name(self) -> str:
        return f"process {self._process.pid}" if self._process is not None else ""

    def _exit_code(self) -> int | None:
        process = self._process or self._context.process
        if process is None or process.pid is None:
            return None
        connection.wait([process.sentinel], DEATH_SECONDS)
        return process.exitcode

    def _end_child(self) -> None:
        """See to it that the child has ended, and all that it has started: that must not outlive its verdict."""
        for process in (self._process, self._context.process):
            if process is not None and process.pid is not None:
                process.terminate()
                connection.wait([process.sentinel], DEATH_SECONDS)
        self.close()

    # --- what a child leaves behind -------------------------------------------------------------------------------

    def _stack(self) -> str:
        """Return where the child is, as far as it says so."""
        process = self._process
        if process is None or process.pid is None or self._last_words is None:
            return ""
        with suppress(ProcessLookupError):
            os.kill(process.pid, STACK_SIGNAL)
        words, seconds = "", STACK_SECONDS
        while connection.wait([self._last_words], seconds):
            words += self._read_last_words()
            seconds = QUIET_SECONDS
        return words

    def _read_last_words(self) -> str:
        if self._last_words is None:
            return ""
        with suppress(OSError):
            return os.read(self._last_words.fileno(), STACK_LENGTH).decode(errors="replace")
        return ""


def _how(code: int | None) -> str:
    if code is None:
        return "could not be started"
    if code >= 0:
        return f"ended with exit code {0 if code == EXITED_WITH_0 else code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    hint = ", which the system also sends where memory runs out" if -code == signal.SIGKILL else ""
    return f"was ended by signal {-code}{name}{hint}"
