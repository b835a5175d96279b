"""Fragments of HTML for pages that are being edited: what a schedule means, and the arguments of a function.

Both are posted the whole form, answer with the part of the page that changes, and change nothing themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import dateformat, timezone
from django.views.decorators.http import require_POST
from django_apscheduler.models import DjangoJob

from app_scheduler import services, triggers
from app_scheduler.admin.columns import Cell, offset_words, relative_time
from app_scheduler.documents import Document
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.forms import JobForm, trigger_from
from app_scheduler.models import JobSpec, JobState

#: Ticks that the panel shows at first, and after "show more".
TICKS = 10
MORE_TICKS = 50


@dataclass(frozen=True, slots=True)
class Tick:
    """One coming tick: its day and time in the schedule's zone, the zone's name then, and how far away it is."""

    iso: str
    day: str
    clock: str
    zone: str
    distance: str
    #: Whether the zone's offset is another than at the tick before.
    shifted: bool
    others: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class TriggerPreview(Cell):
    """What a schedule means, or what is wrong with it: ``errors`` are (label, message)."""

    template_name: ClassVar[str] = "app_scheduler/cells/preview.html"
    description: str = ""
    expression: str = ""
    ticks: list[Tick] = field(default_factory=list)
    more: int = 0
    warnings: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    before: str = ""
    state: str = ""
    zone: str = ""

    @property
    def busiest(self) -> Tick | None:
        """Return the first of the ticks at which other jobs start too."""
        return next((tick for tick in self.ticks if tick.others), None)


def trigger_preview(data: Mapping[str, Any], spec: JobSpec | None = None, *, more: bool = False) -> TriggerPreview:
    """Return what the schedule of a form means. Never raises: faults are part of the answer."""
    try:
        document = trigger_from(data)
    except InvalidInput as error:
        return TriggerPreview(errors=[(_label(name), text) for name, texts in error.errors.items() for text in texts])
    return document_preview(document, spec, more=more, run_past_at_once=bool(data.get("run_past_at_once")))


def document_preview(
    document: Document, spec: JobSpec | None = None, *, more: bool = False, run_past_at_once: bool = False
) -> TriggerPreview:
    """Return what a trigger document means, for a new job or as the schedule of ``spec``."""
    now = timezone.now()
    count = MORE_TICKS if more else TICKS
    try:
        if spec is not None and document == spec.trigger and not run_past_at_once:
            ticks = _ticks_of(spec, now, count + 1)
            warnings = triggers.warnings_for(document, anchor=spec.anchor, now=now)
        else:
            planned = services.preview(document, count=count + 1, run_past_at_once=run_past_at_once)
            document, ticks, warnings = planned.trigger, planned.upcoming, planned.warnings
    except InvalidInput as error:
        return TriggerPreview(errors=[("", text) for texts in error.errors.values() for text in texts])
    changed = spec is not None and document != spec.trigger
    return TriggerPreview(
        description=triggers.describe(document),
        expression=triggers.format_expression(document),
        ticks=_rows(ticks[:count], now, spec),
        more=MORE_TICKS if len(ticks) > count and not more else 0,
        warnings=warnings,
        before=triggers.describe(spec.trigger) if spec is not None and changed else "",
        state=spec.state if spec is not None and not changed else "",
        zone=str(triggers.schedule_for(document, anchor=now).timezone),
    )


def _ticks_of(spec: JobSpec, now: datetime, count: int) -> list[datetime]:
    if spec.state == JobState.SCHEDULED:
        return services.upcoming_ticks(spec, count=count)
    return triggers.upcoming(spec.trigger, anchor=spec.anchor, after=now, count=count)


def _rows(ticks: list[datetime], now: datetime, spec: JobSpec | None) -> list[Tick]:
    others = _other_jobs_at(ticks, spec)
    rows = []
    offset: timedelta | None = None
    for tick in ticks:
        year = "" if tick.year == now.astimezone(tick.tzinfo).year else " Y"
        rows.append(
            Tick(
                iso=tick.isoformat(),
                day=dateformat.format(tick, f"D j M{year}"),
                clock=dateformat.format(tick, "H:i:s" if tick.second else "H:i"),
                zone=offset_words(tick),
                distance=relative_time(tick, now),
                shifted=offset is not None and tick.utcoffset() != offset,
                others=others.get(tick, 0),
            )
        )
        offset = tick.utcoffset()
    return rows


def _other_jobs_at(ticks: list[datetime], spec: JobSpec | None) -> dict[datetime, int]:
    """Return how many other jobs have their next tick at these moments; an index answers it."""
    jobs = DjangoJob.objects.filter(next_run_time__in=ticks).order_by()
    if spec is not None:
        jobs = jobs.exclude(pk=spec.job_id)
    return dict(jobs.values_list("next_run_time").annotate(Count("pk")))


def _label(name: str) -> str:
    known = JobForm.base_fields.get(name)
    return str(known.label or "") if known else ""


def _may_see(request: HttpRequest) -> bool:
    """Say whether the user may see jobs at all; what these fragments tell is not more than that."""
    return any(request.user.has_perm(f"django_apscheduler.{act}_djangojob") for act in ("view", "add", "change"))


def _spec(request: HttpRequest) -> JobSpec | None:
    job_id = request.POST.get("_job", "")
    if not job_id or "\x00" in job_id:
        return None
    try:
        return services.get_job(job_id)
    except JobNotFound:
        return None


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Answer with the panel that says what the posted schedule means."""
    if not _may_see(request):
        return HttpResponse(status=403)
    panel = trigger_preview(request.POST, _spec(request), more="_more" in request.POST)
    return render(request, "app_scheduler/fragment.html", {"fragment": panel})


@require_POST
def arguments(request: HttpRequest) -> HttpResponse:
    """Answer with the inputs for the arguments of the posted function, keeping what was typed under the same names."""
    if not _may_see(request):
        return HttpResponse(status=403)
    form = JobForm(spec=_spec(request), typed=request.POST)
    return render(request, "admin/django_apscheduler/djangojob/arguments.html", {"form": form})
