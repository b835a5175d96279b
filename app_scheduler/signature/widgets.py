"""Inputs where a browser's own would lose something: a moment's seconds, a text's line breaks, a "no" that was said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.utils.safestring import SafeString


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


class GrowingTextInput(forms.TextInput):
    """A line, or an area where the text has line breaks, which browsers would drop from a line."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        if isinstance(value, str) and "\n" in value:
            return forms.Textarea({"rows": 4, **self.attrs}).render(name, value, dict(attrs or {}), renderer)
        return super().render(name, value, dict(attrs or {}), renderer)


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
