"""What a trigger means, before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app_scheduler import triggers
from app_scheduler.documents import Document
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import InvalidInput

MAX_PREVIEW = 1000


@dataclass(frozen=True, slots=True)
class Preview:
    """What a trigger means: a sentence, its next ticks (aware, in the trigger's zone), and warnings."""

    trigger: Document
    description: str
    expression: str
    upcoming: list[datetime]
    warnings: list[str]


def preview(trigger: Any, *, count: int = 10, after: datetime | None = None, anchor: datetime | None = None) -> Preview:
    """Tell what a trigger means before it is saved. Raises ``InvalidInput``."""
    if not 1 <= count <= MAX_PREVIEW:
        raise InvalidInput({"count": f"Give a number from 1 to {MAX_PREVIEW:,}."})
    now = utc_now()
    moment = after or now
    try:
        document = triggers.normalise(trigger, now=moment)
    except InvalidInput as error:
        raise error.under("trigger") from None
    anchor = anchor or moment
    return Preview(
        trigger=document,
        description=triggers.describe(document),
        expression=triggers.format_expression(document),
        upcoming=triggers.upcoming(document, anchor=anchor, after=moment, count=count),
        warnings=triggers.warnings_for(document, anchor=anchor, now=moment),
    )
