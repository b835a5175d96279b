"""Executions: the history and the queue, and the verbs of one execution."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from app_scheduler import services
from app_scheduler.api import representations
from app_scheduler.api.bodies import ArgumentsBody, NoteBody, ReasonBody
from app_scheduler.api.permissions import CHANGE_EXECUTION, RUN_JOB, VIEW_EXECUTION
from app_scheduler.api.queries import ExecutionQuery, FieldsQuery
from app_scheduler.api.representations import EXECUTION_FIELDS
from app_scheduler.api.schema import executions as operations
from app_scheduler.api.views.base import ConsoleView, ListView


def location_of(execution_id: int, request: Request) -> str:
    return reverse("api:execution", args=[execution_id], request=request)


class ExecutionList(ListView):
    permissions = {"GET": VIEW_EXECUTION}

    @extend_schema(**operations.list_executions)
    def get(self, request: Request) -> Response:
        query = ExecutionQuery.read(request)
        fields = query.get("fields") or EXECUTION_FIELDS
        rows = representations.readable_executions(ExecutionQuery.executions(query), fields)
        return self.page(request, rows, lambda found: representations.executions(found, fields))


class ExecutionView(ConsoleView):
    """A view of one execution, whose id is in the address. ``shown`` is what it answers with."""

    execution_id: int

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{1,18}", kwargs["id"], re.ASCII):
            raise NotFound(
                gettext("There is no execution “%(id)s”: their ids are whole numbers.") % {"id": kwargs["id"][:60]}
            )
        self.execution_id = int(kwargs["id"])

    def shown(self) -> Response:
        return Response(representations.execution(services.get_execution(self.execution_id)))


class ExecutionDetail(ExecutionView):
    permissions = {"GET": VIEW_EXECUTION}

    @extend_schema(**operations.read_execution)
    def get(self, request: Request, id: str) -> Response:
        fields = FieldsQuery.read(request).get("fields") or EXECUTION_FIELDS
        return Response(representations.execution(services.get_execution(self.execution_id), fields))


class ExecutionRetry(ExecutionView):
    permissions = {"POST": RUN_JOB}

    @extend_schema(**operations.retry_execution)
    def post(self, request: Request, id: str) -> Response:
        new_id = services.retry_execution(self.execution_id, self.actor, **ArgumentsBody.read(self.body))
        execution = representations.execution(services.get_execution(new_id))
        return Response(
            {"execution": new_id, **execution},
            status.HTTP_202_ACCEPTED,
            headers={"Location": location_of(new_id, request)},
        )


class ExecutionCancel(ExecutionView):
    permissions = {"POST": RUN_JOB}

    @extend_schema(**operations.cancel_execution)
    def post(self, request: Request, id: str) -> Response:
        has_verdict = services.cancel_execution(self.execution_id, self.actor, **ReasonBody.read(self.body))
        answer = self.shown()
        if not has_verdict:
            answer.status_code = status.HTTP_202_ACCEPTED
        return answer


class ExecutionAcknowledge(ExecutionView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.acknowledge_execution)
    def post(self, request: Request, id: str) -> Response:
        services.acknowledge_execution(self.execution_id, self.actor, **NoteBody.read(self.body))
        return self.shown()
