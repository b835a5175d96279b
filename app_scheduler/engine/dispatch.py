"""Dispatch: from queued to started, only where still queued, and no more than the executors have room for.

Overlap and misfires are settled here, from the table, so that they hold across processes and hosts. A tick for which
there is room starts in the transaction that claims it, by the same rules.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.due import Due
from app_scheduler.engine.executors import ConsoleExecutor, SendingExecutor
from app_scheduler.engine.queue import settle
from app_scheduler.engine.runner import Run
from app_scheduler.engine.sending import Message, send
from app_scheduler.engine.sql import each_number, each_text, moment_column, moments, read, writing
from app_scheduler.models import ConcurrencyGroup, ExecutionDetail, ExecutionOrigin, JobSpec, Status

#: Rows that one look at the queue takes; rows that wait for their own job are passed over by a second look.
LOOK = 500
#: How many looks one dispatch takes at most, so that the loop gets back to its heartbeat.
LOOKS = 20
#: How often, in seconds, a queue that is longer than a look is searched for ticks that have waited too long.
OVERDUE_SECONDS = 5.0


@dataclass(slots=True)
class Waiting:
    """An execution that is to start, with what its job says about running it. ``function`` is None without a job."""

    execution_id: int
    job_id: str
    run_time: datetime
    available_at: datetime
    origin: str
    attempt: int
    function: str | None
    executor: str
    coalesce: bool
    max_instances: int
    misfire_grace_time: int | None
    timeout: int | None
    max_retries: int
    retry_backoff: int
    queue: str = ""
    priority: int = 0
    concurrency_group: str | None = ""
    group_slots: int = 1

    def order(self) -> tuple[int, datetime, int]:
        """Return its place in the queue: the highest priority first, then what waits longest."""
        return -self.priority, self.available_at, self.execution_id

    @property
    def by_schedule(self) -> bool:
        return self.origin == ExecutionOrigin.SCHEDULE

    def run(self, function: str, args: str, kwargs: str) -> Run:
        """Return what the runner needs: with the function and the arguments, as JSON, that the table has by now."""
        return Run(
            execution_id=self.execution_id,
            job_id=self.job_id,
            function=function,
            args=[] if args == "[]" else json.loads(args),
            kwargs={} if kwargs == "{}" else json.loads(kwargs),
            run_time=self.run_time,
            available_at=self.available_at,
            by_schedule=self.by_schedule,
            executor=self.executor,
            attempt=self.attempt,
            timeout=self.timeout,
            max_retries=self.max_retries,
            retry_backoff=self.retry_backoff,
            priority=self.priority,
            concurrency_group=self.concurrency_group or "",
        )


@dataclass(slots=True)
class Dispatched:
    """What one dispatch did: what it started, what it sent to workers, and what it settled without a run."""

    started: list[Run] = field(default_factory=list)
    sent: list[Waiting] = field(default_factory=list)
    settled: list[tuple[Waiting, Status]] = field(default_factory=list)

    @property
    def progress(self) -> bool:
        """Whether anything left the queue."""
        return bool(self.started or self.sent or self.settled)

    def add(self, other: Dispatched) -> None:
        self.started += other.started
        self.sent += other.sent
        self.settled += other.settled


@dataclass(slots=True)
class Look:
    """What becomes of waiting rows: start, settle with a reason, wait for their job's turn or group, or for a slot."""

    start: list[Waiting] = field(default_factory=list)
    settle: list[tuple[Waiting, Status, str]] = field(default_factory=list)
    turns: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    rest: list[Waiting] = field(default_factory=list)


