"""Real processes of the site for tests: servers and commands with a database and an environment of their own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil
import psycopg

from tests import postgres
from tests.run_directory import run_directory

T = TypeVar("T")
Database = Literal["sqlite", "postgres"]

BASE_DIR = Path(__file__).resolve().parent.parent
USERNAME = PASSWORD = "admin"
READY_SECONDS = 60
STOP_SECONDS = 40

#: All that a process of the site inherits. The rest of its environment is what its test gives it.
INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def wait_until(condition: Callable[[], T], seconds: float = 20, what: str = "the condition") -> T:
    """Return the condition's first true value, or fail when the time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still waiting for {what}")
        time.sleep(0.05)
    return value


@contextlib.contextmanager
def run_lock(name: str) -> Iterator[None]:
    """Hold a lock that all worker processes of this test run share."""
    with (run_directory() / f"{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    """Return a port that is free now and that nobody else of this test run was given."""
    given = run_directory() / "ports"
    with run_lock("ports"):
        taken = given.read_text().split() if given.exists() else []
        while True:
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                port = int(listener.getsockname()[1])
            if str(port) not in taken:
                given.write_text(" ".join([*taken, str(port)]))
                return port


@dataclass
class Response:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


class Process:
    """A process that a test started, in a process group of its own, with all its output in a file."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.command = command
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Started in the background, a test run ignores Ctrl-C, and so would what it starts.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def __str__(self) -> str:
        return f"{' '.join(self.command)} (pid {self.pid}, exit status {self.popen.poll()})\n{self.output()[-6000:]}"

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def children(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s: {self}") from None

    def wait_for_output(self, text: str, seconds: float = READY_SECONDS) -> None:
        wait_until(lambda: text in self.output() or not self.running, seconds, f"{text!r} in the output of {self}")
        assert text in self.output(), f"ended without saying {text!r}: {self}"

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End it as a service manager does, and return its exit status."""
        self.popen.terminate()
        return self.wait(seconds)

    def kill(self) -> None:
        """End it as a crash does: this one process, with no chance to clean up."""
        self.popen.kill()
        self.popen.wait()

    def kill_group(self) -> None:
        """End it and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()


class Server(Process):
    """A process that serves the site over HTTP."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path, port: int, token: str) -> None:
        super().__init__(command, environment, log)
        self.url = f"http://127.0.0.1:{port}"
        self.token = token

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        wait_until(lambda: self._answers() or not self.running, seconds, f"an answer of {self}")
        assert self.running, f"ended before it served: {self}"

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/admin/login/", timeout=5).status == 200
        except OSError:
            return False

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Response:
        """Send one request, following no redirect. A body goes as JSON."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        request = urllib.request.Request(self.url + path, data, {**sent, **(headers or {})}, method=method)
        try:
            with _opener.open(request, timeout=timeout) as answer:
                return Response(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, dict(error.headers), error.read().decode())

    def api(self, method: str, path: str, body: Any = None) -> Response:
        """Send one request to the REST API as the superuser; ``path`` begins after ``/api/``."""
        return self.request(method, f"/api/{path}", body, {"Authorization": f"Token {self.token}"})


class Site:
    """A database with the site's tables, a superuser admin/admin and an API token, and the processes that use it."""

    def __init__(self, directory: Path, database_url: str, token: str) -> None:
        self.directory = directory
        self.database_url = database_url
        self.token = token
        self.processes: list[Process] = []
        #: What all its processes are given besides.
        self.env: dict[str, str] = {}

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        return environment(self.database_url, {**self.env, **(env or {})})

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120) -> str:
        """Run a command of manage.py to its end and return its output; fail if it fails."""
        done = self.try_manage(*arguments, env=env, timeout=timeout)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def try_manage(
        self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py to its end, however that is."""
        return run(["manage.py", *arguments], self.environment(env), timeout)

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> Process:
        """Start Python with these arguments: a script, or -m and a module."""
        process = Process([sys.executable, *command], self.environment(env), self._log())
        self.processes.append(process)
        return process

    def start_manage(self, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        return self.start("manage.py", *arguments, env=env)

    def worker(self, *arguments: str, concurrency: int = 2, env: Mapping[str, str] | None = None) -> Process:
        """Start a Celery worker, which needs to be told of a broker, and wait until it is ready."""
        worker = self.begin_worker(*arguments, concurrency=concurrency, env=env)
        worker.wait_for_output(" ready.")
        return worker

    def begin_worker(self, *arguments: str, concurrency: int = 2, env: Mapping[str, str] | None = None) -> Process:
        options = ["--concurrency", str(concurrency), "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        return self.start("-m", "celery", "-A", "poker_backend", "worker", *options, *arguments, env=env)

    def runserver(self, *arguments: str, reload: bool = False, env: Mapping[str, str] | None = None) -> Server:
        port = free_port()
        options = [*arguments] if reload else ["--noreload", *arguments]
        return self.serve(["manage.py", "runserver", f"127.0.0.1:{port}", *options], port, env)

    def gunicorn(
        self, *arguments: str, workers: int = 1, preload: bool = False, env: Mapping[str, str] | None = None
    ) -> Server:
        port = free_port()
        options = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--threads", "8"]
        # Its control socket lies in the home directory, one for all sites.
        options += ["--no-control-socket", *(["--preload"] if preload else []), *arguments]
        command = ["-m", "gunicorn", "poker_backend.wsgi", *options]
        return self.serve(command, port, env)

    def uvicorn(self, *arguments: str, env: Mapping[str, str] | None = None) -> Server:
        port = free_port()
        command = ["-m", "uvicorn", "poker_backend.asgi:application", "--port", str(port), *arguments]
        return self.serve(command, port, env)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database behind the processes' backs. Parameters are written %s."""
        if self.database_url.startswith("sqlite"):
            path = self.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
                return connection.execute(query.replace("%s", "?"), parameters).fetchall()
        with psycopg.connect(self.database_url) as server:
            cursor = server.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Kill what still runs. Its output is printed, so that pytest shows it where the test failed."""
        for process in self.processes:
            process.kill_group()
            print(process)

    def serve(self, command: list[str], port: int, env: Mapping[str, str] | None) -> Server:
        """Start Python with these arguments as a server on this port, and wait until it answers."""
        server = Server([sys.executable, *command], self.environment(env), self._log(), port, self.token)
        self.processes.append(server)
        server.wait_until_ready()
        return server

    def _log(self) -> Path:
        return self.directory / f"process-{len(self.processes)}.log"


@contextlib.contextmanager
def site(database: Database, directory: Path) -> Iterator[Site]:
    """Yield a site with a fresh database, copied from one that this test run migrates once."""
    token = _template(database)
    with contextlib.ExitStack() as stack:
        if database == "sqlite":
            shutil.copy(_sqlite_template(), directory / "db.sqlite3")
            url = f"sqlite:///{directory / 'db.sqlite3'}"
        else:
            url = stack.enter_context(postgres.database(template="live_template"))
        made = Site(directory, url, token)
        stack.callback(made.close)
        yield made


def _sqlite_template() -> Path:
    return run_directory() / "live_template.sqlite3"


def _template(database: Database) -> str:
    """Make this run's template database unless it is there, and return its superuser's API token."""
    token = run_directory() / f"live_template.{database}.token"
    with run_lock(f"live_template.{database}"):
        if not token.exists():
            if database == "sqlite":
                url = f"sqlite:///{_sqlite_template()}"
            else:
                postgres.create("live_template")
                url = postgres.url("live_template")
            process_environment = environment(
                url, {"DJANGO_SUPERUSER_USERNAME": USERNAME, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
            )
            for command in (["-m", "poker_backend.bootstrap"], ["manage.py", "drf_create_token", USERNAME]):
                done = run(command, process_environment, timeout=120)
                assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            found = re.search(r"token (\w+) for", done.stdout)
            assert found, done.stdout
            token.write_text(found[1])
    return token.read_text()


def environment(database_url: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "tests.live_settings",
        "DEBUG": "1",
        "SECRET_KEY": "tests-only",
        "DATABASE_URL": database_url,
        **(env or {}),
    }


def run(command: list[str], env: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=BASE_DIR,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
