"""The one statement that Django's ORM has no words for: many rows, each with values of its own, in one UPDATE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django.db import connection, models

#: Rows per statement; with ten columns well under SQLite's limit of 32,766 parameters.
BATCH = 1000

Row = TypeVar("Row")


def in_batches(rows: Sequence[Row], size: int = BATCH) -> Iterator[Sequence[Row]]:
    """Yield ``rows`` in slices of at most ``size``."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def update_from_values(
    model: type[models.Model], match: Sequence[str], change: Sequence[str], rows: Sequence[Sequence[Any]]
) -> set[Any]:
    """Update each row whose ``match`` fields equal, setting its ``change`` fields; return the keys that matched.

    Each of ``rows`` holds the values of ``match`` and then of ``change``, in order; the first of ``match`` is the
    primary key, the others make it a compare-and-set. ``UPDATE … FROM (VALUES …) RETURNING`` is one statement on
    PostgreSQL and on SQLite 3.35, where ``bulk_update`` would send a CASE of every row for every column.
    """
    updated: set[Any] = set()
    for batch in in_batches(rows):
        updated |= _update_batch(model, match, change, batch)
    return updated


def _update_batch(
    model: type[models.Model], match: Sequence[str], change: Sequence[str], rows: Sequence[Sequence[Any]]
) -> set[Any]:
    meta = model._meta
    quote = connection.ops.quote_name
    table = quote(meta.db_table)
    columns = {field.name: field for field in meta.concrete_fields}
    matched = [(f"m{i}", columns[name]) for i, name in enumerate(match)]
    changed = [(f"c{i}", columns[name]) for i, name in enumerate(change)]
    fields = [field for _, field in (*matched, *changed)]
    row = f"({', '.join(['%s'] * len(fields))})"
    # PostgreSQL takes a VALUES column's type from its rows, and NULL or a literal has none: the first row says it.
    casts = [f"CAST(%s AS {field.rel_db_type(connection) or field.db_type(connection)})" for field in fields]
    first = f"({', '.join(casts)})" if connection.vendor == "postgresql" else row
    assignments = ", ".join(f"{quote(str(field.column))} = v.{alias}" for alias, field in changed)
    conditions = " AND ".join(f"{table}.{quote(str(field.column))} = v.{alias}" for alias, field in matched)
    statement = (
        f"WITH v ({', '.join(alias for alias, _ in (*matched, *changed))}) "
        f"AS (VALUES {', '.join([first] + [row] * (len(rows) - 1))}) "
        f"UPDATE {table} SET {assignments} FROM v WHERE {conditions} "
        f"RETURNING {table}.{quote(str(fields[0].column))}"
    )
    parameters = [
        field.get_db_prep_save(value, connection)
        for values in rows
        for field, value in zip(fields, values, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {key for (key,) in cursor.fetchall()}
