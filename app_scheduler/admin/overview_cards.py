"""The five numbers of the overview, each with what it means and where it leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import dateformat, timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from app_scheduler.admin.columns import duration_words, job_url, relative_time, share_words, span_words
from app_scheduler.admin.overview_links import Links
from app_scheduler.models import Status
from app_scheduler.services import SchedulerStatus
from app_scheduler.services.overview import MOST_NEW, Due, Hours, Missed, OpenFailures, Running, Why
from app_scheduler.services.overview import now as causes


@dataclass(frozen=True, slots=True)
class Note:
    """What stands below a number; ``name`` with ``url``, where there are any, follow ``text``, and then ``rest``."""

    text: str
    name: str = ""
    url: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A number, what it counts, where it leads ("" for nowhere) and what is told of it. ``look`` is bad, warn or ""."""

    number: str
    label: str
    url: str
    notes: Sequence[Note] = ()
    look: str = ""


def count(value: int) -> str:
    return number_format(value, force_grouping=True)


def clock(moment: datetime, now: datetime) -> str:
    """Return a time of the clock in the site's zone, with its day where that is not the day of ``now``."""
    local, today = timezone.localtime(moment), timezone.localtime(now)
    style = "H:i" if local.date() == today.date() else "D H:i"
    return dateformat.format(local, style)


def failures_tile(found: OpenFailures, links: Links) -> Tile:
    notes = []
    if found.failures:
        words = ngettext("in %(count)s group", "in %(count)s groups", found.groups)
        notes.append(Note(words % {"count": count(found.groups)}))
    if found.new is not None:
        notes.append(Note(_new_words(found.new)))
    return Tile(
        count(found.failures),
        ngettext("failure open", "failures open", found.failures),
        links.failures,
        notes,
        "bad" if found.failures else "",
    )


def _new_words(new: int) -> str:
    if not new:
        return gettext("none new since you last looked")
    if new > MOST_NEW:
        return gettext("more than %(count)s new since you last looked") % {"count": count(MOST_NEW)}
    words = ngettext("%(count)s new since you last looked", "%(count)s new since you last looked", new)
    return words % {"count": count(new)}


def missed_tile(missed: int, why: Missed | None, now: datetime, links: Links) -> Tile:
    status = Status.MAX_INSTANCES if why is not None and why.why.cause == causes.OVERLAP else Status.MISSED
    notes = []
    if missed and why is not None:
        notes.append(Note("", why_words(why.why, now), links.execution(why.execution_id)))
    return Tile(
        count(missed),
        ngettext("tick missed in 24 h", "ticks missed in 24 h", missed),
        links.executions(status=status.value),
        notes,
        "warn" if missed else "",
    )


def why_words(why: Why, now: datetime) -> str:
    """Return why most ticks were missed, as short as it is clear."""
    span = {}
    if why.since is not None and why.until is not None:
        # The day is said once.
        span = {"since": clock(why.since, now), "until": clock(why.until, why.since)}
    if why.cause == causes.DOWN and span:
        return gettext("scheduler down %(since)s to %(until)s") % span
    if why.cause == causes.PAUSED and span:
        return gettext("all scheduling paused %(since)s to %(until)s") % span
    return {
        causes.JOB_PAUSED: gettext("their job was paused"),
        causes.JOB_BROKEN: gettext("their job was broken"),
        causes.CHANGED: gettext("their job was changed before they ran"),
        causes.OVERLAP: gettext("earlier runs were still going on"),
    }.get(why.cause, gettext("later than their job’s grace time"))


def running_tile(status: SchedulerStatus, running: Sequence[Running], now: datetime, links: Links) -> Tile:
    notes = []
    if running:
        longest = running[0]
        age = span_words((now - longest.started_at).total_seconds())
        notes.append(Note(gettext("longest:"), longest.name, links.execution(longest.execution_id), f", {age}"))
    return Tile(count(status.busy), gettext("running now"), links.executions(status=Status.STARTED.value), notes)


def due_tile(status: SchedulerStatus, due: Due, now: datetime, links: Links) -> Tile:
    notes = []
    if status.paused:
        notes.append(Note(gettext("held back: everything is paused")))
    elif due.at is not None:
        late = gettext("%(when)s, not started") % {"when": relative_time(due.at, now)}
        when = late if due.at < now else relative_time(due.at, now)
        notes.append(Note(gettext("next:"), due.name or due.job_id, job_url(due.job_id), f" {when}"))
    words = ngettext("job due in the next hour", "jobs due in the next hour", due.jobs)
    return Tile(count(due.jobs), words, links.calendar, notes)


def succeeded_tile(hours: Hours, links: Links) -> Tile:
    total = hours.total
    label = gettext("succeeded in 24 h")
    if total.share is None:
        return Tile("–", label, links.executions(), [Note(gettext("nothing has run yet"))])
    runs = ngettext("%(count)s run", "%(count)s runs", total.runs) % {"count": count(total.runs)}
    notes = [Note(runs)]
    if hours.late.p99 is not None:
        late = duration_words(hours.late.p99.total_seconds())
        notes.append(Note(gettext("p99 late %(span)s") % {"span": late}))
    return Tile(share_words(total.share), label, links.executions(), notes)
