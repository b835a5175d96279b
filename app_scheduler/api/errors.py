"""Every error as JSON that says what to do.

400 and 409 are ``{path: [message, …]}``: a path names a field of the body or of the query (``trigger.hour``,
``kwargs.days``, ``since``), and ``non_field_errors`` the body as a whole. All others are ``{"detail": message}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    NotAcceptable,
    NotFound,
    ParseError,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from app_scheduler.exceptions import (
    BlackoutNotFound,
    ConsoleError,
    ExecutionNotFound,
    FailureNotFound,
    GroupNotFound,
    InstanceNotFound,
    InvalidInput,
    JobNotFound,
)

#: The key of messages that are about the body as a whole.
WHOLE_BODY: str = api_settings.NON_FIELD_ERRORS_KEY


class Conflict(APIException):
    """Somebody else was quicker: the caller has to look again."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, error: InvalidInput) -> None:
        super().__init__(by_path(error))


class BodyTooLarge(APIException):
    """The body is not read to its end."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body is too large. Send less.")


class LengthRequired(APIException):
    """The body comes without its length, and Django would take it for an empty one."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = _("Send the body with its Content-Length, not in chunks.")


def respond(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to an error that the caller can do something about; None leaves it to Django."""
    return exception_handler(_as_api_exception(error), context)


def by_path(error: InvalidInput) -> dict[str, list[str]]:
    """Return the messages of ``error`` as a response has them."""
    return {path or WHOLE_BODY: messages for path, messages in error.errors.items()}


def _as_api_exception(error: Exception) -> Exception:
    match error:
        case InvalidInput():
            return ValidationError(by_path(error))
        case JobNotFound() | ExecutionNotFound() | FailureNotFound():
            return NotFound(str(error))
        case BlackoutNotFound() | GroupNotFound() | InstanceNotFound():
            return NotFound(str(error))
        case ConsoleError():
            # What the act was about has changed while it was under way.
            return Conflict(InvalidInput(str(error)))
        case ParseError():
            return ValidationError({WHOLE_BODY: [str(error.detail)]})
        case ValidationError():
            return ValidationError(_flat(error.detail))
        case UnsupportedMediaType():
            hint = gettext("Send JSON, with the header Content-Type: application/json.")
            return UnsupportedMediaType("", f"{error.detail} {hint}")
        case NotAcceptable():
            return NotAcceptable(gettext("%(detail)s Answers are application/json.") % {"detail": error.detail})
        case RequestDataTooBig():
            return BodyTooLarge()
        case SuspiciousOperation():
            # Django would answer with a page: too many parameters in the address, say.
            return ValidationError({WHOLE_BODY: [str(error) or gettext("This request is malformed.")]})
    return error


def _flat(detail: Any) -> dict[str, list[str]]:
    """Return the nested messages of Django REST framework by dotted path, as the console's own are."""
    messages: dict[str, list[str]] = {}
    for path, message in _leaves(detail, ()):
        messages.setdefault(".".join(path) or WHOLE_BODY, []).append(message)
    return messages


def _leaves(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _leaves(value, path if key == WHOLE_BODY and path else (*path, str(key)))
    elif isinstance(detail, (list, tuple)):
        for item in detail:
            yield from _leaves(item, path)
    else:
        yield path, str(detail)
