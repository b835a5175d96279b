"""The claim: advance ``next_run_time`` and insert the execution, together or not at all.

It is a compare-and-set on the ``next_run_time`` that was seen, so any number of processes may claim at once and each
tick is claimed exactly once. What is decided for a tick, and why, is written with it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.sql import update_from_values
from app_scheduler.exceptions import ConsoleError
from app_scheduler.models import JobSpec, JobState, Status
from app_scheduler.registry import registry

logger = logging.getLogger(__name__)

#: Jobs per claim: bounds a pass's transaction, so that the heartbeat between passes is never late.
CLAIM_BATCH = 500
#: Ticks of one job that one pass queues where its job does not coalesce; the next pass goes on from there.
TICKS_PER_PASS = 100


@dataclass(frozen=True, slots=True)
class Outage:
    """The time in which nobody led, to be named where it made ticks late."""

    since: datetime
    until: datetime

    def __str__(self) -> str:
        local = [timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S") for moment in (self.since, self.until)]
        return f"no scheduler was running from {local[0]} to {local[1]}"


@dataclass(slots=True)
class Decision:
    """What becomes of a due job: the executions of its ticks and its next tick."""

    spec: JobSpec
    seen: datetime
    next_run_time: datetime | None
    entries: list[Entry] = field(default_factory=list)
    state: JobState = JobState.SCHEDULED
    state_reason: str = ""


@dataclass(slots=True)
class Claimed:
    """What one claim did."""

    jobs: int = 0
    more: bool = False
    entries: list[Entry] = field(default_factory=list)


def due_specs(now: datetime, limit: int = CLAIM_BATCH) -> list[JobSpec]:
    """Return the scheduled jobs whose tick has come, the most overdue first, each with its ``DjangoJob``."""
    due = JobSpec.objects.filter(state=JobState.SCHEDULED, job__next_run_time__lte=now)
    return list(due.select_related("job").order_by("job__next_run_time")[:limit])


def next_tick() -> datetime | None:
    """Return the earliest tick of any scheduled job."""
    upcoming = DjangoJob.objects.filter(next_run_time__isnull=False, spec__state=JobState.SCHEDULED)
    return upcoming.order_by("next_run_time").values_list("next_run_time", flat=True).first()


def claim(now: datetime, *, outage: Outage | None = None, limit: int = CLAIM_BATCH) -> Claimed:
    """Claim the ticks that are due, at most ``limit`` jobs."""
    specs = due_specs(now, limit)
    if not specs:
        return Claimed()
    decisions = [decide(spec, now, outage) for spec in specs]
    try:
        won = _write(decisions)
    except IntegrityError:
        # Some tick has its execution already, as after a schedule was moved back by hand. Find it alone.
        won = [decision for decision in decisions if _write_one(decision)]
    return Claimed(
        jobs=len(won), more=len(specs) == limit, entries=[entry for decision in won for entry in decision.entries]
    )


def decide(spec: JobSpec, now: datetime, outage: Outage | None = None) -> Decision:
    """Decide about a due job from its definition alone; nothing is read or written."""
    seen = spec.job.next_run_time
    assert seen is not None
    try:
        registry.get(spec.function)
        schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
        return _decide(spec, schedule, seen, now, outage)
    except ConsoleError as error:
        reason = str(error)
    except Exception as error:
        logger.exception("Job %s cannot be scheduled", spec.job_id)
        reason = f"Its schedule cannot be worked out: {type(error).__name__}: {error}"
    entry = Entry(spec.job_id, seen, now, Status.MISSED, reason=reason)
    return Decision(spec, seen, None, [entry], JobState.BROKEN, reason)


def _decide(
    spec: JobSpec, schedule: triggers.Schedule, seen: datetime, now: datetime, outage: Outage | None
) -> Decision:
    grace = None if spec.misfire_grace_time is None else timedelta(seconds=spec.misfire_grace_time)
    overdue_until = None if grace is None else now - grace
    decision = Decision(spec, seen, None)
    last = seen
    if overdue_until is not None and seen < overdue_until:
        # What is beyond the grace time is missed, and told in one row however long the gap was. A job that coalesces
        # runs once for all its ticks if the last of them is still in time.
        last = schedule.last_before(overdue_until, seen) or seen
        newest = schedule.last_before(now, seen) or seen
        if not (spec.coalesce and newest > last):
            decision.entries.append(_missed(spec, schedule, seen, last, now, outage))
            following = schedule.next_after(last)
            if following is None or following > now:
                return _advance(decision, following)
            seen = following
    if spec.coalesce:
        last = schedule.last_before(now, seen) or seen
        count = 1 + schedule.count_between(seen, last)
        entry = _queued(spec, schedule, last, now)
        if count > 1:
            entry.tick_count = count
            entry.reason = f"Runs once for {count} ticks since {_local(seen)}."
            if outage and seen < outage.until:
                entry.reason += f" In between {outage}."
        decision.entries.append(entry)
        return _advance(decision, schedule.next_after(max(last, now)))
    tick: datetime | None = seen
    while tick is not None and tick <= now and len(decision.entries) < TICKS_PER_PASS:
        decision.entries.append(_queued(spec, schedule, tick, now))
        tick = schedule.next_after(tick)
    return _advance(decision, tick)


def _advance(decision: Decision, following: datetime | None) -> Decision:
    decision.next_run_time = following
    if following is None:
        decision.state = JobState.FINISHED
        decision.state_reason = "Its schedule has come to its end."
    return decision


def _queued(spec: JobSpec, schedule: triggers.Schedule, tick: datetime, now: datetime) -> Entry:
    # Jitter delays the run; the schedule keeps its ticks, or every tick would move the next one.
    delay = timedelta(seconds=random.uniform(0, schedule.jitter)) if schedule.jitter else timedelta(0)
    return Entry(spec.job_id, tick, now, available_at=tick + delay if delay else min(tick, now))


def _missed(
    spec: JobSpec, schedule: triggers.Schedule, seen: datetime, last: datetime, now: datetime, outage: Outage | None
) -> Entry:
    count = 1 + schedule.count_between(seen, last)
    reason = (
        f"It was more than its misfire grace time of {spec.misfire_grace_time} s late"
        if count == 1
        else f"These {count} ticks since {_local(seen)} were more than the misfire grace time of "
        f"{spec.misfire_grace_time} s late"
    )
    reason += f": {outage}." if outage and seen < outage.until else "."
    return Entry(spec.job_id, last, now, Status.MISSED, tick_count=count, reason=reason)


def _local(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def _write(decisions: Sequence[Decision], *, with_entries: bool = True) -> list[Decision]:
    with transaction.atomic():
        ids = update_from_values(
            DjangoJob,
            ["id", "next_run_time"],
            ["next_run_time"],
            [(decision.spec.job_id, decision.spec.job.next_run_time, decision.next_run_time) for decision in decisions],
        )
        won = [decision for decision in decisions if decision.spec.job_id in ids]
        _correct_changed(won)
        if with_entries:
            insert([entry for decision in won for entry in decision.entries])
        update_from_values(
            JobSpec,
            ["job"],
            ["state", "state_reason"],
            [(d.spec.job_id, d.state, d.state_reason) for d in won if d.state != JobState.SCHEDULED],
        )
    return won


def _correct_changed(won: Sequence[Decision]) -> None:
    """Work out the next tick again for a job that was changed between our reading and our claim.

    Its new schedule may be due at the very moment that we saw, so that the compare-and-set cannot tell.
    """
    ids = [decision.spec.job_id for decision in won]
    revisions = dict(JobSpec.objects.filter(job_id__in=ids).values_list("job_id", "revision"))
    for decision in won:
        if revisions.get(decision.spec.job_id) == decision.spec.revision:
            continue
        fresh = JobSpec.objects.filter(job_id=decision.spec.job_id).first()
        if fresh is not None and fresh.state == JobState.SCHEDULED:
            following = triggers.schedule_for(fresh.trigger, anchor=fresh.anchor).next_after(decision.seen)
            _advance(decision, following)
            decision.state = JobState.SCHEDULED if following else JobState.FINISHED
            DjangoJob.objects.filter(id=fresh.job_id).update(next_run_time=following)


def _write_one(decision: Decision) -> bool:
    try:
        return bool(_write([decision]))
    except IntegrityError:
        logger.warning("Job %s has an execution for its tick %s already", decision.spec.job_id, decision.seen)
        _write([decision], with_entries=False)
        return False
