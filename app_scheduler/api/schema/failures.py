"""The operations on failures: what each needs, takes and answers."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from app_scheduler.api import bodies, queries
from app_scheduler.api.errors import WHOLE_BODY
from app_scheduler.api.schema import examples
from app_scheduler.api.schema.answers import Operation, answers_of
from app_scheduler.api.schema.components import Errors
from app_scheduler.api.schema.shapes import failures as shapes
from app_scheduler.services import MAX_RETRIES

_ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The id of a group of failures.")
_SEES = "Needs `django_apscheduler.view_djangojobexecution` or `django_apscheduler.change_djangojobexecution`."
_CHANGES = "Needs `django_apscheduler.change_djangojobexecution`."
_RUNS = (
    "Needs `app_scheduler.run_job`, and `django_apscheduler.view_djangojobexecution` or "
    "`django_apscheduler.change_djangojobexecution`."
)
_RETRIES = (
    "Each open failure that nothing has tried again is queued with the arguments that it had, the oldest first, "
    f"{MAX_RETRIES:,} at once at most. To retry twice runs nothing twice."
)
_MATCHING = "Acts on every group that the filters of the body match, at least one of which has to be given."
_MEANWHILE = OpenApiResponse(
    Errors,
    "A job or an execution was deleted meanwhile, and nothing was queued.",
    [
        OpenApiExample(
            "Conflict",
            value={WHOLE_BODY: ["Nothing was queued: one of the jobs or executions was deleted meanwhile. Try again."]},
        )
    ],
)
_CHANGED = [examples.answered("What was done", {"matching": 12, "changed": 11})]

list_failures: Operation = {
    "operation_id": "listFailures",
    "summary": "List failures by job and fault, the last to come first",
    "description": f"{_SEES} A fault that came 10,000 times is one of them.",
    "tags": ["failures"],
    "parameters": [queries.FailureQuery],
    "responses": answers_of({200: shapes.Failure(many=True)}, checked=True, found=True),
    "examples": [examples.answered("A failure", examples.FAILURE)],
}
read_failure: Operation = {
    "operation_id": "readFailure",
    "summary": "Read a group of failures",
    "description": f"{_SEES} Its executions are those of its job with a verdict of failure.",
    "tags": ["failures"],
    "parameters": [_ID],
    "responses": answers_of({200: shapes.Failure}, found=True),
    "examples": [examples.answered("A failure", examples.FAILURE)],
}
acknowledge_failure: Operation = {
    "operation_id": "acknowledgeFailure",
    "summary": "Note that somebody has seen all that is open of a group",
    "description": f"{_CHANGES} A failure that comes later opens the group again. One that is acknowledged already "
    "stays as it is.",
    "tags": ["failures"],
    "parameters": [_ID],
    "request": bodies.NoteBody,
    "responses": answers_of({200: shapes.Failure}, body=True, found=True),
    "examples": [
        examples.asked("What was found out", {"note": "The certificate had expired"}),
        examples.answered("Acknowledged", examples.ACKNOWLEDGED_FAILURE),
    ],
}
snooze_failure: Operation = {
    "operation_id": "snoozeFailure",
    "summary": "Put a group aside until a moment",
    "description": f"{_CHANGES} It comes back by itself, with what failed meanwhile. Give `until` or `hours`, for a "
    "year at most; another snooze takes the place of the first.",
    "tags": ["failures"],
    "parameters": [_ID],
    "request": bodies.SnoozeBody,
    "responses": answers_of({200: shapes.Failure}, body=True, found=True),
    "examples": [
        examples.asked("For a span", {"hours": 24, "note": "The provider repairs it tonight"}),
        examples.asked("Until a moment", {"until": "2026-12-01T09:00:00+11:00"}),
        examples.answered(
            "Snoozed",
            {
                **examples.FAILURE,
                "state": "snoozed",
                "snoozed": {
                    "by": "ana",
                    "until": "2026-12-01T09:00:00+11:00",
                    "note": "The provider repairs it tonight",
                },
            },
        ),
    ],
}
reopen_failure: Operation = {
    "operation_id": "reopenFailure",
    "summary": "Open a group again",
    "description": f"{_CHANGES} It ends a snooze, or takes back the last acknowledgement. One that is open stays so.",
    "tags": ["failures"],
    "parameters": [_ID],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Failure}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "The repair did not help"}),
        examples.answered("Open", examples.FAILURE),
    ],
}
retry_failure: Operation = {
    "operation_id": "retryFailure",
    "summary": "Run the open failures of a group again",
    "description": f"{_RUNS} {_RETRIES}",
    "tags": ["failures"],
    "parameters": [_ID],
    "request": bodies.RetryBody,
    "responses": answers_of({202: shapes.Retried, 409: _MEANWHILE}, body=True, found=True),
    "examples": [
        examples.asked("All of them, slowly", {"per_minute": 10, "reason": "The provider answers again"}),
        examples.asked("One, to see", {"newest_only": True}),
        examples.answered("What was queued", {"queued": [4712, 4713], "refused": [], "more_left": False}, 202),
    ],
}
acknowledge_failures: Operation = {
    "operation_id": "acknowledgeFailures",
    "summary": "Acknowledge all failures that match",
    "description": f"{_CHANGES} {_MATCHING}",
    "tags": ["failures"],
    "request": bodies.AcknowledgeMatchingBody,
    "responses": answers_of({200: shapes.Matched}, body=True),
    "examples": [
        examples.asked("One night's", {"since": "2026-11-29", "until": "2026-11-30", "note": "The network was down"}),
        *_CHANGED,
    ],
}
snooze_failures: Operation = {
    "operation_id": "snoozeFailures",
    "summary": "Put all failures that match aside",
    "description": f"{_CHANGES} {_MATCHING}",
    "tags": ["failures"],
    "request": bodies.SnoozeMatchingBody,
    "responses": answers_of({200: shapes.Matched}, body=True),
    "examples": [examples.asked("By words", {"search": "smtp timeout", "hours": 4}), *_CHANGED],
}
reopen_failures: Operation = {
    "operation_id": "reopenFailures",
    "summary": "Open all failures that match again",
    "description": f"{_CHANGES} {_MATCHING}",
    "tags": ["failures"],
    "request": bodies.ReopenMatchingBody,
    "responses": answers_of({200: shapes.Matched}, body=True),
    "examples": [
        examples.asked("What is put aside", {"state": "snoozed", "reason": "The provider has repaired it"}),
        *_CHANGED,
    ],
}
retry_failures: Operation = {
    "operation_id": "retryFailures",
    "summary": "Run all open failures that match again",
    "description": f"{_RUNS} {_MATCHING} {_RETRIES}",
    "tags": ["failures"],
    "request": bodies.RetryMatchingBody,
    "responses": answers_of({202: shapes.MatchedRetried, 409: _MEANWHILE}, body=True),
    "examples": [
        examples.asked("One of each", {"tag": ["mail"], "newest_only": True, "reason": "The provider answers again"}),
        examples.answered(
            "What was queued",
            {
                "matching": 3,
                "queued": [4712, 4713],
                "refused": [{"reason": "This job has no definition to run.", "count": 1}],
                "more_left": False,
            },
            202,
        ),
    ],
}
