"""Executions in one table beside executions in one partition for each hour: a simulation on PostgreSQL.

``python -m tests.benchmarks.partitions --per-hour 1000000 --hours 4`` fills two copies of the executions' table, asks
both what the console asks, and takes the oldest hour away. The site itself keeps one table: this says when that ends.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from tests import postgres
from tests.benchmarks import databases
from tests.benchmarks.results import Cell

SOURCE = "django_apscheduler_djangojobexecution"
WHOLE, PARTED = "executions_whole", "executions_parted"
JOBS = 1000
#: Each question is asked so often; the median counts.
TIMES = 5
END = datetime(2026, 1, 2, tzinfo=UTC)

QUESTIONS = {
    "the newest 50": "SELECT * FROM {table} ORDER BY run_time DESC LIMIT 50",
    "the newest 50 of a job": "SELECT * FROM {table} WHERE job_id = 'job-7' ORDER BY run_time DESC LIMIT 50",
    "outcomes of the last hour": (
        "SELECT status, count(*) FROM {table} WHERE run_time >= timestamptz '{since}' GROUP BY status"
    ),
    "a tick of a job": "SELECT * FROM {table} WHERE job_id = 'job-7' AND run_time = timestamptz '{tick}'",
    "one by its id": "SELECT * FROM {table} WHERE id = {middle}",
}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Print and return the figures: milliseconds, rows and bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-hour", type=int, default=1_000_000)
    parser.add_argument("--hours", type=int, default=4)
    given = parser.parse_args(arguments)
    with (
        databases.fresh(Cell("ours", "postgres"), 0) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        figures = measure(connection, given.per_hour, given.hours)
    print(json.dumps(figures, indent=2))
    return figures


def measure(connection: psycopg.Connection[Any], per_hour: int, hours: int) -> dict[str, Any]:
    """Fill both tables and return the figures of each. ``per_hour`` and ``hours`` are at least 1."""
    found: dict[str, Any] = {"rows": per_hour * hours, "hours": hours}
    for table, make in ((WHOLE, _make_whole), (PARTED, _make_parted)):
        make(connection, hours)
        found[table] = {"fill_seconds": _seconds(partial(_fill, connection, table, per_hour, hours))}
        _run(connection, f"VACUUM ANALYZE {table}")
    for table, take in ((WHOLE, _delete_hour), (PARTED, _drop_hour)):
        figures = found[table]
        figures["bytes"] = _bytes(connection, table)
        asked = {
            "since": END - timedelta(hours=1),
            "tick": END - timedelta(seconds=3600 / per_hour * 7),
            "middle": max(1, per_hour * hours // 2),
        }
        for name, question in QUESTIONS.items():
            statement = question.format(table=table, **asked)
            times = [_seconds(partial(_run, connection, statement)) for _ in range(TIMES)]
            figures[name] = {"ms": round(statistics.median(times) * 1000, 2), "tables": _tables(connection, statement)}
        figures["take the oldest hour away, ms"] = round(_seconds(partial(take, connection, hours)) * 1000, 1)
        figures["rows left"] = _run(connection, f"SELECT count(*) FROM {table}")[0][0]
        figures["bytes left"] = _bytes(connection, table)
    return found


def _make_whole(connection: psycopg.Connection[Any], hours: int) -> None:
    _run(connection, f"CREATE TABLE {WHOLE} (LIKE {SOURCE} INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES)")
    _run(connection, f"CREATE INDEX ON {WHOLE} (run_time)")


def _make_parted(connection: psycopg.Connection[Any], hours: int) -> None:
    # A key of a partitioned table has the moment in it; that a tick is claimed once is a key with the moment already.
    _run(connection, f"CREATE TABLE {PARTED} (LIKE {SOURCE} INCLUDING DEFAULTS) PARTITION BY RANGE (run_time)")
    _run(connection, f"ALTER TABLE {PARTED} ADD PRIMARY KEY (id, run_time), ADD UNIQUE (job_id, run_time)")
    _run(connection, f"CREATE INDEX ON {PARTED} (job_id)")
    _run(connection, f"CREATE INDEX ON {PARTED} (run_time)")
    for hour in range(hours):
        since, until = END - timedelta(hours=hour + 1), END - timedelta(hours=hour)
        bounds = f"FROM ('{since}') TO ('{until}')"
        _run(connection, f"CREATE TABLE {PARTED}_{hour} PARTITION OF {PARTED} FOR VALUES {bounds}")


def _fill(connection: psycopg.Connection[Any], table: str, per_hour: int, hours: int) -> None:
    _run(
        connection,
        f"INSERT INTO {table} (id, job_id, status, run_time, duration, finished) "
        f"SELECT n, 'job-' || n % {JOBS}, CASE WHEN n % 50 = 0 THEN 'Error!' ELSE 'Executed' END, "
        f"timestamptz '{END}' - make_interval(secs => n * 3600.0 / {per_hour}), 0.1, 0 "
        f"FROM generate_series(1, {per_hour * hours}) AS n",
    )


def _delete_hour(connection: psycopg.Connection[Any], hours: int) -> None:
    _run(connection, f"DELETE FROM {WHOLE} WHERE run_time < timestamptz '{END - timedelta(hours=hours - 1)}'")
    _run(connection, f"VACUUM {WHOLE}")


def _drop_hour(connection: psycopg.Connection[Any], hours: int) -> None:
    _run(connection, f"DROP TABLE {PARTED}_{hours - 1}")


def _tables(connection: psycopg.Connection[Any], statement: str) -> int:
    """Return how many tables a query really reads, by its plan."""
    ((plan,),) = _run(connection, f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
    read: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if "Relation Name" in node and node["Actual Loops"]:
            read.add(node["Relation Name"])
        for each in node.get("Plans", []):
            look(each)

    look(plan[0]["Plan"])
    return len(read)


def _bytes(connection: psycopg.Connection[Any], table: str) -> int:
    ((number,),) = (
        _run(connection, f"SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}')")
        if table == PARTED
        else _run(connection, f"SELECT pg_total_relation_size('{table}')")
    )
    return int(number)


def _run(connection: psycopg.Connection[Any], statement: str) -> list[Any]:
    # Texts and numbers of this module's own.
    cursor = connection.execute(sql.SQL(statement))
    return cursor.fetchall() if cursor.description else []


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    try:
        main()
    finally:
        postgres.stop()
