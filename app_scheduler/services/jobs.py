"""What people and clients do with jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import IntegrityError, transaction
from django.utils.translation import gettext
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, scheduler, triggers
from app_scheduler.documents import Document
from app_scheduler.engine.jobstore import KEEP, Change
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import InvalidInput, JobExists, JobNotFound
from app_scheduler.models import (
    JobSpec,
    JobState,
)
from app_scheduler.services.audit import MAX_REASON, Actor, diff, log_all, log_jobs, names_of, with_reason

#: How many ticks are told at once.
MAX_PREVIEW = 1000


def get_job(job_id: str) -> JobSpec:
    """Return a job with its ``DjangoJob``. Raises ``JobNotFound``."""
    spec = JobSpec.objects.select_related("job", "paused_by", "skip_by").filter(job_id=job_id).first()
    if spec is None:
        raise JobNotFound(job_id)
    return spec


def create_job(data: Mapping[str, Any], actor: Actor, *, reason: str = "", run_past_at_once: bool = False) -> JobSpec:
    """Create a job from a document. Raises ``InvalidInput``, or ``JobExists`` where the id is taken.

    A date in the past is refused, unless somebody insists: with ``run_past_at_once`` it becomes this moment.
    """
    now = utc_now()
    document = documents.clean(with_past_at_once(data, now) if run_past_at_once else data, now=now)
    if data.get("id") in (None, ""):
        document["id"] = _free_id(document["id"])
    elif DjangoJob.objects.filter(id=document["id"]).exists():
        raise JobExists(document["id"])
    spec, tick = new_job(document, actor, now, reason)
    try:
        with transaction.atomic():
            scheduler.insert_jobs([(spec, tick)])
            log_jobs([(spec, ADDITION, diff(None, document, reason))], actor)
    except IntegrityError:
        raise JobExists(document["id"]) from None
    return get_job(document["id"])


def with_past_at_once(data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a document whose trigger, if its date has passed, is due now. A fault is left to the document's check."""
    source = dict(data)
    with suppress(InvalidInput):
        source["trigger"] = triggers.brought_forward(source.get("trigger"), now=now)
    return source


def change_job(
    job_id: str,
    data: Mapping[str, Any],
    actor: Actor,
    *,
    partial: bool = True,
    expected_revision: int | None = None,
    reason: str = "",
    run_past_at_once: bool = False,
) -> JobSpec:
    """Change a job. What ``data`` leaves out stays (``partial``) or takes its default; whether it is paused stays.

    ``run_past_at_once`` as in ``create_job``.

    Raises ``JobNotFound``, ``InvalidInput``, and ``InvalidInput`` at ``revision`` where somebody else changed the
    job since ``expected_revision`` was read, so that nothing of theirs is undone unseen.
    """
    for _ in range(3):
        spec = get_job(job_id)
        if expected_revision is not None and spec.revision != expected_revision:
            raise InvalidInput(
                {
                    "revision": gettext(
                        "Somebody changed this job while you had it open. Load it again and repeat your change."
                    )
                }
            )
        change = plan_change(spec, data, partial=partial, run_past_at_once=run_past_at_once)
        if not change.fields and change.pause is None:
            return spec
        with transaction.atomic():
            if change.fields and not scheduler.save_changes([change.as_change()]):
                continue
            log_jobs([(spec, CHANGE, change_message(change, reason))], actor)
            if change.pause is not None:
                pause_or_resume([job_id], change.pause, actor, reason)
        return get_job(job_id)
    raise InvalidInput({"revision": gettext("This job is being changed by others right now. Try again.")})


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


def change_message(change: PlannedChange, reason: str) -> str:
    """Return the audit message of a change; a broken job may have nothing changed but its state."""
    if documents.is_same(change.before, change.document):
        return with_reason("Scheduled again", reason)
    return diff(change.before, change.document, reason)


