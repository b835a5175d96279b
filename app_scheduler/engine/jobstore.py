"""The job store: ``JobSpec`` rows as APScheduler's jobs, and the verbs that write them, in bulk.

``DjangoJob.job_state`` is written in the stock format, so that an old process that still runs plain
django-apscheduler during a rolling deploy does not delete the job; it is never read.
"""

from __future__ import annotations

import logging
import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django.db import IntegrityError, connection, transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import documents, triggers
from app_scheduler.engine.held import MICROSECOND, Passed, end_of_pause, passed_before_change, passed_while_held, record
from app_scheduler.engine.language import ledger_language
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.skipping import drop_skips
from app_scheduler.engine.sql import among, in_batches, update_from_values
from app_scheduler.exceptions import ConsoleError, InvalidInput
from app_scheduler.models import DismissedDefault, ExecutionDetail, JobOrigin, JobSpec, JobState
from app_scheduler.registry import registry

logger = logging.getLogger(__name__)


#: Attributes that APScheduler fills in from its defaults.
DEFAULTED = ("coalesce", "max_instances", "misfire_grace_time")


class _Keep:
    """The type of ``KEEP``: leave the next tick as it is."""


KEEP: Final = _Keep()

#: States in which no tick of a job is claimed: what passes meanwhile gets its verdict when the job goes on.
HELD: Final = (JobState.PAUSED, JobState.BROKEN)


@dataclass(slots=True)
class Change:
    """A spec with new values in ``fields``, to be saved where nobody changed it since it was read."""

    spec: JobSpec
    fields: Sequence[str]
    next_run_time: datetime | _Keep | None = KEEP


# --- the verbs ----------------------------------------------------------------------------------------------------


def insert_jobs(specs: Sequence[tuple[JobSpec, datetime | None]]) -> None:
    """Insert jobs with their next ticks. Raises ``IntegrityError`` when one of the ids is taken; nothing is written."""
    for spec, moment in specs:
        if spec.state in HELD and spec.held_from is None:
            spec.held_from = moment or spec.paused_at or utc_now()
    with transaction.atomic():
        DjangoJob.objects.bulk_create(
            [
                DjangoJob(id=spec.job_id, next_run_time=moment, job_state=stock_state(spec, moment))
                for spec, moment in specs
            ],
            batch_size=1000,
        )
        JobSpec.objects.bulk_create([spec for spec, _ in specs], batch_size=1000)


def save_jobs(changes: Sequence[Change]) -> set[str]:
    """Save what changed; return the ids of the jobs that were saved: not those that somebody else changed meanwhile.

    The revision is the compare-and-set. Next ticks are written only for the jobs that were saved. Ticks that passed
    and that the change leaves behind get their verdict: those of a job that was held back, and those that were due.
    """
    groups: dict[tuple[str, ...], list[Change]] = defaultdict(list)
    for change in changes:
        groups[tuple(change.fields)].append(change)
    now = utc_now()
    saved: set[str] = set()
    with transaction.atomic():
        stored = _stored([change for change in changes if _moves_ticks(change)])
        for fields, group in groups.items():
            rows = [
                (
                    change.spec.job_id,
                    change.spec.revision,
                    change.spec.revision + 1,
                    now,
                    *(_raw(change.spec, field) for field in fields),
                )
                for change in group
            ]
            saved |= update_from_values(JobSpec, ["job", "revision"], ["revision", "updated_at", *fields], rows)
        states, ticks = [], []
        for change in changes:
            if change.spec.job_id not in saved:
                continue
            change.spec.revision += 1
            moment = None if isinstance(change.next_run_time, _Keep) else change.next_run_time
            states.append((change.spec.job_id, stock_state(change.spec, moment)))
            if not isinstance(change.next_run_time, _Keep):
                ticks.append((change.spec.job_id, moment))
        _write_stock_states(states)
        update_from_values(DjangoJob, ["id"], ["next_run_time"], ticks)
        _leave_behind([(stored[c.spec.job_id], c) for c in changes if c.spec.job_id in saved & stored.keys()], now)
    return saved


def _write_stock_states(states: Sequence[tuple[str, bytes]]) -> None:
    """Write the pickles, which as bytes do not travel in JSON."""
    column = DjangoJob._meta.get_field("job_state")
    rows = [(column.get_db_prep_save(state, connection), job_id) for job_id, state in states]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {DjangoJob._meta.db_table} SET job_state = %s WHERE id = %s", rows)


def _moves_ticks(change: Change) -> bool:
    return not isinstance(change.next_run_time, _Keep) or not {"trigger", "state"}.isdisjoint(change.fields)


