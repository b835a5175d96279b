"""The ways out for jobs that cannot run: one by one on a page of their own, and many at once from the list."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.base import job_id_of
from app_scheduler.admin.columns import job_link, job_url, moment, zone_of
from app_scheduler.admin.jobacts import LISTED, Selection, jobs_did
from app_scheduler.admin.jobskips import JobSkips
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.forms import RepairForm, RepointForm
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import registry


class JobRepairs(JobSkips):
    """Repair one job; point many at another function."""

    actions = [*JobSkips.actions[:-1], "repoint_selected", JobSkips.actions[-1]]

    def get_urls(self) -> list[Any]:
        own = self.urls_of(
            [
                ("<path:object_id>/repair/", self.repair_view, "repair"),
            ]
        )
        return [*own, *super().get_urls()]

    # --- a broken job -------------------------------------------------------------------------------------------------

    def repair_form(self, request: HttpRequest, spec: JobSpec) -> RepairForm | None:
        """Return the form that a broken job's page shows; None for a job that runs or for who may not change it."""
        if not self.has_change_permission(request):
            return None
        form = RepairForm(spec)
        return form if spec.state == JobState.BROKEN or form.fault else None

    def repair_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(self.has_change_permission(request))
        job_id = job_id_of(object_id)
        try:
            spec = services.get_job(job_id)
        except JobNotFound as error:
            self.say(request, str(error), level=messages.WARNING)
            return self.back_to_list(request)
        form = RepairForm(spec, request.POST if request.method == "POST" else None)
        if spec.state != JobState.BROKEN and form.fault is None:
            self.say(request, gettext("This job is not broken any more."), level=messages.WARNING)
            return HttpResponseRedirect(job_url(job_id))
        if request.method == "POST" and form.is_valid():
            saved = form.save(self.actor(request))
            if saved is not None:
                return self._after_repair(request, saved)
        return self.page(
            request,
            "repair.html",
            _("Repair job"),
            form=form,
            spec=spec,
            job_url=job_url(job_id),
            repair_url=job_url(job_id, "repair"),
            delete_url=job_url(job_id, "delete"),
        )

    def _after_repair(self, request: HttpRequest, spec: JobSpec) -> HttpResponse:
        following = moment(spec.job.next_run_time, zone=zone_of(spec))
        if following is not None:
            text = gettext("{job} is scheduled again.")
            when = gettext("Next run %(when)s, %(exact)s.") % {"when": following.relative, "exact": following.short}
        else:
            text, when = gettext("{job} was repaired."), spec.state_reason
        self.say(request, format_html(text, job=job_link(spec.job_id, spec.name)), when)
        return HttpResponseRedirect(job_url(spec.job_id))

    # --- many jobs ----------------------------------------------------------------------------------------------------

    @admin.action(description=_("Point at another function…"), permissions=["change"])
    def repoint_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Choose a function, see which jobs fit, and only then change them, all or none."""
        selection = Selection(queryset.filter(spec__isnull=False))
        if not selection.ids:
            self.say(request, gettext("None of these jobs is adopted yet."), level=messages.WARNING)
            return None
        chosen = "function" in request.POST
        form = RepointForm(request.POST if chosen else None, self._guesses(selection))
        name = str(form["function"].value() or "")
        plan = None
        try:
            if name:
                plan = services.plan_repoint(selection.ids, name)
            elif chosen:
                form.report(InvalidInput({"function": gettext("Choose the function that these jobs are to call.")}))
            # What is confirmed is what was seen.
            if plan and form.is_valid() and request.POST.get("_confirmed") == name and not plan.faulty:
                reason = form.cleaned_data["reason"]
                changed = services.repoint_jobs(selection.ids, name, self.actor(request), reason=reason)
                text = jobs_did(
                    len(changed),
                    ngettext(
                        "%(count)s job points at {function}.", "%(count)s jobs point at {function}.", len(changed)
                    ),
                )
                self.say(request, format_html(text, function=name))
                return None
        except InvalidInput as error:
            form.is_valid()
            form.report(error)
        except JobNotFound as error:
            self.say(request, str(error), level=messages.ERROR)
            return None
        return self.confirmation(
            request,
            queryset,
            selection,
            "repoint_selected",
            _("Point jobs at another function"),
            form=form,
            plan=plan,
            fitting=len(plan.fitting) if plan else 0,
            unchanged=len(plan.unchanged) if plan else 0,
            faulty=[
                (job_link(spec.job_id, spec.name), list(error.lines()))
                for spec, error in (plan.faulty[:LISTED] if plan else ())
            ],
            faulty_more=max(0, len(plan.faulty) - LISTED) if plan else 0,
        )

    def _guesses(self, selection: Selection) -> list[Any]:
        """Return the likeliest functions for the one that most of the jobs miss."""
        missing = [name for name in selection.functions.values() if registry.find(name) is None]
        if not missing:
            return []
        commonest = max(set(missing), key=lambda name: (missing.count(name), name))
        example = next(pk for pk, name in selection.functions.items() if name == commonest)
        return services.guesses_for(services.get_job(example))
