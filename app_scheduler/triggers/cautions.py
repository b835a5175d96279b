"""What to know about a schedule before saving it: how often, which days it leaves out, what DST does, when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron.expressions import WEEKDAYS
from django.utils.formats import number_format
from django.utils.translation import gettext

from .documents import CENTURY, Document, canonical, end_of, interval_of
from .expressions import format_expression
from .schedules import CalendarSchedule, CronSchedule, Schedule, cron_of, schedule_for
from .values import zone_of
from .walls import Shift, is_skipped, shift_around, shift_at
from .words import clock_words, day_words, moment_words

# Once a minute is usual; more often deserves a thought.
OFTEN = 1_440
MICROSECOND, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
YEAR = timedelta(days=366)
SHORT_MONTH = 28


def warnings_for(document: Mapping[str, Any], *, anchor: datetime, now: datetime) -> list[str]:
    """Return sentences in the active language. Looks one year ahead; raises InvalidInput for a bad document."""
    checked = canonical(document)
    now = now.astimezone(UTC)
    schedule = schedule_for(checked, anchor=anchor)
    if schedule.next_after(now) is None:
        return [gettext("This schedule has ended: it does not fire again.")]
    children = checked["triggers"] if checked["type"] == "any" else [checked]
    found = [*_frequency(children)]
    for child in children:
        found += [*_short_months(child, anchor), *_uneven_steps(child)]
        child_schedule = schedule_for(child, anchor=anchor)
        if child_schedule.next_after(now) is None:
            found.append(gettext("One of the schedules has ended: it does not fire again."))
            continue
        found += [*_shifts(child, child_schedule, now), *_drift(child, child_schedule, now), *_end(child)]
    return list(dict.fromkeys(found))


def _frequency(children: list[Document]) -> Iterator[str]:
    per_day = sum(_per_day(child) for child in children)
    if per_day > OFTEN:
        yield gettext("Fires %(count)s times a day.") % {"count": number_format(per_day, force_grouping=True)}


def _per_day(document: Document) -> int:
    """Return how often a schedule fires on a day on which it does; of several at most this sum."""
    if document["type"] == "interval":
        return DAY // interval_of(document)
    if document["type"] == "cron":
        cron = cron_of(document)
        return len(cron.hours) * len(cron.minutes) * len(cron.seconds)
    return 1


def _short_months(document: Document, anchor: datetime) -> Iterator[str]:
    """Say that months without the day are left out: APScheduler and cron skip them rather than move to the last day."""
    day = 0
    if document["type"] == "calendar" and (document.get("months") or document.get("years")):
        if not (document.get("weeks") or document.get("days")):
            start = document.get("start_date")
            day = (date.fromisoformat(start) if start else anchor.astimezone(zone_of(document)).date()).day
    elif document["type"] == "cron":
        day = _first_day(document)
    if day > SHORT_MONTH:
        yield gettext("Months without a day %(day)d are skipped.") % {"day": day}


def _first_day(document: Document) -> int:
    """Return the least day of the month when only days count that some months lack, else 0."""
    if "expression" in document:
        expression: str = document["expression"]
        if expression.startswith("@"):
            return 0
        fields = expression.split()
        day, weekday = fields[-3], fields[-1]
        if not weekday.startswith("*"):
            return 0
    else:
        day = document.get("day", "*")
    numbers = [item.partition("-")[0] for item in day.split(",")]
    if not all(number.isdigit() for number in numbers):
        return 0
    return min(int(number) for number in numbers)


def _uneven_steps(document: Document) -> Iterator[str]:
    if document["type"] != "cron":
        return
    cron = cron_of(document)
    values, size = (cron.seconds, 60) if len(cron.seconds) > 1 else (cron.minutes, 60)
    if len(values) < 3 or values[0] != 0:
        return
    step = values[1]
    if step > 1 and list(values) == list(range(0, size, step)) and size % step:
        yield gettext("The step of %(step)d starts anew at %(first)s, so the last gap is shorter.") % {
            "step": step,
            "first": ":00",
        }


def _end(document: Document) -> Iterator[str]:
    end = end_of(document)
    if end is not None:
        local = end.astimezone(zone_of(document))
        text = moment_words(local) if len(document["end_date"]) > 10 else day_words(local)
        yield gettext("Ends on %(end)s.") % {"end": text}


def shifts_between(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Shift]:
    """Yield the changes of a zone's offset in (start, end], both in UTC."""
    low = start
    while low < end:
        high = min(low + timedelta(days=14), end)
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            yield shift_around(zone, low, high)
        low = high


def _coming_shifts(zone: ZoneInfo, now: datetime) -> Iterator[Shift]:
    return shifts_between(zone, now, min(now, datetime.max.replace(tzinfo=UTC) - CENTURY) + YEAR)


