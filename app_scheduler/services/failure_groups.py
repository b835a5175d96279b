"""Failures by group: which there are, which executions they stand for, and how their numbers are kept true.

Whoever acknowledges, whether executions or groups, holds the groups' rows from before it looks until it has written.
A verdict of the same moment waits for them, and adds to what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Collate

from app_scheduler.engine.sql import among, update_from_values
from app_scheduler.exceptions import FailureNotFound
from app_scheduler.models import ExecutionDetail, FailureGroup, Status

#: How long a group that was acknowledged is shown.
SHOWN = timedelta(days=30)


class FailureState(StrEnum):
    """What a group waits for: somebody to look, a moment at which it comes back, or nothing."""

    OPEN = "open"
    SNOOZED = "snoozed"
    ACKNOWLEDGED = "acknowledged"


def condition_of(state: FailureState, now: datetime) -> Q:
    """Return the condition of the groups in a state, at ``now``. A group whose snooze is over is open again."""
    if state is FailureState.ACKNOWLEDGED:
        return Q(open_count=0, acknowledged_at__gte=now - SHOWN)
    if state is FailureState.SNOOZED:
        return Q(open_count__gt=0, snoozed_until__gt=now)
    return Q(open_count__gt=0) & (Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=now))


def state_of(group: FailureGroup, now: datetime) -> FailureState:
    """Return the state of a group at ``now``; one that was acknowledged long ago still is."""
    if not group.open_count:
        return FailureState.ACKNOWLEDGED
    is_snoozed = group.snoozed_until is not None and group.snoozed_until > now
    return FailureState.SNOOZED if is_snoozed else FailureState.OPEN


def failure_groups(
    state: FailureState | None, now: datetime, *, of: QuerySet[FailureGroup] | None = None
) -> QuerySet[FailureGroup]:
    """Return the groups in a state, or those in any of the three, with their jobs and whoever acted on them.

    ``of`` are the groups to choose from: all, where it is left out.
    """
    asked = [state] if state is not None else list(FailureState)
    condition = Q()
    for each in asked:
        condition |= condition_of(each, now)
    return _whole((FailureGroup.objects.all() if of is None else of).filter(condition))


def get_failure(group_id: int) -> FailureGroup:
    """Return a group with its job and whoever acted on it. Raises ``FailureNotFound``."""
    group = _whole(FailureGroup.objects.filter(pk=group_id)).first()
    if group is None:
        raise FailureNotFound(group_id)
    return group


def failure_groups_by_id(ids: Sequence[int]) -> list[FailureGroup]:
    """Return these groups, where they are still there, the last to fail first."""
    return list(_whole(FailureGroup.objects.filter(pk__in=ids)).order_by("-last_seen", "pk"))


def _whole(groups: QuerySet[FailureGroup]) -> QuerySet[FailureGroup]:
    related = groups.select_related("job__spec", "acknowledged_by", "snoozed_by")
    return related.defer("job__job_state", "job__spec__code_document")


def count_failures(now: datetime) -> dict[FailureState, int]:
    """Return how many groups are in each state, in one query."""
    counts = FailureGroup.objects.aggregate(
        **{state.value: Count("pk", filter=condition_of(state, now)) for state in FailureState}
    )
    return {state: counts[state.value] for state in FailureState}


def has_recovered(group: FailureGroup) -> bool:
    """Say whether the job's last outcome is a success that came after the last failure of this group."""
    spec = getattr(group.job, "spec", None)
    finished = spec.last_finished_at if spec is not None and spec.last_status == Status.EXECUTED else None
    return finished is not None and finished > group.last_seen


def executions_of(group_ids: Sequence[int]) -> QuerySet[Any]:
    """Return the details of the failures that these groups stand for and that retention has left, in no order."""
    if not group_ids:
        return ExecutionDetail.objects.none()
    groups = FailureGroup.objects.filter(pk__in=among(group_ids))
    same = groups.filter(fingerprint=OuterRef("fingerprint"), job_id=OuterRef("execution__job_id"))
    # SQLite takes the partial index only where its condition is said.
    failures = ExecutionDetail.objects.filter(fingerprint__in=groups.values("fingerprint"), fingerprint__gt="")
    return failures.filter(Exists(same))


def open_executions_of(group_ids: Sequence[int]) -> QuerySet[Any]:
    """Return those of ``executions_of`` that nobody has acknowledged."""
    return executions_of(group_ids).filter(acknowledged_at__isnull=True)


def locked(groups: QuerySet[FailureGroup]) -> list[FailureGroup]:
    """Return groups, locked until the transaction ends, in the order in which verdicts lock them."""
    order: list[Any] = ["job_id", "fingerprint"]
    if connection.vendor == "postgresql":
        order = [Collate(F(name), "C") for name in order]
    return list(groups.select_for_update().order_by(*order))


def locked_groups_of(failures: QuerySet[Any]) -> list[FailureGroup]:
    """Return the groups of these failures' details, locked until the transaction ends."""
    keys = set(failures.values_list("execution__job_id", "fingerprint"))
    if not keys:
        return []
    jobs, fingerprints = (sorted(set(part)) for part in zip(*keys, strict=True))
    found = FailureGroup.objects.filter(job_id__in=among(jobs), fingerprint__in=among(fingerprints))
    ids = [pk for pk, *key in found.values_list("pk", "job_id", "fingerprint") if tuple(key) in keys]
    return locked(FailureGroup.objects.filter(pk__in=among(ids))) if ids else []


def take_out(
    groups: Sequence[FailureGroup], acknowledged: Iterable[tuple[str, str]], *, by: Any, at: datetime, note: str
) -> None:
    """Take executions that were just acknowledged one by one out of what is open of their ``groups``, which are locked.

    ``acknowledged`` has the job and the fingerprint of each. A group of which no execution is left open is closed,
    with whoever closed it, even where more had been open: retention has deleted those.
    """
    if not groups:
        return
    gone: dict[tuple[str, str], int] = {}
    for key in acknowledged:
        gone[key] = gone.get(key, 0) + 1
    remaining = {
        (row["execution__job_id"], row["fingerprint"]): row
        for row in open_executions_of([group.pk for group in groups])
        .values("execution__job_id", "fingerprint")
        .annotate(number=Count("pk"), since=Min("finished_at"))
        .order_by()
    }
    rows, closed = [], []
    for group in groups:
        key = (group.job_id, group.fingerprint)
        left = remaining.get(key)
        if left is None:
            closed.append(group.pk)
            continue
        count = max(left["number"], group.open_count - gone.get(key, 0))
        rows.append((group.pk, count, left["since"] or group.opened_at))
    update_from_values(FailureGroup, ["id"], ["open_count", "opened_at"], rows)
    close(closed, by=by, at=at, note=note)


def close(group_ids: Sequence[int], *, by: Any, at: datetime, note: str) -> None:
    """Note that nothing of these groups is open any more, and whose doing that is."""
    if group_ids:
        FailureGroup.objects.filter(pk__in=among(group_ids)).update(
            open_count=0,
            acknowledged_by=by,
            acknowledged_at=at,
            acknowledged_note=note,
            snoozed_until=None,
            snoozed_by=None,
            snooze_note="",
        )
