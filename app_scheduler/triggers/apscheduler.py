"""Documents and live APScheduler triggers, in both directions.

``trigger_for`` gives triggers of our own that fire exactly as the schedule says; ``stock_trigger`` gives APScheduler's
own classes, the nearest that can be said with them, for processes that do not have this application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import WEEKDAYS
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

from . import crontab
from .cronfields import field_values, given_fields, runs
from .documents import (
    CALENDAR_UNITS,
    CLOCK,
    INTERVAL_UNITS,
    Document,
    canonical,
    end_of,
    interval_of,
    moment_of,
    start_of,
)
from .schedules import MICROSECOND, schedule_for
from .values import name_of_zone, shown, zone_of

# A trigger made without a start begins at "now + interval"; it reaches us within moments of being made.
_DEFAULTED = timedelta(seconds=5)


class ExactTrigger(BaseTrigger):
    """Fires as the document's schedule says. Mixed into APScheduler's classes: isinstance and attributes hold."""

    document: Document
    anchor: datetime

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the first tick after the previous one, else the first at or after ``now``.

        The first call for a single date returns it even when it is past, as APScheduler does, so that the engine can
        tell that it was missed.
        """
        schedule = schedule_for(self.document, anchor=self.anchor)
        if previous_fire_time is not None:
            return schedule.next_after(previous_fire_time)
        if self.document["type"] == "date":
            return moment_of(self.document["run_date"], self.document).astimezone(schedule.timezone)
        return schedule.next_after(now - MICROSECOND)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Document, datetime]]:
        return _rebuilt, (self.document, self.anchor)


def _rebuilt(document: Document, anchor: datetime) -> BaseTrigger:
    return trigger_for(document, anchor=anchor)


class ExactInterval(ExactTrigger, IntervalTrigger):
    """An interval whose ticks never drift."""


class ExactCron(ExactTrigger, CronTrigger):
    """Cron fields or a crontab line, right on DST days too."""


class ExactDate(ExactTrigger, DateTrigger):
    """One moment."""


class ExactCalendar(ExactTrigger, CalendarIntervalTrigger):
    """A calendar interval that never fires for the past."""


class ExactAny(ExactTrigger, OrTrigger):
    """Any of several, or a crontab line whose days match either way; none starves another."""


_EXACT: dict[type[Any], type[Any]] = {
    IntervalTrigger: ExactInterval,
    CronTrigger: ExactCron,
    DateTrigger: ExactDate,
    CalendarIntervalTrigger: ExactCalendar,
    OrTrigger: ExactAny,
}


def trigger_for(document: Mapping[str, Any], *, anchor: datetime) -> ExactTrigger:
    """Return a live trigger for a document, with ``.document`` and ``.anchor``. Raises InvalidInput for a bad one."""
    checked = canonical(document)
    stock, arguments = _stock(checked, anchor)
    if stock is OrTrigger and checked["type"] == "any":
        arguments = {"triggers": [trigger_for(child, anchor=anchor) for child in checked["triggers"]]}
    trigger: ExactTrigger = _EXACT[stock](**arguments)
    trigger.document, trigger.anchor = checked, anchor
    return trigger


def stock_trigger(document: Mapping[str, Any], *, anchor: datetime) -> BaseTrigger:
    """Return the nearest trigger of APScheduler's own classes. It has APScheduler's faults, on DST days above all."""
    stock, arguments = _stock(canonical(document), anchor)
    return stock(**arguments)


def _stock(document: Document, anchor: datetime) -> tuple[type[Any], dict[str, Any]]:
    kind = document["type"]
    if kind == "any":
        return OrTrigger, {"triggers": [stock_trigger(child, anchor=anchor) for child in document["triggers"]]}
    zone = zone_of(document)
    if kind == "date":
        moment = moment_of(document["run_date"], document).astimezone(zone)
        return DateTrigger, {"run_date": moment, "timezone": zone}
    shared: dict[str, Any] = {"timezone": zone, "jitter": document.get("jitter")}
    if kind == "calendar":
        start, end = document.get("start_date"), document.get("end_date")
        return CalendarIntervalTrigger, {
            **{name: document.get(name, 0) for name in (*CALENDAR_UNITS, *CLOCK)},
            **shared,
            "start_date": date.fromisoformat(start) if start else anchor.astimezone(zone).date(),
            "end_date": date.fromisoformat(end) if end else None,
        }
    for name, bound in (("start_date", start_of(document)), ("end_date", end_of(document))):
        shared[name] = bound.astimezone(zone) if bound is not None else None
    if kind == "interval":
        step = interval_of(document)
        if shared["start_date"] is None:
            shared["start_date"] = (anchor.astimezone(UTC) + step).astimezone(zone)
        return IntervalTrigger, {**{unit: document.get(unit, 0) for unit in INTERVAL_UNITS}, **shared}
    if "expression" not in document:
        fields = {
            name: _weekday_names(text) if name == "day_of_week" else text for name, text in given_fields(document)
        }
        return CronTrigger, {**fields, **shared}
    stock: Any = CronTrigger
    alternatives = _crontab_fields(crontab.parse(document["expression"]))
    if len(alternatives) == 1:
        return CronTrigger, {**alternatives[0], **shared}
    return OrTrigger, {"triggers": [stock(**fields, **shared) for fields in alternatives]}


def _weekday_names(text: str) -> str:
    """Return weekday fields without numbers, whose meaning differs between APScheduler, crontab and people."""
    if not any(char.isdigit() for char in text):
        return text
    return _weekday_list(field_values("day_of_week", text))


def _weekday_list(numbers: Iterable[int]) -> str:
    return runs(sorted(numbers), lambda number: WEEKDAYS[number])


