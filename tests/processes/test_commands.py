"""The commands as real processes: exit statuses, signals, and a scheduler that does nothing else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.live import BASE_DIR, Site, wait_until


def leader_of(site: Site) -> str | None:
    done = site.try_manage("schedulerstatus", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == (0 if document["alive"] else 1)
    return document["leader"]["id"] if document["alive"] else None


def test_a_dedicated_scheduler_leads_runs_jobs_and_ends_cleanly(site: Site, tmp_path: Path) -> None:
    marks, jobs = tmp_path / "marks", tmp_path / "jobs.json"
    jobs.write_text(
        json.dumps([{"id": "m", "function": "tests.probe.jobs.mark", "args": [str(marks)], "trigger": "every 1s"}])
    )
    assert leader_of(site) is None
    process = site.start_manage("runscheduler", env={"APP_SCHEDULER_AUTOSTART": "0"})
    process.wait_for_output("It leads: due jobs run here.")
    assert leader_of(site) is not None
    # Another process imports; the leader follows at once.
    assert "new        m" in site.manage("importjobs", str(jobs))
    wait_until(marks.exists, 10, "a run of the imported job")
    assert f" {process.pid}" in marks.read_text()

    assert process.stop() == 0, process
    assert "Stopping: running jobs have" in process.output()
    assert "has stopped." in process.output()
    assert leader_of(site) is None, "the lease is handed back"


def test_a_second_scheduler_stands_by_and_takes_over(sqlite_site: Site) -> None:
    first = sqlite_site.start_manage("runscheduler")
    first.wait_for_output("It leads")
    second = sqlite_site.start_manage("runscheduler")
    second.wait_for_output("It stands by: ")
    assert "It leads" not in second.output()
    first.popen.send_signal(signal.SIGINT)
    assert first.wait() == 0, first
    second.wait_for_output("It leads", seconds=10)
    second.stop()


def test_a_second_signal_ends_a_scheduler_that_waits_for_a_job(sqlite_site: Site, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.json"
    jobs.write_text('[{"id": "s", "function": "tests.probe.jobs.sleep", "args": [60], "trigger": "every 1s"}]')
    process = sqlite_site.start_manage("runscheduler")
    process.wait_for_output("It leads")
    sqlite_site.manage("importjobs", str(jobs))
    running = "SELECT COUNT(*) FROM django_apscheduler_djangojobexecution WHERE status = 'Started execution'"
    wait_until(lambda: sqlite_site.rows(running) != [(0,)], what="a run to start")
    process.popen.terminate()
    process.wait_for_output("Stopping")
    process.popen.terminate()
    assert process.wait(5) == -signal.SIGTERM, process


def test_missing_tables_are_one_line_and_a_status_of_their_own(sqlite_site: Site, tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"}
    done = sqlite_site.try_manage("schedulerstatus", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("CommandError: The console's tables are missing (")
    assert "Run `manage.py migrate`." in done.stderr
    for command in (["exportjobs"], ["importjobs", str(_jobs(tmp_path))]):
        done = sqlite_site.try_manage(*command, env=env)
        assert done.returncode == 1
        assert "migrate" in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_database_that_is_away_is_one_line(sqlite_site: Site) -> None:
    env = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = sqlite_site.try_manage("schedulerstatus", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("CommandError: The database does not answer: ")
    assert "Traceback" not in done.stderr


def _jobs(directory: Path) -> Path:
    file = directory / "jobs.json"
    file.write_text('[{"id": "a", "function": "tests.probe.jobs.chatter", "trigger": "@daily"}]')
    return file


def test_a_pipe_carries_jobs_from_site_to_site(sqlite_site: Site, tmp_path: Path) -> None:
    sqlite_site.manage("importjobs", str(_jobs(tmp_path)))
    for format in ("json", "yaml", "csv", "xlsx"):
        command = (
            f"{sys.executable} manage.py exportjobs --format {format}"
            f" | {sys.executable} manage.py importjobs - --format {format}"
        )
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=BASE_DIR,
            env=sqlite_site.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Imported: 1 unchanged"), (format, done.stderr)


def test_a_reader_that_has_enough_is_no_error(sqlite_site: Site, tmp_path: Path) -> None:
    rows = [{"id": f"j{n}", "function": "tests.probe.jobs.chatter", "trigger": "@daily"} for n in range(1000)]
    many = tmp_path / "many.json"
    many.write_text(json.dumps(rows))
    sqlite_site.manage("importjobs", str(many))
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} manage.py exportjobs | head -c 10"],
        cwd=BASE_DIR,
        env=sqlite_site.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