def _stored(changes: Sequence[Change]) -> dict[str, JobSpec]:
    """Return the jobs as they are before the changes, locked, so that no claim takes a due tick meanwhile."""
    found: dict[str, JobSpec] = {}
    for batch in in_batches([change.spec.job_id for change in changes], 5000):
        rows = JobSpec.objects.select_for_update(of=("self", "job")).select_related("job", "paused_by")
        found |= {spec.job_id: spec for spec in rows.filter(job_id__in=batch).order_by("job_id")}
    return found


def _leave_behind(changed: Sequence[tuple[JobSpec, Change]], now: datetime) -> None:
    """Record the ticks that changes leave behind, and since when a job is held; each pair is a job before and after."""
    passed: list[Passed | None] = []
    rows = []
    for before, change in changed:
        spec = change.spec
        following = None if isinstance(change.next_run_time, _Keep) else change.next_run_time
        is_new_schedule = "trigger" in change.fields
        goes_on = before.state == JobState.SCHEDULED and spec.state not in HELD
        if goes_on and not isinstance(change.next_run_time, _Keep):
            passed.append(passed_before_change(before, following if not is_new_schedule else None, now))
        if spec.state in HELD and (spec.state != before.state or is_new_schedule):
            if before.state in HELD:
                passed.append(passed_while_held(before, now))
            spec.held_from = (before.state == JobState.SCHEDULED and before.job.next_run_time) or now
            spec.paused_at = spec.paused_at or (now if spec.state == JobState.PAUSED else None)
        elif before.state in HELD and spec.state not in HELD:
            passed.append(passed_while_held(before, now))
            if before.state == JobState.PAUSED and "state_reason" not in change.fields:
                spec.state_reason = ""
            spec.held_from = spec.paused_at = spec.paused_until = spec.paused_by = None
        else:
            continue
        columns = ("state_reason", "held_from", "paused_at", "paused_until", "paused_by")
        rows.append((spec.job_id, *(_raw(spec, column) for column in columns)))
    record(passed)
    # What was to be skipped was a tick of the schedule before.
    others = [before.job_id for before, change in changed if "trigger" in change.fields and before.skip_tick]
    drop_skips(others)
    update_from_values(JobSpec, ["job"], ["state_reason", "held_from", "paused_at", "paused_until", "paused_by"], rows)


def pause_jobs(ids: Sequence[str], *, by: Any, reason: str, until: datetime | None, now: datetime) -> list[str]:
    """Hold scheduled jobs back; return the ids of those that were scheduled."""
    paused: list[str] = []
    for batch in in_batches(ids, 5000):
        with transaction.atomic():
            scheduled = JobSpec.objects.select_for_update().filter(job_id__in=batch, state=JobState.SCHEDULED)
            chosen = list(scheduled.order_by("job_id").values_list("job_id", flat=True))
            # A tick that was due and not yet claimed is held back too.
            waited_for = DjangoJob.objects.filter(id=OuterRef("job_id")).values("next_run_time")
            JobSpec.objects.filter(job_id__in=chosen).update(
                state=JobState.PAUSED,
                held_from=Coalesce(Subquery(waited_for), now),
                state_reason=reason,
                paused_by=by,
                paused_at=now,
                paused_until=until,
                updated_at=now,
                revision=F("revision") + 1,
            )
            DjangoJob.objects.filter(id__in=chosen).update(next_run_time=None)
        paused += chosen
    return paused


def resume_jobs(ids: Sequence[str], *, now: datetime) -> list[str]:
    """Let paused jobs go on with their next tick after ``now``; return the ids of those that were paused.

    One whose pause has ended by itself goes on from that moment. A job whose schedule ended meanwhile is finished, not
    deleted. The ticks that passed get one row for each job.
    """
    resumed: list[str] = []
    for batch in in_batches(ids, 5000):
        with transaction.atomic():
            locked = JobSpec.objects.select_for_update(of=("self",)).select_related("paused_by")
            paused = list(locked.filter(job_id__in=batch, state=JobState.PAUSED).order_by("job_id"))
            record([passed_while_held(spec, now) for spec in paused])
            rows = [(spec.job_id, *_after_pause(spec, now)) for spec in paused]
            update_from_values(DjangoJob, ["id"], ["next_run_time"], [(job_id, tick) for job_id, tick, _, _ in rows])
            update_from_values(
                JobSpec,
                ["job"],
                ["state", "state_reason", "held_from", "paused_by", "paused_at", "paused_until", "updated_at"],
                [
                    (job_id, state, reason, now if state in HELD else None, None, None, None, now)
                    for job_id, _, state, reason in rows
                ],
            )
            JobSpec.objects.filter(job_id__in=[row[0] for row in rows]).update(revision=F("revision") + 1)
        resumed += [row[0] for row in rows]
    return resumed


