"""The index, the schema, its page, and what is nowhere."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework import status
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from app_scheduler.api.views.base import AUTHENTICATION, ConsoleView

ADDRESSES = (
    "jobs",
    "executions",
    "failures",
    "blackouts",
    "groups",
    "functions",
    "preview",
    "upcoming",
    "scheduler",
    "schema",
    "docs",
)


class Index(ConsoleView):
    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({name: reverse(f"api:{name}", request=request) for name in ADDRESSES})


class Schema(SpectacularAPIView):
    """The schema, as JSON unless YAML is asked for."""

    authentication_classes = AUTHENTICATION
    permission_classes = [IsAuthenticated]
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2]


class Docs(SpectacularSwaggerView):
    """The schema as a page that can be tried out. It is for people: a stranger is asked to log in."""

    authentication_classes = AUTHENTICATION
    permission_classes = [IsAuthenticated]
    url_name = "api:schema"

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, NotAuthenticated):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)


class Nowhere(ConsoleView):
    """What no other address matches. Without its slash at the end an address is only misspelt.

    Django would turn a POST into a GET there, or fail while it is being developed; 308 keeps method and body.
    """

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request, path: str) -> HttpResponse | Response:
        address = f"{request.path_info}/"
        if path and not path.endswith("/") and self._exists(address):
            target = request._request.get_full_path(force_append_slash=True)
            return Response(
                {"detail": gettext("The address ends with a slash.")},
                status.HTTP_308_PERMANENT_REDIRECT,
                headers={"Location": target},
            )
        raise NotFound(gettext("There is no such address. /api/ lists those that there are."))

    post = put = patch = delete = get

    def _exists(self, address: str) -> bool:
        try:
            return resolve(address).func.view_class is not Nowhere  # type: ignore[attr-defined]
        except Resolver404:
            return False
