"""The admin of executions: read-only, filtered and paged without counting millions, each with a page that tells why.

Nobody writes an execution by hand: what may be done with one, retrying and cancelling it, goes through the services.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.admin import columns
from app_scheduler.admin.arrivals import arrivals, number_of
from app_scheduler.admin.base import job_id_of
from app_scheduler.admin.execution_export import ExecutionExport
from app_scheduler.admin.execution_facts import Facts, asked_by, took_words
from app_scheduler.admin.execution_filters import (
    FaultFilter,
    FunctionFilter,
    JobFilter,
    OriginFilter,
    StatusFilter,
    periods,
)
from app_scheduler.admin.execution_page import Page, stored_arguments
from app_scheduler.admin.failure_filters import OpenSinceFilter
from app_scheduler.admin.lists import may_post
from app_scheduler.admin.live import live_bar
from app_scheduler.admin.paging import BoundedPaginator
from app_scheduler.admin.refresh import LiveChangeList, is_look, regions, regions_of_list
from app_scheduler.exceptions import ConsoleError, InvalidInput
from app_scheduler.forms import ArgumentsForm, ReasonForm
from app_scheduler.models import ExecutionOrigin, Status
from app_scheduler.registry import registry
from app_scheduler.services import Actor
from app_scheduler.transfer.streams import MAX_ROWS

RUN_PERMISSION = "app_scheduler.run_job"
#: As many executions as one bulk action takes: each is a few statements, in one transaction.
MAX_BULK = 500
TEMPLATES = "admin/django_apscheduler/djangojobexecution"

#: All that a row of the list shows. Logs, tracebacks and results stay in the database.
ROW_FIELDS = (
    "status",
    "run_time",
    "duration",
    "finished",
    "exception",
    "job_id",
    "job__id",
    *(f"job__spec__{name}" for name in ("name", "trigger", "anchor", "max_retries")),
    *(
        f"detail__{name}"
        for name in (
            "origin",
            "attempt",
            "retry_of",
            "available_at",
            "queued_at",
            "started_at",
            "finished_at",
            "instance",
            "progress_done",
            "progress_total",
            "progress_message",
            "progress_at",
            "progress_rate",
            "tick_count",
            "reason",
        )
    ),
)
#: What a page of one execution has no use for.
PAGE_UNUSED = ("job__job_state", "job__spec__code_document")


@admin.register(DjangoJobExecution)
class ExecutionAdmin(ExecutionExport):
    list_display = ("due", "job_name", "verdict", "outcome", "late", "took", "asked")
    list_display_links = ("due",)
    list_filter = (OpenSinceFilter, FaultFilter, JobFilter, FunctionFilter, StatusFilter, OriginFilter)
    list_per_page = 50
    ordering = ("-run_time",)
    # By anything else, the database would sort the whole history.
    sortable_by = ("due",)
    search_fields = ("job__id", "job__spec__name", "exception", "detail__reason")
    search_help_text = _("Finds text in the job's id and name, in the exception and in the reason.")
    date_hierarchy = "run_time"
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("retry_selected", "cancel_selected")
    change_list_template = f"{TEMPLATES}/change_list.html"

    # --- what it allows ---

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(RUN_PERMISSION)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in FILTERED_DETAILS or bool(super().lookup_allowed(lookup, value, request))  # type: ignore[arg-type]

    # --- the list ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        name = get_user_model().USERNAME_FIELD
        executions: QuerySet[Any] = super().get_queryset(request)
        return executions.select_related("job__spec", "detail__requested_by").only(
            *ROW_FIELDS, "detail__requested_by", f"detail__requested_by__{name}"
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find each word or quoted phrase. Which jobs it means is asked of the jobs once, not of each execution."""
        for word in services.words_of(search_term.replace("\x00", "")):
            jobs = DjangoJob.objects.filter(Q(id__icontains=word) | Q(spec__name__icontains=word)).order_by()
            texts = Q(exception__icontains=word) | Q(detail__reason__icontains=word)
            queryset = queryset.filter(texts | Q(job_id__in=jobs.values("id")))
        return queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ExecutionChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST" and not may_post(self, request):
            raise PermissionDenied
        context = {"title": gettext("Executions"), **(extra_context or {})}
        if request.method == "GET" and self.has_view_permission(request):
            context["live"] = live_bar(request)
        page = super().changelist_view(request, context)
        return regions_of_list(request, page, f"{TEMPLATES}/live_list.html") if is_look(request) else page

    @admin.display(description=_("due"), ordering="run_time")
    def due(self, execution: DjangoJobExecution) -> str:
        return self._cell("due", execution)

    @admin.display(description=_("job"))
    def job_name(self, execution: DjangoJobExecution) -> str:
        return self._cell("job", execution)

    @admin.display(description=_("status"))
    def verdict(self, execution: DjangoJobExecution) -> str:
        return self._cell("verdict", execution)

    @admin.display(description=_("what happened"))
    def outcome(self, execution: DjangoJobExecution) -> str:
        return self._cell("outcome", execution)

    @admin.display(description=_("late"))
    def late(self, execution: DjangoJobExecution) -> str:
        return self._cell("late", execution)

    @admin.display(description=_("took"))
    def took(self, execution: DjangoJobExecution) -> str:
        return self._cell("took", execution)

    @admin.display(description=_("asked by"))
    def asked(self, execution: DjangoJobExecution) -> str:
        return self._cell("asked", execution)

    def _cell(self, name: str, execution: DjangoJobExecution) -> str:
        row = getattr(execution, "row", None) or Row(execution, timezone.now())
        return render_to_string(f"{TEMPLATES}/cells/{name}.html", {"row": row})

    # --- the page of one ---

    def get_urls(self) -> list[URLPattern]:
        views: Sequence[tuple[str, str, Callable[..., HttpResponse]]] = (
            ("<path:object_id>/retry/", "retry", self.retry_view),
            ("<path:object_id>/retry-with/", "retry_with", self.retry_with_view),
            ("<path:object_id>/cancel/", "cancel", self.cancel_view),
        )
        opts = self.model._meta
        own = [
            path(route, self.admin_site.admin_view(view), name=f"{opts.app_label}_{opts.model_name}_{name}")
            for route, name, view in views
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        execution = self._find(request, object_id)
        if execution is None:
            return HttpResponseNotFound() if is_look(request) else self._gone(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        page = Page(execution, timezone.now())
        may_run = self.has_run_permission(request)
        context = {
            **self._context(request, page),
            "may_run": may_run,
            "can_retry": may_run and page.can_run_again,
            "can_cancel": may_run and page.can_be_cancelled,
            "can_delete": self.has_delete_permission(request, execution),
            # Why a queued one waits is often said best by the state of the scheduler.
            "live": live_bar(request) if page.facts.status == Status.QUEUED else None,
            **(extra_context or {}),
        }
        if is_look(request):
            return regions(request, f"{TEMPLATES}/live_page.html", context, is_done=not page.is_moving)
        return self._render(request, "execution.html", context)

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Queue the execution again with the arguments that it had."""
        return self._act(request, object_id, self._retry)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take the execution out of the queue, or have it end."""
        return self._act(request, object_id, self._cancel)

    def retry_with_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for other arguments, by the function's signature, and queue the execution again with them."""
        if not self.has_run_permission(request):
            raise PermissionDenied
        execution = self._find(request, object_id)
        if execution is None:
            return self._gone(request, object_id)
        page = Page(execution, timezone.now())
        registered = registry.find(page.spec.function) if page.spec is not None else None
        if registered is None or page.facts.is_on_the_way:
            self.message_user(request, _why_not(page, is_gone=registered is None), messages.ERROR)
            return HttpResponseRedirect(columns.execution_url(execution.pk))
        data = request.POST if request.method == "POST" else None
        form = ArgumentsForm(registered, data, keep=stored_arguments(page.facts)[1:])
        why = ReasonForm(data)
        if data is not None and form.is_valid() and why.is_valid():
            reason = why.cleaned_data["reason"]
            try:
                new_id = services.retry_execution(
                    execution.pk, _actor(request), args=form.args, kwargs=form.kwargs, reason=reason
                )
            except InvalidInput as error:
                form.report(error)
            except ConsoleError as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, gettext("Queued again, with the arguments below."), messages.SUCCESS)
                return HttpResponseRedirect(columns.execution_url(new_id))
        context = {**self._context(request, page), "form": form, "why": why, "function": registered}
        context["title"] = _again_words(page, with_changes=True)
        return self._render(request, "retry_with.html", context)

    def _act(
        self, request: HttpRequest, object_id: str, act: Callable[[HttpRequest, int], HttpResponse]
    ) -> HttpResponse:
        """Do something to one execution, where it is asked for by POST and by somebody who may run jobs."""
        if not self.has_run_permission(request):
            raise PermissionDenied
        execution = self._find(request, object_id)
        if execution is None:
            return self._gone(request, object_id)
        if request.method == "POST":
            try:
                return act(request, execution.pk)
            except ConsoleError as error:
                self.message_user(request, str(error), messages.ERROR)
        # After logging in again, the browser asks for the address of the button by GET.
        return HttpResponseRedirect(columns.execution_url(execution.pk))

    def _retry(self, request: HttpRequest, pk: int) -> HttpResponse:
        new_id = services.retry_execution(pk, _actor(request))
        self.message_user(request, gettext("Queued again, with the same arguments."), messages.SUCCESS)
        return HttpResponseRedirect(columns.execution_url(new_id))

    def _cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        if services.cancel_execution(pk, _actor(request)):
            self.message_user(request, gettext("Cancelled: it will not start."), messages.SUCCESS)
        elif services.ends_from_outside(services.get_execution(pk).job.spec.executor):
            self.message_user(request, gettext("Cancelled: it is ended within seconds."), messages.SUCCESS)
        else:
            text = gettext(
                "Cancelled: it runs in a thread, which nobody can stop, and ends when its function looks whether it is"
                " cancelled."
            )
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(columns.execution_url(pk))

    def _find(self, request: HttpRequest, object_id: str) -> DjangoJobExecution | None:
        """Return an execution with everything that its page shows, or None. Raises ``PermissionDenied``."""
        found = self.get_object(request, job_id_of(object_id))
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        if found is None:
            return None
        whole: QuerySet[Any] = DjangoJobExecution.objects.select_related(
            "job__spec", "detail__requested_by", "detail__acknowledged_by", "detail__cancel_asked_by"
        )
        return whole.defer(*PAGE_UNUSED).filter(pk=found.pk).first()

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        # Django's own helper, which its stubs leave out.
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]

    def _context(self, request: HttpRequest, page: Page) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "page": page,
            "row": Row(page.execution, page.facts.now),
            "title": f"{page.facts.pill.label}: {page.facts.job_name}",
            "opts": self.opts,
            "can_view_job": _can_view_jobs(request),
            "again": _again_words(page),
            "again_with_changes": _again_words(page, with_changes=True),
        }

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"{TEMPLATES}/{template}", context)

    # --- in bulk ---

    @admin.action(description=_("Retry the selected executions"), permissions=["run"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        done = self._for_each(request, queryset, partial(services.retry_execution, actor=_actor(request)))
        if done:
            text = ngettext("%(number)s execution is queued again.", "%(number)s executions are queued again.", done)
            self.message_user(request, text % {"number": _number(done)}, messages.SUCCESS)

    @admin.action(description=_("Cancel the selected executions"), permissions=["run"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        done = self._for_each(request, queryset, partial(services.cancel_execution, actor=_actor(request)))
        if done:
            text = ngettext("%(number)s execution is cancelled.", "%(number)s executions are cancelled.", done)
            self.message_user(request, text % {"number": _number(done)}, messages.SUCCESS)

    def _for_each(self, request: HttpRequest, queryset: QuerySet[Any], act: Callable[[int], Any]) -> int:
        """Do something to each selected execution that allows it, say why the others do not, return how many did."""
        selected = list(queryset.values_list("pk", flat=True)[: MAX_BULK + 1])
        if len(selected) > MAX_BULK:
            text = gettext("Nothing was done: at most %(number)d executions at once. Select fewer, or filter the list.")
            self.message_user(request, text % {"number": MAX_BULK}, messages.ERROR)
            return 0
        done = 0
        refused: dict[str, int] = {}
        with transaction.atomic():
            # The oldest first, as they would have run.
            for pk in reversed(selected):
                try:
                    with transaction.atomic():
                        act(pk)
                    done += 1
                except ConsoleError as error:
                    refused[str(error)] = refused.get(str(error), 0) + 1
        for reason, number in list(refused.items())[:5]:
            text = ngettext(
                "%(number)s was left as it is: %(why)s", "%(number)s were left as they are: %(why)s", number
            )
            self.message_user(request, text % {"number": _number(number), "why": reason}, messages.WARNING)
        return done


#: Lookups across to the details that links of other pages use. Each has a filter that takes it.
FILTERED_DETAILS = frozenset(
    name for each in (FaultFilter, OriginFilter) for name in (each.parameter_name, *each.aliases)
)


class ExecutionChangeList(LiveChangeList):
    """Django's list, with its rows seen at one moment, and how many are new since the page was opened."""

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            return super().get_filters(request)
        except OverflowError as error:  # a year of eleven digits, which Django lets through to ``datetime``
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.arrivals = arrivals(request, self.queryset)
        # Where none was counted, a second look through the whole history would find none either.
        executions: list[Any] = list(self.result_list) if self.result_count else []
        now = timezone.now()
        can_view_jobs = _can_view_jobs(request)
        for execution in executions:
            execution.row = Row(execution, now)
            execution.row.can_view_job = can_view_jobs
        self.result_list = executions  # the template needs an iterable with a length

    def rows_of(self, queryset: QuerySet[Any], named: list[str]) -> QuerySet[Any]:
        return queryset.filter(pk__in=[pk for each in named if (pk := number_of(each)) is not None])

    def workbook_rows(self) -> str:
        """Return how many executions a workbook holds."""
        return _number(MAX_ROWS)

    def kept_parameters(self) -> list[tuple[str, str]]:
        """Return what a new search keeps of the address: the order and the dates."""
        kept = (ORDER_VAR, *(name for name in self.params if name.startswith("run_time__")))
        return [(name, self.params[name]) for name in kept if name in self.params]

    def filters_on(self) -> bool:
        """Say whether anything narrows the list; a select that is left on “any” sends an empty value."""
        return bool(self.query or self.kept_parameters()) or any(spec.value() for spec in self.filter_specs)  # type: ignore[attr-defined]

    def periods(self) -> dict[str, Any] | None:
        return periods(self)


class Row(Facts):
    """An execution as a row of the list."""

    can_view_job = False

    @property
    def due_moment(self) -> columns.Moment | None:
        return columns.moment(self.due, zone=self.zone, now=self.now)

    @property
    def job_link(self) -> columns.Link:
        return columns.job_link(self.execution.job_id, self.job_name)

    @property
    def took_words(self) -> str:
        return took_words(self.duration)

    @property
    def late_words(self) -> str:
        return took_words(self.lateness)

    @property
    def asked_by(self) -> str:
        return asked_by(self)

    @property
    def by_hand(self) -> str:
        """“run now” beside a user's name, “backfill”."""
        detail = self.detail
        named = detail is not None and detail.origin in (ExecutionOrigin.MANUAL, ExecutionOrigin.BACKFILL)
        return str(detail.get_origin_display()) if detail is not None and named else ""

    @property
    def retry_of(self) -> columns.Link | None:
        pk = self.detail.retry_of_id if self.detail else None
        return columns.execution_link(pk, f"#{pk}") if pk is not None else None


def _actor(request: HttpRequest) -> Actor:
    return Actor(user=request.user)


def _can_view_jobs(request: HttpRequest) -> bool:
    return bool(
        request.user.has_perm("django_apscheduler.view_djangojob")
        or request.user.has_perm("django_apscheduler.change_djangojob")
    )


def _again_words(page: Page, *, with_changes: bool = False) -> str:
    if page.facts.status == Status.EXECUTED:
        return gettext("Run again with changes…") if with_changes else gettext("Run again")
    return gettext("Retry with changes…") if with_changes else gettext("Retry")


def _why_not(page: Page, *, is_gone: bool) -> str:
    if page.spec is None:
        return gettext("This job has no definition to run.")
    if is_gone:
        return gettext("The function %(name)s is not registered any more, so nothing can be run.") % {
            "name": page.spec.function
        }
    return gettext("This execution has not ended yet.")


def _number(number: int) -> str:
    return number_format(number, force_grouping=True)
