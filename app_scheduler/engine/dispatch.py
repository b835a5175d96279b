"""Dispatch: from queued to started, only where still queued, and no more than the executors have room for.

Overlap and misfires are settled here, from the table, so that they hold across processes and hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.executors import ConsoleExecutor
from app_scheduler.engine.queue import settle
from app_scheduler.engine.runner import Run
from app_scheduler.engine.sql import update_from_values
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, Status

#: Rows that one look at the queue takes; rows that wait for their own job are passed over by a second look.
LOOK = 500
#: How many looks one dispatch takes at most, so that the loop gets back to its heartbeat.
LOOKS = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued execution with what its job says about running it; plain columns, since models cost most of a look."""

    execution_id: int
    job_id: str
    run_time: datetime
    available_at: datetime
    origin: str
    attempt: int
    own_args: list[Any] | None
    own_kwargs: dict[str, Any] | None
    function: str | None
    args: list[Any]
    kwargs: dict[str, Any]
    executor: str
    coalesce: bool
    max_instances: int
    misfire_grace_time: int | None
    timeout: int | None
    max_retries: int
    retry_backoff: int

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "execution_id",
        "execution__job_id",
        "execution__run_time",
        "available_at",
        "origin",
        "attempt",
        "args",
        "kwargs",
        *(
            f"execution__job__spec__{name}"
            for name in (
                "function",
                "args",
                "kwargs",
                "executor",
                "coalesce",
                "max_instances",
                "misfire_grace_time",
                "timeout",
                "max_retries",
                "retry_backoff",
            )
        ),
    )

    @property
    def by_schedule(self) -> bool:
        return self.origin == ExecutionOrigin.SCHEDULE

    def run(self) -> Run:
        """Return what the runner needs; arguments of the request come before those of the job."""
        return Run(
            execution_id=self.execution_id,
            job_id=self.job_id,
            function=self.function or "",
            args=self.args if self.own_args is None else self.own_args,
            kwargs=self.kwargs if self.own_kwargs is None else self.own_kwargs,
            run_time=self.run_time,
            attempt=self.attempt,
            timeout=self.timeout,
            max_retries=self.max_retries,
            retry_backoff=self.retry_backoff,
        )


@dataclass(slots=True)
class Dispatched:
    """What one dispatch did: what it started, what it settled without a run, and what only waits for a slot."""

    started: list[Run] = field(default_factory=list)
    settled: list[tuple[Waiting, Status]] = field(default_factory=list)
    rest: list[Waiting] = field(default_factory=list)


@dataclass(slots=True)
class _Look:
    start: list[Waiting] = field(default_factory=list)
    settle: list[tuple[Waiting, Status, str]] = field(default_factory=list)
    waiting_jobs: set[str] = field(default_factory=set)
    rest: list[Waiting] = field(default_factory=list)


def next_available(after: datetime) -> datetime | None:
    """Return when the next execution that was not available at ``after`` may start."""
    queue = ExecutionDetail.objects.queued().filter(available_at__gt=after).order_by("available_at")
    return queue.values_list("available_at", flat=True).first()


def dispatch(
    now: datetime,
    executors: Mapping[str, ConsoleExecutor],
    *,
    instance: str,
    finished_here: Callable[[], Set[int]] = frozenset,
) -> Dispatched:
    """Start what is due and has room, settle what may not run.

    ``finished_here`` gives the executions that have finished in this process and are about to be recorded: they no
    longer overlap with anything.
    """
    done = Dispatched()
    passed_over: set[str] = set()
    for _ in range(LOOKS):
        rows = _look_at_queue(now, LOOK, passed_over)
        if not rows:
            break
        look = _decide(rows, now, executors, finished_here())
        _carry_out(look, now, executors, instance, done)
        done.rest = look.rest
        if len(rows) < LOOK or look.rest:
            break
        passed_over |= look.waiting_jobs
    return done


