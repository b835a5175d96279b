"""Executors in the settings: what may be wrong with them is said, with the fix."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from app_scheduler.engine.executors import abilities_of, create_executors, kinds
from app_scheduler.engine.executors.processes import ProcessesExecutor
from app_scheduler.engine.executors.threads import ThreadsExecutor


def errors() -> list[tuple[str, str | None]]:
    return [
        (str(found.msg), found.hint) for found in run_checks(tags=["app_scheduler"]) if found.id == "app_scheduler.E004"
    ]


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"type": "thread"}, "has the unknown type 'thread'.", "The known types are “threads”, “processes”"),
        ({"type": ["threads"]}, "has the unknown type ['threads'].", "The known types are “threads”, “processes”"),
        ("threads", "is 'threads'.", 'Give its options by name, such as {"type": "threads"}.'),
        ({"max_worker": 3}, "has the unknown option 'max_worker'.", "This type takes “max_workers”."),
        ({"max_workers": 0}, "has 0 for “max_workers”.", "Set it to a whole number of 1 or more."),
        ({"max_workers": True}, "has True for “max_workers”.", "Set it to a whole number of 1 or more."),
        ({"max_workers": "4"}, "has '4' for “max_workers”.", "Set it to a whole number of 1 or more."),
        ({"type": "processes", "warm_up": 1}, "has 1 for “warm_up”.", "Set it to true or false."),
        ({"type": "processes", "idle_seconds": 0.5}, "has 0.5 for “idle_seconds”.", "Set it to a number of seconds"),
        (
            {"type": "processes", "max_runs_per_worker": -1},
            "has -1 for “max_runs_per_worker”.",
            "or to 0 for no limit.",
        ),
    ],
)
def test_what_is_wrong_with_an_executor_is_said_with_its_fix(
    settings: Any, options: Any, message: str, hint: str
) -> None:
    settings.APP_SCHEDULER_EXECUTORS = {"wrong": options}
    ((said, fix),) = errors()
    assert said == f"APP_SCHEDULER_EXECUTORS['wrong'] {message}"
    assert hint in str(fix)
    assert abilities_of("wrong") is None
    with pytest.raises(ValueError, match=r"Set it to|The known types|This type takes|Give its options"):
        create_executors()


@pytest.mark.parametrize("alias", ["", "x" * 65, 5])
def test_an_executor_needs_a_name_that_a_job_can_have(settings: Any, alias: Any) -> None:
    settings.APP_SCHEDULER_EXECUTORS = {alias: {"type": "threads"}}
    ((said, fix),) = errors()
    assert "has no usable name" in said
    assert fix == "Give it a name of 1 to 64 characters."


def test_executors_that_are_no_mapping_leave_the_default(settings: Any) -> None:
    settings.APP_SCHEDULER_EXECUTORS = "threads"
    ((said, fix),) = errors()
    assert said == "APP_SCHEDULER_EXECUTORS is 'threads'."
    assert "by name" in str(fix)
    assert list(create_executors()) == ["default"]


def test_a_library_that_is_not_there_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.APP_SCHEDULER_EXECUTORS = {"processes": {"type": "processes"}}
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)
    ((said, fix),) = errors()
    assert "needs the library “pebble”" in said
    assert "pip install -r requirements.txt" in str(fix)


def test_the_site_offers_processes_beside_threads() -> None:
    made = create_executors()
    assert {alias: type(executor) for alias, executor in made.items()} == {
        "default": ThreadsExecutor,
        "processes": ProcessesExecutor,
    }
    assert [made[alias].slots for alias in ("default", "processes")] == [10, 4]
    assert not errors()


def test_abilities_are_known_without_making_an_executor() -> None:
    threads, processes = abilities_of("default"), abilities_of("processes")
    assert threads is not None and not threads.ends_at_timeout
    assert processes is not None and processes.ends_at_timeout and processes.survives_crashes
    assert abilities_of("nowhere") is None
