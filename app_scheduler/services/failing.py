"""Which jobs fail: the one rule of the overview, of the list of jobs and of its filter.

A job that is to run again fails if its last run failed. A tick that was missed, skipped or cancelled after that run has
tried nothing and mended nothing; then a failure of the last days counts that nobody has acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.verdicts import WITHOUT_RUN
from app_scheduler.models import FAILURES, FailureGroup, JobSpec, JobState, Status

#: An older failure, after which nothing has run, is history.
LATELY = timedelta(days=7)
#: Verdicts after which a job is as it was before.
UNTRIED = [status.value for status in (*WITHOUT_RUN, Status.CANCELLED)]


def failing_at(now: datetime, prefix: str = "") -> Q:
    """Return the condition of the jobs that fail; ``prefix`` leads to their specs, as in ``spec__``."""
    return Q(**{f"{prefix}state": JobState.SCHEDULED}) & (
        Q(**{f"{prefix}last_status__in": FAILURES})
        | Q(**{f"{prefix}last_status__in": UNTRIED, f"{prefix}pk__in": _unmended(now).values("job_id")})
    )


def failing_among(specs: Iterable[JobSpec], now: datetime) -> frozenset[str]:
    """Return the ids of those of a few jobs that fail. One query, where the last outcome of some does not tell."""
    scheduled = {spec.job_id: spec.last_status for spec in specs if spec.state == JobState.SCHEDULED}
    failing = {job_id for job_id, status in scheduled.items() if status in FAILURES}
    unsure = [job_id for job_id, status in scheduled.items() if status in UNTRIED]
    if unsure:
        found = JobSpec.objects.filter(failing_at(now), pk__in=unsure)
        failing |= set(found.order_by().values_list("pk", flat=True))
    return frozenset(failing)


def _unmended(now: datetime) -> QuerySet[FailureGroup]:
    """Return the open failures of the last days after which no run of their job has succeeded.

    Only of jobs whose last outcome does not tell: a success after the others is told by it.
    """
    failed: Any = DjangoJobExecution.objects.filter(pk=OuterRef(OuterRef("last_execution_id"))).values("run_time")
    # Where retention has deleted the execution, when it ended is near enough.
    since = Coalesce(Subquery(failed), OuterRef("last_seen"))
    succeeded = DjangoJobExecution.objects.filter(
        job_id=OuterRef("job_id"), status=Status.EXECUTED.value, run_time__gt=since
    )
    return FailureGroup.objects.filter(
        ~Exists(succeeded), open_count__gt=0, last_seen__gt=now - LATELY, job__spec__last_status__in=UNTRIED
    ).order_by()
