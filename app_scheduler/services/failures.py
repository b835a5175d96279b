"""What people and clients do with failures: acknowledge, snooze, open again, retry; one group or all that match.

A retry that succeeds closes nothing: its group is shown as recovered, and stays until somebody has acknowledged it.
What failed once may fail again, and whoever looks in the morning is to see that it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Min, OuterRef, QuerySet
from django.utils.translation import gettext

from app_scheduler import scheduler
from app_scheduler.engine.queue import Entry, enqueue, utc_now
from app_scheduler.engine.sql import among, in_batches, update_from_values
from app_scheduler.exceptions import ConsoleError, InvalidInput
from app_scheduler.models import ExecutionDetail, FailureGroup, Status
from app_scheduler.services.audit import MAX_REASON, Actor, log_about, log_jobs, with_reason
from app_scheduler.services.executions import retry_entry
from app_scheduler.services.failure_groups import close, executions_of, locked, open_executions_of

#: Groups that one transaction changes: verdicts of their jobs wait for it.
BATCH = 200
#: Executions that one act queues again.
MAX_RETRIES = 1_000
#: Retries a minute, where nobody says how many, and at most.
PER_MINUTE, MAX_PER_MINUTE = 60, 6_000
MAX_SNOOZE = timedelta(days=366)


def acknowledge_failures(ids: Sequence[int], actor: Actor, *, note: str = "") -> int:
    """Note that somebody has seen all that is open of these groups; return how many groups were open.

    A failure that comes later opens its group again.
    """
    note = note[:MAX_REASON]
    done = 0
    for batch in in_batches(sorted(set(ids)), BATCH):
        with transaction.atomic():
            groups = locked(FailureGroup.objects.filter(pk__in=among(batch), open_count__gt=0))
            keys = [group.pk for group in groups]
            now = utc_now()
            if keys:
                open_executions_of(keys).update(acknowledged_by=actor.user, acknowledged_at=now, acknowledged_note=note)
            close(keys, by=actor.user, at=now, note=note)
            _log(groups, [with_reason(f"Acknowledged, {_failures(group.open_count)}", note) for group in groups], actor)
        done += len(groups)
    return done


def snooze_failures(ids: Sequence[int], actor: Actor, *, until: datetime, note: str = "") -> int:
    """Put these groups aside until a moment, at which they come back by themselves; return how many were open.

    What fails meanwhile is counted and comes back with them. Raises ``InvalidInput`` for a moment that has passed or
    is more than a year away.
    """
    now = utc_now()
    if until <= now:
        raise InvalidInput({"until": gettext("This moment has passed. Give one to come.")})
    if until > now + MAX_SNOOZE:
        raise InvalidInput({"until": gettext("Snooze for a year at most; acknowledge what nobody needs to see again.")})
    note = note[:MAX_REASON]
    moment = until.astimezone(UTC).isoformat(timespec="seconds")
    done = 0
    for batch in in_batches(sorted(set(ids)), BATCH):
        with transaction.atomic():
            groups = locked(FailureGroup.objects.filter(pk__in=among(batch), open_count__gt=0))
            FailureGroup.objects.filter(pk__in=[group.pk for group in groups]).update(
                snoozed_until=until, snoozed_by=actor.user, snooze_note=note
            )
            _log(groups, [with_reason(f"Snoozed until {moment}", note)] * len(groups), actor)
        done += len(groups)
    return done


def reopen_failures(ids: Sequence[int], actor: Actor, *, note: str = "") -> int:
    """Bring back what is snoozed, and open again what the last acknowledgement closed; return how many groups were.

    A group whose acknowledged executions retention has deleted has nothing left to open, and stays as it is.
    """
    note = note[:MAX_REASON]
    done = 0
    for batch in in_batches(sorted(set(ids)), BATCH):
        with transaction.atomic():
            groups = locked(FailureGroup.objects.filter(pk__in=among(batch)))
            snoozed = [group for group in groups if group.open_count and group.snoozed_until is not None]
            FailureGroup.objects.filter(pk__in=[group.pk for group in snoozed]).update(
                snoozed_until=None, snoozed_by=None, snooze_note=""
            )
            _log(snoozed, [with_reason("Snooze ended", note)] * len(snoozed), actor)
            reopened = _reopen([group for group in groups if not group.open_count])
            _log(reopened, [with_reason("Opened again", note)] * len(reopened), actor)
        done += len(snoozed) + len(reopened)
    return done


def _reopen(closed: Sequence[FailureGroup]) -> list[FailureGroup]:
    """Open what the last acknowledgement of each group closed; return the groups of which anything was left."""
    if not closed:
        return []
    same_act = FailureGroup.objects.filter(
        fingerprint=OuterRef("fingerprint"),
        job_id=OuterRef("execution__job_id"),
        acknowledged_at=OuterRef("acknowledged_at"),
    )
    ids = [group.pk for group in closed]
    executions = executions_of(ids).filter(Exists(same_act))
    counts = {
        (row["execution__job_id"], row["fingerprint"]): row
        for row in executions.values("execution__job_id", "fingerprint")
        .annotate(number=Count("pk"), since=Min("finished_at"))
        .order_by()
    }
    reopened = [group for group in closed if (group.job_id, group.fingerprint) in counts]
    executions.update(acknowledged_by=None, acknowledged_at=None, acknowledged_note="")
    rows = []
    for group in reopened:
        row = counts[group.job_id, group.fingerprint]
        rows.append((group.pk, row["number"], row["since"] or group.last_seen))
    update_from_values(FailureGroup, ["id"], ["open_count", "opened_at"], rows)
    FailureGroup.objects.filter(pk__in=[group.pk for group in reopened]).update(
        acknowledged_by=None, acknowledged_at=None, acknowledged_note=""
    )
    return reopened


# --- retry --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Retried:
    """What came of retrying many: the new executions, why others stayed, by reason, and whether more are left."""

    queued: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    is_cut: bool = False


def retryable_of(group_ids: Sequence[int]) -> QuerySet[Any]:
    """Return the open failures of these groups that nothing has tried again.

    A failure with a later attempt, by the job's own retries or by hand, is not run twice: only the last of a chain of
    attempts counts. A later attempt that was cancelled is none.
    """
    tried = ExecutionDetail.objects.filter(retry_of=OuterRef("pk")).exclude(execution__status=Status.CANCELLED)
    return open_executions_of(group_ids).filter(~Exists(tried))


def count_retryable(group_ids: Sequence[int]) -> int:
    """Return how many ``retry_failures`` would queue, counted no further than one more than it queues at once."""
    return retryable_of(group_ids).order_by().values("pk")[: MAX_RETRIES + 1].count()


def retry_failures(
    ids: Sequence[int], actor: Actor, *, per_minute: int = PER_MINUTE, newest_only: bool = False, note: str = ""
) -> Retried:
    """Queue the open failures of these groups again, the oldest first, each with the arguments that it had.

    They start one after another, ``per_minute`` of them at most, and at most ``MAX_RETRIES`` are queued at once. What
    was tried again already is left out. With ``newest_only`` it is the last failure of each group and no other, to see
    whether the fault is gone. Raises ``InvalidInput`` for a rate that is none.
    """
    if not 1 <= per_minute <= MAX_PER_MINUTE:
        raise InvalidInput(
            {"per_minute": gettext("Give a whole number between 1 and %(most)d.") % {"most": MAX_PER_MINUTE}}
        )
    if not ids:
        return Retried()
    try:
        with transaction.atomic():
            return _retry(ids, actor, per_minute, newest_only, note[:MAX_REASON])
    except IntegrityError:
        raise ConsoleError(
            gettext("Nothing was queued: one of the jobs or executions was deleted meanwhile. Try again.")
        ) from None


def _retry(ids: Sequence[int], actor: Actor, per_minute: int, newest_only: bool, note: str) -> Retried:
    # Two people who retry the same group at once: the second finds what the first has queued.
    groups = {
        (group.job_id, group.fingerprint): group for group in locked(FailureGroup.objects.filter(pk__in=among(ids)))
    }
    if not groups:
        return Retried()
    # Which they are is asked first: to lock while it chooses among all, the database takes several times as long.
    retryable = retryable_of(ids)
    if newest_only:
        retryable = retryable.filter(pk__in=among([group.last_execution_id for group in groups.values()]))
    chosen = list(retryable.order_by("finished_at", "pk").values_list("pk", flat=True)[: MAX_RETRIES + 1])
    rows = ExecutionDetail.objects.filter(pk__in=chosen).select_related("execution__job__spec")
    # Retention must not take what the new ones refer to.
    rows = rows.select_for_update(of=("execution",)).defer(
        *("log", "result", "execution__traceback", "execution__job__job_state", "execution__job__spec__code_document")
    )
    found = list(rows.order_by("finished_at", "pk"))
    retried = Retried(is_cut=len(found) > MAX_RETRIES)
    entries: list[Entry] = []
    by_group: Counter[tuple[str, str]] = Counter()
    specs = {}
    now, gap = utc_now(), timedelta(minutes=1) / per_minute
    for detail in found[:MAX_RETRIES]:
        spec = getattr(detail.execution.job, "spec", None)
        if spec is None:
            retried.refused[gettext("This job has no definition to run.")] += 1
            continue
        try:
            entry = retry_entry(spec, detail.execution, detail, actor, now + len(entries) * gap, reason=note)
        except ConsoleError as error:
            retried.refused[str(error)] += 1
            continue
        entry.queued_at = now
        entries.append(entry)
        specs[spec.job_id] = spec
        by_group[spec.job_id, detail.fingerprint] += 1
    retried.queued = enqueue(entries)
    by_job: Counter[str] = Counter()
    for (job_id, _), number in by_group.items():
        by_job[job_id] += number
    rate = f"{per_minute} a minute"
    touched = [groups[key] for key in by_group]
    _log(touched, [with_reason(f"Retried {_failures(n)}, {rate}", note) for n in by_group.values()], actor)
    messages = [
        (specs[job_id], CHANGE, with_reason(f"Retried {_failures(n)}, {rate}", note)) for job_id, n in by_job.items()
    ]
    log_jobs(messages, actor)
    if entries:
        scheduler.announce_queued()
    return retried


def _failures(number: int) -> str:
    return "1 failure" if number == 1 else f"{number:,} failures"


def _log(groups: Sequence[FailureGroup], messages: Sequence[str], actor: Actor) -> None:
    """Write what happened to groups into the audit trail, each with its message."""
    entries = [(group.pk, str(group), CHANGE, text) for group, text in zip(groups, messages, strict=True)]
    log_about(FailureGroup, entries, actor)
