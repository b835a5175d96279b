"""The scheduler as a whole: whether anything is alive, and the switch that pauses everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import Count
from django_apscheduler.models import DjangoJob

from app_scheduler import scheduler
from app_scheduler.conf import console_settings
from app_scheduler.engine.lease import read_lease
from app_scheduler.engine.queue import utc_now
from app_scheduler.models import (
    ExecutionDetail,
    InstanceRole,
    JobSpec,
    JobState,
    SchedulerInstance,
    SchedulerLease,
)
from app_scheduler.services.audit import MAX_REASON, Actor, log_about, with_reason


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """Whether anything is alive, who leads and what waits. Times are aware; ages are in seconds.

    ``standbys`` and ``workers`` take what is new; ``draining`` are those of both that do not, as somebody asked.
    """

    alive: bool
    paused: bool
    paused_at: datetime | None
    paused_by: str
    pause_reason: str
    leader: SchedulerInstance | None
    standbys: list[SchedulerInstance]
    workers: list[SchedulerInstance]
    draining: list[SchedulerInstance]
    heartbeat_age: float | None
    led_since: datetime | None
    down_since: datetime | None
    slots: int
    busy: int
    queued: int
    due: int
    next_run_time: datetime | None
    jobs: dict[str, int]


def status() -> SchedulerStatus:
    """Return the state of the scheduler, in a handful of queries however many jobs there are."""
    lease = read_lease()
    now: datetime = getattr(lease, "now", None) or utc_now()
    limit = now - timedelta(seconds=console_settings.lease_seconds)
    instances = list(SchedulerInstance.objects.filter(heartbeat__gte=limit).order_by("started_at"))
    leads = lease is not None and lease.holder and lease.expires_at > now
    leader = next((i for i in instances if leads and lease is not None and i.id == lease.holder), None)
    others = [each for each in instances if each is not leader]
    workers = [each for each in others if each.role == InstanceRole.WORKER and each.draining_since is None]
    queue = ExecutionDetail.objects.queued().filter(available_at__lte=now).count()
    ticks = DjangoJob.objects.filter(next_run_time__isnull=False)
    jobs = JobSpec.objects.order_by().values_list("state").annotate(Count("pk"))
    return SchedulerStatus(
        alive=leader is not None,
        paused=bool(lease and lease.paused_at),
        paused_at=lease.paused_at if lease else None,
        paused_by=str(lease.paused_by or "") if lease else "",
        pause_reason=lease.pause_reason if lease else "",
        leader=leader,
        standbys=[each for each in others if each.role == InstanceRole.STANDBY and each.draining_since is None],
        workers=workers,
        draining=[each for each in others if each.draining_since is not None],
        heartbeat_age=max(0.0, (now - leader.heartbeat).total_seconds()) if leader else None,
        led_since=lease.led_since if lease and leader else None,
        down_since=lease.alive_at if lease and not leader else None,
        slots=sum(each.slots for each in (leader, *workers) if each is not None) if leader else 0,
        busy=ExecutionDetail.objects.running().count(),
        queued=queue,
        due=ticks.filter(next_run_time__lte=now).count(),
        next_run_time=ticks.order_by("next_run_time").values_list("next_run_time", flat=True).first(),
        jobs=dict.fromkeys(JobState.values, 0) | dict(jobs),
    )


def pause_all(actor: Actor, *, reason: str = "") -> bool:
    """Pause all scheduling; return whether it was not paused yet. Runs asked for by hand still start."""
    with transaction.atomic():
        changed = scheduler.pause_all(by=actor.user, reason=reason[:MAX_REASON])
        if changed:
            _log_scheduling(with_reason("Paused", reason), actor)
    return changed


def resume_all(actor: Actor, *, reason: str = "") -> bool:
    """Resume all scheduling; return whether it was paused."""
    with transaction.atomic():
        changed = scheduler.resume_all()
        if changed:
            _log_scheduling(with_reason("Resumed", reason), actor)
    return changed


def _log_scheduling(message: str, actor: Actor) -> None:
    log_about(SchedulerLease, [(SchedulerLease.SINGLETON, "All scheduling", CHANGE, message)], actor)
