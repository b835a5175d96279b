"""The one door for everything that a person or a client does with jobs and executions.

The admin, the API, the import and the commands parse, check permission, call one function here, and report. No rule
lives in a door, and nothing here sees a request. Each act goes through this process's live scheduler and leaves a
``LogEntry`` with who, what and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from django.db.models import Count, Model
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import documents, scheduler, triggers
from app_scheduler.conf import console_settings
from app_scheduler.documents import Document
from app_scheduler.engine.jobstore import KEEP, Change
from app_scheduler.engine.lease import read_lease
from app_scheduler.engine.queue import Entry, enqueue, settle, utc_now
from app_scheduler.engine.sql import in_batches
from app_scheduler.exceptions import ExecutionNotFound, InvalidInput, JobExists, JobNotFound
from app_scheduler.models import (
    FAILURES,
    ExecutionDetail,
    ExecutionOrigin,
    InstanceRole,
    JobOrigin,
    JobSpec,
    JobState,
    SchedulerInstance,
    SchedulerLease,
    Status,
)
from app_scheduler.registry import registry

MAX_REASON = 1000
MAX_PREVIEW = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door."""

    user: Any = None
    origin: JobOrigin = JobOrigin.STAFF

    @property
    def user_id(self) -> Any:
        return getattr(self.user, "pk", None)


# --- jobs ---------------------------------------------------------------------------------------------------------


def get_job(job_id: str) -> JobSpec:
    """Return a job with its ``DjangoJob``. Raises ``JobNotFound``."""
    spec = JobSpec.objects.select_related("job", "paused_by").filter(job_id=job_id).first()
    if spec is None:
        raise JobNotFound(job_id)
    return spec


def create_job(data: Mapping[str, Any], actor: Actor, *, reason: str = "") -> JobSpec:
    """Create a job from a document. Raises ``InvalidInput``, or ``JobExists`` where the id is taken."""
    now = utc_now()
    document = documents.clean(data, now=now)
    if data.get("id") in (None, ""):
        document["id"] = _free_id(document["id"])
    elif DjangoJob.objects.filter(id=document["id"]).exists():
        raise JobExists(document["id"])
    spec, tick = _new_job(document, actor, now, reason)
    try:
        with transaction.atomic():
            scheduler.insert_jobs([(spec, tick)])
            _log([(spec, ADDITION, _diff(None, document, reason))], actor)
    except IntegrityError:
        raise JobExists(document["id"]) from None
    return get_job(document["id"])


def change_job(
    job_id: str,
    data: Mapping[str, Any],
    actor: Actor,
    *,
    partial: bool = True,
    expected_revision: int | None = None,
    reason: str = "",
) -> JobSpec:
    """Change a job. What ``data`` leaves out stays (``partial``) or takes its default; whether it is paused stays.

    Raises ``JobNotFound``, ``InvalidInput``, and ``InvalidInput`` at ``revision`` where somebody else changed the
    job since ``expected_revision`` was read, so that nothing of theirs is undone unseen.
    """
    for _ in range(3):
        spec = get_job(job_id)
        if expected_revision is not None and spec.revision != expected_revision:
            raise InvalidInput(
                {"revision": "Somebody changed this job while you had it open. Load it again and repeat your change."}
            )
        change = plan_change(spec, data, partial=partial)
        if not change.fields and change.pause is None:
            return spec
        with transaction.atomic():
            if change.fields and not scheduler.save_changes([change.as_change()]):
                continue
            _log([(spec, CHANGE, _diff(change.before, change.document, reason))], actor)
            if change.pause is not None:
                _pause_or_resume([job_id], change.pause, actor, reason)
        return get_job(job_id)
    raise InvalidInput({"revision": "This job is being changed by others right now. Try again."})


@dataclass(slots=True)
class PlannedChange:
    """What a change would do to a job; ``spec`` has the new values already, unsaved."""

    spec: JobSpec
    before: Document
    document: Document
    fields: list[str]
    next_run_time: Any = KEEP
    pause: bool | None = None

    def as_change(self) -> Change:
        return Change(self.spec, self.fields, self.next_run_time)


