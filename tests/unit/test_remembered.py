"""Answers that are given again for a while."""

from __future__ import annotations

import threading
from unittest import mock

import pytest

from app_scheduler.services.remembered import Remembered


def test_an_answer_is_given_again_until_it_is_too_old() -> None:
    answers = iter(range(10))
    kept: Remembered[int] = Remembered(seconds=60)
    with mock.patch("app_scheduler.services.remembered.time.monotonic", return_value=100.0) as clock:
        assert [kept.to("sums", lambda: next(answers)) for _ in range(3)] == [0, 0, 0]
        clock.return_value = 160.1
        assert kept.to("sums", lambda: next(answers)) == 1


def test_another_question_has_its_own_answer_and_a_fault_leaves_none() -> None:
    kept: Remembered[int] = Remembered(seconds=60)
    assert kept.to("today", lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        kept.to("tomorrow", lambda: 1 // 0)
    assert kept.to("tomorrow", lambda: 3) == 3
    kept.forget()
    assert kept.to("tomorrow", lambda: 4) == 4


def test_those_who_ask_at_once_have_it_worked_out_once() -> None:
    kept: Remembered[int] = Remembered(seconds=60)
    began, go_on = threading.Event(), threading.Event()
    worked_out = []

    def work_out() -> int:
        began.set()
        assert go_on.wait(10)
        worked_out.append(1)
        return len(worked_out)

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(kept.to("sums", work_out))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert began.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == [1, 1, 1]
