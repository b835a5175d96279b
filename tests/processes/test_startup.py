"""Jobs that an app's ``ready()`` adds, and which processes start a scheduler at all."""

from __future__ import annotations

from pathlib import Path

from tests.live import Site, wait_until
from tests.processes.acts import act, leader, lines, runs_per_tick, wait_for_lines


def test_a_job_added_in_ready_runs_once_each_tick_whatever_adds_it(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    server = site.gunicorn(workers=3, env={"PROBE_MARKS": str(marks)})
    wait_for_lines(marks, 3)
    server.stop()
    assert set(runs_per_tick(site, "from-ready").values()) == {1}
    assert "Warning" not in server.output(), "no query may be made in ready()"


def test_a_restart_keeps_the_phase_the_pause_and_what_staff_changed(sqlite_site: Site, tmp_path: Path) -> None:
    env = {"PROBE_MARKS": str(tmp_path / "marks"), "PROBE_SECONDS": "3600"}
    query = "SELECT j.next_run_time, s.state, s.max_instances, s.anchor FROM django_apscheduler_djangojob j "
    query += "JOIN app_scheduler_jobspec s ON s.job_id = j.id WHERE j.id = 'from-ready'"
    server = sqlite_site.gunicorn(env=env)
    wait_until(lambda: sqlite_site.rows(query), what="the job")
    before = sqlite_site.rows(query)
    server.stop()
    sqlite_site.gunicorn(env=env).stop()
    assert sqlite_site.rows(query) == before
    act(sqlite_site, "services.pause_job('from-ready', actor)")
    act(sqlite_site, "services.change_job('from-ready', {'max_instances': 7}, actor)")
    server = sqlite_site.gunicorn(env=env)
    server.wait_for_output("is ready")
    ((tick, state, instances, anchor),) = sqlite_site.rows(query)
    assert (tick, state, instances, anchor) == (None, "paused", 7, before[0][3])


def test_a_deleted_job_of_the_code_does_not_come_back(sqlite_site: Site, tmp_path: Path) -> None:
    env = {"PROBE_MARKS": str(tmp_path / "marks"), "PROBE_SECONDS": "3600"}
    count = "SELECT count(*) FROM django_apscheduler_djangojob WHERE id = 'from-ready'"
    server = sqlite_site.gunicorn(env=env)
    wait_until(lambda: sqlite_site.rows(count) == [(1,)], what="the job")
    server.stop()
    act(sqlite_site, "services.delete_job('from-ready', actor)")
    server = sqlite_site.gunicorn(env=env)
    server.wait_for_output("leads, token 2")
    assert sqlite_site.rows(count) == [(0,)]


def test_commands_and_shells_never_lead_and_write_nothing_of_ready(sqlite_site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    env = {"PROBE_MARKS": str(marks)}
    for command in (["migrate", "-v0"], ["check"], ["shell", "-v0", "-c", "import time; time.sleep(1.5)"]):
        done = sqlite_site.try_manage(*command, env=env)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
    assert leader(sqlite_site) is None
    assert lines(marks) == []


def test_a_client_process_can_use_the_scheduler(site: Site) -> None:
    code = (
        "from tests.probe.jobs import add\n"
        "scheduler.add_job(add, 'interval', hours=1, id='mine', args=[1])\n"
        "print([job.id for job in scheduler.get_jobs()], scheduler.serving)\n"
    )
    assert act(site, code) == "['mine'] False"


def test_a_jobs_child_process_does_not_become_a_scheduler(sqlite_site: Site) -> None:
    server = sqlite_site.gunicorn()
    wait_until(lambda: leader(sqlite_site), what="a leader")
    act(
        sqlite_site,
        "services.create_job({'id': 'forks', 'function': 'tests.probe.jobs.fork', 'trigger': 'every 1h'}, actor);"
        "services.run_now(['forks'], actor)",
    )
    query = "SELECT e.status, d.result FROM django_apscheduler_djangojobexecution e "
    query += "JOIN app_scheduler_executiondetail d ON d.execution_id = e.id WHERE e.job_id = 'forks'"
    wait_until(lambda: sqlite_site.rows(query)[0][0] == "Executed", what="the run")
    assert sqlite_site.rows(query) == [("Executed", '"client"')]
    assert len(sqlite_site.rows("SELECT * FROM app_scheduler_schedulerinstance")) == 1
    assert server.running