def plan_change(spec: JobSpec, data: Mapping[str, Any], *, partial: bool = True) -> PlannedChange:
    """Work out a change without writing anything. Raises ``InvalidInput``."""
    now = utc_now()
    before = documents.of(spec)
    if "id" in data and data["id"] not in (None, "", spec.job_id):
        raise InvalidInput(
            {"id": f"A job keeps its id, “{spec.job_id}”. To rename it, create another and delete this."}
        )
    # A whole document says which function and when; a part of one leaves them as they are.
    source = dict(data) if partial else {**documents.defaults(), "function": None, "trigger": None, **data}
    source["id"] = spec.job_id
    document = documents.clean({**source, "paused": data.get("paused", before["paused"])}, base=before, now=now)
    fields = documents.apply(document, spec)
    change = PlannedChange(spec, before, document, fields)
    if document["paused"] != before["paused"]:
        if spec.state in (JobState.FINISHED, JobState.BROKEN) and "trigger" not in fields:
            raise InvalidInput(
                {"paused": f"This job is {spec.get_state_display().lower()}: it has no ticks to hold back."}
            )
        change.pause = document["paused"]
    if "trigger" in fields:
        spec.anchor = now
        fields.append("anchor")
    # A document that was accepted mends what was broken, and a new trigger begins a finished job anew.
    if spec.state == JobState.BROKEN or ("trigger" in fields and spec.state in (JobState.SCHEDULED, JobState.FINISHED)):
        tick = triggers.schedule_for(spec.trigger, anchor=spec.anchor).next_after(now)
        change.next_run_time = tick
        spec.state = JobState.SCHEDULED if tick else JobState.FINISHED
        spec.state_reason = "" if tick else "Its schedule has come to its end."
        fields += ["state", "state_reason"]
    return change


def delete_jobs(ids: Sequence[str], actor: Actor, *, reason: str = "") -> list[str]:
    """Delete jobs with their histories; return the ids of those that existed."""
    with transaction.atomic():
        names = _names(ids)
        deleted = scheduler.delete_jobs(ids, by=actor.user)
        _log_all(deleted, names, DELETION, _with_reason("Deleted", reason), actor)
    return deleted


def delete_job(job_id: str, actor: Actor, *, reason: str = "") -> None:
    """Delete one job. Raises ``JobNotFound``."""
    if not delete_jobs([job_id], actor, reason=reason):
        raise JobNotFound(job_id)


def pause_jobs(ids: Sequence[str], actor: Actor, *, reason: str = "", until: datetime | None = None) -> list[str]:
    """Hold back the ticks of scheduled jobs; return the ids of those that were scheduled."""
    if len(reason) > MAX_REASON:
        raise InvalidInput({"reason": f"Shorten the reason to at most {MAX_REASON:,} characters."})
    if until is not None and until <= utc_now():
        raise InvalidInput({"until": "This moment has passed. Give one in the future, or none."})
    with transaction.atomic():
        paused = scheduler.pause_jobs(ids, by=actor.user, reason=reason, until=until)
        message = _with_reason(f"Paused until {until.isoformat(timespec='seconds')}" if until else "Paused", reason)
        _log_all(paused, _names(paused), CHANGE, message, actor)
    return paused


def resume_jobs(ids: Sequence[str], actor: Actor, *, reason: str = "") -> list[str]:
    """Let paused jobs go on; return the ids of those that were paused."""
    with transaction.atomic():
        resumed = scheduler.resume_jobs(ids)
        _log_all(resumed, _names(resumed), CHANGE, _with_reason("Resumed", reason), actor)
    return resumed


def pause_job(job_id: str, actor: Actor, *, reason: str = "", until: datetime | None = None) -> JobSpec:
    """Pause one job; pausing a paused job changes nothing. Raises ``JobNotFound`` and ``InvalidInput``."""
    spec = get_job(job_id)
    if not pause_jobs([job_id], actor, reason=reason, until=until) and spec.state != JobState.PAUSED:
        raise InvalidInput(f"Only a scheduled job can be paused; this one is {spec.get_state_display().lower()}.")
    return get_job(job_id)


