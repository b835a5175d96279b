"""Retention: old executions go, in short transactions that nobody else notices, however many there are."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import current_execution
from app_scheduler.engine.queue import timestamp
from app_scheduler.engine.sql import among
from app_scheduler.models import ExecutionDetail, FailureGroup, HourTally, JobDay, JobSpec, Release, Status

logger = logging.getLogger(__name__)

MAX_DAYS = 36_500
#: More would be no short transaction.
MAX_BATCH_SIZE = 20_000
#: Jobs whose limits are looked up by one statement.
JOBS_PER_PAGE = 500
MAX_PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Deleted:
    """How many executions went, why, and in how many transactions."""

    too_old: int = 0
    over_the_limit: int = 0
    transactions: int = 0

    @property
    def total(self) -> int:
        return self.too_old + self.over_the_limit


def delete_old_executions(days: int, keep_per_job: int, batch_size: int) -> Deleted:
    """Delete executions that ended more than ``days`` ago, and of each job all but the ``keep_per_job`` newest.

    What is queued or runs stays, and so does each job's last outcome, to which its row refers. Sums and groups of
    failures that are as old go too; those that are open stay.
    """
    _check("days", days, MAX_DAYS)
    _check("keep_per_job", keep_per_job, None)
    _check("batch_size", batch_size, MAX_BATCH_SIZE)
    deleted = Deleted()
    progress = current_execution().progress
    cutoff = timezone.now() - timedelta(days=days)
    for count in _delete_each(_older_than(cutoff, batch_size), deleted):
        deleted.too_old += count
        progress(deleted.total, message="Deleting what is too old")
    for count in _delete_each(_over_the_limit(keep_per_job, batch_size), deleted):
        deleted.over_the_limit += count
        progress(deleted.total, message="Deleting what is beyond the newest of each job")
    _delete_sums(cutoff)
    logger.info(
        "Deleted %d executions older than %d days and %d beyond the newest %d of their job, in %d transactions",
        *(deleted.too_old, days, deleted.over_the_limit, keep_per_job, deleted.transactions),
    )
    return deleted


def _delete_sums(cutoff: datetime) -> None:
    """Delete sums and releases from before ``cutoff``, and failures that were last seen and settled before it."""
    _raw_delete(HourTally.objects.filter(hour__lt=cutoff))
    _raw_delete(JobDay.objects.filter(day__lt=cutoff.astimezone(UTC).date()))
    _raw_delete(FailureGroup.objects.filter(last_seen__lt=cutoff, open_count=0))
    # The last one is what the next start is compared with.
    newest = Release.objects.order_by("-started_at", "-pk").values("pk")[:1]
    _raw_delete(Release.objects.filter(started_at__lt=cutoff).exclude(pk__in=newest))


def _check(name: str, value: int, most: int | None) -> None:
    if value < 1 or (most is not None and value > most):
        span = "1 or more" if most is None else f"between 1 and {most:,}"
        raise ValueError(f"{name} is {value:,}. Give a whole number, {span}.")


def _settled() -> models.QuerySet[Any]:
    """Return the executions that may go at all."""
    last_outcome = JobSpec.objects.filter(job_id=OuterRef("job_id"), last_execution_id=OuterRef("pk"))
    in_flight = [Status.QUEUED, Status.STARTED]
    return DjangoJobExecution.objects.exclude(status__in=in_flight).filter(~Exists(last_outcome)).order_by()


def _older_than(cutoff: datetime, size: int) -> Iterator[list[int]]:
    """Yield the ids of what ended before ``cutoff``, in batches.

    The index on run_time finds them. It alone is not enough: a backfill, or the row for a long outage, has a run time
    long past and a verdict of today. Each batch goes on where the one before ended: starting at the beginning again
    would look at all that had to stay once per batch.
    """
    ended = Q(finished__lt=timestamp(cutoff)) | Q(finished=None)
    old = _settled().filter(ended, run_time__lt=cutoff).order_by("run_time", "pk").values_list("run_time", "pk")
    page = list(old[:size])
    while page:
        yield [pk for _, pk in page]
        if len(page) < size:
            return
        moment, pk = page[-1]
        beyond = Q(run_time__gt=moment) | Q(run_time=moment, pk__gt=pk)
        page = list(old.filter(beyond, run_time__gte=moment)[:size])


def _over_the_limit(keep: int, size: int) -> Iterator[list[int]]:
    """Yield the ids of what lies beyond each job's ``keep`` newest, in batches across jobs."""
    batch: list[int] = []
    for job_id, newest_to_go in _limits(keep):
        surplus = _settled().filter(job_id=job_id, run_time__lte=newest_to_go).order_by("run_time")
        rows = surplus.values_list("run_time", "pk")
        page = list(rows[: size - len(batch)])
        while page:
            batch += [pk for _, pk in page]
            if len(batch) < size:
                break
            yield batch
            batch = []
            page = list(rows.filter(run_time__gt=page[-1][0])[:size])  # a job has one execution per run time
    if batch:
        yield batch


def _limits(keep: int) -> Iterator[tuple[str, datetime]]:
    """Yield each job that has more than ``keep`` executions, with the run time of the newest that is too many.

    The unique index on (job, run_time) answers alone: it is read from its newest entry for ``keep`` entries per job.
    """
    newest = DjangoJobExecution.objects.filter(job_id=OuterRef("pk")).order_by("-run_time").values("run_time")
    jobs = DjangoJob.objects.order_by("pk").annotate(too_many=Subquery(newest[keep : keep + 1]))
    page = list(jobs.values_list("pk", "too_many")[:JOBS_PER_PAGE])
    while page:
        yield from ((pk, run_time) for pk, run_time in page if run_time is not None)
        page = list(jobs.filter(pk__gt=page[-1][0]).values_list("pk", "too_many")[:JOBS_PER_PAGE])


def _delete_each(batches: Iterator[list[int]], deleted: Deleted) -> Iterator[int]:
    """Delete each batch in a transaction of its own; yield how many went."""
    for ids in batches:
        began = time.monotonic()
        count = _delete(ids)
        deleted.transactions += 1
        yield count
        # As long as it took, others have the database to themselves: on SQLite they wait for the lock by polling, and
        # whoever takes it again at once starves them.
        time.sleep(min(time.monotonic() - began, MAX_PAUSE_SECONDS))


def _delete(ids: list[int]) -> int:
    with transaction.atomic():
        # Asked again under a lock: a retry that is just being requested refers to its execution, which then stays.
        going = _settled().filter(pk__in=among(ids)).order_by("pk").select_for_update(skip_locked=True)
        keys = list(going.values_list("pk", flat=True))
        if not keys:
            return 0
        chosen = among(keys)
        ExecutionDetail.objects.filter(retry_of__in=chosen).update(retry_of=None)
        _raw_delete(ExecutionDetail.objects.filter(pk__in=chosen))
        return _raw_delete(DjangoJobExecution.objects.filter(pk__in=chosen))


def _raw_delete(rows: models.QuerySet[Any]) -> int:
    """Delete by one statement. ``delete()`` would load each row, its log and traceback, to see what refers to it."""
    return int(rows._raw_delete(rows.db))
