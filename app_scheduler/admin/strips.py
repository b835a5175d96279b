"""The latest ticks of a job as a strip of bars: height is how long each took, colour and shape its verdict.

The bars of a page are thousands, so their markup is put together here and not by a template for each. Their words are
an ``aria-label``, which the stylesheet shows on hover and focus; the latest bar is the strip's one stop of the Tab key,
from where ``strips.js`` leads on to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from math import floor, log2

from django.urls import reverse
from django.utils import dateformat
from django.utils.formats import number_format
from django.utils.html import conditional_escape
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext

from app_scheduler.admin.columns import duration_words
from app_scheduler.models import ExecutionOrigin, Status
from app_scheduler.services import Outcome, Run, Strip

#: The look of a bar by its status. What failed, was missed or was left out looks alike each; its words tell them apart.
BAR_LOOK: dict[str, str] = {
    Status.QUEUED: "queued",
    Status.STARTED: "running",
    Status.EXECUTED: "ok",
    Status.ERROR: "fail",
    Status.INTERRUPTED: "fail",
    Status.TIMED_OUT: "fail",
    Status.MISSED: "missed",
    Status.MAX_INSTANCES: "missed",
    Status.CANCELLED: "skipped",
    Status.SKIPPED: "skipped",
}
#: The heights of what ran, of ten; the usual one is 4, and twice as long is two more. Ten is for what failed.
LOWEST, USUAL, HIGHEST = 1, 4, 9
#: Shorter ones are not told apart.
SHORTEST = 0.001


class RunWords:
    """What runs are called, in the reader's language: made for one page, which says the same words many times."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._days: dict[date, str] = {}
        self._lengths: dict[float, str] = {}
        self._verdicts = {status.value: str(status.label) for status in Status}
        self._origins = {origin.value: str(origin.label) for origin in ExecutionOrigin}
        self._so_far = gettext("%(length)s so far")

    def due(self, run: Run, zone: tzinfo) -> str:
        """Return when a run was due, as ``columns.short_time`` says it: “Mon 23 Nov 18:30”."""
        local = run.due.astimezone(zone)
        day = local.date()
        if day not in self._days:
            form = gettext("D j M") if day.year == self.now.year else gettext("D j M Y")
            self._days[day] = dateformat.format(local, form)
        clock = f"{local:%H:%M}" if local.second == 0 else f"{local:%H:%M:%S}"
        return f"{self._days[day]} {clock}"

    def verdict(self, run: Run) -> str:
        return self._verdicts.get(run.status, run.status)

    def took(self, run: Run) -> str:
        """Return how long a run took or takes so far, or "" where nothing ran."""
        if run.seconds is None:
            return ""
        rounded = round(run.seconds, 3)
        if rounded not in self._lengths:
            self._lengths[rounded] = duration_words(rounded)
        length = self._lengths[rounded]
        return self._so_far % {"length": length} if run.status == Status.STARTED else length

    def origin(self, run: Run) -> str:
        """Return what asked for a run, or "" for a schedule."""
        return "" if run.origin == ExecutionOrigin.SCHEDULE else self._origins.get(run.origin, run.origin)

    def of(self, run: Run, zone: tzinfo) -> str:
        """Return all of it: “Mon 23 Nov 18:30, Missed, 12 ticks”."""
        parts = [self.due(run, zone), self.verdict(run), self.took(run)]
        if run.ticks > 1:
            parts.append(ticks_words(run.ticks))
        parts.append(self.origin(run))
        return ", ".join(part for part in parts if part)


def ticks_words(number: int) -> str:
    words = ngettext("%(number)s tick", "%(number)s ticks", number)
    return words % {"number": number_format(number, force_grouping=True)}


def look_of(run: Run) -> str:
    return BAR_LOOK.get(run.status, "unknown")


def height_of(run: Run, usual: float | None) -> int:
    """Return the height of what ran, of ten: by its length beside what is usual for its job, on a logarithmic scale."""
    if run.seconds is None or not usual:
        return USUAL
    times = max(run.seconds, SHORTEST) / max(usual, SHORTEST)
    return max(LOWEST, min(HIGHEST, round(USUAL + 2 * log2(times))))


