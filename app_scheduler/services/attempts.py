"""The chain of attempts: an execution, what it repeats, and what repeats it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from app_scheduler.engine.sql import among, each_number, read
from app_scheduler.models import ExecutionDetail

#: Steps back that are looked at: more than a job may retry by itself, and an end where rows go round in a circle.
MAX_STEPS = 200
_DETAIL = ExecutionDetail._meta.db_table
_BACK = f"""
WITH RECURSIVE back(asked, id, before, steps) AS (
    SELECT execution_id, execution_id, retry_of_id, 0 FROM {_DETAIL} WHERE execution_id IN ({{}})
    UNION ALL
    SELECT back.asked, d.execution_id, d.retry_of_id, back.steps + 1
    FROM back JOIN {_DETAIL} d ON d.execution_id = back.before WHERE back.steps < {MAX_STEPS}
)
SELECT asked, id FROM back ORDER BY steps
"""


def first_attempts(ids: Sequence[int]) -> dict[int, int]:
    """Return, by execution, the first attempt of its chain as far as retention has left it: itself without any before.

    One query.
    """
    return dict(read(_BACK.format(each_number()), [json.dumps(list(ids))])) if ids else {}


def retried_by(ids: Sequence[int]) -> dict[int, list[int]]:
    """Return, by execution, those that repeat it itself, the oldest first. One query."""
    found: dict[int, list[int]] = defaultdict(list)
    if ids:
        rows = ExecutionDetail.objects.filter(retry_of__in=among(list(ids))).order_by("pk")
        for before, pk in rows.values_list("retry_of_id", "pk"):
            found[before].append(pk)
    return found
