"""What has come into a list since its page was opened: said in a link, and never pushed in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.admin.refresh import is_look

#: Carries what the page knows of: the id of the newest execution, or the moment when it was opened.
SEEN_HEADER = "Live-Seen"
#: More are not counted, and not looked for among more executions than this.
MAX_COUNTED = 99
MAX_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """``seen`` is what the page sends back with each look; ``number`` of those that the list would show are newer."""

    seen: int
    number: int = 0
    are_more: bool = False


def arrivals(request: HttpRequest, executions: QuerySet[Any]) -> Arrivals:
    """Return what is new among ``executions``, the list as it is filtered, by one query over bounded rows."""
    if not is_look(request):
        return Arrivals(DjangoJobExecution.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)
    seen = number_of(request.headers.get(SEEN_HEADER, ""))
    if seen is None:
        return Arrivals(0)
    return _counted(seen, executions.filter(pk__gt=seen, pk__lte=seen + MAX_LOOKED_AT))


def failures_since(request: HttpRequest, groups: QuerySet[Any], now: datetime) -> Arrivals:
    """Return what has failed for the first time, or again, since the page was opened, among ``groups``, the list."""
    return _since(request, groups, now, "opened_at")


def instances_since(request: HttpRequest, instances: QuerySet[Any], now: datetime) -> Arrivals:
    """Return what has started since the page was opened, among ``instances``, the list."""
    return _since(request, instances, now, "started_at")


def _since(request: HttpRequest, rows: QuerySet[Any], now: datetime, field: str) -> Arrivals:
    if not is_look(request):
        return Arrivals(int(now.timestamp() * 1000))
    seen = number_of(request.headers.get(SEEN_HEADER, ""))
    if seen is None:
        return Arrivals(0)
    try:
        opened = EPOCH + timedelta(milliseconds=seen)
    except OverflowError:  # no page was opened then
        return Arrivals(0)
    return _counted(seen, rows.filter(**{f"{field}__gt": opened}))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _counted(seen: int, fresh: QuerySet[Any]) -> Arrivals:
    number = fresh.order_by().values("pk")[: MAX_COUNTED + 1].count()
    return Arrivals(seen, min(number, MAX_COUNTED), number > MAX_COUNTED)


def number_of(text: str) -> int | None:
    """Return the number that a text of the browser names, or None where it names none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
