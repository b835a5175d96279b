"""From plain django-apscheduler to the console and back, by the commands of docs/deploy.md, with real processes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.live import BASE_DIR, Site, wait_until
from tests.processes.acts import lines, wait_for_lines
from tests.processes.plain_site import TICKER, TICKER_SECONDS

JOBS = ["cron", "date", "either", "interval", "paused", TICKER, "unmarked"]
HISTORY = "SELECT id, status FROM django_apscheduler_djangojobexecution ORDER BY id"
TICKS = f"SELECT id, next_run_time FROM django_apscheduler_djangojob WHERE id <> '{TICKER}' ORDER BY id"
SPECS = "SELECT job_id, state, function, trigger_type, name, max_instances FROM app_scheduler_jobspec"
STUCK = "UPDATE django_apscheduler_djangojobexecution SET status = 'Started execution' WHERE id = %s"
OF_TICKER = f"SELECT run_time FROM django_apscheduler_djangojobexecution WHERE job_id = '{TICKER}' AND id > %s"


@pytest.fixture(params=["sqlite", "postgres"])
def empty_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Yield a site without any tables."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'plain.sqlite3'}"
        if request.param == "postgres":
            url = stack.enter_context(postgres.database())
        made = Site(tmp_path, url, token="")
        stack.callback(made.close)
        yield made


def plain(site: Site, *arguments: str) -> str:
    """Run a process of plain django-apscheduler to its end and return its output."""
    process = site.start("-m", "tests.processes.plain_site", *arguments)
    assert process.wait(60) == 0, process.output()
    return process.output()


def shell_command(word: str) -> str:
    """Return the Python of the guide's command for manage.py's shell in which this word stands."""
    guide = (BASE_DIR / "docs" / "deploy.md").read_text()
    (found,) = [code for code in re.findall(r'manage\.py shell -c "([^"]+)"', guide) if word in code]
    return "\n".join(line.strip() for line in found.splitlines())


def test_jobs_and_executions_stay_on_the_way_there_and_back(empty_site: Site, tmp_path: Path) -> None:
    site, marks = empty_site, tmp_path / "marks"
    plain(site, "migrate")
    plain(site, "add", str(marks))
    plain(site, "run", "4")
    before, ticks = site.rows(HISTORY), site.rows(TICKS)
    assert before
    assert lines(marks)
    (stuck, _status), *_others = before
    site.rows(STUCK, stuck)

    site.manage("migrate", "-v0")
    console = site.start_manage("runscheduler")
    wait_for_lines(marks, len(lines(marks)) + 3)
    specs = wait_until(lambda: {row[0]: row[1:] for row in site.rows(SPECS)}, what="the definitions")
    assert {job_id: specs[job_id] for job_id in JOBS} == {
        "cron": ("scheduled", "tests.probe.plain.mark", "cron", "Nightly", 1),
        "date": ("scheduled", "tests.probe.plain.mark", "date", "Mark", 1),
        "either": ("scheduled", "tests.probe.plain.mark", "any", "Mark", 1),
        "interval": ("scheduled", "tests.probe.plain.mark", "interval", "Mark", 3),
        "paused": ("paused", "tests.probe.plain.mark", "interval", "Mark", 1),
        TICKER: ("scheduled", "tests.probe.plain.mark", "interval", "Mark", 1),
        "unmarked": ("broken", "tests.probe.plain.unmarked", "interval", "Unmarked", 1),
    }
    assert console.stop() == 0

    history = dict(site.rows(HISTORY))
    assert {pk: history[pk] for pk, _ in before} == {**dict(before), stuck: "Started execution"}
    there = dict(site.rows(TICKS))
    assert {job_id: there[job_id] for job_id, tick in ticks if job_id != "unmarked"} == {
        job_id: tick for job_id, tick in ticks if job_id != "unmarked"
    }
    assert phases(site, 0) == phases(site, max(dict(before))), "the interval keeps its phase"

    site.manage("shell", "-v0", "-c", shell_command("Its process has ended"))
    assert dict(site.rows(HISTORY))[stuck] == "Interrupted!"
    site.manage("shell", "-v0", "-c", shell_command("known"))
    site.manage("migrate", "app_scheduler", "zero", "-v0")
    back = json.loads(plain(site, "list").splitlines()[-1])
    assert sorted(back["jobs"]) == JOBS
    assert back["executions"] == len(history)
    ran = len(lines(marks))
    plain(site, "run", "4")
    assert len(lines(marks)) > ran


def phases(site: Site, after: int) -> set[Any]:
    """Return the fractions of a second at which the ticker's ticks were, of executions that came after this one."""
    found = {str(moment).partition(".")[2][:6] for (moment,) in site.rows(OF_TICKER, after)}
    assert found
    assert TICKER_SECONDS == 1
    return found
