"""The list of jobs: its rows, its search and its order, in a number of queries that does not grow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, F, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.utils import dateformat, timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.gzip import gzip_page
from django_apscheduler.models import DjangoJob

from app_scheduler import services, triggers
from app_scheduler.admin.base import FROM_LIST, JobAdminBase, drop_nul
from app_scheduler.admin.columns import (
    Pill,
    execution_url,
    failures_url,
    job_url,
    moment,
    state_pill,
    status_pill,
    zone_of,
)
from app_scheduler.admin.filters import JOB_FILTERS, KEPT_PARAMETERS, failing
from app_scheduler.admin.history import label_of
from app_scheduler.admin.lists import cell, chosen, may_post
from app_scheduler.admin.live import live_bar
from app_scheduler.admin.outlook import Outlook, blackouts_on, exceptions_for, outlook_of
from app_scheduler.admin.refresh import LiveChangeList, is_look, regions_of_list
from app_scheduler.admin.running import Running, running_of
from app_scheduler.admin.strips import RunWords, StripView, run_words, strip_view
from app_scheduler.conf import console_settings
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import ScheduleExceptions, Strip


class JobRow:
    """What the cells of one job's row show."""

    def __init__(
        self,
        job: Any,
        *,
        running: Running | None = None,
        strip: Strip | None = None,
        words: RunWords | None = None,
        may: Mapping[str, bool] | None = None,
        back: str = "",
        exceptions: ScheduleExceptions | None = None,
        is_failing: bool = False,
    ) -> None:
        self.job = job
        self.spec: JobSpec | None = getattr(job, "spec", None)
        self.running = running
        self._strip = strip
        self._words = words
        self.may = may or {}
        self.back = back
        self.exceptions = exceptions
        self.is_failing = is_failing
        self.now = timezone.now()

    @property
    def url(self) -> str:
        return f"{job_url(self.job.pk)}{self.back}"

    def act_url(self, act: str) -> str:
        """Return the address that carries out an act and leads back to the list as it is."""
        return f"{job_url(self.job.pk, act)}{self.back or '?'}&_from={FROM_LIST}"

    @property
    def run_url(self) -> str:
        return self.act_url("run")

    @property
    def pause_url(self) -> str:
        return self.act_url("pause")

    @property
    def resume_url(self) -> str:
        return self.act_url("resume")

    @property
    def name(self) -> str:
        return self.spec.name if self.spec else str(self.job.pk)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """What the row's buttons and links are called for who does not see which row they are in."""
        return {act: words % {"job": self.name} for act, words in _labels(get_language()).items()}

    @cached_property
    def words(self) -> str:
        if self.spec is None:
            return ""
        return described(json.dumps(self.spec.trigger), get_language() or "", settings.TIME_ZONE)

    @cached_property
    def expression(self) -> str:
        try:
            return triggers.format_expression(self.spec.trigger) if self.spec else ""
        except Exception:  # a trigger that cannot be read is described as such
            return ""

    @cached_property
    def zone(self) -> Any:
        return zone_of(self.spec) if self.spec else None

    @cached_property
    def outlook(self) -> Outlook:
        if self.spec is None:
            return Outlook(self.job.next_run_time)
        return outlook_of(self.spec, self.exceptions or ScheduleExceptions.now(), self.zone, self.now)

    @cached_property
    def next_run(self) -> Any:
        """The first tick that runs: not one that a blackout or somebody's wish keeps from running."""
        return moment(self.outlook.runs, zone=self.zone, now=self.now)

    @property
    def is_due(self) -> bool:
        """Whether its tick has come and nobody has claimed it yet: nothing leads, or everything is paused."""
        return self.outlook.runs is not None and self.outlook.runs < self.now

    @cached_property
    def outcome(self) -> Pill | None:
        return status_pill(self.spec.last_status) if self.spec and self.spec.last_status else None

    @cached_property
    def outcome_at(self) -> Any:
        return moment(self.spec.last_finished_at, zone=self.zone, now=self.now) if self.spec else None

    @property
    def outcome_url(self) -> str:
        return execution_url(self.spec.last_execution_id) if self.spec and self.spec.last_execution_id else ""

    @property
    def failures_url(self) -> str:
        """Where the failures of a job are that fails and shows it, for who may see them."""
        is_shown = self.state.look == "failing" and self.may.get("may_view_executions")
        return failures_url(self.job.pk) if is_shown else ""

    @cached_property
    def strip(self) -> StripView | None:
        """The latest ticks, or None where there was none."""
        zone = self.zone or timezone.get_default_timezone()
        words = self._words or run_words(self.now)
        may_view = bool(self.may.get("may_view_executions"))
        return strip_view(self._strip, self.job.pk, self.name, zone, words, may_view=may_view)

    @cached_property
    def state(self) -> Pill:
        """What the job is, or that it runs, which says more than that it is to run again."""
        return self.running.pill if self.running and self.standing.look == JobState.SCHEDULED else self.standing

    @property
    def also_runs(self) -> Pill | None:
        """That it runs, where its state says something else."""
        return self.running.pill if self.running and self.standing.look != JobState.SCHEDULED else None

    @cached_property
    def standing(self) -> Pill:
        """The pill of the job's state, whether it runs or not."""
        if self.spec is None:
            return Pill("unknown", str(_("Not adopted yet")))
        if self.is_failing:
            return Pill("failing", str(_("Failing")))
        if self.is_paused and self.spec.paused_until:
            until = moment(self.spec.paused_until, zone=self.zone, now=self.now)
            assert until is not None
            label = gettext("Paused until %(moment)s") % {"moment": self._coming_day(self.spec.paused_until)}
            return state_pill(JobState.PAUSED, label=label, title=until.exact)
        return state_pill(self.spec.state)

    def _coming_day(self, value: datetime) -> str:
        """Return a moment as short as it is clear: its weekday and time within the week, else its date."""
        local = value.astimezone(self.zone)
        return dateformat.format(local, "D H:i" if value - self.now < timedelta(days=6) else gettext("j M Y"))

    @cached_property
    def paused_at(self) -> Any:
        return moment(self.spec.paused_at, zone=self.zone, now=self.now) if self.spec else None

    @cached_property
    def changed(self) -> str:
        """The names of the fields that are not as the code asks."""
        return ", ".join(label_of(field) for field in services.changed_fields(self.spec)) if self.spec else ""

    @property
    def warning(self) -> str:
        """What is missing here for a job that is still to run; a tick or a start marks it broken."""
        if self.spec is None or not (self.is_scheduled or self.is_paused):
            return ""
        if registry.find(self.spec.function) is None:
            return gettext("Its function is not registered here.")
        if self.spec.executor not in console_settings.executors:
            return gettext("Its executor “%(name)s” is not configured here.") % {"name": self.spec.executor}
        return ""

    @property
    def is_scheduled(self) -> bool:
        return self.spec is not None and self.spec.state == JobState.SCHEDULED

    @property
    def is_paused(self) -> bool:
        return self.spec is not None and self.spec.state == JobState.PAUSED

    @property
    def is_finished(self) -> bool:
        return self.spec is not None and self.spec.state == JobState.FINISHED

    @property
    def is_broken(self) -> bool:
        return self.spec is not None and self.spec.state == JobState.BROKEN


