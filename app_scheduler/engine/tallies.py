"""Lengths of time by size: four buckets for each doubling, so that a percentile is right within a tenth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import floor, log2

PER_DOUBLING = 4
#: Shorter ones are not told apart: a tenth of a millisecond.
SHORTEST = timedelta(microseconds=100)
#: As text, up to the longest length that there is.
_NUMBERS = tuple(map(str, range(floor(PER_DOUBLING * log2(timedelta.max / SHORTEST)) + 1)))


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def bucket_of(length: timedelta) -> str:
    """Return the number of a length's bucket, as text: 0 for all up to ``SHORTEST``."""
    return _NUMBERS[floor(PER_DOUBLING * log2(length / SHORTEST))] if length > SHORTEST else "0"


def length_of(bucket: str) -> timedelta:
    """Return the length in the middle of a bucket."""
    return SHORTEST * float(2 ** ((int(bucket) + 0.5) / PER_DOUBLING))


def percentile(counts: Mapping[str, int], share: float) -> timedelta | None:
    """Return the length that ``share`` (0 to 1) of those counted by bucket do not exceed; None where there are none."""
    left = share * sum(counts.values())
    last = None
    for bucket in sorted((bucket for bucket, count in counts.items() if count), key=int):
        last = length_of(bucket)
        left -= counts[bucket]
        if left <= 0:
            break
    return last
