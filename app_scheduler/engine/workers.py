"""A worker among the instances: its row and heartbeat, and the end of runs that have to be ended from outside.

It lives in the process that holds a broker's connection; what runs, runs in that process's children or threads. It
knows no broker: what it needs of one is a ``Crew``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from django.db.models.functions import Now

from app_scheduler.conf import console_settings
from app_scheduler.engine import recovery
from app_scheduler.engine.cancelling import asked_of
from app_scheduler.engine.connections import drop_connection, set_up_connection
from app_scheduler.engine.faults import Faults
from app_scheduler.engine.hands import Hands
from app_scheduler.engine.queue import give_back, utc_now
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, InstanceRole, SchedulerInstance, Status

logger = logging.getLogger(__name__)

#: How often a worker looks whether something that it runs is to end, and whether it is to drain.
LOOK_SECONDS = 1.0
#: A process whose end has not been explained after so many looks was ended by something that nobody knows.
PATIENCE_LOOKS = 3
PROCESS = "process "
FAULT = "The worker cannot say that it is alive"


class Crew(Protocol):
    """What a worker's processes or threads are to it."""

    def slots(self) -> int:
        """How many runs at a time."""

    def queues(self) -> Sequence[str]:
        """The queues it takes executions from, also while it drains."""

    def drain(self) -> None:
        """Take nothing new."""

    def go_on(self) -> None:
        """Take executions again."""

    def cause_of_end(self, process: int) -> str | None:
        """Say what ended a process, such as “signal 9 (SIGKILL)”; None where that is not known yet."""

    def tell(self, execution_id: int, reason: str) -> None:
        """Tell a run that cannot be ended from outside that it was cancelled."""


@dataclass(frozen=True, slots=True)
class _Running:
    execution_id: int
    worker: str
    started_at: datetime
    timeout: int | None
    cancel_asked_at: datetime | None

    @property
    def process(self) -> int | None:
        """The process that runs it and nothing else, if there is one."""
        number = self.worker.removeprefix(PROCESS)
        return int(number) if number != self.worker and number.isdigit() else None

    @property
    def deadline(self) -> datetime | None:
        return self.started_at + timedelta(seconds=self.timeout) if self.timeout is not None else None


