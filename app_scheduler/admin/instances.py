"""The admin of instances: which processes run jobs, what each runs now, and draining one before it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.arrivals import instances_since
from app_scheduler.admin.base import drop_nul, job_id_of
from app_scheduler.admin.filters import SelectFilter
from app_scheduler.admin.history import history
from app_scheduler.admin.instance_rows import (
    NAME,
    TEMPLATES,
    InstanceRow,
    instance_url,
    rows_of,
)
from app_scheduler.admin.lists import cell, chosen
from app_scheduler.admin.live import live_bar
from app_scheduler.admin.overview_links import may_view
from app_scheduler.admin.refresh import LiveChangeList, is_look, regions, regions_of_list, rows_in_sight
from app_scheduler.exceptions import ConsoleError, InstanceNotFound, InvalidInput
from app_scheduler.forms import ReasonForm
from app_scheduler.models import InstanceRole, JobOrigin, SchedulerInstance
from app_scheduler.services import NAMED_RUNS, Actor, Instance

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[SchedulerInstance]
else:
    _ModelAdmin = admin.ModelAdmin

#: Runs and acts that the page of one instance names.
RUNS_OF_ONE = 100
ACTS_OF_ONE = 50
DRAINS = "draining"

# What staff read; see the note in ``app_scheduler.admin`` for why it is no part of the model.
SchedulerInstance._meta.verbose_name = _("instance")
SchedulerInstance._meta.verbose_name_plural = _("instances")


class RoleFilter(SelectFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [*InstanceRole.choices, (DRAINS, _("drains"))]

    def narrow(self, queryset: Any, value: str) -> Any:
        if value == DRAINS:
            return queryset.filter(draining_since__isnull=False)
        return queryset.filter(role=value)


class InstanceChangeList(LiveChangeList):
    """Django's list, the leader first; a look tells of rows whose process has stopped, and how many are new."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = list(self.result_list)
        model_admin: Any = self.model_admin
        may = model_admin.permissions(request)
        rows = {row.row.pk: row for row in rows_of(found, may, NAMED_RUNS)}
        if is_look(request):
            now = timezone.now()
            for pk in rows_in_sight(request):
                if pk not in rows:
                    stopped = SchedulerInstance(id=pk)
                    rows[pk] = InstanceRow(stopped, None, now, may)
                    found.append(stopped)
        for instance in found:
            instance.row_shown = rows[instance.pk]  # what the cells show
        self.result_list = found  # the template needs an iterable with a length
        self.arrivals = instances_since(request, self.queryset, timezone.now())

    def first_page(self) -> str:
        """Return the address of the list as it is, from its beginning."""
        return str(self.get_query_string(remove=[PAGE_VAR])) or "?"

    def filters_on(self) -> bool:
        """Say whether anything narrows the list."""
        return bool(self.query or chosen(self))


