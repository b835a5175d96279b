"""What the failure inbox tells beside each group: how many failures by age, and what came before the first of them.

All of it takes a fixed number of queries for a page of groups, whatever they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, Q
from django_apscheduler.models import DjangoJob

from app_scheduler.models import ExecutionDetail, FailureGroup, Release

#: The ages by which open failures are counted, the shortest first: (name, from when on).
AGES: tuple[tuple[str, timedelta], ...] = (
    ("h1", timedelta(hours=1)),
    ("h3", timedelta(hours=3)),
    ("h24", timedelta(hours=24)),
    ("d3", timedelta(days=3)),
    ("d7", timedelta(days=7)),
)
#: Open failures of a page that are counted, the newest. Of older ones a count says "at least".
COUNTED = 10_000
#: What came longer before a failure is no news.
BEFORE = timedelta(days=7)
#: Changes and releases that are looked at for a page, the latest.
LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True)
class AgeCount:
    """How many open failures are younger than an age. ``is_exact`` is off where there are that many at least."""

    since: datetime
    count: int
    is_exact: bool = True


def counts_by_age(groups: Sequence[FailureGroup], now: datetime) -> dict[int, list[AgeCount]]:
    """Return for each group, by its id, how many of its failures nobody has acknowledged, by ``AGES``."""
    fingerprints = {group.fingerprint for group in groups}
    # By the partial index on finished_at. SQLite takes it only where its condition is said.
    recent = ExecutionDetail.objects.filter(
        fingerprint__gt="",
        fingerprint__in=fingerprints,
        finished_at__gte=now - AGES[-1][1],
        acknowledged_at__isnull=True,
    )
    newest_first = recent.order_by("-finished_at").values_list("finished_at", flat=True)
    edge = newest_first[COUNTED : COUNTED + 1].first() if groups else None
    if edge is not None:
        recent = recent.filter(finished_at__gte=edge)
    rows = (
        recent.filter(execution__job_id__in={group.job_id for group in groups})
        .values("execution__job_id", "fingerprint")
        .annotate(**{name: Count("pk", filter=Q(finished_at__gte=now - age)) for name, age in AGES})
        .order_by()
    )
    found = {(row["execution__job_id"], row["fingerprint"]): row for row in rows} if groups else {}
    return {
        group.pk: [
            AgeCount(
                now - age,
                found.get((group.job_id, group.fingerprint), {}).get(name, 0),
                edge is None or now - age >= edge,
            )
            for name, age in AGES
        ]
        for group in groups
    }


@dataclass(frozen=True, slots=True)
class Before:
    """Something that happened before a failure: when, and whose change or which release it was."""

    at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class CameBefore:
    """The last change of the job and the last release before the first of the open failures, if not long before."""

    change: Before | None = None
    release: Before | None = None


def came_before(groups: Sequence[FailureGroup]) -> dict[int, CameBefore]:
    """Return for each group, by its id, what came before ``opened_at``: what it says is the order, not the cause."""
    if not groups:
        return {}
    first = min(group.opened_at for group in groups) - BEFORE
    last = max(group.opened_at for group in groups)
    changes: dict[str, list[Before]] = {}
    for job_id, at, user in _changes({group.job_id for group in groups}, first, last):
        changes.setdefault(job_id, []).append(Before(at, user))
    started = Release.objects.filter(started_at__gte=first, started_at__lte=last).order_by("-started_at", "-pk")
    releases = [Before(at, version) for at, version in started.values_list("started_at", "version")[:LOOKED_AT]]
    return {
        group.pk: CameBefore(
            _last_before(changes.get(group.job_id, ()), group.opened_at), _last_before(releases, group.opened_at)
        )
        for group in groups
    }


def _changes(job_ids: Iterable[str], first: datetime, last: datetime) -> Any:
    """Return (job, when, who) of each time that somebody created or changed one of these jobs, the latest first.

    A run by hand, a pause or a retry is in the trail as well, in plain words; what changes a job says before and after.
    """
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(DjangoJob),
        object_id__in=job_ids,
        action_flag__in=(ADDITION, CHANGE),
        action_time__gte=first,
        action_time__lte=last,
        change_message__startswith="[{",
    ).order_by("-action_time", "-pk")
    return entries.values_list("object_id", "action_time", f"user__{get_user_model().USERNAME_FIELD}")[:LOOKED_AT]


def _last_before(found: Iterable[Before], moment: datetime) -> Before | None:
    """Return the first of what is given, the latest first, that came before a moment and not long before."""
    return next((each for each in found if moment - BEFORE <= each.at <= moment), None)
