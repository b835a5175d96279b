"""What all views share: who is asking, what they sent, and how errors are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from app_scheduler.api import errors
from app_scheduler.api.pagination import Pages
from app_scheduler.api.parsers import StrictJSONParser
from app_scheduler.api.permissions import HasPermission, Needed
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin
from app_scheduler.services import Actor

#: The token comes first: its challenge makes the answer to a stranger a 401, where a session's would be a 403.
AUTHENTICATION = [TokenAuthentication, SessionAuthentication]


class ConsoleView(APIView):
    """A view that says what it needs: ``permissions`` names the permission for each method that it serves."""

    authentication_classes = AUTHENTICATION
    permission_classes = [HasPermission]
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    permissions: ClassVar[Mapping[str, Needed]] = {}

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return errors.respond

    @property
    def actor(self) -> Actor:
        return Actor(user=self.request.user, origin=JobOrigin.API)

    @property
    def body(self) -> dict[str, Any]:
        """The object that was sent; an empty body is an empty one."""
        headers = self.request.META
        if headers.get("HTTP_TRANSFER_ENCODING") and not headers.get("CONTENT_LENGTH"):
            raise errors.LengthRequired
        data = self.request.data
        if not isinstance(data, Mapping):
            raise InvalidInput(gettext('The body is a JSON object, such as {"reason": "maintenance"}.'))
        return dict(data)


class ListView(ConsoleView):
    """A view of a list, in pages."""

    pagination_class = Pages

    def page(self, request: Request, rows: Any, show: Callable[[Sequence[Any]], list[Any]]) -> Response:
        pages = Pages()
        return pages.get_paginated_response(show(pages.paginate_queryset(rows, request, self)))


def take_revision(body: dict[str, Any]) -> int | None:
    """Take the revision that the sender has seen out of the body; None where there is none."""
    revision = body.pop("revision", None)
    if revision is None:
        return None
    if isinstance(revision, bool) or not isinstance(revision, int):
        raise InvalidInput({"revision": gettext("Send the whole number that you read with the job, or leave it out.")})
    return revision
