"""The newest executions of a few jobs, in two queries however many there are of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import OuterRef, Q, Subquery
from django_apscheduler.models import DjangoJob, DjangoJobExecution

#: Of how many jobs at once: each is a range of its own in the condition.
MAX_JOBS = 24


class Latest(NamedTuple):
    """What of an execution tells how a job has been doing. ``duration`` is in seconds."""

    job_id: str
    pk: int
    status: str
    run_time: datetime
    duration: Any
    exception: str | None


def latest_of(job_ids: Sequence[str], count: int) -> dict[str, list[Latest]]:
    """Return the ``count`` newest executions of each of up to ``MAX_JOBS`` jobs, newest first.

    The unique index on (job, run_time) says first how far back they reach, and then finds them.
    """
    found: dict[str, list[Latest]] = {job_id: [] for job_id in job_ids[:MAX_JOBS]}
    if not found:
        return found
    newest = DjangoJobExecution.objects.filter(job_id=OuterRef("pk")).order_by("-run_time").values("run_time")
    beyond = DjangoJob.objects.filter(pk__in=list(found)).annotate(beyond=Subquery(newest[count : count + 1]))
    ranges = Q()
    for job_id, run_time in beyond.values_list("pk", "beyond"):
        ranges |= Q(job_id=job_id) if run_time is None else Q(job_id=job_id, run_time__gt=run_time)
    if ranges:
        rows = DjangoJobExecution.objects.filter(ranges).order_by("-run_time").values_list(*Latest._fields)
        for row in rows:
            found[row[0]].append(Latest(*row))
    return found
