"""What readers get of failures: groups of them, and what came of retrying some."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from app_scheduler import services
from app_scheduler.api.representations import Json, moment, username
from app_scheduler.models import FailureGroup
from app_scheduler.services import CameBefore, FailureState, Retried


def failures(groups: Sequence[FailureGroup]) -> list[Json]:
    """Return groups of failures, in a number of queries that does not grow with them."""
    now = timezone.now()
    before = services.came_before(groups)
    return [_failure(group, services.state_of(group, now), before[group.pk]) for group in groups]


def failure(group: FailureGroup) -> Json:
    return failures([group])[0]


def _failure(group: FailureGroup, state: FailureState, before: CameBefore) -> Json:
    change, release = before.change, before.release
    is_snoozed = state is FailureState.SNOOZED
    return {
        "id": group.pk,
        "job": group.job_id,
        "fingerprint": group.fingerprint,
        "status": group.status,
        "exception": group.exception,
        "place": group.place,
        "state": state.value,
        "first_seen": moment(group.first_seen),
        "last_seen": moment(group.last_seen),
        "count": group.count,
        "open_count": group.open_count,
        "open_since": moment(group.opened_at) if group.open_count else None,
        "last_execution": group.last_execution_id,
        "recovered": services.has_recovered(group),
        "changed_before": None if change is None else {"at": moment(change.at), "by": change.name or None},
        "released_before": None if release is None else {"at": moment(release.at), "version": release.name},
        "acknowledged": None
        if group.acknowledged_at is None
        else {
            "by": username(group.acknowledged_by),
            "at": moment(group.acknowledged_at),
            "note": group.acknowledged_note,
        },
        "snoozed": {
            "by": username(group.snoozed_by),
            "until": moment(group.snoozed_until),
            "note": group.snooze_note,
        }
        if is_snoozed
        else None,
    }


def retried(found: Retried) -> Json:
    """Return what came of retrying failures."""
    return {
        "queued": found.queued,
        "refused": [{"reason": reason, "count": count} for reason, count in found.refused.most_common()],
        "more_left": found.is_cut,
    }