def _after_pause(spec: JobSpec, now: datetime) -> tuple[datetime | None, JobState, str]:
    with ledger_language():
        fault = documents.fault_of(spec)
    if fault:
        return None, JobState.BROKEN, str(fault)
    ended = end_of_pause(spec, now)
    tick = triggers.schedule_for(spec.trigger, anchor=spec.anchor).next_after(ended - MICROSECOND if ended else now)
    if tick is None:
        return None, JobState.FINISHED, "Its schedule ended while it was paused."
    return tick, JobState.SCHEDULED, ""


def delete_jobs(ids: Sequence[str], *, by: Any = None) -> list[str]:
    """Delete jobs with their histories; return the ids that existed.

    The history is deleted by the database alone, never loaded. A job that the code schedules by default is
    remembered as dismissed, or the next start would bring it back.
    """
    deleted: list[str] = []
    for batch in in_batches(ids, 5000):
        with transaction.atomic():
            existing = DjangoJob.objects.select_for_update().filter(id__in=among(batch))
            found = list(existing.values_list("id", flat=True))
            jobs = among(found)
            by_code = JobSpec.objects.filter(job_id__in=jobs, code_document__isnull=False)
            DismissedDefault.objects.bulk_create(
                [DismissedDefault(job_id=pk, dismissed_by=by) for pk in by_code.values_list("job_id", flat=True)],
                ignore_conflicts=True,
            )
            executions = DjangoJobExecution.objects.filter(job_id__in=jobs)
            _delete_rows(ExecutionDetail.objects.filter(execution__in=executions))
            _delete_rows(executions)
            _delete_jobs_themselves(jobs)
        deleted += found
    return deleted


def _delete_jobs_themselves(jobs: Any) -> None:
    rows = DjangoJob.objects.filter(id__in=jobs)
    if {relation.related_model for relation in DjangoJob._meta.related_objects} - {JobSpec, DjangoJobExecution}:
        rows.delete()  # Another app hangs on the jobs: Django knows what is to become of its rows, a job at a time.
        return
    _delete_rows(JobSpec.objects.filter(job_id__in=jobs))
    _delete_rows(rows)


def _delete_rows(rows: Any) -> None:
    rows._raw_delete(rows.db)


def _raw(spec: JobSpec, field: str) -> Any:
    return getattr(spec, spec._meta.get_field(field).attname)  # type: ignore[union-attr]  # always a column


# --- APScheduler's view -------------------------------------------------------------------------------------------


def stock_state(spec: JobSpec, next_run_time: datetime | None) -> bytes:
    """Return the job as plain APScheduler pickles it: its own classes only."""
    module, _, name = spec.function.rpartition(".")
    try:
        args, kwargs = _bound(spec)
        state = {
            "version": 1,
            "id": spec.job_id,
            "func": f"{module}:{name}",
            "trigger": triggers.stock_trigger(spec.trigger, anchor=spec.anchor),
            "executor": spec.executor,
            "args": tuple(args),
            "kwargs": kwargs,
            "name": spec.name,
            "misfire_grace_time": spec.misfire_grace_time,
            "coalesce": spec.coalesce,
            "max_instances": spec.max_instances,
            "next_run_time": next_run_time,
        }
        return pickle.dumps(state, pickle.HIGHEST_PROTOCOL)
    except Exception:
        logger.warning("Job %s cannot be written in the stock format", spec.job_id, exc_info=True)
        return b""


def document_of(job: Job) -> documents.Document:
    """Return an APScheduler job's document. Raises ``InvalidInput`` where a document cannot say it.

    A job that waits for the scheduler to start may not have its defaults yet; they are left out.
    """
    function = registry.get(job.func_ref) if job.func_ref else registry.for_callable(job.func)
    if function is None:
        raise InvalidInput({"function": "Only a function at the top of a module can be scheduled."})
    args, kwargs = function.signature.to_json(job.args, job.kwargs)
    return {
        "id": job.id,
        "name": job.name if job.name != function.func.__name__ else documents.readable_name(function.name),
        "function": function.name,
        "args": args,
        "kwargs": kwargs,
        "trigger": triggers.document_of(job.trigger),
        "executor": job.executor,
        **{name: getattr(job, name) for name in DEFAULTED if hasattr(job, name)},
    }


def anchor_of(trigger: BaseTrigger, now: datetime) -> datetime:
    """Return the anchor that keeps the phase of a trigger made in code."""
    anchor = getattr(trigger, "anchor", None)
    if isinstance(anchor, datetime):
        return anchor
    if isinstance(trigger, IntervalTrigger):
        start: datetime = trigger.start_date
        return start - trigger.interval
    return now


