"""The filters of the list of jobs, shown as selects beside the search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.models import JobSpec, JobState, Status

#: What a job is, beside its state: its last run failed, no scheduler has adopted it yet, staff changed it from code.
FAILING = "failing"
NOT_ADOPTED = "not-adopted"
CHANGED = "changed"

#: The types of triggers as staff know them, in the order of the form.
TRIGGER_TYPES = {
    "interval": _("Every … (interval)"),
    "cron": _("At times (cron)"),
    "date": _("Once"),
    "calendar": _("Calendar"),
    "any": _("Any of several"),
}


class SelectFilter(admin.SimpleListFilter):
    """A filter that is one select of the search form. An unknown value finds nothing rather than everything."""

    template = "admin/django_apscheduler/djangojob/select_filter.html"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset if value in (None, "") else self.narrow(queryset, str(value))

    def narrow(self, queryset: Any, value: str) -> Any:
        """Return the rows that the chosen value means; each filter has its own."""
        raise NotImplementedError

    def has_output(self) -> bool:
        # Where one value is all there is, there is nothing to choose; but a filter that is on must be seen to be on.
        return len(self.lookup_choices) > 1 or bool(self.value())


class StateFilter(SelectFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        others = [(FAILING, _("Failing")), (NOT_ADOPTED, _("Not adopted yet")), (CHANGED, _("Changed from code"))]
        return [*JobState.choices, *others]

    def narrow(self, queryset: Any, value: str) -> Any:
        if value == NOT_ADOPTED:
            return queryset.filter(spec__isnull=True)
        if value == FAILING:
            return queryset.filter(failing())
        if value == CHANGED:
            return queryset.filter(pk__in=services.changed_from_code())
        return queryset.filter(spec__state=value)


class TriggerTypeFilter(SelectFilter):
    title = _("schedule")
    parameter_name = "trigger"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return TRIGGER_TYPES.items()

    def narrow(self, queryset: Any, value: str) -> Any:
        return queryset.filter(spec__trigger_type=value)


class FunctionFilter(SelectFilter):
    title = _("function")
    parameter_name = "function"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        names = JobSpec.objects.order_by("function").values_list("function", flat=True).distinct()
        return [(name, name) for name in names]

    def narrow(self, queryset: Any, value: str) -> Any:
        return queryset.filter(spec__function=value)


class TagFilter(SelectFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [(tag, tag) for tag in JobSpec.objects.tag_names()]

    def has_output(self) -> bool:
        return bool(self.lookup_choices or self.value())

    def narrow(self, queryset: Any, value: str) -> Any:
        return queryset.filter(pk__in=JobSpec.objects.with_tag(value).values("job_id"))


class OutcomeFilter(SelectFilter):
    title = _("outcome")
    parameter_name = "outcome"
    NEVER = "never"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        verdicts = [(status.value, status.label) for status in Status if status not in (Status.QUEUED, Status.STARTED)]
        return [*verdicts, (self.NEVER, gettext("Never ran"))]

    def narrow(self, queryset: Any, value: str) -> Any:
        return queryset.filter(spec__last_status="" if value == self.NEVER else value)


def failing() -> Q:
    """Return the condition of jobs that fail, by the rule of ``services``."""
    return services.failing_at(timezone.now(), "spec__")


#: In the order in which they are shown.
JOB_FILTERS = (StateFilter, TriggerTypeFilter, FunctionFilter, TagFilter, OutcomeFilter)

#: Parameters of the list that are not filters and survive a new search.
KEPT_PARAMETERS = (ORDER_VAR,)
