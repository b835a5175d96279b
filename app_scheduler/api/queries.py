"""What the address of a list may ask for. Parameters that nobody knows, and empty ones, are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJobExecution
from rest_framework import serializers
from rest_framework.request import Request

from app_scheduler.api.fields import ChoicesField, MomentField, NamesField, count_field, in_time
from app_scheduler.api.representations import EXECUTION_FIELDS
from app_scheduler.models import ExecutionOrigin, JobOrigin, JobSpec, JobState, Status
from app_scheduler.querysets import JobSpecQuerySet
from app_scheduler.quoting import in_quotes
from app_scheduler.services import MAX_PREVIEW, FailureFilter, FailureState, due_jobs
from app_scheduler.services.calendar import FIRST_YEAR, LAST_YEAR, DueJobs
from app_scheduler.triggers import KINDS

MAX_SEARCH = 200
#: Jobs and tags that one filter may name.
MAX_NAMES = 1000
#: In place of a state: failures in any of them.
ALL = "all"
#: The longest period whose due jobs are told at once.
MAX_DAYS = 31
ORDERINGS = {
    "id": "job_id",
    "name": "name",
    "next_run_time": "job__next_run_time",
    "last_finished_at": "last_finished_at",
    "created_at": "created_at",
    "updated_at": "updated_at",
}


class Query(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """The parameters of an address, checked."""

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """Return the checked parameters. Raises ``ValidationError`` with a message per parameter."""
        given = request.query_params.copy()
        for name, values in list(given.lists()):
            given.setlist(name, [value for value in values if value.strip()])
            if not given.getlist(name):
                del given[name]
        query = cls(data=given)
        query.is_valid(raise_exception=True)
        checked: dict[str, Any] = query.validated_data
        return checked


class ReasonQuery(Query):
    reason = serializers.CharField(max_length=1000, required=False, default="", help_text="Why, for the audit trail.")


class JobQuery(Query):
    state = ChoicesField(JobState.values, help_text="Jobs in this state; give it again for more of them.")
    function = serializers.CharField(max_length=255, required=False, help_text="The dotted name of the function.")
    tag = serializers.ListField(
        child=serializers.CharField(max_length=50), required=False, help_text="Jobs with this tag, or with all of them."
    )
    trigger_type = ChoicesField(KINDS, help_text="The type of the trigger.")
    last_status = ChoicesField(Status.values, help_text="The verdict of the last execution.")
    origin = ChoicesField(JobOrigin.values, help_text="The door that the job came through.")
    search = serializers.CharField(
        max_length=MAX_SEARCH, required=False, help_text="Text in the id, the name, the description or the function."
    )
    ordering = serializers.ChoiceField(
        choices=[sign + name for name in ORDERINGS for sign in ("", "-")],
        default="id",
        help_text="The order; a minus sign turns it round. Jobs without the value come last.",
        error_messages={
            "invalid_choice": in_time(
                lambda: (
                    gettext("“{input}” is not an order. Use %(names)s, or -id and so.")
                    % {"names": ", ".join(ORDERINGS)}
                )
            )
        },
    )

    @classmethod
    def jobs(cls, request: Request) -> JobSpecQuerySet:
        """Return the jobs that the address asks for, in its order."""
        query = cls.read(request)
        jobs = JobSpec.objects.select_related("job", "paused_by", "skip_by").defer("job__job_state", "code_document")
        for name in ("state", "trigger_type", "last_status", "origin"):
            if query.get(name):
                jobs = jobs.filter(**{f"{name}__in": query[name]})
        if "function" in query:
            jobs = jobs.filter(function=query["function"])
        for tag in query.get("tag", ()):
            jobs = jobs.with_tag(tag.strip().lower())
        if "search" in query:
            matches = Q()
            for column in ("job__id", "name", "description", "function"):
                matches |= Q(**{f"{column}__icontains": query["search"]})
            jobs = jobs.filter(matches)
        order = F(ORDERINGS[query["ordering"].removeprefix("-")])
        falling = query["ordering"].startswith("-")
        return jobs.order_by(order.desc(nulls_last=True) if falling else order.asc(nulls_last=True), "job_id")


class UpcomingQuery(Query):
    count = count_field(MAX_PREVIEW, 10, help_text="How many ticks to tell.")


class CalendarQuery(Query):
    since = MomentField(required=False, help_text="From the minute of this moment; now where it is left out.")
    until = MomentField(
        required=False,
        whole_day=True,
        help_text=f"To the minute before this moment, at most {MAX_DAYS} days later; a day later where it is left out. "
        "A date is the whole of its day.",
    )
    function = serializers.CharField(max_length=255, required=False, help_text="The dotted name of the function.")
    tag = serializers.ListField(
        child=serializers.CharField(max_length=50), required=False, help_text="Jobs with this tag, or with all of them."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        since = attrs.setdefault("since", timezone.now())
        until = attrs.setdefault("until", since + timedelta(days=1))
        if not FIRST_YEAR <= since.year <= LAST_YEAR:
            raise serializers.ValidationError(
                {
                    "since": gettext("Give a moment in the years %(first)s to %(last)s.")
                    % {"first": FIRST_YEAR, "last": LAST_YEAR}
                }
            )
        if not timedelta() < until - since <= timedelta(days=MAX_DAYS):
            raise serializers.ValidationError(
                {"until": gettext("Give a moment after “since”, at most %(count)s days later.") % {"count": MAX_DAYS}}
            )
        return attrs

    @classmethod
    def due(cls, request: Request) -> DueJobs:
        """Return the jobs that are due in the period that the address asks for."""
        query = cls.read(request)
        jobs = JobSpec.objects.all()
        if "function" in query:
            jobs = jobs.filter(function=query["function"])
        for tag in query.get("tag", ()):
            jobs = jobs.with_tag(tag.strip().lower())
        return due_jobs(query["since"], query["until"], jobs)


class ExplainQuery(Query):
    at = MomentField(
        of_job=True,
        help_text="The moment that is asked about. Without seconds its minute is meant; without an offset it is meant "
        "in the job's time zone.",
    )


class BlackoutQuery(Query):
    over = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Windows that are over, or those that are not; all of them where it is left out.",
        error_messages={"invalid": _("Give true or false.")},
    )


class FunctionQuery(Query):
    search = serializers.CharField(
        max_length=MAX_SEARCH, required=False, help_text="Text in the name or in the summary."
    )


class FieldsQuery(Query):
    """Which fields of an execution to show."""

    # Declared fields are taken out of the class, so that the attribute of the same name stays what it is.
    fields = NamesField(  # type: ignore[assignment]  # declared fields are taken out of the class
        EXECUTION_FIELDS, help_text="The fields to show, separated by commas; all of them where it is left out."
    )


class ExecutionQuery(FieldsQuery):
    job = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, help_text="A job's id; give it again for more."
    )
    status = ChoicesField(Status.values, help_text="The verdict; give it again for more of them.")
    origin = ChoicesField(ExecutionOrigin.values, help_text="Why the execution exists.")
    since = MomentField(required=False, help_text="With a run time at or after this moment. A date is its midnight.")
    until = MomentField(
        required=False,
        whole_day=True,
        help_text="With a run time at or before this moment. A date is the whole of its day.",
    )

    @classmethod
    def executions(cls, query: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the executions that a checked query asks for, the newest first."""
        executions = DjangoJobExecution.objects.all()
        if query.get("job"):
            executions = executions.filter(job_id__in=query["job"])
        if query.get("status"):
            executions = executions.filter(status__in=query["status"])
        if query.get("origin"):
            wanted = Q(detail__origin__in=query["origin"])
            if ExecutionOrigin.SCHEDULE in query["origin"]:
                # What plain django-apscheduler recorded has no detail; it knows no other origin.
                wanted |= Q(detail__isnull=True)
            executions = executions.filter(wanted)
        if "since" in query:
            executions = executions.filter(run_time__gte=query["since"])
        if "until" in query:
            executions = executions.filter(run_time__lte=query["until"])
        return executions.order_by("-run_time", "-pk")