def resume_job(job_id: str, actor: Actor, *, reason: str = "") -> JobSpec:
    """Resume one job; resuming a scheduled job changes nothing. Raises ``JobNotFound`` and ``InvalidInput``."""
    spec = get_job(job_id)
    if not resume_jobs([job_id], actor, reason=reason) and spec.state != JobState.SCHEDULED:
        raise InvalidInput(f"Only a paused job can be resumed; this one is {spec.get_state_display().lower()}.")
    return get_job(job_id)


def run_now(
    ids: Sequence[str],
    actor: Actor,
    *,
    args: Any = None,
    kwargs: Any = None,
    reason: str = "",
) -> list[int]:
    """Queue one execution of each job, at once and beside its schedule; return their ids, in the order of ``ids``.

    ``args`` and ``kwargs`` replace the job's own for this run. Raises ``JobNotFound`` or ``InvalidInput`` for the
    first job that cannot run; then none is queued.
    """
    ids = list(dict.fromkeys(ids))
    specs = {spec.job_id: spec for spec in JobSpec.objects.filter(job_id__in=ids)}
    now = utc_now()
    entries = []
    for job_id in ids:
        if job_id not in specs:
            raise JobNotFound(job_id)
        run_args, run_kwargs = _arguments(specs[job_id], args, kwargs)
        entries.append(
            Entry(
                job_id,
                now,
                now,
                origin=ExecutionOrigin.MANUAL,
                requested_by_id=actor.user_id,
                args=run_args,
                kwargs=run_kwargs,
                reason=reason[:MAX_REASON],
            )
        )
    try:
        with transaction.atomic():
            queued = enqueue(entries)
            message = [_with_reason(f"Run now, execution {pk}", reason) for pk in queued]
            _log([(specs[job_id], CHANGE, text) for job_id, text in zip(ids, message, strict=True)], actor)
            scheduler.announce_queued()
    except IntegrityError:
        raise JobNotFound(_first_missing(ids)) from None
    return queued


def _first_missing(ids: Sequence[str]) -> str:
    """Return the job that somebody deleted while it was being run."""
    found = set(DjangoJob.objects.filter(id__in=ids).values_list("id", flat=True))
    return next((job_id for job_id in ids if job_id not in found), ids[0])


def _arguments(spec: JobSpec, args: Any, kwargs: Any) -> tuple[list[Any] | None, dict[str, Any] | None]:
    signature = registry.get(spec.function).signature
    if args is None and kwargs is None:
        return None, None
    given = signature.unmasked(
        spec.args if args is None else args, spec.kwargs if kwargs is None else kwargs, spec.args, spec.kwargs
    )
    return signature.clean(*given)


# --- executions ---------------------------------------------------------------------------------------------------


def get_execution(execution_id: int) -> DjangoJobExecution:
    """Return an execution with its detail and its job. Raises ``ExecutionNotFound``."""
    found = DjangoJobExecution.objects.select_related("detail__requested_by", "job__spec").filter(pk=execution_id)
    execution = found.first()
    if execution is None:
        raise ExecutionNotFound(execution_id)
    return execution


