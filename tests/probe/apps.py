from __future__ import annotations

import os

from django.apps import AppConfig

from app_scheduler import scheduler


class ProbeConfig(AppConfig):
    """An app as a user of the console would write one, installed in tests only."""

    name = "tests.probe"
    label = "probe"

    def ready(self) -> None:
        """Schedule a job as APScheduler documents it, where the test asks for one."""
        if marks := os.environ.get("PROBE_MARKS"):
            from tests.probe.jobs import mark

            seconds = int(os.environ.get("PROBE_SECONDS", "1"))
            scheduler.add_job(
                mark, "interval", seconds=seconds, id="from-ready", args=[marks], max_instances=1, replace_existing=True
            )
