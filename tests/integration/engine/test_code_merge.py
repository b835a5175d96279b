"""The three-way merge at a start: what the code asks for, what it asked for last, and what staff made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from app_scheduler import documents
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import JobSpec
from app_scheduler.registry import registry


@pytest.fixture
def client(db: None) -> Iterator[ConsoleScheduler]:
    with closing(_Client()) as made:
        yield made.scheduler


class _Client:
    """A scheduler of a process that does not serve, and the functions that the test registers."""

    def __init__(self) -> None:
        self.scheduler = ConsoleScheduler()
        self.functions = {function.name: function for function in registry.all()}

    def close(self) -> None:
        registry._functions.clear()
        registry._functions.update(self.functions)


def nightly(days: int = 30) -> None:
    """Stand in for a function with a schedule of its own."""


def _deploy(client: ConsoleScheduler, **options: object) -> JobSpec:
    """Start with code that asks for ``nightly`` so."""
    registry.register(nightly, **{"trigger": "every 1h", "kwargs": {"days": 30}, **options})
    client._schedule_defaults()
    return JobSpec.objects.get(job_id="nightly")


def test_what_the_code_changes_where_staff_did_is_kept_out_and_remembered(client: ConsoleScheduler) -> None:
    _deploy(client)
    JobSpec.objects.update(trigger={"type": "interval", "hours": 6})
    spec = _deploy(client, trigger="every 2h", max_retries=3)
    assert spec.trigger == {"type": "interval", "hours": 6}
    assert spec.max_retries == 3, "staff left it alone"
    assert spec.code_document is not None
    assert spec.code_document["trigger"] == {"type": "interval", "hours": 2}
    assert spec.code_before == {"trigger": {"type": "interval", "hours": 1}}
    again = _deploy(client, trigger="every 2h", max_retries=3)
    assert again.code_before == spec.code_before, "the next start knows it still"
    assert again.revision == spec.revision, "and writes nothing"


def test_the_first_of_several_changes_is_what_it_was(client: ConsoleScheduler) -> None:
    _deploy(client)
    JobSpec.objects.update(trigger={"type": "interval", "hours": 6})
    _deploy(client, trigger="every 2h")
    assert _deploy(client, trigger="every 3h").code_before == {"trigger": {"type": "interval", "hours": 1}}
    assert _deploy(client, trigger="every 1h").code_before == {}, "the code took it back"


def test_an_answer_of_staff_ends_the_question(client: ConsoleScheduler) -> None:
    _deploy(client)
    JobSpec.objects.update(trigger={"type": "interval", "hours": 6})
    spec = _deploy(client, trigger="every 2h")
    fields = documents.apply({**documents.of(spec), "trigger": {"type": "interval", "hours": 9}}, spec)
    assert spec.code_before == {}
    assert "code_before" in fields


def test_what_the_code_says_as_staff_do_is_no_question(client: ConsoleScheduler) -> None:
    _deploy(client)
    JobSpec.objects.update(trigger={"type": "interval", "hours": 6})
    spec = _deploy(client, trigger="every 6h")
    assert (spec.code_before, spec.trigger) == ({}, {"type": "interval", "hours": 6})


def test_arguments_are_merged_together(client: ConsoleScheduler) -> None:
    """Half of the code's and half of staff's would give the same argument twice."""
    _deploy(client)
    JobSpec.objects.update(args=[7], kwargs={})
    spec = _deploy(client, kwargs={"days": 31})
    assert (spec.args, spec.kwargs) == ([7], {})
    assert spec.code_before == {"kwargs": {"days": 30}}


def test_a_job_that_an_app_adds_is_remembered_although_it_is_in_the_table(client: ConsoleScheduler) -> None:
    registry.register(nightly)
    client._pending_jobs = []
    client.add_job(nightly, "interval", hours=1, id="added")
    assert "added" not in client.defaults(), "added while it runs, not by the code at a start"
    other = ConsoleScheduler()
    other._act = lambda: None  # type: ignore[method-assign]  # as while Django loads
    other.add_job(nightly, "interval", hours=1, id="pending")
    assert other.defaults()["pending"]["trigger"] == {"type": "interval", "hours": 1}
    other._attach()
    other._flush_pending()
    assert not other._pending_jobs
    assert other.defaults()["pending"]["function"].endswith("nightly")
