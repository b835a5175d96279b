"""The bar that says whether anything is alive, first on every page of the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.http import HttpRequest
from django.utils import timezone

from app_scheduler import services
from app_scheduler.admin.columns import Cell, Moment, moment, span_words
from app_scheduler.admin.overview_links import Links
from app_scheduler.services import SchedulerStatus


@dataclass(frozen=True, slots=True, eq=False)
class LiveBar(Cell):
    """``services.status()`` in words.

    ``may_pause`` brings the buttons that pause or resume everything, ``instances_url`` the link to the instances.
    """

    template_name: ClassVar[str] = "app_scheduler/cells/live.html"
    status: SchedulerStatus
    heartbeat: str
    led_since: Moment | None
    down_since: Moment | None
    paused_at: Moment | None
    may_pause: bool
    instances_url: str


def live_bar(request: HttpRequest, *, may_pause: bool = False) -> LiveBar:
    """Return the bar for whoever asks, in a handful of queries."""
    status = services.status()
    now = timezone.now()
    return LiveBar(
        status=status,
        heartbeat="" if status.heartbeat_age is None else span_words(status.heartbeat_age),
        led_since=moment(status.led_since, now=now),
        down_since=moment(status.down_since, now=now),
        paused_at=moment(status.paused_at, now=now),
        may_pause=may_pause,
        instances_url=Links(request).instances,
    )
