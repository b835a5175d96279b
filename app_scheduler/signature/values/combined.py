"""Types made of other types: one that None belongs to as well, and one of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from django.utils.translation import gettext

from app_scheduler.signature.plain import Json, Refused, quote, same
from app_scheduler.signature.values.base import ValueType


class NullableType(ValueType):
    """A type, or None."""

    def __init__(self, inner: ValueType) -> None:
        self.inner = inner
        self.example = inner.example

    @property
    def label(self) -> str:
        return self.inner.label

    @property
    def plural(self) -> str:
        return self.inner.plural

    @property
    def one(self) -> str:
        return self.inner.one

    def parse(self, value: Json) -> Any:
        return None if value is None else self.inner.parse(value)

    def dump(self, value: Any) -> Json:
        return None if value is None else self.inner.dump(value)

    def clean(self, value: Json) -> Json:
        return None if value is None else self.inner.clean(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.inner.schema(), {"type": "null"}]}


class UnionType(ValueType):
    """One of several types. A member that takes a value as it is goes before one that would convert it.

    So "5" stays text in ``int | str``, and "2026-01-31" becomes a date in ``date | str``, as date comes first.
    """

    def __init__(self, members: Sequence[ValueType]) -> None:
        self.members = tuple(members)
        self.example = members[0].example

    @property
    def label(self) -> str:
        return either(dict.fromkeys(member.label for member in self.members))

    @property
    def plural(self) -> str:
        return gettext("values")

    @property
    def one(self) -> str:
        return either(member.one for member in self.members)

    def _member(self, value: Json) -> ValueType:
        willing: ValueType | None = None
        for member in self.members:
            try:
                if same(member.clean(value), value):
                    return member
            except Refused:
                continue
            willing = willing or member
        if willing is None:
            raise self.refuse(value)
        return willing

    def parse(self, value: Json) -> Any:
        return self._member(value).parse(value)

    def clean(self, value: Json) -> Json:
        return self._member(value).clean(value)

    def dump(self, value: Any) -> Json:
        # The first member whose JSON comes back as the same value: 5 is an int before it is a float.
        willing: Json = None
        found = False
        for member in self.members:
            try:
                json = member.dump(value)
                if type(member.parse(json)) is type(value):
                    return self.clean(json)
            except Refused:
                continue
            willing, found = (willing, True) if found else (json, True)
        if not found:
            raise self.refuse(value)
        return self.clean(willing)

    def refuse(self, value: object) -> Refused:
        return Refused(gettext("%(value)s is not %(names)s.") % {"value": quote(value), "names": self.one})

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [member.schema() for member in self.members]}


def either(names: Iterable[str]) -> str:
    """Return names as "a, b or c" is said in full: "a or b or c"."""
    return reduce(lambda first, second: gettext("%(first)s or %(second)s") % {"first": first, "second": second}, names)
