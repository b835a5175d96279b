"""Plain JSON values: what may be stored, and how a value is quoted in a message."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

#: A JSON value: None, bool, int, float, str, list or dict with text keys.
Json = Any

#: Levels of lists and objects in one argument. Deeper data ends in a RecursionError somewhere downstream.
MAX_DEPTH = 50
#: Bytes of one job's arguments as compact UTF-8 JSON.
MAX_BYTES = 64 * 1024
#: CPython refuses to turn longer text into an int (``sys.int_info.default_max_str_digits``).
MAX_DIGITS = 4300
_INT_LIMIT = 10**MAX_DIGITS


class Refused(Exception):
    """A value that cannot be accepted. ``str()`` is the message for people, which says the fix."""


class NotJson(Refused):
    """A Python object that JSON does not have, such as a date."""


def quote(value: object) -> str:
    """Return ``value`` in curly quotes, short enough for a message. Never fails."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            text = f"a value of the type {type(value).__name__}"
    text = text.encode("utf-8", "replace").decode().replace("\0", "\\0")
    return f"“{text if len(text) <= 60 else text[:57] + '…'}”"


def listed(items: Iterable[object], limit: int = 12) -> str:
    """Return items as "a, b, c", cut with an ellipsis after ``limit`` of them."""
    texts = [str(item) for item in items]
    return ", ".join(texts[:limit]) + (", …" if len(texts) > limit else "")


def check_text(value: str) -> str:
    """Return ``value``, or raise `Refused` where a database cannot store it as text."""
    if "\0" in value:
        raise Refused("A NUL character cannot be stored. Remove it.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("Half of a surrogate pair is not a character. Send the whole character.") from None
    return value


def check_int(value: int) -> int:
    """Return ``value``, or raise `Refused` where Python could not read it back from its text."""
    if not -_INT_LIMIT < value < _INT_LIMIT:
        raise Refused(f"A whole number may have at most {MAX_DIGITS:,} digits. Send it as text if it is meant as one.")
    return value


def check_float(value: float) -> float:
    """Return ``value``, or raise `Refused` for NaN and the infinities, which JSON does not have."""
    if not math.isfinite(value):
        raise Refused("NaN and Infinity are not numbers that JSON can hold. Give a finite number.")
    return value


def plain(value: Json) -> Json:
    """Return a copy of a JSON value in which everything can be stored, or raise `Refused`.

    A tuple counts as a list. Refused: other types, keys that are not text, NaN and Infinity, NUL, lone surrogates, more
    than `MAX_DEPTH` levels, and a size that cannot fit in `MAX_BYTES`.
    """
    return _Copier().copy(value, 0)


class _Copier:
    """Copies with a budget, so that a small object that refers to itself many times over cannot fill the memory."""

    def __init__(self) -> None:
        self.budget = MAX_BYTES

    def spend(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise Refused(too_large())

    def copy(self, value: Json, depth: int) -> Json:
        self.spend(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            self.spend(len(value))
            # An enumeration's member that is a str would be written as its value; so the copy is that value.
            return check_text(str.__str__(value))
        if isinstance(value, int):
            return check_int(int(value))
        if isinstance(value, float):
            return check_float(float(value))
        if isinstance(value, (list, tuple, dict)):
            if depth >= MAX_DEPTH:
                raise Refused(f"The value is nested more than {MAX_DEPTH} levels deep. Flatten it.")
            if isinstance(value, dict):
                return {self.key(key): self.copy(item, depth + 1) for key, item in value.items()}
            return [self.copy(item, depth + 1) for item in value]
        kind = type(value).__name__
        raise NotJson(
            f"A value of the type {kind} cannot be stored as JSON without losing its type. "
            f"Annotate the function's parameter with {kind}, or pass text or a number."
        )

    def key(self, key: object) -> str:
        if not isinstance(key, str):
            raise NotJson(f"The key {quote(key)} of an object is not text. JSON allows text only.")
        self.spend(len(key))
        return check_text(str.__str__(key))


def size_of(value: Json) -> int:
    """Return the bytes that a plain JSON value takes as compact UTF-8 text."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def too_large(size: int | None = None) -> str:
    """Return the message for arguments over `MAX_BYTES`."""
    measured = f"take {size / 1024:,.1f} KB as JSON, more than" if size else "take more than"
    return (
        f"The arguments {measured} the {MAX_BYTES // 1024} KB that are stored with a job. "
        "Keep large data in a file or a table, and pass its name or key."
    )


def same(left: Json, right: Json) -> bool:
    """Say whether two JSON values are written the same: 1, 1.0 and true all differ."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def read_json(text: str) -> Json:
    """Parse JSON text that a person typed, or raise `Refused`, also for NaN and for a key given twice."""

    def constant(name: str) -> Json:
        raise Refused(f"{name} is not a number that JSON can hold. Give a finite number.")

    def pairs(items: list[tuple[str, Json]]) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key, item in items:
            if key in result:
                raise Refused(f"The key {quote(key)} is given twice. Remove one.")
            result[key] = item
        return result

    if len(text) > MAX_BYTES * 2:
        raise Refused(too_large())
    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
    except RecursionError:
        raise Refused(f"The value is nested more than {MAX_DEPTH} levels deep. Flatten it.") from None
    except json.JSONDecodeError as error:
        raise Refused(
            f"{quote(text.strip())} is not JSON: {error.msg}, line {error.lineno}, column {error.colno}. "
            'Text needs double quotes, such as "abc"; a list looks like [1, 2], an object like {"key": "value"}.'
        ) from None
    except ValueError:  # an int with too many digits
        raise Refused(f"A whole number may have at most {MAX_DIGITS:,} digits.") from None
    return plain(value)
