"""The page of one failure: where it happens, each of its executions, and what people did about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import tracebacks
from app_scheduler.admin.columns import Link, Moment, Pill, execution_link, execution_url, moment, status_pill
from app_scheduler.admin.execution_facts import first_line
from app_scheduler.admin.failure_rows import FailureRow, failure_url
from app_scheduler.admin.history import HistoryEntry, history
from app_scheduler.engine.sql import among
from app_scheduler.models import ExecutionDetail, FailureGroup, Status

#: Executions, acts and other jobs that the page shows, the newest; links lead to the others.
EXECUTIONS, ACTS, OTHERS = 50, 50, 10
#: Frames of our own code that the excerpt of a traceback shows, the innermost.
FRAMES = 2


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The end of the latest traceback: our own frames, where there are any, and what was said."""

    frames: list[tracebacks.Frame]
    left_out: int
    url: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of the group. ``retried`` is what tried it again, ``seen`` when somebody acknowledged it.

    ``exception`` is what it said, where that is not what the group's last said.
    """

    pk: int
    due: Moment | None
    pill: Pill
    exception: str
    retried: Link | None
    retried_pill: Pill | None
    seen: Moment | None
    seen_by: Any
    note: str

    @property
    def url(self) -> str:
        return execution_url(self.pk)

    @property
    def can_retry(self) -> bool:
        return self.retried is None and self.seen is None


def excerpt(group: FailureGroup) -> Excerpt | None:
    """Return the end of the traceback of the group's last execution, if retention has left it."""
    last = DjangoJobExecution.objects.filter(pk=group.last_execution_id).values_list("traceback", flat=True).first()
    if not last or not last.strip():
        return None
    frames = tracebacks.parse(last, base=str(getattr(settings, "BASE_DIR", ""))).frames
    own = [frame for frame in frames if frame.origin is tracebacks.Origin.OWN] or frames
    shown = own[-FRAMES:]
    return Excerpt(shown, len(frames) - len(shown), execution_url(group.last_execution_id))


def attempts(row: FailureRow) -> list[Attempt]:
    """Return the newest executions of a group, each with the last that tried it again."""
    group = row.group
    found = list(
        DjangoJobExecution.objects.filter(
            job_id=group.job_id, detail__fingerprint=group.fingerprint, detail__fingerprint__gt=""
        )
        .select_related("detail__acknowledged_by")
        .defer("traceback", "detail__log", "detail__result")
        .order_by("-run_time")[:EXECUTIONS]
    )
    # The latest of several attempts comes last, and stays.
    tried = {
        first: (pk, status)
        for first, pk, status in ExecutionDetail.objects.filter(retry_of__in=among([each.pk for each in found]))
        .exclude(execution__status=Status.CANCELLED)
        .order_by("pk")
        .values_list("retry_of_id", "pk", "execution__status")
    } if found else {}  # fmt: skip
    made = []
    for each in found:
        again = tried.get(each.pk)
        made.append(
            Attempt(
                each.pk,
                moment(each.run_time, now=row.now),
                status_pill(each.status),
                "" if (said := first_line(each.exception)) == row.headline else said,
                execution_link(again[0], f"#{again[0]}") if again else None,
                status_pill(again[1]) if again else None,
                moment(each.detail.acknowledged_at, now=row.now),
                each.detail.acknowledged_by,
                each.detail.acknowledged_note,
            )
        )
    return made


def elsewhere(job_id: str, fingerprint: str) -> list[tuple[Link, int]]:
    """Return other jobs that fail with a job's fault, and how many failures of each are open."""
    same = FailureGroup.objects.filter(fingerprint=fingerprint, open_count__gt=0).exclude(job_id=job_id)
    rows = same.order_by("-last_seen").values_list("pk", "job_id", "job__spec__name", "open_count")[:OTHERS]
    return [(Link(failure_url("change", pk), name or job_id), number) for pk, job_id, name, number in rows]


def acts_on(group: FailureGroup) -> list[HistoryEntry]:
    """Return what people did about a group, the newest first."""
    content_type = ContentType.objects.get_for_model(FailureGroup)
    entries = LogEntry.objects.filter(content_type=content_type, object_id=str(group.pk)).select_related("user")
    return history(entries.order_by("-action_time", "-pk")[:ACTS])
