"""The executions table as the queue: everything that is to run, and every verdict without a run, is put in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.sql import among, insert_rows, update_from_values, writing
from app_scheduler.engine.verdicts import WITHOUT_RUN, Verdict, fingerprint_of, note
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, Status


@dataclass(slots=True)
class Entry:
    """An execution to be inserted: queued, started, or with its verdict at once. Times are aware."""

    job_id: str
    run_time: datetime
    queued_at: datetime
    status: Status = Status.QUEUED
    origin: ExecutionOrigin = ExecutionOrigin.SCHEDULE
    available_at: datetime | None = None
    requested_by_id: Any = None
    args: Any = None
    kwargs: Any = None
    attempt: int = 1
    priority: int = 0
    retry_of_id: int | None = None
    tick_count: int = 1
    first_tick: datetime | None = None
    reason: str = ""
    #: Whether it is with a broker from the start, to be published once it is committed.
    is_sent: bool = False
    #: Of one that is started at once: by which instance, and the function that it calls.
    instance: str = ""
    function: str = ""

    @property
    def has_verdict(self) -> bool:
        return self.status not in (Status.QUEUED, Status.STARTED)


_DETAIL_FIELDS = (
    "execution",
    "origin",
    "requested_by",
    "args",
    "kwargs",
    "attempt",
    "priority",
    "retry_of",
    "queued_at",
    "available_at",
    "sent_at",
    "started_at",
    "finished_at",
    "instance",
    "function",
    "tick_count",
    "first_tick",
    "reason",
)


def insert(entries: Sequence[Entry]) -> list[int]:
    """Insert ``entries`` in bulk and return their execution ids, in order. The caller holds the transaction.

    Raises ``IntegrityError`` when a job has an execution at one of these run times already.
    """
    if not entries:
        return []
    ids = insert_rows(
        DjangoJobExecution,
        ["job", "run_time", "status", "finished"],
        [
            (entry.job_id, entry.run_time, entry.status, timestamp(entry.queued_at) if entry.has_verdict else None)
            for entry in entries
        ],
        key=["job", "run_time"],
    )
    insert_rows(ExecutionDetail, _DETAIL_FIELDS, [_detail(pk, e) for pk, e in zip(ids, entries, strict=True)])
    note(
        Verdict(entry.job_id, entry.status, pk, entry.queued_at, entry.tick_count)
        for pk, entry in zip(ids, entries, strict=True)
        if entry.has_verdict
    )
    return ids


def _detail(pk: int, entry: Entry) -> tuple[Any, ...]:
    queued, started = entry.status == Status.QUEUED, entry.status == Status.STARTED
    return (
        pk,
        entry.origin,
        entry.requested_by_id,
        entry.args,
        entry.kwargs,
        entry.attempt,
        entry.priority,
        entry.retry_of_id,
        entry.queued_at,
        (entry.available_at or entry.queued_at) if queued and not entry.is_sent else None,
        entry.queued_at if entry.is_sent else None,
        entry.queued_at if started else None,
        entry.queued_at if entry.has_verdict else None,
        entry.instance,
        entry.function,
        entry.tick_count,
        entry.first_tick,
        entry.reason,
    )


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
        ["available_at", "sent_at", "finished_at", "reason", "fingerprint"],
        [(pk, None, None, now, reason, fingerprint_of(status)) for pk, _, status, reason in verdicts if pk in won],
    )
    ticks = _ticks_of([pk for pk, _, status, _ in verdicts if pk in won and status in WITHOUT_RUN])
    note(Verdict(job_id, status, pk, now, ticks.get(pk, 1)) for pk, job_id, status, _ in verdicts if pk in won)
    return won


def _ticks_of(ids: Sequence[int]) -> dict[int, int]:
    """Return for how many ticks an execution stands, where it is more than one."""
    if not ids:
        return {}
    several = ExecutionDetail.objects.filter(execution__in=among(ids), tick_count__gt=1)
    return dict(several.values_list("execution_id", "tick_count"))


def give_back(runs: Sequence[tuple[int, datetime]], instance: str) -> set[Any]:
    """Queue started executions again that have not begun; each is (execution id, when it was to start).

    Returns the ids of those that were still started.
    """
    with writing():
        won = update_from_values(
            DjangoJobExecution,
            ["id", "status"],
            ["status"],
            [(pk, Status.STARTED.value, Status.QUEUED.value) for pk, _ in runs],
        )
        update_from_values(
            ExecutionDetail,
            ["execution", "instance"],
            ["available_at", "started_at", "instance"],
            [(pk, instance, available_at, None, "") for pk, available_at in runs if pk in won],
        )
    return won


def timestamp(moment: datetime) -> Decimal:
    """Return ``moment`` as django-apscheduler's ``finished`` column has it: seconds of the epoch, two decimals."""
    return Decimal(f"{moment.timestamp():.2f}")


def utc_now() -> datetime:
    return datetime.now(UTC)