def state_field(default: FailureState) -> serializers.ChoiceField:
    """Return the field for the state of failures, which is ``default`` where it is left out."""
    names = [*(state.value for state in FailureState), ALL]
    return serializers.ChoiceField(
        choices=names,
        default=default.value,
        help_text="Failures in this state, or all: what was acknowledged is among them for 30 days.",
        error_messages={
            "invalid_choice": in_time(
                lambda: (
                    gettext("“{input}” is not one of them. Use %(names)s.")
                    % {"names": ", ".join(in_quotes(name) for name in names)}
                )
            )
        },
    )


class FailureFilters(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """Which failures are meant, whether an address or a body says so."""

    state = state_field(FailureState.OPEN)
    job = serializers.ListField(
        child=serializers.CharField(max_length=255),
        required=False,
        allow_empty=False,
        max_length=MAX_NAMES,
        help_text="A job's id; one of them where there are several.",
    )
    tag = serializers.ListField(
        child=serializers.CharField(max_length=50),
        required=False,
        allow_empty=False,
        max_length=MAX_NAMES,
        help_text="Failures of jobs with this tag, or with all of them.",
    )
    since = MomentField(required=False, help_text="That came last at or after this moment. A date is its midnight.")
    until = MomentField(
        required=False,
        whole_day=True,
        help_text="That came last at or before this moment. A date is the whole of its day.",
    )
    search = serializers.CharField(
        max_length=MAX_SEARCH,
        required=False,
        help_text="Words in the job's id or name, the exception or its place; each has to be found, and quotation "
        "marks make several one.",
    )

    @classmethod
    def filter_of(cls, checked: Mapping[str, Any]) -> FailureFilter:
        """Return what the checked fields ask for."""
        return FailureFilter(
            state=None if checked["state"] == ALL else FailureState(checked["state"]),
            jobs=checked.get("job", ()),
            tags=[tag.strip().lower() for tag in checked.get("tag", ())],
            since=checked.get("since"),
            until=checked.get("until"),
            search=checked.get("search", ""),
        )


class FailureQuery(FailureFilters, Query):
    """The failures that a list shows."""
