"""What runs now, and how far it is: for the pages of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from app_scheduler.admin.columns import Pill
from app_scheduler.admin.execution_progress import Progress
from app_scheduler.models import ExecutionDetail


@dataclass(frozen=True, slots=True)
class Running:
    """How many executions of a job run now. ``percent`` is how far one that runs alone said that it is."""

    count: int
    percent: int | None = None

    @property
    def words(self) -> str:
        if self.count > 1:
            return ngettext("%(number)d running", "%(number)d running", self.count) % {"number": self.count}
        if self.percent is None:
            return gettext("Running")
        return gettext("Running %(percent)d %%") % {"percent": self.percent}

    @property
    def pill(self) -> Pill:
        return Pill("running", self.words)


def running_of(job_ids: Sequence[str]) -> dict[str, Running]:
    """Return what runs of each of these jobs. What runs is few, whatever the history holds."""
    fields = ("execution__job_id", "progress_done", "progress_total")
    wanted = set(job_ids)
    found: dict[str, Running] = {}
    for job_id, done, total in ExecutionDetail.objects.running().values_list(*fields):
        if job_id not in wanted:
            continue
        others = found[job_id].count if job_id in found else 0
        percent = Progress(done, total or 0, "").percent if done is not None and not others else None
        found[job_id] = Running(others + 1, percent)
    return found
