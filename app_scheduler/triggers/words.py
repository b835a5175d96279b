"""A trigger document as one sentence in the active language."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from apscheduler.triggers.cron.expressions import WEEKDAYS
from django.utils import dateformat, dates
from django.utils.translation import get_language, gettext, ngettext

from . import crontab
from .cronfields import effective_fields, field_values, given_fields
from .documents import CALENDAR_UNITS, Document, canonical, moment_of
from .expressions import format_expression
from .phrases import Phrases, listed, phrases_for, spans, step_of
from .values import MIN_YEAR, default_zone_name, shown, zone_of

logger = logging.getLogger(__name__)


def describe(document: Mapping[str, Any], *, timezone: str | None = None) -> str:
    """Return one sentence, with the zone unless it is ``timezone`` (default ``settings.TIME_ZONE``). Never raises."""
    try:
        checked = canonical(document)
    except Exception:
        return _unreadable(document)
    try:
        return _sentence(checked, timezone or default_zone_name())
    except Exception:
        logger.exception("Cannot describe the trigger %s", shown(str(checked)))
        try:
            return format_expression(checked)
        except Exception:
            return _unreadable(document)


def _unreadable(document: object) -> str:
    return gettext("A trigger that cannot be read: %(trigger)s") % {"trigger": shown(document)}


def _sentence(document: Document, home: str) -> str:
    kind = document["type"]
    if kind == "any":
        parts = [_lower_first(_sentence(child, home)) for child in document["triggers"]]
        *head, last = parts
        if head:
            last = gettext("%(triggers)s; or %(last)s") % {"triggers": "; ".join(head), "last": last}
        return gettext("Any of: %(triggers)s") % {"triggers": last}
    if kind == "date":
        text = _date(document)
    else:
        text = {"interval": _every, "cron": _cron, "calendar": _calendar}[kind](document)
        text = _with_jitter(_with_bounds(text, document), document)
    return _with_zone(text, document, home)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _with_zone(text: str, document: Document, home: str) -> str:
    if document["type"] == "interval" and "start_date" not in document and "end_date" not in document:
        return text  # A bare interval is the same in every zone.
    zone = document.get("timezone") or default_zone_name()
    return gettext("%(schedule)s (%(zone)s)") % {"schedule": text, "zone": zone} if zone != home else text


def _with_jitter(text: str, document: Document) -> str:
    seconds = document.get("jitter")
    if not seconds:
        return text
    message = gettext("%(schedule)s, each run delayed by up to %(span)s")
    return message % {"schedule": text, "span": span_words(_units_of(seconds))}


def _units_of(seconds: int) -> dict[str, int]:
    units = {}
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)):
        units[unit], seconds = divmod(seconds, size)
    return units


def _with_bounds(text: str, document: Document) -> str:
    if "start_date" in document:
        start = _bound(document["start_date"], document)
        text = gettext("%(schedule)s, from %(start)s") % {"schedule": text, "start": start}
    if "end_date" in document:
        end = _bound(document["end_date"], document)
        text = gettext("%(schedule)s, until %(end)s") % {"schedule": text, "end": end}
    return text


def _bound(text: str, document: Document) -> str:
    if len(text) == 10:
        return day_words(date.fromisoformat(text))
    moment = _local(text, document)
    return moment_words(moment)


def _local(text: str, document: Document) -> datetime:
    """Return the wall that a canonical date and time names in the document's zone; a skipped one stays as named."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment_of(text, document).astimezone(zone_of(document))
    return moment.replace(tzinfo=None)


def day_words(day: date) -> str:
    # Translators: a date in Django's format letters, such as 5 Jan 2026.
    return dateformat.format(day, gettext("j M Y"))


def moment_words(moment: datetime) -> str:
    return gettext("%(day)s %(time)s") % {"day": day_words(moment), "time": clock_words(moment)}


