"""Dispatch: from queued to started, only where still queued, and no more than the executors have room for.

Overlap and misfires are settled here, from the table, so that they hold across processes and hosts. A tick for which
there is room starts in the transaction that claims it, by the same rules.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.executors import ConsoleExecutor
from app_scheduler.engine.queue import settle
from app_scheduler.engine.runner import Run
from app_scheduler.engine.sql import each_number, each_text, moment_column, moments, read, writing
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, Status

#: Rows that one look at the queue takes; rows that wait for their own job are passed over by a second look.
LOOK = 500
#: How many looks one dispatch takes at most, so that the loop gets back to its heartbeat.
LOOKS = 20


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
        )


@dataclass(slots=True)
class Dispatched:
    """What one dispatch did: what it started, and what it settled without a run."""

    started: list[Run] = field(default_factory=list)
    settled: list[tuple[Waiting, Status]] = field(default_factory=list)

    def add(self, other: Dispatched) -> None:
        self.started += other.started
        self.settled += other.settled


@dataclass(slots=True)
class Look:
    """What becomes of waiting rows: start, settle with a reason, wait for their job's turn, or wait for a slot."""

    start: list[Waiting] = field(default_factory=list)
    settle: list[tuple[Waiting, Status, str]] = field(default_factory=list)
    turns: set[str] = field(default_factory=set)
    rest: list[Waiting] = field(default_factory=list)


class Dispatcher:
    """Hands executions to the executors, and remembers what it left in the queue and why.

    ``finished_here`` gives the executions that have finished in this process and are about to be recorded: they no
    longer overlap with anything. ``in_doubt`` takes what is about to start, by execution id, until an executor has it.
    """

    def __init__(
        self,
        executors: Mapping[str, ConsoleExecutor],
        instance: str,
        finished_here: Callable[[], Set[int]] = frozenset,
        in_doubt: dict[int, Run] | None = None,
    ) -> None:
        self._executors = executors
        self._instance = instance
        self._finished_here = finished_here
        #: What is about to start, by execution, from before its commit until an executor has it.
        self.in_doubt: dict[int, Run] = {} if in_doubt is None else in_doubt
        #: What is queued and waits only for a slot, the longest waiting first.
        self.rest: list[Waiting] = []
        #: Whether the queue holds nothing beyond what is remembered here, as far as this process knows.
        self.complete = False
        #: The jobs of which something waits until another execution of theirs has ended.
        self.turns: set[str] = set()
        #: When something that was not available yet at the last look is.
        self.next_available: datetime | None = None

    def look(self, now: datetime) -> Dispatched:
        """Look at the queue, start what is available and has room, and settle what may not run."""
        done = Dispatched()
        self.rest, self.turns, self.next_available = [], set(), None
        for _ in range(LOOKS):
            rows = self._queue(now)
            look = self.decide(rows, now)
            done.add(self._carry_out(look, now))
            self.rest = look.rest
            self.turns |= look.turns
            self.complete = len(rows) < LOOK
            if self.complete or look.rest:
                break
        return done

    def go_on(self, now: datetime) -> Dispatched:
        """Go on with what an earlier look left for want of slots, without reading the queue again.

        Only what is still queued starts, so rows that somebody cancelled meanwhile do no harm.
        """
        taken = 2 * sum(executor.free for executor in self._executors.values())
        look = self.decide(self.rest[:taken], now)
        done = self._carry_out(look, now)
        self.rest = look.rest + self.rest[taken:]
        self.turns |= look.turns
        return done

    def decide(self, rows: Sequence[Waiting], now: datetime) -> Look:
        """Decide about rows that are available, the longest waiting first; nothing is written."""
        look = Look()
        if not rows:
            return look
        holders = self._holders({row.job_id for row in rows})
        room = {alias: executor.free for alias, executor in self._executors.items()}
        for row in rows:
            verdict = self._verdict_without_run(row, now)
            running = holders[row.job_id]
            if verdict is not None:
                look.settle.append((row, *verdict))
            elif len(running) >= row.max_instances:
                holder_id, since = running[0]
                # Overlap is what was running when the tick was due. A tick that is late itself, as after an outage,
                # waits for those before it, unless its job rather runs once than often.
                if row.by_schedule and (row.coalesce or since <= row.run_time):
                    look.settle.append((row, Status.MAX_INSTANCES, _overlap(row, holder_id, since)))
                else:
                    look.turns.add(row.job_id)
            elif not room[row.executor]:
                look.rest.append(row)
            else:
                room[row.executor] -= 1
                running.append((row.execution_id, now))
                look.start.append(row)
        return look

    def remember(self, look: Look, later: Sequence[Waiting]) -> None:
        """Keep in mind what a claim has put into the queue: it need not be read from there."""
        self.rest += look.rest
        self.turns |= look.turns
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
            settled = settle([(row.execution_id, row.job_id, status, why) for row, status, why in look.settle], now)
            started = _start([row.execution_id for row in look.start], now, self._instance)
            runs = [row.run(*started[row.execution_id]) for row in look.start if row.execution_id in started]
            self.in_doubt.update((run.execution_id, run) for run in runs)
        done.settled = [(row, status) for row, status, _ in look.settle if row.execution_id in settled]
        done.started = runs
        self.submit(done.started)
        return done

    def _verdict_without_run(self, row: Waiting, now: datetime) -> tuple[Status, str] | None:
        if row.function is None:
            return Status.MISSED, "Its job has no definition any more."
        if row.executor not in self._executors:
            return Status.MISSED, f"The executor “{row.executor}” is not configured."
        if not row.by_schedule or row.misfire_grace_time is None:
            return None
        late = now - row.available_at
        if late > timedelta(seconds=row.misfire_grace_time):
            seconds = late.total_seconds()
            return Status.MISSED, f"No slot was free for {seconds:.0f} s, longer than its misfire grace time."
        return None

    def _queue(self, now: datetime) -> list[Waiting]:
        _, moment = moments()
        parameters = [json.dumps(sorted(self.turns))] if self.turns else []
        statement = _QUEUE.format(
            run_time=moment_column("e.run_time"),
            available_at=moment_column("d.available_at"),
            passed_over=f"AND e.job_id NOT IN ({each_text()})" if self.turns else "",
        )
        rows = []
        for pk, job_id, run_time, available_at, *others in read(statement, [*parameters, LOOK]):
            available = moment(available_at)
            if available > now:
                self.next_available = available
                break
            rows.append(Waiting(pk, job_id, moment(run_time), available, *others))
        return rows

    def _holders(self, job_ids: Set[str]) -> dict[str, list[tuple[int, datetime]]]:
        """Return, by job, the executions that hold its instances: (id, started at), the oldest first."""
        _, moment = moments()
        finished_here = self._finished_here()
        statement = _RUNNING.format(started_at=moment_column("d.started_at"), jobs=each_text())
        holders: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
        for job_id, pk, started_at in read(statement, [json.dumps(sorted(job_ids))]):
            if pk not in finished_here:
                holders[job_id].append((pk, moment(started_at)))
        return holders


