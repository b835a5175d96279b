"""The loop: what a process that serves does between its start and its stop.

It beats, holds or waits for the lease and, while it leads, claims ticks and dispatches executions. APScheduler's
``_process_jobs`` is replaced as a whole: it submits first and writes after, deletes jobs whose executor is unknown,
deletes finished one-off jobs, and an exception in it ends its thread while ``running`` stays true.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version

from apscheduler.events import (
    EVENT_SCHEDULER_PAUSED,
    EVENT_SCHEDULER_RESUMED,
    EVENT_SCHEDULER_SHUTDOWN,
    EVENT_SCHEDULER_STARTED,
    SchedulerEvent,
)
from apscheduler.schedulers import SchedulerAlreadyRunningError, SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_PAUSED, STATE_RUNNING, STATE_STOPPED
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, reset_queries, transaction

from app_scheduler.conf import console_settings
from app_scheduler.engine import custody, events, recovery
from app_scheduler.engine.adoption import adopt
from app_scheduler.engine.cancelling import asked_of
from app_scheduler.engine.claim import Claimed, claim
from app_scheduler.engine.connections import drop_connection, set_up_connection
from app_scheduler.engine.dispatch import Dispatched, Dispatcher
from app_scheduler.engine.executors import ConsoleExecutor, create_executors
from app_scheduler.engine.faults import Faults
from app_scheduler.engine.gaps import Gap, Outage, Pause, last_pause
from app_scheduler.engine.jobstore import SpecJobStore
from app_scheduler.engine.lease import Lease, ensure_lease, read_lease
from app_scheduler.engine.queue import give_back, utc_now
from app_scheduler.engine.recorder import Recorder
from app_scheduler.engine.releases import note_release
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.wakeup import Doorbell
from app_scheduler.engine.watchdog import Watchdog, Watched, stack_of
from app_scheduler.models import (
    ExecutionDetail,
    JobSpec,
    JobState,
    SchedulerInstance,
    SchedulerLease,
)
from app_scheduler.registry import registry

logger = logging.getLogger("app_scheduler")

#: The longest that dispatch goes on filling slots as they become free, before ticks and the lease have their turn.
BURST_SECONDS = 0.25
#: The longest that the loop sleeps: a change by any process is seen within it, on every database.
LONGEST_SLEEP_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0
#: How long a stop tries to tell the database, at least.
FAREWELL_SECONDS = 5.0

FAULT = "A pass of the scheduler failed"
WEDGED = "A pass of the scheduler hangs"
FAREWELL = "The scheduler cannot take its leave yet"


class LoopScheduler(BackgroundScheduler):
    """A scheduler with the loop in it. ``state`` is RUNNING while this process leads, PAUSED while it does not."""

    def __init__(self) -> None:
        self._make_engine()
        super().__init__(timezone=settings.TIME_ZONE, job_defaults=dict(console_settings.job_defaults))
        self.add_jobstore(SpecJobStore(), "default")

    def _make_engine(self) -> None:
        self._lease = Lease()
        self._faults = Faults()
        self._recorder = Recorder(self._after_recording, self._faults)
        self._doorbell = Doorbell(self.wakeup)
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        watched = [
            Watched("loop", self._is_loop_alive, self._start_loop),
            Watched("recorder", lambda: self._recorder.alive, self._recorder.revive),
            Watched("doorbell", lambda: self._doorbell.alive, self._doorbell.revive),
        ]
        self._watchdog = Watchdog(watched, self._look_at_pass, self._stopped, self._faults)
        self._started_said = False
        self._tables_missing = False
        self._prepared = False
        self._asked = True
        self._whole_pass_at = 0.0
        self._paused = False
        self._expiry = LONGEST_SLEEP_SECONDS
        self._pass_began: float | None = None
        self._hanging_pass: float | None = None
        self._in_doubt: dict[int, Run] = {}
        self._dispatcher = Dispatcher({}, self.instance)
        self._begun = 0
        self._outage: Outage | None = None
        self._pause: Pause | None = None
        #: When the first pause of a job that ends by itself does, as far as the last heartbeat knew.
        self._pause_ends: datetime | None = None

    # --- starting and stopping ------------------------------------------------------------------------------------

    def start(self, paused: bool = False) -> None:
        """Serve: run the loop in a thread of its own. No query is made here; the loop waits for Django and its tables.

        Raises ``SchedulerAlreadyRunningError`` when this process serves already.
        """
        if self._thread is not None:
            raise SchedulerAlreadyRunningError
        self._check_uwsgi()
        self._event = threading.Event()
        for alias, executor in create_executors().items():
            executor.on_finish = self._recorder.put
            executor.on_free = self._give_slot
            executor.may_start = self._may_start
            executor.faults = self._faults
            if alias not in self._executors:
                self.add_executor(executor, alias)
        for alias, executor in self._executors.items():
            executor.start(self, alias)
        self._dispatcher = self._new_dispatcher()
        self._stopping.clear()
        self._stopped.clear()
        self._started_said = False
        self._start_loop()
        self._watchdog.ensure()

    def _start_loop(self) -> None:
        self._thread = threading.Thread(target=self._main_loop, name="app_scheduler", daemon=True)
        self._thread.start()

    def _is_loop_alive(self) -> bool:
        thread = self._thread
        return self._stopped.is_set() or (thread is not None and thread.is_alive())

    def shutdown(self, wait: bool = True) -> None:
        """Stop cleanly: hand the lease over at once, then wait for what runs, if asked, and record it.

        Raises ``SchedulerNotRunningError`` when this process does not serve.
        """
        thread = self._thread
        if thread is None:
            raise SchedulerNotRunningError
        self._wait_for_runs = wait
        self._stopping.set()
        self.wakeup()
        if threading.current_thread() is not thread:
            self._stopped.wait(console_settings.shutdown_seconds + FAREWELL_SECONDS)

    def begin_shutdown(self) -> None:
        """Ask the loop to stop, without waiting for it; safe in a signal handler."""
        self._stopping.set()
        if self._event is not None:
            self._event.set()

    _wait_for_runs = True

    @property
    def serving(self) -> bool:
        """Tell whether the loop runs in this process."""
        return self._thread is not None and not self._stopped.is_set()

    @property
    def leading(self) -> bool:
        """Tell whether this process leads."""
        return self._lease.held

    @property
    def instance(self) -> str:
        """The id of this process among the instances."""
        return self._lease.instance

    def wait_until_stopped(self, seconds: float | None = None) -> bool:
        return self._stopped.wait(seconds)

    def _attach(self) -> None:
        """Let this process act on stored jobs. A client attaches at its first act; it never leads."""
        if self.state == STATE_STOPPED:
            self._jobstores["default"].start(self, "default")
            self.state = STATE_PAUSED

    def _act(self) -> None:
        if apps.ready:
            self._attach()

    def after_fork(self) -> None:
        """Begin anew in a child process: threads and locks do not survive a fork, and the lease is the parent's."""
        pending = list(self._pending_jobs)
        listeners = list(self._listeners)
        self._thread = None
        self._event = None
        self.state = STATE_STOPPED
        self._make_engine()
        super().__init__(timezone=settings.TIME_ZONE, job_defaults=dict(console_settings.job_defaults))
        self.add_jobstore(SpecJobStore(), "default")
        self._pending_jobs = pending
        self._listeners = listeners

    def wakeup(self) -> None:
        """Let this process's loop look at once: at the lease, the ticks and the queue."""
        self._asked = True
        if self._event is not None:
            self._event.set()

    # --- the loop -------------------------------------------------------------------------------------------------

    def _main_loop(self) -> None:
        # Until then jobs that apps add in their ready() are kept, since no query may be made there.
        apps.ready_event.wait()
        set_up_connection()
        try:
            self._attach()
            if not self._started_said:
                self._started_said = True
                self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_STARTED))
            event = self._event
            assert event is not None
            while not self._stopping.is_set():
                seconds = self._process_jobs()
                event.wait(seconds)
                event.clear()
            self._finish()
        finally:
            drop_connection()

    def _process_jobs(self) -> float:
        """Do one pass; return the seconds to sleep. Never raises: a fault is logged, shown and tried again."""
        self._pass_began = time.monotonic()
        try:
            self._watchdog.ensure()
            close_old_connections()
            reset_queries()
            self._settle_doubts()
            seconds = self._pass()
            self._faults.over(FAULT)
            self._tables_missing = False
            return seconds
        except BaseException as error:  # A SystemExit that a driver or a function of the site raises ends no thread.
            return self._after_failure(error)
        finally:
            self._pass_began = None
            self._faults.over(WEDGED)

    def _after_failure(self, error: BaseException) -> float:
        if isinstance(error, (DatabaseError, InterfaceError)) and self._are_tables_missing():
            if not self._tables_missing:
                logger.info("The scheduler waits for its tables; run `manage.py migrate`")
            self._tables_missing = True
            return LONGEST_SLEEP_SECONDS
        self._faults.note(FAULT, error)
        drop_connection()
        self._asked = True  # What is remembered of the queue may be wrong now.
        # A leader tries often enough to renew its lease when the database is only away for a moment.
        longest = min(MAX_BACKOFF_SECONDS, console_settings.lease_seconds / 3)
        return min(0.1 * 2 ** min(self._faults.in_a_row(FAULT), 10), longest)

    def _look_at_pass(self) -> None:
        """Say of a pass that it hangs: longer than the lease lasts, so that another instance leads by now."""
        began = self._pass_began
        if began is None or began == self._hanging_pass:
            return
        seconds = time.monotonic() - began
        if seconds > console_settings.lease_seconds:
            self._hanging_pass = began
            self._faults.note(WEDGED, f"it has lasted {seconds:.0f} s, longer than the lease")
            logger.error("Where the pass that hangs is:\n%s", stack_of(self._thread))
            # The heartbeat comes from the loop, so it stops. The database may be what hangs: not in this thread.
            threading.Thread(target=self._show_fault, name="last words", daemon=True).start()

    def _show_fault(self) -> None:
        try:
            SchedulerInstance.objects.filter(id=self.instance).update(last_error=self._faults.shown())
        except Exception:
            logger.debug("The fault cannot be shown", exc_info=True)
        finally:
            drop_connection()

    def _are_tables_missing(self) -> bool:
        try:
            tables = set(connection.introspection.table_names())
        except Exception:
            return False
        return not {model._meta.db_table for model in (JobSpec, ExecutionDetail, SchedulerLease)} <= tables

    def _pass(self) -> float:
        """Do what is due; return the seconds until the next pass.

        A whole pass, once a second and whenever somebody asks for it, reads the lease and the queue. Between two of
        them the loop knows what waits, and at a tick it asks for the ticks alone.
        """
        if not self._prepared:
            self._prepare()
        whole = self._asked or time.monotonic() >= self._whole_pass_at or not self._lease.is_fresh()
        if whole:
            # Before anything is read: what is asked for from here on needs another pass.
            self._asked = False
            self._whole_pass_at = time.monotonic() + LONGEST_SLEEP_SECONDS
            self._keep_lease()
            self._end_cancelled()
        if not self._lease.held:
            return min(self._expiry, LONGEST_SLEEP_SECONDS)
        self._end_pauses()
        full = self._recorder.full
        if full:
            self._faults.note("Nothing starts", "too many finished executions wait to be recorded")
            self._dispatcher.complete = False
        claimed = Claimed()
        if not self._paused:
            dispatcher = None if full else self._dispatcher
            claimed = claim(utc_now(), gaps=self._gaps, dispatcher=dispatcher, instance=self.instance)
            self._tell_claimed(claimed)
        progress = not full and self._still_leads() and self._dispatch(whole)
        if whole:
            self._take_back()
        unread = progress and not self._dispatcher.complete and not self._dispatcher.rest
        if claimed.more or unread or self._asked:
            return 0.0
        # What is queued and was not started waits for a slot or for its job's turn; a run that ends wakes the loop.
        now = utc_now()
        moments = [claimed.next_tick, self._dispatcher.next_available, self._pause_ends]
        waits = [(moment - now).total_seconds() for moment in moments if moment is not None]
        return max(0.0, min([*waits, self._whole_pass_at - time.monotonic()]))

    @property
    def _gaps(self) -> tuple[Gap, ...]:
        """What may have made ticks late: the outage before this leadership, and the last pause of everything."""
        return tuple(gap for gap in (self._outage, self._pause) if gap is not None)

    def _dispatch(self, whole: bool) -> bool:
        """Fill the free slots, and go on for a moment while rows wait and slots become free.

        Returns whether anything left the queue.
        """
        event, dispatcher = self._event, self._dispatcher
        assert event is not None
        now = utc_now()
        available = dispatcher.next_available is not None and dispatcher.next_available <= now
        if whole or available or dispatcher.must_look:
            dispatched = dispatcher.look(now)
        elif dispatcher.rest:
            dispatched = dispatcher.go_on(now)
        else:
            return False
        self._tell_dispatched(dispatched)
        progress = dispatched.progress
        until = time.monotonic() + BURST_SECONDS
        while dispatcher.rest and not self._stopping.is_set() and self._lease.is_fresh():
            left = until - time.monotonic()
            if left <= 0 or not event.wait(left):
                break
            event.clear()
            if any(executor.free for executor in self._consoles()):
                dispatched = dispatcher.go_on(utc_now())
                self._tell_dispatched(dispatched)
                progress = progress or dispatched.progress
        return progress

    def _new_dispatcher(self) -> Dispatcher:
        executors = {alias: each for alias, each in self._executors.items() if isinstance(each, ConsoleExecutor)}
        return Dispatcher(
            executors, self.instance, self._recorder.unflushed, self._in_doubt, self._lease.hold_to_commit
        )

    def _take_back(self, seconds: float = LONGEST_SLEEP_SECONDS) -> None:
        """Queue again what was handed out ahead and does not get its turn, as behind runs that all take long."""
        for executor in self._consoles():
            runs = executor.take_back(seconds)
            if not runs:
                continue
            # In doubt until that is committed: what stays started here starts here after all.
            self._in_doubt.update((run.execution_id, run) for run in runs)
            self._dispatcher.complete = False
            queued = give_back([(run.execution_id, run.available_at or run.run_time) for run in runs], self.instance)
            for run in runs:
                del self._in_doubt[run.execution_id]
                if run.execution_id not in queued:
                    logger.warning("Execution %d does not start here: it has its verdict by now", run.execution_id)

    def _prepare(self) -> None:
        """Do what each serving process does once: join, and bring the jobs that the code asks for into the table."""
        ensure_lease()
        note_release(utc_now())
        self._doorbell.listen()
        self._beat()
        registry.discover()
        adopted = adopt(utc_now())
        if adopted:
            logger.info("Jobs of plain django-apscheduler were adopted: %s", ", ".join(adopted[:20]))
        with transaction.atomic():
            # One process at a time: the others then find everything up to date.
            SchedulerLease.objects.select_for_update().get(id=SchedulerLease.SINGLETON)
            self._bring_in_jobs_of_code()
        self._prepared = True
        logger.info("Scheduler instance %s is ready", self.instance)

    @abstractmethod
    def _bring_in_jobs_of_code(self) -> None:
        """Bring the jobs that the code asks for into the table."""

    @abstractmethod
    def resume_jobs(self, ids: Sequence[str]) -> list[str]:
        """Let paused jobs go on; return the ids of those that were paused."""

    def _keep_lease(self) -> None:
        """Beat and renew when it is time, take the lease when it is free, and notice when it is lost."""
        lease = read_lease(self.instance)
        if lease is None:
            ensure_lease()
            lease = read_lease(self.instance)
        assert lease is not None
        was_leading = self._lease.held
        self._see_whether_to_drain(lease)
        if was_leading and (lease.holder != self.instance or lease.token != self._lease.token):
            self._lease.held = False
        free = lease.holder in ("", self.instance) or lease.expires_at <= lease.now  # type: ignore[attr-defined]  # an annotation
        due = self._lease.due()
        if (self._lease.held and (due or not self._lease.is_fresh())) or (not self._lease.held and free):
            self._lease.acquire()
        # A take-over that failed half way is gone through again, or its outage would never be named.
        if self._lease.held and self._begun != self._lease.token:
            lease = read_lease() or lease
            self._begin_to_lead(lease)
        elif self.state == STATE_RUNNING and not self._lease.held:
            self._cease_to_lead()
        if due or was_leading != self._lease.held:
            self._beat()
            self._interrupt_lost()
            if self._lease.held:
                recovery.reap(utc_now())
                recovery.send_again(self._executors, utc_now())
                self._look_for_ends_of_pauses()
        self._paused = lease.paused_at is not None
        if lease.last_resumed_at and (self._pause is None or self._pause.until != lease.last_resumed_at):
            self._pause = last_pause(lease)
        # A standby looks again at the very moment at which the lease ends.
        self._expiry = max(0.01, (lease.expires_at - lease.now).total_seconds())  # type: ignore[attr-defined]  # an annotation
        if self._lease.draining_since is not None:
            self._expiry = LONGEST_SLEEP_SECONDS  # A lease that nobody takes is not ours to take.

    def _see_whether_to_drain(self, lease: SchedulerLease) -> None:
        """Notice what somebody wants of this instance, and give the lease up where it drains.

        Without its row, which others take away after a stall, it goes on as it was; its next beat writes that again.
        """
        if not lease.is_known:  # type: ignore[attr-defined]  # an annotation
            return
        before, since = self._lease.draining_since, lease.draining_since  # type: ignore[attr-defined]  # an annotation
        self._lease.draining_since = since
        if since is None:
            if before is not None:
                logger.info("Instance %s does not drain any more", self.instance)
            return
        if before is None:
            logger.info("Instance %s drains: it takes nothing new and ends what it runs", self.instance)
        if self._lease.held or lease.holder == self.instance:
            self._lease.release()
            # What was handed out ahead has not begun; whoever leads next starts it.
            self._take_back(0)
            self._doorbell.ring()

    def _still_leads(self) -> bool:
        """Tell whether this process may start executions: a stall since the pass began may have cost it the lease."""
        return self._lease.is_fresh() or self._lease.acquire()

    # --- what was started here and in whose hands it is -----------------------------------------------------------

    def _settle_doubts(self) -> None:
        """Start what an earlier dispatch has marked as started although it failed."""
        if self._in_doubt:
            held = custody.held_here(self._consoles(), self._recorder.unflushed)
            custody.start_in_doubt(self._in_doubt, self.instance, self._executors, held or set())

    def _interrupt_lost(self) -> None:
        """Give what was started here and is in nobody's hands any more its verdict."""
        held = custody.held_here(self._consoles(), self._recorder.unflushed)
        if held is not None:
            custody.interrupt_lost(self.instance, held | set(self._in_doubt), utc_now())

    def _end_cancelled(self) -> None:
        """Have what runs here and somebody has cancelled end; whoever leads."""
        consoles = self._consoles()
        if any(each.busy for each in consoles):
            for execution_id, reason in asked_of(self.instance).items():
                any(each.cancel(execution_id, reason) for each in consoles)

    def _may_start(self, run: Run) -> bool:
        return custody.may_start(run, self.instance, self._stopping)

    def _look_for_ends_of_pauses(self) -> None:
        ending = JobSpec.objects.filter(state=JobState.PAUSED, paused_until__isnull=False).order_by("paused_until")
        self._pause_ends = ending.values_list("paused_until", flat=True).first()

    def _end_pauses(self) -> None:
        """Resume the jobs whose pause has come to its end, so that their next tick is in time."""
        if self._pause_ends is None or self._pause_ends > utc_now():
            return
        over = JobSpec.objects.filter(state=JobState.PAUSED, paused_until__lte=utc_now())
        if self.resume_jobs(list(over.values_list("job_id", flat=True)[:1000])):
            self._look_for_ends_of_pauses()
        else:  # Somebody was faster. The next heartbeat looks again.
            self._pause_ends = None

    def _beat(self) -> None:
        busy = sum(executor.busy for executor in self._consoles())
        slots = sum(executor.slots for executor in self._consoles())
        self._lease.beat(
            slots=slots,
            busy=busy,
            version=_version(),
            last_error=self._faults.shown(),
            bell=self._doorbell.port,
        )

    def _consoles(self) -> list[ConsoleExecutor]:
        return [executor for executor in self._executors.values() if isinstance(executor, ConsoleExecutor)]

    def _begin_to_lead(self, lease: SchedulerLease) -> None:
        self.state = STATE_RUNNING
        self._dispatcher = self._new_dispatcher()
        self._outage = None
        if lease.down_since and lease.led_since and lease.led_since - lease.down_since > timedelta(seconds=1):
            self._outage = Outage(lease.down_since, lease.led_since)
        logger.info("Instance %s leads, token %d", self.instance, self._lease.token)
        recovery.quarantine(utc_now())
        healed = recovery.heal(utc_now())
        if healed:
            logger.info("Jobs that were broken are scheduled again: %s", ", ".join(healed))
        self._begun = self._lease.token
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_RESUMED))

    def _cease_to_lead(self) -> None:
        self.state = STATE_PAUSED
        if self._lease.draining_since is None:
            logger.warning("Instance %s lost the lease and is on standby", self.instance)
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_PAUSED))

    def _finish(self) -> None:
        """Hand over at once, then let what runs here end, and say of the rest that it was interrupted.

        No step hangs on the success of the one before it: where the database is away, runs may still end.
        """
        deadline = time.monotonic() + (console_settings.shutdown_seconds if self._wait_for_runs else 0)
        try:
            self._insist(self._hand_over, 1.0)
            while any(executor.busy for executor in self._consoles()) and time.monotonic() < deadline:
                if self._lease.due():
                    self._insist(self._beat, 0)
                for executor in self._consoles():
                    executor.stop(min(0.5, max(0.0, deadline - time.monotonic())))
            for executor in self._consoles():
                executor.stop(0)
            self._insist(partial(self._take_back, 0), 1.0)
            for executor in self._consoles():
                executor.end()
            self._recorder.stop(max(FAREWELL_SECONDS / 2, deadline - time.monotonic()))
            self._insist(self._interrupt_rest, FAREWELL_SECONDS / 2)
            self._insist(self._lease.leave, FAREWELL_SECONDS / 2)
        finally:
            self._doorbell.close()
            self.state = STATE_STOPPED
            self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_SHUTDOWN))
            self._executors.clear()
            self._in_doubt.clear()
            self._prepared = False
            self._thread = None
            self._stopped.set()
            logger.info("Scheduler instance %s has stopped", self.instance)

    def _hand_over(self) -> None:
        self._lease.release()
        self._doorbell.ring()

    def _insist(self, step: Callable[[], None], seconds: float) -> None:
        """Do ``step``; where it fails, try again for ``seconds`` and then go on without it."""
        until = time.monotonic() + seconds
        while True:
            try:
                step()
                return
            except Exception as error:
                self._faults.note(FAREWELL, error)
                drop_connection()
            if time.monotonic() >= until:
                logger.warning("The scheduler stops without it; other instances will notice within the lease")
                return
            # Not an event: the one that ends all waiting is set already.
            time.sleep(0.1)

    def _interrupt_rest(self) -> None:
        rest = ExecutionDetail.objects.running().filter(instance=self.instance)
        recovery.interrupt(
            list(rest.select_related("execution__job__spec")), utc_now(), "The {instance} that ran it was stopped."
        )

    # --- APScheduler's events -------------------------------------------------------------------------------------

    def _give_slot(self) -> None:
        """Let a slot that has become free go to whoever waits for one, before the outcome is even recorded."""
        dispatcher = self._dispatcher
        event = self._event
        if (dispatcher.rest or not dispatcher.complete) and event is not None and not event.is_set():
            event.set()

    def _after_recording(self, outcomes: Sequence[Outcome]) -> None:
        is_awaited = self._dispatcher.is_awaited
        # A retry was queued, or something waits until this job's or this group's execution has ended.
        if any(outcome.is_retried or is_awaited(outcome.run) for outcome in outcomes) or self._stopping.is_set():
            self.wakeup()
        if self._listeners:
            self._tell(events.of_outcomes(outcomes))

    def _tell_claimed(self, claimed: Claimed) -> None:
        if self._listeners:
            self._tell(events.of_claimed(claimed))

    def _tell_dispatched(self, dispatched: Dispatched) -> None:
        if self._listeners:
            self._tell(events.of_dispatched(dispatched))

    def _tell(self, told: Iterable[SchedulerEvent]) -> None:
        for event in told:
            self._dispatch_event(event)


def _version() -> str:
    return f"APScheduler {version('apscheduler')}"
