"""Types of several values in one: lists, sets, tuples and objects. A refusal says which item or key it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from django.utils.translation import gettext

from app_scheduler.signature.plain import Json, Refused, listed, quote
from app_scheduler.signature.values.base import JsonType, ValueType, shown


@dataclass
class ListType(ValueType):
    """A JSON list. ``make`` builds what the function asks for: list, or tuple."""

    item: ValueType
    make: Callable[[Iterable[Any]], Any] = list

    def __post_init__(self) -> None:
        self.example = [_item_example(self.item)]

    @property
    def label(self) -> str:
        return gettext("list of %(items)s") % {"items": _many(self.item)}

    @property
    def plural(self) -> str:
        return gettext("lists of %(items)s") % {"items": _many(self.item)}

    @property
    def one(self) -> str:
        return gettext("a list of %(items)s") % {"items": _many(self.item)}

    def items(self, value: Any) -> Sequence[Any]:
        if not isinstance(value, (list, tuple)):
            raise Refused(
                gettext("%(value)s is not a list. Give one such as %(example)s.")
                % {"value": quote(value), "example": shown(self.example)}
            )
        return value

    def parse(self, value: Json) -> Any:
        return self.make(each(self.item.parse, self.items(value)))

    def dump(self, value: Any) -> Json:
        return each(self.item.dump, self.items(value))

    def clean(self, value: Json) -> Json:
        return each(self.item.clean, self.items(value))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}


class SetType(ListType):
    """A JSON list without repetitions, stored in order. ``make`` is set or frozenset."""

    def parse(self, value: Json) -> Any:
        return self._distinct(super().parse(value))

    def dump(self, value: Any) -> Json:
        if not isinstance(value, (set, frozenset, list, tuple)):
            raise Refused(
                gettext("%(value)s is not a set. Give one such as %(example)s.")
                % {"value": quote(value), "example": shown(self.example)}
            )
        return self._canonical(each(self.item.dump, list(value)))

    def clean(self, value: Json) -> Json:
        return self._canonical(super().clean(value))

    def _distinct(self, values: Any) -> Any:
        try:
            return self.make(values)
        except TypeError:
            raise Refused(gettext("A set holds no lists or objects. Give text, numbers, true or false.")) from None

    def _canonical(self, items: list[Json]) -> Json:
        # What Python takes for the same, 1 and 1.0 say, is one item of the set: the first in written order stays.
        # Sorted before that, so that the order of arrival (a set has none) cannot matter.
        try:
            ordered = sorted(items)
            if any(type(item) is not type(ordered[0]) for item in ordered):
                raise TypeError
        except TypeError:
            ordered = sorted(items, key=dumps)
        distinct: dict[Any, Json] = {}
        for item in ordered:
            try:
                distinct.setdefault(self.item.parse(item), item)
            except TypeError:
                self._distinct([item])
                raise Refused(gettext("A set holds no lists or objects. Give text, numbers, true or false.")) from None
        return list(distinct.values())

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "uniqueItems": True}


class TupleType(ValueType):
    """A JSON list of a fixed length, each place with its own type."""

    def __init__(self, members: Sequence[ValueType]) -> None:
        self.members = tuple(members)
        self.example = [member.example for member in members]

    @property
    def label(self) -> str:
        return gettext("list of %(count)s: %(items)s") % self._words

    @property
    def plural(self) -> str:
        return gettext("lists")

    @property
    def one(self) -> str:
        return gettext("a list of %(count)s: %(items)s") % self._words

    @property
    def _words(self) -> dict[str, object]:
        return {"count": len(self.members), "items": listed(member.label for member in self.members)}

    def _each(self, calls: Sequence[Callable[[Any], Any]], value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)) or len(value) != len(self.members):
            size = len(self.members)
            raise Refused(
                gettext("%(value)s is not a list of %(size)s. Give one such as %(example)s.")
                % {"value": quote(value), "size": size, "example": shown(self.example)}
            )
        return [numbered(index, call, item) for index, (call, item) in enumerate(zip(calls, value, strict=True))]

    def parse(self, value: Json) -> Any:
        return tuple(self._each([member.parse for member in self.members], value))

    def dump(self, value: Any) -> Json:
        return self._each([member.dump for member in self.members], value)

    def clean(self, value: Json) -> Json:
        return self._each([member.clean for member in self.members], value)

    def schema(self) -> dict[str, Any]:
        size = len(self.members)
        return {
            "type": "array",
            "prefixItems": [member.schema() for member in self.members],
            "minItems": size,
            "maxItems": size,
        }


class DictType(ValueType):
    """A JSON object. JSON's keys are text, so ``key`` has to read its values from text."""

    def __init__(self, key: ValueType, item: ValueType) -> None:
        self.key, self.item = key, item
        self.example = {shown(key.example): _item_example(item)}

    @property
    def label(self) -> str:
        return gettext("object of %(items)s") % {"items": _many(self.item)}

    @property
    def plural(self) -> str:
        return gettext("objects of %(items)s") % {"items": _many(self.item)}

    @property
    def one(self) -> str:
        return gettext("an object of %(items)s") % {"items": _many(self.item)}

    def _each(self, key: Callable[[Any], Any], item: Callable[[Any], Any], value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise Refused(
                gettext("%(value)s is not an object. Give one such as %(example)s.")
                % {"value": quote(value), "example": shown(self.example)}
            )
        result: dict[Any, Any] = {}
        for name, content in value.items():
            try:
                made = key(name)
                if made in result:
                    raise Refused(gettext("It is given twice. Remove one."))
                result[made] = item(content)
            except Refused as refusal:
                raise Refused(gettext("Key %(key)s: %(refusal)s") % {"key": quote(name), "refusal": refusal}) from None
        return result

    def parse(self, value: Json) -> Any:
        return self._each(self.key.parse, self.item.parse, value)

    def dump(self, value: Any) -> Json:
        return self._each(lambda name: shown(self.key.dump(name)), self.item.dump, value)

    def clean(self, value: Json) -> Json:
        cleaned = self._each(lambda name: shown(self.key.clean(name)), self.item.clean, value)
        self.parse(cleaned)  # keys that are written differently may be equal: "1.0" and "1.00" as decimals
        return cleaned

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.item.schema()}


def each(call: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Apply ``call`` to each item; a refusal says which item it is about, counted from 1."""
    return [numbered(index, call, item) for index, item in enumerate(items)]


def numbered(index: int, call: Callable[[Any], Any], item: Any) -> Any:
    """Apply ``call`` to an item; a refusal says that it is about item ``index + 1``."""
    try:
        return call(item)
    except Refused as refusal:
        raise Refused(gettext("Item %(number)s: %(refusal)s") % {"number": index + 1, "refusal": refusal}) from None


def _many(item: ValueType) -> str:
    return gettext("JSON values") if isinstance(item, JsonType) else item.plural


def _item_example(item: ValueType) -> Json:
    return "abc" if isinstance(item, JsonType) else item.example
