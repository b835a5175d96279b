"""Skipping the next tick: for one job and for many, and taking it back before the tick comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.base import job_id_of
from app_scheduler.admin.columns import job_link, job_url, moment, zone_of
from app_scheduler.admin.jobacts import JobActs, Selection, jobs_did, lines_of, with_rest
from app_scheduler.admin.outlook import runs_next
from app_scheduler.exceptions import InvalidInput
from app_scheduler.forms import ReasonForm
from app_scheduler.models import JobState


class JobSkips(JobActs):
    """Skip the next tick of jobs, and take that back."""

    actions = [*JobActs.actions[:-1], "skip_selected", "unskip_selected", JobActs.actions[-1]]

    def get_urls(self) -> list[Any]:
        own = self.urls_of(
            [
                ("<path:object_id>/skip-next/", self.skip_view, "skip_next"),
                ("<path:object_id>/unskip/", self.unskip_view, "unskip"),
            ]
        )
        return [*own, *super().get_urls()]

    # --- many jobs ------------------------------------------------------------------------------------------------

    @admin.action(description=_("Skip the next tick…"), permissions=["pause"])
    def skip_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        selection = Selection(queryset)
        form = ReasonForm(request.POST if "_confirmed" in request.POST else None)
        if "_confirmed" in request.POST and form.is_valid():
            try:
                skipped = services.skip_next_of(selection.ids, self.actor(request), reason=form.cleaned_data["reason"])
            except InvalidInput as error:
                form.report(error)
            else:
                rest = _left_out(selection, [pk for pk in selection.ids if pk not in skipped])
                text = jobs_did(
                    len(skipped),
                    ngettext("%(count)s job skips its next tick", "%(count)s jobs skip their next tick", len(skipped)),
                )
                self.say(request, with_rest(text, rest), level=messages.SUCCESS if skipped else messages.WARNING)
                return None
        able = sum(state == JobState.SCHEDULED for state in selection.states.values())
        others = [pk for pk, state in selection.states.items() if state != JobState.SCHEDULED]
        return self.confirmation(
            request,
            queryset,
            selection,
            "skip_selected",
            _("Skip the next tick"),
            form=form,
            able=able,
            rest=selection.left_out(others),
        )

    @admin.action(description=_("Do not skip the next tick"), permissions=["pause"])
    def unskip_selected(self, request: HttpRequest, queryset: Any) -> None:
        selection = Selection(queryset)
        back = services.unskip_next_of(selection.ids, self.actor(request))
        text = jobs_did(
            len(back),
            ngettext(
                "%(count)s job runs at its next tick again", "%(count)s jobs run at their next tick again", len(back)
            ),
        )
        count = len(selection.ids) - len(back)
        rest = ngettext("%(count)s had none to skip", "%(count)s had none to skip", count) % {"count": count}
        self.say(request, with_rest(text, rest if count else ""), level=messages.SUCCESS if back else messages.WARNING)

    # --- one job --------------------------------------------------------------------------------------------------

    def skip_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, saying which tick it is and when the job then runs; carry it out when it is posted."""
        self.require(self.has_pause_permission(request))
        job_id = job_id_of(object_id)
        spec = services.get_job(job_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                spec = services.skip_next(job_id, self.actor(request), reason=form.cleaned_data["reason"])
            except InvalidInput as error:
                self.say(request, *lines_of(error), level=messages.ERROR)
                return self.back(request, job_id)
            skipped = moment(spec.skip_tick, zone=zone_of(spec))
            following = moment(runs_next(spec), zone=zone_of(spec))
            text = gettext("{job} skips the tick at {tick}.").replace("{tick}", skipped.short if skipped else "")
            after = (
                gettext("Next run %(when)s, %(exact)s.") % {"when": following.relative, "exact": following.short}
                if following
                else gettext("It has no tick after that.")
            )
            self.say(request, format_html(text, job=job_link(job_id, spec.name)), after)
            return self.back(request, job_id)
        tick, runs = services.skipping_would(spec)
        if tick is None:
            self.say(request, services.why_no_skip(spec), level=messages.WARNING)
            return self.back(request, job_id)
        zone = zone_of(spec)
        return self.page(
            request,
            "skip_next.html",
            _("Skip the next tick"),
            form=form,
            spec=spec,
            tick=moment(tick, zone=zone),
            after=moment(runs, zone=zone),
            job_url=job_url(job_id),
            back_url=job_url(job_id),
        )

    def unskip_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(self.has_pause_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job_id = job_id_of(object_id)
        was_to_skip = services.get_job(job_id).skip_tick is not None
        spec = services.unskip_next(job_id, self.actor(request))
        following = moment(runs_next(spec), zone=zone_of(spec))
        text = gettext("{job} skips nothing now.") if was_to_skip else gettext("{job} had nothing to skip.")
        after = gettext("Next run {when}.").replace("{when}", following.relative) if following else ""
        self.say(request, format_html(text, job=job_link(job_id, spec.name)), after)
        return self.back(request, job_id)


def _left_out(selection: Selection, ids: Iterable[str]) -> str:
    """Say why jobs skip nothing: what they are, or for scheduled ones that they skip a tick already or have none."""
    rest = list(ids)
    scheduled = Counter(selection.states[pk] for pk in rest)[JobState.SCHEDULED]
    others = selection.left_out([pk for pk in rest if selection.states[pk] != JobState.SCHEDULED])
    words = ngettext(
        "%(count)s skips one already or has none left",
        "%(count)s skip one already or have none left",
        scheduled,
    ) % {"count": number_format(scheduled, force_grouping=True)}
    return ", ".join(part for part in (words if scheduled else "", others) if part)
