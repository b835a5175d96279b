"""The claim: advance ``next_run_time`` and insert the execution, together or not at all.

It is a compare-and-set on the ``next_run_time`` that was seen, so any number of processes may claim at once and each
tick is claimed exactly once. What is decided for a tick, and why, is written with it. A tick for which a slot is free
starts in the same transaction, so that it costs one commit and not two.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError
from django_apscheduler.models import DjangoJob

from app_scheduler.engine.blackouts import exceptions_for, extend_rows, forget_skips
from app_scheduler.engine.decide import Decision, decide
from app_scheduler.engine.dispatch import Dispatcher, Look, Waiting
from app_scheduler.engine.due import Due, upcoming
from app_scheduler.engine.gaps import Gap
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.runner import Run
from app_scheduler.engine.sql import Guard, JSONText, update_from_values, writing
from app_scheduler.engine.windows import NO_EXCEPTIONS
from app_scheduler.models import JobSpec, Status

logger = logging.getLogger(__name__)

#: Jobs per claim: bounds a pass's transaction, so that the heartbeat between passes is never late.
CLAIM_BATCH = 500
#: Ticks looked at when few are expected: those that are due and the next one, in one query.
GLANCE = 20


@dataclass(slots=True)
class Claimed:
    """What one claim did: how many jobs it advanced, their executions, and what it started or sent at once."""

    jobs: int = 0
    more: bool = False
    next_tick: datetime | None = None
    entries: list[Entry] = field(default_factory=list)
    started: list[Run] = field(default_factory=list)
    sent: list[Waiting] = field(default_factory=list)


def claim(
    now: datetime,
    *,
    gaps: Sequence[Gap] = (),
    limit: int = CLAIM_BATCH,
    dispatcher: Dispatcher | None = None,
    instance: str = "",
) -> Claimed:
    """Claim the ticks that are due, at most ``limit`` jobs; ``gaps`` are what may have made them late.

    With a ``dispatcher`` that has room and leaves nothing waiting, executions start at once under ``instance``, and
    are handed over once that is committed.
    """
    found = upcoming(now, min(GLANCE, limit))
    if found.more and limit > GLANCE:
        found = upcoming(now, limit)
    claimed = Claimed(more=found.more, next_tick=found.next_tick)
    if not found.due:
        return claimed
    exceptions = exceptions_for(found, now)

    def decided() -> list[Decision]:
        return [decide(due, now, gaps, exceptions.get(due.job_id, NO_EXCEPTIONS)) for due in found.due]

    decisions = decided()
    direct = dispatcher if dispatcher is not None and not dispatcher.rest else None
    try:
        won = _write(decisions, now, direct, instance, claimed)
    except IntegrityError:
        # Some tick has its execution already, as after a schedule was moved back by hand. Find it alone.
        direct = None
        won = [decision for decision in decided() if _write_one(decision, now)]
    claimed.jobs = len(won)
    claimed.entries = [entry for decision in won for entry in decision.entries]
    following = [decision.next_run_time for decision in won if decision.next_run_time is not None]
    claimed.next_tick = min([*following, *([found.next_tick] if found.next_tick else [])], default=None)
    # A job that was changed while we decided keeps its tick, to be looked at again.
    claimed.more = found.more or len(won) < len(decisions)
    if direct is not None:
        direct.submit(claimed.started)
        direct.publish(claimed.sent)
    elif dispatcher is not None:
        dispatcher.note_queued([decision.spec for decision in won])
    return claimed


def _write(
    decisions: Sequence[Decision], now: datetime, dispatcher: Dispatcher | None, instance: str, claimed: Claimed
) -> list[Decision]:
    with writing():
        won = _advance_ticks(decisions)
        extend_rows(won, now)
        rows = _waiting(won)
        look = Look()
        if dispatcher:
            available = sorted((row for row, *_ in rows if row.available_at <= now), key=Waiting.order)
            look = dispatcher.fenced(dispatcher.decide_claimed(available, now))
        entry_of = {id(row): (entry, due) for row, entry, due in rows}
        for row in look.start:
            entry, due = entry_of[id(row)]
            if dispatcher and dispatcher.sends(row):
                entry.is_sent = True
                continue
            entry.status, entry.instance = Status.STARTED, instance
            entry.function, entry.args, entry.kwargs = due.function, JSONText(due.args), JSONText(due.kwargs)
        for row, status, reason in look.settle:
            entry, _ = entry_of[id(row)]
            entry.status, entry.reason = status, f"{reason} {entry.reason}".strip()
        entries = [entry for decision in won for entry in decision.entries]
        ids = dict(zip(map(id, entries), insert(entries), strict=True))
        _write_states(won)
        for row, entry, _ in rows:
            row.execution_id = ids[id(entry)]
        begun = [(row, *entry_of[id(row)]) for row in look.start]
        runs = [row.run(due.function, due.args, due.kwargs) for row, entry, due in begun if not entry.is_sent]
        if dispatcher:
            dispatcher.in_doubt.update((run.execution_id, run) for run in runs)
    if dispatcher:
        dispatcher.remember(look, [row for row, *_ in rows if row.available_at > now])
    claimed.started = runs
    claimed.sent = [row for row, entry, _ in begun if entry.is_sent]
    return won


def _waiting(won: Sequence[Decision]) -> list[tuple[Waiting, Entry, Due]]:
    """Return what is queued as dispatch sees it, each with its entry and its job."""
    return [
        (
            Waiting(
                0,
                due.job_id,
                entry.run_time,
                entry.available_at or entry.queued_at,
                entry.origin,
                entry.attempt,
                due.function,
                due.executor,
                due.coalesce,
                due.max_instances,
                due.misfire_grace_time,
                due.timeout,
                due.max_retries,
                due.retry_backoff,
                due.queue,
                due.priority,
                due.concurrency_group,
                due.group_slots,
            ),
            entry,
            due,
        )
        for decision in won
        for due in (decision.spec,)
        for entry in decision.entries
        if entry.status == Status.QUEUED
    ]


def _advance_ticks(decisions: Sequence[Decision]) -> list[Decision]:
    """Move the next ticks on; return what was decided from a definition that nobody changed meanwhile."""
    ids = update_from_values(
        DjangoJob,
        ["id", "next_run_time"],
        ["next_run_time"],
        [(d.spec.job_id, d.seen, d.next_run_time, d.spec.revision) for d in decisions],
        guard=Guard(JobSpec, "job", ("revision",)),
    )
    return [decision for decision in decisions if decision.spec.job_id in ids]


def _write_states(won: Sequence[Decision]) -> None:
    forget_skips(won)
    changed = [d for d in won if d.state != d.spec.state]
    update_from_values(
        JobSpec,
        ["job"],
        ["state", "state_reason", "held_from"],
        [(d.spec.job_id, d.state, d.state_reason, d.held_from) for d in changed],
    )


def _write_one(decision: Decision, now: datetime) -> bool:
    try:
        return bool(_write([decision], now, None, "", Claimed()))
    except IntegrityError:
        logger.warning("Job %s has an execution for its tick %s already", decision.spec.job_id, decision.seen)
        with writing():
            _write_states(_advance_ticks([decision]))
        return False
