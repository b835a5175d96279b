"""How often a schedule fires, as people say it: runs a day, a week or a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from .documents import Document, canonical, interval_of
from .schedules import MICROSECOND, Schedule, schedule_for
from .walls import instant_of

DAY = timedelta(days=1)
#: A year of whole weeks: what keeps to weekdays comes in it 52 times as often as in a week.
WEEK, YEAR, WEEKS = 7, 364, 52
#: How far a number may be from what it is said to be, for days on which clocks change.
CLOSE = 0.02
#: Up to so many ticks of several schedules are walked to find those that they share; beyond, they are added up.
WALK = 500


def rate_words(document: Mapping[str, Any], *, anchor: datetime, now: datetime) -> str:
    """Return “36 runs a day”, “32 runs a day on 5 days a week”, “5 runs a week”, “12 runs a year”; "" for one alone.

    It is counted from the first whole day on, in the schedule's zone, on which it fires.
    """
    checked = canonical(document)
    if checked["type"] == "date":
        return ""
    if checked["type"] == "interval" and interval_of(checked) < DAY:
        number, rest = divmod(DAY, interval_of(checked))
        return gettext("about %(rate)s") % {"rate": _a_day(number)} if rest else _a_day(number)
    try:
        return _counted(checked, anchor, now)
    except (OverflowError, ValueError):
        # Only the ends of the calendar, years 1 and 9999, lead here.
        return ""


def _counted(document: Document, anchor: datetime, now: datetime) -> str:
    schedule = schedule_for(document, anchor=anchor)
    zone = schedule.timezone
    children = document["triggers"] if document["type"] == "any" else [document]
    parts = [schedule_for(child, anchor=anchor) for child in children]

    def begin(day: date) -> datetime:
        return instant_of(datetime.combine(day, time()), zone)

    first = schedule.next_after(begin(now.astimezone(zone).date() + DAY) - MICROSECOND)
    if first is None:
        return ""
    day = first.date()
    days = [_count(schedule, parts, begin(day + n * DAY), begin(day + (n + 1) * DAY)) for n in range(WEEK)]
    exact = all(exact for _number, exact in days)
    yearly, exact_yearly = _count(schedule, parts, begin(day), begin(day + YEAR * DAY))
    busy = sum(1 for number, _exact in days if number)
    number, weekly = max(number for number, _exact in days), sum(number for number, _exact in days)
    ends = schedule.next_after(begin(day + YEAR * DAY)) is None
    if busy == WEEK and (ends or _close(yearly, number * YEAR)):
        text = _a_day(number)
    elif (weekly > 1 and ends) or _close(yearly, weekly * WEEKS):
        text = ngettext("%(count)s run a week", "%(count)s runs a week", weekly) % {"count": weekly}
        if busy > 1 and number * busy == weekly > busy:
            text = gettext("%(runs)s on %(days)d days a week") % {"runs": _a_day(number), "days": busy}
    elif busy == WEEK and yearly > YEAR:
        # Not the same each day, as with every 3 hours and every 5.
        number, exact = round(yearly / YEAR), exact_yearly
        text = gettext("about %(rate)s") % {"rate": _a_day(number)} if exact else _a_day(number)
    elif yearly > 1:
        exact = exact_yearly
        count = number_format(yearly, force_grouping=True)
        text = ngettext("%(count)s run a year", "%(count)s runs a year", yearly) % {"count": count}
    else:
        return ""
    return text if exact else gettext("at most %(rate)s") % {"rate": text}


def _close(number: int, expected: int) -> bool:
    return abs(number - expected) <= expected * CLOSE


def _a_day(number: int) -> str:
    return ngettext("%(count)s run a day", "%(count)s runs a day", number) % {
        "count": number_format(number, force_grouping=True)
    }


def _count(schedule: Schedule, parts: Sequence[Schedule], start: datetime, end: datetime) -> tuple[int, bool]:
    """Count the ticks in [start, end); say whether the number is exact, as several schedules may share some."""
    after, until = start - MICROSECOND, end - MICROSECOND
    total = sum(part.count_between(after, until) for part in parts)
    if len(parts) == 1:
        return total, True
    return (total, False) if total > WALK else (schedule.count_between(after, until), True)
