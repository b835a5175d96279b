"""The door for documents from outside: shape, then whether the schedule ever fires."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput

from .documents import Document, canonical, end_of, moment_of, shown_moment, start_of
from .expressions import parse_expression
from .schedules import cron_of, schedule_for
from .values import zone_of


def normalise(document: object, *, now: datetime | None = None, allow_past: bool = False) -> Document:
    """Return the checked canonical copy of a document, or of a schedule expression given as a string.

    Absent, null and blank keys are dropped; no time zone and no default is added. Raises InvalidInput, and nothing
    else, with a message per field. A schedule that never fires after ``now`` (default: this moment) is refused, unless
    ``allow_past``: a stored schedule that has ended stays readable.
    """
    now = now or datetime.now(UTC)
    if isinstance(document, str):
        return _normalised_expression(document, now=now, allow_past=allow_past)
    try:
        result = canonical(document)
    except RecursionError:
        raise InvalidInput(gettext("This trigger is nested too deeply. Use one level of any-of.")) from None
    if not allow_past:
        refuse_never_firing(result, now=now)
    return result


def _normalised_expression(text: str, *, now: datetime, allow_past: bool) -> Document:
    result = parse_expression(text)
    if allow_past:
        return result
    children = result["triggers"] if result["type"] == "any" else [result]
    try:
        refuse_never_firing({"type": "any", "triggers": children}, now=now)
    except InvalidInput as error:
        # Whoever wrote one line knows no fields: the messages are about the line, or about one part of it.
        messages = []
        for path, texts in error.errors.items():
            for message in texts:
                if len(children) > 1:
                    number = int(path.split(".")[1]) + 1
                    message = gettext("Number %(number)d: %(message)s") % {"number": number, "message": message}
                messages.append(message)
        raise InvalidInput({"": messages}) from None
    return result


def brought_forward(document: object, *, now: datetime) -> Document:
    """Return the canonical copy of a document in which each single date that has passed is the next second.

    This is how staff insist on a date in the past. What is stored is then that moment, which has its
    tick once and is refused like any other date once it has passed. Raises InvalidInput for a bad document.
    """
    result = normalise(document, now=now, allow_past=True)
    if result["type"] == "any":
        return {**result, "triggers": [_brought_forward(child, now) for child in result["triggers"]]}
    return _brought_forward(result, now)


def _brought_forward(document: Document, now: datetime) -> Document:
    if document["type"] != "date" or moment_of(document["run_date"], document) > now:
        return document
    # A whole second, and one that is still to come.
    soon = now.replace(microsecond=0) + timedelta(seconds=1)
    return {**document, "run_date": soon.astimezone(zone_of(document)).isoformat()}


def refuse_never_firing(document: Document, *, now: datetime) -> None:
    """Raise InvalidInput when the schedule, or any one of several, has no tick after ``now``."""
    if now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    if document["type"] == "any":
        errors: dict[str, list[str]] = {}
        for index, child in enumerate(document["triggers"]):
            try:
                refuse_never_firing(child, now=now)
            except InvalidInput as error:
                errors.update(error.under(f"triggers.{index}").errors)
        if errors:
            raise InvalidInput(errors)
    elif schedule_for(document, anchor=now).next_after(now) is None:
        path, why = _reason(document, now)
        raise InvalidInput({path: why})


def _reason(document: Document, now: datetime) -> tuple[str, str]:
    """Return the field at fault and what to do about it."""
    if document["type"] == "date":
        message = gettext(
            "This schedule never fires: %(moment)s is in the past. Choose a later time, or let it run at once."
        )
        return "run_date", message % {"moment": shown_moment(document["run_date"])}
    end = end_of(document)
    if end is not None and end <= now:
        message = gettext("This schedule never fires: it ended on %(end)s. Choose a later end, or none.")
        return "end_date", message % {"end": shown_moment(document["end_date"])}
    if document["type"] == "cron":
        return _cron_reason(document, now, ended=end is not None)
    if end is None:
        return "start_date", gettext("This schedule never fires: the calendar ends before it. Choose an earlier start.")
    return "end_date", gettext("This schedule never fires: it ends before its first run. Choose a later end, or none.")


def _cron_reason(document: Mapping[str, Any], now: datetime, *, ended: bool) -> tuple[str, str]:
    days = cron_of(document).days
    start = start_of(document)
    if days.first_from(max(now, start).date() if start else now.date()) is not None and ended:
        return "end_date", gettext(
            "This schedule never fires: no matching time comes before its end. Choose a later end, or none."
        )
    if "expression" in document:
        return "expression", gettext("This schedule never fires: no month named has that day. Name a day that exists.")
    year = document.get("year")
    if year is not None:
        without = {key: value for key, value in document.items() if key != "year"}
        if cron_of({**without, "month": document.get("month", "*")}).days.first_from(now.date()) is not None:
            message = gettext("This schedule never fires: no matching day is left in %(year)s. Choose a later year.")
            return "year", message % {"year": year}
    path = next((name for name in ("day", "week", "month", "day_of_week") if name in document), "")
    return path, gettext(
        "This schedule never fires: no such day exists in the months, weeks and weekdays chosen. Choose a day that "
        "exists."
    )
