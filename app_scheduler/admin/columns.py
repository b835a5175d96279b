"""The cells that several pages share: verdicts and states as pills, moments, lengths of time, links.

A cell is a small object that renders itself, so that ``{{ pill }}`` is all that a page writes and a column of a list
can return it as it is. Those here are hundreds on a page: a template for each, and the admin's way of finding an
address, were half of what a list cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from html import escape
from math import floor
from typing import ClassVar, NamedTuple
from urllib.parse import quote as percent_encoded

from django.conf import settings
from django.contrib.admin.utils import quote
from django.template.loader import get_template
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils import dateformat, formats, timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from app_scheduler import triggers
from app_scheduler.models import JobSpec, JobState, Status

#: The admin's mark for "nothing here".
EMPTY = "–"

#: The look of each status: the class of its pill, which has a shape and a colour.
STATUS_LOOK: dict[str, str] = {
    Status.QUEUED: "queued",
    Status.STARTED: "running",
    Status.EXECUTED: "ok",
    Status.ERROR: "fail",
    Status.MISSED: "missed",
    Status.MAX_INSTANCES: "skipped",
    Status.INTERRUPTED: "interrupted",
    Status.TIMED_OUT: "timed-out",
    Status.CANCELLED: "cancelled",
    Status.SKIPPED: "skipped",
}


class Cell:
    """Something that a template shows by its name alone; what has more than a line of markup has a template."""

    template_name: ClassVar[str]

    def render(self) -> SafeString:
        # A space at the end of a cell would show in a sentence.
        return mark_safe(get_template(self.template_name).render({"cell": self}).strip())

    def __html__(self) -> SafeString:
        return self.render()

    def __str__(self) -> str:
        return self.render()


@dataclass(frozen=True, slots=True, eq=False)
class Pill(Cell):
    """A word with a shape and a colour. ``title`` says more on hover."""

    look: str
    label: str
    title: str = ""

    def render(self) -> SafeString:
        return _pill(self.look, str(self.label), str(self.title))


@lru_cache(maxsize=1024)
def _pill(look: str, label: str, title: str) -> SafeString:
    """Return a pill's markup. A page has many pills, and few that differ."""
    return format_html('<span class="jc-pill {}"{}>{}</span>', look, _titled(title), label)


def status_pill(status: str, *, title: str = "", label: str = "") -> Pill:
    """Return the pill of an execution's status or verdict; an unknown one, of another version, is shown as it is."""
    known = status in Status.values
    return Pill(STATUS_LOOK.get(status, "unknown"), label or (str(Status(status).label) if known else status), title)


def state_pill(state: str, *, title: str = "", label: str = "") -> Pill:
    """Return the pill of a job's state."""
    known = state in JobState.values
    return Pill(state if known else "unknown", label or (str(JobState(state).label) if known else state), title)


@dataclass(frozen=True, slots=True, eq=False)
class Moment(Cell):
    """A moment: ``relative`` to now, ``short`` and ``exact`` in its zone, ``iso`` for programs."""

    iso: str
    relative: str
    short: str
    exact: str

    def render(self) -> SafeString:
        exact, relative = escape(self.exact), escape(self.relative)
        return mark_safe(f'<time datetime="{self.iso}" title="{exact}">{relative}</time>')


def moment(value: datetime | None, *, zone: tzinfo | None = None, now: datetime | None = None) -> Moment | None:
    """Return a moment as a cell, in ``zone`` (default: the site's), or None for none."""
    if value is None:
        return None
    now = now or timezone.now()
    local = value.astimezone(zone or timezone.get_current_timezone())
    iso = local.isoformat(timespec="seconds")
    return Moment(iso, relative_time(value, now), short_time(local, now), exact_time(local))


def relative_time(value: datetime, now: datetime) -> str:
    """Return “in 2 h 12 min”, “12 s ago” or “now”."""
    seconds = (value - now).total_seconds()
    if abs(seconds) < 1:
        return gettext("now")
    if seconds > 0:
        return gettext("in %(span)s") % {"span": span_words(seconds)}
    return gettext("%(span)s ago") % {"span": span_words(-seconds)}


def short_time(local: datetime, now: datetime) -> str:
    """Return the day and the time; the year only where it is another, seconds only where they are not zero."""
    here = now.astimezone(local.tzinfo)
    day = gettext("D j M") if local.year == here.year else gettext("D j M Y")
    clock = f"{local:%H:%M}" if local.second == 0 else f"{local:%H:%M:%S}"
    return f"{day_words(local.date(), day, get_language())} {clock}"


def exact_time(local: datetime) -> str:
    """Return the day, the time to the second, and the zone's name and offset."""
    name = getattr(local.tzinfo, "key", None) or local.tzname() or ""
    return f"{day_words(local.date(), 'l j F Y', get_language())} {local:%H:%M:%S} {offset_words(local)} ({name})"


@lru_cache(maxsize=4096)
def day_words(day: date, form: str, language: str | None) -> str:
    """Return a day in a form of Django's and in the reader's language. The moments of a page share a few days."""
    return dateformat.format(day, form)


