"""Failures: one group for each job and fault, and what is done about one of them or about all that match."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from app_scheduler import services
from app_scheduler.api import bodies
from app_scheduler.api import failure_representations as representations
from app_scheduler.api.permissions import CHANGE_EXECUTION, RUN_JOB, SEE_FAILURES, require
from app_scheduler.api.queries import FailureFilters, FailureQuery
from app_scheduler.api.schema import failures as operations
from app_scheduler.api.views.base import ConsoleView, ListView
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import FailureGroup
from app_scheduler.services import FailureState


class FailureList(ListView):
    permissions = {"GET": SEE_FAILURES}

    @extend_schema(**operations.list_failures)
    def get(self, request: Request) -> Response:
        wanted = FailureFilters.filter_of(FailureQuery.read(request))
        return self.page(request, services.find_failures(wanted, timezone.now()), representations.failures)


# --- one ----------------------------------------------------------------------------------------------------------


class FailureView(ConsoleView):
    """A view of one group of failures, whose id is in the address."""

    failure_id: int

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{1,18}", kwargs["id"], re.ASCII):
            raise NotFound(
                gettext("There is no failure “%(id)s”: their ids are whole numbers.") % {"id": kwargs["id"][:60]}
            )
        self.failure_id = int(kwargs["id"])

    def find(self) -> FailureGroup:
        return services.get_failure(self.failure_id)

    def shown(self) -> Response:
        return Response(representations.failure(self.find()))


class FailureDetail(FailureView):
    permissions = {"GET": SEE_FAILURES}

    @extend_schema(**operations.read_failure)
    def get(self, request: Request, id: str) -> Response:
        return self.shown()


class FailureAcknowledge(FailureView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.acknowledge_failure)
    def post(self, request: Request, id: str) -> Response:
        body = bodies.NoteBody.read(self.body)
        services.acknowledge_failures([self.find().pk], self.actor, note=body["note"])
        return self.shown()


class FailureSnooze(FailureView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.snooze_failure)
    def post(self, request: Request, id: str) -> Response:
        body = bodies.SnoozeBody.read(self.body)
        until = bodies.SnoozeBody.moment_of(body)
        if not services.snooze_failures([self.find().pk], self.actor, until=until, note=body["note"]):
            raise InvalidInput(gettext("Nothing of this failure is open. Open it again first."))
        return self.shown()


class FailureReopen(FailureView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.reopen_failure)
    def post(self, request: Request, id: str) -> Response:
        body = bodies.ReasonBody.read(self.body)
        services.reopen_failures([self.find().pk], self.actor, note=body["reason"])
        group = self.find()
        if services.state_of(group, timezone.now()) is FailureState.ACKNOWLEDGED:
            raise InvalidInput(
                gettext(
                    "Its executions have been deleted: nothing is left to open. It opens by itself if it comes again."
                )
            )
        return Response(representations.failure(group))


class FailureRetry(FailureView):
    permissions = {"POST": RUN_JOB}

    @extend_schema(**operations.retry_failure)
    def post(self, request: Request, id: str) -> Response:
        require(request, SEE_FAILURES)
        retried = _retry(self, [self.find().pk], bodies.RetryBody.read(self.body))
        return Response(retried, status.HTTP_202_ACCEPTED)


# --- all that match -----------------------------------------------------------------------------------------------


def _matching(body: Mapping[str, Any]) -> list[int]:
    return list(services.find_failures(FailureFilters.filter_of(body), timezone.now()).values_list("pk", flat=True))


def _retry(view: ConsoleView, ids: list[int], body: Mapping[str, Any]) -> dict[str, Any]:
    return representations.retried(
        services.retry_failures(
            ids, view.actor, per_minute=body["per_minute"], newest_only=body["newest_only"], note=body["reason"]
        )
    )


class FailuresAcknowledge(ConsoleView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.acknowledge_failures)
    def post(self, request: Request) -> Response:
        body = bodies.AcknowledgeMatchingBody.read(self.body)
        ids = _matching(body)
        done = services.acknowledge_failures(ids, self.actor, note=body["note"])
        return Response({"matching": len(ids), "changed": done})


class FailuresSnooze(ConsoleView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.snooze_failures)
    def post(self, request: Request) -> Response:
        body = bodies.SnoozeMatchingBody.read(self.body)
        ids = _matching(body)
        until = bodies.in_hours(body["hours"])
        done = services.snooze_failures(ids, self.actor, until=until, note=body["note"])
        return Response({"matching": len(ids), "changed": done})


class FailuresReopen(ConsoleView):
    permissions = {"POST": CHANGE_EXECUTION}

    @extend_schema(**operations.reopen_failures)
    def post(self, request: Request) -> Response:
        body = bodies.ReopenMatchingBody.read(self.body)
        ids = _matching(body)
        done = services.reopen_failures(ids, self.actor, note=body["reason"])
        return Response({"matching": len(ids), "changed": done})


class FailuresRetry(ConsoleView):
    permissions = {"POST": RUN_JOB}

    @extend_schema(**operations.retry_failures)
    def post(self, request: Request) -> Response:
        require(request, SEE_FAILURES)
        body = bodies.RetryMatchingBody.read(self.body)
        ids = _matching(body)
        return Response({"matching": len(ids), **_retry(self, ids, body)}, status.HTTP_202_ACCEPTED)
