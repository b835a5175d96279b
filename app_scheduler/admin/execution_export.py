"""The filtered list of executions as a file, written while it is sent, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.admin.base import QuickCheckboxes
from app_scheduler.transfer.streams import Row, Value, csv_of, workbook_of

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[DjangoJobExecution]
else:
    _ModelAdmin = admin.ModelAdmin

#: Executions that are read at once.
PAGE = 2_000
CSV, XLSX = "csv", "xlsx"
_CONTENT_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: The columns, named as the API names them, with the fields that they come from and their widths in a workbook.
_COLUMNS: dict[str, tuple[str, int]] = {
    "id": ("id", 10),
    "job": ("job_id", 24),
    "name": ("job__spec__name", 28),
    "status": ("status", 16),
    "run_time": ("run_time", 24),
    "started_at": ("detail__started_at", 24),
    "finished_at": ("detail__finished_at", 24),
    "lateness": ("", 10),
    "duration": ("duration", 10),
    "time_zone": ("", 18),
    "origin": ("detail__origin", 10),
    "requested_by": ("", 16),
    "attempt": ("detail__attempt", 8),
    "tick_count": ("detail__tick_count", 10),
    "instance": ("detail__instance", 24),
    "exception": ("exception", 60),
    "reason": ("detail__reason", 60),
}


class ExecutionExport(QuickCheckboxes, _ModelAdmin):
    """What the admin of executions sends as files."""

    def get_urls(self) -> list[URLPattern]:
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        views = {kind: self.admin_site.admin_view(partial(self.export_view, kind=kind)) for kind in _CONTENT_TYPES}
        own = [path(f"export/{kind}/", view, name=f"{prefix}_{kind}") for kind, view in views.items()]
        return [*own, *super().get_urls()]

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send the list as it is filtered, as a file of this kind."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        try:
            executions = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:  # The list says so.
            url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            return HttpResponseRedirect(f"{url}?e=1")
        return exported(request, executions, kind)


def exported(request: HttpRequest, executions: QuerySet[Any], kind: str) -> StreamingHttpResponse:
    """Return ``executions`` as a file of this kind, the newest first."""
    headings, widths = tuple(_COLUMNS), tuple(width for _field, width in _COLUMNS.values())
    rows = _rows(executions)
    if kind == CSV:
        content = csv_of(headings, rows)
    else:
        more = gettext("There are more executions than a sheet has rows. Filter the list, or export it as CSV.")
        content = workbook_of(headings, rows, sheet="executions", widths=widths, more=more)
    answer = StreamingHttpResponse(_sent_to(request, content), content_type=_CONTENT_TYPES[kind])
    name = f"executions-{timezone.localtime():%Y-%m-%d-%H%M}.{kind}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _sent_to(request: HttpRequest, content: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """Return what the server can send bit by bit: under ASGI, Django would gather all of an ordinary iterator first."""
    return _by_and_by(content) if hasattr(request, "scope") else content


async def _by_and_by(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    # In the thread of the request's other work, whose connection it is.
    following = sync_to_async(lambda: next(content, None))
    while (part := await following()) is not None:
        yield part


def _rows(executions: QuerySet[Any]) -> Iterator[Row]:
    """Yield each execution as a row, page by page along the index of ``run_time``.

    No cursor stays open on the server, and no transaction: whoever downloads slowly holds nothing up.
    """
    zone = timezone.get_current_timezone()
    user = f"detail__requested_by__{get_user_model().USERNAME_FIELD}"
    fields = [user if column == "requested_by" else field for column, (field, _width) in _COLUMNS.items()]
    read = [field for field in fields if field]
    ordered = executions.order_by("-run_time", "-pk")
    page = list(ordered.values_list(*read)[:PAGE])
    due, key = read.index("run_time"), read.index("id")
    while page:
        for values in page:
            named = dict(zip(read, values, strict=True))
            yield [_value(column, field, named, zone) for column, field in zip(_COLUMNS, fields, strict=True)]
        if len(page) < PAGE:
            return
        last = page[-1]
        older = Q(run_time__lt=last[due]) | Q(run_time=last[due], pk__lt=last[key])
        # The first condition is what the index is searched by.
        page = list(ordered.filter(run_time__lte=last[due]).filter(older).values_list(*read)[:PAGE])


def _value(column: str, field: str, named: dict[str, Any], zone: Any) -> Value:
    if column == "time_zone":
        return str(zone)
    if column == "lateness":
        return _seconds(named["run_time"], named["detail__started_at"])
    if column == "duration":
        took = _seconds(named["detail__started_at"], named["detail__finished_at"])
        return took if took is not None or named["duration"] is None else float(named["duration"])
    value = named[field]
    if isinstance(value, datetime):
        return timezone.make_naive(value, zone) if timezone.is_aware(value) else value
    result: Value = value
    return result


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round(max(0.0, (end - start).total_seconds()), 3)
