"""JSON values from outside, read strictly: nothing is guessed, nothing is silently dropped."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

#: Levels of lists and objects in one job: its arguments may have 50.
MAX_DEPTH = 60
#: Python refuses to turn longer text into an int.
MAX_DIGITS = 4300


def load_json(text: str) -> Any:
    """Return what JSON text says. Raises ``InvalidInput``, and nothing else.

    Refused beyond bad syntax: NaN and the infinities, an object with a key twice (the last would win unseen), numbers
    beyond all measure, and nesting without end.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=whole_number, parse_float=real_number
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(
            gettext("It stops being JSON in line %(line)s, column %(column)s: %(fault)s.")
            % {"line": error.lineno, "column": error.colno, "fault": error.msg}
        ) from None
    except RecursionError:
        raise too_deep() from None


def whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidInput(
            gettext("A number has %(count)s digits. Send it as text if it is meant as one.")
            % {"count": f"{len(digits):,}"}
        )
    return int(digits)


def real_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInput(
            gettext("The number %(number)s is too large. Give a smaller one, or text.") % {"number": text[:40]}
        )
    return number


def too_deep() -> InvalidInput:
    return InvalidInput(
        gettext("Lists and objects are nested too deeply. Use at most %(count)s levels.") % {"count": MAX_DEPTH}
    )


def twice(key: str) -> InvalidInput:
    return InvalidInput(
        gettext("The key “%(key)s” is given twice in one object. Keep one of them.") % {"key": key[:60]}
    )


def _constant(name: str) -> NoReturn:
    raise InvalidInput(
        gettext("%(name)s is not a value that JSON has. Give a finite number, or null.") % {"name": name}
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        error = twice(next(key for key in keys if keys.count(key) > 1))
        where = made.get("id")
        raise InvalidInput(
            gettext("%(error)s It is in the job “%(job)s”.") % {"error": error, "job": where[:60]}
            if isinstance(where, str)
            else str(error)
        )
    return made


def check_plain(value: Any) -> None:
    """Raise ``InvalidInput`` for what no database can store: half characters, NULs, and nesting without end."""
    waiting = [(value, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise too_deep()
        if isinstance(current, str):
            _check_text(current)
        elif isinstance(current, Mapping):
            for key, item in current.items():
                _check_text(key)
                waiting.append((item, depth + 1))
        elif isinstance(current, list):
            waiting += [(item, depth + 1) for item in current]


def _check_text(text: str) -> None:
    if "\0" in text:
        raise InvalidInput(gettext("A text contains a NUL character. Remove it."))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput(
                gettext("A text contains half of a surrogate pair. Write the whole character.")
            ) from None