class SpecJobStore(BaseJobStore):
    """APScheduler's job store over ``JobSpec``. Nothing stored is unpickled, and no job is ever dropped."""

    def lookup_job(self, job_id: str) -> Job | None:
        spec = JobSpec.objects.select_related("job").filter(job_id=job_id).first()
        return self.job_of(spec) if spec else None

    def get_due_jobs(self, now: datetime) -> list[Job]:
        due = JobSpec.objects.filter(state=JobState.SCHEDULED, job__next_run_time__lte=now)
        return self._jobs(due.select_related("job").order_by("job__next_run_time"))

    def get_next_run_time(self) -> datetime | None:
        scheduled = JobSpec.objects.filter(job__next_run_time__isnull=False).order_by("job__next_run_time")
        return self._local(scheduled.values_list("job__next_run_time", flat=True).first())

    def get_all_jobs(self) -> list[Job]:
        jobs = self._jobs(JobSpec.objects.select_related("job").order_by("job__next_run_time", "job_id"))
        return sorted(jobs, key=lambda job: job.next_run_time is None)

    def add_job(self, job: Job) -> None:
        now = utc_now()
        document = documents.clean(document_of(job), now=now)
        spec = documents.new_spec(document, origin=JobOrigin.CODE, anchor=anchor_of(job.trigger, now))
        spec.code_document = document
        next_run_time = getattr(job, "next_run_time", None)
        if next_run_time is None:
            spec.state = JobState.PAUSED
            spec.paused_at = now
        try:
            insert_jobs([(spec, next_run_time)])
        except IntegrityError:
            raise ConflictingIdError(job.id) from None

    def update_job(self, job: Job) -> None:
        """Write the job as it is given, as APScheduler's contract has it."""
        spec = JobSpec.objects.select_related("job").filter(job_id=job.id).first()
        if spec is None:
            raise JobLookupError(job.id)
        document = documents.clean(document_of(job), base=documents.of(spec))
        fields = documents.apply(document, spec)
        if "trigger" in fields:
            spec.anchor = anchor_of(job.trigger, utc_now())
            fields.append("anchor")
        state = JobState.SCHEDULED if job.next_run_time else JobState.PAUSED
        if spec.state != state:
            spec.state = state
            fields.append("state")
        save_jobs([Change(spec, fields, job.next_run_time)])

    def remove_job(self, job_id: str) -> None:
        if not delete_jobs([job_id]):
            raise JobLookupError(job_id)

    def remove_all_jobs(self) -> None:
        delete_jobs(list(DjangoJob.objects.values_list("id", flat=True)))

    def job_of(self, spec: JobSpec) -> Job:
        """Return ``spec`` as an APScheduler job, also where it is broken.

        A function that is gone raises when it is called; a trigger that cannot be read never fires.
        """
        job = Job.__new__(Job)
        module, _, name = spec.function.rpartition(".")
        try:
            args, kwargs = _bound(spec)
        except ConsoleError:
            args = spec.args if isinstance(spec.args, list) else []
            kwargs = spec.kwargs if isinstance(spec.kwargs, dict) else {}
        values = {
            "_scheduler": self._scheduler,
            "_jobstore_alias": self._alias,
            "id": spec.job_id,
            "name": spec.name,
            "func": _callable(spec.function),
            "func_ref": f"{module}:{name}",
            "args": tuple(args),
            "kwargs": kwargs,
            "trigger": _trigger(spec),
            "executor": spec.executor,
            "coalesce": spec.coalesce,
            "max_instances": spec.max_instances,
            "misfire_grace_time": spec.misfire_grace_time,
            "next_run_time": self._local(spec.job.next_run_time),
        }
        for attribute, value in values.items():
            setattr(job, attribute, value)
        return job

    def _jobs(self, specs: Iterable[JobSpec]) -> list[Job]:
        jobs = []
        for spec in specs:
            try:
                jobs.append(self.job_of(spec))
            except Exception:
                logger.exception("Job %s cannot be shown as an APScheduler job", spec.job_id)
        return jobs

    def _local(self, moment: datetime | None) -> datetime | None:
        return moment.astimezone(self._scheduler.timezone) if moment and self._scheduler else moment


class _Never(BaseTrigger):
    """Stand in for a trigger that cannot be read."""

    __slots__ = ()

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> None:
        return None

    def __str__(self) -> str:
        return "a trigger that cannot be read"


def _trigger(spec: JobSpec) -> BaseTrigger:
    try:
        return triggers.trigger_for(spec.trigger, anchor=spec.anchor)
    except InvalidInput:
        return _Never()


def _bound(spec: JobSpec) -> tuple[list[Any], dict[str, Any]]:
    args, kwargs = registry.get(spec.function).signature.bind(spec.args, spec.kwargs)
    return list(args), dict(kwargs)


def _callable(name: str) -> Callable[..., Any]:
    registered = registry.find(name)
    if registered is not None:
        return registered.func

    def missing(*args: Any, **kwargs: Any) -> None:
        registry.get(name)

    return missing