def dispatch_rest(
    rest: list[Waiting],
    now: datetime,
    executors: Mapping[str, ConsoleExecutor],
    *,
    instance: str,
    finished_here: Callable[[], Set[int]] = frozenset,
) -> Dispatched:
    """Go on with rows that an earlier dispatch left for want of slots, without reading the queue again.

    Only what is still queued starts, so rows that somebody cancelled meanwhile do no harm.
    """
    taken = 2 * sum(executor.free for executor in executors.values())
    done = Dispatched()
    look = _decide(rest[:taken], now, executors, finished_here())
    _carry_out(look, now, executors, instance, done)
    done.rest = look.rest + rest[taken:]
    return done


def _look_at_queue(now: datetime, limit: int, passed_over: Set[str]) -> list[Waiting]:
    queue = ExecutionDetail.objects.queued().filter(available_at__lte=now)
    if passed_over:
        queue = queue.exclude(execution__job_id__in=passed_over)
    columns = queue.order_by("available_at", "execution_id").values_list(*Waiting.COLUMNS)
    return [Waiting(*row) for row in columns[:limit]]


def _decide(
    rows: list[Waiting], now: datetime, executors: Mapping[str, ConsoleExecutor], finished_here: Set[int]
) -> _Look:
    look = _Look()
    holders = _holders({row.job_id for row in rows}, finished_here)
    room = {alias: executor.free for alias, executor in executors.items()}
    for row in rows:
        verdict = _verdict_without_run(row, now, executors)
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
                look.waiting_jobs.add(row.job_id)
        elif not room[row.executor]:
            look.rest.append(row)
        else:
            room[row.executor] -= 1
            running.append((row.execution_id, now))
            look.start.append(row)
    return look


def _verdict_without_run(
    row: Waiting, now: datetime, executors: Mapping[str, ConsoleExecutor]
) -> tuple[Status, str] | None:
    if row.function is None:
        return Status.MISSED, "Its job has no definition any more."
    if row.executor not in executors:
        return Status.MISSED, f"The executor “{row.executor}” is not configured."
    late = now - row.available_at
    if row.by_schedule and row.misfire_grace_time and late > timedelta(seconds=row.misfire_grace_time):
        return Status.MISSED, f"No slot was free for {late.total_seconds():.0f} s, longer than its misfire grace time."
    return None


def _carry_out(
    look: _Look, now: datetime, executors: Mapping[str, ConsoleExecutor], instance: str, done: Dispatched
) -> None:
    if not look.start and not look.settle:
        return
    runs = {row.execution_id: row.run() for row in look.start}
    with transaction.atomic():
        settled = settle([(row.execution_id, row.job_id, status, why) for row, status, why in look.settle], now)
        started = update_from_values(
            DjangoJobExecution,
            ["id", "status"],
            ["status"],
            [(pk, Status.QUEUED.value, Status.STARTED.value) for pk in runs],
        )
        update_from_values(
            ExecutionDetail,
            ["execution"],
            ["available_at", "started_at", "instance", "function", "args", "kwargs"],
            [(pk, None, now, instance, runs[pk].function, runs[pk].args, runs[pk].kwargs) for pk in started],
        )
    done.settled.extend((row, status) for row, status, _ in look.settle if row.execution_id in settled)
    for row in look.start:
        if row.execution_id in started:
            done.started.append(runs[row.execution_id])
            executors[row.executor].submit(runs[row.execution_id])


def _holders(job_ids: set[str], finished_here: Set[int]) -> dict[str, list[tuple[int, datetime]]]:
    """Return, by job, the executions that hold its instances: (id, started at), the oldest first."""
    holders: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    running = ExecutionDetail.objects.running().filter(execution__job_id__in=job_ids).order_by("started_at")
    for job_id, pk, started_at in running.values_list("execution__job_id", "execution_id", "started_at"):
        if pk not in finished_here and started_at is not None:
            holders[job_id].append((pk, started_at))
    return holders


def _overlap(row: Waiting, holder_id: int, since: datetime) -> str:
    clock = timezone.localtime(since).strftime("%H:%M:%S")
    return f"Execution {holder_id} was still running since {clock}, and at most {row.max_instances} may run at a time."