def _shifts(document: Document, schedule: Schedule, now: datetime) -> Iterator[str]:
    """Name the coming days on which the wall clock skips or repeats a time of this schedule."""
    zone = schedule.timezone
    if document["type"] == "date":
        wall = datetime.fromisoformat(document["run_date"])
        if wall.tzinfo is None and is_skipped(wall, zone):
            shift = shift_at(wall, zone)
            if shift is not None:
                yield _skipped(wall, shift, zone)
        return
    if not isinstance(schedule, (CronSchedule, CalendarSchedule)):
        return
    for shift in _coming_shifts(zone, now):
        low, high = min(shift.before, shift.after), max(shift.before, shift.after)
        wall_in = _wall_in(schedule, low, high)
        if wall_in is None or not _is_live(schedule, shift):
            continue
        if isinstance(schedule, CronSchedule) and not schedule.cron.fixed:
            if len(schedule.cron.hours) < 24:
                yield _rhythm(low, high, zone, skipped=shift.before < shift.after)
        elif shift.before < shift.after:
            yield _skipped(wall_in, shift, zone)
        else:
            yield gettext("On %(day)s %(time)s happens twice in %(zone)s; it fires the first time only.") % {
                "day": day_words(wall_in),
                "time": clock_words(wall_in),
                "zone": zone.key,
            }


def _drift(document: Document, schedule: Schedule, now: datetime) -> Iterator[str]:
    """Say when an interval of whole days first leaves its time of day, which those who set one seldom mean."""
    if document["type"] != "interval" or interval_of(document) % DAY:
        return
    zone, first = schedule.timezone, schedule.next_after(now)
    for shift in _coming_shifts(zone, now):
        tick = schedule.next_after(shift.instant - MICROSECOND)
        if first is None or tick is None:
            return
        before, after = first.astimezone(zone), tick.astimezone(zone)
        if before.time() != after.time():
            fixed = _fixed_time(document, before)
            by_cron = gettext(
                "It fires every %(hours)s hours: after the clocks change on %(change)s in %(zone)s it comes at "
                "%(after)s instead of %(before)s. To keep the time of day use a fixed time, such as "
                "“%(schedule)s”."
            )
            by_calendar = gettext(
                "It fires every %(hours)s hours: after the clocks change on %(change)s in %(zone)s it comes at "
                "%(after)s instead of %(before)s. To keep the time of day use a calendar interval, such as "
                "“%(schedule)s”."
            )
            yield (by_cron if fixed["type"] == "cron" else by_calendar) % {
                "hours": number_format(interval_of(document) // HOUR, force_grouping=True),
                "change": moment_words(shift.before),
                "zone": zone.key,
                "before": clock_words(before),
                "after": clock_words(after),
                "schedule": format_expression(fixed),
            }
            return


def _fixed_time(document: Document, first: datetime) -> Document:
    """Return the schedule that comes as often as an interval of whole days and keeps the time of its first tick."""
    days = interval_of(document) // DAY
    numbers = {"hour": first.hour, "minute": first.minute, "second": first.second}
    clock = {name: number for name, number in numbers.items() if number or name == "hour"}
    zone = {"timezone": document["timezone"]} if "timezone" in document else {}
    if days in (1, 7):
        weekday = {} if days == 1 else {"day_of_week": WEEKDAYS[first.weekday()]}
        return {"type": "cron", **weekday, **{name: str(number) for name, number in clock.items()}, **zone}
    span = {"days": days} if days % 7 else {"weeks": days // 7}
    return {"type": "calendar", **span, **clock, "start_date": first.date().isoformat(), **zone}


def _is_live(schedule: Schedule, shift: Shift) -> bool:
    """True when ticks come within the days around the shift, so bounds and sequences are kept."""
    return schedule.next_after(shift.instant - DAY) is not None


def _wall_in(schedule: CronSchedule | CalendarSchedule, low: datetime, high: datetime) -> datetime | None:
    """Return the schedule's first wall in [low, high)."""
    if isinstance(schedule, CronSchedule):
        wall = schedule.first_wall(low)
        return wall if wall is not None and wall < high else None
    for day in schedule.dates_from(low.date()):
        wall = datetime.combine(day, schedule.clock)
        if low <= wall < high:
            return wall
        if wall >= high:
            break
    return None


def _skipped(wall: datetime, shift: Shift, zone: ZoneInfo) -> str:
    return gettext("On %(day)s %(time)s does not exist in %(zone)s; it fires at %(end)s.") % {
        "day": day_words(wall),
        "time": clock_words(wall),
        "zone": zone.key,
        "end": clock_words(shift.after),
    }


def _rhythm(low: datetime, high: datetime, zone: ZoneInfo, *, skipped: bool) -> str:
    text = (
        gettext("On %(day)s %(start)s to %(end)s does not exist in %(zone)s; runs in it are left out.")
        if skipped
        else gettext("On %(day)s %(start)s to %(end)s happens twice in %(zone)s; runs in it happen twice.")
    )
    return text % {"day": day_words(low), "start": clock_words(low), "end": clock_words(high), "zone": zone.key}
