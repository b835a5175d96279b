"""The types that a parameter can have: how each reads JSON, writes JSON and is called by people.

A type's ``parse`` turns JSON into the Python value, ``dump`` turns the Python value into canonical JSON, and ``clean``
goes from JSON to canonical JSON. ``clean`` changes nothing that it made itself, and what it made can always be parsed.
All raise `Refused`. Their input has been through `plain`: finite, storable, at most 50 levels deep.
"""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from datetime import timezone as fixed_offset
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum
from functools import reduce
from json import dumps
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models.enums import Choices
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.signature.durations import duration_of_seconds, iso_duration, parse_duration
from app_scheduler.signature.plain import (
    MAX_DIGITS,
    Json,
    Refused,
    check_float,
    check_int,
    check_text,
    listed,
    plain,
    quote,
    same,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,10})?")


class ValueType(ABC):
    """One type. ``label`` and ``plural`` name it in the reader's words; ``example`` is one JSON value of it.

    What a type with a name of its own sets is lazy, as a type lives as long as the process: ``names`` are label, plural
    and "a …", and ``refusal`` is the sentence that refuses a value.
    """

    names: tuple[StrOrPromise, StrOrPromise, StrOrPromise]
    refusal: StrOrPromise
    example: Json

    @property
    def label(self) -> str:
        return str(self.names[0])

    @property
    def plural(self) -> str:
        return str(self.names[1])

    @property
    def one(self) -> str:
        """The label with its article, as in "is not a whole number or text"."""
        return str(self.names[2])

    @abstractmethod
    def parse(self, value: Json) -> Any:
        """Return the Python value that a JSON value stands for."""

    @abstractmethod
    def dump(self, value: Any) -> Json:
        """Return the canonical JSON for a Python value of this type."""

    def clean(self, value: Json) -> Json:
        """Return the canonical JSON for a JSON value."""
        return self.dump(self.parse(value))

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the type as JSON Schema."""

    def refuse(self, value: object) -> Refused:
        """Return the refusal of a value, which names an example of a good one."""
        return Refused(str(self.refusal) % {"value": quote(value), "example": shown(self.example)})


def shown(value: Json) -> str:
    """Return an example as people type it: text bare, all else as JSON."""
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)


class JsonType(ValueType):
    """Anything that JSON can say, handed to the function as it is."""

    names = ("JSON", "JSON", "JSON")
    example = {"key": "value"}

    def parse(self, value: Json) -> Any:
        return value

    def dump(self, value: Any) -> Json:
        return plain(value)

    def clean(self, value: Json) -> Json:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


class TextType(ValueType):
    names = (_("text"), _("texts"), _("text"))
    example = "abc"

    def parse(self, value: Json) -> Any:
        if not isinstance(value, str):
            raise Refused(gettext("%(value)s is not text. Put it in double quotes.") % {"value": quote(value)})
        return check_text(str.__str__(value))

    dump = parse

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class IntType(ValueType):
    names = (_("whole number"), _("whole numbers"), _("a whole number"))
    refusal = _("%(value)s is not a whole number. Give one such as %(example)s.")
    example = 5

    def parse(self, value: Json) -> Any:
        if isinstance(value, str) and _INTEGER.fullmatch(text := value.strip()):
            if len(text.lstrip("+-")) > MAX_DIGITS:
                raise Refused(
                    gettext("A whole number may have at most %(count)s digits.") % {"count": f"{MAX_DIGITS:,}"}
                )
            return int(text)
        if isinstance(value, float) and value.is_integer():
            # JSON has one kind of number: 5.0 is a whole one, as JSON Schema has it.
            return int(value)
        return self.dump(value)

    def dump(self, value: Any) -> Json:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(value)
        return check_int(int(value))

    def schema(self) -> dict[str, Any]:
        return {"type": "integer"}


class FloatType(ValueType):
    names = (_("number"), _("numbers"), _("a number"))
    refusal = _("%(value)s is not a number. Give one such as %(example)s.")
    example = 1.5

    def parse(self, value: Json) -> Any:
        if isinstance(value, str) and _DECIMAL.fullmatch(text := value.strip()):
            return check_float(float(text))
        return self.dump(value)

    def dump(self, value: Any) -> Json:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.refuse(value)
        try:
            return check_float(float(value))
        except OverflowError:
            raise Refused(gettext("The number is too large. Give one below 1.8e308.")) from None

    def schema(self) -> dict[str, Any]:
        return {"type": "number"}


class DecimalType(ValueType):
    """Stored as text, which is exact."""

    names = (_("decimal number"), _("decimal numbers"), _("a decimal number"))
    refusal = _("%(value)s is not a decimal number. Give one such as %(example)s.")
    example = "9.95"

    def parse(self, value: Json) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise self.refuse(value)
        text = repr(check_float(value)) if isinstance(value, float) else str(value).strip()
        if not _DECIMAL.fullmatch(text):
            raise self.refuse(value)
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.refuse(value) from None
        return self._checked(number)

    def dump(self, value: Any) -> Json:
        if isinstance(value, int) and not isinstance(value, bool):
            value = Decimal(value)
        if not isinstance(value, Decimal):
            raise self.refuse(value)
        return str(self._checked(value))

    def _checked(self, number: Decimal) -> Decimal:
        if not number.is_finite():
            raise Refused(gettext("NaN and Infinity are not accepted. Give a finite number."))
        if (number and abs(number.adjusted()) > MAX_DIGITS) or len(number.as_tuple().digits) > MAX_DIGITS:
            raise Refused(gettext("A decimal number may have at most %(count)s digits.") % {"count": f"{MAX_DIGITS:,}"})
        if not number:
            # The exponent of a zero is unbounded and says nothing but its number of places.
            places = -int(number.as_tuple().exponent)
            return number if 0 <= places <= MAX_DIGITS else Decimal(0)
        return number

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "decimal"}


class BoolType(ValueType):
    names = (_("yes or no"), _("yes-or-no values"), _("yes or no"))
    example = True

    _TEXTS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}

    def parse(self, value: Json) -> Any:
        if isinstance(value, str) and (word := value.strip().lower()) in self._TEXTS:
            return self._TEXTS[word]
        return self.dump(value)

    def dump(self, value: Any) -> Json:
        if not isinstance(value, bool):
            raise Refused(gettext("%(value)s is not yes or no. Give true or false.") % {"value": quote(value)})
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class DateType(ValueType):
    names = (_("date"), _("dates"), _("a date"))
    refusal = _("%(value)s is not a date. Give one such as %(example)s.")
    example = "2026-01-31"

    def parse(self, value: Json) -> Any:
        try:
            return date.fromisoformat(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None

    def dump(self, value: Any) -> Json:
        if isinstance(value, datetime) or not isinstance(value, date):
            raise self.refuse(value)
        return value.isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class DateTimeType(ValueType):
    """Stored as ISO 8601 with an offset. A moment without one is read in the current time zone of Django."""

    names = (_("date and time"), _("dates and times"), _("a date and time"))
    refusal = _("%(value)s is not a date and time. Give one such as %(example)s.")
    example = "2026-01-31T12:00:00+11:00"

    def parse(self, value: Json) -> Any:
        try:
            moment = datetime.fromisoformat(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None
        if moment.utcoffset() is not None:
            return moment
        aware = _aware(moment)
        if not _exists(aware):
            raise Refused(
                gettext(
                    "%(value)s does not exist in %(zone)s: the clocks go forward over it. Choose "
                    "another time, or give the offset from UTC with it."
                )
                % {"value": quote(value), "zone": timezone.get_current_timezone_name()}
            )
        return aware

    def dump(self, value: Any) -> Json:
        if not isinstance(value, datetime):
            raise self.refuse(value)
        return (value if value.utcoffset() is not None else _aware(value)).isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


def _aware(moment: datetime) -> datetime:
    """Return a naive moment in the current time zone, with a fixed offset; of a repeated hour the first pass."""
    local = moment.replace(tzinfo=timezone.get_current_timezone())
    offset = local.utcoffset() or timedelta()
    # isoformat() writes the offset down, so carry exactly that: the rules of the zone may change later.
    return moment.replace(tzinfo=fixed_offset(offset))


def _exists(aware: datetime) -> bool:
    """Say whether the wall clock of the current time zone ever shows this moment's time."""
    try:
        local = aware.astimezone(timezone.get_current_timezone())
    except OverflowError:  # the first and last day of the calendar; no zone changes its clocks there
        return True
    return local.replace(tzinfo=None) == aware.replace(tzinfo=None)