def plan_change(
    spec: JobSpec, data: Mapping[str, Any], *, partial: bool = True, run_past_at_once: bool = False
) -> PlannedChange:
    """Work out a change without writing anything. Raises ``InvalidInput``."""
    now = utc_now()
    if run_past_at_once and "trigger" in data:
        data = with_past_at_once(data, now)
    before = documents.of(spec)
    if "id" in data and data["id"] not in (None, "", spec.job_id):
        raise InvalidInput(
            {
                "id": gettext("A job keeps its id, “%(job_id)s”. To rename it, create another and delete this.")
                % {"job_id": spec.job_id}
            }
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
                {
                    "paused": gettext("This job is %(state)s: it has no ticks to hold back.")
                    % {"state": spec.get_state_display().lower()}
                }
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
        names = names_of(ids)
        deleted = scheduler.delete_jobs(ids, by=actor.user)
        log_all(deleted, names, DELETION, with_reason("Deleted", reason), actor)
    return deleted


def delete_job(job_id: str, actor: Actor, *, reason: str = "") -> None:
    """Delete one job. Raises ``JobNotFound``."""
    if not delete_jobs([job_id], actor, reason=reason):
        raise JobNotFound(job_id)


def pause_jobs(ids: Sequence[str], actor: Actor, *, reason: str = "", until: datetime | None = None) -> list[str]:
    """Hold back the ticks of scheduled jobs; return the ids of those that were scheduled."""
    if len(reason) > MAX_REASON:
        raise InvalidInput(
            {"reason": gettext("Shorten the reason to at most %(count)s characters.") % {"count": f"{MAX_REASON:,}"}}
        )
    if until is not None and until <= utc_now():
        raise InvalidInput({"until": gettext("This moment has passed. Give one in the future, or none.")})
    with transaction.atomic():
        paused = scheduler.pause_jobs(ids, by=actor.user, reason=reason, until=until)
        message = with_reason(f"Paused until {until.isoformat(timespec='seconds')}" if until else "Paused", reason)
        log_all(paused, names_of(paused), CHANGE, message, actor)
    return paused


def resume_jobs(ids: Sequence[str], actor: Actor, *, reason: str = "") -> list[str]:
    """Let paused jobs go on; return the ids of those that were paused."""
    with transaction.atomic():
        resumed = scheduler.resume_jobs(ids)
        log_all(resumed, names_of(resumed), CHANGE, with_reason("Resumed", reason), actor)
    return resumed


def pause_job(job_id: str, actor: Actor, *, reason: str = "", until: datetime | None = None) -> JobSpec:
    """Pause one job; pausing a paused job changes nothing. Raises ``JobNotFound`` and ``InvalidInput``."""
    spec = get_job(job_id)
    if not pause_jobs([job_id], actor, reason=reason, until=until) and spec.state != JobState.PAUSED:
        raise InvalidInput(
            gettext("Only a scheduled job can be paused; this one is %(state)s.")
            % {"state": spec.get_state_display().lower()}
        )
    return get_job(job_id)


def resume_job(job_id: str, actor: Actor, *, reason: str = "") -> JobSpec:
    """Resume one job; resuming a scheduled job changes nothing. Raises ``JobNotFound`` and ``InvalidInput``."""
    spec = get_job(job_id)
    if not resume_jobs([job_id], actor, reason=reason) and spec.state != JobState.SCHEDULED:
        raise InvalidInput(
            gettext("Only a paused job can be resumed; this one is %(state)s.")
            % {"state": spec.get_state_display().lower()}
        )
    return get_job(job_id)


def upcoming_ticks(spec: JobSpec, *, count: int = 10) -> list[datetime]:
    """Return a job's next ticks, the first being the one that it waits for; none where it is not scheduled."""
    first = spec.job.next_run_time
    if first is None or count < 1:
        return []
    zone = triggers.schedule_for(spec.trigger, anchor=spec.anchor).timezone
    later = triggers.upcoming(spec.trigger, anchor=spec.anchor, after=first, count=min(count, MAX_PREVIEW) - 1)
    return [first.astimezone(zone), *later]


def new_job(document: Document, actor: Actor, now: datetime, reason: str) -> tuple[JobSpec, datetime | None]:
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


def pause_or_resume(ids: Sequence[str], pause: bool, actor: Actor, reason: str) -> None:
    if not ids:
        return
    if pause:
        pause_jobs(ids, actor, reason=reason)
    else:
        resume_jobs(ids, actor, reason=reason)
