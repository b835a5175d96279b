"""The claim: advance ``next_run_time`` and insert the execution, together or not at all.

It is a compare-and-set on the ``next_run_time`` that was seen, so any number of processes may claim at once and each
tick is claimed exactly once. What is decided for a tick, and why, is written with it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.engine.decide import Decision, Outage, advance, decide
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.sql import update_from_values
from app_scheduler.models import JobSpec, JobState

logger = logging.getLogger(__name__)

#: Jobs per claim: bounds a pass's transaction, so that the heartbeat between passes is never late.
CLAIM_BATCH = 500


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
            advance(decision, following)
            decision.state = JobState.SCHEDULED if following else JobState.FINISHED
            DjangoJob.objects.filter(id=fresh.job_id).update(next_run_time=following)


def _write_one(decision: Decision) -> bool:
    try:
        return bool(_write([decision]))
    except IntegrityError:
        logger.warning("Job %s has an execution for its tick %s already", decision.spec.job_id, decision.seen)
        _write([decision], with_entries=False)
        return False
