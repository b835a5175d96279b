"""Fragments of HTML for pages that are being edited: what a schedule means, and the arguments of a function.

Both are posted the form, answer with the parts of the page that change, and change nothing themselves.
"""

from __future__ import annotations

from django.forms.utils import ErrorList
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from app_scheduler import services
from app_scheduler.admin.schedulepanel import document_preview, trigger_preview
from app_scheduler.exceptions import JobNotFound
from app_scheduler.forms import SCHEDULE_FIELDS, JobForm, ScheduleForm, agree, fill
from app_scheduler.models import JobSpec

__all__ = ["arguments", "document_preview", "preview", "trigger_preview"]


def _may(request: HttpRequest, *acts: str) -> bool:
    return any(request.user.has_perm(f"django_apscheduler.{act}_djangojob") for act in acts)


def _spec(request: HttpRequest) -> JobSpec | None:
    """Return the job whose form it is, for those who may see it."""
    job_id = request.POST.get("_job", "")
    if not job_id or "\x00" in job_id or not _may(request, "view", "change"):
        return None
    try:
        return services.get_job(job_id)
    except JobNotFound:
        return None


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Answer with what the posted schedule means: the panel, and what belongs into and beside the inputs.

    A button that fills in a schedule, or a pasted text, is carried out on what was posted first.
    """
    if not _may(request, "view", "add", "change"):
        return HttpResponse(status=403)
    spec = _spec(request)
    asked = fill(request.POST, detect=False)
    panel = trigger_preview(asked.data, spec, more="_more" in request.POST)
    filled = agree(asked)
    form = ScheduleForm(spec=spec, typed=filled.data)
    context = {
        "form": form,
        "panel": panel,
        "filled": filled,
        "inputs": [form[name] for name in SCHEDULE_FIELDS if name in form.fields],
        "faults": [
            (name, ErrorList(texts, field_id=form[name].auto_id))
            for name, texts in panel.faults.items()
            # An input that is still empty is not wrong yet; what is missing is said in the panel.
            if name in form.fields and name != "any_expressions" and str(asked.data.get(name, "")).strip()
        ],
    }
    return render(request, "app_scheduler/schedule_answer.html", context)


@require_POST
def arguments(request: HttpRequest) -> HttpResponse:
    """Answer with the inputs for the arguments of the posted function, keeping what was typed under the same names."""
    if not _may(request, "view", "add", "change"):
        return HttpResponse(status=403)
    form = JobForm(spec=_spec(request), typed=request.POST)
    return render(request, "admin/django_apscheduler/djangojob/arguments.html", {"form": form})
