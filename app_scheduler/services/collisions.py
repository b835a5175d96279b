"""Other jobs at the same moment, and the minute near by at which none starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count
from django.utils import dateformat
from django.utils.translation import gettext, ngettext
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.documents import Document
from app_scheduler.triggers.shifting import minute_text, shifted

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
#: Distinct moments that are read of the hour: more means that there is hardly a free minute.
MOMENTS = 600


@dataclass(frozen=True, slots=True)
class Collision:
    """A tick at which other jobs start too, and the next free minute with the schedule that starts then.

    ``moment`` and ``free`` are aware, in the trigger's zone; ``free`` is None where no minute is or where the schedule
    cannot be moved.
    """

    moment: datetime
    others: int
    free: datetime | None = None
    expression: str = ""
    minutes: str = ""

    @property
    def sentence(self) -> str:
        text = ngettext(
            "%(count)d other job starts at %(time)s on %(day)s too.",
            "%(count)d other jobs start at %(time)s on %(day)s too.",
            self.others,
        ) % {"count": self.others, "time": _clock(self.moment), "day": dateformat.format(self.moment, gettext("D j M"))}
        if self.free is not None:
            text += " " + gettext("%(time)s is free.") % {"time": _clock(self.free)}
        return text

    @property
    def label(self) -> str:
        """The words of the button that moves the schedule."""
        if self.free is None:
            return ""
        if self.minutes and not self.minutes.isdigit():
            return gettext("Use minute %(minutes)s") % {"minutes": self.minutes}
        return gettext("Use %(time)s") % {"time": _clock(self.free)}


def find_collision(document: Document, ticks: Sequence[datetime], *, besides: str | None) -> Collision | None:
    """Return the first of these ticks at which other jobs have their next one, or None. Two queries by the index."""
    if not ticks:
        return None
    jobs = DjangoJob.objects.exclude(pk=besides).order_by() if besides else DjangoJob.objects.order_by()
    found = dict(jobs.filter(next_run_time__in=ticks).values_list("next_run_time").annotate(Count("pk")))
    tick = next((tick for tick in ticks if found.get(tick.astimezone(UTC))), None)
    if tick is None:
        return None
    others = found[tick.astimezone(UTC)]
    if shifted(document, 1) is None:
        return Collision(tick, others)
    begin = tick.astimezone(UTC).replace(second=0, microsecond=0)
    near = jobs.filter(next_run_time__gte=begin + MINUTE, next_run_time__lt=begin + HOUR)
    moments = list(near.values_list("next_run_time", flat=True).distinct()[:MOMENTS])
    taken = {(moment - begin) // MINUTE for moment in moments if moment is not None}
    if len(moments) < MOMENTS:
        for minutes in sorted(range(1, 60), key=_crowded):
            later = shifted(document, minutes) if minutes not in taken else None
            if later is not None:
                text = triggers.format_expression(later)
                return Collision(tick, others, _moved(tick, minutes), text, minute_text(later))
    return Collision(tick, others)


def _moved(tick: datetime, minutes: int) -> datetime:
    return (tick.astimezone(UTC) + minutes * MINUTE).astimezone(tick.tzinfo)


def _crowded(minutes: int) -> tuple[bool, int]:
    """Put the minutes that people choose by themselves last, and those next to them before the others."""
    return minutes % 5 == 0, abs(minutes - 7)


def _clock(moment: datetime) -> str:
    return dateformat.format(moment, "H:i:s" if moment.second else "H:i")
