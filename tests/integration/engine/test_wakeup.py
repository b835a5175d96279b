"""The doorbell: one ring wakes every instance, on either database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from app_scheduler.engine.lease import Lease, ensure_lease
from app_scheduler.engine.wakeup import Doorbell
from tests.live import wait_until

Listener = tuple[Doorbell, threading.Event]


@pytest.fixture
def listen(transactional_db: None) -> Iterator[Callable[[], Listener]]:
    """Return what makes an instance that listens; its event is set when somebody rings."""
    bells: list[Doorbell] = []

    def make() -> Listener:
        rung = threading.Event()
        bell = Doorbell(rung.set)
        bell.listen()
        bells.append(bell)
        Lease(instance=f"host-{len(bells)}-x").beat(slots=1, busy=0, version="", bell=bell.port)
        return bell, rung

    yield make
    for bell in bells:
        bell.close()
        if bell._thread is not None:
            bell._thread.join(5)


def test_all_instances_hear_a_ring(listen: Callable[[], Listener]) -> None:
    """The leader of something to do, the standbys of a leader that has gone."""
    ensure_lease()
    others = [listen() for _ in range(3)]

    def all_heard() -> bool:
        Doorbell(lambda: None).ring()  # A listener may not have begun yet.
        return all(rung.is_set() for _, rung in others)

    wait_until(all_heard, 10, "all to hear")


def test_on_sqlite_nobody_rings_at_their_own_door(listen: Callable[[], Listener]) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite only")
    bell, own = listen()
    _, other = listen()
    bell.ring()
    assert other.wait(5)
    assert not own.is_set()


def test_a_ring_at_a_door_where_nobody_is_does_no_harm(listen: Callable[[], Listener]) -> None:
    bell, _ = listen()
    bell.close()
    _, rung = listen()

    def heard() -> bool:
        Doorbell(lambda: None).ring()
        return rung.is_set()

    wait_until(heard, 10, "the other to hear")


def test_a_bell_that_is_closed_before_its_thread_begins_ends_in_silence(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))
    bell = Doorbell(lambda: None)
    bell.listen()
    bell.close()
    assert threads
    for thread in threads:
        start(thread)
        thread.join(5)
        assert not thread.is_alive()


def test_a_bell_that_is_opened_again_at_once_listens_in_one_thread(listen: Callable[[], Listener]) -> None:
    bell, _ = listen()
    first = bell._thread
    bell.close()
    bell.listen()
    assert first is not None
    first.join(5)
    assert not first.is_alive()
    assert bell.alive
