"""The type of given values to choose from, and how an Enum or a Literal becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models.enums import Choices
from django.utils.translation import gettext

from app_scheduler.signature.plain import Json, Refused, listed, plain, quote, same
from app_scheduler.signature.values.base import ValueType, shown

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


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
