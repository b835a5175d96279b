"""What the engine asks of an executor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any

from apscheduler.executors.base import BaseExecutor

from app_scheduler.engine.runner import Outcome, Run


class ConsoleExecutor(BaseExecutor):
    """An APScheduler executor that takes started executions instead of jobs.

    Overlap, misfires and verdicts are settled from the table before an execution gets here, so that they hold across
    processes; what is left is to run it.
    """

    slots: int
    #: Takes the outcome of each run; the scheduler sets it to its recorder.
    on_finish: Callable[[Outcome], None]
    #: Says that a slot has become free; the scheduler sets it to what gives it to whoever waits.
    on_free: Callable[[], None]
    #: Tells whether a run that comes to its turn may still begin; the scheduler sets it. It may query and block.
    may_start: Callable[[Run], bool] = staticmethod(lambda run: True)

    @property
    @abstractmethod
    def busy(self) -> int:
        """How many executions it holds now."""

    @property
    def free(self) -> int:
        """How many more it takes now."""
        return max(0, self.slots - self.busy)

    def running(self) -> Collection[int] | None:
        """Return the ids of the executions that it holds, or None where it cannot tell."""
        return None

    @abstractmethod
    def submit(self, runs: Sequence[Run]) -> None:
        """Run ``runs`` and hand the outcome of each to the recorder. Never blocks; where it raises, it holds none."""

    def take_back(self, seconds: float = 0) -> list[Run]:
        """Let go of what has not begun, where nothing has begun for ``seconds``; nothing of it will run here."""
        return []

    @abstractmethod
    def stop(self, seconds: float) -> None:
        """Take nothing new and wait for what runs, at most ``seconds``."""

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        raise RuntimeError("The console submits executions, not jobs; use services.run_now() to run a job.")
