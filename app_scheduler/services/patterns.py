"""The minutes of schedules in a window, worked out once for all jobs whose ticks come in the same minutes.

Most jobs of a site share few schedules. What is made for a job is looked up by its trigger's text and by as much of its
anchor as matters: nothing for a crontab, the day for a calendar interval, the phase in whole parts for an interval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from app_scheduler import triggers
from app_scheduler.triggers.minutes import Groups, Window, minutes_of, phase_of
from app_scheduler.triggers.schedules import CalendarSchedule, IntervalSchedule

#: No schedule's ticks depend on the moment that it was set, except those of an interval and of a calendar interval.
WITHOUT_ANCHOR = frozenset({"cron", "date"})
_ANY_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)
#: A week in any zone, and more schedules than are usual.
_KEPT_MINUTES, _KEPT_PATTERNS = 8 * 1440, 40_000

#: Ticks, and by how many microseconds those of the job come later, always within the same minutes.
Ticks = tuple[Groups, int]
#: How ticks follow from a job's anchor: in the phase of a step, from its day in a zone, or in no simple way.
Recipe = timedelta | ZoneInfo | None


class Patterns:
    """What is known of schedules in a window. It follows from them alone, so no change of a job makes it wrong."""

    def __init__(self, window: Window) -> None:
        self._window = window
        # Told by the text alone, and by the text and the anchor. Of thousands of jobs: little is made that Python's
        # collection of garbage would have to look through.
        self._fixed: dict[str, Groups] = {}
        self._recipes: dict[str, Recipe] = {}
        self._by_anchor: dict[tuple[str, object], Groups] = {}

    def __len__(self) -> int:
        return len(self._fixed) + len(self._by_anchor)

    def clear(self) -> None:
        for known in (self._fixed, self._recipes, self._by_anchor):
            known.clear()

    def of(self, trigger: str, anchor: datetime | None) -> Ticks:
        """Return the ticks of a trigger, given as its stored text; ``anchor`` is None where it does not matter.

        Raises ``InvalidInput`` or whatever a text that no check would let pass leads to.
        """
        known = self._fixed.get(trigger)
        if known is not None:
            return known, 0
        if anchor is None:
            anchor = _ANY_ANCHOR
        if trigger not in self._recipes:
            schedule = triggers.schedule_of_text(trigger, anchor=anchor)
            document = json.loads(trigger)
            if not _hangs_on_anchor(document):
                known = self._fixed[trigger] = minutes_of(schedule, self._window)
                return known, 0
            self._recipes[trigger] = _recipe(schedule, document)
        recipe = self._recipes[trigger]
        if isinstance(recipe, timedelta):
            return phase_of(anchor + recipe, recipe, self._window)
        key = trigger, anchor if recipe is None else anchor.astimezone(recipe).date()
        known = self._by_anchor.get(key)
        if known is None:
            schedule = triggers.schedule_of_text(trigger, anchor=anchor)
            known = self._by_anchor[key] = minutes_of(schedule, self._window)
        return known, 0


def _recipe(schedule: triggers.Schedule, document: Mapping[str, Any]) -> Recipe:
    if isinstance(schedule, IntervalSchedule) and "end_date" not in document:
        return schedule.step
    return schedule.timezone if isinstance(schedule, CalendarSchedule) else None


def _hangs_on_anchor(document: Mapping[str, Any]) -> bool:
    if document["type"] == "any":
        return any(_hangs_on_anchor(child) for child in document["triggers"])
    return document["type"] not in WITHOUT_ANCHOR and "start_date" not in document


def patterns_of(window: Window) -> Patterns:
    """Return what is known of schedules in a window.

    Whoever looks at a day looks at its hours and comes back; a month's bitmaps would be too large to keep.
    """
    if window.minutes > _KEPT_MINUTES:
        return Patterns(window)
    patterns = _kept(window, settings.TIME_ZONE)
    if len(patterns) > _KEPT_PATTERNS:
        patterns.clear()
    return patterns


@lru_cache(maxsize=4)
def _kept(window: Window, zone: str) -> Patterns:
    return Patterns(window)
