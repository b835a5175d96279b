"""Trigger documents: their shape, checked field by field and brought into one canonical form.

This module knows the shape only. Whether a schedule ever fires is a question of time, answered in ``normalising``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from app_scheduler.exceptions import InvalidInput

from . import crontab
from .cronfields import FIELDS, field_text
from .values import date_text, is_absent, moment_text, shown, whole_number, zone_name, zone_of
from .walls import instant_of

Document = dict[str, Any]

INTERVAL_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
CALENDAR_UNITS = ("years", "months", "weeks", "days")
CLOCK = ("hour", "minute", "second")
KINDS = ("interval", "cron", "date", "calendar", "any")
# A schedule that repeats less than once in a century is a typing error, and sums of such spans overflow.
CENTURY = timedelta(days=36_525)
MAX_JITTER = 7 * 86_400
MAX_TRIGGERS = 20

_SHARED = ("timezone", "start_date", "end_date", "jitter")
KEYS: dict[str, tuple[str, ...]] = {
    "interval": (*INTERVAL_UNITS, *_SHARED),
    "cron": (*FIELDS, "expression", *_SHARED),
    "date": ("run_date", "timezone"),
    "calendar": (*CALENDAR_UNITS, *CLOCK, *_SHARED),
    "any": ("triggers",),
}
_UNIT_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_CALENDAR_LIMITS = {"years": 100, "months": 1_200, "weeks": 5_217, "days": 36_525}
_CLOCK_LIMITS = {"hour": 23, "minute": 59, "second": 59}

FORMS = gettext_lazy(
    "Use a crontab line (0 3 * * mon-fri or @daily), “every 1h 30m”, “at 2026-12-01 12:00”, "
    "“cron hour=3 day_of_week=mon-fri”, “calendar months=2 hour=9”, or several of them joined by “ | ”; each may end "
    "in “in Australia/Sydney”, “from 2026-01-01”, “until 2026-12-31” or “jitter 30s”."
)


def kinds() -> str:
    """Return the names of all types, as a sentence lists them."""
    return gettext("%(first)s or %(last)s") % {"first": ", ".join(KINDS[:-1]), "last": KINDS[-1]}


def kind_of(document: Mapping[str, Any]) -> str:
    """Return "interval", "cron", "date", "calendar" or "any"."""
    kind = document.get("type")
    if kind not in KINDS:
        message = gettext("%(type)s is not a type of trigger. Use %(types)s.")
        raise InvalidInput({"type": message % {"type": shown(kind), "types": kinds()}})
    return str(kind)


class _Errors(dict[str, list[str]]):
    """Messages by field, gathered so that a person sees all of them at once."""

    def add(self, path: str, message: str) -> None:
        self.setdefault(path, []).append(message)

    def run(self, path: str, parse: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return parse(*args, **options)
        except ValueError as error:
            self.add(path, str(error))
            return None

    def include(self, error: InvalidInput) -> None:
        for path, messages in error.errors.items():
            for message in messages:
                self.add(path, message)

    def check(self) -> None:
        if self:
            raise InvalidInput(self)


def canonical(document: object) -> Document:
    """Return the checked canonical copy of a document of any type. Raises InvalidInput with a path per field."""
    if not isinstance(document, Mapping):
        raise InvalidInput(
            gettext("A trigger is an object with a type, or a schedule expression, not %(type)s. %(forms)s")
            % {"type": shown(type(document).__name__), "forms": FORMS}
        )
    if document.get("type") is None:
        raise InvalidInput({"type": gettext("Say which type of trigger this is: %(types)s.") % {"types": kinds()}})
    try:
        kind = kind_of(document)
    except TypeError:
        raise InvalidInput({"type": gettext("Use %(types)s.") % {"types": kinds()}}) from None
    errors = _Errors()
    given: dict[str, Any] = {}
    # A hostile document may have a million keys; the first few are enough to say what is wrong.
    for key in list(document)[:100]:
        if key == "type":
            continue
        if key not in KEYS[kind]:
            errors.add(str(key)[:40] if isinstance(key, str) else "", _unknown(kind, key))
        elif not is_absent(document[key]):
            given[key] = document[key]
    if kind == "any":
        return _any(given, errors)
    result: Document = {"type": kind}
    _SHAPES[kind](given, result, errors)
    _shared(kind, given, result, errors)
    errors.check()
    return result


def _unknown(kind: str, key: object) -> str:
    homes = [other for other in KINDS if key in KEYS[other]] if isinstance(key, str) else []
    if key == "timezone":
        message = gettext(
            "A trigger of type %(type)s has no %(key)s. Give each of the triggers its own time zone. It has: %(keys)s."
        )
    elif homes:
        message = gettext("A trigger of type %(type)s has no %(key)s. It belongs to: %(homes)s. It has: %(keys)s.")
    else:
        message = gettext("A trigger of type %(type)s has no %(key)s. Remove it. It has: %(keys)s.")
    return message % {"type": kind, "key": shown(key), "homes": ", ".join(homes), "keys": ", ".join(KEYS[kind])}


def _whole_numbers(
    names: Mapping[str, int], given: dict[str, Any], result: Document, errors: _Errors, *, keep_zero: bool = False
) -> None:
    for name, limit in names.items():
        if name in given:
            number = errors.run(name, whole_number, given[name], 0, limit)
            if number is not None and (number or keep_zero):
                result[name] = number


def _interval(given: dict[str, Any], result: Document, errors: _Errors) -> None:
    limits = {unit: int(CENTURY.total_seconds()) // _UNIT_SECONDS[unit] for unit in INTERVAL_UNITS}
    _whole_numbers(limits, given, result, errors)
    if errors:
        return
    length = interval_of(result)
    if not length:
        errors.add("", gettext("An interval is at least 1 second. Give weeks, days, hours, minutes or seconds."))
    elif length > CENTURY:
        errors.add("", gettext("An interval is at most 100 years."))


def interval_of(document: Mapping[str, Any]) -> timedelta:
    return timedelta(**{unit: document[unit] for unit in INTERVAL_UNITS if unit in document})


def _cron(given: dict[str, Any], result: Document, errors: _Errors) -> None:
    names = [name for name in FIELDS if name in given]
    if "expression" in given:
        if names:
            message = gettext("Give either a crontab line or the fields, not both. Remove this, or %(fields)s.")
            errors.add("expression", message % {"fields": ", ".join(names)})
            return
        result["expression"] = _crontab_text(given["expression"], errors)
        return
    for name in names:
        text = errors.run(name, field_text, name, given[name])
        if text is not None:
            result[name] = text
    if not names:
        # APScheduler would fire such a trigger every second.
        errors.add("", gettext("Give at least one field, for example hour, or a crontab line such as 0 3 * * *."))


def _crontab_text(value: object, errors: _Errors) -> str | None:
    if not isinstance(value, str):
        message = gettext("%(value)s is not a crontab line. Write one such as 0 3 * * mon-fri.")
        errors.add("expression", message % {"value": shown(value)})
        return None
    try:
        return crontab.parse(value).text
    except InvalidInput as error:
        for line in error.lines():
            errors.add("expression", line)
        return None


def _date(given: dict[str, Any], result: Document, errors: _Errors) -> None:
    if "run_date" not in given:
        errors.add("run_date", gettext("Say when to run, for example 2026-12-01 12:00."))
        return
    text = errors.run("run_date", moment_text, given["run_date"])
    if text is not None:
        result["run_date"] = text


def _calendar(given: dict[str, Any], result: Document, errors: _Errors) -> None:
    _whole_numbers(_CALENDAR_LIMITS, given, result, errors)
    _whole_numbers(_CLOCK_LIMITS, given, result, errors, keep_zero=True)
    if not errors and not any(unit in result for unit in CALENDAR_UNITS):
        errors.add("", gettext("A calendar interval is at least 1 day. Give years, months, weeks or days."))


_SHAPES: dict[str, Callable[[dict[str, Any], Document, _Errors], None]] = {
    "interval": _interval,
    "cron": _cron,
    "date": _date,
    "calendar": _calendar,
}


def _shared(kind: str, given: dict[str, Any], result: Document, errors: _Errors) -> None:
    parse: Callable[[object], str] = date_text if kind == "calendar" else _bound_text
    for name in ("start_date", "end_date"):
        if name in given:
            text = errors.run(name, parse, given[name])
            if text is not None:
                result[name] = text
    if "timezone" in given:
        name = errors.run("timezone", zone_name, given["timezone"])
        if name is not None:
            result["timezone"] = name
    if "jitter" in given:
        jitter = errors.run("jitter", whole_number, given["jitter"], 0, MAX_JITTER)
        if jitter:
            result["jitter"] = jitter
    if not errors and "start_date" in result and "end_date" in result and _ends_before_start(result):
        errors.add(
            "end_date",
            gettext("The end, %(end)s, is before the start, %(start)s. This schedule never fires. Choose a later end.")
            % {"end": shown_moment(result["end_date"]), "start": shown_moment(result["start_date"])},
        )


def _bound_text(value: object) -> str:
    return moment_text(value, keep_date=True)


def shown_moment(text: str) -> str:
    """Return a canonical date and time as people write it: a space, and no seconds where they are zero."""
    day, mark, clock = text.partition("T")
    if not mark:
        return day
    return f"{day} {clock[:5] + clock[8:] if clock[5:8] == ':00' and clock[8:9] != '.' else clock}"


def start_of(document: Mapping[str, Any]) -> datetime | None:
    """Return the first instant that ``start_date`` admits; a date alone begins at its midnight."""
    return _bound(document, "start_date", time())


def end_of(document: Mapping[str, Any]) -> datetime | None:
    """Return the last instant that ``end_date`` admits; a date alone covers its whole day."""
    return _bound(document, "end_date", time(23, 59, 59, 999_999))


def _bound(document: Mapping[str, Any], name: str, clock: time) -> datetime | None:
    text = document.get(name)
    if text is None:
        return None
    if len(text) == 10:
        text = datetime.combine(datetime.fromisoformat(text), clock).isoformat()
    return moment_of(text, document)


def moment_of(text: str, document: Mapping[str, Any]) -> datetime:
    """Return the instant of a canonical date and time; without an offset it is in the document's zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return instant_of(moment, zone_of(dict(document)))
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    # The last hours of year 9999 have no UTC equivalent in zones behind it.
    return instant_of(moment.replace(tzinfo=None), moment.tzinfo)  # type: ignore[arg-type]  # any tzinfo will do


