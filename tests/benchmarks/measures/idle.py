"""What a scheduler costs that has nothing to do, with many jobs stored that are due another day."""

from __future__ import annotations

import time

from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import Statements, cpu_seconds

SETTLE_SECONDS = 2.0


def measure(side: Side, case: Case) -> Outcome:
    with Statements().watching() as statements:
        side.start()
        side.wait_until_ready()
        time.sleep(min(SETTLE_SECONDS, case.seconds))
        before, cpu, began = statements.sent(), cpu_seconds(), time.monotonic()
        time.sleep(case.seconds)
        # Before the statements are counted, which costs time itself.
        cpu, took = cpu_seconds() - cpu, time.monotonic() - began
        sent = statements.sent() - before
    return Outcome({"cpu_percent": 100 * cpu / took, "statements_per_second": sent.total / took})
