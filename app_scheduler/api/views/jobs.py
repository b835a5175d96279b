"""Jobs: their documents, and the verbs of one job."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from app_scheduler import documents, services
from app_scheduler.api import representations
from app_scheduler.api.bodies import ArgumentsBody, PauseBody, ReasonBody, RevertBody
from app_scheduler.api.errors import Conflict
from app_scheduler.api.permissions import (
    ADD_JOB,
    CHANGE_JOB,
    DELETE_JOB,
    PAUSE_JOB,
    RUN_JOB,
    VIEW_JOB,
    require,
)
from app_scheduler.api.queries import ExplainQuery, JobQuery, ReasonQuery, UpcomingQuery
from app_scheduler.api.schema import jobs as operations
from app_scheduler.api.views.base import ConsoleView, ListView, take_revision
from app_scheduler.api.views.executions import location_of
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.models import JobSpec


def _take_flag(body: dict[str, Any], name: str) -> bool:
    flag = body.pop(name, False)
    if not isinstance(flag, bool):
        raise InvalidInput({name: gettext("Give true or false.")})
    return flag


class _JobWriter(ConsoleView):
    """What all that writes a job's document has in common."""

    def change(self, job_id: str, body: dict[str, Any], *, partial: bool) -> JobSpec:
        reason = ReasonQuery.read(self.request)["reason"]
        revision = take_revision(body)
        at_once = _take_flag(body, "run_past_at_once")
        if "paused" in body and not self.request.user.has_perm(PAUSE_JOB):
            # Sent back as it was, it changes nothing and needs nothing.
            plan = services.plan_change(services.get_job(job_id), body, partial=partial, run_past_at_once=at_once)
            if plan.pause is not None:
                require(self.request, PAUSE_JOB)
            del body["paused"]
        try:
            return services.change_job(
                job_id,
                body,
                self.actor,
                partial=partial,
                expected_revision=revision,
                reason=reason,
                run_past_at_once=at_once,
            )
        except InvalidInput as error:
            if "revision" in error.errors:
                raise Conflict(error) from None
            raise


class JobList(_JobWriter, ListView):
    permissions = {"GET": VIEW_JOB, "POST": ADD_JOB}

    @extend_schema(**operations.list_jobs)
    def get(self, request: Request) -> Response:
        exceptions = services.ScheduleExceptions.now()
        return self.page(
            request,
            JobQuery.jobs(request),
            lambda specs: [representations.job(spec, exceptions) for spec in specs],
        )

    @extend_schema(**operations.create_job)
    def post(self, request: Request) -> Response:
        body = self.body
        existing = self._existing(body) if _take_flag(body, "replace_existing") else None
        if existing is not None:
            require(request, CHANGE_JOB)
            return Response(representations.job(self.change(existing, body, partial=False)))
        at_once = _take_flag(body, "run_past_at_once")
        if "paused" in body and not request.user.has_perm(PAUSE_JOB):
            checked = services.with_past_at_once(body, utc_now()) if at_once else body
            if documents.clean(checked)["paused"]:
                require(request, PAUSE_JOB)
        reason = ReasonQuery.read(request)["reason"]
        spec = services.create_job(body, self.actor, reason=reason, run_past_at_once=at_once)
        address = reverse("api:job", args=[spec.job_id], request=request)
        return Response(representations.job(spec), status.HTTP_201_CREATED, headers={"Location": address})

    def _existing(self, body: dict[str, Any]) -> str | None:
        job_id = body.get("id")
        if not isinstance(job_id, str) or "\x00" in job_id:
            return None
        try:
            return str(services.get_job(job_id.strip()).job_id)
        except JobNotFound:
            return None


