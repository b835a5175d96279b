"""The filters of the list of executions, and the dates that lead through it."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.admin.filters import SelectFilter
from app_scheduler.models import FAILURES, ExecutionOrigin, JobSpec, Status
from app_scheduler.registry import registry

FAILED = "failures"
#: More jobs than this are too many to choose from; then one types.
MAX_SUGGESTIONS = 200

Executions = QuerySet[Any]


class AliasedFilter(SelectFilter):
    """A filter with a short name in the address that also answers to the names of Django's own filters."""

    parameter_name: str
    aliases: tuple[str, ...] = ()

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        for alias in self.aliases:
            if alias in params:
                params.setdefault(self.parameter_name, params.pop(alias))
        super().__init__(request, params, model, model_admin)


class StatusFilter(AliasedFilter):
    """All statuses, not only the three that django-apscheduler's own filter knows, and the failures together."""

    title = _("status")
    parameter_name = "status"
    aliases = ("status__exact",)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(FAILED, _("Failures")), *Status.choices]

    def narrow(self, queryset: Executions, value: str) -> Executions:
        if value == FAILED:
            return queryset.filter(status__in=FAILURES)
        if value == Status.QUEUED:
            # The queue's own index, which is small however many executions are kept.
            return queryset.filter(status=value, detail__available_at__isnull=False)
        return queryset.filter(status=value)


class OriginFilter(AliasedFilter):
    title = _("origin")
    parameter_name = "origin"
    aliases = ("detail__origin", "detail__origin__exact")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, capfirst(label)) for value, label in ExecutionOrigin.choices]

    def narrow(self, queryset: Executions, value: str) -> Executions:
        return queryset.filter(detail__origin=value)


class FunctionFilter(AliasedFilter):
    """The executions of the jobs that call a function: found by the jobs' ids, for which there is an index."""

    title = _("function")
    parameter_name = "function"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in sorted(registry.names())]

    def narrow(self, queryset: Executions, value: str) -> Executions:
        return queryset.filter(job_id__in=JobSpec.objects.filter(function=value).order_by().values("job_id"))


class FaultFilter(AliasedFilter):
    """The executions that failed alike. Shown only while it is on: a link of a failure's page turns it on."""

    title = _("error")
    template = "admin/django_apscheduler/djangojobexecution/fault_filter.html"
    parameter_name = "detail__fingerprint"
    aliases = ("detail__fingerprint__exact",)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return []

    def has_output(self) -> bool:
        return bool(self.value())

    def narrow(self, queryset: Executions, value: str) -> Executions:
        return queryset.filter(detail__fingerprint=value, detail__fingerprint__gt="")

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the one thing that the template shows: what the error says, and the way out."""
        alike = DjangoJobExecution.objects.filter(
            detail__fingerprint=self.value(), detail__fingerprint__gt=""
        ).order_by()
        exception = alike.values_list("exception", flat=True).first() or ""
        yield {
            "label": Truncator(exception.strip().split("\n")[0]).chars(60),
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }


class JobFilter(admin.ListFilter):
    """One job by its id, or those whose id or name contain a word. Typed: thousands of jobs make no list of links."""

    title = _("job")
    template = "admin/django_apscheduler/djangojobexecution/job_filter.html"
    parameter_name = "job"
    names = ("job", "job__id__exact", "job__exact", "job_id", "job_id__exact", "job__id")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        given = [values[-1] for name in self.names if (values := params.pop(name, None))]
        self.typed = str(given[0]).strip() if given else ""
        if self.typed:
            self.used_parameters[self.parameter_name] = self.typed
        self.job: tuple[str, str | None] | None = None
        if self.typed and "\x00" not in self.typed:
            self.job = DjangoJob.objects.filter(pk=self.typed).values_list("id", "spec__name").first()

    def value(self) -> str:
        return self.typed

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names)

    def queryset(self, request: HttpRequest, queryset: Executions) -> Executions:
        if not self.typed:
            return queryset
        if self.job is not None:
            return queryset.filter(job_id=self.job[0])
        if "\x00" in self.typed:
            return queryset.none()
        alike = DjangoJob.objects.filter(Q(id__icontains=self.typed) | Q(spec__name__icontains=self.typed))
        return queryset.filter(job_id__in=alike.order_by().values("id"))

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the one thing that the template shows: what one may type, where that is not too much."""
        found = list(JobSpec.objects.order_by("job_id").values_list("job_id", "name")[: MAX_SUGGESTIONS + 1])
        yield {"suggestions": found if len(found) <= MAX_SUGGESTIONS else []}


def periods(changelist: ChangeList) -> dict[str, Any] | None:
    """Return the links of a date hierarchy on ``run_time``, as ``admin/date_hierarchy.html`` shows them.

    Django's own asks for DISTINCT days of the whole result, which reads every row. Here the first and the last moment
    of the table, one step of an index each, say which years, months and days there are between them.
    """
    moments = DjangoJobExecution.objects.order_by("run_time").values_list("run_time", flat=True)
    first, last = moments.first(), moments.last()
    if first is None or last is None:
        return None
    start, end = _day_of(first), _day_of(last)
    year, month, day = (_number(changelist.params.get(f"run_time__{unit}")) for unit in ("year", "month", "day"))
    if year is None and start.year == end.year:
        year = start.year
        if start.month == end.month:
            month = start.month

    def link(**units: int) -> str:
        chosen = {f"run_time__{name}": value for name, value in units.items()}
        return changelist.get_query_string(chosen, ["run_time__"])

    try:
        if year is None:
            # Newest first would be turned round by nobody; a row from 1970 must not make fifty links.
            years = range(max(start.year, end.year - 11), end.year + 1)
            return {"choices": [{"link": link(year=number), "title": str(number)} for number in years]}
        if month is None:
            months = [date(year, number, 1) for number in range(1, 13)]
            return {
                "back": {"link": link(), "title": gettext("All dates")},
                "choices": [
                    {"link": link(year=year, month=each.month), "title": _title(each, "YEAR_MONTH_FORMAT")}
                    for each in months
                    if (start.year, start.month) <= (each.year, each.month) <= (end.year, end.month)
                ],
            }
        if day is None:
            days = [date(year, month, number) for number in range(1, calendar.monthrange(year, month)[1] + 1)]
            is_chosen = "run_time__month" in changelist.params
            return {
                "back": {"link": link(year=year), "title": str(year)} if is_chosen else None,
                "choices": [
                    {"link": link(year=year, month=month, day=each.day), "title": _title(each, "MONTH_DAY_FORMAT")}
                    for each in days
                    if start <= each <= end
                ],
            }
        chosen = date(year, month, day)
        return {
            "back": {"link": link(year=year, month=month), "title": _title(chosen, "YEAR_MONTH_FORMAT")},
            "choices": [{"title": _title(chosen, "MONTH_DAY_FORMAT")}],
        }
    except ValueError:  # the 31st of February, which the list itself refuses or finds empty
        return None


def _day_of(moment: datetime) -> date:
    return (timezone.localtime(moment) if timezone.is_aware(moment) else moment).date()


def _number(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 5 else None


def _title(day: date, style: str) -> str:
    return capfirst(formats.date_format(day, style))
