"""The instances: the processes that run jobs, what each runs now, and draining them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from app_scheduler import scheduler
from app_scheduler.conf import console_settings
from app_scheduler.engine.lease import lease_ago, read_lease
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.sql import among
from app_scheduler.exceptions import InstanceNotFound, InvalidInput
from app_scheduler.models import ExecutionDetail, InstanceRole, SchedulerInstance, SchedulerLease
from app_scheduler.services.audit import MAX_REASON, Actor, log_about, with_reason
from app_scheduler.services.skips import too_long

#: Runs that are named of each instance, those that began first first; the others are counted.
NAMED_RUNS = 5
#: Instances that are told at once.
MAX_INSTANCES = 1000


class InstanceState(StrEnum):
    """What an instance does. One that drains is drained once it has ended what it ran."""

    LEADS = "leads"
    STANDS_BY = "standby"
    WORKS = "works"
    DRAINING = "draining"
    DRAINED = "drained"
    GONE = "gone"


class RunHere(NamedTuple):
    """A run that goes on in an instance."""

    execution_id: int
    job_id: str
    name: str
    started_at: datetime


class Missing(NamedTuple):
    """What nobody else would do: whether anybody could lead, and the queues that no other worker serves."""

    leader: bool
    queues: list[str]


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance's row, what it does, and what it runs: how much of it, and the first ``NAMED_RUNS``.

    ``heartbeat_age`` is in seconds, by the database's clock.
    """

    row: SchedulerInstance
    state: InstanceState
    heartbeat_age: float
    running: int
    runs: Sequence[RunHere]


def instances() -> list[Instance]:
    """Return all instances, the leader first, at most ``MAX_INSTANCES``. Three queries."""
    rows = SchedulerInstance.objects.order_by("role", "host", "pid", "id")
    return instances_of(list(rows[:MAX_INSTANCES]))


def instances_of(rows: Sequence[SchedulerInstance], named: int = NAMED_RUNS) -> list[Instance]:
    """Return what these do, in their order. Two queries, by the index of what runs."""
    lease = read_lease()
    now: datetime = getattr(lease, "now", None) or utc_now()
    running = _running_on([row.id for row in rows], named)
    found = []
    for row in rows:
        count, runs = running.get(row.id, (0, []))
        age = max(0.0, (now - row.heartbeat).total_seconds())
        found.append(Instance(row, _state_of(row, lease, now, age, count), age, count, runs))
    return found


def get_instance(instance_id: str) -> SchedulerInstance:
    """Return an instance. Raises ``InstanceNotFound``."""
    # PostgreSQL takes no NUL character, and no id has one.
    row = None if "\x00" in instance_id else SchedulerInstance.objects.filter(id=instance_id).first()
    if row is None:
        raise InstanceNotFound(instance_id)
    return row


def drain_instance(instance_id: str, actor: Actor, *, reason: str = "") -> Instance:
    """Have an instance take nothing new and end what it runs; where it drains already, nothing changes.

    A leader gives the lease up, so that a standby leads at once. Raises ``InstanceNotFound`` and ``InvalidInput``.
    """
    return _act(instance_id, actor, reason, drain=True)


def resume_instance(instance_id: str, actor: Actor, *, reason: str = "") -> Instance:
    """Let an instance that drains take executions again; where it does not drain, nothing changes.

    Raises ``InstanceNotFound`` and ``InvalidInput``.
    """
    return _act(instance_id, actor, reason, drain=False)


def _act(instance_id: str, actor: Actor, reason: str, *, drain: bool) -> Instance:
    if len(reason) > MAX_REASON:
        raise InvalidInput({"reason": too_long()})
    get_instance(instance_id)
    with transaction.atomic():
        changed = scheduler.drain_instance(instance_id) if drain else scheduler.resume_instance(instance_id)
        row = get_instance(instance_id)
        if changed:
            message = with_reason("Asked to drain" if drain else "Let go on", reason)
            log_about(SchedulerInstance, [(row.id, str(row), CHANGE, message)], actor)
    (found,) = instances_of([row])
    return found


def missing_without(instance: Instance) -> Missing:
    """Return what nobody else would do if this instance drained. One query, and none where it takes nothing anyway."""
    row = instance.row
    if row.draining_since is not None or instance.state == InstanceState.GONE:
        return Missing(False, [])
    others = SchedulerInstance.objects.filter(heartbeat__gte=lease_ago(), draining_since__isnull=True)
    others = others.exclude(id=row.id)
    if row.role == InstanceRole.WORKER:
        served = {queue for other in others.filter(role=InstanceRole.WORKER) for queue in queues_of(other)}
        return Missing(False, [queue for queue in queues_of(row) if queue not in served])
    return Missing(not others.exclude(role=InstanceRole.WORKER).exists(), [])


def queues_of(row: SchedulerInstance) -> list[str]:
    """Return the queues that a worker takes executions from."""
    return [queue for queue in (part.strip() for part in row.queues.split(",")) if queue]


def _running_on(ids: Sequence[str], named: int) -> dict[str, tuple[int, list[RunHere]]]:
    """Return how many executions run on each of these instances, and the first ``named`` of them."""
    runs = (
        ExecutionDetail.objects.running()
        .filter(instance__in=among(ids))
        .annotate(
            number=Window(RowNumber(), partition_by=F("instance"), order_by=("started_at", "pk")),
            together=Window(Count("pk"), partition_by=F("instance")),
        )
        .filter(number__lte=named)
        .order_by("instance", "started_at", "pk")
        .values_list(
            *("instance", "together", "execution_id", "execution__job_id", "execution__job__spec__name", "started_at")
        )
    )
    found: dict[str, tuple[int, list[RunHere]]] = {}
    for instance, together, pk, job_id, name, started in runs:
        found.setdefault(instance, (together, []))[1].append(RunHere(pk, job_id, name or job_id, started))
    return found


def _state_of(
    row: SchedulerInstance, lease: SchedulerLease | None, now: datetime, age: float, running: int
) -> InstanceState:
    if age > console_settings.lease_seconds:
        return InstanceState.GONE
    if row.draining_since is not None:
        return InstanceState.DRAINING if running else InstanceState.DRAINED
    if row.role == InstanceRole.WORKER:
        return InstanceState.WORKS
    leads = lease is not None and lease.holder == row.id and lease.expires_at > now
    return InstanceState.LEADS if leads else InstanceState.STANDS_BY
