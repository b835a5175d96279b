"""Executions by Celery workers: this end publishes, ``app_scheduler.tasks`` is the other.

A message carries ids of executions and nothing else. It may be lost, late or delivered twice: the table decides
what starts, and what no worker has begun is sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any
from uuid import uuid4

from celery import current_app
from celery.utils.imports import symbol_by_name

from app_scheduler.engine.connections import drop_connection
from app_scheduler.engine.executors.base import Abilities, SendingExecutor
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.sending import Message, count_sent, unsend

logger = logging.getLogger(__name__)

TASK = "app_scheduler.run"
#: The most executions that one message carries. A worker that is kept by the first passes the others on.
LARGEST_MESSAGE = 50
#: So many messages at least are made of what waits, so that many processes begin at once.
SPREAD = 20
QUEUE = "jobs"
MAX_IN_FLIGHT = 1000
#: How long what was counted of the table is believed, in seconds.
COUNT_SECONDS = 0.05
#: Where nobody has asked for so long, nothing waits until it is fewer.
FORGET_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 5.0
FAULT = "Executions cannot be sent to the broker"


class CeleryExecutor(SendingExecutor):
    """Publishes from a thread of its own, over one connection, and keeps what it cannot publish yet.

    ``app`` is the dotted name of the Celery application (the current one if left out); ``queue``, where jobs go that
    name none; ``max_in_flight``, how many may be sent and not begun, so that what has a higher priority need not wait
    behind a long queue; what is not begun within ``resend_seconds`` is sent again.
    """

    # Of Celery's default pool, which has processes. In its other pools a run is told that it is to end.
    abilities = Abilities(ends_at_timeout=True, ends_when_cancelled=True, survives_crashes=True, has_queues=True)

    def __init__(
        self,
        app: str | None = None,
        queue: str = QUEUE,
        max_in_flight: int = MAX_IN_FLIGHT,
        resend_seconds: float = SendingExecutor.resend_seconds,
    ) -> None:
        super().__init__()
        self._app_name = app
        self._queue = queue
        self._max_in_flight = max_in_flight
        self.resend_seconds = resend_seconds
        self._pending: deque[Message] = deque()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._in_flight = 0
        self._counted_at = float("-inf")

    @property
    def busy(self) -> int:
        return len(self._pending)

    @property
    def free(self) -> int:
        if time.monotonic() - self._counted_at >= COUNT_SECONDS:
            self._in_flight, self._counted_at = count_sent(), time.monotonic()
        return max(0, self._max_in_flight - self._in_flight)

    def running(self) -> list[int]:
        return []  # What is sent is still queued, and what runs is the workers'.

    def send(self, messages: Sequence[Message]) -> None:
        self._in_flight += len(messages)
        with self._condition:
            self._stopping = False
            self._pending.extend(messages)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def stop(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._condition:
            while self._pending and (left := deadline - time.monotonic()) > 0:
                self._condition.wait(left)
            if seconds > 0:
                return
            self._stopping = True
            left_over = [message.execution_id for message in self._pending]
            self._pending.clear()
            self._condition.notify_all()
        try:
            unsend(left_over, utc_now())
        except Exception:  # They are sent again by the next leader, only later.
            logger.warning("%d executions are not published yet", len(left_over), exc_info=True)
            drop_connection()

    def shutdown(self, wait: bool = True) -> None:
        self.stop(0)

    def _work(self) -> None:
        backoff = 0.1
        while self._wait():
            try:
                self._publish()
                self.faults.over(FAULT)
                backoff = 0.1
            except Exception as error:  # Whatever a broker's client raises: the messages are still here.
                self.faults.note(FAULT, error)
                with self._condition:
                    self._condition.wait_for(lambda: self._stopping, backoff)
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)

    def _wait(self) -> bool:
        """Wait for something to publish; return False at the end. While no more may be sent, look whether it may."""
        with self._condition:
            while not self._pending and not self._stopping:
                counted = time.monotonic() - self._counted_at
                is_full = self._in_flight >= self._max_in_flight and counted < FORGET_SECONDS
                self._condition.wait(COUNT_SECONDS if is_full else None)
                if is_full and not self._pending:
                    # The workers' runs end elsewhere, so nobody tells; the loop counts, where something waits.
                    self.on_free()
            return not self._stopping

    def _publish(self) -> None:
        app = celery_app(self._app_name)
        with app.producer_or_acquire() as producer:
            while self._pending:
                batch = self._first()
                publish(app, [message.execution_id for message in batch], batch[0].queue or self._queue, producer)
                with self._condition:
                    for message in batch:
                        if self._pending and self._pending[0] is message:  # Not while it stops.
                            self._pending.popleft()
                    if not self._pending:
                        self._condition.notify_all()

    def _first(self) -> list[Message]:
        """Return of what waits as much as goes into one message: few of few, so that every worker gets some."""
        waiting = tuple(self._pending)
        size = max(1, min(LARGEST_MESSAGE, len(waiting) // SPREAD))
        return list(takewhile(lambda message: message.queue == waiting[0].queue, waiting[:size]))


def celery_app(name: str | None) -> Any:
    """Return the Celery application of that dotted name, or the current one."""
    return symbol_by_name(name) if name else current_app


def create_connection(app: Any) -> None:
    """Look whether there is what the broker's address needs, such as its client library. Asks nobody."""
    with app.connection_for_write() as connection:
        connection.transport  # noqa: B018  # imports it


def publish(app: Any, ids: Sequence[int], queue: str, producer: Any = None) -> None:
    """Publish one message with ``ids``. Raises what the broker's client raises; nothing is tried again here."""
    app.send_task(
        TASK, (list(ids),), task_id=str(uuid4()), queue=queue, producer=producer, ignore_result=True, retry=False
    )
