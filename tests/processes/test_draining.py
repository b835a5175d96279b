"""Draining real servers: the standby leads at once, the run under way ends with its verdict, and no tick is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.live import Site, wait_until
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

#: So long that a leader whose lease had to run out would show.
LONG_LEASE = {"APP_SCHEDULER_LEASE_SECONDS": "60"}


def instances(site: Site) -> dict[int, dict[str, Any]]:
    """Return what ``schedulerstatus`` says of each instance, by its process."""
    # With the servers' own lease: by a shorter one, whoever beats as seldom as they do seems to be gone.
    told = json.loads(site.try_manage("schedulerstatus", "--json", env=LONG_LEASE).stdout)
    return {each["pid"]: each for each in told["instances"]}


def test_a_leader_that_drains_hands_over_and_ends_what_it_runs(site: Site, tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    mark_each_second(site, marks)
    create_job(site, id="long", function="tests.probe.jobs.follow", kwargs={"path": str(gate)}, trigger="every 1h")
    servers = {server.children()[0]: server for server in (site.gunicorn(env=LONG_LEASE) for _ in range(2))}
    wait_for_lines(marks, 2)
    act(site, "services.run_now(['long'], actor)")
    wait_until(lambda: statuses(site, "long")["Started execution"] == 1, what="the start")
    first = leader(site)
    assert first is not None
    (second,) = set(servers) - {first}

    answer = servers[second].api(
        "POST", f"scheduler/instances/{instances(site)[first]['id']}/drain/", {"reason": "A release"}
    )
    assert answer.status == 200, answer.text
    wait_until(lambda: leader(site) == second, 10, "the standby, within far less than the lease")
    count = len(lines(marks))
    wait_for_lines(marks, count + 2)
    found = instances(site)
    assert (found[first]["state"], found[second]["state"]) == ("draining", "leads")
    assert [run["job"] for run in found[first]["runs"]] == ["long"]
    assert statuses(site, "long") == {"Started execution": 1}

    gate.write_text("end")
    wait_until(lambda: statuses(site, "long")["Executed"] == 1, what="the verdict of the run under way")
    wait_until(lambda: instances(site)[first]["state"] == "drained", 10, "the end of what it ran")
    servers[first].stop()
    servers[second].stop()
    assert statuses(site, "long") == {"Executed": 1}
    assert set(runs_per_tick(site, "tick").values()) == {1}
    assert statuses(site, "tick") == {"Executed": len(lines(marks))}, "no tick was lost, and none ran twice"


def test_the_only_server_drains_until_it_is_let_go_on(sqlite_site: Site, tmp_path: Path) -> None:
    site, marks = sqlite_site, tmp_path / "marks"
    mark_each_second(site, marks)
    server = site.gunicorn()
    wait_for_lines(marks, 2)
    ((pid, found),) = instances(site).items()
    address = f"scheduler/instances/{found['id']}"
    assert server.api("POST", f"{address}/drain/").status == 200
    wait_until(lambda: leader(site) is None, 10, "the end of its lead")
    status = site.try_manage("schedulerstatus")
    assert status.returncode == 1
    assert "Every scheduler drains" in status.stderr
    assert "drained" in status.stdout
    assert server.api("POST", f"{address}/resume/").status == 200
    count = len(lines(marks))
    wait_for_lines(marks, count + 2)
    assert leader(site) == pid
    server.stop()
    assert set(runs_per_tick(site, "tick").values()) == {1}
