"""Custody: each row that this instance has marked as started is in some hand here, or gets one.

A connection can be lost in the middle of a COMMIT, so that nobody can say whether dispatch has marked its rows. What a
dispatch was about to start is therefore in doubt until it is in an executor's hands. A row in doubt that turns out to
be started here has never begun, so starting it now is its one start. A started row that nobody holds and that is not
in doubt had begun and was lost, as when its thread was killed: it is interrupted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import datetime

from app_scheduler.conf import console_settings
from app_scheduler.engine import recovery
from app_scheduler.engine.connections import drop_connection
from app_scheduler.engine.executors import ConsoleExecutor
from app_scheduler.engine.runner import Run
from app_scheduler.models import ExecutionDetail, Status

logger = logging.getLogger(__name__)

#: A run that begins later after its dispatch than this part of the lease asks first whether it is still ours.
TRUSTED_PART_OF_LEASE = 0.5
RETRY_SECONDS = 0.5


def held_here(executors: Iterable[ConsoleExecutor], unflushed: Callable[[], Set[int]]) -> set[int] | None:
    """Return the executions that this process holds, or None where an executor cannot tell.

    To be called before the rows are read: what has left both hands by then is recorded, and its row says so.
    """
    held: set[int] = set()
    for executor in executors:
        running = executor.running()
        if running is None:
            return None
        held.update(running)
    # In this order: a run leaves its executor only once the recorder has its outcome.
    return held | unflushed()


def start_in_doubt(
    in_doubt: dict[int, Run], instance: str, executors: Mapping[str, ConsoleExecutor], held: Set[int]
) -> list[Run]:
    """Start what ``in_doubt`` holds and the table has as started here; forget what has another fate. Return the runs.

    What is still queued stays in doubt: a COMMIT that was cut off here may yet be carried out over there.
    """
    rows = ExecutionDetail.objects.filter(execution_id__in=list(in_doubt))
    found = {pk: rest for pk, *rest in rows.values_list("execution_id", "execution__status", "instance")}
    started = []
    for pk, run in list(in_doubt.items()):
        status, holder = found.get(pk, ("", ""))
        if status == Status.QUEUED:
            continue
        if status == Status.STARTED and holder == instance and pk not in held:
            executors[run.executor].submit([run])
            started.append(run)
        del in_doubt[pk]
    if started:
        logger.info("Started after a dispatch of unknown outcome: %s", ", ".join(str(r.execution_id) for r in started))
    return started


def interrupt_lost(instance: str, accounted: Set[int], now: datetime) -> int:
    """Interrupt what the table has as started here and is not ``accounted`` for; return how many."""
    mine = ExecutionDetail.objects.running().filter(instance=instance)
    lost = set(mine.values_list("execution_id", flat=True)) - accounted
    if not lost:
        return 0
    details = mine.filter(execution_id__in=sorted(lost)[:1000]).select_related("execution__job__spec")
    return recovery.interrupt(list(details), now, "The {instance} that ran it has lost its outcome.")


def may_start(run: Run, instance: str, stopping: threading.Event) -> bool:
    """Tell whether ``run`` may still begin: always soon after its dispatch, later only if its row says so.

    A process that was stalled beyond its lease may find that another has interrupted what it was about to start, and
    perhaps runs it again. While the database does not answer, nobody can tell, and the run waits.
    """
    if time.monotonic() - run.made_at < console_settings.lease_seconds * TRUSTED_PART_OF_LEASE:
        return True
    while True:
        try:
            mine = ExecutionDetail.objects.running().filter(execution_id=run.execution_id, instance=instance)
            found = mine.filter(execution__status=Status.STARTED).exists()
        except Exception:
            logger.debug("Cannot tell yet whether execution %d may start", run.execution_id, exc_info=True)
            drop_connection()
            if stopping.wait(RETRY_SECONDS):
                return False
            continue
        if not found:
            logger.warning("Execution %d does not start here: it has its verdict by now", run.execution_id)
        return found
