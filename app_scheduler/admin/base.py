"""What the console's admins share: who acts, what they may, and pages of their own beside Django's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django_apscheduler.models import DjangoJob

from app_scheduler.exceptions import JobNotFound
from app_scheduler.models import JobOrigin
from app_scheduler.services import Actor

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[DjangoJob]
else:
    _ModelAdmin = admin.ModelAdmin

#: Where an act was asked for, so that it leads back there: the list, or the job's own page.
FROM_LIST = "list"


def job_id_of(object_id: str) -> str:
    """Return the id that an address names. No job has a NUL character in it, and PostgreSQL is not to be asked."""
    return unquote(object_id).replace("\x00", "")


def drop_nul(request: HttpRequest) -> None:
    """Take NUL characters out of what was asked for: nothing that is stored has one, and PostgreSQL takes none."""
    for name in ("GET", "POST"):
        given = getattr(request, name)
        if any("\x00" in text for _key, texts in given.lists() for text in texts):
            clean = given.copy()
            for key, texts in given.lists():
                clean.setlist(key, [text.replace("\x00", "") for text in texts])
            setattr(request, name, clean)


class QuickCheckboxes:
    """The box that chooses a row for an action, as Django has it, but for a form's machinery around each."""

    def row_name(self, row: Any) -> str:
        """Return what a row's box is called."""
        return str(row)

    def action_checkbox(self, row: Any) -> SafeString:
        label = _djangos("Select this object for an action - {}").format(self.row_name(row))
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            str(row.pk),
            label,
        )


#: What is translated in Django's own catalogue is not to be extracted into ours.
_djangos = gettext


class JobAdminBase(QuickCheckboxes, _ModelAdmin):
    """Permissions, the actor and pages of the admin of jobs."""

    def has_run_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("app_scheduler.run_job")

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("app_scheduler.pause_job")

    def has_view_executions_permission(self, request: HttpRequest) -> bool:
        executions = "django_apscheduler.{}_djangojobexecution"
        return any(request.user.has_perm(executions.format(act)) for act in ("view", "change"))

    def actor(self, request: HttpRequest) -> Actor:
        return Actor(user=request.user, origin=JobOrigin.STAFF)

    def permissions(self, request: HttpRequest) -> dict[str, bool]:
        """Return what the user may do, for templates."""
        return {
            "may_add": self.has_add_permission(request),
            "may_change": self.has_change_permission(request),
            "may_delete": self.has_delete_permission(request),
            "may_run": self.has_run_permission(request),
            "may_pause": self.has_pause_permission(request),
            "may_view_executions": self.has_view_executions_permission(request),
        }

    def require(self, allowed: bool) -> None:
        if not allowed:
            raise PermissionDenied

    def page(self, request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
        """Return a page in the admin's frame, with what the user may do in its context."""
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/django_apscheduler/djangojob/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "is_popup": False,
                "preserved_filters": self.get_preserved_filters(request),
                **self.permissions(request),
                **context,
            },
        )

    def list_url(self, request: HttpRequest) -> str:
        """Return the address of the list, with the filters that the user came with."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        filters = request.GET.get("_changelist_filters")
        return f"{url}?{filters}" if filters else url

    def back_to_list(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(self.list_url(request))

    def say(self, request: HttpRequest, *sentences: Any, level: int = messages.SUCCESS) -> None:
        """Tell what happened; sentences that are empty are left out."""
        said = [(sentence,) for sentence in sentences if sentence]
        if said:
            self.message_user(request, format_html_join(" ", "{}", said), level)

    def urls_of(self, pages: Iterable[tuple[str, Any, str]]) -> list[URLPattern]:
        """Return patterns for (route, view, name); the name is completed as those of Django's own pages are.

        Where a view finds that a job is gone, it may leave that to be said here.
        """
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path(route, self.admin_site.admin_view(self._or_gone(view)), name=f"{prefix}_{name}")
            for route, view, name in pages
        ]

    def _or_gone(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Return the view with an answer for a job that is gone: it is said, and leads back to the list."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except JobNotFound as error:
                self.say(request, str(error), level=messages.ERROR)
                return self.back_to_list(request)

        return answer
