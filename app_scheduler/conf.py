"""The console's settings: typed, with defaults, read from Django's when first asked for and again when they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

SETTINGS: Mapping[str, Any] = {
    # Whether server processes start the scheduler. Off: they act on jobs but never lead.
    "AUTOSTART": True,
    # How long, in seconds, a leader that stopped renewing stays leader.
    "LEASE_SECONDS": 10,
    # Worker threads of the default executor.
    "MAX_WORKERS": 10,
    # Seconds that a clean stop waits for running executions before it marks them interrupted.
    "SHUTDOWN_SECONDS": 20,
    # Executors by name. The default one runs jobs in threads of the leader's process.
    "EXECUTORS": {"default": {"type": "threads"}},
    # Options of jobs that do not give their own; APScheduler's names.
    "JOB_DEFAULTS": {"coalesce": True, "max_instances": 1, "misfire_grace_time": 300},
    # Characters of captured log kept per execution, and of a result.
    "LOG_LIMIT": 200_000,
    "RESULT_LIMIT": 20_000,
    # Management commands that the job run_command may run.
    "ALLOWED_COMMANDS": ("check", "clearsessions"),
    # Hosts that the job check_url may ask. A leading dot admits subdomains.
    "ALLOWED_URL_HOSTS": (),
    # Where the job back_up_database writes.
    "BACKUP_DIR": None,
    # The pg_dump with which back_up_database saves PostgreSQL: a path, or a name to be found on PATH.
    "PG_DUMP": "pg_dump",
    # The site's own address, such as https://console.example.com, for links in e-mails. Without it they have none.
    "BASE_URL": "",
    # The release of the site's code, such as a version or a commit. Pages then say what began to fail after a deploy.
    "RELEASE": "",
    # Rows and bytes that one import may hold.
    "IMPORT_MAX_ROWS": 20_000,
    "IMPORT_MAX_BYTES": 10 * 1024 * 1024,
}


class ConsoleSettings:
    """Read ``APP_SCHEDULER_<NAME>`` from Django's settings, or the default above."""

    def __init__(self) -> None:
        self._cache: dict[str, Any] = {}
        # Looking for a setting that is not there costs Django microseconds, and each run asks for some.
        setting_changed.connect(lambda **_: self._cache.clear(), weak=False)

    def _get(self, name: str) -> Any:
        if name not in self._cache:
            self._cache[name] = getattr(settings, f"APP_SCHEDULER_{name}", SETTINGS[name])
        return self._cache[name]

    @property
    def autostart(self) -> bool:
        return bool(self._get("AUTOSTART"))

    @property
    def lease_seconds(self) -> float:
        return float(self._get("LEASE_SECONDS"))

    @property
    def max_workers(self) -> int:
        return int(self._get("MAX_WORKERS"))

    @property
    def shutdown_seconds(self) -> float:
        return float(self._get("SHUTDOWN_SECONDS"))

    @property
    def configured_executors(self) -> Any:
        """What the settings have, which may be anything; a system check says what is wrong with it."""
        return self._get("EXECUTORS")

    @property
    def executors(self) -> Mapping[str, Mapping[str, Any]]:
        configured = self.configured_executors
        return {**SETTINGS["EXECUTORS"], **(configured if isinstance(configured, Mapping) else {})}

    @property
    def job_defaults(self) -> Mapping[str, Any]:
        return {**SETTINGS["JOB_DEFAULTS"], **self._get("JOB_DEFAULTS")}

    @property
    def log_limit(self) -> int:
        return int(self._get("LOG_LIMIT"))

    @property
    def result_limit(self) -> int:
        return int(self._get("RESULT_LIMIT"))

    @property
    def allowed_commands(self) -> Sequence[str]:
        return tuple(self._get("ALLOWED_COMMANDS"))

    @property
    def allowed_url_hosts(self) -> Sequence[str]:
        return tuple(self._get("ALLOWED_URL_HOSTS"))

    @property
    def backup_dir(self) -> Path:
        configured = self._get("BACKUP_DIR")
        return Path(configured) if configured else Path(getattr(settings, "BASE_DIR", ".")) / "var" / "backups"

    @property
    def pg_dump(self) -> str:
        return str(self._get("PG_DUMP"))

    @property
    def base_url(self) -> str:
        return str(self._get("BASE_URL")).rstrip("/")

    @property
    def release(self) -> str:
        return str(self._get("RELEASE") or "").strip()

    @property
    def import_max_rows(self) -> int:
        return int(self._get("IMPORT_MAX_ROWS"))

    @property
    def import_max_bytes(self) -> int:
        return int(self._get("IMPORT_MAX_BYTES"))


console_settings = ConsoleSettings()
