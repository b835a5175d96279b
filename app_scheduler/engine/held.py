"""The ticks that no claim will ever see: those of a job that was paused, broken or changed before they could run.

One row with the verdict missed stands for all that a job left behind, with the first and the last of them and why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from app_scheduler import triggers
from app_scheduler.engine.decide import count_ticks
from app_scheduler.engine.gaps import local, span, with_cause
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.models import JobSpec, JobState, Status

logger = logging.getLogger(__name__)

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Passed:
    """Ticks without a verdict, from the first to the last, and why: ``single`` and ``several`` are their reasons."""

    job_id: str
    schedule: triggers.Schedule
    first: datetime
    last: datetime
    now: datetime
    single: str
    several: str

    def entry(self) -> Entry:
        count, said = count_ticks(self.schedule, self.first, self.last)
        if count == 1:
            return Entry(self.job_id, self.last, self.now, Status.MISSED, reason=self.single)
        reason = self.several.format(ticks=f"These {said} ticks {span(self.first, self.last)}")
        return Entry(
            self.job_id, self.last, self.now, Status.MISSED, tick_count=count, first_tick=self.first, reason=reason
        )

    def without_last(self) -> Passed | None:
        """Return the same without the last tick, or None when it was the only one."""
        before = self.schedule.last_before(self.last - MICROSECOND, self.first - MICROSECOND)
        if before is None:
            return None
        return Passed(self.job_id, self.schedule, self.first, before, self.now, self.single, self.several)


def end_of_pause(spec: JobSpec, now: datetime) -> datetime | None:
    """Return when a pause ended by itself before anybody looked, or None where it is ended now.

    The tick at that moment and those after it are not the pause's: they were only late to be claimed.
    """
    until = spec.paused_until
    return until if spec.state == JobState.PAUSED and until is not None and until <= now else None


def passed_while_held(spec: JobSpec, now: datetime) -> Passed | None:
    """Return the ticks that passed up to ``now`` while a job was paused or broken, as its row says since when.

    ``spec`` has its stored values, with ``paused_by`` at hand.
    """
    ended = end_of_pause(spec, now)
    since = spec.held_from or spec.paused_at
    if since is None:
        return None
    began = spec.paused_at or since
    if spec.state == JobState.PAUSED:
        state = f"was paused by {spec.paused_by}" if spec.paused_by else "was paused"
    else:
        state = "was broken"
        began = since
    single = with_cause(f"It {state} {span(began, ended or now)}", spec.state_reason)
    several = with_cause(f"passed while it {state}", spec.state_reason)
    return _passed(spec, since, now if ended is None else ended - MICROSECOND, now, f"{single}.", several)


def passed_before_change(spec: JobSpec, following: datetime | None, now: datetime) -> Passed | None:
    """Return the ticks that were due and not yet claimed when a scheduled job was changed; it goes on at ``following``.

    ``spec`` has its stored values, with its ``DjangoJob``.
    """
    since = spec.job.next_run_time
    if since is None or since > now:
        return None
    until = now if following is None else min(now, following - MICROSECOND)
    when = local(now)
    single = f"It had not run when the job was changed at {when}."
    return _passed(spec, since, until, now, single, f"had not run when the job was changed at {when}")


def _passed(spec: JobSpec, since: datetime, until: datetime, now: datetime, single: str, several: str) -> Passed | None:
    try:
        schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
        first = schedule.next_after(since - MICROSECOND)
        last = None if first is None or first > until else schedule.last_before(until, since - MICROSECOND)
    except Exception:
        # A schedule that cannot be worked out has no ticks that anybody could name.
        logger.info("The ticks of job %s that passed cannot be told", spec.job_id, exc_info=True)
        return None
    if first is None or last is None:
        return None
    escaped = several.replace("{", "{{").replace("}", "}}")
    return Passed(spec.job_id, schedule, first, last, now, single, f"{{ticks}} {escaped}.")


def record(passed: Sequence[Passed | None]) -> None:
    """Insert a row for each of ``passed``, in bulk. The caller holds the transaction."""
    rows = [each for each in passed if each is not None]
    if not rows:
        return
    try:
        with transaction.atomic():
            insert([each.entry() for each in rows])
    except IntegrityError:
        # Some tick has its execution already, as after a schedule was moved back by hand. Find it alone.
        for each in rows:
            _record_one(each)


def _record_one(passed: Passed) -> None:
    """Insert one row; where its last tick has an execution already, it stands for those before."""
    left: Passed | None = passed
    for _ in range(10):
        if left is None:
            return
        try:
            with transaction.atomic():
                insert([left.entry()])
            return
        except IntegrityError:
            left = left.without_last()
    logger.warning("The ticks of job %s from %s on have executions already", passed.job_id, passed.first)
