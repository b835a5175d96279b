"""How far a run said it was, how fast it goes and how long it will take, as far as that is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from app_scheduler.models import ExecutionDetail

#: A run that has told nothing for so long, in seconds, is said to stand still: what it would take yet is not known.
STANDS_STILL = 30.0
#: Where it moves more slowly than this, it stands still after as long as so many steps take.
STEPS = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """``total`` is 0 where the run did not say of how much, ``rate`` is in steps a second.

    ``age`` is how long ago it said so, in seconds; None where the run has ended, so that nothing is to come.
    """

    done: int
    total: int
    message: str
    rate: float | None = None
    age: float | None = None

    @classmethod
    def of(cls, detail: ExecutionDetail, now: datetime, *, is_on_the_way: bool) -> Self | None:
        """Return what the run of an execution said last, or None where it said nothing."""
        if detail.progress_done is None:
            return None
        age = None
        if is_on_the_way and detail.progress_at is not None:
            # Clocks of two machines differ a little.
            age = max(timedelta(), now - detail.progress_at).total_seconds()
        return cls(detail.progress_done, detail.progress_total or 0, detail.progress_message, detail.progress_rate, age)

    @property
    def percent(self) -> int | None:
        return max(0, min(100, self.done * 100 // self.total)) if self.total > 0 else None

    @property
    def stands_still(self) -> bool:
        """Whether it goes on and has told nothing for longer than its rate lets one expect."""
        patience = max(STANDS_STILL, STEPS / self.rate) if self.rate else STANDS_STILL
        return self.age is not None and self.age > patience

    @property
    def pace(self) -> float | None:
        """Steps a second while it goes on, or None where that is not known or it stands still."""
        if self.age is None or not self.rate or self.rate <= 0 or self.stands_still:
            return None
        return self.rate

    @property
    def left(self) -> float | None:
        """Seconds that it will take yet, 0 where it is over its time, or None where nobody can tell."""
        pace = self.pace
        if pace is None or self.age is None or self.total <= 0 or self.done >= self.total:
            return None
        return max(0.0, (self.total - self.done) / pace - self.age)
