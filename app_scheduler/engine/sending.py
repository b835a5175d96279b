"""Executions that a broker carries: sent by the leader, begun by whichever worker is given the message.

What is sent stays queued until a worker begins it, which is a compare-and-set. So a message may come twice, late or
never: what it names starts once, and what nobody has begun for long is sent again. ``sent_at`` is set only meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.connections import engine_cursor
from app_scheduler.engine.queue import give_back, settle
from app_scheduler.engine.runner import Run
from app_scheduler.engine.sql import each_number, moment_column, moments, read, update_from_values, writing
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, Status
from app_scheduler.registry import registry

#: The longest that something sent waits, in seconds, before it is sent again.
LONGEST_WAIT_SECONDS = 600.0
#: Rows that are sent again at once.
BATCH = 500
#: What a worker does not know is tried again after so many seconds, and for so long.
LEAVE_SECONDS = 5.0
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Message:
    """What a broker carries: an execution, and the queue that its job names, "" for the executor's own."""

    execution_id: int
    queue: str


_EXECUTION, _DETAIL, _SPEC = (model._meta.db_table for model in (DjangoJobExecution, ExecutionDetail, JobSpec))
_JOINED = f"FROM {_EXECUTION} e JOIN {_SPEC} s ON s.job_id = e.job_id WHERE e.id = {_DETAIL}.execution_id"
_SEND = f"""
UPDATE {_DETAIL} SET available_at = NULL, sent_at = %s FROM {_EXECUTION} e
WHERE e.id = {_DETAIL}.execution_id AND e.status = %s
AND {_DETAIL}.available_at IS NOT NULL AND {_DETAIL}.execution_id IN ({{}}) RETURNING {_DETAIL}.execution_id
"""
_UNSEND = f"""
UPDATE {_DETAIL} SET available_at = %s, sent_at = NULL
WHERE sent_at IS NOT NULL AND execution_id IN ({{}}) RETURNING execution_id
"""
_COUNT = f"SELECT COUNT(*) FROM {_DETAIL} WHERE sent_at IS NOT NULL"
_OVERDUE = f"""
SELECT d.execution_id, s.executor, s.queue, {{sent_at}}, {{queued_at}}, {{run_time}}
FROM {_DETAIL} d JOIN {_EXECUTION} e ON e.id = d.execution_id JOIN {_SPEC} s ON s.job_id = e.job_id
WHERE d.sent_at IS NOT NULL AND d.sent_at <= %s ORDER BY d.sent_at LIMIT %s
"""
# The execution before its detail, as everywhere: no two processes wait for one another.
_BEGIN = f"""
UPDATE {_EXECUTION} SET status = %s FROM {_DETAIL} d
WHERE d.execution_id = {_EXECUTION}.id AND d.sent_at IS NOT NULL AND {_EXECUTION}.status = %s
AND {_EXECUTION}.id IN ({{}}) RETURNING {_EXECUTION}.id
"""
_BEGIN_DETAIL = f"""
UPDATE {_DETAIL} SET available_at = NULL, sent_at = NULL, started_at = %s, instance = %s, worker = %s,
       function = s.function, args = COALESCE({_DETAIL}.args, s.args), kwargs = COALESCE({_DETAIL}.kwargs, s.kwargs)
{_JOINED} AND {_DETAIL}.execution_id IN ({{}})
"""
_BEGUN = f"""
SELECT d.execution_id, e.job_id, d.function, d.args, d.kwargs, {{run_time}}, {{queued_at}}, d.origin, s.executor,
       d.attempt, s.timeout, s.max_retries, s.retry_backoff, d.priority, s.concurrency_group
FROM {_DETAIL} d JOIN {_EXECUTION} e ON e.id = d.execution_id JOIN {_SPEC} s ON s.job_id = e.job_id
WHERE d.execution_id IN ({{ids}}) AND d.instance = %s AND d.worker = %s AND e.status = %s
"""


def send(ids: Sequence[int], now: datetime) -> set[int]:
    """Mark what is still queued as sent and return the ids of those, to be published after the commit.

    The caller holds the transaction.
    """
    if not ids:
        return set()
    encode, _ = moments()
    document = json.dumps(list(ids))
    return {pk for (pk,) in read(_SEND.format(each_number()), [encode(now), Status.QUEUED.value, document])}


def unsend(ids: Sequence[int], now: datetime) -> set[int]:
    """Put what was sent and nobody has begun back into the queue; return the ids of those."""
    if not ids:
        return set()
    encode, _ = moments()
    with writing():
        return {pk for (pk,) in read(_UNSEND.format(each_number()), [encode(now), json.dumps(list(ids))])}


