"""What the calendar's pages are made of: hours and days with their load, and lines of jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import get_language, gettext, ngettext

from app_scheduler.admin.columns import job_url
from app_scheduler.admin.joblist import described
from app_scheduler.models import JobSpec
from app_scheduler.services.calendar import Cell

#: The most jobs in one minute at which each level of load begins; above them, in fifths of the highest.
LEVELS = (1, 2, 5, 10, 20)
Levels = tuple[int, ...]


@dataclass(slots=True)
class Named:
    """A job that a page names. ``spec`` is read for all of a page at once, and is None where the job has gone."""

    job_id: str
    spec: JobSpec | None = None

    @property
    def name(self) -> str:
        return self.spec.name if self.spec else self.job_id

    @property
    def url(self) -> str:
        return job_url(self.job_id)

    @property
    def words(self) -> str:
        """Its schedule as a sentence."""
        if self.spec is None:
            return ""
        try:
            return described(json.dumps(self.spec.trigger), get_language() or "", settings.TIME_ZONE)
        except Exception:  # a row that no check would let pass must not fail the page
            return gettext("This schedule cannot be read.")

    @property
    def tags(self) -> list[str]:
        return self.spec.words if self.spec else []


class Line(NamedTuple):
    """A job in a list: its first ticks, how many more there are, and how many in all, in words."""

    job: Named
    times: str
    more: str
    ticks: str


@dataclass(slots=True)
class Slot:
    """An hour or a day as a page shows it: its load in words and as a level, and where it leads."""

    label: str
    url: str
    load: Cell
    level: int
    says: str
    peak: str
    mark: str = ""
    is_chosen: bool = False
    is_missing: bool = False
    is_now: bool = False


@dataclass(slots=True)
class Block:
    """An hour of the day with the jobs that are due in it; ``more`` says how many it leaves out."""

    slot: Slot
    lines: list[Line]
    more: str
    past_url: str


@dataclass(slots=True)
class DayCard:
    """A day of a week or a month: its load, and the jobs that are due on the fewest other days, with their times."""

    slot: Slot
    name: str
    jobs: list[tuple[str, Named]]
    more: int


def slot_of(label: str, url: str, load: Cell, busiest: str, levels: Levels, **options: Any) -> Slot:
    """Return an hour or a day; ``busiest`` is the time at which most jobs are due at once."""
    says = count_words(load.jobs) if load.jobs else gettext("nothing is due")
    peak = ""
    if load.most > 1:
        values = {"most": number(load.most), "when": busiest}
        says += ", " + gettext("most at once: %(most)s at %(when)s") % values
        peak = gettext("×%(most)s at %(when)s") % values
    return Slot(label, url, load, sum(load.most >= least for least in levels), says, peak, **options)


def count_words(jobs: int) -> str:
    return ngettext("%(count)s job", "%(count)s jobs", jobs) % {"count": number(jobs)}


def times_words(ticks: int) -> str:
    return ngettext("%(count)s time", "%(count)s times", ticks) % {"count": number(ticks)}


def number(value: int) -> str:
    return number_format(value, force_grouping=True)


def levels_of(most: int) -> Levels:
    """Return where each level of load begins, given the most jobs in any minute of the period."""
    if most < 2 * LEVELS[-1]:
        return LEVELS
    return tuple(max(1, most * fifth // len(LEVELS)) for fifth in range(len(LEVELS)))


def legend(levels: Levels) -> list[tuple[int, str]]:
    """Return each level of load with the number of jobs in one minute that it stands for."""
    words = ["0"]
    for least, following in zip(levels, [*levels[1:], None], strict=True):
        if following is None:
            words.append(gettext("%(count)s or more") % {"count": number(least)})
        else:
            last = following - 1
            words.append(number(least) if last == least else f"{number(least)}–{number(last)}")
    return list(enumerate(words))
