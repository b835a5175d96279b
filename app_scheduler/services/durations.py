"""How long a job usually takes, from its latest runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django_apscheduler.models import DjangoJobExecution

from app_scheduler.models import Status

#: Executions that are looked at, and runs among them below which nothing is "usual".
LATEST = 200
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Usual:
    """The duration within which 95 of 100 runs end, and of how many runs that is known."""

    p95: timedelta
    count: int


def usual_duration(job_id: str) -> Usual | None:
    """Return how long the latest runs took, or None where there are too few. One query, by the index of the job."""
    rows = DjangoJobExecution.objects.filter(job_id=job_id).order_by("-run_time").values_list("status", "duration")
    return usual_of(rows[:LATEST])


def usual_of(rows: Iterable[tuple[str, Any]]) -> Usual | None:
    """Return how long runs took, given as (status, duration in seconds), or None where too few were executed."""
    lengths = sorted(float(duration) for status, duration in rows if status == Status.EXECUTED and duration is not None)
    if len(lengths) < ENOUGH:
        return None
    # The nearest rank: a length that a run did have.
    rank = -(-95 * len(lengths) // 100)
    return Usual(timedelta(seconds=lengths[rank - 1]), len(lengths))
