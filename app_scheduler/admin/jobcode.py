"""What the code asks of its jobs, on the pages: what staff changed and the way back, and jobs that were deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services, triggers
from app_scheduler.admin.base import job_id_of
from app_scheduler.admin.columns import job_link, moment
from app_scheduler.admin.history import label_of, shown
from app_scheduler.admin.jobacts import JobActs, lines_of
from app_scheduler.admin.outlook import forgotten_words
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.models import JobSpec


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One field in which a job is not as the code asks, as people read it."""

    field: str
    label: str
    code: str
    job: str
    #: What the code asked for before it asked for something new; empty where it did not.
    before: str
    is_masked: bool


def difference_rows(spec: JobSpec) -> list[DifferenceRow]:
    """Return the fields in which a job is not as the code asks, for its page."""
    return [
        DifferenceRow(
            field=difference.field,
            label=label_of(difference.field),
            code=shown(difference.field, difference.code),
            job=shown(difference.field, difference.job),
            before=shown(difference.field, difference.code_before) if difference.is_new else "",
            is_masked=difference.is_masked,
        )
        for difference in services.code_differences(spec)
    ]


class JobCode(JobActs):
    """Revert a job to what the code asks for; bring deleted jobs of the code back."""

    def get_urls(self) -> list[Any]:
        own = self.urls_of(
            [
                ("deleted-by-hand/", self.deleted_view, "deleted_defaults"),
                ("<path:object_id>/revert/", self.revert_view, "revert"),
            ]
        )
        return [*own, *super().get_urls()]

    def revert_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a job what the code asks for: in the fields that are posted, or with “_all” in all of them."""
        self.require(self.has_change_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job_id = job_id_of(object_id)
        revision = request.POST.get("revision", "")
        try:
            before = services.get_job(job_id)
            spec = services.revert_to_code(
                job_id,
                self.actor(request),
                fields=None if "_all" in request.POST else request.POST.getlist("field"),
                expected_revision=int(revision) if revision.isdecimal() else None,
            )
        except (InvalidInput, JobNotFound) as error:
            self.say(request, gettext("Nothing was reverted."), *lines_of(error), level=messages.ERROR)
            return self.back(request, job_id)
        rest = difference_rows(spec)
        text = (
            gettext("{job} is partly as the code asks again.") if rest else gettext("{job} is as the code asks again.")
        )
        self.say(request, format_html(text, job=job_link(job_id, spec.name)), forgotten_words(before, spec))
        return self.back(request, job_id)

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        """List the jobs of the code that were deleted; a POST brings one of them back."""
        self.require(self.has_view_or_change_permission(request) or self.has_add_permission(request))
        if request.method == "POST":
            self.require(self.has_add_permission(request))
            return self._bring_back(request, request.POST.get("job", "").replace("\x00", ""))
        rows = [
            {
                "id": deleted.job_id,
                "name": deleted.document["name"] if deleted.document else deleted.job_id,
                "function": deleted.document["function"] if deleted.document else "",
                "schedule": triggers.describe(deleted.document["trigger"]) if deleted.document else "",
                "who": deleted.deleted_by,
                "when": moment(deleted.deleted_at),
            }
            for deleted in services.deleted_defaults()
        ]
        return self.page(request, "deleted.html", _("Jobs of the code that were deleted"), rows=rows)

    def _bring_back(self, request: HttpRequest, job_id: str) -> HttpResponse:
        try:
            spec = services.bring_back(job_id, self.actor(request))
        except InvalidInput as error:
            self.say(request, gettext("It was not brought back."), *lines_of(error), level=messages.ERROR)
        else:
            if spec is None:
                text = gettext("“%(job)s” comes back when the code next asks for it: at the next start.")
                self.say(request, text % {"job": job_id})
            else:
                self.say(request, format_html(gettext("{job} is back."), job=job_link(spec.job_id, spec.name)))
        if services.count_deleted_defaults():
            return HttpResponseRedirect(request.path)
        return self.back_to_list(request)
