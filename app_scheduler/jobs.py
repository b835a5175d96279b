"""The jobs that come with the console. Two have a schedule, so that a new installation shows life by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app_scheduler import job
from app_scheduler.maintenance import backups, commands, digest, history, sessions, web

#: However long the site was down at night, its housekeeping is not left out.
HOUSEKEEPING_GRACE_SECONDS = 12 * 3600


@job(
    id="delete-old-executions",
    trigger="0 3 * * *",
    tags=["maintenance"],
    misfire_grace_time=HOUSEKEEPING_GRACE_SECONDS,
)
def delete_old_executions(days: int = 30, keep_per_job: int = 1000, batch_size: int = 5000) -> dict[str, Any]:
    """Delete old executions, with their logs and results.

    What is queued or runs stays, and so does each job's last outcome.

    Args:
        days: Executions that ended longer ago than this many days go.
        keep_per_job: Of each job, only this many of the newest executions stay, however young the others are.
        batch_size: How many are deleted at a time. Smaller is gentler on others who use the database.
    """
    deleted = history.delete_old_executions(days, keep_per_job, batch_size)
    return {
        "deleted": deleted.total,
        "too_old": deleted.too_old,
        "over_the_limit": deleted.over_the_limit,
        "transactions": deleted.transactions,
    }


@job(id="clear-expired-sessions", trigger="*/5 * * * *", tags=["maintenance"])
def clear_expired_sessions() -> dict[str, Any]:
    """Delete the sessions of visitors whose login has expired.

    Does what the command clearsessions does. With sessions in the database it is one statement over an index, so it
    may run often.
    """
    return {"engine": sessions.clear_expired_sessions()}


@job
def email_failure_digest(recipients: list[str], hours: int = 24, send_when_empty: bool = False) -> dict[str, Any]:
    """E-mail what failed lately, grouped by fault, and which ticks were missed.

    Arguments of jobs, logs and results are not included, and what looks like a password is masked. Links to the admin
    need the setting APP_SCHEDULER_BASE_URL.

    Args:
        recipients: The addresses it goes to.
        hours: How far back it looks. Schedule the job as often, so that nothing is told twice or left out.
        send_when_empty: Send it also when nothing failed and no tick was missed, as a sign of life.
    """
    found, sent_to = digest.email_failure_digest(recipients, hours, send_when_empty)
    return {"sent_to": sent_to, "failures": found.failures, "faults": found.fault_count, "missed_ticks": found.missed}


@job
def run_command(command: str, args: Sequence[str] = ()) -> dict[str, Any]:
    """Run a management command that the setting APP_SCHEDULER_ALLOWED_COMMANDS allows.

    It runs within the site's own process, without a shell. What it prints is kept in the execution's log. It cannot ask
    questions: give it --no-input where it would.

    Args:
        command: The command's name, such as clearsessions.
        args: Its arguments and options, each as it would be typed: --days=7 is one.
    """
    ran = commands.run_command(command, args)
    return {"command": command, "lines": ran.lines, "last_line": ran.last_line[:200], "seconds": round(ran.seconds, 2)}


@job
def check_url(url: str, expect_status: int = 200, timeout: float = 10.0, contains: str = "") -> dict[str, Any]:
    """Ask a URL, and fail unless it answers as expected.

    Its host, and the host of each of at most 5 redirects, must be allowed by name in the setting
    APP_SCHEDULER_ALLOWED_URL_HOSTS. At most 1 MB of the answer is read, and none of it is kept.

    Args:
        url: What to ask. http: or https:, without a user name or a password.
        expect_status: The HTTP status that it must answer. With 301, 302, 303, 307 or 308 no redirect is followed.
        timeout: Seconds by which the whole answer has to be there, redirects included.
        contains: A text that the answer must contain, exactly as written.
    """
    answer = web.check_url(url, expect_status, timeout, contains)
    return {
        "status": answer.status,
        "milliseconds": answer.milliseconds,
        "bytes": len(answer.body),
        "truncated": answer.truncated,
        "redirects": answer.redirects,
    }


@job
def back_up_database(keep: int = 7, directory: str = "") -> dict[str, Any]:
    """Write a backup of the database while the site goes on working.

    SQLite's is a database file, PostgreSQL's a dump for pg_restore. It is checked before it gets its name, which holds
    the time in UTC. Nobody but the site's own user may read it.

    Args:
        keep: How many of the newest backups stay in the directory. Other files are never touched.
        directory: A directory below the one of the setting APP_SCHEDULER_BACKUP_DIR. Empty means that one itself.
    """
    backup = backups.back_up_database(keep, directory)
    return {
        "file": str(backup.file),
        "bytes": backup.size,
        "seconds": round(backup.seconds, 2),
        "removed": len(backup.removed),
    }
