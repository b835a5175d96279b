"""The operations on blackout windows: what each needs, takes and answers."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from app_scheduler.api import queries
from app_scheduler.api.schema import examples
from app_scheduler.api.schema.answers import Operation, answers_of, conflict_of, created
from app_scheduler.api.schema.shapes import blackouts as shapes

_ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The id of a blackout window.")
_CONFLICT = conflict_of("window")
_MEANS = (
    "Ticks that fall into it get the verdict Skipped with its name, and are not caught up; what is run by hand runs."
)

list_blackouts: Operation = {
    "operation_id": "listBlackouts",
    "summary": "List blackout windows",
    "description": "Needs `app_scheduler.view_blackoutwindow`. Those that come back every year first, then the latest.",
    "tags": ["blackouts"],
    "parameters": [queries.BlackoutQuery],
    "responses": answers_of({200: shapes.Blackout(many=True)}, checked=True, found=True),
    "examples": [examples.answered("A window", examples.BLACKOUT)],
}
create_blackout: Operation = {
    "operation_id": "createBlackout",
    "summary": "Set a blackout window",
    "description": f"Needs `app_scheduler.add_blackoutwindow`. {_MEANS}",
    "tags": ["blackouts"],
    "parameters": [created(201, "the window")],
    "request": shapes.BlackoutDocument,
    "responses": answers_of({201: shapes.Blackout}, body=True),
    "examples": [
        examples.asked("Once", examples.NEW_BLACKOUT),
        examples.asked(
            "Every year, for all jobs",
            {
                "name": "End of the year",
                "begins": "2026-12-24",
                "ends": "2027-01-01",
                "timezone": "Europe/Paris",
                "yearly": True,
            },
        ),
        examples.answered("A window", examples.BLACKOUT, 201),
    ],
}
read_blackout: Operation = {
    "operation_id": "readBlackout",
    "summary": "Read a blackout window",
    "description": "Needs `app_scheduler.view_blackoutwindow`. What comes back may be sent back with PUT as it is.",
    "tags": ["blackouts"],
    "parameters": [_ID],
    "responses": answers_of({200: shapes.Blackout}, found=True),
    "examples": [examples.answered("A window", examples.BLACKOUT)],
}
replace_blackout: Operation = {
    "operation_id": "replaceBlackout",
    "summary": "Replace a blackout window",
    "description": "Needs `app_scheduler.change_blackoutwindow`. What is left out takes its default. Ticks that it has "
    "kept from running already keep their verdict.",
    "tags": ["blackouts"],
    "parameters": [_ID],
    "request": shapes.BlackoutChange,
    "responses": answers_of({200: shapes.Blackout, 409: _CONFLICT}, body=True, found=True),
    "examples": [
        examples.asked("A window", {**examples.NEW_BLACKOUT, "revision": 1}),
        examples.answered("A window", {**examples.BLACKOUT, "revision": 2}),
    ],
}
change_blackout: Operation = {
    **replace_blackout,
    "operation_id": "changeBlackout",
    "summary": "Change parts of a blackout window",
    "description": "Needs `app_scheduler.change_blackoutwindow`. What is left out stays as it is.",
    "examples": [
        examples.asked("It ends a day later", {"ends": "2027-03-31T00:00:00", "revision": 1}),
        examples.answered(
            "A window",
            {
                **examples.BLACKOUT,
                "ends": "2027-03-31T00:00:00",
                "next_end": "2027-03-31T00:00:00+11:00",
                "revision": 2,
            },
        ),
    ],
}
delete_blackout: Operation = {
    "operation_id": "deleteBlackout",
    "summary": "Take a blackout window away",
    "description": "Needs `app_scheduler.delete_blackoutwindow`. From then on ticks run.",
    "tags": ["blackouts"],
    "parameters": [_ID, queries.ReasonQuery],
    "responses": answers_of({204: OpenApiResponse(None, "It is deleted.")}, found=True, checked=True),
}
