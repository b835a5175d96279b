"""The pages of one job: the form that makes and changes it, its state and history, and how it is run and deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, services, views
from app_scheduler.admin.base import job_id_of
from app_scheduler.admin.calendar import JobCalendar
from app_scheduler.admin.columns import execution_url, executions_url, failures_url, job_link, job_url, moment, zone_of
from app_scheduler.admin.history import entries_of, history
from app_scheduler.admin.jobacts import history_words
from app_scheduler.admin.jobcode import JobCode, difference_rows
from app_scheduler.admin.jobhistory import LATEST, job_history, open_faults
from app_scheduler.admin.joblist import JobRow
from app_scheduler.admin.jobrepairs import JobRepairs
from app_scheduler.admin.outlook import forgotten_words, runs_next
from app_scheduler.admin.refresh import is_look, is_quick, regions
from app_scheduler.admin.running import running_of
from app_scheduler.admin.schedulepanel import TriggerPreview, document_preview, trigger_preview
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.forms import (
    FILLS,
    SCHEDULE_FIELDS,
    ArgumentsForm,
    ExplainForm,
    Filled,
    JobForm,
    ReasonForm,
    ScheduleForm,
    agree,
    fill,
)
from app_scheduler.models import JobSpec
from app_scheduler.registry import registry

HISTORY_PER_PAGE = 50
#: How far an act's entry and the change itself may be apart.
SAME = timedelta(seconds=5)
#: What of a job's page refreshes itself.
LIVE_JOB = "admin/django_apscheduler/djangojob/live_job.html"
#: Buttons that show something and save nothing.
SHOWS = ("_choose", "_preview", "_more", *FILLS)


class JobPages(JobRepairs, JobCode, JobCalendar):
    """Add, change, view, delete, history, and run with other arguments."""

    def get_urls(self) -> list[Any]:
        own = self.urls_of(
            [
                ("preview/", views.preview, "preview"),
                ("arguments/", views.arguments, "arguments"),
                ("<path:object_id>/run-with/", self.run_with_view, "run_with"),
            ]
        )
        return [*own, *super().get_urls()]

    # --- the form -------------------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require(self.has_add_permission(request))
        return self._form_view(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require(self.has_view_or_change_permission(request))
        job = self.find(object_id)
        if is_look(request):
            return self._look(request, job)
        if job is None:
            return self.gone(request, object_id)
        if request.method == "POST":
            self.require(self.has_change_permission(request))
        if not hasattr(job, "spec"):
            return self.page(request, "strange.html", _("Job not adopted yet"), job=job, row=JobRow(job))
        if not self.has_change_permission(request):
            return self._read_only(request, job)
        return self._form_view(request, job)

    def find(self, object_id: str) -> Any:
        jobs = DjangoJob.objects.select_related("spec__paused_by", "spec__skip_by").defer("job_state")
        return jobs.filter(pk=job_id_of(object_id)).first()

    def gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.say(request, str(JobNotFound(job_id_of(object_id))), level=messages.WARNING)
        return self.back_to_list(request)

    def _form_view(self, request: HttpRequest, job: Any) -> HttpResponse:
        spec: JobSpec | None = job.spec if job is not None else None
        options: dict[str, Any] = {"spec": spec, "may_pause": spec is None or self.has_pause_permission(request)}
        panel = None
        filled = fill(request.POST)
        if request.method != "POST":
            asked = {"function": request.GET["function"]} if spec is None and "function" in request.GET else {}
            form = JobForm(initial=asked, **options)
            panel = document_preview(spec.trigger, spec, form=form) if spec else None
        elif filled.is_filled or any(button in request.POST for button in SHOWS):
            # A crontab line that was found in a field is shown before anything is saved.
            form, panel = self._shown_form(request, filled, options)
        else:
            if "_saverun" in request.POST:
                self.require(self.has_run_permission(request))
            form = JobForm(request.POST, **options)
            saved = form.save(self.actor(request)) if form.is_valid() else None
            if saved is not None:
                return self._after_saving(request, saved, before=spec)
            panel = trigger_preview(request.POST, spec)
        context = self._about(request, job) if job is not None else {"spec": None}
        title = gettext("Change job") if spec else gettext("Add job")
        return self.page(request, "change_form.html", title, form=form, panel=panel, filled=filled, **context)

    def _shown_form(
        self, request: HttpRequest, filled: Filled, options: dict[str, Any]
    ) -> tuple[JobForm, TriggerPreview | None]:
        """Return the form with what was typed and filled in, and what its schedule means; nothing is saved."""
        if "_choose" in request.POST:
            return JobForm(typed=request.POST, **options), None
        panel = trigger_preview(filled.data, options["spec"], more="_more" in request.POST)
        agreed = agree(filled).data
        typed = request.POST.copy()
        for name in SCHEDULE_FIELDS:
            typed.pop(name, None)
            if name in agreed:
                typed[name] = agreed[name]
        form = JobForm(typed=typed, **options)
        form.show_faults(panel.faults)
        return form, panel

    def _after_saving(self, request: HttpRequest, spec: JobSpec, *, before: JobSpec | None) -> HttpResponse:
        link = job_link(spec.job_id, spec.name)
        done = format_html(gettext("{job} was saved.") if before else gettext("{job} was added."), job=link)
        following = moment(runs_next(spec), zone=zone_of(spec))
        when = (
            gettext("Next run %(when)s, %(exact)s.") % {"when": following.relative, "exact": following.short}
            if following
            else ""
        )
        self.say(request, done, when, forgotten_words(before, spec))
        if "_saverun" in request.POST:
            try:
                (execution,) = services.run_now([spec.job_id], self.actor(request))
            except (InvalidInput, JobNotFound) as error:
                self.say(request, gettext("The job was not run."), str(error), level=messages.ERROR)
            else:
                self.say_queued(request, spec.job_id, execution)
            return HttpResponseRedirect(job_url(spec.job_id))
        if "_continue" in request.POST:
            return HttpResponseRedirect(job_url(spec.job_id))
        return self.back_to_list(request)

    # --- what a job's page shows besides ------------------------------------------------------------------------------

    def _look(self, request: HttpRequest, job: Any) -> HttpResponse:
        """Return what of a job's page refreshes itself, of a quick look without its charts and its next ticks."""
        if job is None or not hasattr(job, "spec"):
            return HttpResponseNotFound()
        context = {**self.permissions(request), **self._as_it_is(request, job)}
        if not is_quick(request):
            form = ScheduleForm(spec=job.spec) if self.has_change_permission(request) else None
            context["panel"] = document_preview(job.spec.trigger, job.spec, form=form)
        return regions(request, LIVE_JOB, {**context, "is_quick": is_quick(request)})

    def _as_it_is(self, request: HttpRequest, job: Any) -> dict[str, Any]:
        """Return the state of a job, its past and what may be done about it: all that changes by itself."""
        spec: JobSpec = job.spec
        zone = zone_of(spec)
        may_view = self.has_view_executions_permission(request)
        running, failing = running_of([job.pk]).get(job.pk), services.failing_among([spec], timezone.now())
        return {
            "job": job,
            "spec": spec,
            "row": JobRow(job, running=running, may=self.permissions(request), is_failing=bool(failing)),
            "history": job_history(job.pk, spec.name, zone, may_view=may_view, charts=not is_quick(request)),
            "faults": open_faults(job.pk, zone),
            "executions_url": executions_url(job.pk),
            "failures_url": failures_url(job.pk),
            "run_url": job_url(job.pk, "run"),
            "run_with_url": job_url(job.pk, "run_with"),
            "pause_url": job_url(job.pk, "pause"),
            "resume_url": job_url(job.pk, "resume"),
            "skip_url": job_url(job.pk, "skip_next"),
            "unskip_url": job_url(job.pk, "unskip"),
        }

    def _about(self, request: HttpRequest, job: Any) -> dict[str, Any]:
        """Return state, latest executions and latest acts for a job's page."""
        spec: JobSpec = job.spec
        acts = list(entries_of(job.pk)[:LATEST])
        return {
            **self._as_it_is(request, job),
            **_why(request, job.pk),
            "zone": str(zone_of(spec)),
            "calendar_url": self.calendar_url(job),
            "acts": history(acts),
            "repair": self.repair_form(request, spec),
            "fault": documents.fault_of(spec),
            "differences": difference_rows(spec),
            # A program leaves no entry, so the latest one need not be the latest change.
            "changed_by": acts[0].user if acts and abs(acts[0].action_time - spec.updated_at) < SAME else None,
            "delete_url": job_url(job.pk, "delete"),
            "history_url": job_url(job.pk, "history"),
            "repair_url": job_url(job.pk, "repair"),
            "revert_url": job_url(job.pk, "revert"),
        }

    def _read_only(self, request: HttpRequest, job: Any) -> HttpResponse:
        """Show the same content to somebody who may not change it, as text."""
        spec: JobSpec = job.spec
        registered = registry.find(spec.function)
        args, kwargs = documents.shown_arguments(spec.function, spec.args, spec.kwargs)
        names = [parameter.name for parameter in registered.signature.parameters] if registered else []
        named = [(names[i] if i < len(names) else f"#{i + 1}", value) for i, value in enumerate(args)]
        form = JobForm(spec=spec)
        return self.page(
            request,
            "view.html",
            gettext("View job"),
            summary=registered.summary if registered else "",
            arguments=[*named, *kwargs.items()],
            options=[
                (bound.label, getattr(spec, bound.name), getattr(bound.field, "type_label", ""))
                for bound in form.option_fields
                if bound.name != "paused"
            ],
            panel=document_preview(spec.trigger, spec),
            **self._about(request, job),
        )

    # --- delete -------------------------------------------------------------------------------------------------------

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, saying what goes with the job; then delete it through the scheduler, its history unread."""
        self.require(self.has_delete_permission(request))
        job = self.find(object_id)
        if job is None:
            return self.gone(request, object_id)
        name = job.spec.name if hasattr(job, "spec") else job.pk
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            services.delete_jobs([job.pk], self.actor(request), reason=form.cleaned_data["reason"])
            self.say(request, gettext("“%(job)s” was deleted with its history.") % {"job": name})
            return self.back_to_list(request)
        return self.page(
            request,
            "delete.html",
            _("Delete job"),
            form=form,
            job=job,
            name=name,
            history=history_words([job.pk]),
            by_code=hasattr(job, "spec") and job.spec.code_document is not None,
            job_url=job_url(job.pk),
        )

    # --- history ------------------------------------------------------------------------------------------------------

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require(self.has_view_or_change_permission(request))
        job = self.find(object_id)
        if job is None:
            return self.gone(request, object_id)
        shown = Paginator(entries_of(job.pk), HISTORY_PER_PAGE).get_page(request.GET.get("p"))
        return self.page(
            request,
            "history.html",
            _("Job history"),
            job=job,
            name=job.spec.name if hasattr(job, "spec") else job.pk,
            job_url=job_url(job.pk),
            entries=shown,
            acts=history(shown),
        )

    # --- run with other arguments -------------------------------------------------------------------------------------

    def run_with_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Run once with arguments typed for this run; the job keeps its own."""
        self.require(self.has_run_permission(request))
        job = self.find(object_id)
        if job is None or not hasattr(job, "spec"):
            return self.gone(request, object_id)
        spec: JobSpec = job.spec
        registered = registry.find(spec.function)
        if registered is None:
            self.say(request, gettext("Its function is gone. Choose another one first."), level=messages.ERROR)
            return HttpResponseRedirect(job_url(job.pk))
        posted = request.POST if request.method == "POST" else None
        form, why = ArgumentsForm(registered, posted, keep=(spec.args, spec.kwargs)), ReasonForm(posted)
        if posted is not None and form.is_valid() and why.is_valid():
            try:
                (execution,) = services.run_now(
                    [job.pk],
                    self.actor(request),
                    args=form.args,
                    kwargs=form.kwargs,
                    reason=why.cleaned_data["reason"],
                )
            except InvalidInput as error:
                form.report(error)
            else:
                self.say_queued(request, job.pk, execution)
                return HttpResponseRedirect(job_url(job.pk))
        return self.page(
            request,
            "run_with.html",
            _("Run with other arguments"),
            form=form,
            why=why,
            spec=spec,
            function=registered,
            job_url=job_url(job.pk),
        )


def _why(request: HttpRequest, job_id: str) -> dict[str, Any]:
    """Return the question why the job did not run at some moment, and its answer where it was asked."""
    asked = "at" in request.GET
    form = ExplainForm(request.GET if asked else None)
    answer = form.explanation(job_id) if asked else None
    return {
        "why": form,
        "why_answer": answer,
        "why_url": execution_url(answer.execution_id) if answer and answer.execution_id else "",
        "filters": request.GET.get("_changelist_filters", ""),
    }