class JobView(ConsoleView):
    """A view of one job, whose id is in the address."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\x00" in kwargs["id"]:
            # No job's id has one, and PostgreSQL refuses to look for it.
            raise JobNotFound(kwargs["id"].replace("\x00", "␀"))


class JobDetail(_JobWriter, JobView):
    permissions = {"GET": VIEW_JOB, "PUT": CHANGE_JOB, "PATCH": CHANGE_JOB, "DELETE": DELETE_JOB}

    @extend_schema(**operations.read_job)
    def get(self, request: Request, id: str) -> Response:
        return Response(representations.job(services.get_job(id)))

    @extend_schema(**operations.replace_job)
    def put(self, request: Request, id: str) -> Response:
        return Response(representations.job(self.change(id, self.body, partial=False)))

    @extend_schema(**operations.change_job)
    def patch(self, request: Request, id: str) -> Response:
        return Response(representations.job(self.change(id, self.body, partial=True)))

    @extend_schema(**operations.delete_job)
    def delete(self, request: Request, id: str) -> Response:
        services.delete_job(id, self.actor, reason=ReasonQuery.read(request)["reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class JobRun(JobView):
    permissions = {"POST": RUN_JOB}

    @extend_schema(**operations.run_job)
    def post(self, request: Request, id: str) -> Response:
        (execution_id,) = services.run_now([id], self.actor, **ArgumentsBody.read(self.body))
        execution = representations.execution(services.get_execution(execution_id))
        return Response(
            {"execution": execution_id, **execution},
            status.HTTP_202_ACCEPTED,
            headers={"Location": location_of(execution_id, request)},
        )


class JobPause(JobView):
    permissions = {"POST": PAUSE_JOB}

    @extend_schema(**operations.pause_job)
    def post(self, request: Request, id: str) -> Response:
        return Response(representations.job(services.pause_job(id, self.actor, **PauseBody.read(self.body))))


class JobResume(JobView):
    permissions = {"POST": PAUSE_JOB}

    @extend_schema(**operations.resume_job)
    def post(self, request: Request, id: str) -> Response:
        return Response(representations.job(services.resume_job(id, self.actor, **ReasonBody.read(self.body))))


class JobSkipNext(JobView):
    permissions = {"POST": PAUSE_JOB}

    @extend_schema(**operations.skip_next)
    def post(self, request: Request, id: str) -> Response:
        return Response(representations.job(services.skip_next(id, self.actor, **ReasonBody.read(self.body))))


class JobUnskip(JobView):
    permissions = {"POST": PAUSE_JOB}

    @extend_schema(**operations.unskip_next)
    def post(self, request: Request, id: str) -> Response:
        return Response(representations.job(services.unskip_next(id, self.actor, **ReasonBody.read(self.body))))


class JobUpcoming(JobView):
    permissions = {"GET": VIEW_JOB}

    @extend_schema(**operations.upcoming_ticks)
    def get(self, request: Request, id: str) -> Response:
        count = UpcomingQuery.read(request)["count"]
        spec = services.get_job(id)
        ticks = services.upcoming_ticks(spec, count=count)
        return Response(
            {
                "job": id,
                "upcoming": [tick.isoformat() for tick in ticks],
                "excepted": representations.excepted(services.excepted(ticks, spec)),
            }
        )


class JobExplain(JobView):
    permissions = {"GET": VIEW_JOB}

    @extend_schema(**operations.explain_job)
    def get(self, request: Request, id: str) -> Response:
        moment = ExplainQuery.read(request)["at"]
        return Response({"job": id, **representations.explanation(services.explain(id, moment))})


class JobCode(JobView):
    permissions = {"GET": VIEW_JOB}

    @extend_schema(**operations.read_code)
    def get(self, request: Request, id: str) -> Response:
        return Response(representations.code(services.get_job(id)))


class JobRevert(JobView):
    permissions = {"POST": CHANGE_JOB}

    @extend_schema(**operations.revert_job)
    def post(self, request: Request, id: str) -> Response:
        body = RevertBody.read(self.body)
        try:
            spec = services.revert_to_code(
                id,
                self.actor,
                fields=body["fields"],
                expected_revision=body["revision"],
                reason=body["reason"],
            )
        except InvalidInput as error:
            if "revision" in error.errors:
                raise Conflict(error) from None
            raise
        return Response(representations.job(spec))
