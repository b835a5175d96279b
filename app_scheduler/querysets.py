"""The questions that several rooms ask of the tables, each written once."""

from __future__ import annotations

import json
from typing import Any

from django.db import connections, models


class JobSpecQuerySet(models.QuerySet[Any]):
    def with_tag(self, tag: str) -> JobSpecQuerySet:
        """Return the jobs that carry ``tag``. SQLite has no JSON containment, so its stored text is searched."""
        if connections[self.db].features.supports_json_field_contains:
            return self.filter(tags__contains=[tag])
        return self.filter(tags__icontains=json.dumps(tag))

    def tag_names(self) -> list[str]:
        """Return each tag in use, once, sorted."""
        rows = self.exclude(tags=[]).order_by().values_list("tags", flat=True).distinct()
        return sorted({tag for tags in rows if isinstance(tags, list) for tag in tags if isinstance(tag, str)})


class ExecutionDetailQuerySet(models.QuerySet[Any]):
    def queued(self) -> ExecutionDetailQuerySet:
        """Return what waits in the queue. The condition is the partial index's own, so only the queue is read."""
        return self.filter(available_at__isnull=False)

    def alike(self, fingerprint: str) -> ExecutionDetailQuerySet:
        """Return the failures of one fault. SQLite takes the partial index only where its condition is said."""
        return self.filter(fingerprint=fingerprint, fingerprint__gt="")

    def running(self) -> ExecutionDetailQuerySet:
        """Return what has started and has no verdict."""
        return self.filter(started_at__isnull=False, finished_at__isnull=True)