def retry_execution(execution_id: int, actor: Actor, *, args: Any = None, kwargs: Any = None, reason: str = "") -> int:
    """Queue an ended execution again, with its own arguments or with others; return the new one's id."""
    execution = get_execution(execution_id)
    if execution.status in (Status.QUEUED, Status.STARTED):
        raise InvalidInput("This execution has not ended yet. Wait for its verdict, or run the job now.")
    spec = get_job(execution.job_id)
    detail: ExecutionDetail | None = getattr(execution, "detail", None)
    if args is None and kwargs is None and detail is not None and detail.args is not None:
        args, kwargs = detail.args, detail.kwargs
    run_args, run_kwargs = _arguments(spec, args, kwargs)
    now = utc_now()
    try:
        with transaction.atomic():
            (new_id,) = enqueue(
                [
                    Entry(
                        spec.job_id,
                        now,
                        now,
                        origin=ExecutionOrigin.RETRY,
                        requested_by_id=actor.user_id,
                        args=run_args,
                        kwargs=run_kwargs,
                        attempt=(detail.attempt if detail else 1) + 1,
                        retry_of_id=execution.pk,
                        reason=reason[:MAX_REASON],
                    )
                ]
            )
            _log([(spec, CHANGE, _with_reason(f"Retried execution {execution.pk} as {new_id}", reason))], actor)
            scheduler.announce_queued()
    except IntegrityError:
        # Retention deleted it, or somebody its job, between our look and our commit.
        raise ExecutionNotFound(execution_id) from None
    return new_id


def cancel_execution(execution_id: int, actor: Actor, *, reason: str = "") -> None:
    """Take a queued execution out of the queue. One that runs in a thread cannot be stopped from outside."""
    execution = get_execution(execution_id)
    text = _with_reason(f"Cancelled by {actor.user or 'a program'}", reason) + "."
    with transaction.atomic():
        if not settle([(execution.pk, execution.job_id, Status.CANCELLED, text)], utc_now()):
            raise InvalidInput(
                "Only a queued execution can be cancelled; this one has started. A thread cannot be stopped."
                if get_execution(execution_id).status == Status.STARTED
                else "This execution has ended already."
            )
        spec = JobSpec.objects.filter(job_id=execution.job_id).first()
        if spec is not None:
            _log([(spec, CHANGE, _with_reason(f"Cancelled execution {execution.pk}", reason))], actor)


def acknowledge_executions(ids: Sequence[int], actor: Actor, *, note: str = "") -> int:
    """Note that somebody has seen these failures; return how many were open."""
    with transaction.atomic():
        open_failures = ExecutionDetail.objects.filter(
            execution_id__in=ids, execution__status__in=FAILURES, acknowledged_at__isnull=True
        )
        names = dict(open_failures.values_list("execution_id", "execution__job_id"))
        ExecutionDetail.objects.filter(execution_id__in=names).update(
            acknowledged_by=actor.user, acknowledged_at=utc_now(), acknowledged_note=note[:MAX_REASON]
        )
        message = _with_reason("Acknowledged", note)
        entries = [(pk, f"{job_id}, execution {pk}", CHANGE, message) for pk, job_id in names.items()]
        _log_about(DjangoJobExecution, entries, actor)
    return len(names)


def acknowledge_execution(execution_id: int, actor: Actor, *, note: str = "") -> None:
    """Note that somebody has seen this failure; one that is noted already stays as it is.

    Raises ``ExecutionNotFound``, and ``InvalidInput`` where there is no failure to see.
    """
    execution = get_execution(execution_id)
    if execution.status not in FAILURES:
        raise InvalidInput(f"Only a failure can be acknowledged; the status of this execution is “{execution.status}”.")
    if getattr(execution, "detail", None) is None:
        raise InvalidInput("This execution was recorded without details, so nothing can be noted with it.")
    acknowledge_executions([execution_id], actor, note=note)


# --- documents in bulk --------------------------------------------------------------------------------------------


class RowAction(Enum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(slots=True)
class PlannedRow:
    """What one row of an import would do, or why it cannot."""

    number: int
    document: Document | None = None
    before: Document | None = None
    action: RowAction | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)
    change: PlannedChange | None = None


