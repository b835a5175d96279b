"""Whether anything is alive and whether all scheduling is paused: one cheap query, for the banner of every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from app_scheduler.engine.lease import lease_ago
from app_scheduler.models import SchedulerInstance, SchedulerLease


@dataclass(frozen=True, slots=True)
class Pulse:
    """``alive`` and ``paused`` as in ``SchedulerStatus``; ``down_since`` is None where nothing was ever alive."""

    alive: bool
    down_since: datetime | None = None
    paused: bool = False
    paused_at: datetime | None = None
    paused_by: str = ""
    pause_reason: str = ""


def pulse() -> Pulse:
    """Return whether a leader is alive, by the same rule as ``status()``, and who paused all scheduling. One query."""
    beats = SchedulerInstance.objects.filter(pk=OuterRef("holder"), heartbeat__gte=lease_ago())
    leases = SchedulerLease.objects.filter(id=SchedulerLease.SINGLETON).select_related("paused_by")
    lease = leases.annotate(now=Now(), beats=Exists(beats)).first()
    if lease is None:
        return Pulse(alive=False)
    alive = bool(lease.holder) and lease.expires_at > lease.now and lease.beats
    return Pulse(
        alive=alive,
        down_since=None if alive else lease.alive_at,
        paused=lease.paused_at is not None,
        paused_at=lease.paused_at,
        paused_by=str(lease.paused_by or ""),
        pause_reason=lease.pause_reason,
    )
