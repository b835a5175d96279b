"""What a worker's process does with a message: begin what it names, run it, record it, one after the other.

Each start is a compare-and-set on the table, so a message that comes twice starts nothing twice. Short runs share the
transactions that begin and record them; what turns out to be long is soon all that its process has in hand, so that to
end it strikes no other.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from app_scheduler.engine import custody, sending
from app_scheduler.engine.connections import drop_connection, set_up_connection
from app_scheduler.engine.hands import MOST, Hands
from app_scheduler.engine.queue import give_back, utc_now
from app_scheduler.engine.recorder import Recorder
from app_scheduler.engine.runner import Outcome, Run, execute
from app_scheduler.engine.workers import PROCESS

logger = logging.getLogger(__name__)

#: What waits behind a run that takes longer than this goes on to other processes, in seconds.
HAND_ON_SECONDS = 0.2
#: What a process can be expected to run in this time, it begins at once.
AHEAD_SECONDS = 0.05
#: How often a process looks whether its parent is still there.
PARENT_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 2.0
#: A process that was to be ended ends itself after so long.
END_SECONDS = 5.0


class Workbench:
    """Where one process, or one thread of a pool of threads, works. ``instance`` is its worker's.

    ``hands`` are given where the process does nothing else, so that it may be ended.
    """

    def __init__(self, instance: str, hands: Hands | None) -> None:
        self._instance = instance
        self._hands = hands
        self._hand_on: Callable[[Sequence[int]], None] = lambda ids: None
        self.worker = f"{PROCESS}{os.getpid()}" if hands else threading.current_thread().name[:64]
        self._recorder = Recorder(lambda outcomes: None)
        self._stopping = threading.Event()
        self._guard = threading.Condition()
        #: What the message names and has not begun; what has begun and not had its turn; what has ended.
        self._rest: deque[int] = deque()
        self._ahead: deque[Run] = deque()
        self._ended: list[Outcome] = []
        self._began: float | None = None
        self._at_once = 1
        self._helper: threading.Thread | None = None

    def work_off(self, ids: Sequence[int], hand_on: Callable[[Sequence[int]], None]) -> None:
        """Run what of ``ids`` was sent and nobody has begun, and record it. Waits for the database, however long.

        ``hand_on`` sends executions to whoever is free; it is called from another thread.
        """
        set_up_connection()
        self._hand_on = hand_on
        with self._guard:
            self._rest.extend(ids)
            if len(self._rest) > 1:
                self._ensure_helper()
        while ids := self._next():
            runs = self._begin(ids)
            with self._guard:
                self._ahead.extend(runs)
            if self._hands:
                self._hands.take([run.execution_id for run in runs])
            began, done = time.monotonic(), 0
            while (run := self._take_turn(done)) is not None:
                self._run(run)
                done += 1
            if done:
                mean = (time.monotonic() - began) / done
                self._at_once = max(1, min(MOST, 2 * self._at_once, int(AHEAD_SECONDS / mean)))
            self._record()

    def _next(self) -> list[int]:
        with self._guard:
            return [self._rest.popleft() for _ in range(min(self._at_once, len(self._rest)))]

    def _take_turn(self, turn: int) -> Run | None:
        with self._guard:
            if not self._ahead:
                return None
            if self._hands:
                self._hands.turn_to(turn)
            self._began = time.monotonic()
            self._guard.notify_all()
            return self._ahead.popleft()

    def _begin(self, ids: Sequence[int]) -> list[Run]:
        """Begin executions, where that is still to be done. After a COMMIT that was cut off the table says what is."""
        backoff = 0.0
        while True:
            try:
                begun = sending.begun_by(self._instance, self.worker, ids) if backoff else []
                return begun or sending.begin(ids, self._instance, self.worker, utc_now())
            except Exception as error:
                logger.warning("Executions cannot begin yet: %s", error)
                drop_connection()
                backoff = min(max(0.1, backoff * 2), MAX_BACKOFF_SECONDS)
                time.sleep(backoff)

    def _run(self, run: Run) -> None:
        try:
            if not custody.may_start(run, self._instance, self._stopping):
                return
            outcome = execute(run)
        finally:
            self._began = None
        outcome.worker = self.worker
        with self._guard:
            self._ended.append(outcome)

    def _record(self) -> None:
        with self._guard:
            ended, self._ended = self._ended, []
        if ended and not self._recorder.write_now(ended) and self._hands:
            # A verdict was given from outside: this process is about to be killed, or was taken to be lost.
            logger.warning("Executions have their verdict already; this process ends")
            time.sleep(END_SECONDS)
            os._exit(1)

    # --- what waits behind a long run -----------------------------------------------------------------------------

    def _ensure_helper(self) -> None:
        if self._helper is None or not self._helper.is_alive():
            self._helper = threading.Thread(target=self._help, name="hand on", daemon=True)
            self._helper.start()

    def _help(self) -> None:
        set_up_connection()
        while True:
            with self._guard:
                began = self._guard.wait_for(lambda: self._began if self._rest or self._ahead or self._ended else None)
                self._guard.wait(max(0.0, HAND_ON_SECONDS - (time.monotonic() - (began or 0.0))) + 0.001)
                if self._began != began:
                    continue
                rest, ahead = list(self._rest), list(self._ahead)
                self._rest.clear()
                self._ahead.clear()
            self._record()
            self._give_back(ahead)
            drop_connection()  # It may be long before it is needed again.
            try:
                if rest:
                    self._hand_on(rest)
            except Exception:  # The broker is away: they run here, unless the leader has sent them again by then.
                logger.warning("%d executions cannot be handed on yet", len(rest), exc_info=True)
                with self._guard:
                    self._rest.extend(rest)
                time.sleep(MAX_BACKOFF_SECONDS)

    def _give_back(self, runs: Sequence[Run]) -> None:
        """Queue again what has begun and will not have its turn here, however long the database is away."""
        available = {run.execution_id: run.available_at or run.run_time for run in runs}
        while available:
            try:
                # Asked each time: after a COMMIT that was cut off it may be another's by now.
                still = sending.begun_by(self._instance, self.worker, list(available))
                give_back([(run.execution_id, available[run.execution_id]) for run in still], self._instance)
                return
            except Exception as error:
                logger.warning("%d executions cannot be queued again yet: %s", len(available), error)
                drop_connection()
                time.sleep(MAX_BACKOFF_SECONDS)


def watch_parent() -> None:
    """End this process soon after its parent, in the middle of whatever it runs.

    A worker that is gone has its executions interrupted and perhaps run again elsewhere: nothing of it may go on.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
