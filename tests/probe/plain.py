"""Functions of a site that comes from plain django-apscheduler: they stand where its jobs know them by name."""

from __future__ import annotations

from app_scheduler import job
from tests.probe.lines import append


@job
def mark(path: str, text: str = "") -> None:
    """Append one line to a file: the time, the process, the text.

    Args:
        path: The file.
        text: What the line ends with.
    """
    append(path, text)


def unmarked() -> None:
    """Stand for a function that was forgotten on the way: no mark says that it may be scheduled."""