def plan_import(rows: Sequence[Mapping[str, Any]], *, numbers: Sequence[int] | None = None) -> list[PlannedRow]:
    """Check rows of documents without writing anything; every fault of every row is named.

    A row with a known id changes that job where it says something else; what it leaves out stays. ``numbers`` are the
    rows' numbers where people see others than 1, 2, 3.
    """
    known = _known_jobs(rows)
    seen: dict[str, int] = {}
    planned = []
    for number, row in zip(numbers or range(1, len(rows) + 1), rows, strict=True):
        plan = PlannedRow(number)
        planned.append(plan)
        try:
            _plan_row(plan, row, known)
        except InvalidInput as error:
            plan.errors = error.errors
            continue
        assert plan.document is not None
        first = seen.setdefault(plan.document["id"], number)
        if first != number:
            plan.errors = {"id": [f"Row {first} has the same id. Give each job an id of its own."]}
    return planned


def _known_jobs(rows: Sequence[Any]) -> dict[str, JobSpec]:
    ids = {str(row.get("id") or "").strip() for row in rows if isinstance(row, Mapping)}
    # No job has another; a database refuses to be asked about a NUL or half a character.
    possible = sorted(
        job_id for job_id in ids if 0 < len(job_id) <= 255 and "\0" not in job_id and job_id == _encodable(job_id)
    )
    return {
        spec.job_id: spec
        for batch in in_batches(possible, 5000)
        for spec in JobSpec.objects.select_related("job").filter(job_id__in=batch)
    }


def _encodable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode()


def _says_the_same(row: Mapping[str, Any], before: Document) -> bool:
    """Tell whether a row says what an export said: also of a job that is broken, which no check would let pass."""
    exported = documents.shown(before)
    said = [(value, exported.get(name, KEEP)) for name, value in row.items() if name not in documents.READ_ONLY]
    # In Python 1 equals true.
    return all(value == stored and type(value) is type(stored) for value, stored in said)


def _plan_row(plan: PlannedRow, row: Any, known: Mapping[str, JobSpec]) -> None:
    if not isinstance(row, Mapping):
        raise InvalidInput("A row is an object with the fields of a job.")
    spec = known.get(str(row.get("id") or "").strip())
    if spec is None:
        if row.get("id") in (None, ""):
            raise InvalidInput({"id": "Give each job an id, for example “nightly-cleanup”."})
        plan.document, plan.action = documents.clean(row), RowAction.NEW
        return
    before = documents.of(spec)
    if _says_the_same(row, before):
        plan.before, plan.document, plan.action = before, before, RowAction.SAME
        return
    plan.change = plan_change(spec, {**row, "id": spec.job_id})
    plan.before, plan.document = plan.change.before, plan.change.document
    has_change = plan.change.fields or plan.change.pause is not None
    plan.action = RowAction.CHANGED if has_change else RowAction.SAME


def carry_out_import(planned: Sequence[PlannedRow], actor: Actor, *, reason: str = "Import") -> dict[RowAction, int]:
    """Write a planned import, all or nothing; return how many rows did what. Raises ``InvalidInput``."""
    faulty = {f"row {plan.number}.{path}": messages for plan in planned for path, messages in plan.errors.items()}
    if faulty:
        raise InvalidInput(faulty)
    now = utc_now()
    new = [_new_job(p.document, actor, now, reason) for p in planned if p.action == RowAction.NEW and p.document]
    changed = [plan.change for plan in planned if plan.action == RowAction.CHANGED and plan.change is not None]
    try:
        with transaction.atomic():
            scheduler.insert_jobs(new)
            saving = [change.as_change() for change in changed if change.fields]
            stale = {change.spec.job_id for change in saving} - scheduler.save_changes(saving)
            if stale:
                raise InvalidInput(f"Somebody changed {', '.join(sorted(stale)[:5])} meanwhile. Import again.")
            logged = [(spec, ADDITION, _diff(None, documents.of(spec), reason)) for spec, _ in new]
            logged += [(change.spec, CHANGE, _diff(change.before, change.document, reason)) for change in changed]
            _log(logged, actor)
            for pause in (True, False):
                ids = [change.spec.job_id for change in changed if change.pause is pause]
                _pause_or_resume(ids, pause, actor, reason)
    except IntegrityError:
        raise InvalidInput("Somebody created one of these jobs meanwhile. Import again.") from None
    counts = dict.fromkeys(RowAction, 0)
    for plan in planned:
        if plan.action is not None:
            counts[plan.action] += 1
    return counts


