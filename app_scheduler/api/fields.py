"""Fields of simple bodies and of addresses, whose messages say what to give instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from app_scheduler.quoting import in_quotes

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# In an address, the plus sign of an offset that was not written as %2B arrives as a space.
_LOST_PLUS = re.compile(r"(.*\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?) (\d{2}:?\d{2})", re.DOTALL)


def in_time(words: Callable[[], str]) -> StrPromise:
    """Return a text that is put into words when it is needed: fields outlive the request that they are made in."""
    return lazy(words, str)()  # type: ignore[return-value]  # a promise, to its stubs a str


def count_field(most: int, default: Any, **options: Any) -> serializers.IntegerField:
    """Return a field for a whole number from 1 to ``most``; with ``empty`` for a default it has to be given."""
    wanted = in_time(lambda: gettext("Give a whole number from 1 to %(most)s.") % {"most": f"{most:,}"})
    faults = ("required", "invalid", "null", "min_value", "max_value", "max_string_length")
    messages: dict[str, Any] = dict.fromkeys(faults, wanted)
    return serializers.IntegerField(min_value=1, max_value=most, default=default, error_messages=messages, **options)


class MomentField(serializers.Field):  # type: ignore[type-arg]  # generic in its stubs only
    """A date and time in ISO 8601, as an aware datetime in UTC; a date alone is its midnight, or its last moment.

    With ``of_job`` one without an offset stays naive, as it is meant in the zone of a job that is yet to be found.
    """

    default_error_messages = {"invalid": _("“{value}” is not a date and time. {help}")}

    def __init__(self, *, whole_day: bool = False, of_job: bool = False, **options: Any) -> None:
        self.whole_day, self.of_job = whole_day, of_job
        super().__init__(**options)
        if self.required:
            self.error_messages["required"] = in_time(lambda: self._help)

    @property
    def _help(self) -> str:
        if self.of_job:
            return gettext(
                "Give a date and time in ISO 8601, for example 2026-12-01T12:00:00+11:00. Without an offset it is "
                "meant in the job's time zone."
            )
        return gettext(
            "Give a date and time in ISO 8601, for example 2026-12-01T12:00:00+11:00. Without an offset it is meant in "
            "the site's time zone."
        )

    def to_internal_value(self, data: Any) -> datetime:
        text = data.strip() if isinstance(data, str) else ""
        if lost := _LOST_PLUS.fullmatch(text):
            text = f"{lost[1]}+{lost[2]}"
        try:
            # Beyond these years no database stores it, or no time zone has it.
            moment = self._moment(text)
            if not 1900 <= moment.year <= 9998:
                raise ValueError
            return moment
        except (ValueError, OverflowError):
            self.fail("invalid", value=str(data)[:60], help=self._help)

    def _moment(self, text: str) -> datetime:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.combine(day, time.max if self.whole_day else time())
        if moment.tzinfo is None:
            if self.of_job:
                return moment
            moment = timezone.make_aware(moment)
        return moment.astimezone(UTC)

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class ChoicesField(serializers.MultipleChoiceField):
    """One of several values, or several of them: the parameter given more than once."""

    def __init__(self, choices: Iterable[str], **options: Any) -> None:
        self.names = list(choices)
        super().__init__(choices=self.names, required=False, **options)
        listed = ", ".join(in_quotes(name) for name in self.names)
        self.error_messages["invalid_choice"] = in_time(
            lambda: gettext("“{input}” is not one of them. Use %(names)s.") % {"names": listed}
        )


class NamesField(serializers.CharField):
    """Names, separated by commas, of which each has to be known."""

    def __init__(self, known: Sequence[str], **options: Any) -> None:
        self.known = known
        super().__init__(required=False, **options)

    def to_internal_value(self, data: Any) -> list[str]:  # type: ignore[override]  # its stubs want another result
        names = [name.strip() for name in super().to_internal_value(data).split(",") if name.strip()]
        for name in names:
            if name not in self.known:
                near = get_close_matches(name, self.known, n=1)
                hint = (
                    gettext("Did you mean “%(name)s”?") % {"name": near[0]}
                    if near
                    else gettext("Use %(names)s.") % {"names": ", ".join(self.known)}
                )
                raise serializers.ValidationError(
                    gettext("There is no “%(name)s”. %(hint)s") % {"name": name[:60], "hint": hint}
                )
        return names
