"""Single values of a trigger document: whole numbers, dates, time zones.

Every function raises ``ValueError`` whose message says the fix; callers put it beside the field.
"""

from __future__ import annotations

import difflib
import math
import re
import zoneinfo
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_lazy

from app_scheduler.quoting import in_quotes

# APScheduler's cron fields begin at 1970, and nothing is scheduled before it. The upper end is datetime's own.
MIN_YEAR, MAX_YEAR = 1970, 9999

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0{1,18})?")
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s?(?P<offset>Z|[+-]\d{2}:?\d{2}(?::\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)
_MOMENT_HELP = gettext_lazy("Write it as 2026-12-01 12:00, or with an offset as 2026-12-01T12:00:00+11:00.")
_SHOWN = 40


def shown(value: object) -> str:
    """Return the value as a message may quote it: in quotation marks and never longer than a line."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:
        text = type(value).__name__
    text = "".join(char if char.isprintable() else "�" for char in text[: _SHOWN + 1])
    return in_quotes(f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text)


def grouped(number: int) -> str:
    """Return a number as the active language writes it, its thousands set apart."""
    return number_format(number, force_grouping=True)


def is_absent(value: object) -> bool:
    """Absent, null and blank mean the same in a document: not given."""
    return value is None or (isinstance(value, str) and not value.strip())


def whole_number(value: object, low: int, high: int) -> int:
    """Return an int from 5, 5.0 or "5"; refuse everything else and everything outside low to high."""
    number: int
    if isinstance(value, bool):
        raise ValueError(
            gettext("Use a whole number from %(low)s to %(high)s, not true or false.")
            % {"low": low, "high": grouped(high)}
        )
    if isinstance(value, int):
        number = value
    elif isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer():
            raise ValueError(
                gettext("%(value)s is not a whole number. Use %(low)s to %(high)s, or a smaller unit.")
                % {"value": shown(value), "low": low, "high": grouped(high)}
            )
        number = int(value)
    elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        number = int(value.strip().partition(".")[0])
    else:
        raise ValueError(
            gettext("%(value)s is not a whole number. Use %(low)s to %(high)s.")
            % {"value": shown(value), "low": low, "high": grouped(high)}
        )
    if not low <= number <= high:
        # An int beyond the interpreter's digit limit cannot even be printed.
        text = grouped(number) if abs(number) < 10**18 else gettext("This number")
        raise ValueError(
            gettext("%(number)s is out of range. Use %(low)s to %(high)s.")
            % {"number": text, "low": low, "high": grouped(high)}
        )
    return number


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def zone_name(value: object) -> str:
    """Return the IANA name of a zone given by name or as a ``tzinfo`` that has one."""
    if isinstance(value, tzinfo):
        return name_of_zone(value)
    if not isinstance(value, str):
        raise ValueError(
            gettext("%(value)s is not a time zone. Use a name such as Australia/Sydney or UTC.")
            % {"value": shown(value)}
        )
    name = value.strip()
    if name in _zone_names():
        return name
    near: list[str] = []
    if len(name) <= 64:
        by_case = {known.lower(): known for known in _zone_names()}
        city = "/" + name.lower().replace(" ", "_")
        near = [
            *filter(None, [by_case.get(name.lower())]),
            *sorted(zone for zone in _zone_names() if zone.lower().endswith(city)),
            *difflib.get_close_matches(name, _zone_names(), 1, 0.75),
        ]
    if near:
        message = gettext("%(value)s is not a known time zone. Did you mean %(near)s?")
        raise ValueError(message % {"value": shown(name), "near": near[0]})
    raise ValueError(
        gettext("%(value)s is not a known time zone. Use a name such as Australia/Sydney or UTC.")
        % {"value": shown(name)}
    )


def name_of_zone(zone: tzinfo) -> str:
    """Return the IANA name of a ``tzinfo``: ZoneInfo's key, pytz's zone, UTC, or Etc/GMT±n for whole hours."""
    key = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(key, str) and key in _zone_names():
        return key
    offset = zone.utcoffset(None) if isinstance(zone, timezone) else None
    if offset == timedelta(0):
        return "UTC"
    if offset is not None and offset % timedelta(hours=1) == timedelta(0):
        hours = offset // timedelta(hours=1)
        # POSIX turns the sign round: Etc/GMT-10 is ten hours east of Greenwich.
        name = f"Etc/GMT{-hours:+d}"
        if name in _zone_names():
            return name
    raise ValueError(
        gettext("The time zone %(zone)s has no IANA name, so it cannot be stored. Use one such as Australia/Sydney.")
        % {"zone": shown(str(zone))}
    )


def default_zone_name() -> str:
    """The zone of a document that names none: ``settings.TIME_ZONE``, read at each use so that overrides work."""
    return settings.TIME_ZONE or "UTC"


def zone_of(document: dict[str, Any]) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(document.get("timezone") or default_zone_name())


def _checked_year(moment: date) -> None:
    if not MIN_YEAR <= moment.year <= MAX_YEAR:
        raise ValueError(
            gettext("The year %(year)s is out of range. Use %(low)s to %(high)s.")
            % {"year": moment.year, "low": MIN_YEAR, "high": MAX_YEAR}
        )


def moment_text(value: object, *, keep_date: bool = False) -> str:
    """Return a date and time in ISO 8601, with seconds; without an offset it is meant in the document's zone.

    A date alone stays a date when ``keep_date`` is set (a bound that covers the day), else it is that day's midnight.
    """
    if isinstance(value, datetime):
        _checked_year(value)
        return value.replace(fold=0).isoformat() if value.tzinfo is None else value.isoformat()
    if isinstance(value, date):
        _checked_year(value)
        return value.isoformat() if keep_date else datetime.combine(value, time()).isoformat()
    if not isinstance(value, str):
        raise ValueError(_not_a_moment(value))
    match = _MOMENT.fullmatch(value.strip())
    if not match:
        raise ValueError(_not_a_moment(value))
    moment: date
    try:
        if match["clock"] is None:
            moment = date.fromisoformat(match["day"])
        else:
            moment = datetime.fromisoformat(f"{match['day']}T{match['clock']}{(match['offset'] or '').upper()}")
    except (ValueError, OverflowError):
        raise ValueError(
            gettext("%(value)s does not exist: no calendar or clock shows it. %(help)s")
            % {"value": shown(value), "help": _MOMENT_HELP}
        ) from None
    return moment_text(moment, keep_date=keep_date)


def _not_a_moment(value: object) -> str:
    return gettext("%(value)s is not a date and time. %(help)s") % {"value": shown(value), "help": _MOMENT_HELP}


def date_text(value: object) -> str:
    """Return a calendar date, YYYY-MM-DD; midnight of a day counts as the day."""
    text = moment_text(value, keep_date=True)
    if len(text) == 10:
        return text
    if text[10:] == "T00:00:00":
        return text[:10]
    raise ValueError(
        gettext("%(value)s has a time of day; here only a date fits, such as %(date)s.")
        % {"value": shown(value), "date": text[:10]}
    )
