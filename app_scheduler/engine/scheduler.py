"""The live scheduler: one per process, APScheduler's own API, and a loop that only the leader's process works in.

Every process can add, change, pause and remove jobs through it. A process that serves also runs the loop: it beats,
holds or waits for the lease and, while it leads, claims ticks and dispatches executions. APScheduler's
``_process_jobs`` is replaced as a whole: it submits first and writes after, deletes jobs whose executor is unknown,
deletes finished one-off jobs, and an exception in it ends its thread while ``running`` stays true.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from apscheduler.events import (
    EVENT_JOB_ADDED,
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_MODIFIED,
    EVENT_JOB_REMOVED,
    EVENT_JOB_SUBMITTED,
    EVENT_SCHEDULER_PAUSED,
    EVENT_SCHEDULER_RESUMED,
    EVENT_SCHEDULER_SHUTDOWN,
    EVENT_SCHEDULER_STARTED,
    JobEvent,
    JobExecutionEvent,
    JobSubmissionEvent,
    SchedulerEvent,
)
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers import SchedulerAlreadyRunningError, SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_PAUSED, STATE_RUNNING, STATE_STOPPED
from apscheduler.util import undefined
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, reset_queries, transaction

from app_scheduler import documents, triggers
from app_scheduler.conf import console_settings
from app_scheduler.engine import jobstore, recovery
from app_scheduler.engine.adoption import adopt
from app_scheduler.engine.claim import Outage, claim, next_tick
from app_scheduler.engine.dispatch import Dispatched, dispatch, dispatch_rest, next_available
from app_scheduler.engine.executors import ConsoleExecutor, create_executors
from app_scheduler.engine.jobstore import KEEP, Change, SpecJobStore, anchor_of, document_of
from app_scheduler.engine.lease import Lease, ensure_lease, read_lease
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.recorder import Recorder
from app_scheduler.engine.runner import Outcome
from app_scheduler.engine.wakeup import Doorbell
from app_scheduler.exceptions import ConsoleError, UnknownFunction
from app_scheduler.models import (
    DismissedDefault,
    ExecutionDetail,
    JobSpec,
    JobState,
    SchedulerLease,
    Status,
)
from app_scheduler.registry import registry

logger = logging.getLogger("app_scheduler")

#: The longest that dispatch goes on filling slots as they become free, before ticks and the lease have their turn.
BURST_SECONDS = 0.25
#: The longest that the loop sleeps: a change by any process is seen within it, on every database.
LONGEST_SLEEP_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0

_EVENT_OF = {
    Status.EXECUTED: EVENT_JOB_EXECUTED,
    Status.ERROR: EVENT_JOB_ERROR,
    Status.TIMED_OUT: EVENT_JOB_ERROR,
    Status.MISSED: EVENT_JOB_MISSED,
    Status.MAX_INSTANCES: EVENT_JOB_MAX_INSTANCES,
}


class ConsoleScheduler(BackgroundScheduler):
    """The console's scheduler. ``state`` is RUNNING while this process leads, PAUSED while it does not."""

    def __init__(self) -> None:
        self._make_engine()
        super().__init__(timezone=settings.TIME_ZONE, job_defaults=dict(console_settings.job_defaults))
        self.add_jobstore(SpecJobStore(), "default")

    def _make_engine(self) -> None:
        self._lease = Lease()
        self._recorder = Recorder(self._after_recording)
        self._doorbell = Doorbell(self.wakeup)
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._tables_missing = False
        self._prepared = False
        self._failures = 0
        self._last_error = ""
        self._backlog = False
        self._outage: Outage | None = None

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
            if alias not in self._executors:
                self.add_executor(executor, alias)
        for alias, executor in self._executors.items():
            executor.start(self, alias)
        self._stopping.clear()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._main_loop, name="app_scheduler", daemon=True)
        self._thread.start()

    def shutdown(self, wait: bool = True) -> None:
        """Stop cleanly: hand the lease over at once, then wait for what runs, if asked, and record it.

        Raises ``SchedulerNotRunningError`` when this process does not serve.
        """
        if self._thread is None:
            raise SchedulerNotRunningError
        self._wait_for_runs = wait
        self._stopping.set()
        self.wakeup()
        if threading.current_thread() is not self._thread:
            self._thread.join(console_settings.shutdown_seconds + 5)

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

    # --- APScheduler's API ----------------------------------------------------------------------------------------

    def add_job(
        self,
        func: Callable[..., Any] | str,
        trigger: Any = None,
        args: Iterable[Any] | None = None,
        kwargs: Any = None,
        id: str | None = None,
        name: str | None = None,
        misfire_grace_time: Any = undefined,
        coalesce: Any = undefined,
        max_instances: Any = undefined,
        next_run_time: Any = undefined,
        jobstore: str = "default",
        executor: str = "default",
        replace_existing: bool = False,
        **trigger_args: Any,
    ) -> Job:
        """Add a job, as APScheduler documents it.

        While Django still loads, as in an app's ``ready()``, the job is kept until the server process has its tables,
        and the function is registered by this very call; later only registered functions are taken. With
        ``replace_existing`` a job that exists is brought up to date without undoing what staff changed.
        """
        if callable(func) and registry.for_callable(func) is None:
            if apps.ready:
                registered = f"{getattr(func, '__module__', '')}.{getattr(func, '__qualname__', func)}"
                raise UnknownFunction(registered)
            registry.register(func)
        now = utc_now()
        made = self._create_trigger(trigger, trigger_args)
        document = triggers.document_of(made)
        self._act()
        job: Job = super().add_job(
            func,
            triggers.trigger_for(document, anchor=anchor_of(made, now)),
            args,
            kwargs,
            id,
            name,
            misfire_grace_time,
            coalesce,
            max_instances,
            next_run_time,
            jobstore,
            executor,
            replace_existing,
        )
        return job

    def _real_add_job(self, job: Job, jobstore_alias: str, replace_existing: bool) -> None:
        explicit = hasattr(job, "next_run_time")
        now = utc_now()
        defaults = {key: value for key, value in self._job_defaults.items() if not hasattr(job, key)}
        if not explicit:
            defaults["next_run_time"] = job.trigger.get_next_fire_time(None, now)
        job._modify(**defaults)
        store = self._lookup_jobstore(jobstore_alias)
        code = EVENT_JOB_ADDED
        try:
            with transaction.atomic():
                store.add_job(job)
                DismissedDefault.objects.filter(job_id=job.id).delete()
        except ConflictingIdError:
            if not replace_existing:
                raise
            self._merge(job, now, explicit)
            code = EVENT_JOB_MODIFIED
        job._jobstore_alias = jobstore_alias
        self._announce([JobEvent(code, job.id, jobstore_alias)])

    def _merge(self, job: Job, now: datetime, explicit: bool) -> None:
        """Bring a job that exists up to date with what the code says of it, leaving what staff changed."""
        moment = job.next_run_time if explicit and job.next_run_time else None
        theirs = {**documents.defaults(), **document_of(job)}
        self._merge_document(theirs, now, anchor=anchor_of(job.trigger, now), next_run_time=moment)

    def _merge_document(
        self, theirs: documents.Document, now: datetime, *, anchor: datetime, next_run_time: datetime | None = None
    ) -> None:
        spec = JobSpec.objects.select_related("job").filter(job_id=theirs["id"]).first()
        if spec is None:
            return
        stored = documents.of(spec)
        theirs = documents.clean(theirs, base=stored, now=now)
        merged = documents.clean(documents.merge(theirs, spec.code_document, stored), base=stored, now=now)
        fields = documents.apply(merged, spec)
        if spec.code_document != theirs:
            spec.code_document = theirs
            fields.append("code_document")
        tick: Any = KEEP
        if "trigger" in fields:
            spec.anchor = anchor
            fields.append("anchor")
            if spec.state in (JobState.SCHEDULED, JobState.FINISHED):
                tick = triggers.schedule_for(spec.trigger, anchor=anchor).next_after(now)
                spec.state = JobState.SCHEDULED if tick else JobState.FINISHED
                fields.append("state")
        if next_run_time is not None and spec.state == JobState.SCHEDULED:
            tick = next_run_time
        if fields or tick is not KEEP:
            jobstore.save_jobs([Change(spec, fields, tick)])

    def modify_job(self, job_id: str, jobstore: str | None = None, **changes: Any) -> Job:
        """Change some of a job's attributes, and only those: a stale copy cannot undo what others changed."""
        self._act()
        if self.state == STATE_STOPPED:
            return super().modify_job(job_id, jobstore, **changes)
        now = utc_now()
        spec = JobSpec.objects.select_related("job").filter(job_id=job_id).first()
        if spec is None:
            raise JobLookupError(job_id)
        if "next_run_time" in changes and changes["next_run_time"] is None:
            self.pause_jobs([job_id])
            changes.pop("next_run_time")
            if not changes:
                return self._lookup_job(job_id, jobstore)[0]
            spec.refresh_from_db()
        job = self._jobstores["default"].job_of(spec)
        job._modify(**changes)
        stored = documents.of(spec)
        document = documents.clean({**stored, **_of_job(job, changes)}, base=stored, now=now)
        fields = documents.apply(document, spec)
        tick: Any = KEEP
        if "trigger" in fields:
            spec.anchor = anchor_of(job.trigger, now)
            fields.append("anchor")
        if spec.state in (JobState.SCHEDULED, JobState.FINISHED):
            if changes.get("next_run_time"):
                tick = job.next_run_time
            elif "trigger" in fields:
                tick = triggers.schedule_for(spec.trigger, anchor=spec.anchor).next_after(now)
            if tick is not KEEP:
                spec.state = JobState.SCHEDULED if tick else JobState.FINISHED
                fields.append("state")
        elif spec.state == JobState.PAUSED and changes.get("next_run_time"):
            spec.state = JobState.SCHEDULED
            fields.append("state")
            tick = job.next_run_time
        self.save_changes([Change(spec, fields, tick)])
        return self._lookup_job(job_id, jobstore)[0]

    def reschedule_job(self, job_id: str, jobstore: str | None = None, trigger: Any = None, **trigger_args: Any) -> Job:
        """Give a job another trigger. A paused job stays paused."""
        made = self._create_trigger(trigger, trigger_args)
        anchored = triggers.trigger_for(triggers.document_of(made), anchor=anchor_of(made, utc_now()))
        return self.modify_job(job_id, jobstore, trigger=anchored)

    def pause_job(self, job_id: str, jobstore: str | None = None) -> Job:
        self._act()
        job = self._lookup_job(job_id, jobstore)[0]
        if self.state == STATE_STOPPED:
            return super().modify_job(job_id, jobstore, next_run_time=None)
        self.pause_jobs([job_id])
        return self._lookup_job(job.id, jobstore)[0]

    def resume_job(self, job_id: str, jobstore: str | None = None) -> Job | None:
        """Resume a paused job. One whose schedule has ended is kept as finished, where APScheduler removes it."""
        self._act()
        if self.state == STATE_STOPPED:
            return super().resume_job(job_id, jobstore)
        self._lookup_job(job_id, jobstore)
        self.resume_jobs([job_id])
        return self._lookup_job(job_id, jobstore)[0]

    def get_jobs(self, jobstore: str | None = None, pending: bool | None = None) -> list[Job]:
        self._act()
        return super().get_jobs(jobstore, pending)

    def get_job(self, job_id: str, jobstore: str | None = None) -> Job | None:
        self._act()
        return super().get_job(job_id, jobstore)

    def remove_job(self, job_id: str, jobstore: str | None = None) -> None:
        self._act()
        if self.state == STATE_STOPPED:
            super().remove_job(job_id, jobstore)
        elif not self.delete_jobs([job_id]):
            raise JobLookupError(job_id)

    def remove_all_jobs(self, jobstore: str | None = None) -> None:
        self._act()
        super().remove_all_jobs(jobstore)

    def print_jobs(self, jobstore: str | None = None, out: Any = None) -> None:
        self._act()
        super().print_jobs(jobstore, out)

    def import_jobs(self, infile: Any, jobstore: str = "default") -> None:
        """Refused: APScheduler's format carries pickles. Use ``importjobs``, which takes documents."""
        raise NotImplementedError("APScheduler's export carries pickles. Use `manage.py importjobs FILE` instead.")

    def pause(self) -> None:
        """Pause all scheduling, in every process, until ``resume()``. Runs that are asked for by hand still start."""
        self.pause_all(by=None, reason="")

    def resume(self) -> None:
        """Go on with all scheduling."""
        self.resume_all()

    def wakeup(self) -> None:
        """Let this process's loop look at once."""
        if self._event is not None:
            self._event.set()

    # --- the console's verbs, in bulk -----------------------------------------------------------------------------

    def insert_jobs(self, specs: Sequence[tuple[JobSpec, datetime | None]]) -> None:
        """Add jobs with their next ticks. Raises ``IntegrityError`` when an id is taken."""
        self._act()
        jobstore.insert_jobs(specs)
        self._announce(JobEvent(EVENT_JOB_ADDED, spec.job_id, "default") for spec, _ in specs)

    def save_changes(self, changes: Sequence[Change]) -> set[str]:
        """Save changed jobs; return the ids of those that nobody else had changed meanwhile."""
        self._act()
        saved = jobstore.save_jobs(changes)
        self._announce(JobEvent(EVENT_JOB_MODIFIED, job_id, "default") for job_id in sorted(saved))
        return saved

    def pause_jobs(
        self, ids: Sequence[str], *, by: Any = None, reason: str = "", until: datetime | None = None
    ) -> list[str]:
        self._act()
        paused = jobstore.pause_jobs(ids, by=by, reason=reason, until=until, now=utc_now())
        self._announce(JobEvent(EVENT_JOB_MODIFIED, job_id, "default") for job_id in paused)
        return paused

    def resume_jobs(self, ids: Sequence[str]) -> list[str]:
        self._act()
        resumed = jobstore.resume_jobs(ids, now=utc_now())
        self._announce(JobEvent(EVENT_JOB_MODIFIED, job_id, "default") for job_id in resumed)
        return resumed

    def delete_jobs(self, ids: Sequence[str], *, by: Any = None) -> list[str]:
        self._act()
        deleted = jobstore.delete_jobs(ids, by=by)
        self._announce(JobEvent(EVENT_JOB_REMOVED, job_id, "default") for job_id in deleted)
        return deleted

    def announce_queued(self) -> None:
        """Say, once the transaction is committed, that executions were queued."""
        self._announce([])

    def pause_all(self, *, by: Any, reason: str) -> bool:
        """Pause all scheduling; return whether it was not paused yet."""
        ensure_lease()
        lease = SchedulerLease.objects.filter(id=SchedulerLease.SINGLETON, paused_at__isnull=True)
        changed = bool(lease.update(paused_at=utc_now(), paused_by=by, pause_reason=reason))
        self._announce([SchedulerEvent(EVENT_SCHEDULER_PAUSED)] if changed else [])
        return changed

    def resume_all(self) -> bool:
        """Resume all scheduling; return whether it was paused."""
        lease = SchedulerLease.objects.filter(id=SchedulerLease.SINGLETON, paused_at__isnull=False)
        changed = bool(lease.update(paused_at=None, paused_by=None, pause_reason=""))
        self._announce([SchedulerEvent(EVENT_SCHEDULER_RESUMED)] if changed else [])
        return changed

    def _announce(self, events: Iterable[SchedulerEvent]) -> None:
        """Tell listeners, this loop and the leader's, once what happened is committed.

        Waking a scheduler inside the transaction would let it look before there is anything to see, and sleep on.
        """
        kept = list(events)

        def tell() -> None:
            for event in kept:
                self._dispatch_event(event)
            self.wakeup()
            if not self._lease.held:
                self._doorbell.ring()

        transaction.on_commit(tell)

    # --- the loop -------------------------------------------------------------------------------------------------

    def _main_loop(self) -> None:
        # Until then jobs that apps add in their ready() are kept, since no query may be made there.
        apps.ready_event.wait()
        self._attach()
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_STARTED))
        event = self._event
        assert event is not None
        while not self._stopping.is_set():
            seconds = self._process_jobs()
            event.wait(seconds)
            event.clear()
        self._finish()

    def _process_jobs(self) -> float:
        """Do one pass; return the seconds to sleep. Never raises: a fault is logged, shown and tried again."""
        try:
            close_old_connections()
            reset_queries()
            seconds = self._pass()
            if self._failures:
                logger.info("The scheduler's loop goes on after %d failed passes", self._failures)
            self._failures = 0
            self._tables_missing = False
            return seconds
        except Exception as error:
            return self._after_failure(error)

    def _after_failure(self, error: Exception) -> float:
        is_database = isinstance(error, (DatabaseError, InterfaceError))
        if is_database and self._are_tables_missing():
            if not self._tables_missing:
                logger.info("The scheduler waits for its tables; run `manage.py migrate`")
            self._tables_missing = True
            return LONGEST_SLEEP_SECONDS
        self._failures += 1
        self._last_error = f"{type(error).__name__}: {error}"[:2000]
        if is_database and self._failures < 3:
            logger.warning("A pass of the scheduler failed: %s", self._last_error)
        else:
            logger.error("A pass of the scheduler failed", exc_info=error)
        connection.close()
        return min(0.1 * 2 ** min(self._failures, 10), MAX_BACKOFF_SECONDS)

    def _are_tables_missing(self) -> bool:
        try:
            tables = set(connection.introspection.table_names())
        except Exception:
            return False
        return not {model._meta.db_table for model in (JobSpec, ExecutionDetail, SchedulerLease)} <= tables

    def _pass(self) -> float:
        if not self._prepared:
            self._prepare()
        lease = self._keep_lease()
        if not self._lease.held:
            return LONGEST_SLEEP_SECONDS
        now = utc_now()
        more = False
        if lease.paused_at is None:
            claimed = claim(now, outage=self._outage)
            more = claimed.more
            if self._outage and not claimed.jobs:
                self._outage = None
            self._tell_claimed(claimed.entries)
        looked_at = utc_now()
        self._dispatch()
        if more:
            return 0.0
        # What is queued and was not started waits for a slot or for its job's turn; a run that ends wakes the loop.
        moments = [next_available(looked_at), next_tick() if lease.paused_at is None else None]
        now = utc_now()
        waits = [max(0.0, (moment - now).total_seconds()) for moment in moments if moment is not None]
        return min([*waits, LONGEST_SLEEP_SECONDS])

    def _dispatch(self) -> None:
        """Fill the free slots, and go on for a moment while rows wait and slots become free."""
        event = self._event
        assert event is not None
        options: Any = {"instance": self.instance, "finished_here": self._recorder.unflushed}
        until = time.monotonic() + BURST_SECONDS
        dispatched = dispatch(utc_now(), self._executors, **options)
        self._tell_dispatched(dispatched)
        while dispatched.rest and not self._stopping.is_set() and self._lease.is_fresh():
            self._backlog = True
            left = until - time.monotonic()
            if left <= 0 or not event.wait(left):
                return
            event.clear()
            if any(executor.free for executor in self._consoles()):
                dispatched = dispatch_rest(dispatched.rest, utc_now(), self._executors, **options)
                self._tell_dispatched(dispatched)
        self._backlog = False

    def _prepare(self) -> None:
        """Do what each serving process does once: join, and bring the jobs that the code asks for into the table."""
        ensure_lease()
        self._beat()
        registry.discover()
        adopted = adopt(utc_now())
        if adopted:
            logger.info("Jobs of plain django-apscheduler were adopted: %s", ", ".join(adopted[:20]))
        with transaction.atomic():
            # One process at a time: the others then find everything up to date.
            SchedulerLease.objects.select_for_update().get(id=SchedulerLease.SINGLETON)
            self._flush_pending()
            self._schedule_defaults()
        self._doorbell.listen()
        self._prepared = True
        logger.info("Scheduler instance %s is ready", self.instance)

    def _flush_pending(self) -> None:
        dismissed = set(DismissedDefault.objects.values_list("job_id", flat=True))
        for job, alias, replace_existing in list(self._pending_jobs):
            if job.id in dismissed:
                continue
            try:
                with transaction.atomic():
                    self._real_add_job(job, alias, replace_existing)
            except ConflictingIdError:
                logger.info("Job %s exists already and is kept; give replace_existing=True to update it", job.id)
            except DatabaseError:
                raise
            except Exception as error:
                logger.error("Job %s of the code cannot be scheduled: %s", job.id, error)
        self._pending_jobs.clear()

    def _schedule_defaults(self) -> None:
        """Create the jobs of ``@job(trigger=…)`` that are new, and bring the others up to date."""
        now = utc_now()
        dismissed = set(DismissedDefault.objects.values_list("job_id", flat=True))
        for function in registry.scheduled():
            try:
                given = function.default_document()
                if given["id"] in dismissed:
                    continue
                if JobSpec.objects.filter(job_id=given["id"]).exists():
                    self._merge_document({**documents.defaults(), **given}, now, anchor=now)
                    continue
                document = documents.clean(given, now=now)
                spec = documents.new_spec(document, origin="code", anchor=now)
                spec.code_document = document
                tick = triggers.schedule_for(spec.trigger, anchor=now).next_after(now)
                self.insert_jobs([(spec, tick if spec.state == JobState.SCHEDULED else None)])
            except ConsoleError as error:
                logger.error("The default schedule of %s cannot be used: %s", function.name, error)

    def _keep_lease(self) -> SchedulerLease:
        """Beat and renew when it is time, take the lease when it is free, and notice when it is lost."""
        lease = read_lease()
        if lease is None:
            ensure_lease()
            lease = read_lease()
        assert lease is not None
        was_leading = self._lease.held
        if was_leading and (lease.holder != self.instance or lease.token != self._lease.token):
            self._lease.held = False
        free = not lease.holder or lease.expires_at <= lease.now  # type: ignore[attr-defined]  # an annotation
        due = self._lease.due()
        if (self._lease.held and (due or not self._lease.is_fresh())) or (not self._lease.held and free):
            self._lease.acquire(self._doorbell.port)
        if self._lease.held and (not was_leading or lease.token != self._lease.token):
            lease = read_lease() or lease
            self._begin_to_lead(lease)
        elif was_leading and not self._lease.held:
            self._cease_to_lead()
        if due or was_leading != self._lease.held:
            self._beat()
            if self._lease.held:
                recovery.reap(utc_now())
                self._resume_paused_until()
        return lease

    def _resume_paused_until(self) -> None:
        over = JobSpec.objects.filter(state=JobState.PAUSED, paused_until__lte=utc_now())
        ids = list(over.values_list("job_id", flat=True)[:1000])
        if ids:
            self.resume_jobs(ids)

    def _beat(self) -> None:
        busy = sum(executor.busy for executor in self._consoles())
        slots = sum(executor.slots for executor in self._consoles())
        self._lease.beat(slots=slots, busy=busy, version=_version(), last_error=self._last_error)
        self._last_error = "" if not self._failures else self._last_error

    def _consoles(self) -> list[ConsoleExecutor]:
        return [executor for executor in self._executors.values() if isinstance(executor, ConsoleExecutor)]

    def _begin_to_lead(self, lease: SchedulerLease) -> None:
        self.state = STATE_RUNNING
        self._outage = None
        if lease.down_since and lease.led_since and lease.led_since - lease.down_since > timedelta(seconds=1):
            self._outage = Outage(lease.down_since, lease.led_since)
        logger.info("Instance %s leads, token %d", self.instance, self._lease.token)
        healed = recovery.heal(utc_now())
        if healed:
            logger.info("Jobs that were broken are scheduled again: %s", ", ".join(healed))
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_RESUMED))

    def _cease_to_lead(self) -> None:
        self.state = STATE_PAUSED
        logger.warning("Instance %s lost the lease and is on standby", self.instance)
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_PAUSED))

    def _finish(self) -> None:
        """Hand over at once, then let what runs here end, and say of the rest that it was interrupted."""
        try:
            self._lease.release()
            self._doorbell.ring()
            deadline = time.monotonic() + (console_settings.shutdown_seconds if self._wait_for_runs else 0)
            while any(executor.busy for executor in self._consoles()) and time.monotonic() < deadline:
                if self._lease.due():
                    self._beat()
                for executor in self._consoles():
                    executor.stop(min(0.5, max(0.0, deadline - time.monotonic())))
            self._recorder.stop(max(1.0, deadline - time.monotonic()))
            self._interrupt_rest()
            self._lease.leave()
        except Exception:
            logger.warning("The scheduler could not take its leave; others will notice within the lease", exc_info=True)
        finally:
            self._doorbell.close()
            connection.close()
            self.state = STATE_STOPPED
            self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_SHUTDOWN))
            self._executors.clear()
            self._prepared = False
            self._thread = None
            self._stopped.set()
            logger.info("Scheduler instance %s has stopped", self.instance)

    def _interrupt_rest(self) -> None:
        rest = ExecutionDetail.objects.running().filter(instance=self.instance)
        recovery.interrupt(
            list(rest.select_related("execution__job__spec")), utc_now(), "The {instance} that ran it was stopped."
        )

    # --- APScheduler's events -------------------------------------------------------------------------------------

    def _give_slot(self) -> None:
        """Let a slot that has become free go to whoever waits for one, before the outcome is even recorded."""
        if self._backlog:
            self.wakeup()

    def _after_recording(self, outcomes: Sequence[Outcome]) -> None:
        if self._backlog or self._stopping.is_set():
            self.wakeup()
        elif any(outcome.run for outcome in outcomes) and ExecutionDetail.objects.queued().exists():
            # Something may wait for its own job's turn.
            self.wakeup()
        for outcome in outcomes if self._listeners else ():
            run = outcome.run
            self._dispatch_event(
                JobExecutionEvent(
                    _EVENT_OF[outcome.status],
                    run.job_id,
                    "default",
                    run.run_time,
                    retval=outcome.value,
                    exception=outcome.error,
                    traceback=outcome.traceback,
                )
            )

    def _tell_claimed(self, entries: Sequence[Any]) -> None:
        for entry in entries if self._listeners else ():
            if entry.status == Status.MISSED:
                self._dispatch_event(JobExecutionEvent(EVENT_JOB_MISSED, entry.job_id, "default", entry.run_time))

    def _tell_dispatched(self, dispatched: Dispatched) -> None:
        if not self._listeners:
            return
        for run in dispatched.started:
            self._dispatch_event(JobSubmissionEvent(EVENT_JOB_SUBMITTED, run.job_id, "default", [run.run_time]))
        for row, status in dispatched.settled:
            job_id, run_time = row.job_id, row.run_time
            if status == Status.MAX_INSTANCES:
                event: Any = JobSubmissionEvent(EVENT_JOB_MAX_INSTANCES, job_id, "default", [run_time])
            else:
                event = JobExecutionEvent(EVENT_JOB_MISSED, job_id, "default", run_time)
            self._dispatch_event(event)


def _of_job(job: Job, changes: dict[str, Any]) -> documents.Document:
    """Return the part of an APScheduler job's document that ``changes`` are about."""
    document = document_of(job)
    wanted = {"func": ("function", "args", "kwargs"), "args": ("args", "kwargs"), "kwargs": ("args", "kwargs")}
    fields = {field for change in changes for field in wanted.get(change, (change,))}
    return {field: value for field, value in document.items() if field in fields}


def _version() -> str:
    return f"APScheduler {version('apscheduler')}"


_scheduler: ConsoleScheduler | None = None
_creating = threading.Lock()


def get_scheduler() -> ConsoleScheduler:
    """Return this process's one scheduler."""
    global _scheduler
    with _creating:
        if _scheduler is None:
            _scheduler = ConsoleScheduler()
        return _scheduler


def forget_parent() -> None:
    """In a forked child: let go of the parent's scheduler, if it had made one."""
    if _scheduler is not None:
        _scheduler.after_fork()
