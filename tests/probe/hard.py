"""What a thread cannot be stopped in, and what takes its process with it: functions for executors that bear it."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from app_scheduler import current_execution, job
from app_scheduler.models import ExecutionDetail
from tests.probe.lines import append

logger = logging.getLogger(__name__)

WAYS = ("spin", "read_socket", "derive_key", "match")


@job
def stick(way: str, path: str = "") -> None:
    """Get stuck.

    Args:
        way: Where: “spin”, “read_socket”, “derive_key”, “match” or “ignore”.
        path: A file that gets a line first, with the process in it.
    """
    logger.info("about to %s", way)
    current_execution().progress(1, 2, way)
    if path:
        append(path, way)
    if way == "spin":
        while True:
            pass
    elif way == "read_socket":
        reader, writer = socket.socketpair()
        with reader, writer:
            reader.recv(1)
    elif way == "derive_key":
        hashlib.pbkdf2_hmac("sha512", b"password", b"salt", 2**30)
    elif way == "match":
        # Minutes and hours with the interpreter's lock held: no thread of this process gets a turn.
        re.match(r"(a+)+$", "a" * 64 + "b")
    elif way == "ignore":
        while True:
            try:
                time.sleep(60)
            except BaseException:
                logger.warning("ignored", exc_info=True)


@job
def crash(way: str, code: int = 0) -> None:
    """End the process that runs it.

    Args:
        way: How: “segfault”, “exit” or “kill”.
        code: The exit code, or the signal's number.
    """
    print(f"about to {way}")
    if way == "segfault":
        ctypes.string_at(0)
    elif way == "exit":
        os._exit(code)
    elif way == "kill":
        os.kill(os.getpid(), code)
        time.sleep(60)


@job
def tell_process(path: str = "") -> int:
    """Return the number of the process, and write it down.

    Args:
        path: A file that gets a line with the process in it.
    """
    if path:
        append(path, "")
    return os.getpid()


@job
async def sum_up(numbers: list[int]) -> int:
    """Add numbers, with an event loop.

    Args:
        numbers: The numbers.
    """
    await asyncio.sleep(0)
    logger.info("summed up in %d", os.getpid())
    return sum(numbers)


@job
def look_at_itself() -> str:
    """Return the status of its own execution as the database has it."""
    return ExecutionDetail.objects.values_list("execution__status", flat=True).get(execution=current_execution().id)


@job
def start_subprocess(path: str) -> None:
    """Start a program that would run for minutes, and wait for it.

    Args:
        path: A file for its number.
    """
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    Path(path).write_text(str(program.pid))
    program.wait()


@job
def say_what_it_is() -> str:
    """Tell whether this process serves, and what it does at SIGTERM."""
    from app_scheduler.engine.scheduler import get_scheduler

    os.kill(os.getpid(), signal.SIGTERM)
    return "server" if get_scheduler().serving else "client"
