"""An execution's times and words, whichever of its rows keep them: what the list and the page of one both go by.

Whatever is stored, none of this raises: the page of a failure is the last that may fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import services
from app_scheduler.admin import columns
from app_scheduler.admin.execution_progress import Progress
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, Status

ON_THE_WAY = (Status.QUEUED, Status.STARTED)
INSTANCE = re.compile(r"(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{6}")


@dataclass(slots=True)
class Facts:
    """The times of an execution, from its detail where it has one and from django-apscheduler's columns where not."""

    execution: DjangoJobExecution
    now: datetime

    @property
    def detail(self) -> ExecutionDetail | None:
        return getattr(self.execution, "detail", None)

    @property
    def spec(self) -> JobSpec | None:
        return getattr(self.execution.job, "spec", None)

    @property
    def job_name(self) -> str:
        return str(self.spec) if self.spec is not None else str(self.execution.job_id)

    @property
    def zone(self) -> tzinfo:
        return columns.zone_of(self.spec) if self.spec is not None else timezone.get_default_timezone()

    @property
    def status(self) -> str:
        return str(self.execution.status)

    @property
    def is_on_the_way(self) -> bool:
        return self.status in ON_THE_WAY

    @property
    def was_interrupted(self) -> bool:
        return self.status == Status.INTERRUPTED

    @property
    def due(self) -> datetime:
        moment: datetime = self.execution.run_time
        return moment

    @property
    def started(self) -> datetime | None:
        return self.detail.started_at if self.detail else None

    @property
    def finished(self) -> datetime | None:
        if self.detail is not None:
            return self.detail.finished_at
        seconds = self.execution.finished
        try:
            return datetime.fromtimestamp(float(seconds), tz=UTC) if seconds else None
        except (OverflowError, OSError, ValueError):
            return None

    @property
    def lateness(self) -> float | None:
        """Seconds from when it was due until it started."""
        return _seconds(self.due, self.started)

    @property
    def duration(self) -> float | None:
        """Seconds from start to finish, or until now while it runs. django-apscheduler's own counts from when due."""
        if self.status == Status.STARTED:
            return _seconds(self.started, self.now)
        if self.detail is not None:
            return _seconds(self.started, self.finished)
        return None if self.execution.duration is None else float(self.execution.duration)

    @property
    def attempt(self) -> int:
        return self.detail.attempt if self.detail else 1

    @property
    def attempts(self) -> int | None:
        """How many attempts the job makes by itself, where this is one of them."""
        allowed = self.spec.max_retries + 1 if self.spec is not None else 1
        return allowed if self.attempt <= allowed else None

    @property
    def ticks(self) -> int:
        return self.detail.tick_count if self.detail else 1

    @property
    def reason(self) -> str:
        return self.detail.reason.strip() if self.detail else ""

    @property
    def short_reason(self) -> str:
        """The reason, unless it says no more than which attempt this is."""
        said = self.reason.rstrip(".").lower()
        return "" if said == self.attempt_words.lower() else self.reason

    @property
    def exception_line(self) -> str:
        return first_line(self.execution.exception)

    @property
    def pill(self) -> columns.Pill:
        return columns.status_pill(self.status)

    @property
    def attempt_words(self) -> str:
        """“attempt 2 of 3”, or nothing for the only one."""
        if self.attempts is not None and self.attempts > 1:
            return gettext("attempt %(number)d of %(total)d") % {"number": self.attempt, "total": self.attempts}
        return gettext("attempt %(number)d") % {"number": self.attempt} if self.attempt > 1 else ""

    @property
    def tick_words(self) -> str:
        """“12 ticks”, or nothing for one."""
        if self.ticks < 2:
            return ""
        number = number_format(self.ticks, force_grouping=True)
        return ngettext("%(number)s tick", "%(number)s ticks", self.ticks) % {"number": number}

    @property
    def progress(self) -> Progress | None:
        if self.detail is None:
            return None
        return Progress.of(self.detail, self.now, is_on_the_way=self.is_on_the_way)

    @property
    def is_ended_from_outside(self) -> bool:
        """Whether its executor ends what somebody cancels, whatever it does."""
        return self.spec is not None and services.ends_from_outside(self.spec.executor)

    @property
    def where(self) -> str:
        """The process that ran it: “web-2, process 4711”."""
        return instance_words(self.detail.instance) if self.detail else ""


def asked_by(facts: Facts) -> str:
    """Return who or what asked for the execution, in a word: “schedule”, a user's name, “retry”, “program”."""
    detail = facts.detail
    if detail is None or detail.origin == ExecutionOrigin.SCHEDULE:
        return gettext("schedule")
    if detail.requested_by is not None:
        return str(detail.requested_by.get_username())
    if detail.origin == ExecutionOrigin.RETRY:
        return gettext("retry")
    return gettext("program") if detail.origin == ExecutionOrigin.MANUAL else str(detail.get_origin_display())


def instance_words(instance: str) -> str:
    """Return “web-2, process 4711” for an instance's id, or the id where it is of another kind."""
    found = INSTANCE.fullmatch(instance)
    if found is None:
        return instance
    return gettext("%(host)s, process %(pid)s") % {"host": found["host"], "pid": found["pid"]}


def took_words(seconds: float | None) -> str:
    """Return how long something took, “< 1 ms” for what nobody can measure."""
    if seconds is not None and round(max(0.0, seconds) * 1000) == 0:
        return gettext("< 1 ms")
    return columns.duration_words(seconds)


def between(start: datetime, end: datetime) -> float:
    """Return the seconds between two moments. Clocks of two machines differ a little: never less than none."""
    return max(timedelta(), end - start).total_seconds()


def first_line(text: str | None) -> str:
    lines = (text or "").strip().split("\n")
    return lines[0].strip()


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else between(start, end)
