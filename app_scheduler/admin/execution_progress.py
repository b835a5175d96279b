"""How far a run said it was, how fast it goes and how long it will take, as far as that is known."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext

from app_scheduler.admin import columns

#: A run that has told nothing for so long, in seconds, is said to stand still: what it would take yet is not known.
STANDS_STILL = 30.0
#: Where it moves more slowly than this, it stands still after as long as so many steps take.
STEPS = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """``total`` is 0 where the run did not say of how much, ``rate`` is in steps a second, ``age`` is in seconds."""

    done: int
    total: int
    message: str
    rate: float | None = None
    age: float | None = None

    @property
    def percent(self) -> int | None:
        return max(0, min(100, self.done * 100 // self.total)) if self.total > 0 else None

    @property
    def words(self) -> str:
        done = number_format(self.done, force_grouping=True)
        if self.total <= 0:
            return done
        total = number_format(self.total, force_grouping=True)
        return gettext("%(done)s of %(total)s") % {"done": done, "total": total}

    @property
    def stands_still(self) -> bool:
        """Whether it goes on and has told nothing for longer than its rate lets one expect."""
        patience = max(STANDS_STILL, STEPS / self.rate) if self.rate else STANDS_STILL
        return self.age is not None and self.age > patience

    @property
    def rate_words(self) -> str:
        """“52 per second”, in the unit that makes it a number one can read, or nothing where it is not known."""
        if not self.rate or self.rate <= 0 or self.stands_still:
            return ""
        if self.rate >= 1:
            return gettext("%(number)s per second") % {"number": _rounded(self.rate)}
        if self.rate * 60 >= 1:
            return gettext("%(number)s per minute") % {"number": _rounded(self.rate * 60)}
        return gettext("%(number)s per hour") % {"number": _rounded(self.rate * 3600)}

    @property
    def left_words(self) -> str:
        """“about 2 min 49 s left”, or that it stands still, or nothing where nobody can tell."""
        if self.age is None:
            return ""
        if self.stands_still:
            return gettext("nothing new for %(span)s") % {"span": columns.span_words(self.age)}
        if not self.rate or self.rate <= 0 or self.total <= 0 or self.done >= self.total:
            return ""
        left = (self.total - self.done) / self.rate - self.age
        if left < 1:
            return gettext("nearly done")
        return gettext("about %(span)s left") % {"span": columns.span_words(left)}


def _rounded(value: float) -> str:
    return number_format(value, 0 if value >= 10 else 1, force_grouping=True)
