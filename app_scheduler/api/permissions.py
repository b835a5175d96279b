"""Who may do what: Django's own permissions, one for each act, named by the view."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

ADD_JOB = "django_apscheduler.add_djangojob"
CHANGE_JOB = "django_apscheduler.change_djangojob"
DELETE_JOB = "django_apscheduler.delete_djangojob"
VIEW_JOB = "django_apscheduler.view_djangojob"
CHANGE_EXECUTION = "django_apscheduler.change_djangojobexecution"
VIEW_EXECUTION = "django_apscheduler.view_djangojobexecution"
#: Either is enough: who may change executions may see them, as in the admin.
SEE_FAILURES = (VIEW_EXECUTION, CHANGE_EXECUTION)
VIEW_BLACKOUT = "app_scheduler.view_blackoutwindow"
ADD_BLACKOUT = "app_scheduler.add_blackoutwindow"
CHANGE_BLACKOUT = "app_scheduler.change_blackoutwindow"
DELETE_BLACKOUT = "app_scheduler.delete_blackoutwindow"
VIEW_GROUP = "app_scheduler.view_concurrencygroup"
ADD_GROUP = "app_scheduler.add_concurrencygroup"
CHANGE_GROUP = "app_scheduler.change_concurrencygroup"
DELETE_GROUP = "app_scheduler.delete_concurrencygroup"
RUN_JOB = "app_scheduler.run_job"
PAUSE_JOB = "app_scheduler.pause_job"
CHANGE_INSTANCE = "app_scheduler.change_schedulerinstance"

#: A permission, or several of which one is enough.
Needed = str | tuple[str, ...]


class HasPermission(BasePermission):
    """Ask for what the view's ``permissions`` name for the method. What they do not name, a view does not serve."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        method = "GET" if request.method == "HEAD" else request.method
        needed = view.permissions.get(method)
        if needed is None or _has(request, needed):
            return True
        self.message = _needs(needed)
        return False


def require(request: Request, needed: Needed) -> None:
    """Raise ``PermissionDenied`` unless the user has one more permission, which the body or the act calls for."""
    if not _has(request, needed):
        raise PermissionDenied(_needs(needed))


def _has(request: Request, needed: Needed) -> bool:
    return any(request.user.has_perm(each) for each in ((needed,) if isinstance(needed, str) else needed))


def _needs(needed: Needed) -> str:
    permission = needed if isinstance(needed, str) else needed[0]
    return gettext("You need the permission %(permission)s to do this. Ask an administrator for it.") % {
        "permission": permission
    }
