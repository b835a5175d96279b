"""Where the figures of the overview lead: lists that are filtered so that they show what the figure counts."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from app_scheduler.admin.columns import execution_url
from app_scheduler.admin.execution_filters import FAILED

OVERVIEW = "admin:django_apscheduler_djangojob_overview"
JOBS = "admin:django_apscheduler_djangojob_changelist"
CALENDAR = "admin:django_apscheduler_djangojob_calendar"
EXECUTIONS = "admin:django_apscheduler_djangojobexecution_changelist"
FAILURES = "admin:app_scheduler_failuregroup_changelist"
INSTANCES = "admin:app_scheduler_schedulerinstance_changelist"


def may_view(request: HttpRequest, model: str, app: str = "django_apscheduler") -> bool:
    """Say whether the user may look at jobs, executions or instances, by the name of the model."""
    user = request.user
    may = any(user.has_perm(f"{app}.{act}_{model}") for act in ("view", "change"))
    return user.is_active and user.is_staff and may


class Links:
    """The addresses of one reader; "" is what they may not see."""

    def __init__(self, request: HttpRequest) -> None:
        self._may_view_executions = may_view(request, "djangojobexecution")
        self._may_view_instances = may_view(request, "schedulerinstance", "app_scheduler")
        # A page has hundreds of them: each address is looked up once.
        self._executions, self._execution = reverse(EXECUTIONS), execution_url(0)
        self.overview, self.jobs, self.calendar = reverse(OVERVIEW), reverse(JOBS), reverse(CALENDAR)

    def executions(self, **filters: str) -> str:
        """Return the list of executions with these filters."""
        if not self._may_view_executions:
            return ""
        return f"{self._executions}?{urlencode(filters)}" if filters else self._executions

    def executions_between(self, since: datetime, until: datetime, **filters: str) -> str:
        """Return the list of executions that were due from ``since`` on and before ``until``."""
        span = {"run_time__gte": _iso(since), "run_time__lt": _iso(until)}
        return self.executions(**filters, **span)

    def execution(self, execution_id: int | None) -> str:
        if execution_id is None or not self._may_view_executions:
            return ""
        return self._execution.replace("/0/", f"/{execution_id}/")

    @property
    def failures(self) -> str:
        """The inbox of failures, or the executions that failed where a site has no such page."""
        try:
            return reverse(FAILURES) if self._may_view_executions else ""
        except NoReverseMatch:
            return self.executions(status=FAILED)

    def due_on(self, day: date, **filters: str) -> str:
        """Return the calendar's day with these filters."""
        return f"{self.calendar}?{urlencode({'date': day.isoformat(), **filters})}"

    @property
    def instances(self) -> str:
        """The instances, or "" where a site has no such page."""
        try:
            return reverse(INSTANCES) if self._may_view_instances else ""
        except NoReverseMatch:
            return ""

    def jobs_of(self, **filters: str) -> str:
        return f"{self.jobs}?{urlencode(filters)}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
