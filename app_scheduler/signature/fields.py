"""The form field of a parameter: which one it gets, with its label, help, placeholder and initial value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext

from app_scheduler.signature.fieldtypes import (
    LONG,
    CheckboxField,
    ChoiceField,
    DateField,
    DateTimeField,
    DecimalNumberField,
    DurationField,
    JsonField,
    LineField,
    NumberField,
    PathField,
    TextField,
    TimeField,
    WholeNumberField,
)
from app_scheduler.signature.parameters import Parameter
from app_scheduler.signature.plain import Json
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
    return isinstance(default, str) and (len(default) > LONG or "\n" in default)


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
