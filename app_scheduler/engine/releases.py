"""Which release of the site's code runs: noted when an instance starts, so that pages can say what came before what."""

from __future__ import annotations

from datetime import datetime

from app_scheduler.conf import console_settings
from app_scheduler.engine.sql import writing
from app_scheduler.models import Release, SchedulerLease

MAX_VERSION = 100


def note_release(now: datetime) -> None:
    """Note the release that this process runs, where the instance that started before it ran another.

    A site that does not say its release has none noted. The caller has made the lease's row.
    """
    version = console_settings.release[:MAX_VERSION]
    if not version:
        return
    with writing():
        # One process at a time: all workers of a server start at once.
        SchedulerLease.objects.select_for_update().get(id=SchedulerLease.SINGLETON)
        if Release.objects.order_by("-started_at", "-pk").values_list("version", flat=True).first() != version:
            Release.objects.create(version=version, started_at=now)