class Worker:
    """One worker. ``start`` and ``stop`` are called by the process's main thread; the rest is done by one of its own.

    A run is ended in this order: its verdict, where it is still started, and then its process. A process that cannot
    record a run learns thereby that it is to end, and begins nothing else: so no other run is struck. Should one that
    ends have had short runs in hand besides, those that had not had their turn are queued again.
    """

    def __init__(self, version: str) -> None:
        self.instance = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._version = version
        self.hands = Hands()
        self._crew: Crew | None = None
        self._faults = Faults()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._beaten = float("-inf")
        self._busy = 0
        self._draining_since: datetime | None = None
        self._unexplained: dict[int, int] = {}
        self._told: set[int] = set()

    def start(self, crew: Crew) -> None:
        """Join the instances and look after what the crew runs, until ``stop``."""
        self._crew = crew
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="app_scheduler worker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave the instances. What still runs is about to be killed, and gets its verdict."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    # --- the thread -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        set_up_connection()
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                wait = self._look()
                self._faults.over(FAULT)
            except Exception as error:
                self._faults.note(FAULT, error)
                drop_connection()
                wait = LOOK_SECONDS
        try:
            rest = ExecutionDetail.objects.running().filter(instance=self.instance)
            details = list(rest.select_related("execution__job__spec"))
            recovery.interrupt(details, utc_now(), "The {instance} that ran it was stopped.")
            SchedulerInstance.objects.filter(id=self.instance).delete()
        except Exception:
            logger.warning("The worker could not take its leave; it will be missed within the lease", exc_info=True)
        finally:
            drop_connection()

    def _look(self) -> float:
        """Do what is due; return the seconds until the next look."""
        assert self._crew is not None
        running = self._running()
        asked = asked_of(self.instance) if any(each.cancel_asked_at for each in running) else {}
        self._busy = len(running)
        if time.monotonic() - self._beaten >= console_settings.lease_seconds / 3:
            self._beat()
        self._see_whether_to_drain()
        now = utc_now()
        deadlines = []
        for process in {each.process for each in running if each.process is not None}:
            if not _is_alive(process):
                self._bury(process, [each for each in running if each.process == process], now)
        for each in running:
            if each.process is not None and self.hands.of(each.process).current != each.execution_id:
                continue  # It has ended, or not had its turn yet.
            if each.execution_id in asked:
                self._end(each, Status.CANCELLED, asked[each.execution_id], now)
            elif each.deadline is not None and each.deadline <= now:
                reason = f"It was still running at its timeout of {each.timeout} s."
                self._end(each, Status.TIMED_OUT, reason, now)
            elif each.deadline is not None:
                deadlines.append((each.deadline - now).total_seconds())
        self._told &= {each.execution_id for each in running}
        return max(0.01, min([LOOK_SECONDS, *deadlines]))

    def _running(self) -> list[_Running]:
        mine = ExecutionDetail.objects.running().filter(instance=self.instance)
        columns = ("execution_id", "worker", "started_at", "execution__job__spec__timeout", "cancel_asked_at")
        return [_Running(*row) for row in mine.values_list(*columns)]

    def _beat(self) -> None:
        assert self._crew is not None
        queues = ", ".join(self._crew.queues())[:255]
        values = {"slots": self._crew.slots(), "busy": self._busy, "queues": queues, "last_error": self._faults.shown()}
        if not SchedulerInstance.objects.filter(id=self.instance).update(heartbeat=Now(), **values):
            # Its first beat; or others took its row away while it was stalled.
            row = SchedulerInstance(
                id=self.instance,
                host=socket.gethostname(),
                pid=os.getpid(),
                role=InstanceRole.WORKER,
                started_at=Now(),
                heartbeat=Now(),
                version=self._version,
                draining_since=self._draining_since,
                **values,
            )
            SchedulerInstance.objects.bulk_create([row], ignore_conflicts=True)
        self._beaten = time.monotonic()

    def _see_whether_to_drain(self) -> None:
        assert self._crew is not None
        rows = SchedulerInstance.objects.filter(id=self.instance).values_list("draining_since", flat=True)
        for since in rows:
            if since is not None and self._draining_since is None:
                logger.info("Worker %s drains: it takes nothing new and ends what it runs", self.instance)
                self._crew.drain()
            elif since is None and self._draining_since is not None:
                logger.info("Worker %s does not drain any more", self.instance)
                self._crew.go_on()
            self._draining_since = since

    # --- ends from outside ----------------------------------------------------------------------------------------

    def _end(self, running: _Running, status: Status, reason: str, now: datetime) -> None:
        assert self._crew is not None
        process = running.process
        if process is None:
            # By its own clock it knows of its timeout.
            if status == Status.CANCELLED and running.execution_id not in self._told:
                self._told.add(running.execution_id)
                self._crew.tell(running.execution_id, reason)
            return
        if not self._give_verdict(running, status, reason, now):
            return
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("Process %d has ended by itself", process)
        logger.info("Execution %d was ended with its process %d: %s", running.execution_id, process, status.label)

    def _bury(self, process: int, held: Sequence[_Running], now: datetime) -> None:
        """Give what a process had in hand that is no more its verdict; what had not had its turn is queued again."""
        assert self._crew is not None
        hand = self.hands.of(process)
        ran = next((each for each in held if each.execution_id == hand.current), None)
        if ran is not None:
            looks = self._unexplained.get(process, 0) + 1
            cause = self._crew.cause_of_end(process)
            if cause is None and looks < PATIENCE_LOOKS:
                self._unexplained[process] = looks
                return
            self._unexplained.pop(process, None)
            words = f"by {cause}" if cause else "by something unknown"
            self._give_verdict(ran, Status.ERROR, f"The process that ran it was ended {words}.", now)
        waiting = {each.execution_id for each in held} & set(hand.waiting)
        give_back([(pk, now) for pk in sorted(waiting)], self.instance)
        # What had ended, and what nobody can tell of: it may have run.
        others = {each.execution_id for each in held} - waiting - {hand.current}
        lost = ExecutionDetail.objects.running().filter(instance=self.instance, execution_id__in=others)
        details = list(lost.select_related("execution__job__spec")) if others else []
        recovery.interrupt(details, now, "The {instance} has lost its outcome, with the process that ran it.")

    def _give_verdict(self, running: _Running, status: Status, reason: str, now: datetime) -> bool:
        """Record how a run was ended from outside, with what it has told; return whether it was still started."""
        found = ExecutionDetail.objects.select_related("execution__job__spec")
        detail = found.get(execution_id=running.execution_id)
        outcome = Outcome(
            _run_of(detail),
            status,
            running.started_at,
            max(now, running.started_at),
            worker=running.worker,
            log=detail.log,
            reason=reason,
        )
        if status == Status.ERROR:
            outcome.exception = reason
            outcome.fingerprint = hashlib.sha256(f"{reason}|{detail.function}".encode()).hexdigest()[:32]
        return bool(record([outcome]))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _run_of(detail: ExecutionDetail) -> Run:
    spec = detail.execution.job.spec
    return Run(
        detail.execution_id,
        detail.execution.job_id,
        detail.function,
        detail.args or [],
        detail.kwargs or {},
        detail.execution.run_time,
        by_schedule=detail.origin == ExecutionOrigin.SCHEDULE,
        executor=spec.executor,
        attempt=detail.attempt,
        timeout=spec.timeout,
        max_retries=spec.max_retries,
        retry_backoff=spec.retry_backoff,
        priority=detail.priority,
        concurrency_group=spec.concurrency_group,
    )
