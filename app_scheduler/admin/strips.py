"""The latest ticks of a job as a strip of bars: height is how long each took, colour and shape its verdict.

The bars of a page are thousands, so their markup is put together here and not by a template for each. Their words are
an ``aria-label``, which the stylesheet shows on hover and focus; the latest bar is the strip's one stop of the Tab key,
from where ``strips.js`` leads on to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from html import escape
from math import log2

from django.utils.formats import number_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, ngettext

from app_scheduler.admin.columns import around_execution, day_words, duration_words, executions_url, share_words
from app_scheduler.models import ExecutionOrigin, Status
from app_scheduler.services import Outcome, Run, Strip
from app_scheduler.services.overview import LOOKS

#: The heights of what ran, of ten; the usual one is 4, and twice as long is two more. Ten is for what failed.
LOWEST, USUAL, HIGHEST = 1, 4, 9
#: Shorter ones are not told apart.
SHORTEST = 0.001


class RunWords:
    """What runs are called in a language, in a year: the words that a page says a thousand times."""

    def __init__(self, language: str | None, year: int) -> None:
        self._language, self._year = language, year
        self._verdicts = {status.value: str(status.label) for status in Status}
        self._origins = {origin.value: str(origin.label) for origin in ExecutionOrigin}
        self._this_year, self._any_year = gettext("D j M"), gettext("D j M Y")
        self._so_far = gettext("%(length)s so far")

    def due(self, run: Run, zone: tzinfo) -> str:
        """Return when a run was due, as ``columns.short_time`` says it: “Mon 23 Nov 18:30”."""
        local = run.due.astimezone(zone)
        day = local.date()
        form = self._this_year if day.year == self._year else self._any_year
        clock = f"{local.hour:02}:{local.minute:02}"
        if local.second:
            clock = f"{clock}:{local.second:02}"
        return f"{day_words(day, form, self._language)} {clock}"

    def verdict(self, run: Run) -> str:
        return self._verdicts.get(run.status, run.status)

    def took(self, run: Run) -> str:
        """Return how long a run took or takes so far, or "" where nothing ran."""
        if run.seconds is None:
            return ""
        length = _length(round(run.seconds, 3), self._language)
        return self._so_far % {"length": length} if run.status == Status.STARTED else length

    def origin(self, run: Run) -> str:
        """Return what asked for a run, or "" for a schedule."""
        return "" if run.origin == ExecutionOrigin.SCHEDULE else self._origins.get(run.origin, run.origin)

    def of(self, run: Run, zone: tzinfo) -> str:
        """Return all of it: “Mon 23 Nov 18:30, Missed, 12 ticks”."""
        words = f"{self.due(run, zone)}, {self.verdict(run)}"
        ticks = ticks_words(run.ticks) if run.ticks > 1 else ""
        for part in (self.took(run), ticks, self.origin(run)):
            if part:
                words = f"{words}, {part}"
        return words


def run_words(now: datetime) -> RunWords:
    """Return the words for a reader at ``now``, in the language that is active."""
    return _run_words(get_language(), now.year)


@lru_cache
def _run_words(language: str | None, year: int) -> RunWords:
    return RunWords(language, year)


@lru_cache(maxsize=4096)
def _length(seconds: float, language: str | None) -> str:
    return duration_words(seconds)


def ticks_words(number: int) -> str:
    words = ngettext("%(number)s tick", "%(number)s ticks", number)
    return words % {"number": number_format(number, force_grouping=True)}


def look_of(run: Run) -> str:
    return LOOKS.get(run.status, "unknown")


def height_of(run: Run, usual: float | None) -> int:
    """Return the height of what ran, of ten: by its length beside what is usual for its job, on a logarithmic scale."""
    if run.seconds is None or not usual:
        return USUAL
    times = max(run.seconds, SHORTEST) / max(usual, SHORTEST)
    return max(LOWEST, min(HIGHEST, round(USUAL + 2 * log2(times))))


def outcome_words(outcome: Outcome) -> str:
    """Return “98.0 % ok · usually 0.9 s · 12 missed”; of what is not known, or was not, nothing is said."""
    parts = []
    if outcome.success is not None:
        parts.append(gettext("%(rate)s ok") % {"rate": share_words(outcome.success)})
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
        around = around_execution() if self.executions_url else None
        return _bars(self.strip, self.label, self.summary, self.zone, self.words, around)


# A page that refreshes itself shows most of its strips as they were.
@lru_cache(maxsize=512)
def _bars(
    strip: Strip, label: str, summary: str, zone: tzinfo, words: RunWords, around: tuple[str, str] | None
) -> SafeString:
    """Return a strip's markup. ``around`` is what comes before and after an id in a link, or None for no links."""
    latest = len(strip.runs) - 1
    usual = strip.outcome.usual
    if around is None:
        label = escape(", ".join(part for part in (label, summary) if part))
        inner = "".join(_bar(run, usual, zone, words, "") for run in strip.runs)
        return mark_safe(f'<span class="jc-strip" role="img" aria-label="{label}">{inner}</span>')
    before, after = around
    inner = "".join(
        _bar(run, usual, zone, words, f' href="{before}{run.execution_id}{after}"{"" if at == latest else _NO_STOP}')
        for at, run in enumerate(strip.runs)
    )
    return mark_safe(f'<span class="jc-strip" role="group" data-strip aria-label="{escape(label)}">{inner}</span>')


def _bar(run: Run, usual: float | None, zone: tzinfo, words: RunWords, link: str) -> str:
    look = look_of(run)
    if look in ("ok", "running", "unknown"):
        look = f"{look} h{height_of(run, usual)}"
    inside, width = "", run.bars
    if width > 1:
        look = f"{look} w{width}"
        inside = count_words(run.ticks)
    says = escape(words.of(run, zone))
    if link:
        return f'<a{link} class="{look}" aria-label="{says}">{inside}</a>'
    return f'<i class="{look}" title="{says}">{inside}</i>'


_NO_STOP = ' tabindex="-1"'


def strip_view(
    strip: Strip | None, job_id: str, name: str, zone: tzinfo, words: RunWords, *, may_view: bool
) -> StripView | None:
    """Return a strip for a page, or None for a job that has had no tick."""
    if strip is None or not strip.runs:
        return None
    return StripView(strip, name, zone, words, executions_url(job_id) if may_view else "")
