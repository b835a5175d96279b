"""What tests do to a site from outside, as a client process does: through the services, in a process of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.live import Site, wait_until

_PREAMBLE = "from app_scheduler import scheduler, services; from app_scheduler.services import Actor; actor = Actor()\n"


def act(site: Site, code: str) -> str:
    """Run Python in a client process of the site and return what it printed."""
    return site.manage("shell", "-v0", "-c", _PREAMBLE + code).strip()


def create_job(site: Site, **document: Any) -> None:
    act(site, f"services.create_job({document!r}, actor)")


def mark_each_second(site: Site, path: Path, job_id: str = "tick") -> None:
    """Create the job that appends a line to ``path`` each second."""
    create_job(
        site,
        id=job_id,
        function="tests.probe.jobs.mark",
        kwargs={"path": str(path)},
        trigger={"type": "interval", "seconds": 1},
    )


def lines(path: Path) -> list[tuple[float, int]]:
    """Return what ``mark`` wrote: (time, process)."""
    if not path.exists():
        return []
    return [(float(line.split()[0]), int(line.split()[1])) for line in path.read_text().splitlines()]


def wait_for_lines(path: Path, count: int, seconds: float = 30) -> list[tuple[float, int]]:
    wait_until(lambda: len(lines(path)) >= count, seconds, f"{count} lines in {path}")
    return lines(path)


def statuses(site: Site, job_id: str) -> Counter[str]:
    """Return how many executions of a job have which status."""
    query = "SELECT status FROM django_apscheduler_djangojobexecution WHERE job_id = %s"
    return Counter(status for (status,) in site.rows(query, job_id))


def runs_per_tick(site: Site, job_id: str) -> Counter[Any]:
    """Return how many scheduled executions each tick of a job has."""
    query = (
        "SELECT e.run_time FROM django_apscheduler_djangojobexecution e JOIN app_scheduler_executiondetail d "
        "ON d.execution_id = e.id WHERE e.job_id = %s AND d.origin = 'schedule'"
    )
    return Counter(moment for (moment,) in site.rows(query, job_id))


def leader(site: Site) -> int | None:
    """Return the process that leads."""
    query = "SELECT i.pid FROM app_scheduler_schedulerinstance i JOIN app_scheduler_schedulerlease l ON l.holder = i.id"
    rows = site.rows(query)
    return int(rows[0][0]) if rows else None
