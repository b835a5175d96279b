"""A long past in one table and in thirty partitions: the pages over it, a burst into it, and retention.

What an installation with a million executions per hour would have to choose between; see docs/deploy.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db.models import Max, Min
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import scheduler
from app_scheduler.maintenance.history import delete_old_executions
from app_scheduler.models import ExecutionDetail
from tests.benchmarks import id_ranges, ledger
from tests.benchmarks.burst import WARM_UP_JOBS, first_tick, set_ticks, warm_up
from tests.benchmarks.jobs import starts
from tests.benchmarks.measures.pages import look_at_pages
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import wait_for

PAGES = ("jobs", "job", "executions", "errors", "execution", "overview")
#: One for each day of the past.
PARTS = ledger.PAST.days
BURST = 1000
BATCH = 5000


def measure(side: Side, case: Case) -> Outcome:
    burst = min(BURST, case.count)
    side.add(range(max(burst, WARM_UP_JOBS)))
    warm_up(side)
    made = ledger.make(case.count)
    figures = {f"whole_{name}": value for name, value in _figures(side, burst, _delete_oldest).items()}
    scheduler.shutdown()
    id_ranges.partition(PARTS)
    side.start()
    side.wait_until_ready()
    figures |= {f"parts_{name}": value for name, value in _figures(side, burst, id_ranges.drop_oldest).items()}
    return Outcome(figures, made, made)


def _retry_the_oldest() -> None:
    """Have the newest execution be a retry of the oldest: a reference out of one range into another."""
    ids = DjangoJobExecution.objects.aggregate(first=Min("pk"), last=Max("pk"))
    ExecutionDetail.objects.filter(pk=ids["last"]).update(retry_of=ids["first"])


def _figures(side: Side, burst: int, prune: Callable[[], int]) -> dict[str, float]:
    figures = {"megabytes": id_ranges.megabytes()}
    looks = look_at_pages(is_ours=True)
    figures |= {f"{page}_ms": looks[f"{page}_ms"] for page in PAGES}
    _retry_the_oldest()
    figures["burst_per_second"] = burst / _burst_seconds(side, burst)
    began = time.perf_counter()
    if not prune():
        raise RuntimeError("Nothing was old enough to go.")
    pruned = time.perf_counter()
    id_ranges.vacuum()
    return {**figures, "prune_seconds": pruned - began, "vacuum_seconds": time.perf_counter() - pruned}


def _burst_seconds(side: Side, count: int) -> float:
    """Return the seconds from the tick of ``count`` jobs until all are recorded."""
    starts.clear()
    due = set_ticks(side, dict.fromkeys(range(count), first_tick(count)))
    wait_for(lambda: len(starts), count)
    wait_for(lambda: 0 if ExecutionDetail.objects.running().exists() else 1, 1)
    return time.time() - due


def _delete_oldest() -> int:
    # The past began a little more than its days ago: its oldest day goes, as by the job delete_old_executions.
    return delete_old_executions(PARTS - 1, keep_per_job=10**9, batch_size=BATCH).total