class TimeType(ValueType):
    names = (_("time of day"), _("times of day"), _("a time of day"))
    refusal = _("%(value)s is not a time of day. Give one such as %(example)s.")
    example = "14:30:00"

    def parse(self, value: Json) -> Any:
        try:
            return time.fromisoformat(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None

    def dump(self, value: Any) -> Json:
        if not isinstance(value, time):
            raise self.refuse(value)
        return value.isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "time"}


class DurationType(ValueType):
    """Stored as ISO 8601 ("PT1H30M"). Read from that, from "1h 30m", "01:30:00", and from a number of seconds."""

    names = (_("duration"), _("durations"), _("a duration"))
    refusal = _("%(value)s is not a duration. Give one such as %(example)s.")
    example = "1h 30m"

    def parse(self, value: Json) -> Any:
        try:
            if isinstance(value, str):
                return parse_duration(value)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return duration_of_seconds(Decimal(repr(value)))
        except OverflowError:
            raise Refused(
                gettext("%(value)s is too long. Give less than 999,999,999 days.") % {"value": quote(value)}
            ) from None
        except ValueError:
            pass
        raise Refused(
            gettext("%(value)s is not a duration. Give one such as 1h 30m, PT1H30M or 90 (seconds).")
            % {"value": quote(value)}
        )

    def dump(self, value: Any) -> Json:
        if not isinstance(value, timedelta):
            raise self.refuse(value)
        return iso_duration(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "duration"}


