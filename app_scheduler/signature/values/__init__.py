"""The types that a parameter can have: how each reads JSON, writes JSON and is called by people.

`base` says what a type is. Beside it are types of one value (`scalars`), of dates and times (`moments`), of given
values to choose from (`choices`), of several values in one (`containers`), and made of other types (`combined`).
"""

from __future__ import annotations

from app_scheduler.signature.values.base import JSON, JsonType, ValueType, shown
from app_scheduler.signature.values.choices import ChoiceType, Option
from app_scheduler.signature.values.combined import NullableType, UnionType
from app_scheduler.signature.values.containers import DictType, ListType, SetType, TupleType
from app_scheduler.signature.values.moments import DateTimeType, DateType, DurationType, TimeType
from app_scheduler.signature.values.scalars import (
    TEXT,
    BoolType,
    DecimalType,
    FloatType,
    IntType,
    PathType,
    TextType,
    UuidType,
)

__all__ = [
    "JSON",
    "TEXT",
    "BoolType",
    "ChoiceType",
    "DateTimeType",
    "DateType",
    "DecimalType",
    "DictType",
    "DurationType",
    "FloatType",
    "IntType",
    "JsonType",
    "ListType",
    "NullableType",
    "Option",
    "PathType",
    "SetType",
    "TextType",
    "TimeType",
    "TupleType",
    "UnionType",
    "UuidType",
    "ValueType",
    "shown",
]
