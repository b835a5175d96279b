"""Pause, resume, run now and delete many jobs: seconds and statements, in a process that runs none of them."""

from __future__ import annotations

import time

from django.db import connection

from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side, job_id
from tests.benchmarks.watch import Statements


def measure(side: Side, case: Case) -> Outcome:
    figures: dict[str, float] = {}
    connection.close()  # The one that this thread opens next is traced.
    with Statements(main=True).watching() as statements:
        side.become_client()
        side.add(range(case.count))
        ids = [job_id(number) for number in range(case.count)]
        for verb in (side.pause, side.resume, side.run_now, side.delete):
            before, began = statements.sent(), time.perf_counter()
            verb(ids)
            figures[f"{verb.__name__}_seconds"] = time.perf_counter() - began
            figures[f"{verb.__name__}_statements"] = (statements.sent() - before).total
    return Outcome(figures, case.count, case.count)
