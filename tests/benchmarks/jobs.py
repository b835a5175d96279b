"""The function that every side runs. It does next to nothing, so what is measured is the scheduler."""

from __future__ import annotations

import time

from app_scheduler import job

#: Each run of this process: the number of its job, and when its body started, in seconds of the epoch.
starts: list[tuple[int, float]] = []


@job
def note(number: int) -> None:
    """Note when this run started.

    Args:
        number: Which job it is.
    """
    starts.append((number, time.time()))
