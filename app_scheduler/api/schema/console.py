"""The operations on functions, triggers, the calendar and the scheduler: what each needs, takes and answers."""

from __future__ import annotations

from app_scheduler.api import bodies, queries
from app_scheduler.api.schema import examples
from app_scheduler.api.schema.answers import Operation, answers_of
from app_scheduler.api.schema.shapes import console as shapes

list_functions: Operation = {
    "operation_id": "listFunctions",
    "summary": "List the functions that may be scheduled",
    "description": "Needs `django_apscheduler.view_djangojob`.",
    "tags": ["functions"],
    "parameters": [queries.FunctionQuery],
    "responses": answers_of({200: shapes.Function(many=True)}, checked=True, found=True),
    "examples": [
        examples.answered(
            "A function",
            {
                "name": "app_scheduler.jobs.delete_old_executions",
                "summary": "Delete executions that are older than some days.",
                "description": "",
                "app": "app_scheduler",
                "is_async": False,
                "parameters": [
                    {
                        "name": "days",
                        "kind": "positional or keyword",
                        "type": "whole number",
                        "schema": {"type": "integer"},
                        "required": False,
                        "help": "How old.",
                        "choices": [],
                        "secret": False,
                        "default": 30,
                    }
                ],
                "var_positional": None,
                "var_keyword": None,
            },
        )
    ],
}
list_upcoming: Operation = {
    "operation_id": "listUpcoming",
    "summary": "List the jobs that are due in a period",
    "description": "Needs `django_apscheduler.view_djangojob`. By their first tick. Ticks that are held back, since "
    "their job is paused or broken, are left out.",
    "tags": ["jobs"],
    "parameters": [queries.CalendarQuery],
    "responses": answers_of({200: shapes.DueJob(many=True)}, checked=True, found=True),
    "examples": [examples.answered("A job that is due twice", examples.DUE)],
}
preview_trigger: Operation = {
    "operation_id": "previewTrigger",
    "summary": "Tell what a trigger means",
    "description": "Needs `django_apscheduler.view_djangojob`. Nothing is stored.",
    "tags": ["triggers"],
    "request": shapes.PreviewRequest,
    "responses": answers_of({200: shapes.Preview}, body=True),
    "examples": [
        examples.asked("An expression", {"trigger": "0 3 * * mon-fri in Australia/Sydney", "count": 2}),
        examples.asked(
            "A document",
            {"trigger": {"type": "interval", "hours": 6}, "count": 4, "after": "2026-12-01T00:00:00+11:00"},
        ),
        examples.answered("What it means", examples.PREVIEW),
    ],
}
_LEADER = {
    "id": "console-1-4242-3f9a1c",
    "host": "console-1",
    "pid": 4242,
    "role": "leader",
    "started_at": "2026-11-30T01:00:00+11:00",
    "heartbeat": "2026-11-30T09:00:00+11:00",
    "slots": 10,
    "busy": 1,
    "version": "APScheduler 3.11.3",
    "last_error": "",
}
_LEADER_WITH_RUNS = {
    **_LEADER,
    "state": "leads",
    "heartbeat_age": 0.8,
    "queues": [],
    "draining_since": None,
    "running": 1,
    "runs": [{"execution": 4711, "job": "nightly-cleanup", "started_at": "2026-11-30T08:59:58+11:00"}],
}
_scheduler: Operation = {
    "tags": ["scheduler"],
    "examples": [
        examples.answered(
            "Alive",
            {
                "alive": True,
                "paused": False,
                "paused_at": None,
                "paused_by": "",
                "pause_reason": "",
                "leader": _LEADER,
                "standbys": [],
                "heartbeat_age": 0.8,
                "led_since": "2026-11-30T01:00:01+11:00",
                "down_since": None,
                "slots": 10,
                "busy": 1,
                "queued": 0,
                "due": 0,
                "next_run_time": "2026-12-01T03:00:00+11:00",
                "jobs": {"scheduled": 12, "paused": 1, "finished": 3, "broken": 0},
                "instances": [_LEADER_WITH_RUNS],
            },
        )
    ],
}
read_scheduler: Operation = {
    **_scheduler,
    "operation_id": "readScheduler",
    "summary": "Tell whether the scheduler is alive, who leads and what waits",
    "description": "Needs `django_apscheduler.view_djangojob`.",
    "responses": answers_of({200: shapes.Scheduler}),
}
pause_scheduler: Operation = {
    **_scheduler,
    "operation_id": "pauseScheduler",
    "summary": "Pause all scheduling",
    "description": "Needs `app_scheduler.pause_job`. Runs that are asked for still start.",
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Scheduler}, body=True),
    "examples": [examples.asked("Why", {"reason": "Migration of the database"}), *_scheduler["examples"]],
}
resume_scheduler: Operation = {
    **_scheduler,
    "operation_id": "resumeScheduler",
    "summary": "Resume all scheduling",
    "description": "Needs `app_scheduler.pause_job`.",
    "request": None,
    "responses": answers_of({200: shapes.Scheduler}, body=True),
}
_instance: Operation = {
    "tags": ["scheduler"],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.InstanceWithRuns}, body=True, found=True),
}
drain_instance: Operation = {
    **_instance,
    "operation_id": "drainInstance",
    "summary": "Have an instance take nothing new",
    "description": "Needs `app_scheduler.change_schedulerinstance`. It ends what it runs, and then is `drained` until "
    "it is resumed or started again. A leader gives the lease up, so that a standby leads at once. One that drains "
    "already stays as it is.",
    "examples": [
        examples.asked("Why", {"reason": "A new release"}),
        examples.answered(
            "It drains",
            {
                **_LEADER_WITH_RUNS,
                "role": "standby",
                "state": "draining",
                "draining_since": "2026-11-30T09:00:00+11:00",
            },
        ),
    ],
}
resume_instance: Operation = {
    **_instance,
    "operation_id": "resumeInstance",
    "summary": "Let an instance that drains take executions again",
    "description": "Needs `app_scheduler.change_schedulerinstance`. One that does not drain stays as it is.",
    "examples": [
        examples.asked("Why", {"reason": "The host stays"}),
        examples.answered("It goes on", {**_LEADER_WITH_RUNS, "role": "standby", "state": "standby"}),
    ],
}
