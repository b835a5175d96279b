"""Functions that look whether they are to end."""

from __future__ import annotations

import asyncio
import logging
import time

from app_scheduler import current_execution, job
from tests.probe.lines import append

logger = logging.getLogger(__name__)


@job
def work_off(items: int = 3000, seconds: float = 0.02, path: str = "") -> str:
    """Work off one item after the other, and end between two of them when cancelled.

    Args:
        items: How many there are.
        seconds: How long each takes.
        path: A file that gets a line first.
    """
    execution = current_execution()
    if path:
        append(path, "began")
    for done in range(items):
        if execution.cancelled:
            logger.info("stopped after %d items", done)
            return f"{done} items"
        execution.progress(done, items, "items")
        time.sleep(seconds)
    return f"{items} items"


@job
def check_often(path: str = "") -> None:
    """Check for ever, and clean up at the end.

    Args:
        path: A file that gets a line first.
    """
    if path:
        append(path, "began")
    try:
        while True:
            try:
                current_execution().check()
                time.sleep(0.01)
            except Exception:
                logger.exception("This never comes here")
    finally:
        logger.info("cleaned up")


@job
def never_look(path: str, seconds: float) -> str:
    """Come to its own end.

    Args:
        path: A file that gets a line first.
        seconds: How long it takes.
    """
    append(path, "began")
    time.sleep(seconds)
    return "done"


@job
async def wait_for_ever(path: str = "") -> None:
    """Wait where a coroutine waits, and clean up at the end.

    Args:
        path: A file that gets a line first.
    """
    if path:
        append(path, "began")
    try:
        await asyncio.sleep(3600)
    finally:
        logger.info("cleaned up")
