"""What of jobs decides when they are due, read in two queries.

Thousands of rows make a page: columns come as the database gives them, and only moments that matter are made out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Case, Q, TextField, Value, When
from django.db.models.functions import Cast

from app_scheduler.models import JobState
from app_scheduler.services.patterns import WITHOUT_ANCHOR
from app_scheduler.triggers.minutes import Window


class Row(NamedTuple):
    """What of a job decides when it is due. ``trigger`` and ``tags`` are JSON."""

    job_id: str
    trigger: str
    state: str
    #: None where the ticks in the window do not depend on it.
    anchor: datetime | None
    #: None where it lies before the window or has passed.
    next_run_time: datetime | None
    #: None where it is not in the window.
    skip_tick: datetime | None = None
    #: None where there are no blackouts.
    tags: str | None = None
    held_from: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None


#: A row as a plain tuple with the fields of ``Row``, the last three of them only where a job is paused or broken.
Fields = tuple[Any, ...]


def rows_of(window: Window, jobs: Any, now: datetime, *, has_blackouts: bool) -> Iterator[Fields]:
    """Yield the fields of each job of a queryset of ``JobSpec``. Moments that cannot matter are left out."""
    jobs = jobs.order_by()
    if window.start > now:
        jobs = jobs.exclude(state=JobState.FINISHED)
    matters = ~Q(trigger_type__in=WITHOUT_ANCHOR) | Q(anchor__gte=window.start)
    columns = (
        "job_id",
        # As text, since many jobs have the same trigger, which is then read once.
        Cast("trigger", TextField()),
        "state",
        _moment(matters, "anchor"),
        _moment(Q(job__next_run_time__gt=max(now, window.start)), "job__next_run_time"),
        _moment(Q(skip_tick__gte=window.start, skip_tick__lt=window.end), "skip_tick"),
        Cast("tags", TextField()) if has_blackouts else Value(None, output_field=TextField()),
    )
    zone = connections[jobs.db].timezone
    held = Q(state__in=(JobState.PAUSED, JobState.BROKEN))
    for job_id, trigger, state, anchor, following, skip_tick, tags in jobs.exclude(held).values_list(*columns):
        if anchor is not None:
            anchor = _aware(anchor, zone)
        if following is not None:
            following = _aware(following, zone)
        if skip_tick is not None:
            skip_tick = _aware(skip_tick, zone)
        yield job_id, trigger, state, anchor, following, skip_tick, tags
    moments = ("held_from", "paused_at", "paused_until")
    for job_id, trigger, state, *middle, tags, held_from, paused_at, until in jobs.filter(held).values_list(
        *columns, *moments
    ):
        aware = [None if moment is None else _aware(moment, zone) for moment in middle]
        yield job_id, trigger, state, *aware, tags, held_from, paused_at, until


def _moment(matters: Q, column: str) -> Case:
    # Called a text, it comes without Django's conversion, which takes longer than all the rest of the row.
    return Case(When(matters, then=column), output_field=TextField())


def _aware(moment: Any, zone: Any) -> datetime:
    """Return a moment as a database gives it: SQLite as text, in the connection's zone."""
    read: datetime = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.replace(tzinfo=zone) if read.tzinfo is None else read.astimezone(UTC)