@admin.register(SchedulerInstance)
class InstanceAdmin(_ModelAdmin):
    """Instances; every act goes through ``services``."""

    list_display = ("process_cell", "state_cell", "runs_cell", "slots_cell", "heartbeat_cell", "acts_cell")
    list_display_links = None
    list_filter = (RoleFilter,)
    list_per_page = 50
    ordering = ("role", "host", "pid", "id")
    search_fields = ("id", "host", "queues", "version")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None
    change_list_template = f"{TEMPLATES}/change_list.html"

    # --- permissions ----------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # A process that starts adds itself.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # A process that stops takes its row away.

    def permissions(self, request: HttpRequest) -> dict[str, bool]:
        """Return what the user may do, for templates."""
        return {
            "may_change": self.has_change_permission(request),
            "may_view_executions": may_view(request, "djangojobexecution"),
        }

    # --- the list -------------------------------------------------------------------------------------------------

    @admin.display(description=_("Process"), ordering="host")
    def process_cell(self, instance: Any) -> SafeString:
        return cell(TEMPLATES, "process", instance.row_shown)

    @admin.display(description=_("State"), ordering="role")
    def state_cell(self, instance: Any) -> SafeString:
        return cell(TEMPLATES, "state", instance.row_shown)

    @admin.display(description=_("Runs now"))
    def runs_cell(self, instance: Any) -> SafeString:
        return cell(TEMPLATES, "runs", instance.row_shown)

    @admin.display(description=_("Slots"), ordering="slots")
    def slots_cell(self, instance: Any) -> SafeString:
        return cell(TEMPLATES, "slots", instance.row_shown)

    @admin.display(description=_("Heartbeat"), ordering="heartbeat")
    def heartbeat_cell(self, instance: Any) -> SafeString:
        return cell(TEMPLATES, "heartbeat", instance.row_shown)

    @admin.display(description=_("Act"))
    def acts_cell(self, instance: Any) -> SafeString:
        return cell(TEMPLATES, "acts", instance.row_shown)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InstanceChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        drop_nul(request)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        context = {"title": _("Instances"), **self.permissions(request), **(extra_context or {})}
        if self.has_view_or_change_permission(request):
            context["live"] = live_bar(request)
        page = super().changelist_view(request, context)
        return regions_of_list(request, page, f"{TEMPLATES}/live_list.html") if is_look(request) else page

    # --- one instance ---------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        views: tuple[tuple[str, Callable[..., HttpResponse]], ...] = (
            ("drain", self.drain_view),
            ("resume", self.resume_view),
        )
        own = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"{NAME}_{name}")
            for name, view in views
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        found = self._find(request, object_id)
        if found is None:
            return HttpResponseNotFound() if is_look(request) else self._gone(request, object_id)
        (row,) = rows_of([found], self.permissions(request), RUNS_OF_ONE)
        context = {"row": row, "acts": history(_entries_about(found)[:ACTS_OF_ONE])}
        if is_look(request):
            return regions(request, f"{TEMPLATES}/live_page.html", context)
        return self._page(request, "change_form.html", row.name, **context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        found = self._find(request, object_id)
        if found is None:
            return self._gone(request, object_id)
        return HttpResponseRedirect(f"{instance_url('change', found.pk)}#jc-history")

    def drain_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, and have the instance take nothing new."""
        return self._act(request, object_id, drain=True)

    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, and let the instance take executions again."""
        return self._act(request, object_id, drain=False)

    def _act(self, request: HttpRequest, object_id: str, *, drain: bool) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        found = self._find(request, object_id)
        if found is None:
            return self._gone(request, object_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            service = services.drain_instance if drain else services.resume_instance
            try:
                done = service(found.pk, Actor(request.user, JobOrigin.STAFF), reason=form.cleaned_data["reason"])
            except InvalidInput as error:
                form.report(error)
            except ConsoleError as error:
                self.message_user(request, str(error), messages.WARNING)
                return HttpResponseRedirect(instance_url("changelist"))
            else:
                self.message_user(request, self._done(request, done, drain=drain), messages.SUCCESS)
                return HttpResponseRedirect(instance_url("changelist"))
        (row,) = rows_of([found], self.permissions(request), NAMED_RUNS)
        assert row.found is not None
        return self._page(
            request,
            "ask.html",
            gettext("Drain %(instance)s") % {"instance": row.name}
            if drain
            else gettext("Let %(instance)s go on") % {"instance": row.name},
            row=row,
            form=form,
            drain=drain,
            missing=services.missing_without(row.found) if drain else None,
            back_url=row.url,
        )

    def _done(self, request: HttpRequest, done: Instance, *, drain: bool) -> SafeString:
        (row,) = rows_of([done.row], self.permissions(request), 1)
        if drain:
            said = gettext("{instance} drains: it takes nothing new and ends what it runs.")
        else:
            said = gettext("{instance} goes on.")
        return format_html(said, instance=row.link)

    def _find(self, request: HttpRequest, object_id: str) -> SchedulerInstance | None:
        try:
            return services.get_instance(job_id_of(object_id))
        except InstanceNotFound:
            return None

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.message_user(request, str(InstanceNotFound(job_id_of(object_id))), messages.WARNING)
        return HttpResponseRedirect(instance_url("changelist"))

    def _page(self, request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"{TEMPLATES}/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "is_popup": False,
                "list_url": instance_url("changelist"),
                **context,
            },
        )


def _entries_about(instance: SchedulerInstance) -> QuerySet[LogEntry]:
    content_type = ContentType.objects.get_for_model(SchedulerInstance)
    found = LogEntry.objects.filter(content_type=content_type, object_id=instance.pk)
    return found.select_related("user").order_by("-action_time", "-pk")
