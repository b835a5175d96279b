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
from functools import lru_cache, partial
from typing import Any, TypeVar, cast

from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL

from app_scheduler.engine.connections import engine_cursor

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
    with engine_cursor() as cursor:
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
    updated: set[Any] = set()
    if not rows:
        return updated
    columns, template = _update(_dialect(), model, tuple(match), tuple(change), guard)
    for batch in in_batches(rows):
        source, parameters = _source(columns, batch)
        updated.update(key for (key,) in read(template.format(source=source), parameters))
    return updated


def insert_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]], *, key: Sequence[str] = ()
) -> list[Any]:
    """Insert ``rows`` with the values of the fields ``names``; fields that are left out take the model's defaults.

    ``key`` names fields that are unique together: with it the primary keys are returned in the order of ``rows``.
    Raises ``IntegrityError``. No signal is sent.
    """
    if not rows:
        return []
    columns, template, defaults = _insert(_dialect(), model, tuple(names), tuple(key))
    positions = [names.index(name) for name in key]
    decoders = [columns[position].decode for position in positions]
    ids: list[Any] = []
    for batch in in_batches(rows):
        source, parameters = _source(columns, batch)
        statement = template.format(source=source)
        if not key:
            with engine_cursor() as cursor:
                cursor.execute(statement, [*parameters, *defaults])
            continue
        inserted = read(statement, [*parameters, *defaults])
        found = {
            tuple(
                value if decode is None else decode(value) for decode, value in zip(decoders, values, strict=True)
            ): pk
            for pk, *values in inserted
        }
        ids += [found[tuple(row[position] for position in positions)] for row in batch]
    return ids


