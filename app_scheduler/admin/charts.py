"""The charts of a job's page: what its latest executions and days were like, drawn to a logarithmic scale of lengths.

A chart is told in percent of its plot, so that it is as wide as its page and its words stay as large as all others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from math import log
from typing import ClassVar

from django.utils import dateformat
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from app_scheduler.admin.columns import Cell, duration_words, span_words
from app_scheduler.admin.drawing import percent
from app_scheduler.admin.strips import SHORTEST, RunWords, count_words, look_of
from app_scheduler.models import JobDay
from app_scheduler.services import Outcome, Run

#: Lengths, in seconds, at which a line of the grid may be.
STEPS = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400, 172_800, 864_000),
)
MAX_LINES = 4
#: Of the plot's height, in percent: above the bars, the line that they stand on, and the marks of failures below it.
TOP, FLOOR, MARK = 4.0, 94.0, 96.5
#: Fewer bars than these are not made wider, and a chart of days has no fewer.
FEWEST_BARS, FEWEST_DAYS = 40, 14
#: Marks of two lines that are nearer than this, in percent, would lie on each other.
NEAR = 8.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the grid, or one that says where 50 or 95 of 100 runs end."""

    y: str
    label: str
    bottom: str = ""


class Scale:
    """Lengths of time as heights."""

    def __init__(self, lengths: Sequence[float]) -> None:
        known = [max(length, SHORTEST) for length in lengths] or [1.0]
        low, high = min(known) / 2, max(known) * 1.1
        self._first = max(0, bisect_right(STEPS, low) - 1)
        self._last = min(len(STEPS) - 1, bisect_left(STEPS, high))
        self.low, self.high = STEPS[self._first], max(STEPS[self._last], high)

    def y(self, seconds: float) -> float:
        """Return where a length lies, in percent of the plot from its top."""
        share = log(max(seconds, self.low) / self.low) / log(self.high / self.low)
        return FLOOR - (FLOOR - TOP) * min(share, 1.0)

    def lines(self) -> list[Line]:
        steps = STEPS[self._first + 1 : self._last + 1]
        every = -(-len(steps) // MAX_LINES)
        chosen = steps[::-1][::every]
        return [Line(percent(self.y(step)), _round_length(step), percent(100 - self.y(step))) for step in chosen]


def _round_length(seconds: float) -> str:
    return span_words(seconds) if seconds >= 1 else duration_words(seconds)


@dataclass(frozen=True, slots=True)
class Bar:
    """One execution. All but words and look are lengths and places as SVG has them."""

    x: str
    width: str
    y: str
    height: str
    look: str
    words: str
    execution_id: int
    middle: str
    count: str = ""
    is_asked_for: bool = False


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A run in the table of values."""

    execution_id: int
    due: str
    verdict: str
    took: str
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class RunChart(Cell):
    """The latest executions of a job, the oldest left."""

    template_name: ClassVar[str] = "app_scheduler/cells/run_chart.html"
    bars: list[Bar]
    lines: list[Line]
    marks: list[Line]
    rows: list[ValueRow]
    label: str
    #: The first, the middle and the last moment, and where the first is.
    moments: list[str]
    margin: str
    links: bool
    latest: int


def run_chart(runs: Sequence[Run], outcome: Outcome, zone: tzinfo, words: RunWords, *, links: bool) -> RunChart | None:
    """Return the chart of executions, given the latest first; None where there are none."""
    if not runs:
        return None
    ordered = runs[::-1]
    scale = Scale([run.seconds for run in runs if run.seconds is not None])
    slots = max(FEWEST_BARS, sum(run.bars for run in runs))
    at = slots - sum(run.bars for run in runs)
    margin = 100 * at / slots
    bars = []
    for run in ordered:
        y, height = _extent(run, scale)
        gap = 0.15 * 100 / slots
        left, wide = 100 * at / slots + gap, 100 * run.bars / slots - 2 * gap
        bars.append(
            Bar(
                x=percent(left),
                width=percent(wide),
                y=percent(y),
                height=percent(height),
                look=look_of(run),
                words=words.of(run, zone),
                execution_id=run.execution_id,
                middle=percent(left + wide / 2),
                count=count_words(run.ticks) if run.bars > 2 else "",
                is_asked_for=bool(words.origin(run)),
            )
        )
        at += run.bars
    rows = [
        ValueRow(run.execution_id, words.due(run, zone), words.verdict(run), words.took(run), _note(run, words))
        for run in runs
    ]
    number = len(runs)
    label = ngettext("How long the last execution took", "How long the last %(number)s executions took", number)
    middle = ordered[number // 2]
    return RunChart(
        bars=bars,
        lines=scale.lines(),
        marks=_marks(outcome, scale),
        rows=rows,
        label=label % {"number": number_format(number)},
        moments=[words.due(run, zone) for run in (ordered[0], middle, ordered[-1])[: min(number, 3)]],
        margin=percent(margin if margin < 60 else 0),
        links=links,
        latest=runs[0].execution_id,
    )


def _extent(run: Run, scale: Scale) -> tuple[float, float]:
    """Return where a bar begins, from the top, and how high it is: what did not run is as high as the plot, or low."""
    look = look_of(run)
    if look == "missed" or (look == "fail" and run.seconds is None):
        return TOP, FLOOR - TOP
    if run.seconds is None:
        return FLOOR - 10, 10.0
    y = min(scale.y(run.seconds), FLOOR - 1)
    return y, FLOOR - y


def _note(run: Run, words: RunWords) -> str:
    parts = [words.origin(run), "×" + number_format(run.ticks, force_grouping=True) if run.ticks > 1 else ""]
    return ", ".join(part for part in parts if part)


def _marks(outcome: Outcome, scale: Scale) -> list[Line]:
    """Return the lines within which 95 and 50 of 100 runs end; one, where they are almost the same."""
    found: list[tuple[float, str]] = []
    for share, name in ((0.95, "p95"), (0.5, "p50")):
        seconds = outcome.within(share)
        if seconds is None or len(outcome.lengths) < 5:
            continue
        y = scale.y(seconds)
        if not found or y - found[-1][0] >= NEAR:
            found.append((y, f"{name} {duration_words(seconds)}"))
    return [Line(percent(y), label, percent(100 - y)) for y, label in found]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a day's bar."""

    look: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day: its outcomes on one another, and how long its runs took, on average and at most."""

    x: str
    width: str
    right: str
    parts: list[Part]
    average: Part | None
    longest: str
    words: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day in the table of values."""

    day: str
    numbers: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class DayChart(Cell):
    """The latest days of a job, the oldest left. Days are those of UTC, by which they are counted."""

    template_name: ClassVar[str] = "app_scheduler/cells/day_chart.html"
    bars: list[DayBar]
    lines: list[Line]
    counts: list[Line]
    rows: list[DayRow]
    label: str
    days: list[str]


def day_chart(days: Sequence[JobDay], today: date) -> DayChart | None:
    """Return the chart of days, given the oldest first; None where there are none."""
    if not days:
        return None
    first = min(days[0].day, today - timedelta(days=FEWEST_DAYS - 1))
    number = (today - first).days + 1
    most = max(_total(day) for day in days) or 1
    scale = Scale([value for day in days if day.executed for value in (day.seconds / day.executed, day.longest)])
    form = gettext("D j M")
    bars = []
    for day in days:
        at = (day.day - first).days
        gap = 0.1 * 100 / number
        left, wide = 100 * at / number + gap, 100 / number - 2 * gap
        average = day.seconds / day.executed if day.executed else None
        y = min(scale.y(average), FLOOR - 1) if average is not None else FLOOR
        bars.append(
            DayBar(
                x=percent(left),
                width=percent(wide),
                right=percent(left + wide),
                parts=_parts(day, most),
                average=Part("ok", percent(y), percent(FLOOR - y)) if average is not None else None,
                longest=percent(scale.y(day.longest)) if average is not None else "",
                words=_day_words(day, dateformat.format(day.day, form)),
            )
        )
    label = ngettext("How the last day went", "How the last %(number)s days went", number)
    return DayChart(
        bars=bars,
        lines=scale.lines(),
        counts=[Line(percent(TOP), number_format(most, force_grouping=True), percent(100 - TOP))],
        rows=[
            DayRow(dateformat.format(day.day, gettext("D j M Y")), [*_counts(day), *_lengths(day)])
            for day in reversed(days)
        ],
        label=label % {"number": number_format(number)},
        days=[dateformat.format(day, form) for day in (first, first + timedelta(days=number // 2), today)],
    )


def _outcomes(day: JobDay) -> tuple[tuple[str, int], ...]:
    return (("ok", day.executed), ("fail", day.failed), ("missed", day.missed), ("skipped", day.skipped))


def _total(day: JobDay) -> int:
    return sum(number for _, number in _outcomes(day))


def _parts(day: JobDay, most: int) -> list[Part]:
    """Return a day's outcomes on one another. What there is few of is still seen."""
    wanted = [(look, max((FLOOR - TOP) * number / most, 2.5)) for look, number in _outcomes(day) if number]
    together = sum(height for _, height in wanted)
    shrink = min(1.0, (FLOOR - TOP) / together) if together else 1.0
    parts, y = [], FLOOR
    for look, height in wanted:
        y -= height * shrink
        parts.append(Part(look, percent(y), percent(height * shrink)))
    return parts


def _counts(day: JobDay) -> list[str]:
    return [number_format(number, force_grouping=True) for _, number in _outcomes(day)]


def _lengths(day: JobDay) -> list[str]:
    if not day.executed:
        return [duration_words(None)] * 2
    return [duration_words(day.seconds / day.executed), duration_words(day.longest)]


def _day_words(day: JobDay, name: str) -> str:
    """Return “Mon 23 Nov: 96 executed, 2 failed, 0.9 s on average”; of what there was none nothing is said."""
    said = (
        gettext("%(number)s executed"),
        gettext("%(number)s failed"),
        gettext("%(number)s missed"),
        gettext("%(number)s skipped"),
    )
    numbers = zip(said, _counts(day), (number for _, number in _outcomes(day)), strict=True)
    parts = [text % {"number": shown} for text, shown, number in numbers if number]
    if day.executed:
        average, longest = _lengths(day)
        parts.append(gettext("%(average)s on average") % {"average": average})
        parts.append(gettext("%(longest)s at most") % {"longest": longest})
    return f"{name}: {', '.join(parts)}"
