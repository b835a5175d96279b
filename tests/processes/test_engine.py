"""The promises about ticks, with real servers: each tick runs once, whoever serves, and a crash costs no silence."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.live import Server, Site, wait_until
from tests.processes.acts import (
    act,
    create_job,
    leader,
    lines,
    mark_each_second,
    runs_per_tick,
    statuses,
    wait_for_lines,
)

QUICK_LEASE = {"APP_SCHEDULER_LEASE_SECONDS": "2"}


def assert_each_tick_ran_once(site: Site, path: Path, job_id: str = "tick") -> None:
    """Hold the table against the effects that the runs really left."""
    assert set(runs_per_tick(site, job_id).values()) == {1}
    assert statuses(site, job_id)["Executed"] == len(lines(path))


@pytest.mark.parametrize("preload", [False, True], ids=["workers", "preload"])
def test_each_tick_runs_once_under_four_workers(site: Site, tmp_path: Path, preload: bool) -> None:
    marks = tmp_path / "marks"
    mark_each_second(site, marks)
    server = site.gunicorn(workers=4, preload=preload)
    found = wait_for_lines(marks, 5)
    server.stop()
    assert len({pid for _, pid in found}) == 1
    assert_each_tick_ran_once(site, marks)


def test_each_tick_runs_once_under_runserver_with_reload(sqlite_site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    mark_each_second(sqlite_site, marks)
    server = sqlite_site.runserver(reload=True)
    found = wait_for_lines(marks, 3)
    assert {pid for _, pid in found} <= set(server.children()), "the reloader's parent runs no jobs"
    server.kill_group()
    assert set(runs_per_tick(sqlite_site, "tick").values()) == {1}


@pytest.mark.parametrize("autoreload", [False, True])
def test_control_c_ends_runserver_cleanly_and_leaves_no_instance(sqlite_site: Site, autoreload: bool) -> None:
    server = sqlite_site.runserver(reload=autoreload)
    wait_until(lambda: leader(sqlite_site), what="a leader")
    os.killpg(server.pid, signal.SIGINT)
    server.wait()
    wait_until(lambda: not sqlite_site.rows("SELECT * FROM app_scheduler_schedulerinstance"), 5, "a clean end")
    assert sqlite_site.rows("SELECT * FROM app_scheduler_schedulerinstance") == []
    assert sqlite_site.rows("SELECT holder FROM app_scheduler_schedulerlease") == [("",)]


def test_another_process_leads_within_the_lease_after_a_crash(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    mark_each_second(site, marks)
    servers = [site.gunicorn(env=QUICK_LEASE) for _ in range(2)]
    wait_for_lines(marks, 2)
    crashed = leader(site)
    os.kill(crashed or 0, signal.SIGSTOP)
    wait_until(lambda: any(pid != crashed for _, pid in lines(marks)), 10, "another leader")
    os.kill(crashed or 0, signal.SIGCONT)
    count = len(lines(marks))
    wait_for_lines(marks, count + 2)
    for server in servers:
        server.stop()
    assert_each_tick_ran_once(site, marks)


def test_a_killed_leaders_executions_are_interrupted(site: Site, tmp_path: Path) -> None:
    create_job(site, id="long", function="tests.probe.jobs.sleep", kwargs={"seconds": 600}, trigger="every 1h")
    servers = {server.children()[0]: server for server in (site.gunicorn(env=QUICK_LEASE) for _ in range(2))}
    act(site, "services.run_now(['long'], actor)")
    wait_until(lambda: statuses(site, "long")["Started execution"] == 1, what="the start")
    crashed = leader(site)
    assert crashed is not None
    servers[crashed].kill_group()
    wait_until(lambda: statuses(site, "long")["Interrupted!"] == 1, 10, "the verdict")
    # Not just any row: a shipped job may be due at this time of the day.
    ((reason,),) = site.rows(
        "SELECT d.reason FROM app_scheduler_executiondetail d JOIN django_apscheduler_djangojobexecution e "
        "ON e.id = d.execution_id WHERE e.job_id = %s",
        "long",
    )
    assert str(crashed) in reason


def test_run_now_starts_within_a_second_from_a_process_that_does_not_lead(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    create_job(site, id="hand", function="tests.probe.jobs.mark", kwargs={"path": str(marks)}, trigger="every 1h")
    site.gunicorn()
    wait_until(lambda: leader(site), what="a leader")
    before = site.rows("SELECT next_run_time FROM django_apscheduler_djangojob WHERE id = 'hand'")
    asked = float(act(site, "import time; services.run_now(['hand'], actor); print(time.time())"))
    ((ran, _),) = wait_for_lines(marks, 1)
    assert ran - asked < 1
    assert site.rows("SELECT next_run_time FROM django_apscheduler_djangojob WHERE id = 'hand'") == before


def test_a_paused_job_does_not_fire_but_a_run_by_hand_of_it_does(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    mark_each_second(site, marks)
    server = site.gunicorn()
    wait_for_lines(marks, 2)
    act(site, "services.pause_job('tick', actor, reason='quiet'); import time; time.sleep(0.2)")
    count = len(lines(marks))
    time.sleep(2.2)  # A tick that must not come leaves nothing to wait for.
    assert len(lines(marks)) == count
    act(site, "services.run_now(['tick'], actor)")
    wait_for_lines(marks, count + 1)
    assert site.rows("SELECT state, state_reason FROM app_scheduler_jobspec WHERE job_id = 'tick'") == [
        ("paused", "quiet")
    ]
    act(site, "services.resume_job('tick', actor)")
    wait_for_lines(marks, count + 3)
    server.stop()
    assert set(runs_per_tick(site, "tick").values()) == {1}


def test_a_restart_keeps_what_was_queued(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    create_job(site, id="hand", function="tests.probe.jobs.mark", kwargs={"path": str(marks)}, trigger="every 1h")
    act(site, "services.run_now(['hand'], actor)")
    assert statuses(site, "hand") == {"Queued": 1}
    site.gunicorn()
    wait_for_lines(marks, 1)


def test_a_process_without_autostart_acts_but_never_leads(site: Site, tmp_path: Path) -> None:
    server: Server = site.gunicorn(env={"APP_SCHEDULER_AUTOSTART": "0"})
    create_job(site, id="idle", function="tests.probe.jobs.add", args=[1], trigger={"type": "interval", "seconds": 1})
    assert server.request("GET", "/admin/login/").status == 200
    time.sleep(1.5)  # A tick that must not come leaves nothing to wait for.
    assert leader(site) is None
    assert statuses(site, "idle") == {}


def test_the_loop_waits_quietly_for_its_tables(tmp_path: Path, sqlite_site: Site) -> None:
    empty = {"DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"}
    server = sqlite_site.gunicorn(env=empty)
    server.wait_for_output("waits for its tables")
    sqlite_site.manage("migrate", "-v0", env=empty)
    server.wait_for_output(" leads, token 1")
    assert "Traceback" not in server.output()