def _full_or_runs(numbers: tuple[int, ...], size: int) -> str:
    return "*" if len(numbers) == size else runs(numbers)


def _crontab_fields(line: crontab.Crontab) -> list[dict[str, str]]:
    """Return APScheduler's fields for a crontab line: one set, or several of which any may match."""
    base = {
        "month": _full_or_runs(line.months, 12),
        "hour": _full_or_runs(line.hours, 24),
        "minute": _full_or_runs(line.minutes, 60),
        "second": _full_or_runs(line.seconds, 60),
    }
    days = sorted(line.days)
    by_month = ["last"] if line.last_day else []
    if days:
        by_month.insert(0, runs(days))
    positions = [
        f"{'last' if nth == crontab.LAST else ('1st', '2nd', '3rd', '4th', '5th')[nth - 1]} {WEEKDAYS[weekday]}"
        for weekday, nth in sorted(line.positions)
    ]
    every_day, every_weekday = len(days) == 31, len(line.weekdays) == 7
    weekdays = _weekday_list(line.weekdays)
    if line.either_day:
        alternatives = [{"day": ",".join(by_month + positions), "day_of_week": "*"}]
        if weekdays:
            alternatives.append({"day": "*", "day_of_week": weekdays})
    elif positions and not every_weekday:
        # APScheduler cannot require a position and a day of the month at once; the position is the nearer reading.
        alternatives = [{"day": ",".join(positions), "day_of_week": "*"}]
        if weekdays:
            alternatives.append({"day": "*" if every_day else ",".join(by_month), "day_of_week": weekdays})
    else:
        alternatives = [
            {"day": "*" if every_day else ",".join(by_month), "day_of_week": "*" if every_weekday else weekdays}
        ]
    return [{**alternative, **base} for alternative in alternatives]


def document_of(trigger: BaseTrigger) -> Document:
    """Return the document of a trigger, APScheduler's own or ours.

    An interval's start that lies at now + interval was defaulted and is left out. Raises InvalidInput for a trigger
    that no document can express, with the reason.
    """
    if isinstance(trigger, ExactTrigger):
        return canonical(trigger.document)
    for kind, read in _READERS.items():
        if type(trigger) is kind:
            try:
                return canonical(read(trigger))
            except ValueError as error:
                raise error if isinstance(error, InvalidInput) else InvalidInput(str(error)) from None
    if isinstance(trigger, AndTrigger):
        raise InvalidInput(
            gettext(
                "A trigger that needs several to agree (AndTrigger) is not supported: it can search without end. Use "
                "one cron trigger, whose fields must all match."
            )
        )
    raise InvalidInput(
        gettext(
            "%(type)s is not supported. Use IntervalTrigger, CronTrigger, DateTrigger, CalendarIntervalTrigger or "
            "OrTrigger."
        )
        % {"type": shown(type(trigger).__name__)}
    )


def _interval_document(trigger: Any) -> Document:
    length: timedelta = trigger.interval
    if length % timedelta(seconds=1):
        message = gettext("The interval %(length)s has a fraction of a second. Use whole seconds.")
        raise InvalidInput({"seconds": message % {"length": length}})
    seconds = int(length.total_seconds())
    document: Document = {"type": "interval"}
    if seconds % 604_800 == 0:
        document["weeks"] = seconds // 604_800
    else:
        for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)):
            document[unit], seconds = divmod(seconds, size)
    start, end = trigger.start_date, trigger.end_date
    if start is not None and abs(start - (datetime.now(UTC) + length)) > _DEFAULTED:
        document["start_date"] = start
    if end is not None:
        document["end_date"] = end
    if "start_date" in document or "end_date" in document:
        document["timezone"] = trigger.timezone
    document["jitter"] = trigger.jitter
    return document


def _cron_document(trigger: Any) -> Document:
    fields = {field.name: str(field) for field in trigger.fields if not field.is_default}
    if not fields:
        # CronTrigger() without a field fires every second.
        fields = {"second": "*"}
    return {
        "type": "cron",
        **fields,
        "start_date": trigger.start_date,
        "end_date": trigger.end_date,
        "timezone": trigger.timezone,
        "jitter": trigger.jitter,
    }


def _date_document(trigger: Any) -> Document:
    moment: datetime = trigger.run_date
    document: Document = {"type": "date", "run_date": moment}
    # A plain offset is in the date already and names no zone.
    if getattr(moment.tzinfo, "key", None) or getattr(moment.tzinfo, "zone", None):
        document["timezone"] = name_of_zone(moment.tzinfo)  # type: ignore[arg-type]  # always aware
    return document


def _calendar_document(trigger: Any) -> Document:
    clock = trigger._time
    return {
        "type": "calendar",
        **{unit: getattr(trigger, unit) for unit in CALENDAR_UNITS},
        "hour": clock.hour,
        "minute": clock.minute,
        "second": clock.second,
        "start_date": trigger.start_date,
        "end_date": trigger.end_date,
        "timezone": trigger.timezone,
        "jitter": trigger.jitter,
    }


def _any_document(trigger: Any) -> Document:
    children = [document_of(child) for child in trigger.triggers]
    if trigger.jitter:
        # Jitter belongs to each child here; a single date takes none.
        children = [
            child
            if child["type"] in ("date", "any")
            else {**child, "jitter": max(trigger.jitter, child.get("jitter", 0))}
            for child in children
        ]
    return {"type": "any", "triggers": children}


_READERS: dict[type[Any], Callable[[Any], Document]] = {
    IntervalTrigger: _interval_document,
    CronTrigger: _cron_document,
    DateTrigger: _date_document,
    CalendarIntervalTrigger: _calendar_document,
    OrTrigger: _any_document,
}
