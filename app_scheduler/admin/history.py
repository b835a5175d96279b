"""Who did what to a job, when and why: the audit entries that ``services`` writes, ready to be read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.admin.columns import Moment, moment
from app_scheduler.signature import MASK

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:\d\d")

LABELS = {
    "name": _("name"),
    "description": _("description"),
    "tags": _("tags"),
    "function": _("function"),
    "args": _("arguments by position"),
    "kwargs": _("arguments"),
    "trigger": _("schedule"),
    "executor": _("executor"),
    "queue": _("queue"),
    "priority": _("priority"),
    "concurrency_group": _("concurrency group"),
    "slots": _("slots"),
    "coalesce": _("catch up once"),
    "max_instances": _("at once"),
    "misfire_grace_time": _("grace for late starts"),
    "timeout": _("timeout"),
    "max_retries": _("retries"),
    "retry_backoff": _("first retry after"),
    "rerun_if_interrupted": _("run again if interrupted"),
    "paused": _("paused"),
    "begins": _("from"),
    "ends": _("until"),
    "timezone": _("time zone"),
    "yearly": _("every year"),
    "last_year": _("last year"),
    "reason": _("reason"),
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One act. ``text`` says it in words; ``changes`` are the fields' values before and after, secrets masked."""

    when: Moment | None
    who: str
    text: str
    reason: str
    changes: list[FieldChange]
    is_creation: bool


def entries_of(job_id: str) -> QuerySet[LogEntry]:
    """Return a job's audit entries, the newest first."""
    content_type = ContentType.objects.get_for_model(DjangoJob)
    found = LogEntry.objects.filter(content_type=content_type, object_id=job_id)
    return found.select_related("user").order_by("-action_time", "-pk")


def history(entries: Any) -> list[HistoryEntry]:
    return [_entry(entry) for entry in entries]


def _entry(entry: LogEntry) -> HistoryEntry:
    detail = _detail(entry.change_message)
    before, after = detail.get("before") or {}, detail.get("after") or {}
    names = list(before) or list(after)
    changes = [change for name in names for change in _changes(name, before.get(name), after.get(name))]
    if not detail:
        text = _MOMENT.sub(_local, entry.get_change_message()) or _verb(entry.action_flag)
    elif entry.action_flag == ADDITION:
        text = pgettext("act", "Created")
    else:
        text = gettext("Changed %(fields)s") % {"fields": ", ".join(label_of(name) for name in names)}
    return HistoryEntry(
        when=moment(entry.action_time),
        who=entry.user.get_username(),
        text=text,
        reason=str(detail.get("reason") or ""),
        changes=changes,
        is_creation=entry.action_flag == ADDITION,
    )


def _changes(name: str, before: Any, after: Any) -> list[FieldChange]:
    """Return what changed of a field: each argument by its own name, all others as they are."""
    if name == "kwargs" and isinstance(after, dict) and isinstance(before or {}, dict):
        old = before or {}
        # Where nothing seems to have changed, it is a secret that did.
        names = _differing(old, after) or [each for each in after if after[each] == MASK]
        if names:
            return [
                FieldChange(_argument(each), shown("", old.get(each)), shown("", after.get(each))) for each in names
            ]
    if name == "trigger":
        return [FieldChange(label_of(name), _schedule(before), _schedule(after))]
    return [FieldChange(label_of(name), shown(name, before), shown(name, after))]


def _schedule(trigger: Any) -> str:
    """Return a schedule's sentence and its expression: “Every 2 hours (every 2h)”."""
    expression = shown("trigger", trigger)
    try:
        return f"{triggers.describe(trigger)} ({expression})"
    except Exception:  # none, or one of another version
        return expression


def _differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        name for name in {**before, **after} if (name in before, before.get(name)) != (name in after, after.get(name))
    ]


def _argument(name: str) -> str:
    return gettext("argument %(name)s") % {"name": name}


def _local(found: re.Match[str]) -> str:
    """Return a moment of an entry as people read it."""
    cell = moment(datetime.fromisoformat(found[0]))
    return cell.short if cell else found[0]


def _detail(message: str) -> dict[str, Any]:
    """Return what ``services`` put beside Django's own words, or nothing for a message in plain words."""
    if not message.startswith("["):
        return {}
    try:
        parts = json.loads(message)
    except ValueError:
        return {}
    first = parts[0] if isinstance(parts, list) and parts else None
    return first if isinstance(first, dict) and "after" in first else {}


def _verb(flag: int) -> str:
    if flag == ADDITION:
        return pgettext("act", "Created")
    return pgettext("act", "Deleted") if flag == DELETION else pgettext("act", "Changed")


def label_of(name: str) -> str:
    """Return the name of a document's field as people read it."""
    return str(LABELS.get(name, name))


def shown(name: str, value: Any) -> str:
    """Return the value of a document's field as people read it."""
    if value is None or value == "":
        return "–"
    if name == "trigger" and isinstance(value, dict):
        try:
            return triggers.format_expression(value)
        except Exception:  # written by another version
            return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
