"""SQL statements per execution when many jobs are due at one instant, on all connections but the one that asks."""

from __future__ import annotations

import time

from tests.benchmarks.burst import WARM_UP_JOBS, run_burst, warm_up
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side
from tests.benchmarks.watch import PATIENCE_SECONDS, Sent, Statements

#: A loop with nothing to do sends fewer statements in a second; a burst sends more.
QUIET_PER_SECOND = 50


def measure(side: Side, case: Case) -> Outcome:
    side.add(range(max(case.count, WARM_UP_JOBS)))
    with Statements().watching() as statements:
        warm_up(side)
        before = _sent_when_quiet(statements)
        done = run_burst(side, case.count).recorded.count
        sent = _sent_when_quiet(statements) - before
    runs = max(done, 1)
    figures = {"per_execution": sent.total / runs, "control_per_execution": sent.control / runs}
    return Outcome(figures, done, case.count)


def _sent_when_quiet(statements: Statements) -> Sent:
    """Return what was sent when nothing of a burst goes on: the last verdict need not be the last that is written."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    sent = statements.sent()
    while time.monotonic() < deadline:
        time.sleep(1)
        sent, before = statements.sent(), sent
        if (sent - before).total < QUIET_PER_SECOND:
            break
    return sent
