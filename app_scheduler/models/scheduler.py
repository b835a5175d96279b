"""The scheduler: the processes that have one, and which of them leads."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class InstanceRole(models.TextChoices):
    LEADER = "leader", _("leader")
    STANDBY = "standby", _("standby")
    WORKER = "worker", _("worker")


class SchedulerInstance(models.Model):
    """One process with a scheduler in it, or a worker. Its row goes when it stops, or when its heartbeat does."""

    id = models.CharField(max_length=128, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    role = models.CharField(max_length=16, choices=InstanceRole.choices, default=InstanceRole.STANDBY)
    started_at = models.DateTimeField()
    heartbeat = models.DateTimeField()
    slots = models.PositiveIntegerField(default=0)
    busy = models.PositiveIntegerField(default=0)
    version = models.CharField(max_length=64, blank=True, default="")
    last_error = models.TextField(blank=True, default="")
    queues = models.CharField(
        max_length=255, blank=True, default="", help_text="Of a worker: the queues that it takes executions from."
    )
    draining_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it takes nothing new, as somebody asked."
    )
    bell = models.PositiveIntegerField(null=True, blank=True, help_text="Where it can be woken: its port, on SQLite.")

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


class SchedulerLease(models.Model):
    """The one row that says who leads, and whether all scheduling is paused."""

    SINGLETON = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLETON)
    holder = models.CharField(max_length=128, blank=True, default="")
    token = models.BigIntegerField(default=0, help_text="Fencing token: grows with each change of leader.")
    expires_at = models.DateTimeField()
    led_since = models.DateTimeField(null=True, blank=True)
    alive_at = models.DateTimeField(null=True, blank=True, help_text="The last moment that some leader was alive.")
    down_since = models.DateTimeField(
        null=True, blank=True, help_text="When the leadership before this one was last seen alive."
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    pause_reason = models.TextField(blank=True, default="")
    last_paused_at = models.DateTimeField(null=True, blank=True, help_text="When the last pause that is over began.")
    last_paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    last_pause_reason = models.TextField(blank=True, default="")
    last_resumed_at = models.DateTimeField(null=True, blank=True, help_text="When the last pause of everything ended.")
    blackouts = models.CharField(
        max_length=32,
        blank=True,
        default="",
        help_text="Another text after each change of the blackout windows; empty while there are none.",
    )

    def __str__(self) -> str:
        return self.holder or "nobody leads"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.id = self.SINGLETON
        super().save(*args, **kwargs)
