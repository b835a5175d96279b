"""Half hours, numbered from 1970 on: executions of one are one mark, added up where they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Func

SLOT = timedelta(minutes=30)


def slot_begin(number: int) -> datetime:
    """Return the moment at which a half hour begins, in UTC."""
    return datetime.fromtimestamp(number * SLOT.total_seconds(), UTC)


class SlotOf(Func):
    """The number of half hours from 1970 to a moment, counted in the database."""

    output_field = BigIntegerField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / {int(SLOT.total_seconds())}"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {int(SLOT.total_seconds())})::bigint"
        return self.as_sql(compiler, connection, template=template, **context)
