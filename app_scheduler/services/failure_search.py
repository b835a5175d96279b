"""Which failures are meant: by state, job, tag, when they last came, and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from app_scheduler.models import FailureGroup, JobSpec
from app_scheduler.services.failure_groups import FailureState, failure_groups
from app_scheduler.services.words import words_of

#: What a search looks into.
SEARCHED = ("job__id", "job__spec__name", "exception", "place")


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """What is asked for; all of it has to be true of a group.

    ``state`` is None for any. A group is of one of the ``jobs``, where there are any, and its job has each of the
    ``tags``. ``since`` and ``until`` bound its last failure, both included.
    """

    state: FailureState | None = FailureState.OPEN
    jobs: Sequence[str] = ()
    tags: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


def find_failures(wanted: FailureFilter, now: datetime) -> QuerySet[FailureGroup]:
    """Return the groups that are asked for, the last to fail first, with their jobs and whoever acted on them."""
    groups = FailureGroup.objects.all()
    if wanted.jobs:
        groups = groups.filter(job_id__in=wanted.jobs)
    for tag in wanted.tags:
        groups = tagged_failures(groups, tag)
    if wanted.since is not None:
        groups = groups.filter(last_seen__gte=wanted.since)
    if wanted.until is not None:
        groups = groups.filter(last_seen__lte=wanted.until)
    found = failure_groups(wanted.state, now, of=search_failures(groups, wanted.search))
    return found.order_by("-last_seen", "pk")


def tagged_failures(groups: QuerySet[FailureGroup], tag: str) -> QuerySet[FailureGroup]:
    """Return those groups whose job has a tag."""
    return groups.filter(job_id__in=JobSpec.objects.with_tag(tag).values("job_id"))


def search_failures(groups: QuerySet[FailureGroup], text: str) -> QuerySet[FailureGroup]:
    """Return those groups in which each word or quoted phrase is found, each in any of ``SEARCHED``."""
    for word in words_of(text):
        found = Q()
        for name in SEARCHED:
            found |= Q(**{f"{name}__icontains": word})
        groups = groups.filter(found)
    return groups
