"""The cells that several pages share: verdicts and states as pills, moments, lengths of time, links.

A cell is a small object that renders its own template, so that ``{{ pill }}`` is all that a page writes and a column
of a list can return it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import ClassVar

from django.contrib.admin.utils import quote
from django.template.loader import get_template
from django.urls import reverse
from django.utils import dateformat, formats, timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_lazy

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
    """Something that a template shows by its name alone."""

    template_name: ClassVar[str]

    def render(self) -> SafeString:
        # A space at the end of a cell would show in a sentence.
        return mark_safe(get_template(self.template_name).render({"cell": self}).strip())

    __str__ = __html__ = render


@dataclass(frozen=True, slots=True, eq=False)
class Pill(Cell):
    """A word with a shape and a colour. ``title`` says more on hover."""

    template_name: ClassVar[str] = "app_scheduler/cells/pill.html"
    look: str
    label: str
    title: str = ""


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

    template_name: ClassVar[str] = "app_scheduler/cells/moment.html"
    iso: str
    relative: str
    short: str
    exact: str


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
    clock = "H:i" if local.second == 0 else "H:i:s"
    return dateformat.format(local, f"{day} {clock}")


def exact_time(local: datetime) -> str:
    """Return the day, the time to the second, and the zone's name and offset."""
    name = getattr(local.tzinfo, "key", None) or local.tzname() or ""
    return f"{dateformat.format(local, 'l j F Y H:i:s')} {offset_words(local)} ({name})"


def offset_words(local: datetime) -> str:
    """Return the zone's abbreviation at that moment, or its offset where it has none: “AEDT”, “UTC+3”."""
    abbreviation = local.tzname() or ""
    if abbreviation and abbreviation[0].isalpha():
        return abbreviation
    offset = dateformat.format(local, "O")
    return f"UTC{offset[:3]}:{offset[3:]}"


def span_words(seconds: float) -> str:
    """Return a distance in its two largest units: “7 d 7 h”, “2 h 12 min”, “42 min”, “12 s”."""
    whole = round(seconds)
    for size, part, names in _SPANS:
        if whole >= size:
            first, rest = divmod(whole, size)
            second = rest // part
            # After a while the smaller unit is noise.
            if not second or first >= 10:
                return f"{first} {names[0]}"
            return f"{first} {names[0]} {second} {names[1]}"
    return f"{whole} {_SECOND}"


_DAY, _HOUR, _MINUTE, _SECOND = gettext_lazy("d"), gettext_lazy("h"), gettext_lazy("min"), gettext_lazy("s")
_MILLISECOND = gettext_lazy("ms")
_SPANS = (
    (86_400, 3_600, (_DAY, _HOUR)),
    (3_600, 60, (_HOUR, _MINUTE)),
    (60, 1, (_MINUTE, _SECOND)),
)


def duration_words(seconds: float | Decimal | None) -> str:
    """Return how long something took: “0.4 s” as “400 ms”, “2.31 s”, “38 s”, “4 min 02 s”, “1 h 03 min”."""
    if seconds is None:
        return EMPTY
    value = max(0.0, float(seconds))
    if value < 0.9995:
        return f"{round(value * 1000)} {_MILLISECOND}"
    if value < 9.995:
        return f"{formats.number_format(value, 2)} {_SECOND}"
    if value < 59.5:
        return f"{round(value)} {_SECOND}"
    whole = round(value)
    if whole < 3_600:
        return f"{whole // 60} {_MINUTE} {whole % 60:02} {_SECOND}"
    if whole < 86_400:
        return f"{whole // 3_600} {_HOUR} {whole % 3_600 // 60:02} {_MINUTE}"
    return f"{whole // 86_400} {_DAY} {whole % 86_400 // 3_600:02} {_HOUR}"


@dataclass(frozen=True, slots=True, eq=False)
class Link(Cell):
    """A link to a page of the admin."""

    template_name: ClassVar[str] = "app_scheduler/cells/link.html"
    url: str
    label: str
    title: str = ""


def job_url(job_id: str, page: str = "change") -> str:
    """Return the address of a job's page: change, history, delete, run, pause, resume, run_with, repair or revert."""
    return reverse(f"admin:django_apscheduler_djangojob_{page}", args=[quote(job_id)])


def execution_url(execution_id: int) -> str:
    return reverse("admin:django_apscheduler_djangojobexecution_change", args=[execution_id])


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
