"""Each operation: what it needs, takes and answers. Those on blackout windows are beside it."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from app_scheduler.api import bodies, queries
from app_scheduler.api.schema import examples, shapes
from app_scheduler.api.schema.answers import Operation, answers_of, conflict_of, created

_CONFLICT = conflict_of("job")
_JOB_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="The id of a job.")
_EXECUTION_ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The id of an execution.")

list_jobs: Operation = {
    "operation_id": "listJobs",
    "summary": "List jobs",
    "description": "Needs `django_apscheduler.view_djangojob`.",
    "tags": ["jobs"],
    "parameters": [queries.JobQuery],
    "responses": answers_of({200: shapes.Job(many=True)}, checked=True, found=True),
    "examples": [examples.answered("A job", examples.JOB)],
}
create_job: Operation = {
    "operation_id": "createJob",
    "summary": "Create a job",
    "description": "Needs `django_apscheduler.add_djangojob`; `app_scheduler.pause_job` too where the job is to be "
    "paused, and `django_apscheduler.change_djangojob` where `replace_existing` meets a job that exists.",
    "tags": ["jobs"],
    "parameters": [queries.ReasonQuery, created(201, "the job")],
    "request": shapes.NewJob,
    "responses": answers_of(
        {
            201: shapes.Job,
            200: OpenApiResponse(shapes.Job, "The job existed, and was changed as `replace_existing` says."),
            409: _CONFLICT,
        },
        body=True,
    ),
    "examples": [
        examples.asked("A job", examples.NEW_JOB),
        examples.asked(
            "With a schedule expression", {**examples.NEW_JOB, "trigger": "0 3 * * mon-fri in Australia/Sydney"}
        ),
        examples.answered("A job", examples.JOB, 201),
        examples.answered("A job that existed", {**examples.JOB, "revision": 2}, 200),
    ],
}
read_job: Operation = {
    "operation_id": "readJob",
    "summary": "Read a job",
    "description": "Needs `django_apscheduler.view_djangojob`. What comes back may be sent back with PUT as it is.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "responses": answers_of({200: shapes.Job}, found=True),
    "examples": [examples.answered("A job", examples.JOB)],
}
_change: Operation = {
    "tags": ["jobs"],
    "parameters": [_JOB_ID, queries.ReasonQuery],
    "request": shapes.JobChange,
    "responses": answers_of({200: shapes.Job, 409: _CONFLICT}, body=True, found=True),
}
_CHANGE_NEEDS = (
    "Needs `django_apscheduler.change_djangojob`, and `app_scheduler.pause_job` where it changes `paused`. "
    "A job keeps its id, and stays paused or not where the body does not say."
)
replace_job: Operation = {
    **_change,
    "operation_id": "replaceJob",
    "summary": "Replace a job's document",
    "description": f"What is left out takes its default. {_CHANGE_NEEDS}",
    "examples": [
        examples.asked("A job", {**examples.NEW_JOB, "revision": 1}),
        examples.answered("A job", {**examples.JOB, "revision": 2}),
    ],
}
change_job: Operation = {
    **_change,
    "operation_id": "changeJob",
    "summary": "Change parts of a job's document",
    "description": f"What is left out stays as it is. {_CHANGE_NEEDS}",
    "examples": [
        examples.asked("Another schedule", {"trigger": "every 6h", "revision": 1}),
        examples.answered("A job", {**examples.JOB, "revision": 2}),
    ],
}
delete_job: Operation = {
    "operation_id": "deleteJob",
    "summary": "Delete a job with its history",
    "description": "Needs `django_apscheduler.delete_djangojob`.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID, queries.ReasonQuery],
    "responses": answers_of({204: OpenApiResponse(None, "It is deleted.")}, found=True, checked=True),
}
run_job: Operation = {
    "operation_id": "runJob",
    "summary": "Run a job now",
    "description": "Needs `app_scheduler.run_job`. The run is queued beside the schedule, which it does not move.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID, created(202, "the execution")],
    "request": bodies.ArgumentsBody,
    "responses": answers_of({202: shapes.QueuedExecution}, body=True, found=True),
    "examples": [
        examples.asked("With other arguments", {"kwargs": {"days": 7}, "reason": "The disk is full"}),
        examples.answered("Queued", {**examples.QUEUED, "args": [], "kwargs": {"days": 7}}, 202),
    ],
}
pause_job: Operation = {
    "operation_id": "pauseJob",
    "summary": "Pause a job",
    "description": "Needs `app_scheduler.pause_job`. To pause a paused job changes nothing.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "request": bodies.PauseBody,
    "responses": answers_of({200: shapes.Job}, body=True, found=True),
    "examples": [
        examples.asked(
            "For a while", {"reason": "Maintenance of the mail server", "until": "2026-12-01T12:00:00+11:00"}
        ),
        examples.answered(
            "A paused job",
            {
                **examples.JOB,
                "paused": True,
                "state": "paused",
                "state_reason": "Maintenance of the mail server",
                "next_run_time": None,
                "paused_by": "ana",
                "paused_at": "2026-12-01T09:00:00+11:00",
                "paused_until": "2026-12-01T12:00:00+11:00",
            },
        ),
    ],
}
resume_job: Operation = {
    "operation_id": "resumeJob",
    "summary": "Resume a job",
    "description": "Needs `app_scheduler.pause_job`. To resume a job that is not paused changes nothing.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Job}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "The mail server is back"}),
        examples.answered("A job", examples.JOB),
    ],
}
skip_next: Operation = {
    "operation_id": "skipNextTick",
    "summary": "Skip a job's next tick",
    "description": "Needs `app_scheduler.pause_job`. The next tick is the first that would run: not one in a blackout. "
    "It gets the verdict Skipped, and the schedule goes on. Where the job skips one already, nothing changes.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Job}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "The feed moves tonight"}),
        examples.answered(
            "A job that skips a tick",
            {
                **examples.JOB,
                "runs_next": "2026-12-02T03:00:00+11:00",
                "skip_tick": "2026-12-01T03:00:00+11:00",
                "skip_by": "anna",
                "skip_reason": "The feed moves tonight",
            },
        ),
    ],
}
unskip_next: Operation = {
    "operation_id": "unskipNextTick",
    "summary": "Let the tick that a job was to skip run after all",
    "description": "Needs `app_scheduler.pause_job`. Where it skips none, nothing changes.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Job}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "The feed stays"}),
        examples.answered("A job", examples.JOB),
    ],
}
read_code: Operation = {
    "operation_id": "readCode",
    "summary": "Tell what the code asks of a job, and what was changed",
    "description": "Needs `django_apscheduler.view_djangojob`.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "responses": answers_of({200: shapes.Code}, found=True),
    "examples": [examples.answered("A schedule that staff changed", examples.CODE)],
}
revert_job: Operation = {
    "operation_id": "revertJob",
    "summary": "Make a job what the code asks for again",
    "description": "Needs `django_apscheduler.change_djangojob`. Whether the job is paused stays as it is.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID],
    "request": bodies.RevertBody,
    "responses": answers_of({200: shapes.Job, 409: _CONFLICT}, body=True, found=True),
    "examples": [
        examples.asked("Its schedule only", {"fields": ["trigger"], "reason": "The night is quiet again"}),
        examples.answered("A job", {**examples.JOB, "revision": 2}),
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
upcoming_ticks: Operation = {
    "operation_id": "readUpcomingTicks",
    "summary": "Tell a job's next ticks",
    "description": "Needs `django_apscheduler.view_djangojob`.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID, queries.UpcomingQuery],
    "responses": answers_of({200: shapes.Upcoming}, found=True, checked=True),
    "examples": [
        examples.answered(
            "Ticks",
            {
                "job": "nightly-cleanup",
                "upcoming": ["2027-03-29T03:00:00+11:00", "2027-03-30T03:00:00+11:00"],
                "excepted": [
                    {
                        "tick": "2027-03-29T03:00:00+11:00",
                        "kind": "blackout",
                        "blackout": 7,
                        "name": "Easter series",
                        "by": "anna",
                        "reason": "No clean-ups while tables run",
                    }
                ],
            },
        ),
    ],
}
explain_job: Operation = {
    "operation_id": "explainJob",
    "summary": "Tell why a job did not run at a moment",
    "description": "Needs `django_apscheduler.view_djangojob`. One sentence from the execution that stands for the "
    "tick, the state of the job and of the scheduler, or the schedule; also where the job did run.",
    "tags": ["jobs"],
    "parameters": [_JOB_ID, queries.ExplainQuery],
    "responses": answers_of({200: shapes.Explanation}, found=True, checked=True),
    "examples": [
        examples.answered(
            "A tick that was missed",
            {
                "job": "nightly-cleanup",
                "sentence": "It did not run: execution 4711 ended Missed!: It was paused by ana from 2026-12-01 "
                "02:00:00 to 2026-12-01 09:00:00: The mail server moves.",
                "tick": "2026-12-01T03:00:00+11:00",
                "execution": 4711,
                "verdict": "Missed!",
            },
        ),
        examples.answered(
            "Not a tick",
            {
                "job": "nightly-cleanup",
                "sentence": "Its schedule has no tick at 03:10; the ones around it are 03:00 and 2026-12-02 03:00.",
                "tick": None,
                "execution": None,
                "verdict": None,
            },
        ),
    ],
}
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
    "parameters": [_EXECUTION_ID, queries.FieldsQuery],
    "responses": answers_of({200: shapes.PartOfExecution}, found=True, checked=True),
    "examples": [examples.answered("An execution", examples.EXECUTION)],
}
retry_execution: Operation = {
    "operation_id": "retryExecution",
    "summary": "Run an ended execution again",
    "description": "Needs `app_scheduler.run_job`. It runs with its own arguments, or with those given.",
    "tags": ["executions"],
    "parameters": [_EXECUTION_ID, created(202, "the new execution")],
    "request": bodies.ArgumentsBody,
    "responses": answers_of({202: shapes.QueuedExecution}, body=True, found=True),
    "examples": [
        examples.asked("Why", {"reason": "The server answers again"}),
        examples.answered("Queued", {**examples.QUEUED, "origin": "retry", "attempt": 2, "retry_of": 4711}, 202),
    ],
}
cancel_execution: Operation = {
    "operation_id": "cancelExecution",
    "summary": "Take a queued execution out of the queue",
    "description": "Needs `app_scheduler.run_job`. One that runs in a thread cannot be stopped from outside.",
    "tags": ["executions"],
    "parameters": [_EXECUTION_ID],
    "request": bodies.ReasonBody,
    "responses": answers_of({200: shapes.Execution}, body=True, found=True),
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
    ],
}
acknowledge_execution: Operation = {
    "operation_id": "acknowledgeExecution",
    "summary": "Note that somebody has seen a failure",
    "description": "Needs `django_apscheduler.change_djangojobexecution`. One that is noted already stays as it is.",
    "tags": ["executions"],
    "parameters": [_EXECUTION_ID],
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
                "leader": {
                    "id": "console-1:4242",
                    "host": "console-1",
                    "pid": 4242,
                    "role": "leader",
                    "started_at": "2026-11-30T01:00:00+11:00",
                    "heartbeat": "2026-11-30T09:00:00+11:00",
                    "slots": 10,
                    "busy": 1,
                    "version": "APScheduler 3.11.3",
                    "last_error": "",
                },
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
