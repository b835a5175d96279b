"""Inputs that several forms share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from django import forms


def line(label: Any = "", help_text: Any = "", *, size: int = 0, **attrs: Any) -> forms.CharField:
    """Return an input of one line, whose content is checked below."""
    widget = forms.TextInput({**({"size": size} if size else {}), **attrs})
    return forms.CharField(label=label, required=False, widget=widget, help_text=help_text)


def count(label: Any, help_text: Any = "", **attrs: Any) -> forms.CharField:
    widget = forms.TextInput({"inputmode": "numeric", "size": 8, "class": "vIntegerField", **attrs})
    return forms.CharField(label=label, required=False, widget=widget, help_text=help_text)


class Lines(forms.Textarea):
    """Several inputs of one line under one name. Their value is one text with a line for each of them."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        sent = data.getlist(name) if hasattr(data, "getlist") else [data[name]] if name in data else []
        return "\n".join(str(each) for each in sent) if sent else None


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return all time zones that have a place in their name, and UTC."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("SystemV/")))