def percent_words(share: float) -> str:
    """Return a share (0 to 1) as “98.0 %”, “100 %” only where it is the whole and “0 %” only where it is nothing."""
    if share in (0, 1):
        return f"{round(share * 100)} %"
    tenths = floor(share * 1000)
    return f"{number_format(tenths / 10, 1)} %" if tenths else f"< {number_format(0.1, 1)} %"


def outcome_words(outcome: Outcome) -> str:
    """Return “98.0 % ok · usually 0.9 s · 12 missed”; of what is not known, or was not, nothing is said."""
    parts = []
    if outcome.success is not None:
        parts.append(gettext("%(rate)s ok") % {"rate": percent_words(outcome.success)})
    if outcome.usual is not None:
        parts.append(gettext("usually %(length)s") % {"length": duration_words(outcome.usual)})
    if outcome.missed:
        # A gap is narrower than what it stands for, and the rate counts all of it.
        parts.append(gettext("%(number)s missed") % {"number": number_format(outcome.missed, force_grouping=True)})
    return " · ".join(parts)


def count_words(number: int) -> str:
    """Return a number that fits into a gap of a strip: “12”, “999”, “12k”, “3M”."""
    for size, sign in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number // size}{sign}"
    return str(number)


@dataclass(frozen=True, slots=True, eq=False)
class StripView:
    """A job's strip on a page. ``executions_url`` is "" for who may not look at executions: then no bar is a link."""

    strip: Strip
    name: str
    zone: tzinfo
    words: RunWords
    executions_url: str = ""

    @property
    def summary(self) -> str:
        return outcome_words(self.strip.outcome)

    @property
    def label(self) -> str:
        number = self.strip.ticks
        label = ngettext("The last tick of %(job)s", "The last %(number)s ticks of %(job)s", number)
        return label % {"number": number_format(number, force_grouping=True), "job": self.name}

    @property
    def bars(self) -> SafeString:
        """The whole strip, the oldest tick first."""
        latest = len(self.strip.runs) - 1
        if not self.executions_url:
            label = conditional_escape(", ".join(part for part in (self.label, self.summary) if part))
            inner = "".join(self._bar(run, "") for run in self.strip.runs)
            return mark_safe(f'<span class="jc-strip" role="img" aria-label="{label}">{inner}</span>')
        link = execution_link_parts()
        inner = "".join(
            self._bar(run, f' href="{link[0]}{run.execution_id}{link[1]}"{"" if index == latest else _NO_STOP}')
            for index, run in enumerate(self.strip.runs)
        )
        label = conditional_escape(self.label)
        return mark_safe(f'<span class="jc-strip" role="group" data-strip aria-label="{label}">{inner}</span>')

    def _bar(self, run: Run, link: str) -> str:
        look = look_of(run)
        if look in ("ok", "running", "unknown"):
            look = f"{look} h{height_of(run, self.strip.outcome.usual)}"
        inside = ""
        if run.bars > 1:
            look = f"{look} w{run.bars}"
            inside = count_words(run.ticks)
        words = conditional_escape(self.words.of(run, self.zone))
        if link:
            return f'<a{link} class="{look}" aria-label="{words}">{inside}</a>'
        return f'<i class="{look}" title="{words}">{inside}</i>'


_NO_STOP = ' tabindex="-1"'


def execution_link_parts() -> tuple[str, str]:
    """Return what comes before and after the id in the address of an execution's page."""
    before, _, after = reverse("admin:django_apscheduler_djangojobexecution_change", args=[0]).rpartition("0")
    return before, after


def executions_url(job_id: str) -> str:
    """Return the address of the list of a job's executions."""
    url = reverse("admin:django_apscheduler_djangojobexecution_changelist")
    return f"{url}?{urlencode({'job__id__exact': job_id})}"


def strip_view(
    strip: Strip | None, job_id: str, name: str, zone: tzinfo, words: RunWords, *, may_view: bool
) -> StripView | None:
    """Return a strip for a page, or None for a job that has had no tick."""
    if strip is None or not strip.runs:
        return None
    return StripView(strip, name, zone, words, executions_url(job_id) if may_view else "")
