"""PostgreSQL's ``pg_dump``: a consistent dump in the custom format, which ``pg_restore`` reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

from app_scheduler import current_execution
from app_scheduler.conf import console_settings
from app_scheduler.maintenance.backups.errors import BackupFailed
from app_scheduler.maintenance.redaction import redact

SUFFIX = ".dump"
SETTING = "APP_SCHEDULER_PG_DUMP"
#: What a file in the custom format begins with.
MAGIC = b"PGDMP"
VERSION_SECONDS = 30
LOCK_WAIT_MILLISECONDS = 60_000
MAX_ERROR = 1000

#: libpq's parameters, and the variables of the environment that say the same.
VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "requirepeer": "PGREQUIREPEER",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


def write(connection: Any, path: Path) -> None:
    """Dump the database of a Django connection to ``path``. Raises ``BackupFailed`` and ``OSError``."""
    program = _program(connection.pg_version // 10_000)
    parameters = connection.get_connection_params()
    given = {variable: str(parameters[name]) for name, variable in VARIABLES.items() if parameters.get(name)}
    command = [program, "--format=custom", "--no-password", f"--lock-wait-timeout={LOCK_WAIT_MILLISECONDS}"]
    with path.open("wb") as output, tempfile.TemporaryFile() as errors:
        # Everybody on the machine can read a command line; the environment only the same user.
        status = _run(command, {**os.environ, **given}, output, errors)
        said = _end_of(errors)
    if status != 0:
        secrets = [given["PGPASSWORD"]] if "PGPASSWORD" in given else []
        how = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
        raise BackupFailed(f"pg_dump {how}: {redact(said, secrets) or 'it said nothing'}")
    with path.open("rb") as dump:
        if dump.read(len(MAGIC)) != MAGIC:
            raise BackupFailed(
                f"{program} wrote no dump in the custom format. Set {SETTING} to PostgreSQL's own pg_dump."
            )


def _program(server_version: int) -> str:
    """Return the path of a pg_dump that can read this server's databases."""
    configured = console_settings.pg_dump
    program = shutil.which(configured)
    if program is None:
        raise BackupFailed(
            f"There is no {configured!r} to be run. Install PostgreSQL's client programs, version {server_version} or"
            f" newer (on Debian the package postgresql-client-{server_version}), or set {SETTING} to pg_dump's path."
        )
    try:
        answer = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERSION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackupFailed(f"{program} cannot be run: {error}. Set {SETTING} to pg_dump's path.") from error
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if version is None:
        raise BackupFailed(f"{program} does not say that it is PostgreSQL's pg_dump. Set {SETTING} to pg_dump's path.")
    if int(version[1]) < server_version:
        raise BackupFailed(
            f"{program} is version {version[1]}, and the server {server_version}. pg_dump must be as new as the server."
            f" Install postgresql-client-{server_version} or newer, or set {SETTING} to a newer pg_dump's path."
        )
    return program


def _run(command: list[str], environment: dict[str, str], output: IO[bytes], errors: IO[bytes]) -> int:
    """Run pg_dump, saying how far it is; return its exit status. However this ends, pg_dump has ended too."""
    progress = current_execution().progress
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
    try:
        while True:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                written = os.fstat(output.fileno()).st_size
                progress(written, message=f"{written:,} bytes written")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _end_of(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - MAX_ERROR))
    return " ".join(errors.read().decode(errors="replace").split())
