"""What is measured of whom, and what comes of it: the words that the processes of a run share, as JSON between them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SIDES = ("ours", "stock", "memory", "beat")
DATABASES = ("sqlite", "postgres")


@dataclass(frozen=True)
class Case:
    """One size at which something is measured.

    ``count`` is executions, or jobs for the verbs; ``stored`` jobs are in the store beside those that run; ``rate`` is
    ticks per second; ``seconds`` is how long it takes; ``workers`` is Celery workers of one process each.
    """

    count: int = 0
    stored: int = 0
    rate: float = 0
    seconds: float = 0
    workers: int = 0

    def __str__(self) -> str:
        parts = [
            f"{self.count:,}" if self.count else "",
            f"{self.rate:,g} per second" if self.rate else "",
            f"{self.seconds:,g} s" if self.seconds else "",
            f"{self.stored:,} stored" if self.stored else "",
            f"{self.workers} worker{'s' if self.workers > 1 else ''}" if self.workers else "",
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Cell:
    """A side on a database; the store in memory has none."""

    side: str
    database: str = ""

    def __str__(self) -> str:
        return f"{self.side} on {self.database}" if self.database else self.side


@dataclass
class Outcome:
    """What one process measured; ``fault`` says why it did not come to its end, ``done`` of ``wanted`` how far it came.

    ``series`` is of memory: points (executions so far, megabytes).
    """

    figures: dict[str, float] = field(default_factory=dict)
    done: int = 0
    wanted: int = 0
    fault: str = ""
    series: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Record:
    """One outcome with what it belongs to."""

    measure: str
    case: Case
    cell: Cell
    outcome: Outcome

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        outcome = Outcome(**data["outcome"])
        outcome.series = [(int(done), float(size)) for done, size in outcome.series]
        return cls(data["measure"], Case(**data["case"]), Cell(**data["cell"]), outcome)
