"""The failure inbox: what failed, one line for each fault however often it came, and what is to be done about it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.arrivals import failures_since, number_of
from app_scheduler.admin.base import drop_nul
from app_scheduler.admin.columns import Link
from app_scheduler.admin.execution_filters import JobFilter
from app_scheduler.admin.failure_filters import ALL, FailureStateFilter, FailureTagFilter
from app_scheduler.admin.failure_page import acts_on, attempts, elsewhere, excerpt
from app_scheduler.admin.failure_rows import TEMPLATES, FailureRow, failure_url, grouped, rows_of
from app_scheduler.admin.failureacts import FailureActs
from app_scheduler.admin.lists import cell, chosen, may_post
from app_scheduler.admin.live import live_bar
from app_scheduler.admin.refresh import LiveChangeList, is_look, regions_of_list
from app_scheduler.models import FailureGroup
from app_scheduler.services import FailureState

#: What of the inbox refreshes itself.
LIVE_LIST = f"{TEMPLATES}/live_list.html"
#: Acknowledged failures below the open ones; the others are behind their tab.
ACKNOWLEDGED = 10


@admin.register(FailureGroup)
class FailureAdmin(FailureActs):
    """Failures; every act goes through ``services``."""

    list_display_links = None
    list_filter = (FailureStateFilter, JobFilter, FailureTagFilter)
    list_per_page = 25
    list_select_related = ("job__spec", "acknowledged_by", "snoozed_by")
    search_fields = services.FAILURE_SEARCH
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = f"{TEMPLATES}/change_list.html"

    # --- the list -------------------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        if request.GET.get(FailureStateFilter.parameter_name) == FailureState.ACKNOWLEDGED:
            return ("fault_cell", "seen_cell", "noted_cell", "recovered_cell", "acts_cell")
        return ("fault_cell", "h1", "h3", "h24", "d3", "d7", "first_cell", "last_cell", "acts_cell")

    @admin.display(description=_("Job and error"), ordering="job__spec__name")
    def fault_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "fault", group.row)

    @admin.display(description=_("1 h"))
    def h1(self, group: Any) -> SafeString:
        return _age(group, 0)

    @admin.display(description=_("3 h"))
    def h3(self, group: Any) -> SafeString:
        return _age(group, 1)

    @admin.display(description=_("24 h"))
    def h24(self, group: Any) -> SafeString:
        return _age(group, 2)

    @admin.display(description=_("3 d"))
    def d3(self, group: Any) -> SafeString:
        return _age(group, 3)

    @admin.display(description=_("7 d"))
    def d7(self, group: Any) -> SafeString:
        return _age(group, 4)

    @admin.display(description=_("First seen"), ordering="opened_at")
    def first_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "first", group.row)

    @admin.display(description=_("Last seen"), ordering="last_seen")
    def last_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "last", group.row)

    @admin.display(description=_("Seen"), ordering="last_seen")
    def seen_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "seen", group.row)

    @admin.display(description=_("What was noted"), ordering="acknowledged_at")
    def noted_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "noted", group.row)

    @admin.display(description=_("Since then"))
    def recovered_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "recovered", group.row)

    @admin.display(description=_("Act"))
    def acts_cell(self, group: Any) -> SafeString:
        return cell(TEMPLATES, "acts", group.row)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the latest first: what failed last, or what was acknowledged last."""
        if request.GET.get(FailureStateFilter.parameter_name) == FailureState.ACKNOWLEDGED:
            return ("-acknowledged_at", "pk")
        return ("-last_seen", "pk")

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return what the tab's failures allow: what is acknowledged can be opened again, what is open cannot."""
        state = request.GET.get(FailureStateFilter.parameter_name) or FailureState.OPEN.value
        pointless = {
            FailureState.OPEN.value: ("reopen_selected",),
            FailureState.ACKNOWLEDGED.value: ("acknowledge_selected", "snooze_selected", "retry_selected"),
        }.get(state, ())
        # Django 6.1 says for which page it asks, earlier ones do not.
        location = () if action_location is None else (action_location,)
        actions = super().get_actions(request, *location)
        return {name: action for name, action in actions.items() if name not in pointless}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FailureChangeList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find each word or quoted phrase in any of the fields."""
        return services.search_failures(queryset, search_term), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        drop_nul(request)
        if request.method == "POST" and not may_post(self, request):
            raise PermissionDenied
        context = {"title": _("Failures"), **self.permissions(request), **(extra_context or {})}
        if request.method == "GET" and self.has_view_permission(request):
            counts = services.count_failures(timezone.now())
            context |= {"live": live_bar(request), "counts": counts, "has_open": counts[FailureState.OPEN] > 0}
            context["open_failures"] = grouped(counts[FailureState.OPEN])
            if not is_look(request) and not request.GET and counts[FailureState.ACKNOWLEDGED]:
                context["acknowledged"] = self._acknowledged(request)
        page = super().changelist_view(request, context)
        return regions_of_list(request, page, LIVE_LIST) if is_look(request) else page

    def _acknowledged(self, request: HttpRequest) -> list[FailureRow]:
        """Return what was acknowledged last, as the section below the open failures shows it."""
        now = timezone.now()
        found = services.failure_groups(FailureState.ACKNOWLEDGED, now).order_by("-acknowledged_at", "pk")
        may = self.permissions(request)
        return [FailureRow(group, now, may=may) for group in found[:ACKNOWLEDGED]]

    # --- one failure ----------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        group = self.find(request, object_id)
        if isinstance(group, HttpResponse):
            return group
        (row,) = rows_of([group], self.permissions(request))
        title = gettext("%(error)s: %(job)s") % {"error": row.headline, "job": row.name}
        return self.page(
            request,
            "change_form.html",
            title,
            row=row,
            excerpt=excerpt(group),
            attempts=attempts(row),
            elsewhere=elsewhere(group.job_id, group.fingerprint),
            acts=acts_on(group),
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        group = self.find(request, object_id)
        if isinstance(group, HttpResponse):
            return group
        return HttpResponseRedirect(f"{failure_url('change', group.pk)}#jc-history")


class FailureChangeList(LiveChangeList):
    """Django's list, with the rows of a page seen at one moment, and how many have come since it was opened."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.arrivals = failures_since(request, self.queryset, timezone.now())
        groups: list[Any] = list(self.result_list)
        model_admin: Any = self.model_admin
        for row in rows_of(groups, model_admin.permissions(request)):
            group: Any = row.group
            group.row = row
        self.result_list = groups  # the template needs an iterable with a length

    def rows_of(self, queryset: QuerySet[Any], named: list[str]) -> QuerySet[Any]:
        return queryset.filter(pk__in=[pk for each in named if (pk := number_of(each)) is not None])

    @property
    def state(self) -> str:
        """The state that the list shows."""
        return next(spec.value() for spec in self.filter_specs if isinstance(spec, FailureStateFilter))

    def is_filtered(self) -> bool:
        """Say whether anything but the tab narrows the list."""
        return bool(self.query) or any(not isinstance(spec, FailureStateFilter) for spec in chosen(self))

    def tabs(self) -> list[tuple[str, Link, bool]]:
        """Return the state, the link and whether it is the one that is shown, of each tab."""
        name = FailureStateFilter.parameter_name
        labels = {
            FailureState.OPEN.value: gettext("Open"),
            FailureState.SNOOZED.value: gettext("Snoozed"),
            FailureState.ACKNOWLEDGED.value: gettext("Acknowledged"),
            ALL: gettext("All"),
        }
        return [
            (
                state,
                Link(
                    self.get_query_string(
                        {} if state == FailureState.OPEN else {name: state},
                        ["p", "o", name] if state == FailureState.OPEN else ["p", "o"],
                    ),
                    label,
                ),
                state == self.state,
            )
            for state, label in labels.items()
        ]


def _age(group: Any, number: int) -> SafeString:
    return group.row.ages[number].render()
