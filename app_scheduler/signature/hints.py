"""From annotations to types. Never fails: what is unknown or cannot be resolved is JSON."""

from __future__ import annotations

import collections.abc as abc
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from app_scheduler.signature.plain import Refused
from app_scheduler.signature.values import (
    JSON,
    TEXT,
    BoolType,
    ChoiceType,
    DateTimeType,
    DateType,
    DecimalType,
    DictType,
    DurationType,
    FloatType,
    IntType,
    JsonType,
    ListType,
    NullableType,
    PathType,
    SetType,
    TimeType,
    TupleType,
    UnionType,
    UuidType,
    ValueType,
)

_SCALARS: dict[Any, ValueType] = {
    str: TEXT,
    int: IntType(),
    float: FloatType(),
    Decimal: DecimalType(),
    bool: BoolType(),
    date: DateType(),
    datetime: DateTimeType(),
    time: TimeType(),
    timedelta: DurationType(),
    uuid.UUID: UuidType(),
}
_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable)
_SETS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
    abc.Set: frozenset,
}
_DICTS = (dict, abc.Mapping, abc.MutableMapping)
#: Types whose values can be told from the text of an object's key.
_KEYS = (
    *(IntType, FloatType, DecimalType, BoolType, DateType, DateTimeType, TimeType),
    *(DurationType, UuidType, ChoiceType),
)
#: A type alias may refer to itself; below this many levels everything is JSON.
_MAX_LEVELS = 12


def resolved_hints(func: Callable[..., Any]) -> dict[str, Any]:
    """Return the function's annotations by name, those left out that cannot be resolved."""
    try:
        return typing.get_type_hints(func)
    except Exception:  # a name imported for type checkers only, or anything else that evaluating a hint may raise
        pass
    hints: dict[str, Any] = {}
    space = getattr(inspect.unwrap(func), "__globals__", {})
    try:
        annotations = dict(func.__annotations__)
    except Exception:  # evaluated lazily from Python 3.14 on, so that even this can fail
        return hints
    for name, annotation in annotations.items():
        try:
            hints |= typing.get_type_hints(types.SimpleNamespace(__annotations__={name: annotation}), space)
        except Exception:
            continue
    return hints


def type_of(hint: Any) -> ValueType:
    """Return the type for a resolved annotation."""
    try:
        return _type_of(hint, 0)
    except (Refused, TypeError, ValueError, AttributeError, RecursionError):  # a Literal of a NUL, an odd alias
        return JSON


def _type_of(hint: Any, level: int) -> ValueType:
    if level > _MAX_LEVELS or isinstance(hint, str):
        return JSON
    hint = _unwrapped(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(arguments, level)
    if origin is Literal:
        values = [value for value in arguments if value is not None]
        chosen: ValueType = ChoiceType.of_literal(values) if values else JSON
        return NullableType(chosen) if None in arguments and values else chosen
    plain_class = origin or hint
    if not isinstance(plain_class, type):
        return JSON
    if plain_class in _SCALARS:
        return _SCALARS[plain_class]
    if issubclass(plain_class, Enum) and len(plain_class):
        return ChoiceType.of_enum(plain_class)
    if issubclass(plain_class, PurePath):
        return PathType(_path_class(plain_class))
    return _container(plain_class, arguments, level)


def _unwrapped(hint: Any) -> Any:
    """Return what stands behind NewType, Annotated, a type alias (PEP 695) and a type variable's bound."""
    for _ in range(_MAX_LEVELS):
        if get_origin(hint) is typing.Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif isinstance(hint, TypeVar):
            hint = hint.__bound__ or Any
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            break
    return hint


def _union(arguments: tuple[Any, ...], level: int) -> ValueType:
    members: list[ValueType] = []
    for argument in arguments:
        if argument is types.NoneType:
            continue
        member = _type_of(argument, level + 1)
        if isinstance(member, JsonType):
            return JSON  # it takes everything
        members.append(member)
    nullable = types.NoneType in arguments or any(isinstance(member, NullableType) for member in members)
    members = [member.inner if isinstance(member, NullableType) else member for member in members]
    inner = members[0] if len(members) == 1 else UnionType(members)
    return NullableType(inner) if nullable else inner


def _container(origin: type, arguments: tuple[Any, ...], level: int) -> ValueType:
    def argument(index: int) -> ValueType:
        return _type_of(arguments[index], level + 1) if index < len(arguments) else JSON

    if origin in _LISTS:
        return ListType(argument(0))
    if origin in _SETS:
        return SetType(argument(0), _SETS[origin])
    if origin is tuple:
        if not arguments or (len(arguments) == 2 and arguments[1] is Ellipsis):
            return ListType(argument(0), tuple)
        return TupleType([argument(index) for index in range(len(arguments))])
    if origin in _DICTS:
        key = argument(0)
        return DictType(key if isinstance(key, _KEYS) else TEXT, argument(1))
    return JSON


def _path_class(wanted: type[PurePath]) -> Callable[[str], PurePath]:
    try:
        wanted("x")
    except NotImplementedError:  # the other system's concrete class
        return Path
    return wanted
