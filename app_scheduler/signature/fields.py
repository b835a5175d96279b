"""Form fields for parameters: what a page shows for stored JSON, and the JSON that a submitted page means.

A field shows exactly what it reads back: ``show`` turns stored JSON into what the input displays, ``clean`` checks what
was submitted, ``read`` turns that into JSON. Saving a form that nobody touched changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from app_scheduler.signature.durations import duration_in_words, parse_duration
from app_scheduler.signature.plain import Json, Refused, plain, read_json
from app_scheduler.signature.secrecy import has_mask, mask_keys
from app_scheduler.signature.values import (
    BoolType,
    ChoiceType,
    DateTimeType,
    DateType,
    DecimalType,
    DurationType,
    FloatType,
    IntType,
    JsonType,
    NullableType,
    Option,
    PathType,
    TextType,
    TimeType,
    UuidType,
    ValueType,
    shown,
)

if TYPE_CHECKING:
    from app_scheduler.signature.function import Parameter

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
_LONG = 60


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


class NativeInput(forms.TextInput):
    """A browser's own picker, where it can say the value; else a text input, as the picker would lose a part of it."""

    native: re.Pattern[str]

    def get_context(self, name: str, value: Any, attrs: Mapping[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, dict(attrs or {}))
        text = context["widget"]["value"]
        if text is None or self.native.fullmatch(text):
            context["widget"]["type"] = self.attrs["data-native"]
        return context


class NativeDateInput(NativeInput):
    native = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__({"data-native": "date", **(attrs or {})})


class NativeTimeInput(NativeInput):
    native = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        # Without a step browsers take seconds for an error.
        super().__init__({"data-native": "time", "step": "1", **(attrs or {})})


class NativeDateTimeInput(NativeInput):
    native = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?")

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__({"data-native": "datetime-local", "step": "1", **(attrs or {})})


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


class GrowingTextInput(forms.TextInput):
    """A line, or an area where the text has line breaks, which browsers would drop from a line."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        if isinstance(value, str) and "\n" in value:
            return forms.Textarea({"rows": 4, **self.attrs}).render(name, value, dict(attrs or {}), renderer)
        return super().render(name, value, dict(attrs or {}), renderer)


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
        return text if len(text) <= _LONG else dumps(value, ensure_ascii=False, indent=2)

    def read(self, cleaned: Any) -> Json:
        if cleaned is None:
            return LEFT_OUT
        return None if cleaned is NULL else cleaned


class ArgumentCheckbox(forms.CheckboxInput):
    """A checkbox that tells "no" from "not said".

    Browsers send nothing for an unchecked box. A second, hidden input says that the argument is given, so that an
    argument that is left out stays left out and one that is stored as no stays no.
    """

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        box = super().render(name, value, dict(attrs or {}), renderer)
        if value is None:
            return box
        return box + forms.HiddenInput().render(f"{name}-given", "1", None, renderer)

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        checked = super().value_from_datadict(dict_of(data), files, name)
        return checked or (False if f"{name}-given" in data else None)


def dict_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return submitted data as a dict with one value for each name, the last that was sent."""
    return {name: data[name] for name in data}


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


_FIELDS: dict[type[ValueType], Callable[..., Any]] = {
    TextType: TextField,
    IntType: WholeNumberField,
    FloatType: NumberField,
    DecimalType: DecimalNumberField,
    DateType: DateField,
    DateTimeType: DateTimeField,
    TimeType: TimeField,
    DurationType: DurationField,
    UuidType: LineField,
    PathType: PathField,
}


def field_for(parameter: Parameter) -> Any:
    """Return an unbound `ArgumentField` for a parameter, with its widget, help and initial value."""
    inner = parameter.type.inner if isinstance(parameter.type, NullableType) else parameter.type
    if isinstance(inner, (BoolType, ChoiceType)):
        field = _checkbox_or_select(parameter, inner)
    elif type(inner) in _FIELDS and not _null_needs_saying(parameter):
        field = _FIELDS[type(inner)](required=_required(parameter), **_texts(parameter))
        field.value_type = inner
        if isinstance(inner, TextType) and _is_long(parameter.default):
            field.widget = forms.Textarea({"rows": 4})
    else:
        field = JsonField(required=_required(parameter), **_texts(parameter, json=True))
        field.value_type = parameter.type
        field.widget.attrs.update({"rows": 4, "spellcheck": "false"})
    if parameter.is_secret:
        field.widget = forms.PasswordInput({"autocomplete": "new-password"}, render_value=False)
    elif parameter.has_default and parameter.default is not None:
        default = field.show(parameter.default)
        field.initial = default
        if isinstance(field.widget, (forms.TextInput, forms.Textarea)) and default != "":
            # Seen where the argument is left out of a stored job, whose input is then empty.
            field.widget.attrs["placeholder"] = str(default)
    field.widget.is_required = field.required
    return field


def _required(parameter: Parameter) -> bool:
    # An empty secret keeps the stored one, so that only the whole of the arguments can say whether it is missing.
    return parameter.required and not parameter.nullable and not parameter.is_secret


def _null_needs_saying(parameter: Parameter) -> bool:
    """Say whether None differs from leaving the argument out, so that an empty input cannot mean both."""
    return parameter.nullable and not parameter.required and not (parameter.has_default and parameter.default is None)


def _is_long(default: Json) -> bool:
    return isinstance(default, str) and (len(default) > _LONG or "\n" in default)


def _checkbox_or_select(parameter: Parameter, inner: BoolType | ChoiceType) -> Any:
    if isinstance(inner, BoolType) and not parameter.nullable and (parameter.required or parameter.default is False):
        field: Any = CheckboxField(required=False, **_texts(parameter))
        field.value_type = inner
        return field
    options: list[tuple[Json, str]]
    if isinstance(inner, BoolType):
        options = [(True, gettext("Yes")), (False, gettext("No"))]
    else:
        options = _options(inner.options)
    if parameter.nullable and (parameter.required or _null_needs_saying(parameter)):
        options = [*options, (None, gettext("Nothing"))]
    empty = (
        "---------" if parameter.required else gettext("Default (%(value)s)") % {"value": _label(options, parameter)}
    )
    field = ChoiceField(options=options, empty=empty, required=_required(parameter), **_texts(parameter))
    field.value_type = parameter.type
    return field


def _options(options: Sequence[Option]) -> list[tuple[Json, str]]:
    return [(option.json, str(option.label)) for option in options]


def _label(options: Sequence[tuple[Json, str]], parameter: Parameter) -> str:
    if not parameter.has_default:
        return gettext("set in code")
    for value, label in options:
        if type(value) is type(parameter.default) and value == parameter.default:
            return label.lower() if isinstance(value, bool) else label
    return gettext("nothing")


def _texts(parameter: Parameter, *, json: bool = False) -> dict[str, Any]:
    """Return label and help text. Help is HTML to Django's forms, so a docstring's "<" is escaped."""
    sentences = [parameter.help] if parameter.help else []
    example = shown(parameter.type.example)
    inner = parameter.type.inner if isinstance(parameter.type, NullableType) else parameter.type
    if json:
        kind = parameter.type_label
        is_any = isinstance(inner, JsonType)
        text = gettext("JSON, such as %(example)s.") if is_any else gettext("%(type)s, as JSON, such as %(example)s.")
        sentences.append(text % {"type": kind[:1].upper() + kind[1:], "example": example})
        if _null_needs_saying(parameter):
            sentences.append(gettext("Write null for nothing."))
    elif isinstance(inner, DurationType):
        sentences.append(gettext("Such as %(example)s.") % {"example": example})
    elif isinstance(inner, TextType) and (parameter.required or parameter.default):
        sentences.append(gettext('Write "" for an empty text.'))
    if parameter.is_secret:
        sentences.append(gettext("Leave empty to keep the stored value."))
    elif not parameter.required and not parameter.has_default:
        sentences.append(gettext("Leave empty for the default that the code sets."))
    elif not parameter.required and parameter.default not in (None, "", [], {}, False):
        sentences.append(gettext("Leave empty for the default."))
    label = parameter.name.replace("_", " ").strip()
    text = " ".join(sentence if sentence.endswith((".", "!", "?")) else f"{sentence}." for sentence in sentences)
    return {"label": label[:1].upper() + label[1:], "help_text": escape(text)}
