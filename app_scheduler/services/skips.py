"""Skipping the next tick of jobs, and taking that back before it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.utils.translation import gettext

from app_scheduler import scheduler, triggers
from app_scheduler.engine.blackouts import windows_since
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.skipping import overtaken, skip_to_come, tick_to_skip
from app_scheduler.engine.windows import next_free
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec, JobState
from app_scheduler.services.audit import MAX_REASON, Actor, log_jobs, names_of, with_reason
from app_scheduler.services.jobs import get_job

__all__ = [
    "forgotten_skip",
    "skip_next",
    "skip_next_of",
    "skip_to_come",
    "skipping_would",
    "too_long",
    "unskip_next",
    "unskip_next_of",
    "why_no_skip",
]


def skip_next_of(ids: Sequence[str], actor: Actor, *, reason: str = "") -> dict[str, datetime]:
    """Keep the next tick of each of these jobs from running; return the ticks by job.

    Left out are jobs that are not scheduled, that skip a tick already or that have none to skip.
    """
    if len(reason) > MAX_REASON:
        raise InvalidInput({"reason": too_long()})
    skipped: dict[str, datetime] = {}
    asked = list(ids)
    for _ in range(3):
        with transaction.atomic():
            found = scheduler.skip_next(asked, by=actor.user, reason=reason)
            _log("Skips the tick at {tick}", found, actor, reason)
        skipped |= found
        # What a claim was faster with has another next tick by now.
        asked = overtaken(found, utc_now())
        if not asked:
            break
    return {job_id: tick for job_id, tick in skipped.items() if job_id not in asked}


def unskip_next_of(ids: Sequence[str], actor: Actor, *, reason: str = "") -> dict[str, datetime]:
    """Let the ticks that these jobs were to skip run after all; return the ticks by job."""
    with transaction.atomic():
        back = scheduler.unskip_next(ids)
        _log("Does not skip the tick at {tick} any more", back, actor, reason)
    return back


def skip_next(job_id: str, actor: Actor, *, reason: str = "") -> JobSpec:
    """Keep a job's next tick from running; where it skips one already, nothing changes.

    Raises ``JobNotFound``, and ``InvalidInput`` for a job without a tick that could be skipped.
    """
    spec = get_job(job_id)
    if not skip_next_of([job_id], actor, reason=reason):
        spec = get_job(job_id)
        if skip_to_come(spec) is None or spec.state != JobState.SCHEDULED:
            raise InvalidInput(_why_not(spec))
    return get_job(job_id)


def unskip_next(job_id: str, actor: Actor, *, reason: str = "") -> JobSpec:
    """Let the tick that a job was to skip run after all; where it skips none, nothing changes.

    Raises ``JobNotFound``.
    """
    get_job(job_id)
    unskip_next_of([job_id], actor, reason=reason)
    return get_job(job_id)


def skipping_would(spec: JobSpec) -> tuple[datetime | None, datetime | None]:
    """Return the tick that a job would skip, None where it has none to skip or skips one already, and the next run."""
    windows = windows_since(utc_now() - timedelta(days=1))
    tick = tick_to_skip(spec, windows) if spec.state == JobState.SCHEDULED else None
    if tick is None:
        return None, None
    schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
    following = schedule.next_after(tick)
    mine = [window for window in windows if window.is_for(spec.words)]
    return tick, None if following is None else next_free(schedule, following, mine)


def forgotten_skip(before: JobSpec, after: JobSpec) -> datetime | None:
    """Return the tick that a job was to skip until its schedule was changed, or None. ``before`` is as it was read."""
    if before.trigger == after.trigger or after.skip_tick is not None:
        return None
    return skip_to_come(before, utc_now())


def why_no_skip(spec: JobSpec) -> str:
    """Return why a job has no tick to skip, and what to do."""
    tick = skip_to_come(spec) if spec.state == JobState.SCHEDULED else None
    return gettext("It skips its next tick already.") if tick is not None else _why_not(spec)


def _why_not(spec: JobSpec) -> str:
    if spec.state == JobState.PAUSED:
        return gettext("This job is paused: none of its ticks runs. Resume it first, then skip the next one.")
    if spec.state == JobState.FINISHED:
        return gettext("This job is finished: it has no tick to skip. Give it another schedule first.")
    if spec.state == JobState.BROKEN:
        return gettext("This job is broken: it has no tick to skip. Repair it first.")
    return gettext("All ticks that this job has left fall into blackout windows: it has none to skip.")


def too_long() -> str:
    """Return what is wrong with a reason that is too long."""
    return gettext("Shorten the reason to at most %(count)s characters.") % {"count": f"{MAX_REASON:,}"}


def _log(message: str, ticks: Mapping[str, datetime], actor: Actor, reason: str) -> None:
    names = names_of(list(ticks))
    entries = [
        (
            JobSpec(job_id=job_id, name=names.get(job_id, "")),
            CHANGE,
            with_reason(message.format(tick=tick.isoformat(timespec="seconds")), reason),
        )
        for job_id, tick in ticks.items()
    ]
    log_jobs(entries, actor)
