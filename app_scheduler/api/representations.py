"""What readers get: jobs, executions, functions and the scheduler as plain JSON. Secrets are masked here, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import documents, services, triggers
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import BlackoutWindow, ExecutionDetail, JobSpec, SchedulerInstance, Status
from app_scheduler.registry import RegisteredFunction
from app_scheduler.services import (
    Entry,
    ExceptedTick,
    Explanation,
    Instance,
    Preview,
    ScheduleExceptions,
    SchedulerStatus,
)

Json = dict[str, Any]


def moment(value: datetime | None, zone: tzinfo | None = None) -> str | None:
    """Return a moment in ISO 8601 with its offset, in ``zone`` or in the current time zone."""
    return None if value is None else timezone.localtime(value, zone).isoformat()


def username(user: Any) -> str | None:
    return None if user is None else str(user.get_username())


# --- jobs ---------------------------------------------------------------------------------------------------------


def job(spec: JobSpec, exceptions: ScheduleExceptions | None = None) -> Json:
    """Return a job: its document, and what its readers want to know beside it.

    ``exceptions`` are the blackout windows, where they have been read for several jobs.

    Every key is a field of a document or one of ``documents.READ_ONLY``, so that it may be sent back as it is.
    """
    return {
        **documents.shown(documents.of(spec)),
        **_exceptions_of(spec, exceptions or ScheduleExceptions.now()),
        "state": spec.state,
        "state_reason": spec.state_reason,
        "next_run_time": moment(spec.job.next_run_time, _zone(spec)),
        "schedule": _in_words(triggers.describe, spec),
        "expression": _in_words(triggers.format_expression, spec),
        "origin": spec.origin,
        "last_status": spec.last_status or None,
        "last_execution": spec.last_execution_id,
        "last_finished_at": moment(spec.last_finished_at),
        "paused_by": username(spec.paused_by),
        "paused_at": moment(spec.paused_at),
        "paused_until": moment(spec.paused_until),
        "revision": spec.revision,
        "created_at": moment(spec.created_at),
        "updated_at": moment(spec.updated_at),
    }


def _exceptions_of(spec: JobSpec, exceptions: ScheduleExceptions) -> Json:
    following = exceptions.next_run(spec)
    runs = following.runs if following is not None else spec.job.next_run_time
    skips = services.skip_to_come(spec, timezone.now())
    return {
        "runs_next": moment(runs, _zone(spec)),
        "skip_tick": moment(skips, _zone(spec)),
        "skip_by": username(spec.skip_by) if skips is not None else None,
        "skip_reason": spec.skip_reason if skips is not None else "",
    }


def excepted(ticks: Iterable[ExceptedTick]) -> list[Json]:
    """Return those ticks that something will keep from running, with what that is."""
    return [
        {
            "tick": each.tick.isoformat(),
            "kind": each.cause.kind.value,
            "blackout": each.cause.window_id or None,
            "name": each.cause.name,
            "by": each.cause.by or None,
            "reason": each.cause.reason,
        }
        for each in ticks
        if each.cause is not None
    ]


def blackout(row: BlackoutWindow) -> Json:
    """Return a blackout window. What is no field of its document is ignored where it is sent back."""
    found = services.next_time(row)
    return {
        "id": row.pk,
        **services.window_document(row),
        "set_by": username(row.set_by),
        "is_on": services.is_on(row),
        "next_begin": None if found is None else found[0].isoformat(),
        "next_end": None if found is None else found[1].isoformat(),
        "revision": row.revision,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def _zone(spec: JobSpec) -> tzinfo | None:
    try:
        return triggers.schedule_for(spec.trigger, anchor=spec.anchor).timezone
    except InvalidInput:
        return None


def _in_words(tell: Callable[[Any], str], spec: JobSpec) -> str:
    # A broken job may have a trigger that no version of the console can read any more.
    try:
        return tell(spec.trigger)
    except InvalidInput:
        return ""


def explanation(found: Explanation) -> Json:
    """Return why a job did or did not run at a moment."""
    return {
        "sentence": found.sentence,
        "tick": None if found.tick is None else found.tick.isoformat(),
        "execution": found.execution_id,
        "verdict": found.verdict,
    }


def code(spec: JobSpec) -> Json:
    """Return what the code asks of a job, and where the job is something else."""
    return {
        "job": spec.job_id,
        "document": documents.shown(spec.code_document) if isinstance(spec.code_document, dict) else None,
        "changed": [
            {
                "field": difference.field,
                "code": difference.code,
                "job": difference.job,
                "code_before": difference.code_before,
                "is_new": difference.is_new,
            }
            for difference in services.code_differences(spec)
        ],
    }


# --- executions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """An execution with its detail; plain django-apscheduler writes none, and a blank one stands in for it."""

    execution: DjangoJobExecution
    detail: ExecutionDetail
    function: str
    is_plain: bool
    now: datetime
    attempts: int | None
    first_attempt: int
    retried_by: list[int]

    @property
    def finished_at(self) -> datetime | None:
        if self.detail.finished_at is None and self.execution.finished is not None:
            return datetime.fromtimestamp(float(self.execution.finished), UTC)
        return self.detail.finished_at

    @property
    def duration(self) -> float | None:
        started, finished = self.detail.started_at, self.detail.finished_at
        if started is not None and finished is not None:
            return (finished - started).total_seconds()
        # What plain django-apscheduler measured counts from the scheduled time.
        stored = self.execution.duration if self.is_plain else None
        return None if stored is None else float(stored)

    @property
    def lateness(self) -> float | None:
        started = self.detail.started_at
        return None if started is None else (started - self.execution.run_time).total_seconds()

    @property
    def progress(self) -> Json | None:
        detail = self.detail
        if detail.progress_done is None and detail.progress_total is None and not detail.progress_message:
            return None
        goes_on = self.execution.status in (Status.QUEUED, Status.STARTED)
        told = services.Progress.of(detail, self.now, is_on_the_way=goes_on)
        left = None if told is None else told.left
        return {
            "done": detail.progress_done,
            "total": detail.progress_total,
            "message": detail.progress_message,
            "at": moment(detail.progress_at),
            "rate": None if told is None else told.pace,
            "seconds_left": None if left is None else round(left, 1),
        }

    @property
    def acknowledged(self) -> Json | None:
        detail = self.detail
        if detail.acknowledged_at is None:
            return None
        return {
            "by": username(detail.acknowledged_by),
            "at": moment(detail.acknowledged_at),
            "note": detail.acknowledged_note,
        }

    @property
    def cancel_asked(self) -> Json | None:
        detail = self.detail
        if detail.cancel_asked_at is None:
            return None
        return {
            "by": username(detail.cancel_asked_by),
            "at": moment(detail.cancel_asked_at),
            "reason": detail.cancel_reason,
        }

    @property
    def args(self) -> list[Any] | None:
        return None if self.detail.args is None else self._shown[0]

    @property
    def kwargs(self) -> Json | None:
        return None if self.detail.kwargs is None else self._shown[1]

    @property
    def _shown(self) -> tuple[list[Any], Json]:
        return documents.shown_arguments(self.function, self.detail.args, self.detail.kwargs)


_EXECUTION: dict[str, Callable[[_Row], Any]] = {
    "id": lambda row: row.execution.pk,
    "job": lambda row: row.execution.job_id,
    "status": lambda row: row.execution.status,
    "run_time": lambda row: moment(row.execution.run_time),
    "origin": lambda row: row.detail.origin,
    "attempt": lambda row: row.detail.attempt,
    "tick_count": lambda row: row.detail.tick_count,
    "reason": lambda row: row.detail.reason,
    "queued_at": lambda row: moment(row.detail.queued_at),
    "available_at": lambda row: moment(row.detail.available_at),
    "started_at": lambda row: moment(row.detail.started_at),
    "finished_at": lambda row: moment(row.finished_at),
    "duration": lambda row: row.duration,
    "lateness": lambda row: row.lateness,
    "instance": lambda row: row.detail.instance,
    "requested_by": lambda row: username(row.detail.requested_by),
    "args": lambda row: row.args,
    "kwargs": lambda row: row.kwargs,
    "attempts": lambda row: row.attempts,
    "first_attempt": lambda row: row.first_attempt,
    "retry_of": lambda row: row.detail.retry_of_id,
    "retried_by": lambda row: row.retried_by,
    "cancel_asked": lambda row: row.cancel_asked,
    "progress": lambda row: row.progress,
    "acknowledged": lambda row: row.acknowledged,
    "exception": lambda row: row.execution.exception or None,
    "traceback": lambda row: row.execution.traceback or None,
    "log": lambda row: row.detail.log,
    "result": lambda row: row.detail.result,
}
EXECUTION_FIELDS = tuple(_EXECUTION)
#: Texts that may be long, and the column of each. A list that does not show them does not read them.
_LONG = {"exception": "exception", "traceback": "traceback", "log": "detail__log", "result": "detail__result"}


def readable_executions(rows: QuerySet[Any], fields: Sequence[str] = EXECUTION_FIELDS) -> QuerySet[Any]:
    """Return ``rows`` so that showing these fields of them takes no further query for each."""
    people = {
        "requested_by": "detail__requested_by",
        "cancel_asked": "detail__cancel_asked_by",
        "acknowledged": "detail__acknowledged_by",
    }
    rows = rows.select_related("detail", *(path for name, path in people.items() if name in fields))
    return rows.defer(*(column for name, column in _LONG.items() if name not in fields))


def executions(rows: Iterable[DjangoJobExecution], fields: Sequence[str] = EXECUTION_FIELDS) -> list[Json]:
    """Return executions, with up to three queries beside those that read them: for their jobs and their chains."""
    rows = list(rows)
    functions: dict[str, str] = {}
    retries: dict[str, int] = {}
    if not {"args", "kwargs", "attempts"}.isdisjoint(fields):
        # Which arguments are secret, the function says.
        specs = JobSpec.objects.filter(job_id__in={row.job_id for row in rows})
        for job_id, name, number in specs.values_list("job_id", "function", "max_retries"):
            functions[job_id], retries[job_id] = name, number
    ids = [row.pk for row in rows]
    firsts = services.first_attempts(ids) if "first_attempt" in fields else {}
    later = services.retried_by(ids) if "retried_by" in fields else {}
    shown = []
    now = timezone.now()
    for execution in rows:
        detail: ExecutionDetail | None = getattr(execution, "detail", None)
        stand_in = ExecutionDetail() if detail is None else detail
        function = stand_in.function or functions.get(execution.job_id, "")
        allowed = retries.get(execution.job_id, 0) + 1
        row = _Row(
            execution,
            stand_in,
            function,
            detail is None,
            now,
            allowed if stand_in.attempt <= allowed else None,
            firsts.get(execution.pk, execution.pk),
            later.get(execution.pk, []),
        )
        shown.append({name: _EXECUTION[name](row) for name in fields})
    return shown


def execution(row: DjangoJobExecution, fields: Sequence[str] = EXECUTION_FIELDS) -> Json:
    return executions([row], fields)[0]


# --- the rest -----------------------------------------------------------------------------------------------------


def function(registered: RegisteredFunction) -> Json:
    return {
        "name": registered.name,
        "summary": registered.summary,
        "description": registered.description,
        "app": registered.app_label,
        "is_async": registered.is_async,
        **registered.signature.json_schema(),
    }


def preview(found: Preview) -> Json:
    return {
        "trigger": found.trigger,
        "description": found.description,
        "expression": found.expression,
        "upcoming": [tick.isoformat() for tick in found.upcoming],
        "warnings": found.warnings,
    }


def due(found: Iterable[Entry]) -> list[Json]:
    """Return the jobs that are due in a period, with one query for their names."""
    rows = list(found)
    specs = JobSpec.objects.in_bulk([row.job_id for row in rows])
    return [
        {
            "job": row.job_id,
            "name": specs[row.job_id].name,
            "function": specs[row.job_id].function,
            "ticks": row.ticks,
            "upcoming": [moment(tick) for tick in row.first],
        }
        for row in rows
        if row.job_id in specs
    ]


def scheduler(found: SchedulerStatus, instances: Sequence[Instance]) -> Json:
    return {
        "alive": found.alive,
        "paused": found.paused,
        "paused_at": moment(found.paused_at),
        "paused_by": found.paused_by,
        "pause_reason": found.pause_reason,
        "leader": None if found.leader is None else _instance(found.leader),
        "standbys": [_instance(instance) for instance in found.standbys],
        "heartbeat_age": found.heartbeat_age,
        "led_since": moment(found.led_since),
        "down_since": moment(found.down_since),
        "slots": found.slots,
        "busy": found.busy,
        "queued": found.queued,
        "due": found.due,
        "next_run_time": moment(found.next_run_time),
        "jobs": found.jobs,
        "instances": [instance(each) for each in instances],
    }


def instance(found: Instance) -> Json:
    """Return an instance with what it does and runs."""
    return {
        **_instance(found.row),
        "state": found.state.value,
        "heartbeat_age": found.heartbeat_age,
        "queues": services.queues_of(found.row),
        "draining_since": moment(found.row.draining_since),
        "running": found.running,
        "runs": [
            {"execution": run.execution_id, "job": run.job_id, "started_at": moment(run.started_at)}
            for run in found.runs
        ],
    }


def _instance(instance: SchedulerInstance) -> Json:
    return {
        "id": instance.id,
        "host": instance.host,
        "pid": instance.pid,
        "role": instance.role,
        "started_at": moment(instance.started_at),
        "heartbeat": moment(instance.heartbeat),
        "slots": instance.slots,
        "busy": instance.busy,
        "version": instance.version,
        "last_error": instance.last_error,
    }
