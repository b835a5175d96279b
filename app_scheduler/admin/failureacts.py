"""Acts on failures: each asks first, for one group at an address of its own, or for many from the list.

The page that asks says what the act does and to how many, and takes a note. From the list it may be widened to all
that match, without any script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.base import QuickCheckboxes
from app_scheduler.admin.columns import short_time
from app_scheduler.admin.failure_rows import NAME, TEMPLATES, FailureRow, failure_url, grouped
from app_scheduler.exceptions import ConsoleError, FailureNotFound, InvalidInput
from app_scheduler.forms import NoteForm, RetryForm, SnoozeForm
from app_scheduler.models import FailureGroup, JobOrigin
from app_scheduler.services import MAX_RETRIES, Actor

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[FailureGroup]
else:
    _ModelAdmin = admin.ModelAdmin

#: Failures that a page of confirmation names; the others are counted.
LISTED = 20
#: Reasons why some were left out that are told.
REASONS = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What an act came to: sentences, each with its level."""

    sentences: Sequence[tuple[int, str]]


def _acknowledge(ids: Sequence[int], actor: Actor, form: Any) -> Told:
    done = services.acknowledge_failures(ids, actor, note=form.cleaned_data["note"])
    text = ngettext("%(number)s failure acknowledged.", "%(number)s failures acknowledged.", done)
    return _told(done, text, len(ids) - done, gettext("was acknowledged already"))


def _snooze(ids: Sequence[int], actor: Actor, form: Any) -> Told:
    until = form.moment
    done = services.snooze_failures(ids, actor, until=until, note=form.cleaned_data["note"])
    text = ngettext("%(number)s failure snoozed until %(until)s.", "%(number)s failures snoozed until %(until)s.", done)
    text = text.replace("%(until)s", short_time(timezone.localtime(until), timezone.now()).replace("%", "%%"))
    return _told(done, text, len(ids) - done, gettext("is acknowledged"))


def _reopen(ids: Sequence[int], actor: Actor, form: Any) -> Told:
    done = services.reopen_failures(ids, actor, note=form.cleaned_data["note"])
    text = ngettext("%(number)s failure is open again.", "%(number)s failures are open again.", done)
    return _told(done, text, len(ids) - done, gettext("was open already, or its executions have been deleted"))


def _retry(ids: Sequence[int], actor: Actor, form: Any) -> Told:
    values = form.cleaned_data
    retried = services.retry_failures(ids, actor, per_minute=values["per_minute"], note=values["note"])
    done = len(retried.queued)
    told: list[tuple[int, str]] = []
    if done or not retried.refused:
        text = ngettext("%(number)s execution queued again.", "%(number)s executions queued again.", done)
        told.append((messages.SUCCESS if done else messages.WARNING, text % {"number": grouped(done)}))
    if retried.is_cut:
        text = gettext("That is as many as go at once. Retry again for the rest.")
        told.append((messages.WARNING, text))
    for reason, number in retried.refused.most_common(REASONS):
        text = ngettext("%(number)s was left as it is: %(why)s", "%(number)s were left as they are: %(why)s", number)
        told.append((messages.WARNING, text % {"number": grouped(number), "why": reason}))
    return Told(told)


def _told(done: int, text: str, rest: int, why: str) -> Told:
    if not done and not rest:
        return Told([(messages.WARNING, gettext("Nothing was done: none of them is in this list any more."))])
    told = [(messages.SUCCESS, text % {"number": grouped(done)})] if done else []
    if rest:
        left = ngettext("%(number)s was left as it is: %(why)s", "%(number)s were left as they are: %(why)s", rest)
        told.append((messages.WARNING, left % {"number": grouped(rest), "why": f"{why}."}))
    return Told(told)


@dataclass(frozen=True, slots=True)
class Act:
    """What may be done: the words of the page that asks, its form, and the service behind it."""

    name: str
    title: Any
    button: Any
    form: type[NoteForm]
    perform: Callable[[Sequence[int], Actor, Any], Told]
    permission: str = "change"


ACTS = {
    act.name: act
    for act in (
        Act("acknowledge", _("Acknowledge failures"), _("Acknowledge"), NoteForm, _acknowledge),
        Act("snooze", _("Snooze failures"), _("Snooze"), SnoozeForm, _snooze),
        Act("reopen", _("Open failures again"), _("Open again"), NoteForm, _reopen),
        Act("retry", _("Retry failures"), _("Retry"), RetryForm, _retry, "run"),
    )
}


