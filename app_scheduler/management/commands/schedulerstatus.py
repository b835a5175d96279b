"""``manage.py schedulerstatus``: whether anything is alive, for people and for probes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from app_scheduler import services
from app_scheduler.management.base import ConsoleCommand
from app_scheduler.models import ExecutionDetail, JobSpec, JobState, SchedulerInstance, SchedulerLease
from app_scheduler.services import SchedulerStatus

NOT_ALIVE = 1
UNKNOWN = 2
HELP = """\
Say who leads, how fresh its heartbeat is, who stands by, and what is due, queued and paused.

The exit status is 0 while a scheduler leads, 1 while none does, and 2 where that cannot be
told: the database is away, or its tables are missing. All scheduling paused by somebody is
alive; --json says so in "paused".
"""


class Command(ConsoleCommand):
    help = HELP
    # A probe asks often, and the scheduler's life does not hang on the site's other settings.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as one JSON object, times as ISO 8601 in UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = options["json"]
        try:
            status = services.status()
        except (DatabaseError, InterfaceError, ImproperlyConfigured) as error:
            message = _why_unknown(error)
            if as_json:
                self.stdout.write(json.dumps({"alive": None, "error": message}, ensure_ascii=False))
            raise CommandError(message, returncode=UNKNOWN) from None
        if as_json:
            self.stdout.write(json.dumps(as_document(status), cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
        else:
            for line in lines(status):
                self.stdout.write(line)
        if not status.alive:
            raise CommandError(_what_now(status), returncode=NOT_ALIVE)


def _why_unknown(error: Exception) -> str:
    tables = {model._meta.db_table for model in (JobSpec, ExecutionDetail, SchedulerInstance, SchedulerLease)}
    try:
        missing = tables - set(connection.introspection.table_names())
    except Exception:
        reason = " ".join(str(error).split())
        return f"The database does not answer: {reason}"
    if missing:
        return f"The console's tables are missing ({', '.join(sorted(missing))}). Run `manage.py migrate`."
    return f"The database cannot be asked: {' '.join(str(error).split())}"


def _what_now(status: SchedulerStatus) -> str:
    if status.standbys:
        return "No scheduler leads right now. One that stands by takes over within the lease."
    return "No scheduler is alive. Start the site's server, or `manage.py runscheduler`."


def as_document(status: SchedulerStatus) -> dict[str, Any]:
    """Return the status as plain values."""
    return {
        "alive": status.alive,
        "leader": _instance(status.leader),
        "heartbeat_age": status.heartbeat_age,
        "led_since": status.led_since,
        "down_since": status.down_since,
        "standbys": [_instance(standby) for standby in status.standbys],
        "paused": status.paused,
        "paused_at": status.paused_at,
        "paused_by": status.paused_by,
        "pause_reason": status.pause_reason,
        "slots": status.slots,
        "busy": status.busy,
        "due": status.due,
        "queued": status.queued,
        "next_run_time": status.next_run_time,
        "jobs": status.jobs,
    }


def _instance(instance: SchedulerInstance | None) -> dict[str, Any] | None:
    if instance is None:
        return None
    return {"id": instance.id, "host": instance.host, "pid": instance.pid, "heartbeat": instance.heartbeat}


def lines(status: SchedulerStatus) -> list[str]:
    """Return the status in words, one line each."""
    said = [_leader_line(status)]
    standbys = ", ".join(str(standby) for standby in status.standbys)
    said.append(f"standby    {standbys or 'none: nobody takes over when the leader ends'}")
    if status.paused:
        by = f" by {status.paused_by}" if status.paused_by else ""
        why = f": {status.pause_reason}" if status.pause_reason else ""
        said.append(f"paused     all scheduling, since {_moment(status.paused_at)}{by}{why}")
    said.append(f"due        {status.due:,}")
    said.append(f"queued     {status.queued:,}")
    said.append(f"running    {status.busy:,} of {status.slots:,}" if status.slots else f"running    {status.busy:,}")
    said.append(f"next tick  {_moment(status.next_run_time)}")
    counts = ", ".join(f"{status.jobs.get(state, 0):,} {state}" for state in JobState.values)
    said.append(f"jobs       {counts}")
    return said


def _leader_line(status: SchedulerStatus) -> str:
    if status.leader is not None:
        age = f"{status.heartbeat_age:.1f} s ago" if status.heartbeat_age is not None else "unknown"
        return f"leader     {status.leader}, since {_moment(status.led_since)}, last heartbeat {age}"
    if status.down_since is not None:
        return f"leader     none, since {_moment(status.down_since)}"
    return "leader     none, and there never was one"


def _moment(moment: datetime | None) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "none"
