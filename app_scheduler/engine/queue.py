"""The executions table as the queue: everything that is to run, and every verdict without a run, is put in here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.sql import update_from_values
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, Status


@dataclass(slots=True)
class Entry:
    """An execution to be inserted: queued, or with its verdict at once. Times are aware."""

    job_id: str
    run_time: datetime
    queued_at: datetime
    status: Status = Status.QUEUED
    origin: ExecutionOrigin = ExecutionOrigin.SCHEDULE
    available_at: datetime | None = None
    requested_by_id: Any = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    attempt: int = 1
    retry_of_id: int | None = None
    tick_count: int = 1
    first_tick: datetime | None = None
    reason: str = ""


def insert(entries: Sequence[Entry]) -> list[int]:
    """Insert ``entries`` in bulk and return their execution ids, in order. The caller holds the transaction.

    Raises ``IntegrityError`` when a job has an execution at one of these run times already.
    """
    executions = DjangoJobExecution.objects.bulk_create(
        [
            DjangoJobExecution(
                job_id=entry.job_id,
                run_time=entry.run_time,
                status=entry.status.value,
                finished=None if entry.status == Status.QUEUED else timestamp(entry.queued_at),
            )
            for entry in entries
        ],
        batch_size=1000,
    )
    ExecutionDetail.objects.bulk_create(
        [
            ExecutionDetail(
                execution_id=execution.pk,
                origin=entry.origin,
                requested_by_id=entry.requested_by_id,
                args=entry.args,
                kwargs=entry.kwargs,
                attempt=entry.attempt,
                retry_of_id=entry.retry_of_id,
                queued_at=entry.queued_at,
                available_at=(entry.available_at or entry.queued_at) if entry.status == Status.QUEUED else None,
                finished_at=None if entry.status == Status.QUEUED else entry.queued_at,
                tick_count=entry.tick_count,
                first_tick=entry.first_tick,
                reason=entry.reason,
            )
            for execution, entry in zip(executions, entries, strict=True)
        ],
        batch_size=1000,
    )
    settled = [
        (entry.job_id, entry.status, execution.pk, entry.queued_at)
        for execution, entry in zip(executions, entries, strict=True)
        if entry.status != Status.QUEUED
    ]
    note_last(settled)
    return [execution.pk for execution in executions]


def enqueue(entries: Sequence[Entry]) -> list[int]:
    """Insert requests (run now, retry) in bulk; their run times give way where a job has one at that microsecond."""
    for attempt in range(5):
        for number, entry in enumerate(entries):
            entry.run_time += timedelta(microseconds=attempt * 7 + number)
        try:
            with transaction.atomic():
                return insert(entries)
        except IntegrityError:
            if attempt == 4:
                raise
    return []


def settle(
    verdicts: Sequence[tuple[int, str, Status, str]], now: datetime, *, seen: Status = Status.QUEUED
) -> set[int]:
    """Give executions that are still ``seen`` their verdict; return the ids of those that got it.

    Each of ``verdicts`` is (execution id, job id, verdict, reason). The caller holds the transaction.
    """
    won = update_from_values(
        DjangoJobExecution,
        ["id", "status"],
        ["status", "finished"],
        [(pk, seen.value, status.value, timestamp(now)) for pk, _, status, _ in verdicts],
    )
    update_from_values(
        ExecutionDetail,
        ["execution"],
        ["available_at", "finished_at", "reason"],
        [(pk, None, now, reason) for pk, _, _, reason in verdicts if pk in won],
    )
    note_last([(job_id, status, pk, now) for pk, job_id, status, _ in verdicts if pk in won])
    return won


def note_last(outcomes: Iterable[tuple[str, Status, int, datetime]]) -> None:
    """Keep each job's last outcome on its spec, so that the list of jobs need not look through its history.

    Each outcome is (job id, verdict, execution id, finished at).
    """
    latest: dict[str, tuple[str, str, int, datetime]] = {}
    for job_id, status, execution_id, finished_at in outcomes:
        if job_id not in latest or latest[job_id][3] <= finished_at:
            latest[job_id] = (job_id, status.value, execution_id, finished_at)
    # In the order of their ids, so that two processes that note the same jobs wait for one another and never deadlock.
    rows = [latest[job_id] for job_id in sorted(latest)]
    update_from_values(JobSpec, ["job"], ["last_status", "last_execution_id", "last_finished_at"], rows)


def timestamp(moment: datetime) -> Decimal:
    """Return ``moment`` as django-apscheduler's ``finished`` column has it: seconds of the epoch, two decimals."""
    return Decimal(moment.timestamp()).quantize(Decimal("0.01"))


def utc_now() -> datetime:
    return datetime.now(UTC)
