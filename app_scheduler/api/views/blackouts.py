"""Blackout windows: spans of time in which ticks do not run."""

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
from app_scheduler.api.errors import Conflict
from app_scheduler.api.permissions import ADD_BLACKOUT, CHANGE_BLACKOUT, DELETE_BLACKOUT, VIEW_BLACKOUT
from app_scheduler.api.queries import BlackoutQuery, ReasonQuery
from app_scheduler.api.schema import blackouts as operations
from app_scheduler.api.views.base import ConsoleView, ListView, take_revision
from app_scheduler.exceptions import InvalidInput


class BlackoutList(ListView):
    permissions = {"GET": VIEW_BLACKOUT, "POST": ADD_BLACKOUT}

    @extend_schema(**operations.list_blackouts)
    def get(self, request: Request) -> Response:
        rows = services.blackout_windows(over=BlackoutQuery.read(request).get("over"))
        return self.page(request, rows, lambda found: [representations.blackout(row) for row in found])

    @extend_schema(**operations.create_blackout)
    def post(self, request: Request) -> Response:
        row = services.add_window(self.body, self.actor)
        address = reverse("api:blackout", args=[row.pk], request=request)
        return Response(representations.blackout(row), status.HTTP_201_CREATED, headers={"Location": address})


class BlackoutDetail(ConsoleView):
    permissions = {"GET": VIEW_BLACKOUT, "PUT": CHANGE_BLACKOUT, "PATCH": CHANGE_BLACKOUT, "DELETE": DELETE_BLACKOUT}
    window_id: int

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{1,18}", kwargs["id"], re.ASCII):
            raise NotFound(
                gettext("There is no blackout window “%(id)s”: their ids are whole numbers.")
                % {"id": kwargs["id"][:60]}
            )
        self.window_id = int(kwargs["id"])

    @extend_schema(**operations.read_blackout)
    def get(self, request: Request, id: str) -> Response:
        return Response(representations.blackout(services.get_window(self.window_id)))

    @extend_schema(**operations.replace_blackout)
    def put(self, request: Request, id: str) -> Response:
        return self._change(partial=False)

    @extend_schema(**operations.change_blackout)
    def patch(self, request: Request, id: str) -> Response:
        return self._change(partial=True)

    @extend_schema(**operations.delete_blackout)
    def delete(self, request: Request, id: str) -> Response:
        services.delete_window(self.window_id, self.actor, reason=ReasonQuery.read(request)["reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _change(self, *, partial: bool) -> Response:
        body = self.body
        revision = take_revision(body)
        try:
            row = services.change_window(self.window_id, body, self.actor, partial=partial, expected_revision=revision)
        except InvalidInput as error:
            if "revision" in error.errors:
                raise Conflict(error) from None
            raise
        return Response(representations.blackout(row))
