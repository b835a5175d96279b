"""Skipping one tick, as somebody asks beforehand: written down here, settled by the claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from app_scheduler import triggers
from app_scheduler.engine.blackouts import windows_since
from app_scheduler.engine.sql import in_batches, update_from_values
from app_scheduler.engine.windows import Window, next_free
from app_scheduler.models import JobSpec, JobState

MICROSECOND = timedelta(microseconds=1)
_COLUMNS = ["skip_tick", "skip_by", "skip_reason"]


def skip_next(ids: Sequence[str], *, by: Any, reason: str, now: datetime) -> dict[str, datetime]:
    """Keep the next tick of scheduled jobs from running; return the ticks by job.

    The next tick is the first that would run: one in a blackout is none. Jobs that skip one already stay as they are,
    and jobs without one are left out.
    """
    skipped: dict[str, datetime] = {}
    windows = windows_since(now - timedelta(days=1))
    for batch in in_batches(ids, 5000):
        with transaction.atomic():
            locked = JobSpec.objects.select_for_update(of=("self", "job")).select_related("job")
            scheduled = locked.filter(job_id__in=batch, state=JobState.SCHEDULED).order_by("job_id")
            ticks = {spec.job_id: tick for spec in scheduled if (tick := tick_to_skip(spec, windows)) is not None}
            rows = [(job_id, tick, getattr(by, "pk", None), reason) for job_id, tick in ticks.items()]
            update_from_values(JobSpec, ["job"], _COLUMNS, rows)
            _count_change(list(ticks), now)
        skipped |= ticks
    return skipped


def tick_to_skip(spec: JobSpec, windows: Sequence[Window]) -> datetime | None:
    """Return the next tick of a scheduled job that would run, or None where it skips one already or has none left."""
    if skip_to_come(spec) is not None:
        return None
    try:
        schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
    except ValueError:
        return None
    tick = spec.job.next_run_time
    return None if tick is None else next_free(schedule, tick, [each for each in windows if each.is_for(spec.words)])


def skip_to_come(spec: JobSpec, now: datetime | None = None) -> datetime | None:
    """Return the tick that a job is to skip and that has not come yet, or None.

    One that has gone by, as during a pause, is left in its row until the next claim. For a paused job ``now`` says
    what has gone by.
    """
    tick, following = spec.skip_tick, spec.job.next_run_time or now
    if tick is None or following is None or tick < following:
        return None
    return tick if spec.state in (JobState.SCHEDULED, JobState.PAUSED) else None


def unskip_next(ids: Sequence[str], *, now: datetime) -> dict[str, datetime]:
    """Let the ticks that were to be skipped run after all; return those that have not come yet, by job."""
    back: dict[str, datetime] = {}
    for batch in in_batches(ids, 5000):
        with transaction.atomic():
            locked = JobSpec.objects.select_for_update(of=("self", "job")).select_related("job")
            asked = locked.filter(job_id__in=batch, skip_tick__isnull=False).order_by("job_id")
            ticks = {spec.job_id: tick for spec in asked if (tick := skip_to_come(spec, now)) is not None}
            drop_skips(list(ticks))
            _count_change(list(ticks), now)
        back |= ticks
    return back


def overtaken(ticks: Mapping[str, datetime], now: datetime) -> list[str]:
    """Return the jobs whose tick was claimed as it was, by a claim that had read its job before the skip was committed.

    Only ticks that have come by ``now`` can have been. To be asked once that is committed: the rows are locked anew, so
    a claim that waited for them has had its turn.
    """
    come = [job_id for job_id, tick in ticks.items() if tick <= now]
    lost: list[str] = []
    for batch in in_batches(come, 5000):
        with transaction.atomic():
            locked = JobSpec.objects.select_for_update(of=("self", "job")).select_related("job")
            asked = locked.filter(job_id__in=batch, skip_tick__isnull=False).order_by("job_id")
            # A claim that knew of the skip has forgotten it.
            gone = [
                spec.job_id
                for spec in asked
                if spec.skip_tick == ticks[spec.job_id] and spec.job.next_run_time != ticks[spec.job_id]
            ]
            drop_skips(gone)
        lost += gone
    return lost


def drop_skips(ids: Sequence[str]) -> None:
    """Forget what these jobs were to skip. The caller holds the transaction."""
    update_from_values(JobSpec, ["job"], _COLUMNS, [(job_id, None, None, "") for job_id in ids])


def _count_change(ids: Sequence[str], now: datetime) -> None:
    JobSpec.objects.filter(job_id__in=ids).update(revision=F("revision") + 1, updated_at=now)
