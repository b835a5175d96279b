"""Types of dates, times and durations, which JSON writes as ISO 8601."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from datetime import timezone as fixed_offset
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.signature.durations import duration_of_seconds, iso_duration, parse_duration
from app_scheduler.signature.plain import Json, Refused, quote
from app_scheduler.signature.values.base import ValueType


class DateType(ValueType):
    names = (_("date"), _("dates"), _("a date"))
    refusal = _("%(value)s is not a date. Give one such as %(example)s.")
    example = "2026-01-31"

    def parse(self, value: Json) -> Any:
        try:
            return date.fromisoformat(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None

    def dump(self, value: Any) -> Json:
        if isinstance(value, datetime) or not isinstance(value, date):
            raise self.refuse(value)
        return value.isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class DateTimeType(ValueType):
    """Stored as ISO 8601 with an offset. A moment without one is read in the current time zone of Django."""

    names = (_("date and time"), _("dates and times"), _("a date and time"))
    refusal = _("%(value)s is not a date and time. Give one such as %(example)s.")
    example = "2026-01-31T12:00:00+11:00"

    def parse(self, value: Json) -> Any:
        try:
            moment = datetime.fromisoformat(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None
        if moment.utcoffset() is not None:
            return moment
        aware = _aware(moment)
        if not _exists(aware):
            raise Refused(
                gettext(
                    "%(value)s does not exist in %(zone)s: the clocks go forward over it. Choose "
                    "another time, or give the offset from UTC with it."
                )
                % {"value": quote(value), "zone": timezone.get_current_timezone_name()}
            )
        return aware

    def dump(self, value: Any) -> Json:
        if not isinstance(value, datetime):
            raise self.refuse(value)
        return (value if value.utcoffset() is not None else _aware(value)).isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


def _aware(moment: datetime) -> datetime:
    """Return a naive moment in the current time zone, with a fixed offset; of a repeated hour the first pass."""
    local = moment.replace(tzinfo=timezone.get_current_timezone())
    offset = local.utcoffset() or timedelta()
    # isoformat() writes the offset down, so carry exactly that: the rules of the zone may change later.
    return moment.replace(tzinfo=fixed_offset(offset))


def _exists(aware: datetime) -> bool:
    """Say whether the wall clock of the current time zone ever shows this moment's time."""
    try:
        local = aware.astimezone(timezone.get_current_timezone())
    except OverflowError:  # the first and last day of the calendar; no zone changes its clocks there
        return True
    return local.replace(tzinfo=None) == aware.replace(tzinfo=None)


class TimeType(ValueType):
    names = (_("time of day"), _("times of day"), _("a time of day"))
    refusal = _("%(value)s is not a time of day. Give one such as %(example)s.")
    example = "14:30:00"

    def parse(self, value: Json) -> Any:
        try:
            return time.fromisoformat(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None

    def dump(self, value: Any) -> Json:
        if not isinstance(value, time):
            raise self.refuse(value)
        return value.isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "time"}


class DurationType(ValueType):
    """Stored as ISO 8601 ("PT1H30M"). Read from that, from "1h 30m", "01:30:00", and from a number of seconds."""

    names = (_("duration"), _("durations"), _("a duration"))
    refusal = _("%(value)s is not a duration. Give one such as %(example)s.")
    example = "1h 30m"

    def parse(self, value: Json) -> Any:
        try:
            if isinstance(value, str):
                return parse_duration(value)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return duration_of_seconds(Decimal(repr(value)))
        except OverflowError:
            raise Refused(
                gettext("%(value)s is too long. Give less than 999,999,999 days.") % {"value": quote(value)}
            ) from None
        except ValueError:
            pass
        raise Refused(
            gettext("%(value)s is not a duration. Give one such as 1h 30m, PT1H30M or 90 (seconds).")
            % {"value": quote(value)}
        )

    def dump(self, value: Any) -> Json:
        if not isinstance(value, timedelta):
            raise self.refuse(value)
        return iso_duration(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "duration"}