class FailureActs(QuickCheckboxes, _ModelAdmin):
    """Acknowledge, snooze, open again and retry, one group or many."""

    actions = ("acknowledge_selected", "snooze_selected", "retry_selected", "reopen_selected")

    # --- what it allows: the model has no permissions of its own, a failure is executions --------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return any(request.user.has_perm(f"django_apscheduler.{act}_djangojobexecution") for act in ("view", "change"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("django_apscheduler.change_djangojobexecution")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("app_scheduler.run_job")

    def permissions(self, request: HttpRequest) -> dict[str, bool]:
        """Return what the user may do, for templates."""
        view_job = any(request.user.has_perm(f"django_apscheduler.{act}_djangojob") for act in ("view", "change"))
        return {
            "may_change": self.has_change_permission(request),
            "may_run": self.has_run_permission(request),
            "may_view_job": view_job,
        }

    def _may(self, request: HttpRequest, act: Act) -> bool:
        return self.has_run_permission(request) if act.permission == "run" else self.has_change_permission(request)

    # --- many -----------------------------------------------------------------------------------------------------

    @admin.action(description=_("Acknowledge…"), permissions=["change"])
    def acknowledge_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, ACTS["acknowledge"])

    @admin.action(description=_("Snooze…"), permissions=["change"])
    def snooze_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, ACTS["snooze"])

    @admin.action(description=_("Open again…"), permissions=["change"])
    def reopen_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, ACTS["reopen"])

    @admin.action(description=_("Retry…"), permissions=["run"])
    def retry_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, ACTS["retry"])

    def _many(self, request: HttpRequest, queryset: Any, act: Act) -> HttpResponse | None:
        """Ask, or act on what the list's own address and the boxes that were ticked ask for."""
        is_all = request.POST.get("select_across") == "1"
        ids = list(queryset.values_list("pk", flat=True))
        form = act.form(request.POST if "_confirmed" in request.POST else None)
        if "_confirmed" in request.POST and self._perform(request, act, ids, form):
            return None
        ticked = [int(pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME) if pk.isdecimal() and len(pk) < 19]
        matching = list(self.get_changelist_instance(request).get_queryset(request).values_list("pk", flat=True))
        chosen = ids if not is_all else [pk for pk in matching if pk in set(ticked)]
        return self._ask(
            request,
            act,
            form,
            chosen,
            matching=matching if len(matching) > len(chosen) else [],
            is_all=is_all,
            action_name=f"{act.name}_selected",
            ticked=ticked,
            checkbox_name=ACTION_CHECKBOX_NAME,
            back_url=request.get_full_path(),
        )

    # --- one ------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(self._view_of(act)), name=f"{NAME}_{name}")
            for name, act in ACTS.items()
        ]
        return [*own, *super().get_urls()]

    def _view_of(self, act: Act) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            if not self._may(request, act):
                raise PermissionDenied
            group = self.find(request, object_id)
            if isinstance(group, HttpResponse):
                return group
            form = act.form(request.POST if request.method == "POST" else None)
            if request.method == "POST" and self._perform(request, act, [group.pk], form):
                return HttpResponseRedirect(failure_url("change", group.pk))
            return self._ask(request, act, form, [group.pk], row=group, back_url=failure_url("change", group.pk))

        return view

    def find(self, request: HttpRequest, object_id: str) -> FailureGroup | HttpResponse:
        """Return the group that an address names, or the way back to the list where there is none."""
        try:
            is_id = object_id.isascii() and object_id.isdecimal() and len(object_id) < 19
            return services.get_failure(int(object_id) if is_id else 0)
        except FailureNotFound as error:
            self.message_user(request, str(error), messages.WARNING)
            return HttpResponseRedirect(failure_url("changelist"))

    # --- both -----------------------------------------------------------------------------------------------------

    def _perform(self, request: HttpRequest, act: Act, ids: Sequence[int], form: NoteForm) -> bool:
        """Do what the form asks and say what came of it; return whether it was done."""
        if not form.is_valid():
            return False
        try:
            told = act.perform(ids, Actor(user=request.user, origin=JobOrigin.STAFF), form)
        except InvalidInput as error:
            form.report(error)
            return False
        except ConsoleError as error:
            form.add_error(None, str(error))
            return False
        for level in (messages.SUCCESS, messages.WARNING):
            said = [(text,) for each, text in told.sentences if each == level]
            if said:
                self.message_user(request, format_html_join(" ", "{}", said), level)
        return True

    def _ask(
        self,
        request: HttpRequest,
        act: Act,
        form: NoteForm,
        chosen: Sequence[int],
        *,
        matching: Sequence[int] = (),
        **context: Any,
    ) -> HttpResponse:
        """Return the page that asks before an act: what it does, to which and to how many, or to all that match."""
        now = timezone.now()
        shown = services.failure_groups_by_id(chosen[:LISTED])
        may = self.permissions(request)
        if act.permission == "run":
            context |= {
                "retryable": services.count_retryable(chosen),
                "retryable_of_all": services.count_retryable(matching),
                "most": MAX_RETRIES,
                "is_more": services.count_retryable(chosen) > MAX_RETRIES,
            }
        return self.page(
            request,
            "ask.html",
            act.title,
            act=act,
            form=form,
            rows=[FailureRow(group, now, may=may) for group in shown],
            more=len(chosen) - len(shown),
            chosen=len(chosen),
            matching=len(matching),
            matching_words=grouped(len(matching)),
            **context,
        )

    def page(self, request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
        """Return a page in the admin's frame, with what the user may do in its context."""
        request.current_app = self.admin_site.name
        shared: Mapping[str, Any] = {
            **self.admin_site.each_context(request),
            **self.permissions(request),
            "opts": self.opts,
            "title": title,
            "is_popup": False,
            "list_url": failure_url("changelist"),
        }
        return TemplateResponse(request, f"{TEMPLATES}/{template}", {**shared, **context})
