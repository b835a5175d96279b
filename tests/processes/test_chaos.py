"""Leaders are killed, stalled beyond their lease and stopped at random; then each tick is reconciled.

CHAOS_SECONDS says for how long (60). CHAOS_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.live import Server, Site, wait_until
from tests.processes.acts import leader, lines, mark_each_second, statuses, wait_for_lines

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
LEASE_SECONDS = 2
JOBS = ("one", "two", "three")


def kill(site: Site, server: Server, pid: int) -> Server:
    server.kill_group()
    return start(site)


def stall(site: Site, server: Server, pid: int) -> Server:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(LEASE_SECONDS * 2)  # That is the fault: it sleeps beyond its lease.
    os.kill(pid, signal.SIGCONT)
    return server


def stop(site: Site, server: Server, pid: int) -> Server:
    server.stop()
    return start(site)


def start(site: Site) -> Server:
    return site.gunicorn(env={"APP_SCHEDULER_LEASE_SECONDS": str(LEASE_SECONDS)})


@pytest.mark.chaos
def test_every_tick_is_accounted_for(site: Site, tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 10**6)
    chance = random.Random(seed)
    for job_id in JOBS:
        mark_each_second(site, tmp_path / job_id, job_id)
    servers = [start(site) for _ in range(3)]
    wait_for_lines(tmp_path / JOBS[0], 1)
    until = time.monotonic() + SECONDS
    faults, takeovers = [], []
    while time.monotonic() < until:
        time.sleep(chance.uniform(1, 4))  # Faults come at any moment of a tick.
        pid = wait_until(lambda: leader(site), 15, "a leader")
        assert pid is not None
        number = next(i for i, server in enumerate(servers) if pid in server.children())
        fault = chance.choice([kill, stall, stop])
        began = time.monotonic()
        servers[number] = fault(site, servers[number], pid)
        faults.append(fault.__name__)
        wait_until(lambda: leader(site), 15, "another leader")
        takeovers.append(time.monotonic() - began)
    for job_id in JOBS:
        wait_for_lines(tmp_path / job_id, len(lines(tmp_path / job_id)) + 2)
    for server in servers:
        server.stop()
    print(f"\nseed {seed}: {', '.join(faults)}; slowest take-over with its fault {max(takeovers):.1f} s")
    for job_id in JOBS:
        reconcile(site, tmp_path / job_id, job_id)


def reconcile(site: Site, marks: Path, job_id: str) -> None:
    """Hold the table against the effects that the runs left, and the ticks against the clock."""
    found = statuses(site, job_id)
    assert not found["Started execution"], found
    ran = len(lines(marks))
    assert found["Executed"] <= ran <= found["Executed"] + found["Interrupted!"], (found, ran)
    rows = site.rows(
        "SELECT e.run_time, d.tick_count FROM django_apscheduler_djangojobexecution e JOIN "
        "app_scheduler_executiondetail d ON d.execution_id = e.id WHERE e.job_id = %s AND d.origin = 'schedule' "
        "ORDER BY e.run_time",
        job_id,
    )
    moments = [moment(run_time) for run_time, _ in rows]
    assert len(set(moments)) == len(moments), "no tick has two executions"
    accounted = sum(count for _, count in rows)
    expected = round((moments[-1] - moments[0]).total_seconds()) + rows[0][1]
    assert accounted == expected, f"{expected - accounted} of {expected} ticks without a verdict"


def moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
