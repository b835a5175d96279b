"""The site's data for the pictures: jobs, and two days of a past that the engine's own functions write down."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model

from app_scheduler import services, triggers
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import Outcome, Run, execute
from app_scheduler.engine.sql import in_batches
from app_scheduler.models import JobSpec, Status
from app_scheduler.services import Actor

PAST = timedelta(days=2)
FUNCTIONS = "tests.pictures.jobs"


@dataclass(frozen=True)
class Story:
    """A job and how its past went: how long it took, in seconds, and the hours ago in which it failed or was missed."""

    name: str
    function: str
    trigger: str
    tags: tuple[str, ...]
    seconds: float
    failed: tuple[float, float] | None = None
    missed: tuple[float, float] | None = None
    grows: float = 1


STORIES = (
    Story("Check payment gateway", "check_payment_gateway", "every 5m", ("monitoring",), 0.2, missed=(14.3, 14.6)),
    Story("Back up the tables", "back_up_tables", "every 6h", ("maintenance", "database"), 48, grows=5),
    Story("Remind players", "remind_players", "*/15 18-23 * * *", ("games",), 0.9, missed=(12, 12.6)),
    Story("Close idle tables", "close_idle_tables", "every 10m", ("games",), 0.3),
    Story("Send the digest", "send_digest", "0 8 * * 1-5", ("mail",), 2.1, failed=(0, 40)),
    Story("Season rankings", "season_rankings", "cron day=last hour=23 minute=59", ("games",), 38),
    Story("Import hand histories", "import_hands", "5 * * * *", ("games",), 30, failed=(0, 8)),
)


def make() -> None:
    """Make the jobs, then their past."""
    chance = random.Random(7)
    root = get_user_model().objects.get(is_superuser=True)
    actor = Actor(root)
    now = datetime.now(UTC)
    for story in STORIES:
        spec = services.create_job(
            {
                "id": story.name.lower().replace(" ", "-"),
                "name": story.name,
                "function": f"{FUNCTIONS}.{story.function}",
                "trigger": story.trigger,
                "tags": list(story.tags),
            },
            actor,
        )
        JobSpec.objects.filter(pk=spec.pk).update(anchor=now - PAST, created_at=now - PAST)
        _write_past(story, spec, now, chance)
    services.pause_job("close-idle-tables", actor, reason="Easter series", until=now + timedelta(days=3))
    services.change_job("import-hand-histories", {"max_retries": 0, "tags": ["games", "archive"]}, actor)


def _write_past(story: Story, spec: JobSpec, now: datetime, chance: random.Random) -> None:
    schedule = triggers.schedule_for(spec.trigger, anchor=now - PAST)
    outcomes: list[Outcome] = []
    tick = schedule.next_after(now - PAST)
    while tick is not None and tick < now - timedelta(minutes=1):
        ago = (now - tick).total_seconds() / 3600
        if story.missed and story.missed[0] <= ago <= story.missed[1]:
            insert([Entry(spec.job_id, tick, tick, status=Status.MISSED, reason="The scheduler was down.")])
        else:
            share = (now - tick) / PAST
            seconds = story.seconds * chance.uniform(0.7, 1.4) * (1 + (story.grows - 1) * (1 - share))
            is_failed = story.failed is not None and story.failed[0] <= ago <= story.failed[1]
            outcomes.append(_outcome(spec, tick, seconds, is_failed=is_failed, late=chance.uniform(0.004, 0.03)))
        tick = schedule.next_after(tick)
    for batch in in_batches(outcomes, 500):
        record(batch)


def _outcome(spec: JobSpec, tick: datetime, seconds: float, *, is_failed: bool, late: float) -> Outcome:
    """Insert a started execution and return how it went; a failure is that of the function, called for it."""
    tick = tick.astimezone(UTC)
    began = tick + timedelta(seconds=late)
    entry = Entry(spec.job_id, tick, tick, status=Status.STARTED, args=[], kwargs={}, function=spec.function)
    (pk,) = insert([entry])
    run = Run(pk, spec.job_id, spec.function, [], {}, tick)
    outcome = execute(run) if is_failed else Outcome(run, Status.EXECUTED, began, began)
    return replace(outcome, started_at=began, finished_at=began + timedelta(seconds=seconds), **_WORKER)


_WORKER: dict[str, Any] = {"worker": "thread 3"}
