"""Functions whose effects a test can see from another process."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

from django.db import transaction

from app_scheduler import current_execution, job, scheduler
from app_scheduler.models import JobSpec
from tests.probe import cooperative, hard, plain  # noqa: F401  # register more
from tests.probe.lines import append

logger = logging.getLogger(__name__)


@job
def mark(path: str, text: str = "") -> None:
    """Append one line to a file: the time, the process, the text.

    Args:
        path: The file.
        text: What the line ends with.
    """
    append(path, text)


@job
def account(path: str, seconds: float = 0, failing_attempts: int = 0) -> None:
    """Append one line that names this execution: the time, the process, the execution's id, its job and its attempt.

    Args:
        path: The file.
        seconds: How long it takes.
        failing_attempts: How many attempts fail before one succeeds.
    """
    execution = current_execution()
    append(path, f"{execution.id} {execution.job_id} {execution.attempt}")
    time.sleep(seconds)
    if execution.attempt <= failing_attempts:
        raise RuntimeError(f"attempt {execution.attempt}")


@job
def enter_and_leave(path: str, seconds: float) -> None:
    """Append a line when it begins and one when it ends: the time, the process, which of the two, the execution's id.

    Args:
        path: The file.
        seconds: How long it takes.
    """
    append(path, f"begins {current_execution().id}")
    time.sleep(seconds)
    append(path, f"ends {current_execution().id}")


#: The executions that the functions below ran for, in this process.
effects: list[int | None] = []


@job
def count() -> None:
    """Note this execution in ``effects``."""
    effects.append(current_execution().id)


@job
def count_failing(attempts: int) -> None:
    """Note this execution in ``effects`` and fail, up to this attempt.

    Args:
        attempts: How many attempts fail.
    """
    count()
    if current_execution().attempt <= attempts:
        raise RuntimeError("not yet")


@job
def count_slowly(seconds: float, size: int = 0) -> None:
    """Note this execution in ``effects``, wait and print.

    Args:
        seconds: How long it waits.
        size: How many characters it prints.
    """
    count()
    time.sleep(seconds)
    print("x" * size)


@job
def fail(message: str = "boom", size: int = 0) -> None:
    """Raise an error.

    Args:
        message: What it says.
        size: How many further characters it says.
    """
    raise RuntimeError(message + "x" * size)


@job
def chatter() -> None:
    """Print and log at every level."""
    print("printed to stdout")
    print("printed to stderr", file=sys.stderr)
    logger.debug("logged at debug")
    logger.info("logged at info")
    logger.warning("logged at warning")
    logger.error("logged at error")


@job
def sleep(seconds: float) -> None:
    """Wait.

    Args:
        seconds: How long.
    """
    time.sleep(seconds)


@job
def follow(path: str, total: int = 0, hold: bool = False) -> int:
    """Go as far as a file says, tell each step, and end as it says.

    Args:
        path: The file: a number, then “end” or “fail”. One beside it says which number was reached.
        total: How many steps there are, if that is known.
        hold: Whether all of it is one transaction, which writes first.
    """
    if hold:
        with transaction.atomic():
            JobSpec.objects.filter(job_id=current_execution().job_id).update(description="held")
            return _follow(Path(path), total)
    return _follow(Path(path), total)


def _follow(file: Path, total: int) -> int:
    done = 0
    while True:
        asked = file.read_text() if file.exists() else ""
        if asked == "fail":
            raise RuntimeError(f"stopped at step {done}")
        if asked == "end":
            return done
        while done < int(asked or 0):
            done += 1
            logger.info("step %d", done)
            current_execution().progress(done, total or None, f"at step {done}")
        if done and done == int(asked or 0):
            Path(f"{file}.done").write_text(asked)
        time.sleep(0.01)


@job
def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return a + b


@job
def fork() -> str:
    """Fork, as multiprocessing does, and tell what the child takes itself for."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"server" if scheduler.serving or scheduler.leading else b"client")
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(reader, 10).decode()