class Dispatcher:
    """Hands executions to the executors, and remembers what it left in the queue and why.

    ``finished_here`` gives the executions that have finished in this process and are about to be recorded: they no
    longer overlap with anything. ``in_doubt`` takes what is about to start, by execution id, until an executor has it.
    ``leads`` tells, in the transaction that starts something, whether this process leads and nobody else will before
    that ends: by it a group's slots are kept also where a leader was stalled and another leads by now.
    """

    def __init__(
        self,
        executors: Mapping[str, ConsoleExecutor],
        instance: str,
        finished_here: Callable[[], Set[int]] = frozenset,
        in_doubt: dict[int, Run] | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._executors = executors
        self._senders = {alias: each for alias, each in executors.items() if isinstance(each, SendingExecutor)}
        self._instance = instance
        self._finished_here = finished_here
        self._leads = leads
        #: What is about to start, by execution, from before its commit until an executor has it.
        self.in_doubt: dict[int, Run] = {} if in_doubt is None else in_doubt
        #: What is queued and waits only for a slot, in the order of the queue.
        self.rest: list[Waiting] = []
        #: The executors for which the queue may hold more than is remembered here; "" for those nobody has configured.
        self._unread: set[str] = {"", *executors}
        #: Whether something was queued that comes before what is remembered here.
        self._overtaken = False
        #: The jobs, and the concurrency groups, of which something waits until another execution of theirs has ended.
        self.turns: set[str] = set()
        self.groups: set[str] = set()
        self._searched_at = 0.0
        #: When something that was not available yet at the last look is.
        self.next_available: datetime | None = None

    @property
    def complete(self) -> bool:
        """Whether the queue holds nothing beyond what is remembered here, as far as this process knows."""
        return not self._unread

    @complete.setter
    def complete(self, known: bool) -> None:
        self._unread = set() if known else {"", *self._executors}

    @property
    def must_look(self) -> bool:
        """Whether the queue has to be read before anything starts: too little is remembered, or it is overtaken."""
        if self._overtaken or not self.rest:
            return self._overtaken or not self.complete
        waiting = {row.executor for row in self.rest}
        return any(alias in self._unread and executor.free for alias, executor in self._others(waiting))

    def _others(self, aliases: Set[str]) -> Iterator[tuple[str, ConsoleExecutor]]:
        return ((alias, executor) for alias, executor in self._executors.items() if alias not in aliases)

    def is_awaited(self, run: Run) -> bool:
        """Tell whether something waits until this run has ended."""
        return run.job_id in self.turns or run.concurrency_group in self.groups

    def look(self, now: datetime) -> Dispatched:
        """Look at the queue, start what is available and has room, and settle what may not run."""
        done = Dispatched()
        self.rest, self.turns, self.groups, self.next_available = [], set(), set(), None
        self._overtaken, self.complete = False, False
        full: set[str] = set()
        for _ in range(LOOKS):
            rows = self._queue(now, full)
            look = self.decide(rows, now)
            done.add(self._carry_out(look, now))
            self.rest += look.rest
            self.turns |= look.turns
            self.groups |= look.groups
            if len(rows) < LOOK:
                self._unread = full
                break
            # What waits for one executor hides nothing from another that has room.
            full |= {row.executor for row in look.rest}
            if full and not any(executor.free for _, executor in self._others(full)):
                break
        self.rest.sort(key=Waiting.order)
        if not self.complete and time.monotonic() - self._searched_at >= OVERDUE_SECONDS:
            self._searched_at = time.monotonic()
            done.add(self._settle_overdue(now))
        return done

    def go_on(self, now: datetime) -> Dispatched:
        """Go on with what an earlier look left for want of slots, without reading the queue again.

        Only what is still queued starts, so rows that somebody cancelled meanwhile do no harm.
        """
        room = {alias: 2 * executor.free for alias, executor in self._executors.items()}
        taken: list[Waiting] = []
        left: list[Waiting] = []
        for row in self.rest:
            if room.get(row.executor, 1) > 0:
                room[row.executor] = room.get(row.executor, 1) - 1
                taken.append(row)
            else:
                left.append(row)
        look = self.decide(taken, now)
        done = self._carry_out(look, now)
        self.rest = sorted([*look.rest, *left], key=Waiting.order)
        self.turns |= look.turns
        self.groups |= look.groups
        return done

    def decide(self, rows: Sequence[Waiting], now: datetime) -> Look:
        """Decide about rows that are available, in the order of the queue; nothing is written."""
        look = Look()
        if not rows:
            return look
        holders, slots = self._holders(rows)
        room = {alias: executor.free for alias, executor in self._executors.items()}
        for row in rows:
            group = row.concurrency_group or ""
            is_group_full = bool(group) and slots[group] >= row.group_slots
            verdict = self._verdict_without_run(row, now, group if is_group_full else "")
            running = holders[row.job_id]
            if verdict is not None:
                look.settle.append((row, *verdict))
            elif len(running) >= row.max_instances:
                holder_id, since = running[0]
                # Overlap is what was running when the tick was due. A tick that is late itself, as after an outage,
                # waits for those before it, unless its job rather runs once than often.
                if row.by_schedule and (row.coalesce or since <= row.run_time):
                    look.settle.append((row, Status.MAX_INSTANCES, _overlap(row, holder_id, since, self.sends(row))))
                else:
                    look.turns.add(row.job_id)
            elif is_group_full:
                look.groups.add(group)
            elif not room[row.executor]:
                look.rest.append(row)
            else:
                room[row.executor] -= 1
                running.append((row.execution_id, now))
                slots[group] += 1
                look.start.append(row)
        return look

    def decide_claimed(self, rows: Sequence[Waiting], now: datetime) -> Look:
        """Decide about rows that a claim is about to queue: what waits for their group already has its turn first."""
        look = self.decide(rows, now)
        if any(row.concurrency_group in self.groups for row in look.start):
            look.start = [row for row in look.start if row.concurrency_group not in self.groups]
            self.complete = False
        return look

    def sends(self, row: Waiting) -> bool:
        """Tell whether an execution goes to workers by way of a broker."""
        return row.executor in self._senders

    def fenced(self, look: Look) -> Look:
        """Leave in the queue what shares a group's slots, unless this process leads. The caller is in the transaction.

        Two leaders would each count what the other had not committed yet.
        """
        if any(row.concurrency_group for row in look.start) and not self._leads():
            look.start = [row for row in look.start if not row.concurrency_group]
            self.complete = False
        return look

    def note_queued(self, jobs: Sequence[Due]) -> None:
        """Keep in mind that a claim has put executions of ``jobs`` into the queue that are not remembered here."""
        self._unread.update(job.executor for job in jobs)
        if self.rest:
            lowest = self.rest[-1].priority
            self._overtaken = self._overtaken or any(job.priority > lowest for job in jobs)

    def remember(self, look: Look, later: Sequence[Waiting]) -> None:
        """Keep in mind what a claim has put into the queue: it need not be read from there."""
        self.rest = sorted([*self.rest, *look.rest], key=Waiting.order)
        self.turns |= look.turns
        self.groups |= look.groups
        known = [self.next_available] if self.next_available else []
        self.next_available = min([*known, *(row.available_at for row in later)], default=None)

    def submit(self, runs: Sequence[Run]) -> None:
        """Hand started executions, once that is committed, to their executors."""
        by_executor: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            by_executor[run.executor].append(run)
        for alias, group in by_executor.items():
            self._executors[alias].submit(group)
            for run in group:
                self.in_doubt.pop(run.execution_id, None)

    def _carry_out(self, look: Look, now: datetime) -> Dispatched:
        done = Dispatched()
        if not look.start and not look.settle:
            return done
        with writing():
            to_send = [row for row in self.fenced(look).start if self.sends(row)]
            settled = settle([(row.execution_id, row.job_id, status, why) for row, status, why in look.settle], now)
            sent = send([row.execution_id for row in to_send], now)
            here = [row.execution_id for row in look.start if not self.sends(row)]
            started = _start(here, now, self._instance)
            runs = [row.run(*started[row.execution_id]) for row in look.start if row.execution_id in started]
            self.in_doubt.update((run.execution_id, run) for run in runs)
        done.settled = [(row, status) for row, status, _ in look.settle if row.execution_id in settled]
        done.started = runs
        self.submit(done.started)
        done.sent = [row for row in to_send if row.execution_id in sent]
        self.publish(done.sent)
        return done

    def publish(self, rows: Sequence[Waiting]) -> None:
        """Have what the table has as sent published."""
        for alias, sender in self._senders.items():
            if messages := [Message(row.execution_id, row.queue) for row in rows if row.executor == alias]:
                sender.send(messages)

    def _settle_overdue(self, now: datetime) -> Dispatched:
        """Settle ticks that have waited beyond their grace time, also those that a look does not come to.

        Behind what has a higher priority they might wait for ever, and nobody would be told.
        """
        late = "EXTRACT(EPOCH FROM %s - d.available_at)"
        if connection.vendor == "sqlite":
            late = "(julianday(%s) - julianday(d.available_at)) * 86400"
        encode, moment = moments()
        statement = _OVERDUE.format(late=late, **_columns())
        rows = [_waiting(row, moment) for row in read(statement, [encode(now), LOOK])]
        look = Look()
        for row in rows:
            verdict = self._verdict_without_run(row, now, row.concurrency_group if self._waits(row) else "")
            if verdict is not None:
                look.settle.append((row, *verdict))
        return self._carry_out(look, now)

    def _waits(self, row: Waiting) -> bool:
        return row.concurrency_group in self.groups

    def _verdict_without_run(self, row: Waiting, now: datetime, full_group: str | None) -> tuple[Status, str] | None:
        if row.function is None:
            return Status.MISSED, "Its job has no definition any more."
        if row.executor not in self._executors:
            return Status.MISSED, f"The executor “{row.executor}” is not configured."
        if not row.by_schedule or row.misfire_grace_time is None:
            return None
        late = now - row.available_at
        if late > timedelta(seconds=row.misfire_grace_time):
            seconds = late.total_seconds()
            of = f" of the concurrency group “{full_group}”" if full_group else ""
            return Status.MISSED, f"No slot{of} was free for {seconds:.0f} s, longer than its misfire grace time."
        return None

    def _queue(self, now: datetime, full: Set[str]) -> list[Waiting]:
        """Return what is available, in the order of the queue, but for what waits for a turn or a ``full`` executor."""
        encode, moment = moments()
        passed_over = {"e.job_id": self.turns, "s.concurrency_group": self.groups, "s.executor": full}
        conditions = [
            f"AND ({column} IS NULL OR {column} NOT IN ({each_text()}))"
            for column, names in passed_over.items()
            if names
        ]
        statement = _QUEUE.format(
            next_available=moment_column("n.next_available"),
            joined=_JOINED if conditions else "",
            passed_over=" ".join(conditions),
            **_columns(),
        )
        lists = [json.dumps(sorted(names)) for names in passed_over.values() if names]
        rows = []
        for following, *row in read(statement, [encode(now), encode(now), *lists, LOOK]):
            self.next_available = moment(following) if following else None
            if row[0] is not None:
                rows.append(_waiting(row, moment))
        return rows

    def _holders(self, rows: Sequence[Waiting]) -> tuple[dict[str, list[tuple[int, datetime]]], dict[str, int]]:
        """Return what holds the instances of the jobs and the slots of the groups of ``rows``.

        By job, the executions that run: (id, started at), the oldest first. By group, how many run, on any host.
        """
        _, moment = moments()
        finished_here = self._finished_here()
        groups = {row.concurrency_group for row in rows if row.concurrency_group}
        parameters = [json.dumps(sorted(names)) for names in ({row.job_id for row in rows}, groups) if names]
        kinds = _HOLDING if self._senders else _HOLDING[:1]
        statement = " UNION ALL ".join(
            _HOLDERS.format(
                holds=holds,
                since=moment_column(since),
                group="s.concurrency_group" if groups else "NULL",
                joined=f"LEFT JOIN {_SPEC} s ON s.job_id = e.job_id" if groups else "",
                jobs=each_text(),
                or_in_group=f"OR s.concurrency_group IN ({each_text()})" if groups else "",
            )
            for since, holds in kinds
        )
        holders: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
        slots: dict[str, int] = defaultdict(int)
        for job_id, pk, since, group in read(f"{statement} ORDER BY 3", len(kinds) * parameters):
            if pk not in finished_here:
                holders[job_id].append((pk, moment(since)))
                slots[group or ""] += 1
        return holders, slots


# --- what is asked at every pass, in plain SQL ----------------------------------------------------------------------

_EXECUTION, _DETAIL, _SPEC, _GROUP = (
    model._meta.db_table for model in (DjangoJobExecution, ExecutionDetail, JobSpec, ConcurrencyGroup)
)
_COLUMNS = """
q.execution_id, e.job_id, {run_time}, {available_at}, q.origin, q.attempt, s.function, s.executor, s.coalesce,
s.max_instances, s.misfire_grace_time, s.timeout, s.max_retries, s.retry_backoff, s.queue, q.priority,
s.concurrency_group, COALESCE(g.slots, 1)
"""
_JOINED = f"JOIN {_EXECUTION} e ON e.id = d.execution_id LEFT JOIN {_SPEC} s ON s.job_id = e.job_id"
# What is available is asked for in a way that only the index in the order of the queue answers: by the other one, a
# long queue would be sorted at each look.
_QUEUE = f"""
SELECT {{next_available}}, {{columns}}
FROM (SELECT MIN(available_at) AS next_available FROM {_DETAIL} WHERE available_at > %s) n
     LEFT JOIN (
         SELECT d.execution_id, d.available_at, d.origin, d.attempt, d.priority FROM {_DETAIL} d {{joined}}
         WHERE d.available_at IS NOT NULL AND (d.available_at <= %s) IS TRUE {{passed_over}}
         ORDER BY d.priority DESC, d.available_at, d.execution_id LIMIT %s
     ) q ON TRUE
     LEFT JOIN {_EXECUTION} e ON e.id = q.execution_id LEFT JOIN {_SPEC} s ON s.job_id = e.job_id
     LEFT JOIN {_GROUP} g ON g.name = s.concurrency_group
ORDER BY q.priority DESC, q.available_at, q.execution_id
"""
_OVERDUE = f"""
SELECT {{columns}}
FROM (
         SELECT d.execution_id, d.available_at, d.origin, d.attempt, d.priority FROM {_DETAIL} d {_JOINED}
         WHERE d.available_at IS NOT NULL AND d.origin = '{ExecutionOrigin.SCHEDULE}'
               AND {{late}} > s.misfire_grace_time
         ORDER BY d.available_at LIMIT %s
     ) q
     JOIN {_EXECUTION} e ON e.id = q.execution_id JOIN {_SPEC} s ON s.job_id = e.job_id
     LEFT JOIN {_GROUP} g ON g.name = s.concurrency_group
"""
_HOLDERS = f"""
SELECT e.job_id, d.execution_id, {{since}}, {{group}}
FROM {_DETAIL} d JOIN {_EXECUTION} e ON e.id = d.execution_id {{joined}}
WHERE {{holds}} AND (e.job_id IN ({{jobs}}) {{or_in_group}})
"""
# What runs; and what is with a broker, where there is one: a worker may begin it at any moment.
_HOLDING = (
    ("d.started_at", "d.started_at IS NOT NULL AND d.finished_at IS NULL"),
    ("d.sent_at", "d.sent_at IS NOT NULL"),
)
# The arguments are copied by the database: what is said to have run is what the run is given, whoever changes the job
# in this moment.
_START = f"""
UPDATE {_EXECUTION} SET status = %s WHERE status = %s AND id IN ({{}}) RETURNING id
"""
_START_DETAIL = f"""
UPDATE {_DETAIL} SET available_at = NULL, started_at = %s, instance = %s, function = s.function,
       args = COALESCE({_DETAIL}.args, s.args), kwargs = COALESCE({_DETAIL}.kwargs, s.kwargs)
FROM {_EXECUTION} e JOIN {_SPEC} s ON s.job_id = e.job_id
WHERE e.id = {_DETAIL}.execution_id AND {_DETAIL}.execution_id IN ({{}})
RETURNING {_DETAIL}.execution_id, {_DETAIL}.function, {_DETAIL}.args, {_DETAIL}.kwargs
"""


def _columns() -> dict[str, str]:
    """Return the columns of a row that waits, for a statement."""
    moments_asked = {"run_time": moment_column("e.run_time"), "available_at": moment_column("q.available_at")}
    return {"columns": _COLUMNS.format(**moments_asked)}


def _waiting(row: Sequence[Any], moment: Callable[[Any], datetime]) -> Waiting:
    pk, job_id, run_time, available_at, *others = row
    return Waiting(pk, job_id, moment(run_time), moment(available_at), *others)


def _start(ids: Sequence[int], now: datetime, instance: str) -> dict[int, tuple[str, str, str]]:
    """Start what is still queued; return, by execution, its function and its arguments as JSON."""
    if not ids:
        return {}
    encode, _ = moments()
    won = read(_START.format(each_number()), [Status.STARTED.value, Status.QUEUED.value, json.dumps(list(ids))])
    document = json.dumps([pk for (pk,) in won])
    started = read(_START_DETAIL.format(each_number()), [encode(now), instance, document])
    return {pk: (function, args, kwargs) for pk, function, args, kwargs in started}


def _overlap(row: Waiting, holder_id: int, since: datetime, is_sent: bool) -> str:
    clock = timezone.localtime(since).strftime("%H:%M:%S")
    was = "was with the workers" if is_sent else "was still running"
    return f"Execution {holder_id} {was} since {clock}, and at most {row.max_instances} may run at a time."
