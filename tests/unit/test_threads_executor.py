"""The threads that run executions: how many they take, what they give back, how they stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from app_scheduler.engine.executors import threads
from app_scheduler.engine.executors.threads import ThreadsExecutor
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.models import Status
from tests.live import wait_until

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Bench:
    """An executor whose runs last until the test lets them end."""

    def __init__(self, slots: int) -> None:
        self.gate = threading.Event()
        self.began: list[int] = []
        self.ended: list[int] = []
        self.woken = 0
        self.executor = ThreadsExecutor(slots)
        self.executor.on_finish = lambda outcome: self.ended.append(outcome.run.execution_id)
        self.executor.on_free = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def run(self, run: Run) -> Outcome:
        self.began.append(run.execution_id)
        self.gate.wait(10)
        return Outcome(run, Status.EXECUTED, NOW, NOW)

    def submit(self, *ids: int) -> None:
        self.executor.submit([Run(pk, f"job-{pk}", "tests.probe.jobs.add", [], {}, NOW) for pk in ids])


@pytest.fixture
def make_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Bench]]:
    made: list[Bench] = []

    def make(slots: int) -> Bench:
        bench = Bench(slots)
        made.append(bench)
        monkeypatch.setattr(threads, "execute", bench.run)
        return bench

    yield make
    for bench in made:
        bench.gate.set()
        bench.executor.stop(5)


MakeBench = Callable[[int], Bench]


def test_no_more_run_at_once_than_there_are_slots(make_bench: MakeBench) -> None:
    bench = make_bench(2)
    bench.submit(1, 2, 3)
    assert wait_until(lambda: len(bench.began) == 2, 5, "two that run")
    assert (bench.executor.busy, bench.executor.free) == (3, 0)
    assert bench.executor.running() == [1, 2, 3]
    bench.gate.set()
    assert wait_until(lambda: sorted(bench.ended) == [1, 2, 3], 5, "all three to end")
    assert wait_until(lambda: bench.executor.busy == 0, 5, "free slots")


def test_what_has_not_begun_is_given_back_and_never_runs(make_bench: MakeBench) -> None:
    bench = make_bench(1)
    bench.submit(1, 2, 3)
    assert wait_until(lambda: bench.began == [1], 5, "the first to begin")
    assert bench.executor.take_back(60) == []  # It has begun just now, so the others may still get their turn.
    assert [run.execution_id for run in bench.executor.take_back()] == [2, 3]
    assert bench.executor.running() == [1]
    bench.gate.set()
    bench.executor.stop(5)
    assert bench.ended == [1]


def test_a_stop_lets_what_waits_run_and_then_ends_the_threads(make_bench: MakeBench) -> None:
    before = threading.active_count()
    bench = make_bench(2)
    bench.gate.set()
    bench.submit(*range(20))
    bench.executor.stop(10)
    assert sorted(bench.ended) == list(range(20))
    assert wait_until(lambda: threading.active_count() <= before, 5, "the threads' end")


def test_a_stop_leaves_what_hangs(make_bench: MakeBench) -> None:
    bench = make_bench(1)
    bench.submit(1)
    assert wait_until(lambda: bench.began == [1], 5, "the run to begin")
    bench.executor.stop(0.01)
    assert bench.executor.running() == [1]


def test_short_runs_are_taken_ahead_and_long_ones_are_not(make_bench: MakeBench) -> None:
    bench = make_bench(10)
    lengths = bench.executor._lengths
    assert bench.executor.free == 10  # Nothing is known yet.
    for _ in range(100):
        lengths.note(threads.AHEAD_SECONDS / 5)
    assert bench.executor.free == pytest.approx(10 + 50, abs=1)
    for _ in range(100):
        lengths.note(0)
    assert bench.executor.free == 10 + threads.MAX_AHEAD
    lengths.note(60)
    assert bench.executor.free == 10


def test_the_loop_is_woken_when_half_is_left_and_not_for_each_run(make_bench: MakeBench) -> None:
    bench = make_bench(4)
    bench.gate.set()
    bench.executor._ahead = lambda: 96  # type: ignore[method-assign]
    bench.submit(*range(100))
    assert wait_until(lambda: bench.executor.busy == 0, 10, "all to end")
    assert 1 <= bench.woken <= 51
