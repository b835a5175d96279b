"""What became of ticks and runs, as the events that APScheduler's listeners know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobExecutionEvent,
    JobSubmissionEvent,
)

from app_scheduler.engine.claim import Claimed
from app_scheduler.engine.dispatch import Dispatched
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.models import Status

_EVENT_OF = {
    Status.EXECUTED: EVENT_JOB_EXECUTED,
    Status.ERROR: EVENT_JOB_ERROR,
    Status.TIMED_OUT: EVENT_JOB_ERROR,
    Status.CANCELLED: EVENT_JOB_ERROR,
    Status.MISSED: EVENT_JOB_MISSED,
    Status.MAX_INSTANCES: EVENT_JOB_MAX_INSTANCES,
}


def of_outcomes(outcomes: Iterable[Outcome]) -> Iterator[JobEvent]:
    """Yield the event of each run that has ended."""
    for outcome in outcomes:
        run = outcome.run
        yield JobExecutionEvent(
            _EVENT_OF[outcome.status],
            run.job_id,
            "default",
            run.run_time,
            retval=outcome.value,
            exception=outcome.error,
            traceback=outcome.traceback,
        )


def of_claimed(claimed: Claimed) -> Iterator[JobEvent]:
    """Yield the events of the ticks that were claimed: of those that start, then of verdicts without a run."""
    yield from _of_started(claimed.started)
    for entry in claimed.entries:
        yield from _of_verdict(entry.job_id, entry.run_time, entry.status)


def of_dispatched(dispatched: Dispatched) -> Iterator[JobEvent]:
    """Yield the events of what left the queue: of runs that start, then of verdicts without a run."""
    yield from _of_started(dispatched.started)
    for row, status in dispatched.settled:
        yield from _of_verdict(row.job_id, row.run_time, status)


def _of_started(runs: Sequence[Run]) -> Iterator[JobEvent]:
    for run in runs:
        yield JobSubmissionEvent(EVENT_JOB_SUBMITTED, run.job_id, "default", [run.run_time])


def _of_verdict(job_id: str, run_time: datetime, status: Status) -> Iterator[JobEvent]:
    if status == Status.MAX_INSTANCES:
        yield JobSubmissionEvent(EVENT_JOB_MAX_INSTANCES, job_id, "default", [run_time])
    elif status == Status.MISSED:
        yield JobExecutionEvent(EVENT_JOB_MISSED, job_id, "default", run_time)
