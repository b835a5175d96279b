"""The timeline's rows as the page shows them: places in per cent, words and links of each mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.utils import dateformat, timezone
from django.utils.translation import gettext, ngettext

from app_scheduler.admin.columns import Cell, Pill, duration_words, job_url, state_pill
from app_scheduler.admin.drawing import place
from app_scheduler.admin.overview_cards import clock, count
from app_scheduler.admin.overview_links import Links
from app_scheduler.models import JobState
from app_scheduler.services.overview import Lane, Mark, Timeline
from app_scheduler.services.overview.timelines import DUE, FAIL, MISSED, OK, QUEUED, RUNNING, SKIPPED

#: Hours of the clock that the axis names.
AXIS_HOURS = (0, 8, 16)
#: Labels of the axis do not come closer to its end or to now, nor to its first, which has a day and a time.
CLEAR, CLEAR_OF_FIRST = 3.5, 9.0


@dataclass(frozen=True, slots=True)
class Point:
    """A mark: its look, its place and width in per cent of the row, its words, and where it leads ("" for nowhere)."""

    look: str
    x: str
    width: str
    words: str
    url: str = ""
    is_mixed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its name and link, its marks, what they say in all, and where it begins later than the others."""

    name: str
    url: str
    words: str
    points: Sequence[Point]
    hint: str = ""
    pill: Pill | None = None
    unread: str = ""
    unread_words: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Lanes(Cell):
    """The timeline. ``axis`` has (place, words) of hours; now is in the middle."""

    template_name: ClassVar[str] = "app_scheduler/cells/lanes.html"
    rows: Sequence[Row]
    axis: Sequence[tuple[str, str]]
    zone: str
    first: str


def lanes_of(timeline: Timeline, links: Links, pills: Mapping[str, Pill]) -> Lanes:
    """Return a timeline for its page. ``pills`` say of some jobs, by id, why they need a look."""
    places, say = _Places(timeline), _Words(timeline.now)
    return Lanes(
        rows=[_row(lane, timeline, places, say, links, pills) for lane in (*timeline.rows, *timeline.groups)],
        axis=[*_axis(timeline, places)],
        zone=timezone.get_current_timezone_name(),
        first=dateformat.format(timezone.localtime(timeline.start), "D H:i"),
    )


class _Places:
    """Moments as places in per cent of a timeline's length."""

    def __init__(self, timeline: Timeline) -> None:
        self._start, self._end = timeline.start, timeline.end
        self._length = timeline.end - timeline.start

    def of(self, moment: datetime) -> float:
        return 100 * ((min(max(moment, self._start), self._end) - self._start) / self._length)


def _axis(timeline: Timeline, places: _Places) -> Iterator[tuple[str, str]]:
    local = timezone.localtime(timeline.start)
    hour = local.replace(minute=0, second=0, microsecond=0)
    for number in range(1, 50):
        moment = timezone.localtime(hour + number * timedelta(hours=1))
        x = places.of(moment)
        is_clear = CLEAR_OF_FIRST < x < 100 - CLEAR and abs(x - 50) > CLEAR
        if moment < timeline.end and moment.hour in AXIS_HOURS and not moment.minute and is_clear:
            words = dateformat.format(moment, "D") if moment.hour == 0 else dateformat.format(moment, "H:i")
            yield place(x), words


def _row(lane: Lane, timeline: Timeline, places: _Places, say: _Words, links: Links, pills: Mapping[str, Pill]) -> Row:
    points = [_point(mark, lane, places, say, links) for mark in lane.marks]
    unread, unread_words = "", ""
    if lane.since is not None and lane.since > timeline.start:
        unread = place(places.of(lane.since))
        unread_words = gettext("Shown from %(since)s on: before, there are too many.") % {
            "since": say.clock(lane.since)
        }
    name, url, hint, pill = lane.name, "", "", None
    if lane.job_id:
        url = job_url(lane.job_id)
        pill = state_pill(lane.state) if lane.state != JobState.SCHEDULED else pills.get(lane.job_id)
    else:
        hint = ngettext("%(count)s other job", "%(count)s other jobs", lane.jobs) % {"count": count(lane.jobs)}
        name = lane.function.rpartition(".")[2] or gettext("All others")
        url = links.jobs_of(function=lane.function) if lane.function else links.jobs
    if lane.job_id and lane.is_merged:
        hint = gettext("merged by half hour")
    if lane.is_next_only:
        hint = gettext("%(jobs)s; ahead, the next tick of each") % {"jobs": hint}
    return Row(name, url, say.in_all(lane), points, hint, pill, unread, unread_words)


class _Words:
    """Times and counts in words, each worked out once: a page has hundreds of marks and few that differ."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._clocks: dict[datetime, str] = {}
        self._counts: dict[tuple[tuple[str, int], ...], str] = {}
        self._looks = (
            (OK, gettext("%(count)s executed")),
            (FAIL, gettext("%(count)s failed")),
            (MISSED, gettext("%(count)s missed")),
            (SKIPPED, gettext("%(count)s skipped")),
            (RUNNING, gettext("%(count)s running")),
            (QUEUED, gettext("%(count)s waiting")),
            (DUE, gettext("%(count)s due")),
        )

    def clock(self, moment: datetime) -> str:
        minute = moment.replace(second=0, microsecond=0)
        known = self._clocks.get(minute)
        if known is None:
            known = self._clocks[minute] = clock(minute, self._now)
        return known

    def counts(self, counts: Mapping[str, int]) -> str:
        key = tuple(counts.items())
        known = self._counts.get(key)
        if known is None:
            said = [words % {"count": count(counts[look])} for look, words in self._looks if counts.get(look)]
            known = self._counts[key] = ", ".join(said)
        return known

    def in_all(self, lane: Lane) -> str:
        """Return what a row's marks say in all."""
        counts: Counter[str] = Counter()
        for mark in lane.marks:
            counts.update(mark.counts)
        return self.counts(counts) or gettext("nothing happened and nothing is due")


def _function_of(lane: Lane) -> dict[str, str]:
    return {"function": lane.function} if lane.function else {}


def _point(mark: Mark, lane: Lane, places: _Places, say: _Words, links: Links) -> Point:
    x = places.of(mark.start)
    width = max(0.0, places.of(mark.end) - x)
    look = mark.look
    is_slot = mark.count > 1 and mark.execution_id is None
    url = ""
    if mark.execution_id is not None:
        url = links.execution(mark.execution_id)
    elif look != DUE:
        filters = {"job": lane.job_id} if lane.job_id else _function_of(lane)
        url = links.executions_between(mark.start, mark.end, **filters)
    elif not lane.job_id:
        # The name of a row that is one job leads to its next ticks.
        local = timezone.localtime(mark.start)
        url = links.due_on(local.date(), hour=str(local.hour), **_function_of(lane))
    words = say.clock(mark.start)
    if is_slot or mark.count > 1:
        words = f"{words} – {say.clock(mark.end)}"
    words = f"{words}: {say.counts(mark.counts)}"
    if mark.count == 1 and look in (OK, FAIL, RUNNING) and mark.end > mark.start:
        words = f"{words}, {duration_words((mark.end - mark.start).total_seconds())}"
    if is_slot:
        # Two half hours in a row are two marks.
        width = width * 0.8
    return Point(look, place(x), place(width), words, url, is_mixed=len(mark.counts) > 1)
