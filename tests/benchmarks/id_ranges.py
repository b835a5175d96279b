"""A trial of partitions: the tables of executions and their details, cut by ranges of the execution's id.

PostgreSQL asks for the partition's key in each unique key. By the id, the primary keys and the references between the
tables stay as they are; (job, run_time) becomes a plain index, since nothing but the claim's compare-and-set is needed
to run a tick once. Ids grow with time, so a partition is a span of time.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Min
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.models import ExecutionDetail

EXECUTIONS = DjangoJobExecution._meta.db_table
DETAILS = ExecutionDetail._meta.db_table
#: The column of each table that is its primary key.
KEYS = {EXECUTIONS: "id", DETAILS: "execution_id"}


def partition(parts: int) -> None:
    """Replace both tables by copies: ``parts`` partitions of about as many executions, one for those to come."""
    bounds = _bounds(parts)
    with transaction.atomic():
        references = _references()
        for table, name, _definition in references:
            _execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
        for table in KEYS:
            _replace(table, bounds)
        for table, name, definition in references:
            _execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}')
    vacuum()


def drop_oldest() -> int:
    """Drop the partition with the oldest executions, in one transaction, and return how many they were."""
    count = int(_rows(f'SELECT count(*) FROM "{EXECUTIONS}_0"')[0][0])
    with transaction.atomic():
        # A later retry of one that goes stays, as with the job delete_old_executions.
        _execute(f'UPDATE "{DETAILS}" SET retry_of_id = NULL WHERE retry_of_id IN (SELECT id FROM "{EXECUTIONS}_0")')
        # Else what it left to be checked stands in the way of the tables' change.
        _execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in (DETAILS, EXECUTIONS):
            _execute(f'ALTER TABLE "{table}" DETACH PARTITION "{table}_0"')
            _execute(f'DROP TABLE "{table}_0"')
    return count


def vacuum() -> None:
    """Clean both tables up and count their values, as autovacuum would before long."""
    for table in KEYS:
        _execute(f'VACUUM ANALYZE "{table}"')


def megabytes() -> float:
    """Return what both tables take with their indexes."""
    # Of a table without partitions the tree is empty.
    every = " UNION ".join(
        f"SELECT '\"{table}\"'::regclass AS part UNION SELECT relid FROM pg_partition_tree('\"{table}\"')"
        for table in KEYS
    )
    return float(_rows(f"SELECT sum(pg_total_relation_size(part)) FROM ({every}) AS parts")[0][0]) / 1e6


def _bounds(parts: int) -> list[int]:
    ids = DjangoJobExecution.objects.aggregate(first=Min("pk"), last=Max("pk"))
    first, last = ids["first"] or 0, ids["last"] or 0
    # A partition with no id in it could not be made.
    return sorted({first + (last + 1 - first) * part // parts for part in range(parts + 1)})


def _references() -> list[tuple[str, str, str]]:
    """Return the foreign keys from and to the two tables: whose each is, its name and its definition."""
    return _rows(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        f"WHERE contype = 'f' AND (conrelid IN {_both()} OR confrelid IN {_both()})"
    )


def _both() -> str:
    return "(" + ", ".join(f"'\"{table}\"'::regclass" for table in KEYS) + ")"


def _replace(table: str, bounds: list[int]) -> None:
    key = KEYS[table]
    unique = set(
        _column(
            "SELECT conindid::regclass::text FROM pg_constraint "
            f"WHERE conrelid = '\"{table}\"'::regclass AND contype IN ('p', 'u')"
        )
    )
    kept = [
        definition
        for name, definition in _rows(f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}'")
        if name not in unique
    ]
    if table == EXECUTIONS:
        kept.append(f'CREATE INDEX unique_job_executions ON public."{EXECUTIONS}" (job_id, run_time)')
    _execute(f'ALTER TABLE "{table}" RENAME TO "{table}_whole"')
    _execute(
        f'CREATE TABLE "{table}" (LIKE "{table}_whole" INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING CONSTRAINTS) '
        f'PARTITION BY RANGE ("{key}")'
    )
    for number, (first, after) in enumerate(pairwise(bounds)):
        _execute(f'CREATE TABLE "{table}_{number}" PARTITION OF "{table}" FOR VALUES FROM ({first}) TO ({after})')
    _execute(f'CREATE TABLE "{table}_new" PARTITION OF "{table}" FOR VALUES FROM ({bounds[-1]}) TO (MAXVALUE)')
    _execute(f'INSERT INTO "{table}" SELECT * FROM "{table}_whole"')
    _execute(f'DROP TABLE "{table}_whole"')
    _execute(f'ALTER TABLE "{table}" ADD PRIMARY KEY ("{key}")')
    for definition in kept:
        _execute(re.sub(r"\bUNIQUE ", "", definition))
    if table == EXECUTIONS:
        _execute(f'ALTER TABLE "{table}" ALTER COLUMN id RESTART WITH {bounds[-1]}')


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _column(query: str) -> list[str]:
    return [row[0] for row in _rows(query)]
