"""What the shapes are made of."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Shown(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """What an answer is made of: every field is there, and none may be sent."""

    def get_fields(self) -> Any:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only, field.required = True, False
        return fields


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a document as an answer has them."""
    for field in document.values():
        field.read_only, field.required = True, False
        field.default = serializers.empty
    return document


def moment(text: str, *, null: bool = True) -> Any:
    return serializers.DateTimeField(help_text=f"{text} ISO 8601 with an offset.", allow_null=null)


def json_list(text: str, **options: Any) -> Any:
    return serializers.ListField(child=serializers.JSONField(), help_text=text, **options)


def json_object(text: str, **options: Any) -> Any:
    return serializers.DictField(child=serializers.JSONField(), help_text=text, **options)


def whole(text: str, least: int = 0, **options: Any) -> Any:
    return serializers.IntegerField(min_value=least, help_text=text, **options)


class Problem(Shown):
    """Why it cannot be done."""

    detail = serializers.CharField()
