"""How far a run said it was, how fast it goes and how long it will take, in words."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext

from app_scheduler import services
from app_scheduler.admin import columns


class Progress(services.Progress):
    """What a run said last, as the list and the page of executions tell it."""

    __slots__ = ()

    @property
    def words(self) -> str:
        done = number_format(self.done, force_grouping=True)
        if self.total <= 0:
            return done
        total = number_format(self.total, force_grouping=True)
        return gettext("%(done)s of %(total)s") % {"done": done, "total": total}

    @property
    def rate_words(self) -> str:
        """“52 per second”, in the unit that makes it a number one can read, or nothing where it is not known."""
        pace = self.pace
        if pace is None:
            return ""
        if pace >= 1:
            return gettext("%(number)s per second") % {"number": _rounded(pace)}
        if pace * 60 >= 1:
            return gettext("%(number)s per minute") % {"number": _rounded(pace * 60)}
        return gettext("%(number)s per hour") % {"number": _rounded(pace * 3600)}

    @property
    def left_words(self) -> str:
        """“about 2 min 49 s left”, or that it stands still, or nothing where nobody can tell."""
        if self.stands_still and self.age is not None:
            return gettext("nothing new for %(span)s") % {"span": columns.span_words(self.age)}
        left = self.left
        if left is None:
            return ""
        if left < 1:
            return gettext("nearly done")
        return gettext("about %(span)s left") % {"span": columns.span_words(left)}


def _rounded(value: float) -> str:
    return number_format(value, 0 if value >= 10 else 1, force_grouping=True)
