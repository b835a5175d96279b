"""The operations on executions: what each needs, takes and answers."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from app_scheduler.api import bodies, queries
from app_scheduler.api.schema import examples
from app_scheduler.api.schema.answers import Operation, answers_of, created
from app_scheduler.api.schema.shapes import executions as shapes

_ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The id of an execution.")

list_executions: Operation = {
    "operation_id": "listExecutions",
    "summary": "List executions, the newest first",
    "description": "Needs `django_apscheduler.view_djangojobexecution`.",
    "tags": ["executions"],
    "parameters": [queries.ExecutionQuery],
    "responses": answers_of({200: shapes.PartOfExecution(many=True)}, checked=True, found=True),
    "examples": [examples.answered("An execution", examples.EXECUTION)],
}
read_execution: Operation = {
    "operation_id": "readExecution",
    "summary": "Read an execution",
    "description": "Needs `django_apscheduler.view_djangojobexecution`.",
    "tags": ["executions"],
    "parameters": [_ID, queries.FieldsQuery],
    "responses": answers_of({200: shapes.PartOfExecution}, found=True, checked=True),
    "examples": [
        examples.answered("An execution", examples.EXECUTION),
        examples.answered("One that runs", examples.RUNNING),
    ],
}
retry_execution: Operation = {
    "operation_id": "retryExecution",
    "summary": "Run an ended execution again",
    "description": "Needs `app_scheduler.run_job`. It runs with its own arguments, or with those given.",
    "tags": ["executions"],
    "parameters": [_ID, created(202, "the new execution")],
    "request": bodies.ArgumentsBody,
    "responses": answers_of({202: shapes.QueuedExecution}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "The server answers again"}),
        examples.answered(
            "Queued", {**examples.QUEUED, "origin": "retry", "attempt": 2, "first_attempt": 4711, "retry_of": 4711}, 202
        ),
    ],
}
cancel_execution: Operation = {
    "operation_id": "cancelExecution",
    "summary": "Cancel an execution that is queued or runs",
    "description": (
        "Needs `app_scheduler.run_job`. A queued one is answered with 200 and its verdict. One that runs is answered"
        " with 202: in a process of its own it is ended within seconds; in a thread it ends when its function looks,"
        " by `current_execution().cancelled` or `check()`, or at its next `await`."
    ),
    "tags": ["executions"],
    "parameters": [_ID],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Execution, 202: shapes.Execution}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "Asked for by mistake"}),
        examples.answered(
            "Cancelled",
            {
                **examples.EXECUTION,
                "status": "Cancelled",
                "reason": "Cancelled by ana: Asked for by mistake.",
                "started_at": None,
                "duration": None,
                "lateness": None,
                "result": "",
            },
        ),
        examples.answered(
            "Runs",
            {
                **examples.RUNNING,
                "cancel_asked": {
                    "by": "ana",
                    "at": "2026-11-30T03:00:24+11:00",
                    "reason": "Asked for by mistake",
                },
            },
            202,
        ),
    ],
}
acknowledge_execution: Operation = {
    "operation_id": "acknowledgeExecution",
    "summary": "Note that somebody has seen a failure",
    "description": "Needs `django_apscheduler.change_djangojobexecution`. One that is noted already stays as it is.",
    "tags": ["executions"],
    "parameters": [_ID],
    "request": bodies.NoteBody,
    "responses": answers_of({200: shapes.Execution}, body=True, found=True),
    "examples": [
        examples.asked("What was found out", {"note": "The certificate had expired"}),
        examples.answered(
            "Acknowledged",
            {
                **examples.EXECUTION,
                "status": "Error!",
                "result": "",
                "exception": "SSLError: certificate has expired",
                "traceback": "Traceback (most recent call last): …",
                "acknowledged": {
                    "by": "ana",
                    "at": "2026-11-30T09:00:00+11:00",
                    "note": "The certificate had expired",
                },
            },
        ),
    ],
}
