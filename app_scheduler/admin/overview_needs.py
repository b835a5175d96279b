"""Which jobs need a look, in words: a name, a sentence and a pill for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext

from app_scheduler.admin.columns import Pill, duration_words, job_url, share_words, short_time
from app_scheduler.admin.overview_cards import count
from app_scheduler.admin.overview_links import Links
from app_scheduler.models import JobState
from app_scheduler.services.overview import Concerns, Failing, Slow, Unreliable

#: So much of an exception's first line is shown.
MAX_EXCEPTION = 80


@dataclass(frozen=True, slots=True)
class Need:
    """A job that needs a look. ``more_url`` leads to the execution that says more, "" to none."""

    job_id: str
    name: str
    words: str
    pill: Pill
    more_url: str = ""

    @property
    def url(self) -> str:
        return job_url(self.job_id)


@dataclass(frozen=True, slots=True)
class More:
    """How many more there are than are shown, and where all of them are."""

    words: str
    url: str


def needs_of(found: Concerns, now: datetime, links: Links) -> list[Need]:
    """Return what needs a look, the worst first."""
    return [*_needs(found, now, links)]


def _needs(found: Concerns, now: datetime, links: Links) -> Iterator[Need]:
    for failing in found.failing:
        pill = Pill("failing", gettext("Failing"))
        words = _failing_words(failing, now)
        yield Need(failing.job_id, failing.name, words, pill, links.execution(failing.execution_id))
    for broken in found.broken:
        yield Need(broken.job_id, broken.name, broken.reason, Pill("broken", gettext("Broken")))
    for crowded in found.crowded:
        words = gettext("p95 of its runs, %(p95)s, is longer than the %(interval)s between its ticks") % {
            "p95": duration_words(crowded.p95.total_seconds()),
            "interval": duration_words(crowded.interval.total_seconds()),
        }
        yield Need(crowded.job_id, crowded.name, words, Pill("missed", gettext("Too slow")))
    for slower in found.slower:
        words = gettext("takes %(recent)s on average, after %(before)s in the week before") % {
            "recent": duration_words(slower.recent),
            "before": duration_words(slower.before),
        }
        yield Need(slower.job_id, slower.name, words, Pill("missed", gettext("Slower")))


def _failing_words(failing: Failing, now: datetime) -> str:
    lines = failing.exception.strip().splitlines()
    error = Truncator(lines[0]).chars(MAX_EXCEPTION) if lines else ""
    if failing.since is None:
        return error or gettext("its last run failed")
    values = {
        "since": short_time(timezone.localtime(failing.since).replace(microsecond=0), now),
        "count": failing.in_a_row,
    }
    if failing.more:
        words = gettext("fails since before %(since)s, more than %(count)s in a row") % values
    elif failing.in_a_row == 1:
        words = gettext("failed at %(since)s, once") % values
    else:
        words = gettext("fails since %(since)s, %(count)s in a row") % values
    return f"{words}: {error}" if error else words


def more_of(found: Concerns, links: Links) -> list[More]:
    """Return what is not shown, by kind."""
    more = []
    if left := found.failing_count - len(found.failing):
        words = ngettext("%(count)s more job fails", "%(count)s more jobs fail", left) % {"count": count(left)}
        more.append(More(words, links.jobs_of(state="failing")))
    if left := found.broken_count - len(found.broken):
        words = ngettext("%(count)s more job is broken", "%(count)s more jobs are broken", left)
        more.append(More(words % {"count": count(left)}, links.jobs_of(state=JobState.BROKEN.value)))
    return more


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row of a table of jobs: the name with its link, and the cells, right-aligned."""

    name: str
    url: str
    cells: tuple[str, ...]


def unreliable_rows(rows: list[Unreliable]) -> list[Ranked]:
    return [
        Ranked(
            row.name,
            job_url(row.job_id),
            (share_words(1 - row.failed / row.runs), count(row.failed), count(row.runs)),
        )
        for row in rows
    ]


def slow_rows(rows: list[Slow]) -> list[Ranked]:
    return [
        Ranked(
            row.name,
            job_url(row.job_id),
            (duration_words(row.mean), duration_words(row.longest), count(row.runs)),
        )
        for row in rows
    ]
