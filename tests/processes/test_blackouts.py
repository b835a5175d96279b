"""Blackouts under live servers: windows begin and end, a leader is killed in one, and no tick is silent or doubled."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.live import Site, wait_until
from tests.processes.acts import act, leader, lines, mark_each_second, statuses, wait_for_lines
from tests.processes.test_engine import QUICK_LEASE

SECOND = timedelta(seconds=1)


def set_window(site: Site, name: str, seconds: float) -> tuple[datetime, datetime]:
    """Set a window for all jobs that begins in a few seconds; return its bounds as it was stored, in whole seconds."""
    code = f"""
import json
from datetime import datetime, timedelta, UTC
begins = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
bounds = {{"begins": begins.isoformat(), "ends": (begins + timedelta(seconds={seconds})).isoformat()}}
row = services.add_window({{"name": {name!r}, "timezone": "UTC", **bounds}}, actor)
print(json.dumps([row.begins, row.ends]))
"""
    begins, ends = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in json.loads(act(site, code)))
    return begins, ends


def stretches(site: Site) -> list[tuple[str, datetime, datetime, int, str]]:
    """Return status, first and last tick, number of ticks and reason of each row of the job, in their order."""
    code = """
import json
from app_scheduler.models import ExecutionDetail
rows = ExecutionDetail.objects.filter(execution__job_id="tick", origin="schedule").select_related("execution")
print(json.dumps([[d.execution.status, (d.first_tick or d.execution.run_time).isoformat(),
    d.execution.run_time.isoformat(), d.tick_count, d.reason] for d in rows.order_by("execution__run_time")]))
"""
    return [
        (status, datetime.fromisoformat(first), datetime.fromisoformat(last), count, reason)
        for status, first, last, count, reason in json.loads(act(site, code))
    ]


def test_windows_begin_and_end_under_a_leader_that_is_killed(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    mark_each_second(site, marks)
    servers = {server.children()[0]: server for server in (site.gunicorn(env=QUICK_LEASE) for _ in range(2))}
    wait_for_lines(marks, 2)
    bounds = {"first": set_window(site, "first", 8)}
    wait_until(lambda: statuses(site, "tick")["Skipped"], 20, "a tick in the window")
    crashed = leader(site)
    assert crashed is not None
    servers[crashed].kill_group()
    count = len(lines(marks))
    wait_for_lines(marks, count + 3)
    bounds["second"] = set_window(site, "second", 3)
    wait_until(lambda: statuses(site, "tick")["Skipped"] >= 2, 20, "a tick in the second window")
    count = len(lines(marks))
    wait_for_lines(marks, count + 3)
    act(site, "services.pause_job('tick', actor)")
    for server in servers.values():
        server.stop()
    found = stretches(site)
    for (_, _, last, _, _), (_, first, _, _, _) in itertools.pairwise(found):
        assert first - last == SECOND, "each tick has one row, and none has two"
    for status, first, last, count, reason in found:
        assert (last - first) / SECOND == count - 1
        within = [name for name, (begins, ends) in bounds.items() if begins <= first < ends]
        if within:
            begins, ends = bounds[within[0]]
            assert status == "Skipped" and last < ends, (status, first, last)
            assert f"fell into the blackout “{within[0]}”" in reason
        else:
            assert not any(begins <= last < ends for begins, ends in bounds.values())
            assert "blackout" not in reason
    for begins, ends in bounds.values():
        rows = [row for row in found if begins <= row[1] < ends]
        assert sum(row[3] for row in rows) == round((ends - begins) / SECOND)
        assert len(rows) == 1, "a window is one row, also where another leader goes on with it"
    assert statuses(site, "tick")["Executed"] == len(lines(marks))


def test_a_tick_is_skipped_from_a_process_that_does_not_lead(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    mark_each_second(site, marks)
    server = site.gunicorn()
    wait_for_lines(marks, 2)
    tick = act(site, "print(services.skip_next('tick', actor, reason='Moves').skip_tick.isoformat())")
    wait_until(lambda: statuses(site, "tick")["Skipped"] == 1, 10, "the skipped tick")
    count = len(lines(marks))
    wait_for_lines(marks, count + 2)
    act(site, "services.pause_job('tick', actor)")
    server.stop()
    (skipped,) = [row for row in stretches(site) if row[0] == "Skipped"]
    assert skipped[2] == datetime.fromisoformat(tick)
    assert skipped[4] == "Asked for beforehand: Moves."
    assert site.rows("SELECT skip_tick FROM app_scheduler_jobspec WHERE job_id = 'tick'") == [(None,)]


def test_a_pause_ends_at_its_moment(site: Site, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    mark_each_second(site, marks)
    server = site.gunicorn(env=QUICK_LEASE)
    wait_for_lines(marks, 2)
    code = """
from datetime import datetime, timedelta, UTC
until = datetime.now(UTC) + timedelta(seconds=4)
services.pause_job('tick', actor, until=until)
print(until.isoformat())
"""
    until = datetime.fromisoformat(act(site, code))
    wait_until(lambda: statuses(site, "tick")["Missed!"] == 1, 20, "the end of the pause")
    count = len(lines(marks))
    wait_for_lines(marks, count + 2)
    act(site, "services.pause_job('tick', actor)")
    server.stop()
    found = stretches(site)
    (missed,) = [row for row in found if row[0] == "Missed!"]
    (after,) = [row for row in found if row[1] == missed[2] + SECOND]
    assert missed[2] < until <= after[1], "what was due at its end or after is not the pause's"
