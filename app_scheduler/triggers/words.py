"""A trigger document as one sentence in the active language.

cron-descriptor supplies the phrases of cron fields, one field at a time: in a list such as ``L,15`` or with both days
restricted its whole sentences are wrong, and its weekday numbers begin with Sunday.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import cron_descriptor
from cron_descriptor import ExpressionDescriptor, Options
from django.utils import dateformat, dates
from django.utils.translation import get_language, gettext, ngettext, to_locale

from . import crontab
from .cronfields import effective_fields, given_fields, runs, weekday_numbers
from .documents import CALENDAR_UNITS, Document, canonical, moment_of
from .expressions import format_expression
from .values import default_zone_name, shown, zone_of

logger = logging.getLogger(__name__)

_LIST_LIMIT = 6
_ENGLISH_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ENGLISH_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


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
        return gettext("Any of: %(triggers)s") % {"triggers": gettext(" or ").join(parts)}
    if kind == "date":
        text = _date(document)
    else:
        text = {"interval": _interval, "cron": _cron, "calendar": _calendar}[kind](document)
        text += _bounds(document) + _jitter(document)
    return text + _zone(document, home)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _zone(document: Document, home: str) -> str:
    if document["type"] == "interval" and "start_date" not in document and "end_date" not in document:
        return ""  # A bare interval is the same in every zone.
    zone = document.get("timezone") or default_zone_name()
    return f" ({zone})" if zone != home else ""


def _jitter(document: Document) -> str:
    seconds = document.get("jitter")
    if not seconds:
        return ""
    return gettext(", each run delayed by up to %(span)s") % {"span": span_words(_units_of(seconds))}


def _units_of(seconds: int) -> dict[str, int]:
    units = {}
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)):
        units[unit], seconds = divmod(seconds, size)
    return units


def _bounds(document: Document) -> str:
    text = ""
    if "start_date" in document:
        text += gettext(", from %(start)s") % {"start": _bound(document["start_date"], document)}
    if "end_date" in document:
        text += gettext(", until %(end)s") % {"end": _bound(document["end_date"], document)}
    return text


def _bound(text: str, document: Document) -> str:
    if len(text) == 10:
        return day_words(date.fromisoformat(text))
    moment = _local(text, document)
    return f"{day_words(moment)} {clock_words(moment)}"


def _local(text: str, document: Document) -> datetime:
    """Return the wall that a canonical date and time names in the document's zone; a skipped one stays as named."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment_of(text, document).astimezone(zone_of(document))
    return moment.replace(tzinfo=None)


def day_words(day: date) -> str:
    return dateformat.format(day, "j M Y")