def upsert_rows(
    model: type[models.Model],
    key: Sequence[str],
    change: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Insert ``rows``, or change those that are there already under the same ``key``, fields that are unique together.

    Each of ``rows`` holds the values of ``key``, then of the fields of ``change``, which says for each what becomes of
    it, in SQL of ``{old}``, ``{new}`` and ``{row}``, the row that is there: ``ADD``, ``GREATER``. The rows are locked
    in the order given: sort them, so that no two processes wait for one another. No signal is sent.
    """
    if not rows:
        return
    columns, template, defaults = _upsert(_dialect(), model, tuple(key), tuple(change))
    for batch in in_batches(rows):
        source, parameters = _source(columns, batch)
        with engine_cursor() as cursor:
            cursor.execute(template.format(source=source), [*parameters, *defaults])


#: What becomes of a field in ``upsert_rows``.
ADD = "{old} + {new}"
GREATER = "CASE WHEN {new} > {old} THEN {new} ELSE {old} END"
LESSER = "CASE WHEN {new} < {old} THEN {new} ELSE {old} END"


# --- statements, built once for each shape ------------------------------------------------------------------------

Coder = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What a statement hangs on besides its tables: the database's kind, and the zone of moments that say none."""

    vendor: str
    zone: tzinfo

    @property
    def is_sqlite(self) -> bool:
        return self.vendor == "sqlite"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its quoted name, the cast that its values need, and what makes them fit for JSON and back."""

    name: str
    cast: str
    returned: str
    encode: Coder | None
    decode: Coder | None


def _dialect() -> _Dialect:
    return _Dialect(connection.vendor, _zone())


@lru_cache(maxsize=256)
def _update(
    dialect: _Dialect, model: type[models.Model], match: Sequence[str], change: Sequence[str], guard: Guard | None
) -> tuple[list[_Column], str]:
    """Return the columns of an update and its statement, with a place for the source of its rows."""
    table = _quoted(model._meta.db_table)
    matched, changed = _columns(dialect, model, match), _columns(dialect, model, change)
    guarded = _columns(dialect, guard.model, guard.match) if guard else []
    assignments = [f"{column.name} = v.c{len(matched) + i}" for i, column in enumerate(changed)]
    conditions = [f"{table}.{column.name} = v.c{i}" for i, column in enumerate(matched)]
    if guard:
        (on,) = _columns(dialect, guard.model, (guard.on,))
        first = len(matched) + len(changed)
        related = [f"{on.name} = v.c0", *(f"{column.name} = v.c{first + i}" for i, column in enumerate(guarded))]
        other = _quoted(guard.model._meta.db_table)
        conditions.append(f"EXISTS (SELECT 1 FROM {other} WHERE {' AND '.join(related)})")
    template = (
        f"WITH v AS MATERIALIZED ({{source}}) UPDATE {table} SET {', '.join(assignments)} FROM v "
        f"WHERE {' AND '.join(conditions)} RETURNING {table}.{matched[0].name}"
    )
    return [*matched, *changed, *guarded], template


@lru_cache(maxsize=256)
def _insert(
    dialect: _Dialect, model: type[models.Model], names: Sequence[str], key: Sequence[str]
) -> tuple[list[_Column], str, list[Any]]:
    """Return the columns of an insert, its statement with a place for the source of its rows, and the defaults."""
    columns, template, defaults = _insertion(dialect, model, names)
    if key:
        returned = _columns(dialect, model, [_primary(model).name, *key])
        template += f" RETURNING {', '.join(column.returned for column in returned)}"
    return columns, template, defaults


@lru_cache(maxsize=64)
def _upsert(
    dialect: _Dialect, model: type[models.Model], key: Sequence[str], change: Sequence[tuple[str, str]]
) -> tuple[list[_Column], str, list[Any]]:
    """Return the columns of an upsert, its statement with a place for the source of its rows, and the defaults."""
    columns, insertion, defaults = _insertion(dialect, model, [*key, *(name for name, _ in change)])
    table = _quoted(model._meta.db_table)
    assignments = [
        f"{column.name} = {formula.format(old=f'{table}.{column.name}', new=f'excluded.{column.name}', row=table)}"
        for column, (_, formula) in zip(columns[len(key) :], change, strict=True)
    ]
    target = ", ".join(column.name for column in columns[: len(key)])
    # Without a WHERE, SQLite takes the ON of the conflict for the condition of a join.
    return columns, f"{insertion} WHERE true ON CONFLICT ({target}) DO UPDATE SET {', '.join(assignments)}", defaults


def _insertion(
    dialect: _Dialect, model: type[models.Model], names: Sequence[str]
) -> tuple[list[_Column], str, list[Any]]:
    """Return the columns of the fields ``names``, the statement that inserts them, and the defaults of the others."""
    given = [_field(model, name) for name in names]
    others = [
        field
        for field in model._meta.concrete_fields
        if field not in given
        and not isinstance(field, models.AutoField)
        and not (field.null and not field.has_default())
    ]
    defaults = [field.get_db_prep_save(field.get_default(), connection) for field in others]
    columns, rest = (_columns(dialect, model, [field.name for field in fields]) for fields in (given, others))
    targets = ", ".join(column.name for column in (*columns, *rest))
    selected = ", ".join([f"v.c{i}" for i in range(len(columns))] + [f"%s{column.cast}" for column in rest])
    table = _quoted(model._meta.db_table)
    return columns, f"WITH v AS ({{source}}) INSERT INTO {table} ({targets}) SELECT {selected} FROM v", defaults


def _source(columns: Sequence[_Column], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return the query that makes rows with columns c0, c1, … of its parameters, and the parameters.

    A column in which all rows agree, as most do where one moment's ticks are written, is a parameter of its own; the
    others are in the JSON document, in which the first always is.
    """
    selected: list[str] = []
    parameters: list[Any] = []
    varying: list[Sequence[Any]] = []
    for i, (column, values) in enumerate(zip(columns, zip(*rows, strict=True), strict=True)):
        encode, first = column.encode, values[0]
        if i and values.count(first) == len(values):
            selected.append(f"%s{column.cast} AS c{i}")
            parameters.append(first if encode is None or first is None else encode(first))
            continue
        selected.append(f"(item.value ->> {len(varying)}){column.cast} AS c{i}")
        # A column that needs no encoding, as most do, costs nothing.
        varying.append(values if encode is None else [None if value is None else encode(value) for value in values])
    parameters.append(json.dumps(list(zip(*varying, strict=True)), ensure_ascii=False))
    each = "json_each(%s)" if connection.vendor == "sqlite" else "jsonb_array_elements(%s::jsonb)"
    return f"SELECT {', '.join(selected)} FROM {each} AS item", parameters


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


def _primary(model: type[models.Model]) -> models.Field[Any, Any]:
    return model._meta.pk


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _columns(dialect: _Dialect, model: type[models.Model], names: Sequence[str]) -> list[_Column]:
    return [_column(dialect, _field(model, name)) for name in names]


def _column(dialect: _Dialect, field: models.Field[Any, Any]) -> _Column:
    name = _quoted(str(field.column))
    cast_to = ""
    if not dialect.is_sqlite:
        # PostgreSQL guesses no type, and a cast to varchar(n) would cut a value without a word.
        kind = str(field.rel_db_type(connection) or field.db_type(connection))
        cast_to = f"::{'text' if kind.startswith('varchar') else kind}"
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, models.DateTimeField):
        encode, decode = _moment_coders(dialect)
        return _Column(name, cast_to, moment_column(name), encode, decode)
    return _Column(name, cast_to, name, _encoder(field), None)


def _moment_coders(dialect: _Dialect) -> tuple[Coder, Coder]:
    if dialect.is_sqlite:
        return partial(_moment_as_text, dialect.zone), partial(_moment_of_text, dialect.zone)
    return datetime.isoformat, datetime.fromisoformat


def _encoder(field: models.Field[Any, Any]) -> Coder | None:
    """Return what makes a value of ``field`` fit for JSON, or None where it is fit as it is."""
    if isinstance(field, models.DecimalField):
        return str
    if isinstance(field, models.JSONField):
        return partial(_json_as_text, encoder=field.encoder)
    if isinstance(field, models.BinaryField):
        raise TypeError(f"{field} holds bytes, which JSON cannot say. Write it by executemany.")
    if isinstance(field, models.CharField | models.TextField | models.IntegerField | models.FloatField):
        return None
    if isinstance(field, models.BooleanField):
        return None
    return partial(_prepared, field)


def _prepared(field: models.Field[Any, Any], value: Any) -> Any:
    prepared = field.get_db_prep_save(value, connection)
    return prepared if isinstance(prepared, str | int) else str(prepared)


def _json_as_text(value: Any, *, encoder: type[json.JSONEncoder] | None) -> str:
    return value if isinstance(value, JSONText) else json.dumps(value, cls=encoder)
