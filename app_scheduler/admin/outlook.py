"""What a job's row and page say of its next run where a blackout or somebody's wish keeps ticks from running."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from app_scheduler import services
from app_scheduler.admin.columns import short_time, zone_of
from app_scheduler.engine.windows import Cause, Kind
from app_scheduler.models import JobSpec
from app_scheduler.quoting import in_quotes
from app_scheduler.services import ScheduleExceptions, skip_to_come


@dataclass(frozen=True, slots=True)
class Outlook:
    """The first tick that runs, what keeps others from running in words, and the tick that is to be skipped."""

    runs: datetime | None
    notes: list[str] = field(default_factory=list)
    skips: datetime | None = None


@dataclass(frozen=True, slots=True)
class BlackoutOn:
    """A window that is on now; ``url`` is its page, or "" for who may not see it."""

    words: str
    url: str


def outlook_of(spec: JobSpec, exceptions: ScheduleExceptions, zone: tzinfo, now: datetime) -> Outlook:
    """Return what is to come for a job. ``zone`` is that of its times. No query."""
    following = exceptions.next_run(spec)
    skips = skip_to_come(spec, now)
    notes = []
    if following is None:
        runs = spec.job.next_run_time
    else:
        runs, cause = following.runs, following.cause
        is_blackout = cause is not None and cause.kind is Kind.BLACKOUT
        on = exceptions.between(now, now).on_for(spec, now)
        if on is not None:
            notes.append(_blackout_words(on, zone, now))
        if cause is not None and is_blackout and (on is None or on.window_id != cause.window_id):
            words = gettext("The tick at %(tick)s falls into the blackout “%(name)s”.")
            notes.append(words % {"tick": short_time(following.tick.astimezone(zone), now), "name": cause.name})
        if runs is None:
            notes.append(gettext("No tick that would run is left."))
    if skips is not None:
        notes.append(_skip_words(spec, skips, zone, now))
    return Outlook(runs, notes, skips)


def _blackout_words(cause: Cause, zone: tzinfo, now: datetime) -> str:
    words = gettext("In the blackout “%(name)s” until %(until)s.")
    return words % {"name": cause.name, "until": short_time(cause.until.astimezone(zone), now)}


def _skip_words(spec: JobSpec, tick: datetime, zone: tzinfo, now: datetime) -> str:
    when = short_time(tick.astimezone(zone), now)
    if spec.skip_by:
        words = gettext("Skips the tick at %(tick)s, as %(who)s asked.") % {"tick": when, "who": spec.skip_by}
    else:
        words = gettext("Skips the tick at %(tick)s.") % {"tick": when}
    return f"{words} {in_quotes(spec.skip_reason)}" if spec.skip_reason else words


def forgotten_words(before: JobSpec | None, after: JobSpec) -> str:
    """Return that a change of its schedule has made a job forget the tick that it was to skip, or ""."""
    tick = services.forgotten_skip(before, after) if before is not None else None
    if before is None or tick is None:
        return ""
    words = gettext("The skip of the tick at %(tick)s is forgotten: its schedule is another now.")
    return words % {"tick": short_time(tick.astimezone(zone_of(before)), timezone.now())}


def runs_next(spec: JobSpec) -> datetime | None:
    """Return the first tick of a job that will run, or None."""
    following = ScheduleExceptions.now().next_run(spec)
    return following.runs if following is not None else spec.job.next_run_time


def blackout_note(spec: JobSpec) -> str:
    """Return that a blackout is on for a job that somebody runs all the same, or ""."""
    now = timezone.now()
    cause = ScheduleExceptions.now().between(now, now).on_for(spec, now)
    if cause is None:
        return ""
    words = gettext("The blackout “%(name)s” is on until %(until)s: by its schedule it would not run now.")
    return words % {"name": cause.name, "until": short_time(timezone.localtime(cause.until), now)}


def exceptions_for(request: HttpRequest) -> ScheduleExceptions:
    """Return the windows as they are at this request, read once however many parts of its page ask."""
    found: ScheduleExceptions | None = getattr(request, "_blackouts", None)
    if found is None:
        found = ScheduleExceptions.now()
        request._blackouts = found  # type: ignore[attr-defined]  # as Django's own middleware keeps things there
    return found


def blackouts_on(request: HttpRequest) -> list[BlackoutOn]:
    """Return the windows that are on now, for a note above a list: at most three and how many more."""
    now = timezone.now()
    on = exceptions_for(request).on_at(now)
    may = any(request.user.has_perm(f"app_scheduler.{act}_blackoutwindow") for act in ("view", "change"))
    shown = []
    for cause, window in on[:3]:
        names = {"name": cause.name, "until": short_time(timezone.localtime(cause.until), now)}
        if window.tags:
            names["tags"] = ", ".join(sorted(window.tags))
            words = gettext("Blackout “%(name)s” until %(until)s: jobs tagged %(tags)s do not run by their schedule.")
        else:
            words = gettext("Blackout “%(name)s” until %(until)s: no job runs by its schedule.")
        url = reverse("admin:app_scheduler_blackoutwindow_change", args=[cause.window_id]) if may else ""
        shown.append(BlackoutOn(words % names, url))
    if len(on) > len(shown):
        url = reverse("admin:app_scheduler_blackoutwindow_changelist") if may else ""
        shown.append(BlackoutOn(gettext("and %(count)s more") % {"count": len(on) - len(shown)}, url))
    return shown
