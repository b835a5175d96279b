"""YAML without its surprises: no tags, no aliases, no merges, no dates, no octal or base-60 numbers.

The values are built from the parser's events, in one pass and without recursion, so that a file which multiplies by
aliases or nests without end is refused at the first of them; every line of an error is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml
from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

from .plain import MAX_DEPTH, real_number, twice, whole_number

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# Each is a subset of what YAML 1.1 reads as such, so that what a YAML 1.1 writer leaves unquoted is read as text.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_PLAIN_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


class _Missing:
    """The type of ``_NO_KEY``: a mapping waits for a key."""


_NO_KEY: Final = _Missing()
#: List and dict that hold the document itself, and the levels of the file around a job.
_OUTER_LEVELS = 3


class _Dumper(_BaseDumper):
    def ignore_aliases(self, data: Any) -> bool:
        # Two jobs without arguments share no list; an alias would say that they do.
        return True


def write(documents: Iterable[Mapping[str, Any]]) -> bytes:
    text: str = yaml.dump(
        [dict(document) for document in documents],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=1000,
    )
    return text.encode()


def load_yaml(text: str) -> Any:
    """Return what YAML text says. Raises ``InvalidInput``, and nothing else."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault = error.problem or error.context
        if mark:
            text = gettext("It stops being YAML in line %(line)s: %(fault)s.") % {"line": mark.line + 1, "fault": fault}
        else:
            text = gettext("It stops being YAML somewhere: %(fault)s.") % {"fault": fault}
        raise InvalidInput(text) from None
    except yaml.YAMLError as error:
        raise InvalidInput(
            gettext("It is not YAML: %(fault)s.") % {"fault": " ".join(str(error).split())[:200]}
        ) from None
    return builder.document


class _Builder:
    """Takes events and holds the document that they describe."""

    def __init__(self) -> None:
        self.document: Any = None
        self._documents = 0
        self._open: list[Any] = []
        self._keys: list[Any] = []

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._begin(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise InvalidInput(
                gettext("Line %(line)s has an alias (*%(anchor)s). Write the value out instead.")
                % {"line": _line(event), "anchor": event.anchor}
            )
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise InvalidInput(
                    gettext("A second document begins in line %(line)s. Put all jobs into one list.")
                    % {"line": _line(event)}
                )

    def _begin(self, event: Any) -> None:
        if event.tag not in _PLAIN_TAGS:
            raise _tagged(event)
        if len(self._open) >= MAX_DEPTH + _OUTER_LEVELS:
            raise InvalidInput(
                gettext("Line %(line)s is nested too deeply. Use at most %(count)s levels.")
                % {"line": _line(event), "count": MAX_DEPTH}
            )
        made: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if self._open and isinstance(self._open[-1], dict) and self._keys[-1] is _NO_KEY:
            raise InvalidInput(
                gettext("Line %(line)s has a list or an object as a key. Use text.") % {"line": _line(event)}
            )
        self._put(made, event)
        self._open.append(made)
        self._keys.append(_NO_KEY)

    def _scalar(self, event: Any) -> None:
        if event.tag not in _PLAIN_TAGS:
            raise _tagged(event)
        if self._open and isinstance(self._open[-1], dict) and self._keys[-1] is _NO_KEY:
            if event.value in self._open[-1]:
                raise _in_line(event, twice(event.value))
            self._keys[-1] = event.value
            return
        is_plain = event.implicit[0] and event.tag is None
        try:
            self._put(_value(event.value) if is_plain else event.value, event)
        except InvalidInput as error:
            raise _in_line(event, error) from None

    def _put(self, value: Any, event: Any) -> None:
        if not self._open:
            self.document = value
        elif isinstance(self._open[-1], dict):
            self._open[-1][self._keys[-1]] = value
            self._keys[-1] = _NO_KEY
        else:
            self._open[-1].append(value)


def _value(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return whole_number(text)
    if _FLOAT.fullmatch(text):
        return real_number(text)
    if _NOT_FINITE.fullmatch(text):
        raise InvalidInput(
            gettext("%(text)s is not a number that can be kept. Give a finite one, or put it in quotation marks.")
            % {"text": text}
        )
    return text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _in_line(event: Any, error: InvalidInput) -> InvalidInput:
    return InvalidInput(gettext("Line %(line)s: %(fault)s") % {"line": _line(event), "fault": error})


def _tagged(event: Any) -> InvalidInput:
    return InvalidInput(
        gettext("Line %(line)s has the tag %(tag)s. Remove it: plain values need none.")
        % {"line": _line(event), "tag": str(event.tag)[:60]}
    )
