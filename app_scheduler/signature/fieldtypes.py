"""A form field for each type: what a page shows for stored JSON, and the JSON that a submitted page means.

A field shows exactly what it reads back: ``show`` turns stored JSON into what the input displays, ``clean`` checks what
was submitted, ``read`` turns that into JSON. Saving a form that nobody touched changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from app_scheduler.signature.durations import duration_in_words, parse_duration
from app_scheduler.signature.plain import Json, Refused, plain, read_json
from app_scheduler.signature.secrecy import has_mask, mask_keys
from app_scheduler.signature.values import ValueType, shown
from app_scheduler.signature.widgets import (
    ArgumentCheckbox,
    GrowingTextInput,
    NativeDateInput,
    NativeDateTimeInput,
    NativeTimeInput,
)

if TYPE_CHECKING:
    _Base = forms.Field
else:
    _Base = object


class _LeftOut:
    def __repr__(self) -> str:
        return "LEFT_OUT"


class _Null:
    """JSON's null where somebody wrote it; an empty input is None and means that the argument is left out."""

    def __repr__(self) -> str:
        return "null"


LEFT_OUT: Any = _LeftOut()
NULL: Any = _Null()

#: Text longer than this gets several lines to be edited in.
LONG = 60


class ArgumentField(_Base):
    """Mixed into a Django field: its values are those of one parameter's type. Cleaned empty input is None."""

    value_type: ValueType

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = value.strip()
        if value in (None, ""):
            return None
        try:
            return self.value_type.parse(plain(value))
        except Refused as refusal:
            raise ValidationError(str(refusal), code="invalid") from None

    def show(self, value: Json) -> Any:
        """Return what the input displays for stored JSON."""
        return value

    def read(self, cleaned: Any) -> Json:
        """Return the JSON for cleaned data, or LEFT_OUT."""
        return LEFT_OUT if cleaned is None or cleaned == "" else self.value_type.dump(cleaned)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except ValidationError:
            return True


class WholeNumberField(ArgumentField, forms.IntegerField):
    pass


class NumberField(ArgumentField, forms.FloatField):
    pass


class DecimalNumberField(ArgumentField, forms.DecimalField):
    pass


class DateField(ArgumentField, forms.DateField):
    widget = NativeDateInput


class TimeField(ArgumentField, forms.TimeField):
    widget = NativeTimeInput


class DateTimeField(ArgumentField, forms.DateTimeField):
    """Shows a moment as local time where that says exactly the stored value, else with its offset from UTC."""

    widget = NativeDateTimeInput

    def show(self, value: Json) -> Any:
        try:
            local = datetime.fromisoformat(value).replace(tzinfo=None).isoformat()
            return local if self.value_type.clean(local) == value else value
        except (Refused, TypeError, ValueError):
            return value


class DurationField(ArgumentField, forms.CharField):
    def show(self, value: Json) -> Any:
        try:
            return duration_in_words(parse_duration(value))
        except (AttributeError, TypeError, ValueError, OverflowError):
            return value


class LineField(ArgumentField, forms.CharField):
    """Text on one line that has a type of its own, such as a UUID."""


def line_feeds(value: Any) -> Any:
    """Return submitted text with line feeds for the line breaks that browsers send."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


class PathField(ArgumentField, forms.CharField):
    widget = GrowingTextInput

    def to_python(self, value: Any) -> Any:
        # Blanks may belong to a path, so nothing is stripped.
        if value in (None, ""):
            return None
        try:
            return self.value_type.parse(plain(line_feeds(value)))
        except Refused as refusal:
            raise ValidationError(str(refusal), code="invalid") from None


_QUOTES = re.compile(r'("")*')


class TextField(ArgumentField, forms.CharField):
    """Text as it is, blanks included. Empty means left out, and two double quotes mean an empty text.

    So that every text can be written, a text of nothing but an even number of double quotes is shown with two more.
    Line breaks are those of forms: a carriage return becomes a line feed.
    """

    widget = GrowingTextInput
    empty_values = [None]  # "" is a text once it is cleaned

    def to_python(self, value: Any) -> Any:
        if value in (None, ""):
            return None
        text = line_feeds(str(value))
        if _QUOTES.fullmatch(text):
            text = text[2:]
        try:
            return self.value_type.parse(text)
        except Refused as refusal:
            raise ValidationError(str(refusal), code="invalid") from None

    def show(self, value: Json) -> Any:
        return f'""{value}' if isinstance(value, str) and _QUOTES.fullmatch(value) else value

    def read(self, cleaned: Any) -> Json:
        return LEFT_OUT if cleaned is None else self.value_type.dump(cleaned)


class JsonField(ArgumentField, forms.CharField):
    """JSON text, checked against the parameter's type. Cleans to plain JSON, with NULL for a null."""

    widget = forms.Textarea
    empty_values = [None]  # [] and {} are values

    def to_python(self, value: Any) -> Any:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            json = read_json(value) if isinstance(value, str) else plain(value)
            # A mask is put back where the whole of the arguments is known, and checked there.
            json = json if has_mask(json) else self.value_type.clean(json)
        except Refused as refusal:
            raise ValidationError(str(refusal), code="invalid") from None
        return NULL if json is None else json

    def show(self, value: Json) -> Any:
        value = mask_keys(value)
        text = dumps(value, ensure_ascii=False)
        return text if len(text) <= LONG else dumps(value, ensure_ascii=False, indent=2)

    def read(self, cleaned: Any) -> Json:
        if cleaned is None:
            return LEFT_OUT
        return None if cleaned is NULL else cleaned


class CheckboxField(ArgumentField, forms.BooleanField):
    """Yes, no, or None for not said."""

    widget = ArgumentCheckbox

    def to_python(self, value: Any) -> Any:
        if value is None or value == "":
            return None
        return super().to_python(value)


class ChoiceField(ArgumentField, forms.ChoiceField):
    """A select of JSON values. Its keys are the values' texts, or their JSON where two texts are the same."""

    def __init__(self, *, options: Sequence[tuple[Json, str]], empty: str, **kwargs: Any) -> None:
        values = [value for value, _ in options]
        keys = [shown(value) for value in values]
        if "" in keys or len(set(keys)) < len(keys):
            keys = [dumps(value, ensure_ascii=False) for value in values]
        self.by_key = dict(zip(keys, values, strict=True))
        choices = [("", empty), *zip(keys, (label for _, label in options), strict=True)]
        super().__init__(choices=choices, **kwargs)

    def to_python(self, value: Any) -> Any:
        return None if value in (None, "") else str(value)

    def show(self, value: Json) -> Any:
        for key, known in self.by_key.items():
            if type(known) is type(value) and known == value:
                return key
        return value

    def read(self, cleaned: Any) -> Json:
        return LEFT_OUT if cleaned in (None, "") else self.by_key[cleaned]
