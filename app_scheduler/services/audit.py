"""Who acts, and the trail that each act leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from app_scheduler import documents
from app_scheduler.documents import Document
from app_scheduler.engine.sql import among, insert_rows
from app_scheduler.models import (
    JobOrigin,
    JobSpec,
)

MAX_REASON = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door."""

    user: Any = None
    origin: JobOrigin = JobOrigin.STAFF

    @property
    def user_id(self) -> Any:
        return getattr(self.user, "pk", None)


def with_reason(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text


def diff(before: Document | None, after: Document, reason: str) -> str:
    """Return an audit message: Django's own form, with before and after of what changed beside it, secrets masked."""
    old, new = documents.shown(before) if before else {}, documents.shown(after)
    if not before:
        return json.dumps([{"added": {}, "after": new, "reason": reason}], ensure_ascii=False)
    fields = [name for name in new if not documents.is_same(before.get(name), after.get(name))]
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


def log_jobs(entries: Sequence[tuple[JobSpec, int, str]], actor: Actor) -> None:
    """Write what happened to jobs into the audit trail."""
    log_about(DjangoJob, [(spec.job_id, str(spec), flag, message) for spec, flag, message in entries], actor)


def names_of(ids: Sequence[str]) -> dict[str, str]:
    return dict(JobSpec.objects.filter(job_id__in=among(ids)).values_list("job_id", "name"))


def log_all(ids: Sequence[str], names: Mapping[str, str], flag: int, message: str, actor: Actor) -> None:
    """Write that the same happened to many jobs; their names are enough for it."""
    log_about(DjangoJob, [(job_id, names.get(job_id) or job_id, flag, message) for job_id in ids], actor)


def log_about(model: type[Model], entries: Sequence[tuple[Any, str, int, str]], actor: Actor) -> None:
    """Write audit entries in one statement. A program without a user leaves its trace in the log only.

    Each of ``entries`` is (object id, its name, Django's flag, message).
    """
    if not entries or actor.user_id is None:
        return
    content_type = ContentType.objects.get_for_model(model)
    now = timezone.now()
    insert_rows(
        LogEntry,
        ["user", "content_type", "action_time", "object_id", "object_repr", "action_flag", "change_message"],
        [
            (actor.user_id, content_type.pk, now, str(object_id), name[:200], flag, message)
            for object_id, name, flag, message in entries
        ],
    )


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """A change of a job's trigger: when, by whom and why, and the document that stood before."""

    when: datetime
    who: str
    reason: str
    before: Document


def entries_about(job_id: str, flag: int) -> QuerySet[LogEntry]:
    """Return a job's audit entries of one kind, the oldest first, with their users."""
    content_type = ContentType.objects.get_for_model(DjangoJob)
    found = LogEntry.objects.filter(content_type=content_type, object_id=job_id, action_flag=flag)
    return found.select_related("user").order_by("action_time", "pk")


def creation_of(job_id: str) -> LogEntry | None:
    """Return the entry of a job's creation, the latest where it was created anew; None where a program made it."""
    return entries_about(job_id, ADDITION).last()


def trigger_change_after(job_id: str, moment: datetime) -> TriggerChange | None:
    """Return the first change of a job's trigger after a moment, or None where no person made one."""
    for entry in entries_about(job_id, CHANGE).filter(action_time__gt=moment, change_message__contains='"trigger"'):
        try:
            (message,) = json.loads(entry.change_message)
            before = message["before"]["trigger"]
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(before, dict):
            return TriggerChange(entry.action_time, str(entry.user), message.get("reason") or "", before)
    return None
