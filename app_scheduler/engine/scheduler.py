"""The live scheduler: one per process, with APScheduler's own API and the console's verbs in bulk.

Every process can add, change, pause and remove jobs through it, also one that never leads. What a process that serves
does besides is in ``loop``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from apscheduler.events import (
    EVENT_JOB_ADDED,
    EVENT_JOB_MODIFIED,
    EVENT_JOB_REMOVED,
    EVENT_SCHEDULER_PAUSED,
    EVENT_SCHEDULER_RESUMED,
    JobEvent,
    SchedulerEvent,
)
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers.base import STATE_STOPPED
from apscheduler.util import undefined
from django.apps import apps
from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.functions import Now

from app_scheduler import documents, triggers
from app_scheduler.engine import jobstore, skipping
from app_scheduler.engine.jobstore import KEEP, Change, anchor_of, document_of
from app_scheduler.engine.lease import ensure_lease
from app_scheduler.engine.loop import LoopScheduler
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import ConsoleError, UnknownFunction
from app_scheduler.models import (
    DismissedDefault,
    JobOrigin,
    JobSpec,
    JobState,
    SchedulerInstance,
    SchedulerLease,
)
from app_scheduler.registry import registry

logger = logging.getLogger("app_scheduler")


class ConsoleScheduler(LoopScheduler):
    """The console's scheduler."""

    def __init__(self) -> None:
        # Jobs that apps added in their ready(), which the code may be asked for again once they are in the table.
        self._added_by_apps: dict[str, Job] = {}
        super().__init__()

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
        before = documents.code_before(theirs, spec.code_document, documents.of(spec), spec.code_before)
        if spec.code_before != before:
            spec.code_before = before
            fields.append("code_before")
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
            jobstore.save_jobs([Change(spec, list(dict.fromkeys(fields)), tick)])

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

    def skip_next(self, ids: Sequence[str], *, by: Any = None, reason: str = "") -> dict[str, datetime]:
        """Keep the next tick of scheduled jobs from running; return the ticks by job. Those that skip one stay so."""
        self._act()
        skipped = skipping.skip_next(ids, by=by, reason=reason, now=utc_now())
        self._announce(JobEvent(EVENT_JOB_MODIFIED, job_id, "default") for job_id in skipped)
        return skipped

    def unskip_next(self, ids: Sequence[str]) -> dict[str, datetime]:
        """Let the ticks that were to be skipped run after all; return those ticks by job."""
        self._act()
        back = skipping.unskip_next(ids, now=utc_now())
        self._announce(JobEvent(EVENT_JOB_MODIFIED, job_id, "default") for job_id in back)
        return back

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
        changed = bool(
            lease.update(
                paused_at=None,
                paused_by=None,
                pause_reason="",
                last_paused_at=F("paused_at"),
                last_paused_by=F("paused_by"),
                last_pause_reason=F("pause_reason"),
                last_resumed_at=utc_now(),
            )
        )
        self._announce([SchedulerEvent(EVENT_SCHEDULER_RESUMED)] if changed else [])
        return changed

    def drain_instance(self, instance: str) -> bool:
        """Have an instance take nothing new and end what it runs; return whether it did not drain yet."""
        row = SchedulerInstance.objects.filter(id=instance, draining_since__isnull=True)
        changed = bool(row.update(draining_since=Now()))
        self._announce([], everywhere=True)
        return changed

    def resume_instance(self, instance: str) -> bool:
        """Let an instance that drains take executions again; return whether it drained."""
        row = SchedulerInstance.objects.filter(id=instance, draining_since__isnull=False)
        changed = bool(row.update(draining_since=None))
        self._announce([], everywhere=True)
        return changed

    def _announce(self, events: Iterable[SchedulerEvent], *, everywhere: bool = False) -> None:
        """Tell listeners, this loop and the leader's, once what happened is committed; ``everywhere`` all loops.

        Waking a scheduler inside the transaction would let it look before there is anything to see, and sleep on.
        """
        kept = list(events)

        def tell() -> None:
            for event in kept:
                self._dispatch_event(event)
            self.wakeup()
            if everywhere or not self._lease.held:
                self._doorbell.ring()

        transaction.on_commit(tell)

    # --- the jobs of the code -------------------------------------------------------------------------------------

    def _bring_in_jobs_of_code(self) -> None:
        self._flush_pending()
        self._schedule_defaults()

    def _flush_pending(self) -> None:
        dismissed = set(DismissedDefault.objects.values_list("job_id", flat=True))
        for job, alias, replace_existing in list(self._pending_jobs):
            self._added_by_apps[job.id] = job
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
                self.add_default(given, now)
            except ConsoleError as error:
                logger.error("The default schedule of %s cannot be used: %s", function.name, error)

    def add_default(self, given: documents.Document, now: datetime) -> JobSpec:
        """Add a job that the code asks for, and return it.

        Raises ``InvalidInput``, and ``IntegrityError`` when its id is taken.
        """
        document = documents.clean(given, now=now)
        spec = documents.new_spec(document, origin=JobOrigin.CODE, anchor=now)
        spec.code_document = document
        tick = triggers.schedule_for(spec.trigger, anchor=now).next_after(now)
        self.insert_jobs([(spec, tick if spec.state == JobState.SCHEDULED else None)])
        return spec

    def defaults(self) -> dict[str, documents.Document]:
        """Return the jobs that the code asks for, by id: those of ``@job`` and those that apps add in ``ready()``.

        Their values are unchecked.
        """
        pending = {job.id: job for job, _alias, _replace in self._pending_jobs}
        asked: dict[str, documents.Document] = {}
        for job_id, job in {**self._added_by_apps, **pending}.items():
            try:
                asked[job_id] = document_of(job)
            except ConsoleError as error:
                logger.error("Job %s of the code cannot be read: %s", job_id, error)
        for function in registry.scheduled():
            document = function.default_document()
            asked.setdefault(document["id"], document)
        return asked


def _of_job(job: Job, changes: dict[str, Any]) -> documents.Document:
    """Return the part of an APScheduler job's document that ``changes`` are about."""
    document = document_of(job)
    wanted = {"func": ("function", "args", "kwargs"), "args": ("args", "kwargs"), "kwargs": ("args", "kwargs")}
    fields = {field for change in changes for field in wanted.get(change, (change,))}
    return {field: value for field, value in document.items() if field in fields}


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
