"""Types of one value: text, numbers, yes or no, UUIDs and file paths."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.signature.plain import MAX_DIGITS, Json, Refused, check_float, check_int, check_text, quote
from app_scheduler.signature.values.base import ValueType

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,10})?")


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


TEXT = TextType()
