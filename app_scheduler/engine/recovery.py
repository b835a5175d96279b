"""What is left behind: executions of instances that are gone, and jobs whose function went or has come back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, triggers
from app_scheduler.conf import console_settings
from app_scheduler.engine.executors import SendingExecutor
from app_scheduler.engine.held import passed_while_held, record
from app_scheduler.engine.language import ledger_language
from app_scheduler.engine.lease import dead_instances, lease_ago, name_of
from app_scheduler.engine.queue import Entry, enqueue, settle
from app_scheduler.engine.sending import send_overdue, unsend
from app_scheduler.engine.sql import in_batches, update_from_values
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

#: Rows read at once.
BATCH = 1000
#: Pairs of a function and an executor in one condition; SQLite takes an expression 1,000 deep.
CAUSES = 200


def reap(now: datetime) -> int:
    """Mark what dead instances had started as interrupted; return how many. Their rows go with it."""
    lost = lost_executions().select_related("execution__job__spec")
    count = interrupt(list(lost[:1000]), now, "The {instance} that ran it is gone.")
    dead_instances().delete()
    return count


def send_again(executors: Mapping[str, Any], now: datetime) -> int:
    """Send again what a broker has had for long and no worker has begun, as after one that lost its messages.

    Where its job has another kind of executor by now it goes back into the queue. Returns how many there were.
    """
    senders = {alias: each for alias, each in executors.items() if isinstance(each, SendingExecutor)}
    if not senders:
        return 0
    overdue = send_overdue(now, min(each.resend_seconds for each in senders.values()))
    for alias, messages in overdue.items():
        if alias in senders:
            senders[alias].send(messages)
        else:
            unsend([message.execution_id for message in messages], now)
    count = sum(map(len, overdue.values()))
    if count:
        logger.info("Executions that no worker has begun were sent again: %d", count)
    return count


def lost_executions() -> QuerySet[ExecutionDetail]:
    """Return what instances had started that are gone by now.

    One query decides, by the database's clock: who lived a moment ago may be gone when a process that was stalled goes
    on, and the other way round. An instance without a row may have lost it while it was stalled and be about to beat
    again, so what it started within the lease is left alone.
    """
    same = SchedulerInstance.objects.filter(id=OuterRef("instance"))
    gone = Exists(same.filter(heartbeat__lt=lease_ago())) | (~Exists(same) & Q(started_at__lt=lease_ago()))
    lost: QuerySet[ExecutionDetail] = ExecutionDetail.objects.running().filter(gone)
    return lost


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
                    priority=row.priority,
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
    for spec in JobSpec.objects.filter(state=JobState.BROKEN).order_by("job_id").iterator(chunk_size=BATCH):
        if documents.fault_of(spec) is None:
            following = triggers.schedule_for(spec.trigger, anchor=spec.anchor).next_after(now)
            state, reason = after_repair(following)
            healed.append((spec, following, state, reason))
    return _write_states(healed, JobState.BROKEN, now)


def after_repair(following: datetime | None) -> tuple[JobState, str]:
    """Return the state of a job that can run again, and its reason; ``following`` is its next tick."""
    if following is None:
        return JobState.FINISHED, "Its schedule has come to its end."
    return JobState.SCHEDULED, ""


def quarantine(now: datetime) -> list[str]:
    """Mark scheduled jobs broken that cannot run, before their tick comes; return their ids.

    A missing function or executor is found by one query over those in use, and only their jobs are read. A tick that
    has come already is left to the claim, which gives it its verdict. A paused job stays paused: marked, it would come
    back scheduled.
    """
    scheduled = JobSpec.objects.filter(state=JobState.SCHEDULED, job__next_run_time__gt=now)
    known, executors = set(registry.names()), set(console_settings.executors)
    used = scheduled.order_by().values_list("function", "executor").distinct()
    gone = [(function, executor) for function, executor in used if function not in known or executor not in executors]
    broken = []
    for batch in in_batches(gone, CAUSES):
        causes = [Q(function=function, executor=executor) for function, executor in batch]
        for spec in scheduled.filter(reduce(or_, causes)).iterator(chunk_size=BATCH):
            with ledger_language():
                fault = documents.fault_of(spec)
            if fault:
                broken.append((spec, None, JobState.BROKEN, str(fault)))
    marked = _write_states(broken, JobState.SCHEDULED, now)
    if marked:
        logger.warning("Jobs cannot run any more, and their pages say why: %s", ", ".join(marked[:20]))
    return marked


def _write_states(
    rows: Sequence[tuple[JobSpec, datetime | None, JobState, str]], seen: JobState, now: datetime
) -> list[str]:
    """Write states, reasons and next ticks where a job is as it was read; return the ids of those."""
    written: set[str] = set()
    for batch in in_batches(rows):
        with transaction.atomic():
            won = update_from_values(
                JobSpec,
                ["job", "state", "revision"],
                ["state", "state_reason", "held_from", "updated_at"],
                [
                    (spec.job_id, seen, spec.revision, state, reason, now if state == JobState.BROKEN else None, now)
                    for spec, _, state, reason in batch
                ],
            )
            update_from_values(
                DjangoJob,
                ["id"],
                ["next_run_time"],
                [(spec.job_id, following) for spec, following, _, _ in batch if spec.job_id in won],
            )
            if seen == JobState.BROKEN:
                record([passed_while_held(spec, now) for spec, *_ in batch if spec.job_id in won])
        written |= won
    return [spec.job_id for spec, *_ in rows if spec.job_id in written]
