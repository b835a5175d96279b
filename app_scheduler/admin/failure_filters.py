"""The filters of the failure inbox, and the one by which its cells open the list of executions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.columns import moment
from app_scheduler.admin.execution_filters import AliasedFilter, Executions
from app_scheduler.admin.filters import SelectFilter
from app_scheduler.models import JobSpec
from app_scheduler.services import FailureState

ALL = "all"
FIRST_YEAR, LAST_YEAR = 1970, 9000


class FailureStateFilter(SelectFilter):
    """Which groups the inbox shows: the open ones, unless its address asks for others. Chosen by tabs."""

    title = _("state")
    template = "admin/app_scheduler/failuregroup/state_filter.html"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (FailureState.OPEN.value, _("Open")),
            (FailureState.SNOOZED.value, _("Snoozed")),
            (FailureState.ACKNOWLEDGED.value, _("Acknowledged")),
            (ALL, _("All")),
        ]

    def value(self) -> str:
        return super().value() or FailureState.OPEN.value

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if value != ALL and value not in set(FailureState):
            return queryset.none()
        return services.failure_groups(None if value == ALL else FailureState(value), timezone.now(), of=queryset)


class FailureTagFilter(SelectFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(tag, tag) for tag in JobSpec.objects.tag_names()]

    def has_output(self) -> bool:
        return bool(self.lookup_choices or self.value())

    def narrow(self, queryset: Any, value: str) -> Any:
        return services.tagged_failures(queryset, value)


class OpenSinceFilter(AliasedFilter):
    """Failures that nobody has acknowledged, from a moment on. Shown only while it is on: a cell of the inbox is."""

    title = _("open since")
    template = "admin/app_scheduler/failuregroup/open_since_filter.html"
    parameter_name = "open_since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return []

    def has_output(self) -> bool:
        return bool(self.value())

    def since(self) -> datetime | None:
        """Return the moment that the address gives, or None where it gives none that can be read."""
        try:
            given = datetime.fromisoformat(str(self.value()))
        except ValueError:
            return None
        # A moment at the edge of the calendar is one in no other zone.
        if not FIRST_YEAR <= given.year <= LAST_YEAR:
            return None
        return given if timezone.is_aware(given) else timezone.make_aware(given)

    def narrow(self, queryset: Executions, value: str) -> Executions:
        since = self.since()
        if since is None:
            return queryset.none()
        return queryset.filter(
            detail__fingerprint__gt="", detail__finished_at__gte=since, detail__acknowledged_at__isnull=True
        )

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the one thing that the template shows: since when, and the way out."""
        since = moment(self.since())
        yield {
            "since": since.short if since else self.value(),
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }
