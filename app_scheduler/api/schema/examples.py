"""Examples of what is sent and shown."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

NEW_JOB = {
    "id": "nightly-cleanup",
    "name": "Nightly clean-up",
    "tags": ["maintenance"],
    "function": "app_scheduler.jobs.delete_old_executions",
    "kwargs": {"days": 30},
    "trigger": {"type": "cron", "hour": "3", "minute": "0", "timezone": "Australia/Sydney"},
}
JOB = {
    **NEW_JOB,
    "description": "",
    "args": [],
    "executor": "default",
    "queue": "",
    "priority": 0,
    "concurrency_group": "",
    "coalesce": True,
    "max_instances": 1,
    "misfire_grace_time": 300,
    "timeout": None,
    "max_retries": 0,
    "retry_backoff": 30,
    "rerun_if_interrupted": False,
    "paused": False,
    "state": "scheduled",
    "state_reason": "",
    "next_run_time": "2026-12-01T03:00:00+11:00",
    "runs_next": "2026-12-01T03:00:00+11:00",
    "skip_tick": None,
    "skip_by": None,
    "skip_reason": "",
    "schedule": "At 03:00",
    "expression": "cron hour=3 minute=0 in Australia/Sydney",
    "origin": "api",
    "last_status": "Executed",
    "last_execution": 4711,
    "last_finished_at": "2026-11-30T03:00:01.250000+11:00",
    "paused_by": None,
    "paused_at": None,
    "paused_until": None,
    "revision": 1,
    "created_at": "2026-11-01T09:30:00+11:00",
    "updated_at": "2026-11-01T09:30:00+11:00",
}
EXECUTION = {
    "id": 4711,
    "job": "nightly-cleanup",
    "status": "Executed",
    "run_time": "2026-11-30T03:00:00+11:00",
    "origin": "schedule",
    "attempt": 1,
    "tick_count": 1,
    "reason": "",
    "queued_at": "2026-11-30T03:00:00.010000+11:00",
    "available_at": None,
    "started_at": "2026-11-30T03:00:00.050000+11:00",
    "finished_at": "2026-11-30T03:00:01.250000+11:00",
    "duration": 1.2,
    "lateness": 0.05,
    "instance": "console-1:4242",
    "requested_by": None,
    "args": [],
    "kwargs": {"days": 30},
    "attempts": 3,
    "first_attempt": 4711,
    "retry_of": None,
    "retried_by": [],
    "cancel_asked": None,
    "progress": None,
    "acknowledged": None,
    "exception": None,
    "traceback": None,
    "log": "",
    "result": "120",
}
QUEUED = {
    "execution": 4712,
    **EXECUTION,
    "id": 4712,
    "first_attempt": 4712,
    "status": "Queued",
    "origin": "manual",
    "run_time": "2026-11-30T09:12:00+11:00",
    "queued_at": "2026-11-30T09:12:00+11:00",
    "available_at": "2026-11-30T09:12:00+11:00",
    "started_at": None,
    "finished_at": None,
    "duration": None,
    "lateness": None,
    "instance": "",
    "requested_by": "ana",
    "args": None,
    "kwargs": None,
    "result": "",
}
RUNNING = {
    **EXECUTION,
    "status": "Started execution",
    "finished_at": None,
    "duration": None,
    "result": "",
    "progress": {
        "done": 1_000,
        "total": 10_000,
        "message": "payouts",
        "at": "2026-11-30T03:00:20.050000+11:00",
        "rate": 52.0,
        "seconds_left": 169.1,
    },
}
FAILURE = {
    "id": 31,
    "job": "nightly-cleanup",
    "fingerprint": "5f0c1b7e9d3a4c62",
    "status": "Error!",
    "exception": "SSLError: certificate has expired",
    "place": "mail.py, line 88, in deliver",
    "state": "open",
    "first_seen": "2026-11-29T03:00:02.250000+11:00",
    "last_seen": "2026-11-30T03:00:01.250000+11:00",
    "count": 2,
    "open_count": 2,
    "open_since": "2026-11-29T03:00:02.250000+11:00",
    "last_execution": 4711,
    "recovered": False,
    "changed_before": {"at": "2026-11-28T17:40:00+11:00", "by": "ana"},
    "released_before": {"at": "2026-11-28T16:05:00+11:00", "version": "2026.11.3"},
    "acknowledged": None,
    "snoozed": None,
}
ACKNOWLEDGED_FAILURE = {
    **FAILURE,
    "state": "acknowledged",
    "open_count": 0,
    "open_since": None,
    "acknowledged": {"by": "ana", "at": "2026-11-30T09:00:00+11:00", "note": "The certificate had expired"},
}
PREVIEW = {
    "trigger": {"type": "cron", "expression": "0 3 * * mon-fri", "timezone": "Australia/Sydney"},
    "description": "At 03:00, Monday to Friday",
    "expression": "0 3 * * mon-fri in Australia/Sydney",
    "upcoming": ["2026-12-01T03:00:00+11:00", "2026-12-02T03:00:00+11:00"],
    "warnings": [],
}
DUE = {
    "job": NEW_JOB["id"],
    "name": NEW_JOB["name"],
    "function": NEW_JOB["function"],
    "ticks": 2,
    "upcoming": ["2026-12-01T03:00:00+11:00", "2026-12-02T03:00:00+11:00"],
}
NEW_BLACKOUT = {
    "name": "Easter series",
    "begins": "2027-03-26T00:00:00",
    "ends": "2027-03-30T00:00:00",
    "timezone": "Australia/Sydney",
    "tags": ["maintenance"],
    "reason": "No clean-ups while tables run",
}
BLACKOUT = {
    "id": 7,
    **NEW_BLACKOUT,
    "yearly": False,
    "last_year": None,
    "set_by": "anna",
    "is_on": False,
    "next_begin": "2027-03-26T00:00:00+11:00",
    "next_end": "2027-03-30T00:00:00+11:00",
    "revision": 1,
    "created_at": "2026-12-01T09:30:00+11:00",
    "updated_at": "2026-12-01T09:30:00+11:00",
}
NEW_GROUP = {"name": "database", "slots": 2}
GROUP = {**NEW_GROUP, "is_set": True, "jobs": 5, "running": 2, "waiting": 1}
CODE = {
    "job": NEW_JOB["id"],
    "document": {**NEW_JOB, "trigger": {"type": "cron", "hour": "4", "minute": "0"}},
    "changed": [
        {
            "field": "trigger",
            "code": {"type": "cron", "hour": "4", "minute": "0"},
            "job": NEW_JOB["trigger"],
            "code_before": {"type": "cron", "hour": "2", "minute": "0"},
            "is_new": True,
        }
    ],
}


def asked(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def answered(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])
