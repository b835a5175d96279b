"""The worker's end of the executor “celery”: the task that its messages name, and the worker among the instances.

Celery imports this in its workers, where the app is installed, and nothing else does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import celery
from billiard.common import human_status
from celery import shared_task, signals

from app_scheduler.engine import ending
from app_scheduler.engine.executors.celery import TASK, publish
from app_scheduler.engine.workbench import Workbench, watch_parent
from app_scheduler.engine.workers import Worker

#: This process's worker; a child of a pool of processes has its parent's.
_worker: Worker | None = None
_is_child = False
_local = threading.local()
#: How processes of the pool ended, by their ids.
_ends: dict[int, int] = {}
MOST_ENDS = 1000
#: Into so many messages goes what a process passes on.
HANDED_ON_PARTS = 4


@shared_task(name=TASK, bind=True, ignore_result=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def run(self: Any, ids: list[int]) -> None:
    """Run executions that were sent to workers and that nobody has begun.

    The message is acknowledged at the end. One that comes again, after a worker was lost, starts only what had not
    begun until then.
    """
    if _worker is None:
        raise RuntimeError("Executions run in Celery's workers only: start one with `celery worker`.")
    if not hasattr(_local, "workbench"):
        _local.workbench = Workbench(_worker.instance, _worker.hands if _is_child else None)
    queue = self.request.delivery_info.get("routing_key", "")
    _local.workbench.work_off(ids, partial(_hand_on, self.app, queue))


def _hand_on(app: Any, queue: str, ids: Sequence[int]) -> None:
    # In parts: what kept the process may have been but a moment, and then each message for itself would cost more.
    size = -(-len(ids) // HANDED_ON_PARTS)
    with app.producer_or_acquire() as producer:
        for start in range(0, len(ids), size):
            publish(app, ids[start : start + size], queue, producer)


class CeleryCrew:
    """The pool of a Celery worker, of whichever kind, and its consumer."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._queues = list(consumer.app.amqp.queues.consume_from)
        self._note_ends(getattr(consumer.pool, "_pool", None))

    def _note_ends(self, pool: Any) -> None:
        """Have a pool of processes note how each ends. Celery itself tells that nobody but the log, at once."""
        after_end = getattr(pool, "on_process_down", None)
        if after_end is None:
            return

        def note(process: Any) -> None:
            if len(_ends) >= MOST_ENDS:
                _ends.clear()
            _ends[process.pid] = process.exitcode
            after_end(process)

        pool.on_process_down = note

    def slots(self) -> int:
        return int(self._consumer.pool.num_processes)

    def queues(self) -> Sequence[str]:
        return self._queues

    def drain(self) -> None:
        for queue in self._queues:
            self._consumer.call_soon(self._consumer.cancel_task_queue, queue)

    def go_on(self) -> None:
        for queue in self._queues:
            self._consumer.call_soon(self._consumer.add_task_queue, queue)

    def cause_of_end(self, process: int) -> str | None:
        status = _ends.pop(process, None)
        return None if status is None else str(human_status(status)).replace("exitcode", "exit code")

    def tell(self, execution_id: int, reason: str) -> None:
        ending.ask(execution_id, reason)


@signals.worker_init.connect
def _make_worker(**kwargs: Any) -> None:
    # Before the pool's processes are forked: they run under its name.
    global _worker
    _worker = Worker(f"Celery {celery.__version__}")


@signals.worker_process_init.connect
def _begin_as_child(**kwargs: Any) -> None:
    global _is_child
    _is_child = True
    watch_parent()


@signals.worker_ready.connect
def _join(sender: Any, **kwargs: Any) -> None:
    if _worker is not None:
        _worker.start(CeleryCrew(sender))


@signals.worker_shutdown.connect
def _leave(**kwargs: Any) -> None:
    if _worker is not None:
        _worker.stop()
