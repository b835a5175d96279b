"""Retries: whether a run that failed gets another attempt, and when."""

from __future__ import annotations

import random
from datetime import timedelta

from app_scheduler.engine.queue import Entry
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.models import ExecutionOrigin

#: However often a job may try again, no wait grows beyond this, but for the jitter.
LONGEST_WAIT_SECONDS = 86_400
#: By how much of itself a wait may grow: what failed together, as when a server was away, does not come back together.
JITTER = 0.25


def retry_of(outcome: Outcome) -> list[Entry]:
    """Return the next attempt of a run that failed, where its job allows one."""
    if not outcome.is_retried:
        return []
    run = outcome.run
    due = outcome.finished_at + wait_after(run)
    return [
        Entry(
            run.job_id,
            due,
            outcome.finished_at,
            origin=ExecutionOrigin.RETRY,
            available_at=due,
            args=run.args,
            kwargs=run.kwargs,
            attempt=run.attempt + 1,
            priority=run.priority,
            retry_of_id=run.execution_id,
            reason=f"Attempt {run.attempt + 1} of {run.max_retries + 1}.",
        )
    ]


def wait_after(run: Run) -> timedelta:
    """Return how long the attempt after ``run`` waits: never less than its job says, doubled for each one before it."""
    # The power of a large attempt would be a number that no float and no date can hold.
    doublings = min(run.attempt - 1, LONGEST_WAIT_SECONDS.bit_length())
    seconds = min(run.retry_backoff * 2**doublings, LONGEST_WAIT_SECONDS)
    return timedelta(seconds=seconds * (1 + random.uniform(0, JITTER)))