# --- the scheduler ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """Whether anything is alive, who leads and what waits. Times are aware; ages are in seconds."""

    alive: bool
    paused: bool
    paused_at: datetime | None
    paused_by: str
    pause_reason: str
    leader: SchedulerInstance | None
    standbys: list[SchedulerInstance]
    heartbeat_age: float | None
    led_since: datetime | None
    down_since: datetime | None
    slots: int
    busy: int
    queued: int
    due: int
    next_run_time: datetime | None
    jobs: dict[str, int]


def status() -> SchedulerStatus:
    """Return the state of the scheduler, in a handful of queries however many jobs there are."""
    lease = read_lease()
    now: datetime = getattr(lease, "now", None) or utc_now()
    limit = now - timedelta(seconds=console_settings.lease_seconds)
    instances = list(SchedulerInstance.objects.filter(heartbeat__gte=limit).order_by("started_at"))
    leads = lease is not None and lease.holder and lease.expires_at > now
    leader = next((i for i in instances if leads and lease is not None and i.id == lease.holder), None)
    queue = ExecutionDetail.objects.queued().filter(available_at__lte=now).count()
    ticks = DjangoJob.objects.filter(next_run_time__isnull=False)
    jobs = JobSpec.objects.order_by().values_list("state").annotate(Count("pk"))
    return SchedulerStatus(
        alive=leader is not None,
        paused=bool(lease and lease.paused_at),
        paused_at=lease.paused_at if lease else None,
        paused_by=str(lease.paused_by or "") if lease else "",
        pause_reason=lease.pause_reason if lease else "",
        leader=leader,
        standbys=[
            instance for instance in instances if instance is not leader and instance.role == InstanceRole.STANDBY
        ],
        heartbeat_age=max(0.0, (now - leader.heartbeat).total_seconds()) if leader else None,
        led_since=lease.led_since if lease and leader else None,
        down_since=lease.alive_at if lease and not leader else None,
        slots=leader.slots if leader else 0,
        busy=ExecutionDetail.objects.running().count(),
        queued=queue,
        due=ticks.filter(next_run_time__lte=now).count(),
        next_run_time=ticks.order_by("next_run_time").values_list("next_run_time", flat=True).first(),
        jobs=dict.fromkeys(JobState.values, 0) | dict(jobs),
    )


def pause_all(actor: Actor, *, reason: str = "") -> bool:
    """Pause all scheduling; return whether it was not paused yet. Runs asked for by hand still start."""
    with transaction.atomic():
        changed = scheduler.pause_all(by=actor.user, reason=reason[:MAX_REASON])
        if changed:
            _log_scheduling(_with_reason("Paused", reason), actor)
    return changed


def resume_all(actor: Actor, *, reason: str = "") -> bool:
    """Resume all scheduling; return whether it was paused."""
    with transaction.atomic():
        changed = scheduler.resume_all()
        if changed:
            _log_scheduling(_with_reason("Resumed", reason), actor)
    return changed


