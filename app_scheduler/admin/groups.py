"""The admin of concurrency groups: how many executions of all jobs of a group may run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from app_scheduler import documents, services
from app_scheduler.admin.base import drop_nul, job_id_of
from app_scheduler.exceptions import GroupNotFound, InvalidInput
from app_scheduler.models import ConcurrencyGroup, JobOrigin
from app_scheduler.services import Actor, Group
from app_scheduler.services.groups import MAX_SLOTS

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[ConcurrencyGroup]
    _ModelForm = forms.ModelForm[ConcurrencyGroup]
else:
    _ModelAdmin = admin.ModelAdmin
    _ModelForm = forms.ModelForm

#: Groups without slots of their own that the list names; the others are counted.
MAX_WITHOUT = 50


class GroupForm(_ModelForm):
    """A group's name, by the rule of the job's own field, and its slots."""

    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        widget=forms.TextInput({"size": 30, "spellcheck": "false", "autocapitalize": "none"}),
        help_text=_("What jobs name in their field “Concurrency group”, for example “database”."),
    )
    slots = forms.IntegerField(
        label=_("Slots"),
        min_value=1,
        max_value=MAX_SLOTS,
        initial=1,
        help_text=_("How many executions of all jobs of this group may run at once, on all hosts together."),
    )

    class Meta:
        model = ConcurrencyGroup
        fields = ("name", "slots")

    def clean_name(self) -> str:
        try:
            name = documents.as_group(self.cleaned_data["name"])
        except InvalidInput as error:
            raise ValidationError(str(error)) from error
        if not name:
            raise ValidationError(_("“none” stands for a job without a group. Choose another name."))
        return name


@admin.register(ConcurrencyGroup)
class ConcurrencyGroupAdmin(_ModelAdmin):
    """Groups with slots of their own, and below them those that jobs name; every act goes through ``services``."""

    form = GroupForm
    list_display = ("name", "slots_cell", "jobs_cell", "running_cell", "waiting_cell")
    search_fields = ("name",)
    ordering = ("name",)
    list_per_page = 50
    change_list_template = "admin/app_scheduler/concurrencygroup/change_list.html"

    def get_readonly_fields(self, request: HttpRequest, obj: ConcurrencyGroup | None = None) -> tuple[str, ...]:
        # Another name would be another group; the jobs would stay with this one.
        return () if obj is None else ("name", "jobs", "running", "waiting")

    def get_fields(self, request: HttpRequest, obj: ConcurrencyGroup | None = None) -> tuple[str, ...]:
        return ("name", "slots") if obj is None else ("name", "slots", "jobs", "running", "waiting")

    @admin.display(description=_("jobs"))
    def jobs(self, row: ConcurrencyGroup) -> str:
        return _number(_now(row).jobs)

    @admin.display(description=_("running now"))
    def running(self, row: ConcurrencyGroup) -> str:
        return _number(_now(row).running)

    @admin.display(description=_("waiting now"))
    def waiting(self, row: ConcurrencyGroup) -> str:
        return _number(_now(row).waiting)

    @admin.display(description=_("slots"), ordering="slots")
    def slots_cell(self, row: ConcurrencyGroup) -> SafeString:
        return _cell(_("slots"), row.slots)

    @admin.display(description=_("jobs"))
    def jobs_cell(self, row: ConcurrencyGroup) -> SafeString:
        return _cell(_("jobs"), _now(row).jobs)

    @admin.display(description=_("running now"))
    def running_cell(self, row: ConcurrencyGroup) -> SafeString:
        return _cell(_("running now"), _now(row).running)

    @admin.display(description=_("waiting now"))
    def waiting_cell(self, row: ConcurrencyGroup) -> SafeString:
        return _cell(_("waiting now"), _now(row).waiting)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ConcurrencyGroup | None:
        return super().get_object(request, job_id_of(object_id), from_field)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        rows = changelist.result_list = list(changelist.result_list)
        for row, found in zip(rows, services.groups_named([row.name for row in rows]), strict=True):
            row.now = found
        return changelist

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        drop_nul(request)
        sought = request.GET.get("q", "").strip()
        names = services.known_groups(without_slots=True)
        if sought:
            names = names.filter(concurrency_group__icontains=sought)
        found = list(names[: MAX_WITHOUT + 1])
        context = {
            "title": _("Concurrency groups"),
            "without_slots": services.groups_named(found[:MAX_WITHOUT]),
            "is_cut": len(found) > MAX_WITHOUT,
            "max_without": MAX_WITHOUT,
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (InvalidInput, GroupNotFound) as error:
            # Somebody else has added or deleted it since this form was checked.
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:app_scheduler_concurrencygroup_changelist"))

    def save_model(self, request: HttpRequest, obj: ConcurrencyGroup, form: Any, change: bool) -> None:
        if change:
            services.change_group(obj.name, {"slots": obj.slots}, _actor(request))
        else:
            services.add_group({"name": obj.name, "slots": obj.slots}, _actor(request))

    def delete_model(self, request: HttpRequest, obj: ConcurrencyGroup) -> None:
        self._delete(request, [obj.name])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ConcurrencyGroup]) -> None:
        self._delete(request, list(queryset.values_list("name", flat=True)))

    def _delete(self, request: HttpRequest, names: list[str]) -> None:
        services.delete_groups(names, _actor(request))
        named = sum(bool(group.jobs) for group in services.groups_named(names))
        if named:
            words = ngettext(
                "%(count)s group is still named by jobs: they share one slot from now on.",
                "%(count)s groups are still named by jobs: those of each share one slot from now on.",
                named,
            )
            self.message_user(request, words % {"count": named}, messages.WARNING)

    # The services have written what happened.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return None


def _now(row: Any) -> Group:
    """Return what a group does now: as the list has read it for all its rows, or for this one alone."""
    if not hasattr(row, "now"):
        (row.now,) = services.groups_named([row.name])
    now: Group = row.now
    return now


def _cell(word: Any, number: int) -> SafeString:
    """Return a number, with its word where a narrow screen has no heads of columns."""
    return format_html('<span class="jc-word">{}: </span>{}', capfirst(word), _number(number))


def _number(number: int) -> str:
    return number_format(number, force_grouping=True)


def _actor(request: HttpRequest) -> Actor:
    return Actor(user=request.user, origin=JobOrigin.STAFF)
