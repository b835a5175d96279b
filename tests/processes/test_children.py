"""Child processes of real servers: what they are, what they tell, and what becomes of them when their server ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live import Server, Site, wait_until
from tests.processes.acts import create_job, statuses

HARD = "tests.probe.hard."
SECONDS = 60


def start(site: Site, server: Server, function: str, *args: object, **document: Any) -> None:
    """Run a function once, in a child process of the server that leads."""
    given = {"executor": "processes", "function": function, "args": list(args), "trigger": "at 2199-01-01 00:00"}
    create_job(site, **{"id": "child", **given, **document})
    answer = server.api("POST", f"jobs/{document.get('id', 'child')}/run/")
    assert answer.status in (200, 201, 202), answer.text


def process_in(path: Path) -> psutil.Process:
    """Wait until a file has a line, and return the process that it names."""
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), SECONDS, f"a line in {path}")
    return psutil.Process(int(path.read_text().split()[1]))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def child_of(server: Server) -> psutil.Process:
    """Return the process in which the server has its runs."""
    found = [psutil.Process(pid) for pid in server.children()]
    (child,) = [process for process in found if "multiprocessing.spawn" in " ".join(process.cmdline())]
    return child


def detail(site: Site, column: str) -> Any:
    query = (
        f"SELECT d.{column} FROM app_scheduler_executiondetail d JOIN django_apscheduler_djangojobexecution e "
        "ON e.id = d.execution_id WHERE e.job_id = 'child'"
    )
    ((value,),) = site.rows(query)
    return value


@pytest.mark.parametrize("kind", ["runserver", "gunicorn", "preload", "uvicorn"])
def test_a_child_of_a_server_is_no_server(sqlite_site: Site, kind: str) -> None:
    make: dict[str, Callable[[], Server]] = {
        "runserver": sqlite_site.runserver,
        "gunicorn": sqlite_site.gunicorn,
        "preload": lambda: sqlite_site.gunicorn(preload=True),
        "uvicorn": sqlite_site.uvicorn,
    }
    server = make[kind]()
    # It also sends itself the SIGTERM that a service manager sends to all processes of a service.
    start(sqlite_site, server, HARD + "say_what_it_is")
    wait_until(lambda: statuses(sqlite_site, "child")["Executed"], SECONDS, "the run")
    assert detail(sqlite_site, "result") == '"client"'
    assert len(sqlite_site.rows("SELECT id FROM app_scheduler_schedulerinstance")) == 1
    server.stop()


def test_what_a_run_in_a_child_tells_is_seen_while_it_goes_on(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "steps"
    file.write_text("3")
    server = site.gunicorn()
    start(site, server, "tests.probe.jobs.follow", str(file), 10)
    wait_until(lambda: detail(site, "progress_done") == 3, SECONDS, "its progress")
    wait_until(lambda: "step 3" in detail(site, "log"), SECONDS, "its log")
    assert detail(site, "finished_at") is None
    file.write_text("end")
    wait_until(lambda: statuses(site, "child")["Executed"], SECONDS, "its end")
    assert detail(site, "log").count("step 3") == 1
    server.stop()


@pytest.mark.parametrize("way", ["spin", "read_socket", "match"])
def test_children_end_with_a_server_that_is_killed(sqlite_site: Site, tmp_path: Path, way: str) -> None:
    server = sqlite_site.runserver()
    start(sqlite_site, server, HARD + "stick", way, str(tmp_path / "lines"))
    child = process_in(tmp_path / "lines")
    server.kill()
    wait_until(lambda: is_gone(child), 10, "the end of the child")


def test_a_stop_waits_for_what_children_run(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "steps"
    file.write_text("1")
    server = site.gunicorn()
    start(site, server, "tests.probe.jobs.follow", str(file))
    wait_until(lambda: Path(f"{file}.done").exists(), SECONDS, "the first step")
    child = child_of(server)
    # As a service manager does: to each process of the service.
    for process in (server.pid, *server.children()):
        os.kill(process, signal.SIGTERM)
    file.write_text("end")
    server.wait()
    assert statuses(site, "child") == {"Executed": 1}
    assert is_gone(child)


def test_a_stop_ends_what_children_run_when_its_time_is_up(site: Site, tmp_path: Path) -> None:
    server = site.gunicorn(env={"APP_SCHEDULER_SHUTDOWN_SECONDS": "1"})
    start(site, server, HARD + "stick", "ignore", str(tmp_path / "lines"))
    child = process_in(tmp_path / "lines")
    server.stop()
    assert is_gone(child)
    assert statuses(site, "child") == {"Interrupted!": 1}


def test_the_leader_and_its_other_jobs_go_on_beside_a_stuck_child_and_a_crash(site: Site, tmp_path: Path) -> None:
    server = site.gunicorn()
    create_job(site, id="tick", function="tests.probe.jobs.add", args=[1], trigger="every 1s")
    start(site, server, HARD + "stick", "match", str(tmp_path / "lines"), timeout=2)
    process_in(tmp_path / "lines")
    start(site, server, HARD + "crash", "segfault", id="crash")
    wait_until(lambda: statuses(site, "child")["Timed out!"], SECONDS, "the timeout")
    wait_until(lambda: statuses(site, "crash")["Error!"], SECONDS, "the crash")
    seen = statuses(site, "tick")["Executed"]
    wait_until(lambda: statuses(site, "tick")["Executed"] > seen + 1, SECONDS, "further ticks")
    assert set(statuses(site, "tick")) <= {"Executed", "Queued", "Started execution"}
    server.stop()