def _ends_before_start(document: Document) -> bool:
    start, end = start_of(document), end_of(document)
    return start is not None and end is not None and end < start


def _any(given: dict[str, Any], errors: _Errors) -> Document:
    errors.check()
    children = given.get("triggers")
    if not isinstance(children, (list, tuple)) or not children:
        raise InvalidInput({"triggers": gettext("Give a list of at least one trigger.")})
    flat: list[Document] = []
    _flatten(children, "triggers", 0, flat, errors)
    errors.check()
    return {"type": "any", "triggers": flat}


def _flatten(children: Sequence[object], path: str, depth: int, flat: list[Document], errors: _Errors) -> None:
    """Append the checked children in order, those of nested any-of triggers in their place."""
    if depth > MAX_TRIGGERS or len(children) > MAX_TRIGGERS or len(flat) > MAX_TRIGGERS:
        errors.add("triggers", too_many_triggers())
        return
    for index, child in enumerate(children):
        where = f"{path}.{index}"
        if isinstance(child, Mapping) and child.get("type") == "any":
            nested = child.get("triggers")
            unknown = [key for key in child if key not in ("type", "triggers")]
            if unknown:
                errors.add(where, _unknown("any", unknown[0]))
            elif isinstance(nested, (list, tuple)) and nested:
                _flatten(nested, f"{where}.triggers", depth + 1, flat, errors)
            else:
                errors.add(f"{where}.triggers", gettext("Give a list of at least one trigger."))
            continue
        try:
            flat.append(_child(child))
        except InvalidInput as error:
            errors.include(error.under(where))
    if len(flat) > MAX_TRIGGERS:
        errors.setdefault("triggers", [too_many_triggers()])


def too_many_triggers() -> str:
    return gettext("Use at most %(count)d triggers in one schedule.") % {"count": MAX_TRIGGERS}


def _child(child: object) -> Document:
    if isinstance(child, str):
        # Expressions are read above this module; they hand over documents.
        from .expressions import parse_expression

        parsed = parse_expression(child)
        if parsed["type"] == "any":
            raise InvalidInput(gettext("Give each of the triggers as an item of its own."))
        return parsed
    return canonical(child)
