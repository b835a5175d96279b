"""Files in which functions leave lines for tests."""

from __future__ import annotations

import os
import time


def append(path: str, text: str) -> None:
    """Append a line: the time, the process, the text."""
    line = f"{time.time():.6f} {os.getpid()} {text}".rstrip() + "\n"
    # One write to a file opened for appending: lines of several processes never mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
