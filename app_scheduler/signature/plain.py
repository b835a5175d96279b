"""Plain JSON values: what may be stored, and how a value is quoted in a message."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext

from app_scheduler.quoting import in_quotes

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
    """Return ``value`` in quotation marks, short enough for a message. Never fails."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            text = gettext("a value of the type %(type)s") % {"type": type(value).__name__}
    text = text.encode("utf-8", "replace").decode().replace("\0", "\\0")
    return in_quotes(text if len(text) <= 60 else text[:57] + "…")


def listed(items: Iterable[object], limit: int = 12) -> str:
    """Return items as "a, b, c", cut with an ellipsis after ``limit`` of them."""
    texts = [str(item) for item in items]
    return ", ".join(texts[:limit]) + (", …" if len(texts) > limit else "")


def check_text(value: str) -> str:
    """Return ``value``, or raise `Refused` where a database cannot store it as text."""
    if "\0" in value:
        raise Refused(gettext("A NUL character cannot be stored. Remove it."))
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused(gettext("Half of a surrogate pair is not a character. Send the whole character.")) from None
    return value


def check_int(value: int) -> int:
    """Return ``value``, or raise `Refused` where Python could not read it back from its text."""
    if not -_INT_LIMIT < value < _INT_LIMIT:
        raise Refused(
            gettext("A whole number may have at most %(count)s digits. Send it as text if it is meant as one.")
            % {"count": f"{MAX_DIGITS:,}"}
        )
    return value


def check_float(value: float) -> float:
    """Return ``value``, or raise `Refused` for NaN and the infinities, which JSON does not have."""
    if not math.isfinite(value):
        raise Refused(gettext("NaN and Infinity are not numbers that JSON can hold. Give a finite number."))
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
                raise Refused(
                    gettext("The value is nested more than %(count)s levels deep. Flatten it.") % {"count": MAX_DEPTH}
                )
            if isinstance(value, dict):
                return {self.key(key): self.copy(item, depth + 1) for key, item in value.items()}
            return [self.copy(item, depth + 1) for item in value]
        kind = type(value).__name__
        raise NotJson(
            gettext(
                "A value of the type %(type)s cannot be stored as JSON without losing its type. Annotate the "
                "function's parameter with %(type)s, or pass text or a number."
            )
            % {"type": kind}
        )

    def key(self, key: object) -> str:
        if not isinstance(key, str):
            raise NotJson(
                gettext("The key %(key)s of an object is not text. JSON allows text only.") % {"key": quote(key)}
            )
        self.spend(len(key))
        return check_text(str.__str__(key))


def size_of(value: Json) -> int:
    """Return the bytes that a plain JSON value takes as compact UTF-8 text."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def too_large(size: int | None = None) -> str:
    """Return the message for arguments over `MAX_BYTES`."""
    limit = MAX_BYTES // 1024
    hint = gettext("Keep large data in a file or a table, and pass its name or key.")
    if not size:
        text = gettext("The arguments take more than the %(limit)s KB that are stored with a job. %(hint)s")
        return text % {"limit": limit, "hint": hint}
    text = gettext(
        "The arguments take %(size)s KB as JSON, more than the %(limit)s KB that are stored with a job. %(hint)s"
    )
    return text % {"size": f"{size / 1024:,.1f}", "limit": limit, "hint": hint}


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
        raise Refused(gettext("%(name)s is not a number that JSON can hold. Give a finite number.") % {"name": name})

    def pairs(items: list[tuple[str, Json]]) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key, item in items:
            if key in result:
                raise Refused(gettext("The key %(key)s is given twice. Remove one.") % {"key": quote(key)})
            result[key] = item
        return result

    if len(text) > MAX_BYTES * 2:
        raise Refused(too_large())
    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
    except RecursionError:
        raise Refused(
            gettext("The value is nested more than %(count)s levels deep. Flatten it.") % {"count": MAX_DEPTH}
        ) from None
    except json.JSONDecodeError as error:
        raise Refused(
            gettext(
                "%(text)s is not JSON: %(fault)s, line %(line)s, column %(column)s. Text needs double quotes, such "
                'as "abc"; a list looks like [1, 2], an object like {"key": "value"}.'
            )
            % {"text": quote(text.strip()), "fault": error.msg, "line": error.lineno, "column": error.colno}
        ) from None
    except ValueError:  # an int with too many digits
        raise Refused(
            gettext("A whole number may have at most %(count)s digits.") % {"count": f"{MAX_DIGITS:,}"}
        ) from None
    return plain(value)
