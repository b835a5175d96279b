"""What the loop says of gaps: the outage before it led, and the last pause of everything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django_apscheduler.models import DjangoJob

from app_scheduler.engine import claim, recovery
from app_scheduler.engine.lease import ensure_lease, read_lease
from app_scheduler.models import ExecutionDetail, SchedulerLease
from tests.integration.engine.conftest import MakeJob, Passes

pytestmark = pytest.mark.django_db


@pytest.fixture
def leader(make_passes: Callable[[], Passes]) -> Passes:
    """A scheduler that is about to take over after an hour in which nobody led."""
    ensure_lease()
    SchedulerLease.objects.update(alive_at=datetime.now(UTC) - timedelta(hours=1))
    return make_passes()


def whole_pass(leader: Passes) -> None:
    leader.wakeup()
    leader.look()


def overdue(make_job: MakeJob, job_id: str = "tick") -> None:
    """Store a job whose tick came half an hour ago, and that has no other till 2099."""
    make_job(id=job_id, trigger="at 2099-01-01 12:00", misfire_grace_time=None)
    DjangoJob.objects.filter(id=job_id).update(next_run_time=datetime.now(UTC) - timedelta(minutes=30))


def reasons() -> list[str]:
    return list(ExecutionDetail.objects.order_by("pk").values_list("reason", flat=True))


def test_a_take_over_that_failed_half_way_still_names_the_outage(
    leader: Passes, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue(make_job)

    def fail(*args: Any) -> Any:
        raise OSError("The connection is gone.")

    with monkeypatch.context() as broken:
        broken.setattr("app_scheduler.engine.loop.read_lease", failing_after_one())
        with pytest.raises(OSError):
            whole_pass(leader)
    assert leader.leading
    with monkeypatch.context() as broken:
        broken.setattr(recovery, "heal", fail)
        with pytest.raises(OSError):
            whole_pass(leader)
    whole_pass(leader)
    (reason,) = reasons()
    assert "no scheduler was running from" in reason


def failing_after_one() -> Any:
    """Return a ``read_lease`` whose second call fails, which is the one right after the lease was taken."""
    calls = iter([read_lease])

    def read(*args: Any) -> Any:
        call = next(calls, None)
        if call is None:
            raise OSError("The connection is gone.")
        return call(*args)

    return read


def test_the_outage_is_named_after_a_pass_that_claimed_nothing(
    leader: Passes, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue(make_job)
    with monkeypatch.context() as lost:
        # As when another process claims all that this one has read.
        lost.setattr("app_scheduler.engine.loop.claim", lambda now, **options: claim.Claimed(more=True))
        whole_pass(leader)
    whole_pass(leader)
    (reason,) = reasons()
    assert "no scheduler was running from" in reason


def test_a_pause_of_everything_is_named_once_it_is_over(leader: Passes, make_job: MakeJob) -> None:
    SchedulerLease.objects.update(alive_at=datetime.now(UTC))
    anna = User.objects.create_user("anna")
    leader.pause_all(by=anna, reason="Deploy")
    overdue(make_job)
    whole_pass(leader)
    assert reasons() == []
    leader.resume_all()
    whole_pass(leader)
    (reason,) = reasons()
    assert reason.startswith("It is late: all scheduling was paused by anna from")
    assert reason.endswith(": Deploy.")


def test_a_later_tick_names_neither(leader: Passes, make_job: MakeJob) -> None:
    leader.pause_all(by=None, reason="")
    leader.resume_all()
    whole_pass(leader)
    make_job(trigger="at 2099-01-01 12:00", misfire_grace_time=None)
    DjangoJob.objects.update(next_run_time=datetime.now(UTC))
    whole_pass(leader)
    assert reasons() == [""]
