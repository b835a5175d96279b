"""What a type is, and JSON, the type of whatever has none.

A type's ``parse`` turns JSON into the Python value, ``dump`` turns the Python value into canonical JSON, and ``clean``
goes from JSON to canonical JSON. ``clean`` changes nothing that it made itself, and what it made can always be parsed.
All raise `Refused`. Their input has been through `plain`: finite, storable, at most 50 levels deep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from json import dumps
from typing import TYPE_CHECKING, Any

from app_scheduler.signature.plain import Json, Refused, plain, quote

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


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


JSON = JsonType()