def offset_words(local: datetime) -> str:
    """Return the zone's abbreviation at that moment, or its offset where it has none: “AEDT”, “UTC+3”."""
    abbreviation = local.tzname() or ""
    if abbreviation and abbreviation[0].isalpha():
        return abbreviation
    offset = dateformat.format(local, "O")
    return f"UTC{offset[:3]}:{offset[3:]}"


def span_words(seconds: float) -> str:
    """Return a distance in its two largest units: “7 d 7 h”, “2 h 12 min”, “42 min”, “12 s”."""
    units = _units(get_language())
    whole = round(seconds)
    for size, part, name, part_name in (
        (86_400, 3_600, units.day, units.hour),
        (3_600, 60, units.hour, units.minute),
        (60, 1, units.minute, units.second),
    ):
        if whole >= size:
            first, rest = divmod(whole, size)
            second = rest // part
            # After a while the smaller unit is noise.
            if not second or first >= 10:
                return f"{first} {name}"
            return f"{first} {name} {second} {part_name}"
    return f"{whole} {units.second}"


class _Units(NamedTuple):
    """What units of time are called."""

    day: str
    hour: str
    minute: str
    second: str
    millisecond: str


@lru_cache
def _units(language: str | None) -> _Units:
    """Return the names in the reader's language, which a page says a thousand times."""
    return _Units(gettext("d"), gettext("h"), gettext("min"), gettext("s"), gettext("ms"))


def duration_words(seconds: float | Decimal | None) -> str:
    """Return how long something took: “0.4 s” as “400 ms”, “2.31 s”, “38 s”, “4 min 02 s”, “1 h 03 min”."""
    if seconds is None:
        return EMPTY
    units = _units(get_language())
    value = max(0.0, float(seconds))
    if value < 0.9995:
        return f"{round(value * 1000)} {units.millisecond}"
    if value < 9.995:
        return f"{formats.number_format(value, 2)} {units.second}"
    if value < 59.5:
        return f"{round(value)} {units.second}"
    whole = round(value)
    if whole < 3_600:
        return f"{whole // 60} {units.minute} {whole % 60:02} {units.second}"
    if whole < 86_400:
        return f"{whole // 3_600} {units.hour} {whole % 3_600 // 60:02} {units.minute}"
    return f"{whole // 86_400} {units.day} {whole % 86_400 // 3_600:02} {units.hour}"


def share_words(share: float) -> str:
    """Return a share (0 to 1) in per cent, “100 %” only where it is the whole and “0 %” only where it is nothing."""
    tenths = floor(share * 1000)
    if share in (0, 1):
        number = formats.number_format(share * 100, 0)
    else:
        number = formats.number_format(tenths / 10, 1) if tenths else f"< {formats.number_format(0.1, 1)}"
    return gettext("%(number)s %%") % {"number": number}


@dataclass(frozen=True, slots=True, eq=False)
class Link(Cell):
    """A link to a page of the admin."""

    url: str
    label: str
    title: str = ""

    def render(self) -> SafeString:
        return format_html('<a href="{}"{}>{}</a>', self.url, _titled(self.title), self.label)


def _titled(title: str) -> SafeString:
    return format_html(' title="{}"', title) if title else SafeString()


def job_url(job_id: str, page: str = "change") -> str:
    """Return the address of a job's page: change, history, delete, run, pause, resume, run_with, repair or revert."""
    before, after = _around(f"djangojob_{page}", get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF)
    return f"{before}{percent_encoded(quote(job_id), safe=_AS_IT_IS)}{after}"


#: What ``reverse`` leaves as it is in an address: RFC 3986, section 3.3.
_AS_IT_IS = "!$&'()*+,;=/~:@"


def failures_url(job_id: str) -> str:
    """Return the address of the inbox with the failures of one job, whatever became of them."""
    inbox = reverse("admin:app_scheduler_failuregroup_changelist")
    return f"{inbox}?{urlencode({'state': 'all', 'job': job_id})}"


def executions_url(job_id: str) -> str:
    """Return the address of the list of a job's executions."""
    prefix, urlconf = get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF
    return f"{_executions(prefix, urlconf)}?{urlencode({'job__id__exact': job_id})}"


@lru_cache
def _executions(script_prefix: str, urlconf: str) -> str:
    return reverse("admin:django_apscheduler_djangojobexecution_changelist")


def execution_url(execution_id: int) -> str:
    before, after = around_execution()
    return f"{before}{execution_id}{after}"


def around_execution() -> tuple[str, str]:
    """Return what comes before and after the id in the address of an execution's page."""
    return _around("djangojobexecution_change", get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF)


@lru_cache
def _around(page: str, script_prefix: str, urlconf: str) -> tuple[str, str]:
    """Return what comes before and after the id in the addresses of a page, under this prefix and root of addresses."""
    before, _, after = reverse(f"admin:django_apscheduler_{page}", args=["0"]).rpartition("0")
    return before, after


def job_link(job_id: str, name: str = "") -> Link:
    return Link(job_url(job_id), name or job_id, job_id)


def execution_link(execution_id: int, label: str = "") -> Link:
    return Link(execution_url(execution_id), label or str(execution_id))


def zone_of(spec: JobSpec) -> tzinfo:
    """Return the zone that a job's schedule is read in; the site's where the trigger cannot be read."""
    try:
        return triggers.schedule_for(spec.trigger, anchor=spec.anchor).timezone
    except Exception:
        return timezone.get_default_timezone()
