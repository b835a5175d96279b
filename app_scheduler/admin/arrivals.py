"""The executions that have come into a list since its page was opened: said in a link, and never pushed in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.admin.refresh import is_look

#: Carries the id of the newest execution that there was when the page was opened.
SEEN_HEADER = "Live-Seen"
#: More are not counted, and not looked for among more executions than this.
MAX_COUNTED = 99
MAX_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """``seen`` is the newest execution of the page; ``number`` of those that the list would show are newer."""

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
    fresh = executions.order_by().filter(pk__gt=seen, pk__lte=seen + MAX_LOOKED_AT).values("pk")
    number = fresh[: MAX_COUNTED + 1].count()
    return Arrivals(seen, min(number, MAX_COUNTED), number > MAX_COUNTED)


def number_of(text: str) -> int | None:
    """Return the id that a text of the browser names, or None where it names none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
