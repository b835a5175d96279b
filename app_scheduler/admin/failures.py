"""The failure inbox: what failed, one line for each fault however often it came, and what is to be done about it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.base import drop_nul
from app_scheduler.admin.columns import Link
from app_scheduler.admin.execution_filters import JobFilter
from app_scheduler.admin.failure_filters import ALL, FailureStateFilter, FailureTagFilter
from app_scheduler.admin.failure_page import acts_on, attempts, elsewhere, excerpt
from app_scheduler.admin.failure_rows import TEMPLATES, FailureRow, cell, failure_url, grouped, rows_of
from app_scheduler.admin.failureacts import FailureActs
from app_scheduler.admin.live import live_bar
from app_scheduler.models import FailureGroup
from app_scheduler.services import FailureState

#: Acknowledged failures below the open ones; the others are behind their tab.
ACKNOWLEDGED = 10


@admin.register(FailureGroup)
class FailureAdmin(FailureActs):
    """Failures; every act goes through ``services``."""

    list_display_links = None
    list_filter = (FailureStateFilter, JobFilter, FailureTagFilter)
    list_per_page = 25
    search_fields = ("job__id", "job__spec__name", "exception", "place")
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
        return cell(group, "fault")

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
        return cell(group, "first")

    @admin.display(description=_("Last seen"), ordering="last_seen")
    def last_cell(self, group: Any) -> SafeString:
        return cell(group, "last")

    @admin.display(description=_("Seen"), ordering="last_seen")
    def seen_cell(self, group: Any) -> SafeString:
        return cell(group, "seen")

    @admin.display(description=_("What was noted"), ordering="acknowledged_at")
    def noted_cell(self, group: Any) -> SafeString:
        return cell(group, "noted")

    @admin.display(description=_("Since then"))
    def recovered_cell(self, group: Any) -> SafeString:
        return cell(group, "recovered")

    @admin.display(description=_("Act"))
    def acts_cell(self, group: Any) -> SafeString:
        return cell(group, "acts")

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
        for word in smart_split(search_term):
            if len(word) > 1 and word[0] in "'\"" and word[0] == word[-1]:
                word = unescape_string_literal(word)
            found = Q()
            for name in self.search_fields:
                found |= Q(**{f"{name}__icontains": word})
            queryset = queryset.filter(found)
        return queryset, False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        drop_nul(request)
        if request.method == "POST" and not self._may_post(request):
            raise PermissionDenied
        context = {"title": _("Failures"), **self.permissions(request), **(extra_context or {})}
        if request.method == "GET" and self.has_view_permission(request):
            counts = services.count_failures(timezone.now())
            context |= {"live": live_bar(), "counts": counts, "open_failures": grouped(counts[FailureState.OPEN])}
            context["has_open"] = counts[FailureState.OPEN] > 0
            if not request.GET and counts[FailureState.ACKNOWLEDGED]:
                context["acknowledged"] = self._acknowledged(request)
        return super().changelist_view(request, context)

    def _acknowledged(self, request: HttpRequest) -> list[FailureRow]:
        """Return what was acknowledged last, as the section below the open failures shows it."""
        now = timezone.now()
        found = services.failure_groups(FailureState.ACKNOWLEDGED, now).order_by("-acknowledged_at", "pk")
        may = self.permissions(request)
        return [FailureRow(group, now, may=may) for group in found[:ACKNOWLEDGED]]

    def _may_post(self, request: HttpRequest) -> bool:
        """Say whether what is posted asks for actions that this user has. Without any there is nothing to post."""
        allowed = self.get_actions(request)
        return bool(allowed) and all(action in allowed for action in request.POST.getlist("action") if action)

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
            elsewhere=elsewhere(group),
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


class FailureChangeList(ChangeList):
    """Django's list, with the rows of a page seen at one moment."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        groups: list[Any] = list(self.result_list)
        model_admin: Any = self.model_admin
        for row in rows_of(groups, model_admin.permissions(request)):
            row.group.row = row  # type: ignore[attr-defined]
        self.result_list = groups  # the template needs an iterable with a length

    @property
    def state(self) -> str:
        """The state that the list shows."""
        return next(spec.value() for spec in self.filter_specs if isinstance(spec, FailureStateFilter))

    def is_filtered(self) -> bool:
        """Say whether anything but the tab narrows the list."""
        others = (spec for spec in self.filter_specs if not isinstance(spec, FailureStateFilter))
        return bool(self.query) or any(spec.value() for spec in others)  # type: ignore[attr-defined]

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
