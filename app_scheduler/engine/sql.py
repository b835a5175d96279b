"""Many rows in one statement, and one writer at a time: what the engine asks of a database beyond Django's ORM.

The rows of a statement travel as one JSON parameter, which the database takes apart: the statement stays short, and
neither Django nor the driver touches each value. Measured on 500 rows of eight columns, that is half to a third of the
time of a VALUES list with a parameter per value.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, TypeVar, cast

from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL

#: Rows per statement, so that no parameter grows without bounds.
BATCH = 2000

Row = TypeVar("Row")
_turn = threading.RLock()
# In a child process nobody would ever release what a thread of the parent held.
os.register_at_fork(after_in_child=lambda: globals().update(_turn=threading.RLock()))


class JSONText(str):
    """A JSON document as text, which goes into a JSON column as it is."""


@contextmanager
def writing() -> Iterator[None]:
    """Hold one of the engine's transactions.

    SQLite has one writer at a time, and who comes second polls with growing pauses. Within a process a lock is fair
    and costs nothing, so the threads of the engine take turns.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield
        return
    with _turn, transaction.atomic():
        yield


def read(statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query that is asked too often for the ORM to build it anew each time."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def moments() -> tuple[Callable[[datetime], Any], Callable[[Any], datetime]]:
    """Return what makes a moment a parameter of ``read``, and what makes a column of its rows a moment again.

    Both databases are asked for moments as text: what their drivers do to read one costs more than all the rest of a
    row. SQLite's has no zone; to ask the connection for its zone for each of thousands would cost as much again.
    """
    if connection.vendor != "sqlite":
        return _as_it_is, datetime.fromisoformat
    zone = _zone()
    return partial(_moment_as_text, zone), partial(_moment_of_text, zone)


def moment_column(name: str) -> str:
    """Return how ``read`` asks for a column of moments."""
    return f"CAST({name} AS text)"


def _zone() -> tzinfo:
    """Return the zone in which the database keeps moments that say none."""
    return connection.timezone or UTC


def _as_it_is(moment: datetime) -> datetime:
    return moment


def _moment_as_text(zone: tzinfo, moment: datetime) -> str:
    if moment.tzinfo is not zone:
        moment = moment.astimezone(zone)
    return moment.replace(tzinfo=None).isoformat(" ")


def _moment_of_text(zone: tzinfo, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def in_batches(rows: Sequence[Row], size: int = BATCH) -> Iterator[Sequence[Row]]:
    """Yield ``rows`` in slices of at most ``size``."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def each_text() -> str:
    """Return the subquery that makes rows of one JSON parameter, an array of text."""
    if connection.vendor == "sqlite":
        return "SELECT value FROM json_each(%s)"
    return "SELECT jsonb_array_elements_text(%s::jsonb)"


def each_number() -> str:
    """Return the subquery that makes rows of one JSON parameter, an array of whole numbers."""
    if connection.vendor == "sqlite":
        return "SELECT value FROM json_each(%s)"
    return "SELECT jsonb_array_elements_text(%s::jsonb)::bigint"


def among(values: Sequence[str] | Sequence[int]) -> RawSQL:
    """Return ``values`` for an ``__in`` of the ORM, as one parameter however many they are."""
    each = each_number() if values and isinstance(values[0], int) else each_text()
    return RawSQL(each, [json.dumps(list(values), ensure_ascii=False)])


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition: the row of ``model`` whose ``on`` is our primary key has the values in its fields ``match``."""

    model: type[models.Model]
    on: str
    match: tuple[str, ...]


def update_from_values(
    model: type[models.Model],
    match: Sequence[str],
    change: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    guard: Guard | None = None,
) -> set[Any]:
    """Update each row whose ``match`` fields equal, setting its ``change`` fields; return the keys that matched.

    Each of ``rows`` holds the values of ``match``, then of ``change``, then of the guard; the first of ``match`` is
    the primary key, the others make it a compare-and-set. ``bulk_update`` would send a CASE of every row for every
    column. Columns of bytes are not for JSON and not for this.
    """
    if not rows:
        return set()
    table = _table(model)
    matched = [_field(model, name) for name in match]
    changed = [_field(model, name) for name in change]
    guarded = [_field(guard.model, name) for name in guard.match] if guard else []
    fields = [*matched, *changed, *guarded]
    assignments = ", ".join(f"{_column(field)} = v.c{len(matched) + i}" for i, field in enumerate(changed))
    conditions = [f"{table}.{_column(field)} = v.c{i}" for i, field in enumerate(matched)]
    if guard:
        related = [f"{_column(_field(guard.model, guard.on))} = v.c0"]
        first = len(matched) + len(changed)
        related += [f"{_column(field)} = v.c{first + i}" for i, field in enumerate(guarded)]
        conditions.append(f"EXISTS (SELECT 1 FROM {_table(guard.model)} WHERE {' AND '.join(related)})")
    updated: set[Any] = set()
    for batch in in_batches(rows):
        source, parameters = _source(fields, batch)
        statement = (
            f"WITH v AS MATERIALIZED ({source}) UPDATE {table} SET {assignments} FROM v "
            f"WHERE {' AND '.join(conditions)} RETURNING {table}.{_column(fields[0])}"
        )
        updated.update(key for (key,) in read(statement, parameters))
    return updated


def insert_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]], *, key: Sequence[str] = ()
) -> list[Any]:
    """Insert ``rows`` with the values of the fields ``names``; fields that are left out take the model's defaults.

    ``key`` names fields that are unique together: with it the primary keys are returned in the order of ``rows``.
    Raises ``IntegrityError``. No signal is sent.
    """
    fields = [_field(model, name) for name in names]
    others = [
        field
        for field in model._meta.concrete_fields
        if field not in fields
        and not isinstance(field, models.AutoField)
        and not (field.null and not field.has_default())
    ]
    defaults = [field.get_db_prep_save(field.get_default(), connection) for field in others]
    columns = ", ".join(_column(field) for field in (*fields, *others))
    selected = ", ".join([f"v.c{i}" for i in range(len(fields))] + [_cast("%s", field) for field in others])
    primary = model._meta.pk
    returned = ", ".join(_returned(field) for field in (primary, *(_field(model, name) for name in key)))
    returning = f" RETURNING {returned}" if key else ""
    positions = [names.index(name) for name in key]
    _, moment = moments()
    decoders = [moment if isinstance(_field(model, name), models.DateTimeField) else None for name in key]
    ids: list[Any] = []
    for batch in in_batches(rows):
        source, parameters = _source(fields, batch)
        statement = f"WITH v AS ({source}) INSERT INTO {_table(model)} ({columns}) SELECT {selected} FROM v{returning}"
        if not key:
            with connection.cursor() as cursor:
                cursor.execute(statement, [*parameters, *defaults])
            continue
        inserted = read(statement, [*parameters, *defaults])
        found = {tuple(map(_decoded, decoders, values)): pk for pk, *values in inserted}
        ids += [found[tuple(row[i] for i in positions)] for row in batch]
    return ids


