"""JSON as RFC 8259 has it, and nothing that would fail further in: every malformed body is the sender's to mend."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.utils.translation import gettext
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from app_scheduler.api.errors import BodyTooLarge
from app_scheduler.exceptions import InvalidInput

#: Bytes of a body. A job's arguments take at most 64 KB, and all else of it is smaller.
MAX_BYTES = 1024 * 1024
#: Levels of lists and objects. Arguments may have 50; deeper data ends in a RecursionError somewhere downstream.
MAX_DEPTH = 100


class StrictJSONParser(BaseParser):
    """Parse a JSON body. Refused: NaN and the infinities, a key given twice, half characters, endless nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {}).get("request")
        announced = str(request.META.get("CONTENT_LENGTH") or "") if request is not None else ""
        if announced.isdecimal() and int(announced) > MAX_BYTES:
            raise _too_large()
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise _too_large()
        value = _read(raw)
        _check(value)
        return value


def _too_large() -> BodyTooLarge:
    limit = f"{MAX_BYTES:,}"
    return BodyTooLarge(gettext("The body is too large. Send at most %(limit)s bytes.") % {"limit": limit})


def _read(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(
            gettext("The body is not UTF-8: byte %(number)s is not part of a character.") % {"number": error.start + 1}
        ) from None
    try:
        return json.loads(text, parse_constant=_refuse_number, parse_float=_finite, object_pairs_hook=_once_each)
    except json.JSONDecodeError as error:
        raise ParseError(
            gettext("The body is not JSON: %(fault)s, line %(line)s, column %(column)s.")
            % {"fault": error.msg, "line": error.lineno, "column": error.colno}
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # the interpreter reads no whole number longer than this
        raise ParseError(gettext("A number in the body has more than 4,300 digits. Send it as text.")) from None


def _too_deep() -> ParseError:
    return ParseError(gettext("The body is nested more than %(count)s levels deep. Flatten it.") % {"count": MAX_DEPTH})


def _refuse_number(name: str) -> NoReturn:
    raise ParseError(gettext("%(name)s is not a number that JSON has. Send a finite number, or null.") % {"name": name})


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse_number(text[:40])
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ParseError(
            gettext("The key %(key)s is given twice in one object. Remove one.") % {"key": json.dumps(twice[:60])}
        )
    return found


def _check(value: Any) -> None:
    """Refuse what no database can store as text, and nesting that a later step cannot follow."""
    waiting: list[tuple[Any, int, str]] = [(value, 0, "")]
    while waiting:
        item, depth, field = waiting.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(item, str):
            _check_characters(item, field)
        elif isinstance(item, dict):
            for key, content in item.items():
                _check_characters(key, field)
                waiting.append((content, depth + 1, key if depth == 0 else field))
        elif isinstance(item, list):
            waiting.extend((content, depth + 1, field) for content in item)


def _check_characters(text: str, field: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(
            {field: gettext("Half of a surrogate pair is not a character. Send the whole character.")}
        ) from None
