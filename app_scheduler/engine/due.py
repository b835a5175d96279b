"""The jobs whose tick has come, as slim rows: asked for at every pass, so plain SQL and no models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_apscheduler.models import DjangoJob

from app_scheduler.engine.sql import moment_column, moments, read
from app_scheduler.models import ConcurrencyGroup, JobSpec, SchedulerLease


@dataclass(slots=True)
class Due:
    """A job with its tick, and what its definition says about running it. The JSON columns are text."""

    job_id: str
    next_run_time: datetime
    state: str
    revision: int
    function: str
    trigger: str
    anchor: datetime
    args: str
    kwargs: str
    executor: str
    coalesce: bool
    max_instances: int
    misfire_grace_time: int | None
    timeout: int | None
    max_retries: int
    retry_backoff: int
    last_status: str
    queue: str = ""
    priority: int = 0
    concurrency_group: str = ""
    group_slots: int = 1
    skip_tick: datetime | None = None


@dataclass(slots=True)
class Upcoming:
    """What a look at the ticks found: the jobs that are due, and the tick after theirs as far as the look went.

    ``blackouts`` is the lease's word for the blackout windows as they are now, "" where there are none.
    """

    due: list[Due] = field(default_factory=list)
    next_tick: datetime | None = None
    more: bool = False
    blackouts: str = ""


# Paused, finished and broken jobs have no tick. Their state is read and not asked for: an index on it would tempt the
# database to walk all jobs that are scheduled, where the index on the ticks gives the first few.
_STATEMENT = f"""
SELECT j.id, {{tick}}, s.state, s.revision, s.function, s.trigger, {{anchor}}, s.args, s.kwargs, s.executor,
       s.coalesce, s.max_instances, s.misfire_grace_time, s.timeout, s.max_retries, s.retry_backoff, s.last_status,
       s.queue, s.priority, s.concurrency_group, COALESCE(g.slots, 1), {{skip}},
       (SELECT blackouts FROM {SchedulerLease._meta.db_table} WHERE id = {SchedulerLease.SINGLETON})
FROM {{jobs}} j JOIN {JobSpec._meta.db_table} s ON s.job_id = j.id
     LEFT JOIN {ConcurrencyGroup._meta.db_table} g ON g.name = s.concurrency_group
WHERE j.next_run_time IS NOT NULL ORDER BY j.next_run_time LIMIT %s
"""
_JOBS = DjangoJob._meta.db_table
#: The first ticks by their index alone: left to itself, PostgreSQL would rather join and sort all jobs.
_FIRST = f"(SELECT id, next_run_time FROM {_JOBS} WHERE next_run_time IS NOT NULL ORDER BY next_run_time LIMIT %s)"


def upcoming(now: datetime, limit: int) -> Upcoming:
    """Return the first ``limit`` ticks of all jobs, parted into those that are due and the next one."""
    moments_asked = {"tick": "j.next_run_time", "anchor": "s.anchor", "skip": "s.skip_tick"}
    columns = {name: moment_column(column) for name, column in moments_asked.items()}
    found = _parted(read(_STATEMENT.format(jobs=_FIRST, **columns), [limit, limit]), now, limit)
    if found.next_tick is None and not found.more:
        # All that there are, or jobs of plain django-apscheduler, which have no definition here, stand before the rest.
        found = _parted(read(_STATEMENT.format(jobs=_JOBS, **columns), [limit]), now, limit)
    return found


def _parted(rows: Sequence[tuple[Any, ...]], now: datetime, limit: int) -> Upcoming:
    _, moment = moments()
    found = Upcoming()
    for job_id, tick, state, revision, function, trigger, anchor, *options, skip, blackouts in rows:
        next_run_time = moment(tick)
        if next_run_time > now:
            found.next_tick = next_run_time
            return found
        found.blackouts = blackouts or ""
        due = Due(job_id, next_run_time, state, revision, function, trigger, moment(anchor), *options)
        if skip is not None:
            due.skip_tick = moment(skip)
        found.due.append(due)
    found.more = len(rows) == limit
    return found
