"""The overview: a page of its own, and the compact one that the admin's index carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.admin.base import JobAdminBase
from app_scheduler.admin.columns import duration_words, job_url, moment, span_words
from app_scheduler.admin.hours import hours_chart
from app_scheduler.admin.lanes import lanes_of
from app_scheduler.admin.lastlook import last_look
from app_scheduler.admin.live import LiveBar, live_bar
from app_scheduler.admin.outlook import exceptions_for
from app_scheduler.admin.overview_cards import (
    Tile,
    count,
    due_tile,
    failures_tile,
    missed_tile,
    running_tile,
    succeeded_tile,
)
from app_scheduler.admin.overview_links import Links
from app_scheduler.admin.overview_needs import More, Need, more_of, needs_of, slow_rows, unreliable_rows
from app_scheduler.admin.refresh import is_look, is_quick, regions
from app_scheduler.models import JobState
from app_scheduler.services import overview
from app_scheduler.services.overview import Concerns, Hours, Lengths, Retention, Running

#: What of the overview refreshes itself, and what the index asks for beside its address.
LIVE_OVERVIEW = "admin/django_apscheduler/djangojob/overview/live.html"
ON_INDEX = {"on": "index"}


@dataclass(frozen=True, slots=True)
class Compact:
    """What the index shows: the bar, the numbers, what needs a look; and what its page needs of the same figures.

    What needs a look is left out of a quick look, since it is added up over days.
    """

    live: LiveBar
    tiles: list[Tile]
    needs: list[Need]
    more: list[More]
    waiting: str
    url: str
    has_jobs: bool
    concerns: Concerns
    hours: Hours
    running: list[Running]


def compact(request: HttpRequest, now: datetime, *, may_pause: bool = False) -> Compact:
    """Return the figures for the user of a request, in a number of queries that does not depend on what there is."""
    links = Links(request)
    since = last_look(request, now)
    live = live_bar(request, may_pause=may_pause)
    hours = overview.hours_until(now)
    missed = hours.total.missed
    why = overview.why_missed(now, hours.since) if missed else None
    running = overview.running_longest()
    concerns = Concerns() if is_quick(request) else overview.concerns(now)
    oldest = overview.oldest_waiting(now) if live.status.queued else None
    return Compact(
        live=live,
        tiles=[
            failures_tile(overview.open_failures(now, since), links),
            missed_tile(missed, why, now, links),
            running_tile(live.status, running, now, links),
            due_tile(live.status, overview.due_soon(now, exceptions_for(request)), now, links),
            succeeded_tile(hours, links),
        ],
        needs=needs_of(concerns, now, links),
        more=more_of(concerns, links),
        waiting=span_words((now - oldest).total_seconds()) if oldest is not None else "",
        url=links.overview,
        has_jobs=any(live.status.jobs.values()),
        concerns=concerns,
        hours=hours,
        running=running,
    )


class JobOverview(JobAdminBase):
    """The overview's page."""

    def get_urls(self) -> list[Any]:
        return [*self.urls_of([("overview/", self.overview_view, "overview")]), *super().get_urls()]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Show the state of everything. It changes nothing but the note of when its reader last looked."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        self.require(self.has_view_or_change_permission(request))
        now = timezone.now()
        is_index = is_look(request) and request.GET.get("on") == ON_INDEX["on"]
        found = compact(request, now, may_pause=not is_index and self.has_pause_permission(request))
        shown: dict[str, Any] = {"overview": found, "live": found.live, "is_index": is_index}
        if not is_index and not is_quick(request):
            shown |= _pictures(request, found, now)
        if is_look(request):
            own = {"opts": self.opts, **self.permissions(request), "is_quick": is_quick(request)}
            return regions(request, LIVE_OVERVIEW, {**own, **shown})
        return self.page(request, "overview.html", _("Scheduler"), **shown)


def _pictures(request: HttpRequest, found: Compact, now: datetime) -> dict[str, Any]:
    """Return what only the overview's own page shows: the timeline, the chart, the tables, what is kept."""
    running = list(dict.fromkeys(run.job_id for run in found.running))
    return {
        "lanes": lanes_of(
            overview.timeline(now, found.concerns.job_ids, running),
            Links(request),
            {need.job_id: need.pill for need in reversed(found.needs)},
        ),
        "chart": hours_chart(found.hours.hours, found.hours.total, now),
        "percentiles": [
            (gettext("Late"), *_lengths(found.hours.late)),
            (gettext("Duration"), *_lengths(found.hours.took)),
        ],
        "unreliable": unreliable_rows(found.concerns.unreliable),
        "slowest": slow_rows(found.concerns.slowest),
        "kept": kept_words(overview.retention(), now),
    }


def _lengths(lengths: Lengths) -> list[str]:
    return [
        duration_words(None if length is None else length.total_seconds())
        for length in (lengths.p50, lengths.p95, lengths.p99)
    ]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the past, in sentences; ``url`` is the page of the job ``name`` that deletes the rest."""

    kept: str
    pruned: str
    name: str = ""
    url: str = ""


def kept_words(found: Retention, now: datetime) -> Kept:
    """Return how many executions are kept, since when, and what goes when."""
    if found.oldest is None:
        kept = gettext("No execution yet.")
    else:
        words = (
            ngettext("At most %(count)s execution", "At most %(count)s executions", found.about)
            if found.at_most
            else ngettext("About %(count)s execution", "About %(count)s executions", found.about)
        )
        age = span_words(max(0.0, (now - found.oldest).total_seconds()))
        kept = gettext("%(executions)s, the oldest from %(age)s ago.") % {
            "executions": words % {"count": count(found.about)},
            "age": age,
        }
    if not found.job_id:
        return Kept(kept, gettext("Nothing deletes old ones: no job calls delete_old_executions."))
    url = job_url(found.job_id)
    when = moment(found.at, now=now)
    if found.state != JobState.SCHEDULED or when is None:
        return Kept(kept, gettext("Old ones are not deleted now, since this job does not run:"), found.name, url)
    if found.days is None or found.keep_per_job is None:
        pruned = gettext("Old ones are deleted %(when)s, by this job:") % {"when": when.relative}
    else:
        words = ngettext("What is older than %(days)s day", "What is older than %(days)s days", found.days)
        pruned = gettext("%(old)s, or beyond the newest %(keep)s of its job, is deleted %(when)s, by this job:") % {
            "old": words % {"days": count(found.days)},
            "keep": count(found.keep_per_job),
            "when": when.relative,
        }
    return Kept(kept, pruned, found.name, url)