def _log_scheduling(message: str, actor: Actor) -> None:
    _log_about(SchedulerLease, [(SchedulerLease.SINGLETON, "All scheduling", CHANGE, message)], actor)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a trigger means: a sentence, its next ticks (aware, in the trigger's zone), and warnings."""

    trigger: Document
    description: str
    expression: str
    upcoming: list[datetime]
    warnings: list[str]


def preview(trigger: Any, *, count: int = 10, after: datetime | None = None, anchor: datetime | None = None) -> Preview:
    """Tell what a trigger means before it is saved. Raises ``InvalidInput``."""
    if not 1 <= count <= MAX_PREVIEW:
        raise InvalidInput({"count": f"Give a number from 1 to {MAX_PREVIEW:,}."})
    now = utc_now()
    moment = after or now
    try:
        document = triggers.normalise(trigger, now=moment)
    except InvalidInput as error:
        raise error.under("trigger") from None
    anchor = anchor or moment
    return Preview(
        trigger=document,
        description=triggers.describe(document),
        expression=triggers.format_expression(document),
        upcoming=triggers.upcoming(document, anchor=anchor, after=moment, count=count),
        warnings=triggers.warnings_for(document, anchor=anchor, now=moment),
    )


def upcoming_ticks(spec: JobSpec, *, count: int = 10) -> list[datetime]:
    """Return a job's next ticks, the first being the one that it waits for; none where it is not scheduled."""
    first = spec.job.next_run_time
    if first is None or count < 1:
        return []
    zone = triggers.schedule_for(spec.trigger, anchor=spec.anchor).timezone
    later = triggers.upcoming(spec.trigger, anchor=spec.anchor, after=first, count=min(count, MAX_PREVIEW) - 1)
    return [first.astimezone(zone), *later]


# --- shared -------------------------------------------------------------------------------------------------------


def _new_job(document: Document, actor: Actor, now: datetime, reason: str) -> tuple[JobSpec, datetime | None]:
    spec = documents.new_spec(document, origin=actor.origin, anchor=now)
    if spec.state == JobState.PAUSED:
        spec.paused_at, spec.paused_by, spec.state_reason = now, actor.user, reason
        return spec, None
    return spec, triggers.schedule_for(spec.trigger, anchor=now).next_after(now)


def _free_id(wanted: str) -> str:
    taken = set(DjangoJob.objects.filter(id__startswith=wanted).values_list("id", flat=True))
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{number}" for number in range(2, len(taken) + 3) if f"{wanted}-{number}" not in taken)


def _pause_or_resume(ids: Sequence[str], pause: bool, actor: Actor, reason: str) -> None:
    if not ids:
        return
    if pause:
        pause_jobs(ids, actor, reason=reason)
    else:
        resume_jobs(ids, actor, reason=reason)


def _with_reason(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text


def _diff(before: Document | None, after: Document, reason: str) -> str:
    """Return an audit message: Django's own form, with before and after of what changed beside it, secrets masked."""
    old, new = documents.shown(before) if before else {}, documents.shown(after)
    if not before:
        return json.dumps([{"added": {}, "after": new, "reason": reason}], ensure_ascii=False)
    fields = [name for name in new if before.get(name) != after.get(name)]
    return json.dumps(
        [
            {
                "changed": {"fields": fields},
                "before": {name: old.get(name) for name in fields},
                "after": {name: new[name] for name in fields},
                "reason": reason,
            }
        ],
        ensure_ascii=False,
    )


def _log(entries: Sequence[tuple[JobSpec, int, str]], actor: Actor) -> None:
    """Write what happened to jobs into the audit trail."""
    _log_about(DjangoJob, [(spec.job_id, str(spec), flag, message) for spec, flag, message in entries], actor)


def _names(ids: Sequence[str]) -> dict[str, str]:
    return dict(JobSpec.objects.filter(job_id__in=ids).values_list("job_id", "name"))


def _log_all(ids: Sequence[str], names: Mapping[str, str], flag: int, message: str, actor: Actor) -> None:
    """Write that the same happened to many jobs; their names are enough for it."""
    _log_about(DjangoJob, [(job_id, names.get(job_id) or job_id, flag, message) for job_id in ids], actor)


def _log_about(model: type[Model], entries: Sequence[tuple[Any, str, int, str]], actor: Actor) -> None:
    """Write audit entries in one statement. A program without a user leaves its trace in the log only.

    Each of ``entries`` is (object id, its name, Django's flag, message).
    """
    if not entries or actor.user_id is None:
        return
    content_type = ContentType.objects.get_for_model(model)
    LogEntry.objects.bulk_create(
        [
            LogEntry(
                user_id=actor.user_id,
                content_type=content_type,
                object_id=str(object_id),
                object_repr=name[:200],
                action_flag=flag,
                change_message=message,
                action_time=timezone.now(),
            )
            for object_id, name, flag, message in entries
        ],
        batch_size=1000,
    )
