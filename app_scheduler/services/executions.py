"""What people and clients do with executions: run now, retry, cancel, acknowledge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db import IntegrityError, transaction
from django.utils.translation import gettext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import scheduler
from app_scheduler.engine.executors import abilities_of
from app_scheduler.engine.gaps import local
from app_scheduler.engine.queue import Entry, enqueue, settle, utc_now
from app_scheduler.engine.sql import among
from app_scheduler.engine.windows import Cause
from app_scheduler.exceptions import ExecutionNotFound, InvalidInput, JobNotFound
from app_scheduler.models import (
    FAILURES,
    ExecutionDetail,
    ExecutionOrigin,
    JobSpec,
    Status,
)
from app_scheduler.registry import registry
from app_scheduler.services.audit import MAX_REASON, Actor, log_about, log_jobs, with_reason
from app_scheduler.services.excepted import ScheduleExceptions
from app_scheduler.services.failure_groups import locked_groups_of, take_out
from app_scheduler.services.jobs import get_job
from app_scheduler.services.verdicts import verdict_in_words


def run_now(
    ids: Sequence[str],
    actor: Actor,
    *,
    args: Any = None,
    kwargs: Any = None,
    reason: str = "",
) -> list[int]:
    """Queue one execution of each job, at once and beside its schedule; return their ids, in the order of ``ids``.

    ``args`` and ``kwargs`` replace the job's own for this run. A blackout keeps none of them back; it is noted with the
    execution. Raises ``JobNotFound`` or ``InvalidInput`` for the first job that cannot run; then none is queued.
    """
    ids = list(dict.fromkeys(ids))
    specs = {spec.job_id: spec for spec in JobSpec.objects.filter(job_id__in=among(ids))}
    now = utc_now()
    blackouts = ScheduleExceptions.now(now).between(now, now)
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
                priority=specs[job_id].priority,
                reason=_with_blackout(reason[:MAX_REASON], blackouts.on_for(specs[job_id], now)),
            )
        )
    try:
        with transaction.atomic():
            queued = enqueue(entries)
            message = [with_reason(f"Run now, execution {pk}", reason) for pk in queued]
            log_jobs([(specs[job_id], CHANGE, text) for job_id, text in zip(ids, message, strict=True)], actor)
            scheduler.announce_queued()
    except IntegrityError:
        raise JobNotFound(_first_missing(ids)) from None
    return queued


def _with_blackout(reason: str, cause: Cause | None) -> str:
    """Return why a run was asked for, with the blackout that it was asked for in: what a person asks for runs."""
    if cause is None:
        return reason
    note = f"Asked for during the blackout “{cause.name}”, which lasts until {local(cause.until)}."
    return f"{reason.rstrip('.')}. {note}" if reason.strip() else note


def _first_missing(ids: Sequence[str]) -> str:
    """Return the job that somebody deleted while it was being run."""
    found = set(DjangoJob.objects.filter(id__in=among(ids)).values_list("id", flat=True))
    return next((job_id for job_id in ids if job_id not in found), ids[0])


def _arguments(spec: JobSpec, args: Any, kwargs: Any) -> tuple[list[Any] | None, dict[str, Any] | None]:
    signature = registry.get(spec.function).signature
    if args is None and kwargs is None:
        return None, None
    given = signature.unmasked(
        spec.args if args is None else args, spec.kwargs if kwargs is None else kwargs, spec.args, spec.kwargs
    )
    return signature.clean(*given)


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
        raise InvalidInput(gettext("This execution has not ended yet. Wait for its verdict, or run the job now."))
    spec = get_job(execution.job_id)
    detail: ExecutionDetail | None = getattr(execution, "detail", None)
    entry = retry_entry(spec, execution, detail, actor, utc_now(), args=args, kwargs=kwargs, reason=reason)
    try:
        with transaction.atomic():
            (new_id,) = enqueue([entry])
            log_jobs([(spec, CHANGE, with_reason(f"Retried execution {execution.pk} as {new_id}", reason))], actor)
            scheduler.announce_queued()
    except IntegrityError:
        # Retention deleted it, or somebody its job, between our look and our commit.
        raise ExecutionNotFound(execution_id) from None
    return new_id


def retry_entry(
    spec: JobSpec,
    execution: DjangoJobExecution,
    detail: ExecutionDetail | None,
    actor: Actor,
    moment: datetime,
    *,
    args: Any = None,
    kwargs: Any = None,
    reason: str = "",
) -> Entry:
    """Return what is queued to run an execution again from ``moment`` on, with its own arguments or with others.

    Raises ``InvalidInput`` where the function is gone or does not take the arguments any more.
    """
    if args is None and kwargs is None and detail is not None and detail.args is not None:
        args, kwargs = detail.args, detail.kwargs
    run_args, run_kwargs = _arguments(spec, args, kwargs)
    return Entry(
        spec.job_id,
        moment,
        moment,
        origin=ExecutionOrigin.RETRY,
        available_at=moment,
        requested_by_id=actor.user_id,
        args=run_args,
        kwargs=run_kwargs,
        attempt=(detail.attempt if detail else 1) + 1,
        priority=spec.priority,
        retry_of_id=execution.pk,
        reason=reason[:MAX_REASON],
    )


def cancel_execution(execution_id: int, actor: Actor, *, reason: str = "") -> bool:
    """Cancel an execution; return whether it has its verdict.

    One that is queued is taken out of the queue and has it at once. One that runs is told to end, or ended from outside
    where its executor can (``ends_from_outside``), and has its verdict once it has ended.
    """
    execution = get_execution(execution_id)
    reason = reason[:MAX_REASON].rstrip(".")
    text = with_reason(f"Cancelled by {actor.user or 'a program'}", reason) + "."
    now = utc_now()
    with transaction.atomic():
        has_verdict = bool(settle([(execution.pk, execution.job_id, Status.CANCELLED, text)], now))
        if not has_verdict:
            _ask_to_end(execution.pk, actor, reason, now)
            scheduler.announce_queued()
        spec = JobSpec.objects.filter(job_id=execution.job_id).first()
        if spec is not None:
            log_jobs([(spec, CHANGE, with_reason(f"Cancelled execution {execution.pk}", reason))], actor)
    return has_verdict


def _ask_to_end(execution_id: int, actor: Actor, reason: str, now: datetime) -> None:
    running = ExecutionDetail.objects.running().filter(execution_id=execution_id)
    asked = {"cancel_asked_at": now, "cancel_asked_by_id": actor.user_id, "cancel_reason": reason}
    if running.filter(cancel_asked_at__isnull=True).update(**asked):
        return
    if running.exists():
        raise InvalidInput(gettext("This execution has been cancelled already. It has its verdict once it has ended."))
    raise InvalidInput(gettext("This execution has ended already."))


def ends_from_outside(executor: str) -> bool:
    """Tell whether what runs on an executor is ended whatever it does, and need not look whether it is cancelled."""
    abilities = abilities_of(executor)
    return abilities is not None and abilities.ends_when_cancelled


def acknowledge_executions(ids: Sequence[int], actor: Actor, *, note: str = "") -> int:
    """Note that somebody has seen these failures, here and with their groups; return how many were open."""
    note = note[:MAX_REASON]
    with transaction.atomic():
        open_failures = ExecutionDetail.objects.filter(
            execution_id__in=ids, execution__status__in=FAILURES, acknowledged_at__isnull=True
        )
        groups = locked_groups_of(open_failures)
        found = list(open_failures.values_list("execution_id", "execution__job_id", "fingerprint"))
        now = utc_now()
        ExecutionDetail.objects.filter(execution_id__in=[pk for pk, *_ in found]).update(
            acknowledged_by=actor.user, acknowledged_at=now, acknowledged_note=note
        )
        take_out(groups, [(job_id, fault) for _, job_id, fault in found], by=actor.user, at=now, note=note)
        message = with_reason("Acknowledged", note)
        entries = [(pk, f"{job_id}, execution {pk}", CHANGE, message) for pk, job_id, _ in found]
        log_about(DjangoJobExecution, entries, actor)
    return len(found)


def acknowledge_execution(execution_id: int, actor: Actor, *, note: str = "") -> None:
    """Note that somebody has seen this failure; one that is noted already stays as it is.

    Raises ``ExecutionNotFound``, and ``InvalidInput`` where there is no failure to see.
    """
    execution = get_execution(execution_id)
    if execution.status not in FAILURES:
        raise InvalidInput(
            gettext("Only a failure can be acknowledged; the status of this execution is “%(status)s”.")
            % {"status": verdict_in_words(execution.status)}
        )
    if getattr(execution, "detail", None) is None:
        raise InvalidInput(gettext("This execution was recorded without details, so nothing can be noted with it."))
    acknowledge_executions([execution_id], actor, note=note)
