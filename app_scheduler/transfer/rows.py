"""What a file says, row by row, before anybody has asked whether it is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from app_scheduler.conf import console_settings
from app_scheduler.exceptions import InvalidInput


@dataclass(slots=True)
class SourceRow:
    """One row of a file: its number as people see it, its job document, and what could not be read of it.

    ``faults`` maps fields, or ``""`` for the whole row, to messages. ``renamed`` maps a document's field to the name of
    the column that said it, so that an error is named after what the person sees.
    """

    number: int
    document: Any
    faults: dict[str, list[str]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class JobRows:
    """The rows of one file. ``headers`` are the columns of a table, or None where each row names its own fields."""

    rows: list[SourceRow]
    headers: list[str] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SourceRow]:
        return iter(self.rows)


def check_count(count: int) -> None:
    """Raise ``InvalidInput`` for more rows than one import may hold."""
    limit = console_settings.import_max_rows
    if count > limit:
        raise InvalidInput(
            gettext(
                "This file has more than %(limit)s rows, the most that one import may hold. Split it into several "
                "files and import them one after the other."
            )
            % {"limit": f"{limit:,}"}
        )