def _decoded(decoder: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if decoder is None else decoder(value)


def _returned(field: models.Field[Any, Any]) -> str:
    return moment_column(_column(field)) if isinstance(field, models.DateTimeField) else _column(field)


# --- columns ------------------------------------------------------------------------------------------------------

Encoder = Callable[[Any], Any]


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


def _column(field: models.Field[Any, Any]) -> str:
    return connection.ops.quote_name(str(field.column))


def _source(fields: Sequence[models.Field[Any, Any]], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return the query that makes rows with columns c0, c1, … of its parameters, and the parameters.

    A column in which all rows agree, as most do where one moment's ticks are written, is a parameter of its own; the
    others are in the JSON document, in which the first always is.
    """
    item = "(value ->> {})" if connection.vendor == "sqlite" else "(item ->> {})"
    columns: list[str] = []
    parameters: list[Any] = []
    varying: list[Sequence[Any]] = []
    for i, (field, column) in enumerate(zip(fields, zip(*rows, strict=True), strict=True)):
        encoder = _encoder(field)
        if i and column.count(column[0]) == len(column):
            columns.append(f"{_cast('%s', field)} AS c{i}")
            parameters.append(_encoded(encoder, column[0]))
            continue
        columns.append(f"{_cast(item.format(len(varying)), field)} AS c{i}")
        # A column that needs no encoding, as most do, costs nothing.
        varying.append(column if encoder is None else [_encoded(encoder, value) for value in column])
    parameters.append(json.dumps(list(zip(*varying, strict=True)), ensure_ascii=False))
    table = "json_each(%s)" if connection.vendor == "sqlite" else "jsonb_array_elements(%s::jsonb) AS item"
    return f"SELECT {', '.join(columns)} FROM {table}", parameters


def _cast(expression: str, field: models.Field[Any, Any]) -> str:
    """Give an expression its column's type, which PostgreSQL does not guess. A cast to varchar(n) would cut it."""
    if connection.vendor == "sqlite":
        return expression
    kind = str(field.rel_db_type(connection) or field.db_type(connection))
    return f"{expression}::{'text' if kind.startswith('varchar') else kind}"


def _encoded(encoder: Encoder | None, value: Any) -> Any:
    return value if encoder is None or value is None else encoder(value)


def _encoder(field: models.Field[Any, Any]) -> Encoder | None:
    """Return what makes a value of ``field`` fit for JSON, or None where it is fit as it is."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, models.DateTimeField):
        return partial(_moment_as_text, _zone()) if connection.vendor == "sqlite" else datetime.isoformat
    if isinstance(field, models.DecimalField):
        return str
    if isinstance(field, models.JSONField):
        return partial(_json_as_text, encoder=field.encoder)
    if isinstance(field, models.BinaryField):
        raise TypeError(f"{field} holds bytes, which JSON cannot say. Write it by executemany.")
    if isinstance(field, models.CharField | models.TextField | models.IntegerField | models.BooleanField):
        return None
    return partial(_prepared, field)


def _prepared(field: models.Field[Any, Any], value: Any) -> Any:
    prepared = field.get_db_prep_save(value, connection)
    return prepared if isinstance(prepared, str | int) else str(prepared)


def _json_as_text(value: Any, *, encoder: type[json.JSONEncoder] | None) -> str:
    return value if isinstance(value, JSONText) else json.dumps(value, cls=encoder)
