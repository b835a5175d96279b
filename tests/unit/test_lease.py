from __future__ import annotations

from app_scheduler.engine.lease import Lease, name_of


def test_an_instance_is_named_by_its_process_and_its_host() -> None:
    assert name_of("web-2-4711-a1b2c3") == "process 4711 on web-2"
    assert name_of("here") == "process here"
    assert name_of(Lease().instance).startswith("process ")
