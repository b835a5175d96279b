"""Concurrency groups: how many executions of the jobs that name one may run at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from app_scheduler import services
from app_scheduler.api.permissions import ADD_GROUP, CHANGE_GROUP, DELETE_GROUP, VIEW_GROUP
from app_scheduler.api.queries import ReasonQuery
from app_scheduler.api.schema import groups as operations
from app_scheduler.api.views.base import ConsoleView, ListView


class GroupList(ListView):
    permissions = {"GET": VIEW_GROUP, "POST": ADD_GROUP}

    @extend_schema(**operations.list_groups)
    def get(self, request: Request) -> Response:
        return self.page(
            request, services.known_groups(), lambda names: [asdict(each) for each in services.groups_named(names)]
        )

    @extend_schema(**operations.create_group)
    def post(self, request: Request) -> Response:
        group = services.add_group(self.body, self.actor)
        address = reverse("api:group", args=[group.name], request=request)
        return Response(asdict(group), status.HTTP_201_CREATED, headers={"Location": address})


class GroupDetail(ConsoleView):
    permissions = {"GET": VIEW_GROUP, "PUT": CHANGE_GROUP, "PATCH": CHANGE_GROUP, "DELETE": DELETE_GROUP}
    name: str

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # No group has a NUL character in its name, and PostgreSQL is not to be asked.
        self.name = kwargs["name"].replace("\x00", "")

    @extend_schema(**operations.read_group)
    def get(self, request: Request, name: str) -> Response:
        return Response(asdict(services.get_group(self.name)))

    @extend_schema(**operations.replace_group)
    def put(self, request: Request, name: str) -> Response:
        return Response(asdict(services.change_group(self.name, self.body, self.actor, partial=False)))

    @extend_schema(**operations.change_group)
    def patch(self, request: Request, name: str) -> Response:
        return Response(asdict(services.change_group(self.name, self.body, self.actor)))

    @extend_schema(**operations.delete_group)
    def delete(self, request: Request, name: str) -> Response:
        services.delete_group(self.name, self.actor, reason=ReasonQuery.read(request)["reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)
