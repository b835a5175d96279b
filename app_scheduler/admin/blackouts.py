"""The admin of blackout windows: a list, a form with a preview of what a window would do, and a page to delete it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.base import drop_nul
from app_scheduler.admin.columns import EMPTY, Link, Pill, job_link, moment, short_time
from app_scheduler.admin.history import history
from app_scheduler.exceptions import BlackoutNotFound, InvalidInput
from app_scheduler.forms import ConsoleForm, ReasonForm, zone_names
from app_scheduler.models import BlackoutWindow, JobOrigin
from app_scheduler.services import MAX_REASON, Actor, WindowEffect
from app_scheduler.signature.widgets import NativeDateTimeInput

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[BlackoutWindow]
else:
    _ModelAdmin = admin.ModelAdmin

#: Jobs that a preview names, and windows that a page of confirmation names; the others are counted.
LISTED = 20
HISTORY_PER_PAGE = 50
NAME = "app_scheduler_blackoutwindow"


class BlackoutForm(ConsoleForm):
    """A window as people type it; ``services`` checks it, and its messages come back beside the fields."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=100,
        widget=forms.TextInput({"size": 40}),
        help_text=_("What the ledger calls it, for example “Easter series”."),
    )
    begins = forms.CharField(label=_("From"), required=False, widget=NativeDateTimeInput({"step": "60"}))
    ends = forms.CharField(
        label=_("Until"),
        required=False,
        widget=NativeDateTimeInput({"step": "60"}),
        help_text=_("A tick at this very moment runs again."),
    )
    timezone = forms.CharField(
        label=_("Time zone"),
        required=False,
        widget=forms.TextInput({"list": "jc-zones", "autocomplete": "off", "spellcheck": "false"}),
    )
    yearly = forms.BooleanField(
        label=_("Every year"),
        required=False,
        help_text=_("At the same dates. 29 February is left out in other years."),
    )
    last_year = forms.CharField(
        label=_("Last year"),
        required=False,
        widget=forms.TextInput({"size": 6, "inputmode": "numeric"}),
        help_text=_("The last year in which it begins. Empty: every year from now on."),
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        widget=forms.TextInput({"size": 40, "list": "jc-tags"}),
        help_text=_("For jobs with one of these tags, separated by commas. Empty: for all jobs."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MAX_REASON,
        widget=forms.TextInput({"size": 60}),
        help_text=_("Told with each tick that it keeps from running."),
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, row: BlackoutWindow | None = None) -> None:
        initial: dict[str, Any] = {"timezone": timezone.get_default_timezone_name()}
        if row is not None:
            initial = {**services.window_document(row), "tags": ", ".join(row.tags), "revision": row.revision}
        super().__init__(data, initial=initial)
        for name in ("name", "begins", "ends"):
            # Shown as required; what to give instead of nothing is said by the service.
            self.fields[name].widget.attrs["aria-required"] = "true"

    def document(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "revision"}

    @property
    def shown(self) -> list[forms.BoundField]:
        return [field for field in self if field.name != "revision"]

    @property
    def zones(self) -> tuple[str, ...]:
        return zone_names()

    @property
    def error_count(self) -> int:
        return sum(map(len, self.errors.values()))


@admin.register(BlackoutWindow)
class BlackoutAdmin(_ModelAdmin):
    """Blackout windows; every act goes through ``services``."""

    list_display = ["name_cell", "when_cell", "whom_cell", "state_cell", "why_cell"]
    list_display_links = None
    list_select_related = ["set_by"]
    list_per_page = 50
    search_fields = ["name", "reason", "tags"]
    # A window of every year is never over, and comes first on each database.
    ordering = [F("over_at").desc(nulls_first=True), "pk"]
    actions = ["delete_selected"]
    change_list_template = "admin/app_scheduler/blackoutwindow/change_list.html"

    # --- the list -------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        return services.blackout_windows()

    @admin.display(description=_("Window"), ordering="name")
    def name_cell(self, row: BlackoutWindow) -> SafeString:
        return Link(_url("change", row.pk), row.name).render()

    @admin.display(description=_("When"), ordering="begins")
    def when_cell(self, row: BlackoutWindow) -> str:
        return when_words(row)

    @admin.display(description=_("Which jobs"))
    def whom_cell(self, row: BlackoutWindow) -> SafeString | str:
        if not row.tags:
            return gettext("all jobs")
        return format_html("{}", ", ".join(row.tags))

    @admin.display(description=_("State"), ordering="over_at")
    def state_cell(self, row: BlackoutWindow) -> SafeString:
        pill, words = state_of(row)
        return format_html("{} <small>{}</small>", pill, words) if words else pill.render()

    @admin.display(description=_("Why"))
    def why_cell(self, row: BlackoutWindow) -> str:
        who = gettext("set by %(who)s") % {"who": row.set_by} if row.set_by else ""
        return ", ".join(part for part in (row.reason, who) if part) or EMPTY

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        drop_nul(request)
        return super().changelist_view(request, {"title": _("Blackout windows"), **(extra_context or {})})

    @admin.action(description=_("Delete…"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        ids = list(queryset.values_list("pk", flat=True))
        form = ReasonForm(request.POST if "_confirmed" in request.POST else None)
        if "_confirmed" in request.POST and form.is_valid():
            count = services.delete_windows(ids, _actor(request), reason=form.cleaned_data["reason"])
            words = ngettext("%(count)s window deleted.", "%(count)s windows deleted.", count) % {"count": count}
            self.message_user(request, words, messages.SUCCESS if count else messages.WARNING)
            return None
        return self._page(
            request,
            "delete.html",
            _("Delete blackout window") if len(ids) == 1 else _("Delete blackout windows"),
            form=form,
            count=len(ids),
            names=[row.name for row in queryset[:LISTED]],
            more=max(0, len(ids) - LISTED),
            ids=ids[:1] if request.POST.get("select_across") == "1" else ids,
            select_across=request.POST.get("select_across", "0"),
            checkbox_name=ACTION_CHECKBOX_NAME,
            back_url=request.get_full_path(),
        )

    # --- one window -----------------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _require(self.has_add_permission(request))
        return self._form_view(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _require(self.has_view_or_change_permission(request))
        row = self._find(request, object_id)
        if isinstance(row, HttpResponse):
            return row
        if request.method == "POST":
            _require(self.has_change_permission(request))
        return self._form_view(request, row)

    def _form_view(self, request: HttpRequest, row: BlackoutWindow | None) -> HttpResponse:
        form = BlackoutForm(request.POST if request.method == "POST" else None, row=row)
        before = services.window_document(row) if row is not None else None
        effect, shown = None, before
        if request.method != "POST":
            effect = services.window_effect(before) if before is not None else None
        elif form.is_valid():
            try:
                if "_preview" not in request.POST:
                    return self._after_saving(request, self._save(request, form, row), is_new=row is None)
                shown = services.clean_window(form.document(), allow_over=before)
                effect = services.window_effect(shown)
            except BlackoutNotFound as error:
                self.message_user(request, str(error), messages.WARNING)
                return HttpResponseRedirect(_url("changelist"))
            except InvalidInput as error:
                form.report(error)
        may_save = self.has_change_permission(request) if row is not None else True
        return self._page(
            request,
            "change_form.html",
            gettext("Change blackout window") if row is not None else gettext("Add blackout window"),
            form=form,
            row=row,
            state=state_of(row) if row is not None else None,
            when=when_words(row) if row is not None else "",
            effect=effect,
            is_previewed=request.method != "POST" or "_preview" in request.POST,
            is_saved=shown == before,
            **_effect_context(effect),
            may_save=may_save,
            may_delete=row is not None and self.has_delete_permission(request, row),
            delete_url=_url("delete", row.pk) if row is not None else "",
            history_url=_url("history", row.pk) if row is not None else "",
        )

    def _save(self, request: HttpRequest, form: BlackoutForm, row: BlackoutWindow | None) -> BlackoutWindow:
        if row is None:
            return services.add_window(form.document(), _actor(request))
        revision = form.cleaned_data["revision"]
        return services.change_window(
            row.pk, form.document(), _actor(request), partial=False, expected_revision=revision
        )

    def _after_saving(self, request: HttpRequest, row: BlackoutWindow, *, is_new: bool) -> HttpResponse:
        done = gettext("{window} was added: {when}.") if is_new else gettext("{window} was saved: {when}.")
        link = Link(_url("change", row.pk), row.name)
        self.message_user(request, format_html(done, window=link, when=when_words(row)), messages.SUCCESS)
        return HttpResponseRedirect(_url("change", row.pk) if "_continue" in request.POST else _url("changelist"))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _require(self.has_delete_permission(request))
        row = self._find(request, object_id)
        if isinstance(row, HttpResponse):
            return row
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            services.delete_windows([row.pk], _actor(request), reason=form.cleaned_data["reason"])
            self.message_user(request, gettext("“%(name)s” was deleted.") % {"name": row.name}, messages.SUCCESS)
            return HttpResponseRedirect(_url("changelist"))
        return self._page(
            request,
            "delete.html",
            _("Delete blackout window"),
            form=form,
            count=1,
            names=[row.name],
            row=row,
            back_url=_url("change", row.pk),
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _require(self.has_view_or_change_permission(request))
        row = self._find(request, object_id)
        if isinstance(row, HttpResponse):
            return row
        content_type = ContentType.objects.get_for_model(BlackoutWindow)
        entries = LogEntry.objects.filter(content_type=content_type, object_id=str(row.pk)).select_related("user")
        paginator = Paginator(entries.order_by("-action_time", "-pk"), HISTORY_PER_PAGE)
        shown = paginator.get_page(request.GET.get("p"))
        return self._page(
            request,
            "history.html",
            _("History of the blackout window"),
            row=row,
            entries=shown,
            acts=history(shown),
            change_url=_url("change", row.pk),
        )

    def _find(self, request: HttpRequest, object_id: str) -> BlackoutWindow | HttpResponse:
        try:
            return services.get_window(int(object_id) if object_id.isdecimal() and len(object_id) < 19 else 0)
        except BlackoutNotFound as error:
            self.message_user(request, str(error), messages.WARNING)
            return HttpResponseRedirect(_url("changelist"))

    def _page(self, request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/app_scheduler/blackoutwindow/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "is_popup": False,
                "list_url": _url("changelist"),
                **context,
            },
        )


def when_words(row: BlackoutWindow) -> str:
    """Return when a window is on, in its own zone: “26 Mar 2027 00:00 to 30 Mar 2027 00:00”, and how often."""
    now = timezone.now()
    bounds = services.window_walls(row)
    begins, ends = (short_time(bound, now) for bound in bounds)
    words = gettext("%(begins)s to %(ends)s") % {"begins": begins, "ends": ends}
    if str(row.timezone) != timezone.get_default_timezone_name():
        words += f" ({row.timezone})"
    if not row.yearly:
        return words
    if row.last_year is None:
        return gettext("%(span)s, and every year after") % {"span": words}
    return gettext("%(span)s, every year up to %(year)s") % {"span": words, "year": row.last_year}


def state_of(row: BlackoutWindow) -> tuple[Pill, str]:
    """Return whether a window is on, to come or over, and until or from when."""
    now = timezone.now()
    found = services.next_time(row, now)
    if found is None:
        return Pill("finished", pgettext("blackout window", "Over")), ""
    begins, ends = found
    if begins <= now:
        return Pill("skipped", pgettext("blackout window", "On")), gettext("until %(moment)s") % {
            "moment": short_time(ends, now)
        }
    coming = moment(begins, zone=begins.tzinfo, now=now)
    return Pill("scheduled", pgettext("blackout window", "To come")), coming.relative if coming else ""


def _effect_context(effect: WindowEffect | None) -> dict[str, Any]:
    """Return a window's effect as its page shows it."""
    if effect is None:
        return {}
    now = timezone.now()
    return {
        "effect_since": short_time(effect.since, now),
        "effect_until": short_time(effect.until, now),
        "effect_ticks": number_format(effect.ticks, force_grouping=True),
        "swallowed": [
            {
                "job": job_link(each.spec.job_id, each.spec.name),
                "count": number_format(each.count, force_grouping=True),
                "is_exact": each.is_exact,
                "first": short_time(each.first, now),
                "is_its_end": each.is_its_end,
            }
            for each in effect.swallowed[:LISTED]
        ],
        "swallowed_more": max(0, len(effect.swallowed) - LISTED),
    }


def _url(page: str, *args: Any) -> str:
    return reverse(f"admin:{NAME}_{page}", args=args)


def _actor(request: HttpRequest) -> Actor:
    return Actor(user=request.user, origin=JobOrigin.STAFF)


def _require(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied
