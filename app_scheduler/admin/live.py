"""The bar that says whether anything is alive, first on every page of the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.utils import timezone

from app_scheduler import services
from app_scheduler.admin.columns import Cell, Moment, moment, span_words
from app_scheduler.services import SchedulerStatus


@dataclass(frozen=True, slots=True, eq=False)
class LiveBar(Cell):
    """``services.status()`` in words. ``may_pause`` brings the buttons that pause or resume everything."""

    template_name: ClassVar[str] = "app_scheduler/cells/live.html"
    status: SchedulerStatus
    heartbeat: str
    led_since: Moment | None
    down_since: Moment | None
    paused_at: Moment | None
    may_pause: bool


def live_bar(*, may_pause: bool = False) -> LiveBar:
    """Return the bar, in a handful of queries."""
    status = services.status()
    now = timezone.now()
    return LiveBar(
        status=status,
        heartbeat="" if status.heartbeat_age is None else span_words(status.heartbeat_age),
        led_since=moment(status.led_since, now=now),
        down_since=moment(status.down_since, now=now),
        paused_at=moment(status.paused_at, now=now),
        may_pause=may_pause,
    )
