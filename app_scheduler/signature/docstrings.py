"""What a function's docstring says: in the styles of Google, NumPy, reST and epydoc."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import docstring_parser


@dataclass(frozen=True, slots=True)
class Docs:
    """``summary`` is the first paragraph on one line; ``parameters`` are help texts by parameter name."""

    summary: str = ""
    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def docs_of(func: Callable[..., Any]) -> Docs:
    """Return what the docstring says; nothing where there is none. Never fails."""
    text = inspect.getdoc(func)
    if not text:
        return Docs()
    try:
        parsed = docstring_parser.parse(text)
    except Exception:  # a malformed docstring must not keep the function from being scheduled
        first, _, rest = text.partition("\n")
        return Docs(first.strip(), rest.strip())
    summary, description = parsed.short_description or "", parsed.long_description or ""
    if summary and description and not parsed.blank_after_short_description:
        # A first sentence that was wrapped: the parser takes its first line for all of it.
        continued, _, description = description.partition("\n\n")
        summary = f"{summary} {continued}"
    parameters = {
        name.strip().lstrip("*"): " ".join((param.description or "").split())
        for param in parsed.params
        for name in (param.arg_name or "").split(",")
    }
    return Docs(" ".join(summary.split()), description.strip(), parameters)