class UuidType(ValueType):
    names = ("UUID", "UUIDs", _("a UUID"))
    refusal = _("%(value)s is not a UUID. Give one such as %(example)s.")
    example = "6f9619ff-8b86-4011-b42d-00c04fc964ff"

    def parse(self, value: Json) -> Any:
        try:
            return uuid.UUID(value.strip())
        except (AttributeError, TypeError, ValueError):
            raise self.refuse(value) from None

    def dump(self, value: Any) -> Json:
        if not isinstance(value, uuid.UUID):
            raise self.refuse(value)
        return str(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}


class PathType(ValueType):
    """A file's path as text. ``make`` is the class that the function asks for."""

    names = (_("file path"), _("file paths"), _("a file path"))
    refusal = _("%(value)s is not a file path. Give one such as %(example)s.")
    example = "/var/log/app.log"

    def __init__(self, make: Callable[[str], PurePath]) -> None:
        self.make = make

    def parse(self, value: Json) -> Any:
        if not isinstance(value, str) or not value:
            raise self.refuse(value)
        return self.make(check_text(value))

    def dump(self, value: Any) -> Json:
        if not isinstance(value, PurePath):
            raise self.refuse(value)
        return check_text(str(value))

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "path"}


class Option(NamedTuple):
    """One value of an enumeration: as JSON, as the function gets it, as people see it; ``name`` is an Enum member's."""

    json: Json
    value: Any
    label: StrOrPromise
    name: str = ""


class ChoiceType(ValueType):
    """One of several values: an Enum or a Literal. Read by value, by a member's name, or by the value's text."""

    def __init__(self, options: Sequence[Option]) -> None:
        self.options = tuple(options)
        self.listed = listed(shown(option.json) for option in options)
        self.example = options[0].json

    @property
    def label(self) -> str:
        return gettext("one of %(choices)s") % {"choices": self.listed}

    @property
    def plural(self) -> str:
        return gettext("choices (%(choices)s)") % {"choices": self.listed}

    @property
    def one(self) -> str:
        return self.label

    @classmethod
    def of_enum(cls, enum: type[Enum]) -> ChoiceType:
        """Return the type of an Enum: stored by value where all values are text or whole numbers, else by name."""
        by_value = all(isinstance(member.value, (str, int)) and _storable(member.value) for member in enum)
        return cls(
            [
                Option(plain(member.value) if by_value else member.name, member, _member_label(member), member.name)
                for member in enum
            ]
        )

    @classmethod
    def of_literal(cls, values: Iterable[Any]) -> ChoiceType:
        """Return the type of a Literal's values, which may be text, numbers, booleans, bytes and Enum members."""
        options = []
        for value in values:
            if isinstance(value, Enum):
                options += [option for option in cls.of_enum(type(value)).options if option.value is value]
            else:
                json = value.decode("latin-1") if isinstance(value, bytes) else plain(value)
                options.append(Option(json, value, shown(json)))
        return cls(options)

    def parse(self, value: Json) -> Any:
        return self._option(value).value

    def clean(self, value: Json) -> Json:
        return self._option(value).json

    def _option(self, value: Json) -> Option:
        if found := next((option for option in self.options if same(option.json, value)), None):
            return found
        if isinstance(value, str):
            text = value.strip()
            for read in (lambda option: option.name, lambda option: shown(option.json)):
                if found := next((option for option in self.options if text and read(option) == text), None):
                    return found
        raise self.refuse(value)

    def dump(self, value: Any) -> Json:
        for option in self.options:
            if option.value is value or (type(option.value) is type(value) and option.value == value):
                return option.json
        raise self.refuse(value)

    def refuse(self, value: object) -> Refused:
        known = [shown(option.json) for option in self.options]
        near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
        hint = (
            gettext("Did you mean %(near)s?") % {"near": near[0]}
            if near
            else gettext("Give one of: %(names)s.") % {"names": listed(known)}
        )
        return Refused(f"{quote(value)} is not one of the choices. {hint}")

    def schema(self) -> dict[str, Any]:
        return {"enum": [option.json for option in self.options]}


def _storable(value: Json) -> bool:
    try:
        plain(value)
    except Refused:
        return False
    return True


def _member_label(member: Enum) -> StrOrPromise:
    if isinstance(member, Choices):
        return member._label_  # not its label, which is text in one language already
    label = getattr(member, "label", None)
    if label is not None and not callable(label):
        return str(label)
    return member.value if isinstance(member.value, str) and member.value else member.name


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


def either(names: Iterable[str]) -> str:
    """Return names as "a, b or c" is said in full: "a or b or c"."""
    return reduce(lambda first, second: gettext("%(first)s or %(second)s") % {"first": first, "second": second}, names)


def _item_example(item: ValueType) -> Json:
    return "abc" if isinstance(item, JsonType) else item.example


JSON = JsonType()
TEXT = TextType()
