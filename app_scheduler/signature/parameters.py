"""One parameter of a function: how it may be given, its type and default, and whether its value is a secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app_scheduler.signature.plain import Json
from app_scheduler.signature.secrecy import looks_secret
from app_scheduler.signature.values import (
    BoolType,
    ChoiceType,
    DateTimeType,
    DateType,
    DurationType,
    NullableType,
    TimeType,
    ValueType,
)


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


#: The default of a parameter that has none, or one that JSON cannot say (an object, a function).
NO_DEFAULT: Any = _NoDefault()

#: Values of these types give nothing away, whatever the parameter is called (``reset_password: bool``).
_NEVER_SECRET = (BoolType, ChoiceType, DateType, DateTimeType, TimeType, DurationType)


class Kind(StrEnum):
    """How an argument may be given."""

    POSITIONAL_ONLY = "positional only"
    POSITIONAL_OR_KEYWORD = "positional or keyword"
    KEYWORD_ONLY = "keyword only"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``default`` is JSON, or `NO_DEFAULT`; ``help`` is what the docstring says about it."""

    name: str
    kind: Kind
    type: ValueType
    required: bool
    default: Json = NO_DEFAULT
    help: str = ""

    @property
    def has_default(self) -> bool:
        """Whether there is a default that JSON can say."""
        return self.default is not NO_DEFAULT

    @property
    def nullable(self) -> bool:
        """Whether None is a value of the parameter's declared type."""
        return isinstance(self.type, NullableType)

    @property
    def type_label(self) -> str:
        """The type in words: "whole number", "text", "list of dates", "JSON"."""
        return self.type.label

    @property
    def choices(self) -> tuple[tuple[Json, str], ...]:
        """The values that an Enum or a Literal allows, as (JSON, label); empty for all other types."""
        inner = self.type.inner if isinstance(self.type, NullableType) else self.type
        return (
            tuple((option.json, str(option.label)) for option in inner.options) if isinstance(inner, ChoiceType) else ()
        )

    @property
    def is_secret(self) -> bool:
        """Whether the name says that the value must not be shown."""
        inner = self.type.inner if isinstance(self.type, NullableType) else self.type
        return looks_secret(self.name) and not isinstance(inner, _NEVER_SECRET)
