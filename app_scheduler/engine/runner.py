"""The one runner: it calls the function of an execution and returns how that went.

It knows no queue and no scheduler, so that a thread, a process or a worker on another machine can run it alike.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import sysconfig
import threading
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from types import TracebackType
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections

from app_scheduler.conf import console_settings
from app_scheduler.engine import capture, ending, telling
from app_scheduler.engine.ending import Ending
from app_scheduler.engine.language import ledger_language
from app_scheduler.engine.telling import Progress, Telling
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import RETRIED, Status
from app_scheduler.registry import registry

logger = logging.getLogger(__name__)

#: django-apscheduler's column; the traceback keeps the whole text.
EXCEPTION_LENGTH = 1000
TRACEBACK_LENGTH = 500_000
#: Whether this thread has ever asked for a connection: to find that out costs as much as a small run.
_thread = threading.local()
_encoder = DjangoJSONEncoder(ensure_ascii=False)
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


@dataclass(frozen=True, slots=True)
class Run:
    """One started execution, all that is needed to run it: plain values only, so that it can travel."""

    execution_id: int
    job_id: str
    function: str
    args: list[Any]
    kwargs: dict[str, Any]
    run_time: datetime
    #: When it was to start, for the queue, should it have to go back there.
    available_at: datetime | None = None
    #: Whether ``run_time`` is a tick, and not when somebody asked for the run.
    by_schedule: bool = True
    executor: str = "default"
    attempt: int = 1
    timeout: int | None = None
    max_retries: int = 0
    retry_backoff: int = 0
    priority: int = 0
    concurrency_group: str = ""
    #: When it was made, just before its dispatch, by the monotonic clock of this machine.
    made_at: float = field(default_factory=time.monotonic, compare=False)


@dataclass(slots=True)
class Outcome:
    """How a run went; times are UTC."""

    run: Run
    status: Status
    started_at: datetime
    finished_at: datetime
    worker: str = ""
    log: str = ""
    result: str = ""
    reason: str = ""
    exception: str | None = None
    traceback: str | None = None
    fingerprint: str = ""
    place: str = ""
    progress: Progress | None = None
    #: The live objects, for APScheduler's event; they never leave the process.
    value: Any = field(default=None, repr=False)
    error: BaseException | None = field(default=None, repr=False)

    @property
    def is_retried(self) -> bool:
        """Whether its job allows another attempt after this failure."""
        return self.status in RETRIED and self.run.attempt <= self.run.max_retries


class CurrentExecution:
    """What a running function can learn and tell about its own execution."""

    def __init__(self, run: Run | None = None, told: Telling | None = None, ends: Ending | None = None) -> None:
        self.id = run.execution_id if run else None
        self.job_id = run.job_id if run else None
        self.run_time = run.run_time if run else None
        self.attempt = run.attempt if run else 1
        self.log = logging.getLogger(run.function if run else __name__)
        self._told = told
        self._ends = ends or Ending()

    @property
    def cancelled(self) -> bool:
        """Whether it is to end now: somebody has cancelled it, or its timeout has passed. Costs nothing to ask."""
        return self._ends.is_due

    def check(self) -> None:
        """Raise ``ExecutionCancelled`` if it is to end now, which gives it the verdict that says so."""
        self._ends.check()

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Say how far the run is, as often as you like: it costs no query, and is shown every few seconds.

        ``done`` and ``total`` are whole numbers of anything; how fast it goes and how long it will take is worked out.
        """
        if self._told is None:
            return
        try:
            self._told.tell(done, total, message)
        except (TypeError, ValueError):  # No run shall fail for what it says about itself.
            self.log.warning("progress() takes whole numbers, not %r of %r", done, total)


_current: contextvars.ContextVar[CurrentExecution | None] = contextvars.ContextVar("app_scheduler_run", default=None)


def current_execution() -> CurrentExecution:
    """Return the execution that runs in this thread; outside one, a stand-in that does nothing."""
    return _current.get() or CurrentExecution()


def execute(run: Run) -> Outcome:
    """Run it, in a context of its own so that nothing it activates outlives it. Never raises."""
    outcome = contextvars.copy_context().run(_execute, run)
    try:
        _leave_no_transaction()
    except Exception:
        logger.warning("A connection of %s did not close", run.function, exc_info=True)
    return outcome


def broken_off(run: Run, error: BaseException) -> Outcome:
    """Return the outcome of a run whose own thread failed around the function; whether that had ended is unknown."""
    now = datetime.now(UTC)
    outcome = Outcome(run, Status.ERROR, now, now, worker=threading.current_thread().name, error=error)
    outcome.exception = _cut(f"{type(error).__name__}: {_message(error)}", EXCEPTION_LENGTH)
    outcome.reason = "The thread that ran it failed."
    return outcome


def cut_off(run: Run, status: Status, began: datetime, reason: str, log: str = "", stack: str = "") -> Outcome:
    """Return the outcome of a run whose process has ended or was ended under it. ``stack`` is where it was then."""
    outcome = Outcome(run, status, began, max(began, datetime.now(UTC)), log=_printable(log))
    outcome.traceback = _cut_middle(_printable(stack), TRACEBACK_LENGTH) or None
    if status == Status.ERROR:
        outcome.exception = _cut(f"ProcessEnded: {reason}", EXCEPTION_LENGTH)
        outcome.fingerprint = _fingerprint(reason, run.function)
    else:
        outcome.reason = reason
    return outcome


