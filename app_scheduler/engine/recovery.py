"""What is left behind: executions of instances that are gone, and jobs whose function has come back."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.conf import console_settings
from app_scheduler.engine.held import passed_while_held, record
from app_scheduler.engine.lease import dead_instances, name_of
from app_scheduler.engine.queue import Entry, enqueue, settle
from app_scheduler.models import (
    ExecutionDetail,
    ExecutionOrigin,
    JobSpec,
    JobState,
    SchedulerInstance,
    Status,
)
from app_scheduler.registry import registry

logger = logging.getLogger(__name__)


def reap(now: datetime) -> int:
    """Mark what dead instances had started as interrupted; return how many. Their rows go with it."""
    gone = dead_instances()
    alive = SchedulerInstance.objects.exclude(id__in=gone).values_list("id", flat=True)
    lost = ExecutionDetail.objects.running().exclude(instance__in=list(alive)).select_related("execution__job__spec")
    count = interrupt(list(lost[:1000]), now, "The {instance} that ran it is gone.")
    SchedulerInstance.objects.filter(id__in=gone).delete()
    return count


def interrupt(details: list[ExecutionDetail], now: datetime, reason: str) -> int:
    """Give started executions the verdict interrupted, and queue them again where their job allows that."""
    if not details:
        return 0
    with transaction.atomic():
        verdicts = [
            (row.execution_id, row.execution.job_id, Status.INTERRUPTED, reason.format(instance=name_of(row.instance)))
            for row in details
        ]
        won = settle(verdicts, now, seen=Status.STARTED)
        enqueue(
            [
                Entry(
                    row.execution.job_id,
                    now,
                    now,
                    origin=ExecutionOrigin.RETRY,
                    args=row.args,
                    kwargs=row.kwargs,
                    attempt=row.attempt + 1,
                    retry_of_id=row.execution_id,
                    reason=f"Runs again since execution {row.execution_id} was interrupted.",
                )
                for row in details
                if row.execution_id in won and _may_rerun(row)
            ]
        )
    if won:
        logger.warning("Interrupted executions: %s", ", ".join(str(pk) for pk in sorted(won)))
    return len(won)


def _may_rerun(row: ExecutionDetail) -> bool:
    spec = getattr(row.execution.job, "spec", None)
    return spec is not None and spec.rerun_if_interrupted


def heal(now: datetime) -> list[str]:
    """Schedule broken jobs again whose cause is gone, as after a deploy that brought the function; return their ids.

    The ticks that passed meanwhile get one row for each job.
    """
    healed = []
    for spec in JobSpec.objects.filter(state=JobState.BROKEN).order_by("job_id")[:1000]:
        if registry.find(spec.function) is None or spec.executor not in console_settings.executors:
            continue
        try:
            following = triggers.schedule_for(spec.trigger, anchor=spec.anchor).next_after(now)
        except Exception:
            logger.info("Job %s is still broken", spec.job_id, exc_info=True)
            continue
        with transaction.atomic():
            state = JobState.SCHEDULED if following else JobState.FINISHED
            broken = JobSpec.objects.filter(job_id=spec.job_id, state=JobState.BROKEN)
            if broken.update(state=state, state_reason="", held_from=None, updated_at=timezone.now()):
                record([passed_while_held(spec, now)])
                DjangoJob.objects.filter(id=spec.job_id).update(next_run_time=following)
                healed.append(spec.job_id)
    return healed
