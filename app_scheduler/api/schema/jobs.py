"""The operations on jobs: what each needs, takes and answers."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from app_scheduler.api import bodies, queries
from app_scheduler.api.schema import examples
from app_scheduler.api.schema.answers import Operation, answers_of, conflict_of, created
from app_scheduler.api.schema.shapes import executions
from app_scheduler.api.schema.shapes import jobs as shapes

_CONFLICT = conflict_of("job")
_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="The id of a job.")

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
    "parameters": [_ID],
    "responses": answers_of({200: shapes.Job}, found=True),
    "examples": [examples.answered("A job", examples.JOB)],
}
_change: Operation = {
    "tags": ["jobs"],
    "parameters": [_ID, queries.ReasonQuery],
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
    "parameters": [_ID, queries.ReasonQuery],
    "responses": answers_of({204: OpenApiResponse(None, "It is deleted.")}, found=True, checked=True),
}
run_job: Operation = {
    "operation_id": "runJob",
    "summary": "Run a job now",
    "description": "Needs `app_scheduler.run_job`. The run is queued beside the schedule, which it does not move.",
    "tags": ["jobs"],
    "parameters": [_ID, created(202, "the execution")],
    "request": bodies.ArgumentsBody,
    "responses": answers_of({202: executions.QueuedExecution}, body=True, found=True),
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
    "parameters": [_ID],
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
    "parameters": [_ID],
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
    "parameters": [_ID],
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
    "parameters": [_ID],
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
    "parameters": [_ID],
    "responses": answers_of({200: shapes.Code}, found=True),
    "examples": [examples.answered("A schedule that staff changed", examples.CODE)],
}
revert_job: Operation = {
    "operation_id": "revertJob",
    "summary": "Make a job what the code asks for again",
    "description": "Needs `django_apscheduler.change_djangojob`. Whether the job is paused stays as it is.",
    "tags": ["jobs"],
    "parameters": [_ID],
    "request": bodies.RevertBody,
    "responses": answers_of({200: shapes.Job, 409: _CONFLICT}, body=True, found=True),
    "examples": [
        examples.asked("Its schedule only", {"fields": ["trigger"], "reason": "The night is quiet again"}),
        examples.answered("A job", {**examples.JOB, "revision": 2}),
    ],
}
upcoming_ticks: Operation = {
    "operation_id": "readUpcomingTicks",
    "summary": "Tell a job's next ticks",
    "description": "Needs `django_apscheduler.view_djangojob`.",
    "tags": ["jobs"],
    "parameters": [_ID, queries.UpcomingQuery],
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
    "parameters": [_ID, queries.ExplainQuery],
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
