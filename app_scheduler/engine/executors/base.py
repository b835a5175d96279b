"""What the engine asks of an executor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from apscheduler.executors.base import BaseExecutor

from app_scheduler.engine.faults import Faults
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.sending import Message


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an executor can do with a run that has begun; pages say it where a job chooses its executor."""

    #: Ends a run at its timeout, whatever it does. Otherwise the run is told, and its verdict says that it took longer.
    ends_at_timeout: bool = False
    #: Ends a run that somebody cancels, whatever it does. Otherwise the run is told, and ends when it looks.
    ends_when_cancelled: bool = False
    #: Runs outside this process, so that a crash of the interpreter ends that run and nothing else.
    survives_crashes: bool = False
    #: Has queues of its own, one of which a job may name.
    has_queues: bool = False


class ConsoleExecutor(BaseExecutor):
    """An APScheduler executor that takes started executions instead of jobs.

    Overlap, misfires and verdicts are settled from the table before an execution gets here, so that they hold across
    processes; what is left is to run it.
    """

    abilities: ClassVar[Abilities] = Abilities()
    slots: int
    #: Takes the outcome of each run; the scheduler sets it to its recorder.
    on_finish: Callable[[Outcome], None]
    #: Says that a slot has become free; the scheduler sets it to what gives it to whoever waits.
    on_free: Callable[[], None]
    #: Tells whether a run that comes to its turn may still begin; the scheduler sets it. It may query and block.
    may_start: Callable[[Run], bool] = staticmethod(lambda run: True)
    #: Notes what fails; the scheduler sets it to its own.
    faults: Faults

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

    def cancel(self, execution_id: int, reason: str) -> bool:
        """Have a run that it holds end, as its abilities allow; False where it does not hold it. Never blocks.

        ``reason`` is that of its verdict. It is asked again every second until the run has ended.
        """
        return False

    @abstractmethod
    def stop(self, seconds: float) -> None:
        """Take nothing new and wait for what runs, at most ``seconds``."""

    def end(self) -> None:
        """End what still runs after a stop, where that can be done; its verdict is the caller's."""

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        raise RuntimeError("The console submits executions, not jobs; use services.run_now() to run a job.")


class SendingExecutor(ConsoleExecutor):
    """An executor that hands executions to a broker. They stay queued until one of its workers begins them.

    It holds only what is not published yet. What its workers run is theirs, and their heartbeats vouch for it.
    """

    slots = 0
    #: What is sent and not begun for so many seconds is sent again.
    resend_seconds: float = 30.0

    @property
    @abstractmethod
    def free(self) -> int:
        """How many more it sends now. It may query."""

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> None:
        """Publish ``messages``, which the table has as sent. Never blocks: a thread does it, however long it takes."""

    def submit(self, runs: Sequence[Run]) -> None:
        raise RuntimeError("Its workers begin executions; they are sent there, not submitted.")
