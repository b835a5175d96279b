"""What the answers of operations have in common: their errors, a conflict, and the address of what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from app_scheduler.api.schema.components import Errors
from app_scheduler.api.schema.shapes.base import Problem

Operation = dict[str, Any]

_BAD = {
    "trigger.hour": ["25 is out of range. Use 0 to 23."],
    "kwargs.days": ["This argument is required."],
}
_PROBLEMS = {
    401: ("Nobody is logged in, or the token is not valid.", "Authentication credentials were not provided."),
    403: (
        "The user lacks a permission, or the session its CSRF token.",
        "You need the permission app_scheduler.run_job to do this. Ask an administrator for it.",
    ),
    404: ("It does not exist.", "There is no job with the id “nightly-cleanup”. It may have been deleted."),
    411: ("The body comes in chunks.", "Send the body with its Content-Length, not in chunks."),
    413: ("The body is too large.", "The body is too large. Send at most 1,048,576 bytes."),
    415: (
        "The body is not JSON.",
        'Unsupported media type "text/plain" in request. Send JSON, with the header Content-Type: application/json.',
    ),
}


def answers_of(
    success: Mapping[int, Any], *, body: bool = False, found: bool = False, checked: bool = False
) -> dict[int, Any]:
    """Return the success and the errors of an operation: with a body, on something in the address, with parameters."""
    responses: dict[int, Any] = dict(success)
    if body or checked:
        responses[400] = OpenApiResponse(
            Errors, "Something has to be changed; the messages say what.", [OpenApiExample("Bad input", value=_BAD)]
        )
    for status in (401, 403, *((404,) if found else ()), *((411, 413, 415) if body else ())):
        description, detail = _PROBLEMS[status]
        responses[status] = OpenApiResponse(
            Problem, description, [OpenApiExample(description, value={"detail": detail})]
        )
    return responses


def conflict_of(thing: str) -> OpenApiResponse:
    """Return the answer that somebody was faster: the thing has another revision by now."""
    told = f"Somebody changed this {thing} while you had it open. Load it again and repeat your change."
    return OpenApiResponse(
        Errors,
        f"Somebody else changed the {thing} since `revision` was read.",
        [OpenApiExample("Conflict", value={"revision": [told]})],
    )


def created(code: int, what: str) -> OpenApiParameter:
    return OpenApiParameter(
        "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, description=f"The address of {what}.", response=[code]
    )