@lru_cache
def _labels(language: str | None) -> dict[str, str]:
    return {
        "run": gettext("Run %(job)s now"),
        "pause": gettext("Pause %(job)s"),
        "resume": gettext("Resume %(job)s"),
        "repair": gettext("Repair %(job)s"),
        "failures": gettext(": the failures of %(job)s"),
        "latest": gettext(": the last execution of %(job)s"),
        "executions": gettext(": executions of %(job)s"),
    }


@lru_cache(maxsize=2048)
def described(trigger: str, language: str, zone: str) -> str:
    """Return a trigger in words. Many jobs of a page have the same schedule, and it is the same at the next look."""
    return triggers.describe(json.loads(trigger))


class JobChangeList(LiveChangeList):
    """Django's list, with the rows' cells prepared for the whole page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs = list(self.result_list)
        ids = [job.pk for job in jobs]
        running, strips = running_of(ids), services.strips_of(ids)
        now = timezone.now()
        words, failing = run_words(now), services.failing_among([job.spec for job in jobs if hasattr(job, "spec")], now)
        exceptions = exceptions_for(request)
        model_admin: Any = self.model_admin
        may = model_admin.permissions(request)
        back = f"?{urlencode({'_changelist_filters': request.GET.urlencode()})}" if request.GET else ""
        for job in jobs:
            job.row = JobRow(
                job,
                running=running.get(job.pk),
                strip=strips.get(job.pk),
                words=words,
                may=may,
                back=back,
                exceptions=exceptions,
                is_failing=job.pk in failing,
            )
        self.result_list = jobs

    def kept_parameters(self) -> list[tuple[str, str]]:
        """Return what a new search keeps of the address."""
        return [(name, self.params[name]) for name in KEPT_PARAMETERS if name in self.params]

    def filters_on(self) -> bool:
        """Say whether anything narrows the list."""
        return bool(self.query) or bool(chosen(self))


TEMPLATES = "admin/django_apscheduler/djangojob"
#: What of the list refreshes itself.
LIVE_LIST = f"{TEMPLATES}/live_list.html"


class JobList(JobAdminBase):
    """The list of jobs."""

    change_list_template = "admin/django_apscheduler/djangojob/change_list.html"
    list_display = ["job_cell", "schedule_cell", "ticks_cell", "state_cell", "acts_cell"]
    list_display_links = None
    list_filter = JOB_FILTERS
    list_per_page = 50
    list_max_show_all = 200
    list_select_related = ["spec", "spec__paused_by", "spec__skip_by"]
    ordering = [F("next_run_time").asc(nulls_last=True), "pk"]
    search_fields = ["id", "spec__name", "spec__function", "spec__description", "spec__tags"]
    # The line above the list counts all jobs; Django's own count would be one more query for the same number.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def row_name(self, job: Any) -> str:
        name: str = job.row.name
        return name

    @admin.display(description=_("Job"), ordering=Lower("spec__name"))
    def job_cell(self, job: Any) -> SafeString:
        return cell(TEMPLATES, "job", job.row)

    @admin.display(description=_("Schedule"), ordering=F("next_run_time"))
    def schedule_cell(self, job: Any) -> SafeString:
        return cell(TEMPLATES, "schedule", job.row)

    @admin.display(description=_("Last 40 ticks"), ordering=F("spec__last_finished_at"))
    def ticks_cell(self, job: Any) -> SafeString:
        return cell(TEMPLATES, "ticks", job.row)

    @admin.display(description=_("State"), ordering="spec__state")
    def state_cell(self, job: Any) -> SafeString:
        return cell(TEMPLATES, "state", job.row)

    @admin.display(description=_("Act"))
    def acts_cell(self, job: Any) -> SafeString:
        return cell(TEMPLATES, "acts", job.row)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobChangeList

    def get_queryset(self, request: HttpRequest) -> Any:
        # A job's pickled state is never read, and may be large.
        return super().get_queryset(request).defer("job_state")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find each word in any of the fields; also in tags as SQLite stores them, with escapes for non-ASCII."""
        for word in services.words_of(search_term):
            found = Q()
            for name in self.search_fields:
                found |= Q(**{f"{name}__icontains": word})
            if not word.isascii():
                found |= Q(spec__tags__icontains=json.dumps(word)[1:-1])
            queryset = queryset.filter(found)
        return queryset, False

    # The bars of the strips are much alike: compressed, the page is a fifteenth.
    @method_decorator(gzip_page)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        drop_nul(request)
        if request.method == "POST":
            self.require(may_post(self, request))
        context = {"title": _("Jobs"), **self.permissions(request), **(extra_context or {})}
        if request.method == "GET" and self.has_view_or_change_permission(request):
            context |= {"live": live_bar(request, may_pause=context["may_pause"]), "summary": summary()}
        if "live" in context and not is_look(request):
            context |= {
                "blackouts": blackouts_on(request),
                "missing": services.missing_causes(),
                "deleted": services.count_deleted_defaults(),
            }
        page = super().changelist_view(request, context)
        return regions_of_list(request, page, LIVE_LIST) if is_look(request) else page


def summary() -> dict[str, int]:
    """Return the numbers of the line above the list."""
    counts: dict[str, int] = DjangoJob.objects.aggregate(
        total=Count("pk"),
        failing=Count("pk", filter=failing()),
        broken=Count("pk", filter=Q(spec__state=JobState.BROKEN)),
        paused=Count("pk", filter=Q(spec__state=JobState.PAUSED)),
        strange=Count("pk", filter=Q(spec__isnull=True)),
    )
    return counts
