"""The log of a run while it goes on: what another thread may see of it."""

from __future__ import annotations

import pytest

from app_scheduler.engine.capture import RunLog


def texts(shown: str) -> list[str]:
    return [line if line.startswith("…") else line.rpartition(" ")[2] for line in shown.split("\n")]


def test_what_there_is_so_far_is_what_the_end_will_have() -> None:
    log = RunLog(100_000)
    for number in range(20):
        log.add("INFO", f"{number}")
        assert log.so_far(100_000) == log.text()
    assert log.entries == 20


@pytest.mark.parametrize("limit", [100_000, 4_000], ids=["nothing dropped", "dropped before"])
def test_so_much_of_it_as_fits_its_beginning_and_its_end(limit: int) -> None:
    log = RunLog(limit)
    for number in range(1000):
        log.add("INFO", f"{number}")
    shown = log.so_far(1_000)
    assert len(shown) < 1_100
    lines = texts(shown)
    assert (lines[0], lines[-1]) == ("0", "999")
    (gap,) = [line for line in lines if line.startswith("…")]
    assert gap == f"… {1000 - len(lines) + 1:,} lines left out …"


def test_asking_changes_nothing() -> None:
    log = RunLog(100_000)
    log.write("PRINT", "half a line")
    assert log.so_far(1_000) == ""
    log.write("PRINT", ", and the rest\n")
    assert log.so_far(1_000).endswith("half a line, and the rest")


def test_one_line_that_does_not_fit_is_left_out() -> None:
    log = RunLog(100_000)
    log.add("INFO", "x" * 5_000)
    assert log.so_far(1_000) == "… 1 lines left out …"
