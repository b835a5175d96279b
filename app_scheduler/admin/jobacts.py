"""Acts on jobs: the actions of the list, and the same acts one by one at addresses of their own.

Each act is a POST, asks for its own permission, goes through ``services`` and says exactly what happened and what
was left out, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.admin.base import FROM_LIST, JobAdminBase, job_id_of
from app_scheduler.admin.columns import execution_link, job_link, job_url, moment
from app_scheduler.admin.live import live_bar
from app_scheduler.admin.outlook import blackout_note, runs_next
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.forms import PauseAllForm, PauseForm, ReasonForm
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import registry

#: Jobs that a page of confirmation names; the others are counted.
LISTED = 20
#: Executions that a page of confirmation counts; more are "more than".
COUNTED = 10_000


def _is(state: str | None, count: int, already: str | None) -> str:
    """Say of ``count`` jobs that an act left out what they are, which is why."""
    if state == already:
        text = ngettext("%(count)s was so already", "%(count)s were so already", count)
    elif state == JobState.SCHEDULED:
        text = ngettext("%(count)s is scheduled", "%(count)s are scheduled", count)
    elif state == JobState.PAUSED:
        text = ngettext("%(count)s is paused", "%(count)s are paused", count)
    elif state == JobState.FINISHED:
        text = ngettext("%(count)s is finished and stays so", "%(count)s are finished and stay so", count)
    elif state == JobState.BROKEN:
        text = ngettext("%(count)s is broken: repair it first", "%(count)s are broken: repair them first", count)
    else:
        text = ngettext("%(count)s is not adopted yet", "%(count)s are not adopted yet", count)
    return text % {"count": number_format(count, force_grouping=True)}


class Selection:
    """The jobs that an action was asked for: their ids, and their states by id; those not adopted have none."""

    def __init__(self, queryset: Any) -> None:
        self.states: dict[str, str | None] = {}
        self.functions: dict[str, str] = {}
        for pk, state, function in queryset.values_list("pk", "spec__state", "spec__function"):
            self.states[pk], self.functions[pk] = state, function or ""
        self.ids = list(self.states)

    def left_out(self, ids: Iterable[str], *, already: str = "") -> str:
        """Say why these were left out: “1 is finished and stays so, 2 are not adopted yet”.

        Those in the state ``already`` were what the act would have made them.
        """
        counts = Counter(self.states[pk] for pk in ids)
        return ", ".join(_is(state, counts[state], already) for state in (*JobState.values, None) if counts[state])


def jobs_did(count: int, text: str) -> str:
    """Return “3 jobs paused” of ``text`` that says it with a place for the ``count``."""
    return text % {"count": number_format(count, force_grouping=True)}


def with_rest(done: str, rest: str) -> str:
    """Return a sentence of what happened and what did not."""
    return f"{done}; {rest}." if rest else f"{done}."


class JobActs(JobAdminBase):
    """Run, pause, resume and delete, for one job and for many; pause and resume everything."""

    actions = ["run_selected", "pause_selected", "resume_selected", "delete_selected"]

    def get_urls(self) -> list[Any]:
        own: list[URLPattern] = self.urls_of(
            [
                ("pause-everything/", self.pause_all_view, "pause_all"),
                ("resume-everything/", self.resume_all_view, "resume_all"),
                ("<path:object_id>/run/", self.run_view, "run"),
                ("<path:object_id>/pause/", self.pause_view, "pause"),
                ("<path:object_id>/resume/", self.resume_view, "resume"),
            ]
        )
        return [*own, *super().get_urls()]

    # --- many jobs ------------------------------------------------------------------------------------------------

    @admin.action(description=_("Run now"), permissions=["run"])
    def run_selected(self, request: HttpRequest, queryset: Any) -> None:
        selection = Selection(queryset)
        known = set(registry.names())
        able = [
            pk
            for pk in selection.ids
            if selection.states[pk] not in (None, JobState.BROKEN) and selection.functions[pk] in known
        ]
        try:
            queued = services.run_now(able, self.actor(request)) if able else []
        except (InvalidInput, JobNotFound) as error:
            return self.say(request, gettext("Nothing was queued."), str(error), level=messages.ERROR)
        runnable = set(able)
        rest = selection.left_out([pk for pk in selection.ids if pk not in runnable])
        done = jobs_did(len(queued), ngettext("%(count)s execution queued", "%(count)s executions queued", len(queued)))
        self.say(request, with_rest(done, rest), level=messages.SUCCESS if queued else messages.WARNING)

    @admin.action(description=_("Pause…"), permissions=["pause"])
    def pause_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        selection = Selection(queryset)
        form = PauseForm(request.POST if "_confirmed" in request.POST else None)
        if "_confirmed" in request.POST and form.is_valid():
            try:
                paused = services.pause_jobs(selection.ids, self.actor(request), **form.values())
            except InvalidInput as error:
                form.report(error)
            else:
                done = set(paused)
                rest = selection.left_out([pk for pk in selection.ids if pk not in done], already=JobState.PAUSED)
                text = jobs_did(len(paused), ngettext("%(count)s job paused", "%(count)s jobs paused", len(paused)))
                self.say(request, with_rest(text, rest), level=messages.SUCCESS if paused else messages.WARNING)
                return None
        pausable = sum(state == JobState.SCHEDULED for state in selection.states.values())
        others = [pk for pk, state in selection.states.items() if state != JobState.SCHEDULED]
        rest = selection.left_out(others, already=JobState.PAUSED)
        return self.confirmation(
            request, queryset, selection, "pause_selected", _("Pause jobs"), form=form, able=pausable, rest=rest
        )

    @admin.action(description=_("Resume"), permissions=["pause"])
    def resume_selected(self, request: HttpRequest, queryset: Any) -> None:
        selection = Selection(queryset)
        resumed = services.resume_jobs(selection.ids, self.actor(request))
        done = set(resumed)
        rest = selection.left_out([pk for pk in selection.ids if pk not in done], already=JobState.SCHEDULED)
        text = jobs_did(len(resumed), ngettext("%(count)s job resumed", "%(count)s jobs resumed", len(resumed)))
        self.say(request, with_rest(text, rest), level=messages.SUCCESS if resumed else messages.WARNING)

    @admin.action(description=_("Delete…"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Delete with their histories, through the scheduler: Django's own action would load each execution."""
        selection = Selection(queryset)
        form = ReasonForm(request.POST if "_confirmed" in request.POST else None)
        if "_confirmed" in request.POST and form.is_valid():
            deleted = services.delete_jobs(selection.ids, self.actor(request), reason=form.cleaned_data["reason"])
            text = jobs_did(
                len(deleted),
                ngettext(
                    "%(count)s job deleted with its history",
                    "%(count)s jobs deleted with their histories",
                    len(deleted),
                ),
            )
            gone = len(selection.ids) - len(deleted)
            rest = gettext("%(count)s had gone already") % {"count": gone} if gone else ""
            self.say(request, with_rest(text, rest), level=messages.SUCCESS if deleted else messages.WARNING)
            return None
        return self.confirmation(
            request,
            queryset,
            selection,
            "delete_selected",
            _("Delete jobs"),
            form=form,
            able=len(selection.ids),
            history=history_words(selection.ids),
        )

    def confirmation(
        self, request: HttpRequest, queryset: Any, selection: Selection, action: str, title: Any, **context: Any
    ) -> HttpResponse:
        """Return the page that asks before an action is carried out on many jobs."""
        shown = list(queryset.select_related("spec").order_by("pk")[:LISTED])
        return self.page(
            request,
            f"{action}.html",
            title,
            action_name=action,
            jobs=[job_link(job.pk, job.spec.name if hasattr(job, "spec") else "") for job in shown],
            more=len(selection.ids) - len(shown),
            count=len(selection.ids),
            # With "select all" the list's own query is asked again; one id is there because Django wants one.
            chosen=selection.ids[:1] if request.POST.get("select_across") == "1" else selection.ids,
            select_across=request.POST.get("select_across", "0"),
            checkbox_name=ACTION_CHECKBOX_NAME,
            back_url=request.get_full_path(),
            **context,
        )

    # --- one job --------------------------------------------------------------------------------------------------

    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(self.has_run_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job_id = job_id_of(object_id)
        try:
            (execution,) = services.run_now([job_id], self.actor(request))
        except (InvalidInput, JobNotFound) as error:
            self.say(request, gettext("The job was not run."), *lines_of(error), level=messages.ERROR)
        else:
            self.say_queued(request, job_id, execution)
        return self.back(request, job_id)

    def say_queued(self, request: HttpRequest, job_id: str, execution: int) -> None:
        spec = services.get_job(job_id)
        text = gettext("{job} runs now: {execution}.")
        named: Any = gettext("execution %(number)s") % {"number": execution}
        if self.has_view_executions_permission(request):
            named = execution_link(execution, named)
        self.say(request, format_html(text, job=job_link(job_id, spec.name), execution=named), blackout_note(spec))

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason and an end; a POST without either, as from the list's button, pauses at once."""
        self.require(self.has_pause_permission(request))
        job_id = job_id_of(object_id)
        spec = services.get_job(job_id)
        form = PauseForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                was_paused = spec.state == JobState.PAUSED
                spec = services.pause_job(job_id, self.actor(request), **form.values())
            except InvalidInput as error:
                form.report(error)
                if request.GET.get("_from") == FROM_LIST:
                    self.say(request, *lines_of(error), level=messages.ERROR)
                    return self.back(request, job_id)
            else:
                text = gettext("{job} was paused already.") if was_paused else gettext("{job} is paused.")
                if spec.paused_until and not was_paused:
                    until = moment(spec.paused_until)
                    assert until is not None
                    text = gettext("{job} is paused until {until}.").replace("{until}", until.short)
                self.say(request, format_html(text, job=job_link(job_id, spec.name)))
                return self.back(request, job_id)
        return self.page(
            request,
            "pause.html",
            _("Pause job"),
            form=form,
            spec=spec,
            job_url=job_url(job_id),
            back_url=self.list_url(request) if request.GET.get("_from") == FROM_LIST else job_url(job_id),
        )

    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(self.has_pause_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job_id = job_id_of(object_id)
        try:
            was_paused = services.get_job(job_id).state == JobState.PAUSED
            spec = services.resume_job(job_id, self.actor(request))
        except InvalidInput as error:
            self.say(request, *lines_of(error), level=messages.ERROR)
            return self.back(request, job_id)
        text = gettext("{job} goes on.") if was_paused else gettext("{job} was not paused.")
        following = moment(runs_next(spec))
        after = gettext("Next run {when}.").replace("{when}", following.relative) if following else spec.state_reason
        self.say(request, format_html(text, job=job_link(job_id, spec.name)), after)
        return self.back(request, job_id)

    def back(self, request: HttpRequest, job_id: str) -> HttpResponse:
        """Lead back to where the act was asked for: the list as it was, or the job's page."""
        exists = DjangoJob.objects.filter(pk=job_id).exists()
        if request.GET.get("_from") == FROM_LIST or not exists:
            return self.back_to_list(request)
        return HttpResponseRedirect(job_url(job_id))

    # --- everything -----------------------------------------------------------------------------------------------

    def pause_all_view(self, request: HttpRequest) -> HttpResponse:
        self.require(self.has_pause_permission(request))
        form = PauseAllForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if services.pause_all(self.actor(request), reason=form.cleaned_data["reason"]):
                self.say(request, gettext("Everything is paused. Runs asked for by hand still start."))
            else:
                self.say(request, gettext("Everything was paused already."), level=messages.WARNING)
            return self.back_to_list(request)
        scheduled = JobSpec.objects.filter(state=JobState.SCHEDULED).count()
        context = {"form": form, "live": live_bar(request), "scheduled": scheduled, "back_url": self.list_url(request)}
        return self.page(request, "pause_all.html", _("Pause everything"), **context)

    def resume_all_view(self, request: HttpRequest) -> HttpResponse:
        self.require(self.has_pause_permission(request))
        if request.method == "POST":
            if services.resume_all(self.actor(request)):
                self.say(request, gettext("Everything goes on."))
            else:
                self.say(request, gettext("Nothing was paused as a whole."), level=messages.WARNING)
            return self.back_to_list(request)
        context = {"live": live_bar(request), "back_url": self.list_url(request)}
        return self.page(request, "resume_all.html", _("Resume everything"), **context)


def history_words(job_ids: Sequence[str]) -> str:
    """Return how many executions these jobs have, counted no further than is quick."""
    count = DjangoJobExecution.objects.filter(job_id__in=job_ids).order_by()[: COUNTED + 1].count()
    if count > COUNTED:
        return gettext("more than %(count)s executions") % {"count": number_format(COUNTED, force_grouping=True)}
    text = ngettext("%(count)s execution", "%(count)s executions", count)
    return text % {"count": number_format(count, force_grouping=True)}


def lines_of(error: Exception) -> list[str]:
    """Return the messages of an error, one by one."""
    return list(error.lines()) if isinstance(error, InvalidInput) else [str(error)]
