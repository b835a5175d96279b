"""What the claim needs to know of blackout windows and skipped ticks, and what it writes about them.

Each process remembers the windows until the lease says that they changed, which comes with the ticks themselves: a
pass without windows asks and writes nothing more, one in a blackout a handful of statements for all its jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db.models import Q
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.due import Upcoming
from app_scheduler.engine.lease import ensure_lease
from app_scheduler.engine.queue import timestamp
from app_scheduler.engine.sql import among, update_from_values
from app_scheduler.engine.verdicts import Verdict, note
from app_scheduler.engine.windows import (
    Exceptions,
    OpenRow,
    Window,
    causes_between,
    exceptions_of,
    skip_of,
    window_of,
)
from app_scheduler.models import BlackoutWindow, ExecutionDetail, JobSpec, SchedulerLease, Status

if TYPE_CHECKING:
    from app_scheduler.engine.decide import Decision


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The windows that were not over at ``since``, as they were when the lease said ``word``."""

    word: str
    since: datetime
    windows: tuple[Window, ...]


_remembered: _Remembered | None = None


def note_change() -> None:
    """Let every process know that the blackout windows are others now. The caller holds the transaction."""
    ensure_lease()
    lease = SchedulerLease.objects.filter(id=SchedulerLease.SINGLETON)
    # First the row's lock: whoever changes windows at the same time is waited for, and seen by what follows.
    lease.update(blackouts=uuid4().hex)
    if not BlackoutWindow.objects.exists():
        lease.update(blackouts="")


def windows_since(moment: datetime) -> list[Window]:
    """Return the windows that are not over at ``moment``, in one query."""
    rows = BlackoutWindow.objects.filter(Q(over_at__isnull=True) | Q(over_at__gt=moment)).select_related("set_by")
    return [window_of(row) for row in rows.order_by("pk")]


def exceptions_for(found: Upcoming, now: datetime) -> Mapping[str, Exceptions]:
    """Return what keeps ticks of due jobs from running, by job; jobs without anything may be left out."""
    if not found.due:
        return {}
    since = min(due.next_run_time for due in found.due)
    active = causes_between(_known(found.blackouts, since), since, now) if found.blackouts else []
    skipping = [due.job_id for due in found.due if due.skip_tick is not None and due.skip_tick <= now]
    asked = [due.job_id for due in found.due] if active else skipping
    if not asked:
        return {}
    columns = ("job_id", "tags", "last_execution_id", "skip_reason", f"skip_by__{get_user_model().USERNAME_FIELD}")
    notes = {row[0]: row for row in JobSpec.objects.filter(job_id__in=among(asked)).values_list(*columns)}
    skipped = [due for due in found.due if due.last_status == Status.SKIPPED] if active else []
    rows = _open_rows([notes[due.job_id][2] for due in skipped if due.job_id in notes])
    exceptions = {}
    for due in found.due:
        _, tags, last, reason, by = notes.get(due.job_id, (due.job_id, [], None, "", None))
        skip = None if due.skip_tick is None or due.skip_tick > now else skip_of(due.skip_tick, str(by or ""), reason)
        exceptions[due.job_id] = exceptions_of(active, words_of(tags), skip=skip, open_row=rows.get(last))
    return exceptions


def words_of(tags: Any) -> list[str]:
    """Return a job's tags; none where its row holds something else."""
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _known(word: str, since: datetime) -> tuple[Window, ...]:
    """Return the windows that may swallow ticks from ``since`` on, and perhaps some that were over before."""
    global _remembered
    known = _remembered
    if known is None or known.word != word or since < known.since:
        known = _remembered = _Remembered(word, since, tuple(windows_since(since)))
    return known.windows


def _open_rows(ids: Iterable[int | None]) -> dict[int, OpenRow]:
    wanted = [pk for pk in ids if pk is not None]
    if not wanted:
        return {}
    rows = ExecutionDetail.objects.filter(execution__in=among(wanted), execution__status=Status.SKIPPED)
    columns = ("execution_id", "execution__run_time", "first_tick", "tick_count", "reason")
    return {
        pk: OpenRow(pk, run_time, first_tick or run_time, tick_count, reason)
        for pk, run_time, first_tick, tick_count, reason in rows.values_list(*columns)
    }


def extend_rows(won: Sequence[Decision], now: datetime) -> None:
    """Add swallowed ticks to the rows that stand for those before them; where a row is gone, they get one of their own.

    The caller holds the transaction that advances the ticks. Raises ``IntegrityError`` where a tick has its execution.
    """
    extending = [(decision.spec.job_id, decision.extension) for decision in won if decision.extension is not None]
    if not extending:
        return
    rows = [(each.row.execution_id, each.row.run_time, each.run_time, timestamp(now)) for _, each in extending]
    kept = update_from_values(DjangoJobExecution, ["id", "run_time"], ["run_time", "finished"], rows)
    update_from_values(
        ExecutionDetail,
        ["execution"],
        ["tick_count", "first_tick", "reason", "finished_at"],
        [
            (each.row.execution_id, each.tick_count, each.row.first_tick, each.reason, now)
            for _, each in extending
            if each.row.execution_id in kept
        ],
    )
    note(
        Verdict(job_id, Status.SKIPPED, each.row.execution_id, now, each.tick_count - each.row.tick_count)
        for job_id, each in extending
        if each.row.execution_id in kept
    )
    for decision in won:
        if decision.extension is not None and decision.extension.row.execution_id not in kept:
            decision.entries.insert(0, decision.extension.alone)


def forget_skips(won: Sequence[Decision]) -> None:
    """Take back what was asked for a tick that has its verdict now, or that has gone by."""
    rows = [(decision.spec.job_id, None, None, "") for decision in won if decision.ends_skip]
    update_from_values(JobSpec, ["job"], ["skip_tick", "skip_by", "skip_reason"], rows)
