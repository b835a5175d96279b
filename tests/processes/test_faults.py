"""Faults of processes and servers: a stall at the worst moment, a database server that is restarted."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path

import pytest

from tests import postgres
from tests.live import Site, wait_until
from tests.processes.acts import act, create_job, leader, mark_each_second, runs_per_tick, statuses, wait_for_lines
from tests.run_directory import run_directory

QUICK_LEASE = {"APP_SCHEDULER_LEASE_SECONDS": "2"}


def test_a_leader_that_stalls_between_dispatch_and_start_starts_nothing_that_was_interrupted(
    site: Site, tmp_path: Path
) -> None:
    effects, stalled = tmp_path / "effects", tmp_path / "stalled"
    create_job(
        site,
        id="hand",
        function="tests.probe.jobs.account",
        kwargs={"path": str(effects)},
        trigger="every 12h",
        rerun_if_interrupted=True,
    )
    first = site.gunicorn(env={**QUICK_LEASE, "PROBE_STALL": str(stalled)})
    wait_until(lambda: leader(site), what="a leader")
    site.gunicorn(env=QUICK_LEASE)
    act(site, "services.run_now(['hand'], actor)")
    wait_until(stalled.exists, what="the stall")
    wait_until(lambda: statuses(site, "hand") == {"Interrupted!": 1, "Executed": 1}, 20, "the other's run")
    pid = int(stalled.read_text())
    os.kill(pid, signal.SIGCONT)
    first.wait_for_output("has its verdict by now")
    assert len(wait_for_lines(effects, 1)) == 1
    assert statuses(site, "hand") == {"Interrupted!": 1, "Executed": 1}


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")
def test_a_database_server_that_is_restarted_costs_nothing_but_time(tmp_path: Path) -> None:
    directory = run_directory() / f"server-{secrets.token_hex(4)}"  # The server may be another user's.
    directory.mkdir()
    server = postgres.Server(directory)
    running = server.start()
    try:
        wait_until(server.answers, what="the server")
        made = Site(tmp_path, server.url(), token="")
        made.manage("migrate", "-v0")
        marks, slow = tmp_path / "marks", tmp_path / "slow"
        mark_each_second(made, marks)
        create_job(
            made,
            id="slow",
            function="tests.probe.jobs.account",
            kwargs={"path": str(slow), "seconds": 3},
            trigger="every 12h",
        )
        site = made.gunicorn(env=QUICK_LEASE)
        wait_for_lines(marks, 2)
        act(made, "services.run_now(['slow'], actor)")
        wait_for_lines(slow, 1)
        running.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: every connection is cut.
        running.wait(30)
        site.wait_for_output("A pass of the scheduler failed")
        running = server.start()
        wait_until(lambda: server.answers() and statuses(made, "slow")["Executed"], 30, "what ended meanwhile")
        wait_for_lines(marks, len(marks.read_text().splitlines()) + 2)
        wait_until(lambda: statuses(made, "tick")["Executed"] == len(marks.read_text().splitlines()), 5, "the records")
        site.stop()
        assert set(runs_per_tick(made, "tick").values()) == {1}
        assert len(slow.read_text().splitlines()) == 1
        assert site.output().count("A pass of the scheduler failed: ") == 1, "said once"
    finally:
        made.close()
        running.send_signal(signal.SIGQUIT)
        running.wait(30)


def test_a_process_without_a_database_server_waits_and_says_so_once(tmp_path: Path) -> None:
    url = f"postgresql://postgres@/nothing?host={tmp_path}"
    made = Site(tmp_path, url, token="")
    try:
        command = made.start_manage("runscheduler", env=QUICK_LEASE)
        command.wait_for_output("A pass of the scheduler failed")
        command.wait_for_output("the database does not answer")
        assert command.stop() == 0
        assert command.output().count("A pass of the scheduler failed: ") == 1
    finally:
        made.close()


pytestmark = pytest.mark.timeout(180)
