"""The function that every side runs. It does next to nothing, so what is measured is the scheduler."""

from __future__ import annotations

import os
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


@job
def note_in_file(number: int) -> None:
    """Note in the file of BENCHMARK_RUNS when this run started.

    Args:
        number: Which job it is.
    """
    global _file
    if _file is None:
        _file = os.open(os.environ["BENCHMARK_RUNS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(_file, f"{time.time():.6f} {number}\n".encode())


_file: int | None = None