def clock_words(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def _date(document: Document) -> str:
    moment = _local(document["run_date"], document)
    return gettext("Once, on %(day)s at %(time)s") % {
        "day": dateformat.format(moment, "D j M Y"),
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
    if len(given) == 1 and given[0][1] == 1:
        singles = {
            "years": gettext("Every year"),
            "months": gettext("Every month"),
            "weeks": gettext("Every week"),
            "days": gettext("Every day"),
            "hours": gettext("Every hour"),
            "minutes": gettext("Every minute"),
            "seconds": gettext("Every second"),
        }
        return singles[given[0][0]]
    return gettext("Every %(span)s") % {"span": span_words(span)}


def _interval(document: Document) -> str:
    return _every(document)


def _calendar(document: Document) -> str:
    clock = datetime(2000, 1, 1, document.get("hour", 0), document.get("minute", 0), document.get("second", 0))
    text = _every({unit: document.get(unit, 0) for unit in CALENDAR_UNITS})
    start = document.get("start_date")
    if start:
        text += _calendar_day(document, date.fromisoformat(start))
    return gettext("%(rhythm)s at %(time)s") % {"rhythm": text, "time": clock_words(clock)}


def _calendar_day(document: Document, start: date) -> str:
    """Name the day on which each run falls, where it is the same each time."""
    by_month, by_day = document.get("months") or document.get("years"), document.get("weeks") or document.get("days")
    if by_month and not by_day:
        if document.get("months"):
            return gettext(" on day %(day)d") % {"day": start.day}
        return gettext(" on %(day)s") % {"day": dateformat.format(start, "j F")}
    if document.get("weeks") and not by_month and not document.get("days"):
        return gettext(" on %(day)s") % {"day": dates.WEEKDAYS[start.weekday()]}
    return ""


def _cron(document: Document) -> str:
    language = get_language() or "en"
    if "expression" in document:
        return _crontab_words(document["expression"], language)
    return _field_words(given_fields(document), language)


@lru_cache(maxsize=2048)
def _crontab_words(expression: str, language: str) -> str:
    line = crontab.parse(expression)
    phrases = _Phrases(language)
    parts = line.parts
    by_month: list[str] = []
    if line.days and len(line.days) < 31:
        numbers = [item for item in parts["day"].split(",") if item != "L"]
        by_month.append(phrases.day(",".join(numbers)))
    if line.last_day:
        by_month.append(phrases.day("L"))
    positions = [phrases.position(weekday, nth) for weekday, nth in sorted(line.positions)]
    weekdays = phrases.weekdays(line.weekdays) if line.weekdays and len(line.weekdays) < 7 else ""
    by_week = [*positions, *([weekdays] if weekdays else [])]
    everyday = len(line.days) == 31 if line.either_day else False
    if line.either_day and not everyday and len(line.weekdays) < 7:
        days = phrases.alternatives([*by_month, *by_week])
    elif line.either_day:
        days = ""  # One of the two takes every day, so the other adds nothing.
    elif len(line.weekdays) == 7:
        days = phrases.alternatives(by_month)
    else:
        days = phrases.both(phrases.alternatives(by_month), phrases.alternatives(by_week))
    return phrases.sentence(parts["second"], parts["minute"], parts["hour"], days, parts["month"], line)


@lru_cache(maxsize=2048)
def _field_words(given: tuple[tuple[str, str], ...], language: str) -> str:
    fields = effective_fields(given)
    phrases = _Phrases(language)
    by_month: list[str] = []
    if fields["day"] != "*":
        items = fields["day"].split(",")
        numbers = [item for item in items if item[0] in "*0123456789" and " " not in item]
        if numbers:
            by_month.append(phrases.day(",".join(numbers)))
        if "last" in items:
            by_month.append(phrases.day("L"))
        for item in items:
            place, _, name = item.partition(" ")
            if name:
                nth = crontab.LAST if place == "last" else int(place[0])
                by_month.append(phrases.position(weekday_numbers(name)[0], nth))
    days = phrases.alternatives(by_month)
    if fields["day_of_week"] != "*":
        numbers_of_week = weekday_numbers(fields["day_of_week"])
        if len(numbers_of_week) < 7:
            days = phrases.both(days, phrases.weekdays(frozenset(numbers_of_week)))
    text = phrases.sentence(fields["second"], fields["minute"], fields["hour"], days, fields["month"], None)
    if fields["week"] != "*":
        text += gettext(", in ISO week %(weeks)s") % {"weeks": fields["week"].replace(",", ", ")}
    if fields["year"] != "*":
        text += phrases.year(fields["year"])
    return text


class _Phrases:
    """cron-descriptor's phrases in one language, each of one field. They begin with a comma and a space."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._options = Options(locale_code=_descriptor_locale(language), use_24hour_time_format=True)

    def _describer(self, *parts: str) -> ExpressionDescriptor:
        return ExpressionDescriptor(" ".join(parts), self._options)

    def day(self, text: str) -> str:
        return self._named(self._describer("0", "0", "0", text, "*", "*").get_day_of_month_description())

    def position(self, weekday: int, nth: int) -> str:
        number = (weekday + 1) % 7
        text = f"{number}L" if nth == crontab.LAST else f"{number}#{nth}"
        return self._named(self._describer("0", "0", "0", "*", "*", text).get_day_of_week_description())

    def weekdays(self, numbers: frozenset[int]) -> str:
        # Monday to Saturday are 1 to 6 on both sides; Sunday, 6 here and 0 there, goes last.
        text = runs(sorted(number for number in numbers if number < 6), lambda number: str(number + 1))
        text = ",".join(filter(None, [text, "0" if 6 in numbers else ""]))
        return self._named(self._describer("0", "0", "0", "*", "*", text).get_day_of_week_description())

    def year(self, text: str) -> str:
        return str(self._describer("0", "0", "0", "*", "*", "*", text).get_year_description())

    def alternatives(self, phrases: list[str]) -> str:
        """Join phrases of which any may match."""
        if len(phrases) < 2:
            return "".join(phrases)
        rest = [phrase.removeprefix(", ").removeprefix("only ") for phrase in phrases[1:]]
        return phrases[0] + "".join(gettext(", or %(day)s") % {"day": phrase} for phrase in rest)

    def both(self, by_month: str, by_week: str) -> str:
        if not by_month or not by_week:
            return by_month or by_week
        return by_month + by_week + gettext(" (both must match)")

    def sentence(self, second: str, minute: str, hour: str, days: str, month: str, line: crontab.Crontab | None) -> str:
        text = self._time(second, minute, hour, line)
        month_phrase = ""
        if month != "*":
            month_phrase = self._named(self._describer("0", "0", "0", "*", month, "*").get_month_description())
        return text + days + month_phrase

    def _time(self, second: str, minute: str, hour: str, line: crontab.Crontab | None) -> str:
        # In English our own words are shorter; other languages keep cron-descriptor's, which are translated.
        own = _listed(second, minute, hour) or _hourly(second, minute, hour) if self._language.startswith("en") else ""
        if own:
            return own
        return str(self._describer(second, minute, hour, "*", "*", "*").get_full_description())

    def _named(self, text: str) -> str:
        """Translate the names of weekdays and months, which cron-descriptor takes from the process's locale."""
        if self._language.startswith("en"):
            return text
        for number, name in enumerate(_ENGLISH_WEEKDAYS):
            text = text.replace(name, str(dates.WEEKDAYS[number]))
        for number, name in enumerate(_ENGLISH_MONTHS, 1):
            text = text.replace(name, str(dates.MONTHS[number]))
        return text


def _listed(second: str, minute: str, hour: str) -> str:
    """Return “At 09:00 and 09:30” for the few times of day that plain lists of numbers make."""
    fields = [field.split(",") for field in (hour, minute, second)]
    if not all(item.isdigit() for field in fields for item in field):
        return ""
    hours, minutes, seconds = (sorted({int(item) for item in field}) for field in fields)
    if len(hours) * len(minutes) * len(seconds) > _LIST_LIMIT:
        return ""
    shape = "{:02}:{:02}" if seconds == [0] else "{:02}:{:02}:{:02}"
    *head, last = [shape.format(h, m, s) for h in hours for m in minutes for s in seconds]
    return f"At {', '.join(head)} and {last}" if head else f"At {last}"


def _hourly(second: str, minute: str, hour: str) -> str:
    """Return “Every 2 hours from 09:05 to 17:05” for one minute of a range of hours."""
    span, _, step_text = hour.partition("/")
    first_text, dash, last_text = span.partition("-")
    if not (dash and minute.isdigit() and second.isdigit() and first_text.isdigit() and last_text.isdigit()):
        return ""
    step = int(step_text or 1)
    hours = range(int(first_text), int(last_text) + 1, step)
    if len(hours) < 2:
        return ""
    tail = f":{int(minute):02}" + (f":{int(second):02}" if int(second) else "")
    rhythm = "Every hour" if step == 1 else f"Every {step} hours"
    return f"{rhythm} from {hours[0]:02}{tail} to {hours[-1]:02}{tail}"


@lru_cache(maxsize=64)
def _descriptor_locale(language: str) -> str:
    """Return cron-descriptor's locale for a Django language: the same, one of the same language, or English."""
    folder = Path(cron_descriptor.__file__).parent / "locale"
    known = sorted(path.stem for path in folder.glob("*.mo"))
    wanted = to_locale(language)
    if wanted in known:
        return wanted
    if language.startswith("zh-hant"):
        return "zh_TW"
    base = wanted.partition("_")[0]
    if f"{base}_{base.upper()}" in known:
        return f"{base}_{base.upper()}"
    return next((name for name in known if name.partition("_")[0] == base), "en_US")
