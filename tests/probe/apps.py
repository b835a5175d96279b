from __future__ import annotations

import os
import signal
from pathlib import Path

from django.apps import AppConfig

from app_scheduler import scheduler


class ProbeConfig(AppConfig):
    """An app as a user of the console would write one, installed in tests only."""

    name = "tests.probe"
    label = "probe"

    def ready(self) -> None:
        """Schedule a job as APScheduler documents it, and stall at the worst moment, where the test asks for it."""
        if stalled := os.environ.get("PROBE_STALL"):
            _stall_before_the_first_run(Path(stalled))
        if marks := os.environ.get("PROBE_MARKS"):
            from tests.probe.jobs import mark

            seconds = int(os.environ.get("PROBE_SECONDS", "1"))
            scheduler.add_job(
                mark, "interval", seconds=seconds, id="from-ready", args=[marks], max_instances=1, replace_existing=True
            )


def _stall_before_the_first_run(path: Path) -> None:
    """Stop this process when its first execution is marked as started and has not begun; ``path`` gets its id."""
    from collections.abc import Sequence

    from app_scheduler.engine.executors import ThreadsExecutor
    from app_scheduler.engine.runner import Run

    submit = ThreadsExecutor.submit

    def stall(executor: ThreadsExecutor, runs: Sequence[Run]) -> None:
        if not path.exists():
            path.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        submit(executor, runs)

    setattr(ThreadsExecutor, "submit", stall)  # noqa: B010  # a method is not for assignment, except in a test
