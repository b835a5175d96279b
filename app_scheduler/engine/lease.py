"""The lease: at most one instance leads, by the database's clock.

The lease is a convenience, not the safety: claims and dispatch are compare-and-set, so two leaders do no harm.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, Q, QuerySet, Subquery
from django.db.models.functions import Now

from app_scheduler.conf import console_settings
from app_scheduler.engine.sql import read
from app_scheduler.models import InstanceRole, SchedulerInstance, SchedulerLease

_HELD = f"""
SELECT 1 FROM {SchedulerLease._meta.db_table}
WHERE id = {SchedulerLease.SINGLETON} AND holder = %s AND token = %s {{lock}}
"""


def _from_now(seconds: float) -> ExpressionWrapper[Any]:
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def name_of(instance: str) -> str:
    """Return an instance's id as people read it: “process 4711 on web-2”."""
    host, _, rest = instance.rpartition("-")[0].rpartition("-")
    return f"process {rest} on {host}" if host and rest.isdigit() else f"process {instance}"


def ensure_lease() -> None:
    """Create the lease's one row, expired, where there is none yet."""
    SchedulerLease.objects.bulk_create(
        [SchedulerLease(id=SchedulerLease.SINGLETON, expires_at=datetime.fromisoformat("1970-01-01T00:00:00+00:00"))],
        ignore_conflicts=True,
    )


def read_lease(instance: str = "") -> SchedulerLease | None:
    """Return the lease with ``now`` annotated: the database's clock, to compare its expiry with.

    For an ``instance``, ``is_known`` says whether it has a row, and ``draining_since`` what stands in it.
    """
    lease = SchedulerLease.objects.annotate(now=Now()).filter(id=SchedulerLease.SINGLETON)
    if instance:
        row = SchedulerInstance.objects.filter(id=instance)
        lease = lease.annotate(is_known=Exists(row), draining_since=Subquery(row.values("draining_since")))
    return lease.first()


@dataclass
class Lease:
    """This process's hold on the lease, and its heartbeat."""

    instance: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}")
    token: int = 0
    held: bool = False
    #: When the lease was last known to be ours, by the monotonic clock, which a suspended process cannot fool for long.
    renewed: float = 0.0
    beaten: float = 0.0
    #: Since when somebody wants this instance to take nothing new: it does not lead then.
    draining_since: datetime | None = None

    def is_fresh(self) -> bool:
        """Tell, without asking the database, whether we may still count on the lease."""
        return self.held and time.monotonic() - self.renewed < console_settings.lease_seconds * 0.8

    def due(self) -> bool:
        """Tell whether it is time to renew or to beat: three times per lease."""
        return time.monotonic() - self.beaten >= console_settings.lease_seconds / 3

    def acquire(self) -> bool:
        """Take the lease if it is free, renew it if it is ours; return whether we hold it. One short transaction.

        An instance that drains does neither.
        """
        if self.draining_since is not None:
            self.held = False
            return False
        asked = time.monotonic()
        mine = SchedulerLease.objects.filter(id=SchedulerLease.SINGLETON, holder=self.instance, token=self.token)
        if self.held and mine.update(expires_at=_from_now(console_settings.lease_seconds), alive_at=Now()):
            self.renewed = asked
            return True
        self.held = False
        # Ours without our knowing, after a connection was lost while we took it, is free for us.
        mine_or_nobodys = Q(holder__in=["", self.instance])
        free = SchedulerLease.objects.filter(Q(expires_at__lte=Now()) | mine_or_nobodys, id=SchedulerLease.SINGLETON)
        with transaction.atomic():
            taken = free.update(
                holder=self.instance,
                token=F("token") + 1,
                expires_at=_from_now(console_settings.lease_seconds),
                led_since=Now(),
                down_since=F("alive_at"),
                alive_at=Now(),
            )
            if taken:
                self.token = SchedulerLease.objects.values_list("token", flat=True).get(id=SchedulerLease.SINGLETON)
        self.held = bool(taken)
        self.renewed = asked
        return self.held

    def hold_to_commit(self) -> bool:
        """Tell whether this process leads, and let nobody else lead before the caller's transaction has ended.

        What it has read of the table since it leads is then all that any leader has started.
        """
        lock = "" if connection.vendor == "sqlite" else "FOR SHARE"
        return bool(read(_HELD.format(lock=lock), [self.instance, self.token]))

    def release(self) -> None:
        """Give the lease back, so that a standby can lead at once."""
        self.held = False
        SchedulerLease.objects.filter(holder=self.instance).update(holder="", expires_at=Now(), alive_at=Now())

    def beat(self, *, slots: int, busy: int, version: str, last_error: str = "", bell: int | None = None) -> None:
        """Write this instance's heartbeat; a row that was reaped while we were stalled is made anew.

        ``bell`` is the loopback port at which this process can be woken.
        """
        role = InstanceRole.LEADER if self.held else InstanceRole.STANDBY
        values = {"role": role, "slots": slots, "busy": busy, "last_error": last_error, "bell": bell}
        self.beaten = time.monotonic()
        if SchedulerInstance.objects.filter(id=self.instance).update(heartbeat=Now(), **values):
            return
        SchedulerInstance.objects.bulk_create(
            [
                SchedulerInstance(
                    id=self.instance,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    started_at=Now(),
                    heartbeat=Now(),
                    version=version,
                    draining_since=self.draining_since,
                    **values,
                )
            ],
            ignore_conflicts=True,
        )

    def leave(self) -> None:
        """Release the lease and take this instance's row away: a clean stop."""
        self.release()
        SchedulerInstance.objects.filter(id=self.instance).delete()


def lease_ago() -> ExpressionWrapper[Any]:
    """Return the moment, by the database's clock, since which whoever lives has beaten."""
    return _from_now(-console_settings.lease_seconds)


def dead_instances() -> QuerySet[SchedulerInstance]:
    """Return the instances whose heartbeat stopped for longer than the lease lasts."""
    return SchedulerInstance.objects.filter(heartbeat__lt=lease_ago())