def count_sent() -> int:
    """Return how many executions are with a broker. One query by the index of those."""
    ((count,),) = read(_COUNT)
    return int(count)


def send_overdue(now: datetime, seconds: float) -> dict[str, list[Message]]:
    """Mark anew what was sent ``seconds`` ago or longer and not begun; return it by executor, to be published.

    Its message may be lost, or only wait behind others: so the wait grows with the age of the execution.
    """
    encode, moment = moments()
    columns = {"sent_at": "d.sent_at", "queued_at": "d.queued_at", "run_time": "e.run_time"}
    statement = _OVERDUE.format(**{name: moment_column(column) for name, column in columns.items()})
    rows = read(statement, [encode(now - timedelta(seconds=seconds)), BATCH])
    found: dict[int, tuple[str, Message, datetime]] = {}
    for pk, executor, queue, sent, queued, run_time in rows:
        sent_at = moment(sent)
        age = (sent_at - max(moment(queued), moment(run_time))).total_seconds()
        if (now - sent_at).total_seconds() >= min(max(age, seconds), LONGEST_WAIT_SECONDS):
            found[pk] = (executor, Message(pk, queue), sent_at)
    with writing():
        won = update_from_values(
            ExecutionDetail,
            ["execution", "sent_at"],
            ["sent_at"],
            [(pk, sent_at, now) for pk, (*_, sent_at) in found.items()],
        )
    overdue: dict[str, list[Message]] = {}
    for pk, (executor, message, _) in found.items():
        if pk in won:
            overdue.setdefault(executor, []).append(message)
    return overdue


def begin(ids: Sequence[int], instance: str, worker: str, now: datetime) -> list[Run]:
    """Start what was sent and nobody has begun, under ``instance``; return the runs in the order of ``ids``.

    ``worker`` is the thread or process that runs it. Function, arguments and limits are those of the table. What this
    release does not know is left to another worker, and has its verdict once none took it for a while.
    """
    encode, _ = moments()
    document = json.dumps(list(ids))
    with writing():
        won = [
            pk for (pk,) in read(_BEGIN.format(each_number()), [Status.STARTED.value, Status.QUEUED.value, document])
        ]
        if not won:
            return []
        with engine_cursor() as cursor:
            cursor.execute(_BEGIN_DETAIL.format(each_number()), [encode(now), instance, worker, json.dumps(won)])
        runs = {run.execution_id: run for run in begun_by(instance, worker, won)}
        for run in list(runs.values()):
            if registry.find(run.function) is None:
                _leave(runs.pop(run.execution_id), instance, now)
    return [runs[pk] for pk in ids if pk in runs]


def begun_by(instance: str, worker: str, ids: Sequence[int]) -> list[Run]:
    """Return what of ``ids`` a worker's process has begun, also where nobody knows whether ``begin`` was committed."""
    statement = _BEGUN.format(
        ids=each_number(), run_time=moment_column("e.run_time"), queued_at=moment_column("d.queued_at")
    )
    return [_run(row) for row in read(statement, [json.dumps(list(ids)), instance, worker, Status.STARTED.value])]


def _run(row: Sequence[Any]) -> Run:
    pk, job_id, function, args, kwargs, run_time, queued_at, origin, *limits = row
    _, moment = moments()
    by_schedule = origin == ExecutionOrigin.SCHEDULE
    arguments = json.loads(args), json.loads(kwargs)
    return Run(pk, job_id, function, *arguments, moment(run_time), moment(queued_at), by_schedule, *limits)


def _leave(run: Run, instance: str, now: datetime) -> None:
    """Leave what this process does not know to another worker, as during a deploy; in the end it has its verdict."""
    since = max(run.run_time, run.available_at or run.run_time)
    where = f"The worker {instance} does not know the function “{run.function}”"
    if (now - since).total_seconds() < PATIENCE_SECONDS:
        give_back([(run.execution_id, now + timedelta(seconds=LEAVE_SECONDS))], instance)
        ExecutionDetail.objects.filter(execution_id=run.execution_id).update(reason=f"{where}, so another is tried.")
        return
    reason = f"{where}, and for {PATIENCE_SECONDS:.0f} s no other worker did: their release may be older than the job."
    settle([(run.execution_id, run.job_id, Status.ERROR, reason)], now, seen=Status.STARTED)
