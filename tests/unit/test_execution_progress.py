"""What is said about how fast a run goes and how long it will take, and that nothing is said that nobody knows."""

from __future__ import annotations

import pytest

from app_scheduler.admin.execution_progress import Progress


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, ""),
        (0.0, ""),
        (-1.0, ""),
        (1234.5, "1,234 per second"),
        (52.4, "52 per second"),
        (2.34, "2.3 per second"),
        (0.5, "30 per minute"),
        (0.001, "3.6 per hour"),
    ],
)
def test_the_rate_is_in_a_unit_that_one_can_read(rate: float | None, words: str) -> None:
    assert Progress(5, 10, "", rate, 0).rate_words == words


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(1_000, 10_000, "", 52.0, 4.0), "about 2 min 49 s left"),
        (Progress(9, 10, "", 1.0, 0.5), "nearly done"),
        (Progress(9, 10, "", 1.0, 20.0), "nearly done"),
        (Progress(10, 10, "", 1.0, 0.0), ""),
        (Progress(12, 10, "", 1.0, 0.0), ""),
        (Progress(1, 0, "", 1.0, 0.0), ""),
        (Progress(1, 10, "", None, 0.0), ""),
        # It has ended.
        (Progress(1, 10, "", 1.0, None), ""),
        (Progress(1, 10, "", 1.0, 95.0), "nothing new for 1 min 35 s"),
        (Progress(1, 10, "", None, 31.0), "nothing new for 31 s"),
        # A step takes 100 s, so silence for 95 s is nothing new.
        (Progress(1, 10, "", 0.01, 95.0), "about 13 min left"),
        (Progress(1, 10, "", 0.01, 501.0), "nothing new for 8 min 21 s"),
    ],
)
def test_the_time_left_is_said_where_it_is_known(progress: Progress, words: str) -> None:
    assert progress.left_words == words


def test_who_stands_still_has_no_rate() -> None:
    assert Progress(1, 10, "", 1.0, 95.0).rate_words == ""