def could_not_begin(run: Run, message: str, text: str | None = None) -> Outcome:
    """Return the outcome of a run for which there was no process; ``text`` is a traceback from one that tried."""
    now = datetime.now(UTC)
    outcome = Outcome(run, Status.ERROR, now, now, reason="The process for it could not be used.")
    outcome.exception = _cut(_printable(message), EXCEPTION_LENGTH)
    outcome.traceback = _cut_middle(_printable(text), TRACEBACK_LENGTH) if text else None
    outcome.fingerprint = _fingerprint("no process", message.partition("\n")[0])
    return outcome


def _execute(run: Run) -> Outcome:
    log = capture.start(console_settings.log_limit)
    told = Telling(run.execution_id, log)
    ends = Ending(run.timeout)
    _current.set(CurrentExecution(run, told, ends))
    started_at = datetime.now(UTC)
    clock = time.monotonic()
    value: Any = None
    error: BaseException | None = None
    telling.writer.begin(told)
    ending.begin(run.execution_id, ends)
    try:
        if getattr(_thread, "connected", False):
            _close_stale_connections()
        value = _call(run, ends)
    except BaseException as raised:  # SystemExit in a job must end that run, not the worker.
        error = raised
    finally:
        ending.end(run.execution_id)
        telling.writer.end(told)
    finished_at = datetime.now(UTC)
    outcome = Outcome(
        run,
        Status.EXECUTED,
        started_at,
        max(finished_at, started_at),
        worker=threading.current_thread().name,
        value=value,
        error=error,
        progress=told.progress,
    )
    if error is None:
        outcome.result = _readable(value)
    is_early = error is not None and ending.is_an_end(error)
    took = time.monotonic() - clock
    if ends.is_asked and (is_early or (error is None and ends.is_known)):
        outcome.status, outcome.reason = Status.CANCELLED, ends.reason
    elif run.timeout is not None and took >= run.timeout and (is_early or error is None):
        outcome.status = Status.TIMED_OUT
        outcome.reason = f"It took {took:.1f} s, longer than its timeout of {run.timeout} s."
    elif error is not None:
        _describe_error(outcome, error)
    elif ends.is_asked:
        outcome.reason = f"{ends.reason} It never looked, and came to its own end."
    outcome.log = _printable(log.text())
    return outcome


def _call(run: Run, ends: Ending) -> Any:
    registered = registry.get(run.function)
    try:
        with ledger_language():
            args, kwargs = registered.signature.bind(run.args, run.kwargs)
    except InvalidInput as error:
        raise TypeError(f"The job's arguments no longer fit its function. {error}") from error
    if registered.is_async:
        return asyncio.run(ends.awaited(registered.func(*args, **kwargs)))
    return registered.func(*args, **kwargs)


def _describe_error(outcome: Outcome, error: BaseException) -> None:
    # Our own two frames at the top say nothing about the fault.
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
    outcome.status = Status.ERROR
    outcome.exception = _cut(f"{type(error).__name__}: {_message(error)}", EXCEPTION_LENGTH)
    outcome.traceback = _cut_middle(_printable(text), TRACEBACK_LENGTH)
    outcome.fingerprint, outcome.place = fault_of(error, trace)


def fault_of(error: BaseException, trace: TracebackType | None) -> tuple[str, str]:
    """Return what makes two failures the same fault, and the place in words.

    It is the exception's type and the innermost frame of our own code; the line may move from one release to the next.
    """
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or frames
    place = f"{own[-1].filename}:{own[-1].name}" if own else ""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    words = f"{PurePath(own[-1].filename).name}, line {own[-1].lineno}, in {own[-1].name}" if own else ""
    return _fingerprint(kind, place), words


def _fingerprint(kind: str, place: str) -> str:
    return hashlib.sha256(f"{kind}|{place}".encode()).hexdigest()[:32]


def _message(error: BaseException) -> str:
    try:
        return _printable(str(error))
    except Exception:
        return "(its message cannot be shown)"


def _readable(value: Any) -> str:
    if value is None:
        return ""
    try:
        text = _encoder.encode(value)
    except Exception:
        try:
            text = repr(value)
        except Exception:
            text = f"<{type(value).__name__}>"
    return _cut(_printable(text), console_settings.result_limit)


def _printable(text: str) -> str:
    """Return ``text`` as every database takes it: PostgreSQL stores neither NUL nor lone surrogates."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _cut_middle(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _leave_no_transaction() -> None:
    """Close connections that the function left inside a transaction, and those past their age."""
    opened = connections.all(initialized_only=True)
    _thread.connected = bool(opened)
    for connection in opened:
        if connection.connection is None:
            continue
        if connection.in_atomic_block or not connection.get_autocommit():
            connection.in_atomic_block = False
            connection.close()
        else:
            connection.close_if_unusable_or_obsolete()


def _close_stale_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