# --- what is asked at every pass, in plain SQL ----------------------------------------------------------------------

_EXECUTION, _DETAIL, _SPEC = (model._meta.db_table for model in (DjangoJobExecution, ExecutionDetail, JobSpec))
_QUEUE = f"""
SELECT d.execution_id, e.job_id, {{run_time}}, {{available_at}}, d.origin, d.attempt, s.function, s.executor,
       s.coalesce, s.max_instances, s.misfire_grace_time, s.timeout, s.max_retries, s.retry_backoff
FROM {_DETAIL} d JOIN {_EXECUTION} e ON e.id = d.execution_id LEFT JOIN {_SPEC} s ON s.job_id = e.job_id
WHERE d.available_at IS NOT NULL {{passed_over}} ORDER BY d.available_at, d.execution_id LIMIT %s
"""
_RUNNING = f"""
SELECT e.job_id, d.execution_id, {{started_at}} FROM {_DETAIL} d JOIN {_EXECUTION} e ON e.id = d.execution_id
WHERE d.started_at IS NOT NULL AND d.finished_at IS NULL AND e.job_id IN ({{jobs}}) ORDER BY d.started_at
"""
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


def _start(ids: Sequence[int], now: datetime, instance: str) -> dict[int, tuple[str, str, str]]:
    """Start what is still queued; return, by execution, its function and its arguments as JSON."""
    if not ids:
        return {}
    encode, _ = moments()
    won = read(_START.format(each_number()), [Status.STARTED.value, Status.QUEUED.value, json.dumps(list(ids))])
    document = json.dumps([pk for (pk,) in won])
    started = read(_START_DETAIL.format(each_number()), [encode(now), instance, document])
    return {pk: (function, args, kwargs) for pk, function, args, kwargs in started}


def _overlap(row: Waiting, holder_id: int, since: datetime) -> str:
    clock = timezone.localtime(since).strftime("%H:%M:%S")
    return f"Execution {holder_id} was still running since {clock}, and at most {row.max_instances} may run at a time."
