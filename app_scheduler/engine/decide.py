"""What becomes of a due job: which executions its ticks get and when it is due next, from its definition alone.

Nothing is read or written here, so that each rule about coalescing and misfires can be tested without a database.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from app_scheduler import documents, triggers
from app_scheduler.conf import console_settings
from app_scheduler.engine.due import Due
from app_scheduler.engine.gaps import Gap, local, named, span
from app_scheduler.engine.language import ledger_language
from app_scheduler.engine.queue import Entry
from app_scheduler.engine.windows import NO_EXCEPTIONS, Exceptions, OpenRow, Stretch
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobState, Status
from app_scheduler.registry import registry

logger = logging.getLogger(__name__)

#: Ticks of one job that one pass queues where its job does not coalesce; the next pass goes on from there.
TICKS_PER_PASS = 100


@dataclass(frozen=True, slots=True)
class Extension:
    """Swallowed ticks to be added to the row that stands for those before them: what it then says.

    ``alone`` is the row of their own that they get where that one is gone.
    """

    row: OpenRow
    run_time: datetime
    tick_count: int
    reason: str
    alone: Entry


@dataclass(slots=True)
class Decision:
    """What becomes of a due job: the executions of its ticks and its next tick.

    ``ends_skip`` says that the tick that somebody asked to skip has been settled or has gone by.
    """

    spec: Due
    seen: datetime
    next_run_time: datetime | None
    entries: list[Entry] = field(default_factory=list)
    state: JobState = JobState.SCHEDULED
    state_reason: str = ""
    held_from: datetime | None = None
    extension: Extension | None = None
    ends_skip: bool = False


def decide(spec: Due, now: datetime, gaps: Sequence[Gap] = (), exceptions: Exceptions = NO_EXCEPTIONS) -> Decision:
    """Decide about a due job from its definition alone; nothing is read or written.

    ``gaps`` are what may have made its ticks late; those that did are named in the reasons. ``exceptions`` are what
    keeps some of them from running.
    """
    seen = spec.next_run_time
    if spec.state != JobState.SCHEDULED:
        # As after somebody wrote into the table by hand: what is paused, finished or broken has no tick.
        return Decision(spec, seen, None, [], JobState(spec.state))
    with ledger_language():
        try:
            schedule = partial(triggers.schedule_of_text, spec.trigger, anchor=spec.anchor)
            fault = None
            if _is_suspect(spec):
                fault = documents.fault_in(spec.function, f"[{spec.args}, {spec.kwargs}]", spec.executor, schedule)
            if fault is None:
                return _decide(spec, schedule(), seen, now, gaps, exceptions)
            reason = str(fault)
        except InvalidInput as error:
            reason = str(error.under("trigger"))
        except Exception as error:
            logger.exception("Job %s cannot be scheduled", spec.job_id)
            reason = f"Its schedule cannot be worked out: {type(error).__name__}: {error}"
    entry = Entry(spec.job_id, seen, now, Status.MISSED, reason=reason)
    # This tick has its verdict; those after it wait for theirs until the job is mended.
    return Decision(spec, seen, None, [entry], JobState.BROKEN, reason, seen + timedelta(microseconds=1))


def _is_suspect(spec: Due) -> bool:
    """Tell whether to look closely. A job that runs without an error proves that its arguments fit its function."""
    known = registry.find(spec.function) is not None and spec.executor in console_settings.executors
    return not known or spec.last_status == Status.ERROR


def _decide(
    spec: Due,
    schedule: triggers.Schedule,
    seen: datetime,
    now: datetime,
    gaps: Sequence[Gap],
    exceptions: Exceptions,
) -> Decision:
    decision = Decision(spec, seen, None)
    if not exceptions.causes:
        # As nearly always.
        return advance(decision, _settle(decision, schedule, seen, now, now, gaps))
    tick: datetime | None = seen
    while tick is not None and tick <= now and len(decision.entries) < TICKS_PER_PASS:
        stretch = exceptions.stretch(schedule, tick, now)
        if stretch.cause is not None:
            tick = _swallow(decision, schedule, stretch, tick, now, exceptions.open_row)
            continue
        newest = exceptions.newest_free(schedule, now, stretch.last) if spec.coalesce else None
        if newest is not None and _is_in_time(spec, newest, now):
            _leave_to(newest, decision, schedule, tick, stretch.last, now, gaps)
            tick = stretch.following
        else:
            tick = _settle(decision, schedule, tick, stretch.last, now, gaps)
    return advance(decision, tick)


def _settle(
    decision: Decision,
    schedule: triggers.Schedule,
    seen: datetime,
    until: datetime,
    now: datetime,
    gaps: Sequence[Gap],
) -> datetime | None:
    """Decide about the ticks from ``seen`` to ``until``; return the first that is not decided about."""
    spec = decision.spec
    grace = None if spec.misfire_grace_time is None else timedelta(seconds=spec.misfire_grace_time)
    overdue_until = None if grace is None else min(until, now - grace)
    following = schedule.next_after(seen)
    if _is_in_time(spec, seen, now) and (following is None or following > until):
        # As nearly always: one tick is due, and in time.
        entry = _queued(spec, schedule, seen, now)
        entry.reason = _late(gaps, seen)
        decision.entries.append(entry)
        return following
    last = seen
    if overdue_until is not None and not _is_in_time(spec, seen, now):
        # What is beyond the grace time is missed, and told in one row however long the gap was. A job that coalesces
        # runs once for all its ticks if the last of them is still in time.
        last = schedule.last_before(overdue_until, seen) or seen
        newest = schedule.last_before(until, seen) or seen
        if not (spec.coalesce and newest > last):
            missed = _missed(spec, schedule, seen, last, now, gaps)
            decision.entries.append(missed)
            following = schedule.next_after(last)
            if following is None or following > until:
                return following
            missed.reason += f" Newer ticks, from {local(following)} on, are in time."
            seen = following
    if spec.coalesce:
        last = schedule.last_before(until, seen) or seen
        count, said = count_ticks(schedule, seen, last)
        entry = _queued(spec, schedule, last, now)
        if count > 1:
            entry.tick_count, entry.first_tick = count, seen
            entry.reason = f"Runs once for {said} ticks since {local(seen)}."
            causes = named(gaps, seen)
            if causes:
                entry.reason += f" In between {causes}."
        else:
            entry.reason = _late(gaps, last)
        decision.entries.append(entry)
        return schedule.next_after(max(last, until))
    tick: datetime | None = seen
    while tick is not None and tick <= until and len(decision.entries) < TICKS_PER_PASS:
        entry = _queued(spec, schedule, tick, now)
        entry.reason = _late(gaps, tick)
        decision.entries.append(entry)
        tick = schedule.next_after(tick)
    return tick


def _is_in_time(spec: Due, tick: datetime, now: datetime) -> bool:
    grace = spec.misfire_grace_time
    return grace is None or tick >= now - timedelta(seconds=grace)


def _leave_to(
    newest: datetime,
    decision: Decision,
    schedule: triggers.Schedule,
    first: datetime,
    last: datetime,
    now: datetime,
    gaps: Sequence[Gap],
) -> None:
    """Leave late ticks before a blackout to the run of the newest one after it, as the job coalesces."""
    count, said = count_ticks(schedule, first, last)
    which = "It was late" if count == 1 else f"These {said} ticks {span(first, last)} were late"
    causes = named(gaps, first)
    reason = f"{which}{f': {causes}' if causes else ''}. The job runs once for all its late ticks, at {local(newest)}."
    decision.entries.append(_verdict(decision.spec, Status.SKIPPED, count, first, last, now, reason))


def _swallow(
    decision: Decision,
    schedule: triggers.Schedule,
    stretch: Stretch,
    first: datetime,
    now: datetime,
    row: OpenRow | None,
) -> datetime | None:
    """Give ticks that something keeps from running their verdict; return the first tick after them.

    Those that follow the ticks of a row with the same cause, as in a blackout that lasts, are added to it.
    """
    cause, last, spec = stretch.cause, stretch.last, decision.spec
    assert cause is not None
    count, said = count_ticks(schedule, first, last)
    reason = cause.single if count == 1 else f"These {said} ticks {span(first, last)} {cause.ending}"
    entry = _verdict(spec, Status.SKIPPED, count, first, last, now, reason)
    goes_on = None if row is None or decision.entries else schedule.next_after(row.run_time)
    if row is not None and row.reason.endswith(cause.ending) and _is_same(goes_on, first):
        total = row.tick_count + count
        is_vague = "at least" in said or row.reason.startswith("These at least")
        said = f"at least {total:,}" if is_vague else str(total)
        reason = f"These {said} ticks {span(row.first_tick, last)} {cause.ending}"
        decision.extension = Extension(row, last, total, reason, entry)
    else:
        decision.entries.append(entry)
    if stretch.following is None:
        decision.state_reason = f"Its schedule has come to its end, and its last tick did not run. {reason}"
    return stretch.following


def _is_same(tick: datetime | None, other: datetime) -> bool:
    # In a repeated hour, equal moments of different zones are never called equal.
    return tick is not None and tick.astimezone(UTC) == other.astimezone(UTC)


def _verdict(
    spec: Due, status: Status, count: int, first: datetime, last: datetime, now: datetime, reason: str
) -> Entry:
    first_tick = first if count > 1 else None
    return Entry(spec.job_id, last, now, status, tick_count=count, first_tick=first_tick, reason=reason)


def advance(decision: Decision, following: datetime | None) -> Decision:
    skip = decision.spec.skip_tick
    decision.next_run_time = following
    decision.ends_skip = skip is not None and (following is None or following > skip)
    if following is None:
        decision.state = JobState.FINISHED
        decision.state_reason = decision.state_reason or "Its schedule has come to its end."
    return decision


def _queued(spec: Due, schedule: triggers.Schedule, tick: datetime, now: datetime) -> Entry:
    # Jitter delays the run; the schedule keeps its ticks, or every tick would move the next one.
    delay = timedelta(seconds=random.uniform(0, schedule.jitter)) if schedule.jitter else timedelta(0)
    available_at = tick + delay if delay else min(tick, now)
    return Entry(spec.job_id, tick, now, available_at=available_at, priority=spec.priority)


def _late(gaps: Sequence[Gap], tick: datetime) -> str:
    causes = named(gaps, tick) if gaps else ""
    return f"It is late: {causes}." if causes else ""


def _missed(
    spec: Due, schedule: triggers.Schedule, seen: datetime, last: datetime, now: datetime, gaps: Sequence[Gap]
) -> Entry:
    count, said = count_ticks(schedule, seen, last)
    reason = (
        f"It was more than its misfire grace time of {spec.misfire_grace_time} s late"
        if count == 1
        else f"These {said} ticks since {local(seen)} were more than the misfire grace time of "
        f"{spec.misfire_grace_time} s late"
    )
    causes = named(gaps, seen)
    reason += f": {causes}." if causes else "."
    return _verdict(spec, Status.MISSED, count, seen, last, now, reason)


def count_ticks(schedule: triggers.Schedule, first: datetime, last: datetime) -> tuple[int, str]:
    """Count the ticks from ``first`` to ``last``, both of them ticks; return the number and how a reason says it."""
    counted = schedule.count_between(first, last)
    if not schedule.counts_exactly and counted >= triggers.COUNT_LIMIT:
        return 1 + counted, f"at least {triggers.COUNT_LIMIT:,}"
    return 1 + counted, str(1 + counted)
