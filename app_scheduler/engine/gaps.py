"""What made ticks late, in words: the time in which nobody led, or in which all scheduling was paused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from app_scheduler.models import SchedulerLease


@dataclass(frozen=True, slots=True)
class Outage:
    """The time in which nobody led, to be named where it made ticks late."""

    since: datetime
    until: datetime

    def __str__(self) -> str:
        return f"no scheduler was running {span(self.since, self.until)}"


@dataclass(frozen=True, slots=True)
class Pause:
    """The time in which all scheduling was paused; ``by`` is empty where a program did it."""

    since: datetime
    until: datetime
    by: str = ""
    reason: str = ""

    def __str__(self) -> str:
        who = f" by {self.by}" if self.by else ""
        return with_cause(f"all scheduling was paused{who} {span(self.since, self.until)}", self.reason)


Gap = Outage | Pause


def last_pause(lease: SchedulerLease) -> Pause | None:
    """Return the last pause of all scheduling that is over, or None when there was none."""
    if lease.last_paused_at is None or lease.last_resumed_at is None:
        return None
    by = str(lease.last_paused_by or "")
    return Pause(lease.last_paused_at, lease.last_resumed_at, by, lease.last_pause_reason)


def named(gaps: Sequence[Gap], tick: datetime) -> str:
    """Return the gaps that delayed a tick, in words and in their order, or "" when none did.

    A gap that was over when the tick came cannot have delayed it, so no gap ever needs to be forgotten.
    """
    return ", and ".join(str(gap) for gap in sorted(gaps, key=lambda gap: gap.since) if tick < gap.until)


def span(since: datetime, until: datetime) -> str:
    return f"from {local(since)} to {local(until)}"


def local(moment: datetime) -> str:
    """Return a moment as reasons write it: in the site's zone, without offset."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def with_cause(text: str, cause: str) -> str:
    """Put a cause that somebody wrote behind a text, ready for a full stop."""
    return f"{text}: {cause.strip().rstrip('.')}" if cause.strip() else text
