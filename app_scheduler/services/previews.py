"""What a trigger means, before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

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


def preview(
    trigger: Any,
    *,
    count: int = 10,
    after: datetime | None = None,
    anchor: datetime | None = None,
    run_past_at_once: bool = False,
) -> Preview:
    """Tell what a trigger means before it is saved: its ticks from now, or ``after`` a moment. Raises ``InvalidInput``.

    ``run_past_at_once`` as in ``create_job``; a warning then says so.
    """
    if not 1 <= count <= MAX_PREVIEW:
        raise InvalidInput({"count": f"Give a number from 1 to {MAX_PREVIEW:,}."})
    now = utc_now()
    moment = after or now
    warnings = []
    try:
        if run_past_at_once:
            given = triggers.normalise(trigger, now=now, allow_past=True)
            trigger = triggers.brought_forward(given, now=now)
            if trigger != given:
                warnings.append(gettext("This date has passed: it runs at once."))
        # A schedule that will have ended by the moment asked about is no fault of the schedule.
        document = triggers.normalise(trigger, now=min(now, moment))
    except InvalidInput as error:
        raise error.under("trigger") from None
    anchor = anchor or moment
    return Preview(
        trigger=document,
        description=triggers.describe(document),
        expression=triggers.format_expression(document),
        upcoming=triggers.upcoming(document, anchor=anchor, after=moment, count=count),
        warnings=[*warnings, *triggers.warnings_for(document, anchor=anchor, now=moment)],
    )
