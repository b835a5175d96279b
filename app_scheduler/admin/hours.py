"""Charts of the overview: small objects that render themselves, with every value also as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.utils import dateformat, timezone
from django.utils.translation import gettext

from app_scheduler.admin.columns import Cell
from app_scheduler.admin.overview_cards import clock, count
from app_scheduler.services.overview import Outcomes

#: The drawing's own units: a bar's place and width, and the height of the tallest.
BAR, GAP, HEIGHT = 20, 4, 100
#: What is not nothing is seen.
LEAST = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: its look, and where it is drawn."""

    look: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """An hour: its pieces, its place, its label, and its numbers in words."""

    x: int
    label: str
    words: str
    pieces: Sequence[Piece]
    values: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class HoursChart(Cell):
    """Outcomes by hour, stacked: executed below, then failed, missed and skipped, each with a pattern of its own."""

    template_name: ClassVar[str] = "app_scheduler/cells/hours.html"
    bars: Sequence[Bar]
    width: int
    height: int
    most: str
    is_empty: bool
    summary: str
    ticks: Sequence[tuple[float, str]]

    @property
    def bar_width(self) -> int:
        return BAR - GAP


def hours_chart(hours: Sequence[tuple[datetime, Outcomes]], total: Outcomes, now: datetime) -> HoursChart:
    """Return the chart of some hours, oldest first, each given with its beginning."""
    most = max((outcomes.total for _, outcomes in hours), default=0)
    width = len(hours) * BAR
    return HoursChart(
        bars=[_bar(number, hour, outcomes, most, now) for number, (hour, outcomes) in enumerate(hours)],
        width=width,
        height=HEIGHT,
        most=count(most),
        is_empty=not most,
        summary=_said(total),
        ticks=[
            (100 * (number + 0.5) / len(hours), dateformat.format(timezone.localtime(hour), "H:i"))
            for number, (hour, _) in enumerate(hours)
            if number % 6 == 0
        ],
    )


def _values(outcomes: Outcomes) -> dict[str, str]:
    return {name: count(getattr(outcomes, name)) for name in ("executed", "failed", "missed", "skipped")}


def _said(outcomes: Outcomes) -> str:
    words = gettext("%(executed)s executed, %(failed)s failed, %(missed)s missed, %(skipped)s skipped.")
    return words % _values(outcomes)


def _bar(number: int, hour: datetime, outcomes: Outcomes, most: int, now: datetime) -> Bar:
    pieces, top = [], float(HEIGHT)
    values = _values(outcomes)
    for look in values:
        amount = getattr(outcomes, look)
        if amount:
            height = max(LEAST, amount / most * HEIGHT)
            top = max(0.0, top - height)
            pieces.append(Piece(look, round(top, 2), round(height, 2)))
    label = clock(hour, now)
    return Bar(number * BAR + GAP // 2, label, f"{label}: {_said(outcomes)}", pieces, [*values.values()])