def clock_words(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def _date(document: Document) -> str:
    moment = _local(document["run_date"], document)
    return gettext("Once, on %(day)s at %(time)s") % {
        # Translators: a date in Django's format letters, such as Mon 5 Jan 2026.
        "day": dateformat.format(moment, gettext("D j M Y")),
        "time": clock_words(moment),
    }


def _count(unit: str, number: int) -> str:
    forms = {
        "years": ngettext("%(number)d year", "%(number)d years", number),
        "months": ngettext("%(number)d month", "%(number)d months", number),
        "weeks": ngettext("%(number)d week", "%(number)d weeks", number),
        "days": ngettext("%(number)d day", "%(number)d days", number),
        "hours": ngettext("%(number)d hour", "%(number)d hours", number),
        "minutes": ngettext("%(number)d minute", "%(number)d minutes", number),
        "seconds": ngettext("%(number)d second", "%(number)d seconds", number),
    }
    return forms[unit] % {"number": number}


_SPAN_UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")


def span_words(span: Mapping[str, Any]) -> str:
    """Return “1 hour 30 minutes” of a mapping of units to numbers."""
    return " ".join(_count(unit, span[unit]) for unit in _SPAN_UNITS if span.get(unit))


def _every(span: Mapping[str, Any]) -> str:
    given = [(unit, span[unit]) for unit in _SPAN_UNITS if span.get(unit)]
    if len(given) > 1:
        return gettext("Every %(span)s") % {"span": span_words(span)}
    # “Every” agrees with the unit in many languages, so each unit has a message of its own.
    ((unit, number),) = given
    if number == 1:
        singles = {
            "years": gettext("Every year"),
            "months": gettext("Every month"),
            "weeks": gettext("Every week"),
            "days": gettext("Every day"),
            "hours": gettext("Every hour"),
            "minutes": gettext("Every minute"),
            "seconds": gettext("Every second"),
        }
        return singles[unit]
    several = {
        "years": ngettext("Every %(number)d year", "Every %(number)d years", number),
        "months": ngettext("Every %(number)d month", "Every %(number)d months", number),
        "weeks": ngettext("Every %(number)d week", "Every %(number)d weeks", number),
        "days": ngettext("Every %(number)d day", "Every %(number)d days", number),
        "hours": ngettext("Every %(number)d hour", "Every %(number)d hours", number),
        "minutes": ngettext("Every %(number)d minute", "Every %(number)d minutes", number),
        "seconds": ngettext("Every %(number)d second", "Every %(number)d seconds", number),
    }
    return several[unit] % {"number": number}


def _calendar(document: Document) -> str:
    clock = datetime(2000, 1, 1, document.get("hour", 0), document.get("minute", 0), document.get("second", 0))
    values = {"rhythm": _every({unit: document.get(unit, 0) for unit in CALENDAR_UNITS}), "time": clock_words(clock)}
    start = document.get("start_date")
    day = date.fromisoformat(start) if start else None
    by_month, by_day = document.get("months") or document.get("years"), document.get("weeks") or document.get("days")
    # The day on which each run falls is named where it is the same each time.
    if day is not None and document.get("months") and not by_day:
        return gettext("%(rhythm)s on day %(day)d at %(time)s") % {**values, "day": day.day}
    if day is not None and by_month and not by_day:
        # Translators: a day of the year in Django's format letters, such as 5 January.
        values["day"] = dateformat.format(day, gettext("j F"))
        return gettext("%(rhythm)s on %(day)s at %(time)s") % values
    if day is not None and document.get("weeks") and not by_month and not document.get("days"):
        values["weekday"] = str(dates.WEEKDAYS[day.weekday()])
        return gettext("%(rhythm)s on %(weekday)s at %(time)s") % values
    return gettext("%(rhythm)s at %(time)s") % values


def _cron(document: Document) -> str:
    language = get_language() or "en"
    if "expression" in document:
        return _crontab_words(document["expression"], language)
    return _field_words(given_fields(document), language)


@lru_cache(maxsize=2048)
def _crontab_words(expression: str, language: str) -> str:
    line = crontab.parse(expression)
    phrases = phrases_for(language)
    by_month = [phrases.days(sorted(line.days))] if 0 < len(line.days) < 31 else []
    if line.last_day:
        by_month.append(phrases.last_day())
    by_week = [phrases.position(weekday, nth) for weekday, nth in sorted(line.positions)]
    if 0 < len(line.weekdays) < 7:
        alone = not by_week and not (by_month and line.either_day)
        by_week.append(phrases.weekdays(sorted(line.weekdays), alone=alone))
    if line.either_day and len(line.days) < 31 and len(line.weekdays) < 7:
        days = [_either([*by_month, *by_week])]
    elif line.either_day:
        days = []  # One of the two takes every day, so the other adds nothing.
    elif len(line.weekdays) == 7:
        days = [_either(by_month)]
    else:
        days = _both(_either(by_month), _either(by_week))
    parts = line.parts
    return _joined(
        [phrases.time(parts["second"], parts["minute"], parts["hour"]), *days, *_months(phrases, line.months)]
    )


@lru_cache(maxsize=2048)
def _field_words(given: tuple[tuple[str, str], ...], language: str) -> str:
    fields = effective_fields(given)
    phrases = phrases_for(language)
    by_month: list[str] = []
    if fields["day"] != "*":
        items = fields["day"].split(",")
        numbers = [item for item in items if item[0] in "*0123456789" and " " not in item]
        if numbers:
            by_month.append(phrases.days(field_values("day", ",".join(numbers))))
        if "last" in items:
            by_month.append(phrases.last_day())
        for item in items:
            place, _, name = item.partition(" ")
            if name:
                nth = crontab.LAST if place == "last" else int(place[0])
                by_month.append(phrases.position(WEEKDAYS.index(name), nth))
    weekdays = field_values("day_of_week", fields["day_of_week"])
    days = _both(_either(by_month), phrases.weekdays(weekdays) if len(weekdays) < 7 else "")
    parts = [phrases.time(fields["second"], fields["minute"], fields["hour"]), *days]
    parts += _months(phrases, field_values("month", fields["month"]))
    weeks = field_values("week", fields["week"])
    if len(weeks) < 53:
        parts.append(_weeks(weeks))
    if fields["year"] != "*":
        parts.append(_years(fields["year"]))
    return _joined(parts)


def _weeks(numbers: Sequence[int]) -> str:
    step = step_of(numbers)
    if step > 1:
        message = ngettext(
            "every %(step)d ISO week from week %(first)d to week %(last)d",
            "every %(step)d ISO weeks from week %(first)d to week %(last)d",
            step,
        )
        return message % {"step": step, "first": numbers[0], "last": numbers[-1]}
    message = ngettext("in ISO week %(weeks)s", "in ISO weeks %(weeks)s", len(numbers))
    return message % {"weeks": spans(numbers)}


def _years(text: str) -> str:
    items = [_year(item) for item in text.split(",")]
    return (
        items[0]
        if text.startswith("*/") and len(items) == 1
        else gettext("only in %(years)s") % {"years": listed(items)}
    )


def _year(item: str) -> str:
    span, _, step_text = item.partition("/")
    first, dash, last = span.partition("-")
    if not step_text:
        return gettext("%(first)s to %(last)s") % {"first": first, "last": last} if dash else item
    step = int(step_text)
    values = {"step": step, "first": MIN_YEAR if first == "*" else first, "last": last}
    if dash:
        message = ngettext(
            "every %(step)d year from %(first)s to %(last)s", "every %(step)d years from %(first)s to %(last)s", step
        )
    else:
        message = ngettext("every %(step)d year from %(first)s", "every %(step)d years from %(first)s", step)
    return message % values


def _months(phrases: Phrases, numbers: Sequence[int]) -> list[str]:
    return [phrases.months(numbers)] if len(numbers) < 12 else []


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(filter(None, parts))


def _either(phrases: Sequence[str]) -> str:
    """Join phrases of which any may match."""
    if len(phrases) < 2:
        return "".join(phrases)
    return _joined([phrases[0], *(gettext("or %(day)s") % {"day": phrase} for phrase in phrases[1:])])


def _both(by_month: str, by_week: str) -> list[str]:
    if not by_month or not by_week:
        return [by_month or by_week]
    return [gettext("%(day)s, %(weekday)s (both must match)") % {"day": by_month, "weekday": by_week}]
