"""Lengths by size: a percentile of buckets is close to the percentile of the lengths."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.engine.tallies import SHORTEST, bucket_of, hour_of, length_of, percentile

LENGTHS = st.timedeltas(min_value=SHORTEST, max_value=timedelta(days=40))


@given(LENGTHS)
def test_a_bucket_stands_for_its_lengths_within_a_tenth(length: timedelta) -> None:
    assert 0.91 <= length_of(bucket_of(length)) / length <= 1.10


@given(st.lists(LENGTHS, min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_that_of_the_nearest_rank(lengths: list[timedelta], share: float) -> None:
    lengths.sort()
    rank = next(number for number in range(1, len(lengths) + 1) if number >= share * len(lengths))
    assert percentile(Counter(map(bucket_of, lengths)), share) == length_of(bucket_of(lengths[rank - 1]))


def test_what_has_no_length_is_short() -> None:
    assert bucket_of(timedelta(0)) == bucket_of(timedelta(seconds=-5)) == "0"


def test_nothing_has_no_percentile() -> None:
    assert percentile({}, 0.99) is None
    assert percentile({"3": 0}, 0.99) is None


def test_an_hour_begins_where_it_does() -> None:
    assert hour_of(datetime(2026, 11, 23, 4, 59, 59, 999999, tzinfo=UTC)) == datetime(2026, 11, 23, 4, tzinfo=UTC)
