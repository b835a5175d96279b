"""Functions, previews of triggers, and the scheduler as a whole."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from app_scheduler import services
from app_scheduler.api import representations
from app_scheduler.api.bodies import Body, PreviewBody, ReasonBody
from app_scheduler.api.permissions import CHANGE_INSTANCE, PAUSE_JOB, VIEW_JOB
from app_scheduler.api.queries import CalendarQuery, FunctionQuery
from app_scheduler.api.schema import console as operations
from app_scheduler.api.views.base import ConsoleView, ListView
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.registry import registry


class FunctionList(ListView):
    permissions = {"GET": VIEW_JOB}

    @extend_schema(**operations.list_functions)
    def get(self, request: Request) -> Response:
        wanted = FunctionQuery.read(request).get("search", "").lower()
        functions = [f for f in registry.all() if wanted in f"{f.name}\n{f.summary}".lower()]
        return self.page(request, functions, lambda found: [representations.function(each) for each in found])


class TriggerPreview(ConsoleView):
    permissions = {"POST": VIEW_JOB}

    @extend_schema(**operations.preview_trigger)
    def post(self, request: Request) -> Response:
        body = PreviewBody.read(self.body)
        job, trigger = body.pop("job"), body.pop("trigger")
        try:
            spec = services.get_job(job) if job else None
        except JobNotFound as error:
            raise InvalidInput({"job": str(error)}) from None
        return Response(representations.preview(services.preview(trigger, spec=spec, **body)))


class Upcoming(ListView):
    permissions = {"GET": VIEW_JOB}

    @extend_schema(**operations.list_upcoming)
    def get(self, request: Request) -> Response:
        return self.page(request, CalendarQuery.due(request), representations.due)


class SchedulerView(ConsoleView):
    permissions = {"GET": VIEW_JOB}

    @extend_schema(**operations.read_scheduler)
    def get(self, request: Request) -> Response:
        return Response(_scheduler())


class SchedulerPause(ConsoleView):
    permissions = {"POST": PAUSE_JOB}

    @extend_schema(**operations.pause_scheduler)
    def post(self, request: Request) -> Response:
        services.pause_all(self.actor, **ReasonBody.read(self.body))
        return Response(_scheduler())


class SchedulerResume(ConsoleView):
    permissions = {"POST": PAUSE_JOB}

    @extend_schema(**operations.resume_scheduler)
    def post(self, request: Request) -> Response:
        Body.read(self.body)
        services.resume_all(self.actor)
        return Response(_scheduler())


class InstanceDrain(ConsoleView):
    permissions = {"POST": CHANGE_INSTANCE}

    @extend_schema(**operations.drain_instance)
    def post(self, request: Request, id: str) -> Response:
        instance = services.drain_instance(id, self.actor, **ReasonBody.read(self.body))
        return Response(representations.instance(instance))


class InstanceResume(ConsoleView):
    permissions = {"POST": CHANGE_INSTANCE}

    @extend_schema(**operations.resume_instance)
    def post(self, request: Request, id: str) -> Response:
        instance = services.resume_instance(id, self.actor, **ReasonBody.read(self.body))
        return Response(representations.instance(instance))


def _scheduler() -> representations.Json:
    return representations.scheduler(services.status(), services.instances())
