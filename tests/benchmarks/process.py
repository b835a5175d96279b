"""The process of one side: ``python -m tests.benchmarks.process prepare|MEASURE SIDE JSON``, on ``DATABASE_URL``.

``prepare`` makes the tables and stores the case's jobs. A measure prints its outcome as one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from dataclasses import asdict

import django
from django.core.management import call_command
from django.db import connection

from tests.benchmarks.results import Case, Outcome


def prepare(side_name: str, case: Case) -> None:
    from tests.benchmarks.sides import SIDES

    call_command("migrate", verbosity=0)
    SIDES[side_name]().fill(case.stored)
    if connection.vendor == "postgresql":
        # As autovacuum would before long.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    connection.close()


def measure(name: str, side_name: str, case: Case) -> Outcome:
    from tests.benchmarks.sides import SIDES
    from tests.benchmarks.watch import Faults

    faults = Faults()
    side = SIDES[side_name]()
    if side_name == "memory":
        side.fill(case.stored)
    outcome: Outcome = importlib.import_module(f"tests.benchmarks.measures.{name}").measure(side, case)
    if outcome.done < outcome.wanted:
        outcome.fault = faults.last or "it did not go on"
    return outcome


def main(name: str, side_name: str, case: Case) -> None:
    django.setup()
    if name == "prepare":
        prepare(side_name, case)
        return
    status = 1
    try:
        print(json.dumps(asdict(measure(name, side_name, case))), flush=True)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # A pool would have the process wait for what it still holds; the database is thrown away.
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Case(**json.loads(sys.argv[3])))
