"""Celery is imported where it is configured and nowhere else."""

from __future__ import annotations

import ast
import json

import pytest

from tests.live import BASE_DIR, environment, run

LIBRARIES = {"celery", "kombu", "billiard", "redis", "amqp"}
#: Who may import them, each only where an executor of the type “celery” is configured, or as a worker.
END_OF_CELERY = {
    "app_scheduler/engine/executors/celery.py",
    "app_scheduler/tasks.py",
    "poker_backend/celery.py",
}
IMPORT_ALL = """
import sys, django
django.setup()
from django.core.management import call_command
from django.urls import get_resolver
from app_scheduler import scheduler
from app_scheduler.engine.executors import create_executors
get_resolver().url_patterns
call_command("check")
create_executors()
import json
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_only_its_executor_and_its_tasks_import_it() -> None:
    found = set()
    for room in ("app_scheduler", "poker_backend"):
        for path in (BASE_DIR / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                if any(name.partition(".")[0] in LIBRARIES for name in names):
                    found.add(str(path.relative_to(BASE_DIR)))
    assert found <= END_OF_CELERY


@pytest.mark.parametrize(("broker", "imported"), [("", False), ("redis://127.0.0.1:1/0", True)])
def test_a_site_imports_it_where_a_broker_is_set(broker: str, imported: bool) -> None:
    env = environment("sqlite://:memory:", {"CELERY_BROKER_URL": broker, "APP_SCHEDULER_AUTOSTART": "0"})
    done = run(["-c", IMPORT_ALL], env, timeout=120)
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert ("celery" in modules) is imported
    assert imported or not modules & LIBRARIES


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"type": "celery", "app": "poker_backend.nowhere:app"}, "poker_backend.nowhere"),
        ({"type": "celery", "app": "poker_backend.celery:app"}, "CELERY_BROKER_URL is not set"),
    ],
)
def test_a_check_says_what_is_missing(options: dict[str, str], said: str) -> None:
    env = {"APP_SCHEDULER_EXECUTORS": json.dumps({"celery": options}), "APP_SCHEDULER_AUTOSTART": "0"}
    done = run(["manage.py", "check"], environment("sqlite://:memory:", env), timeout=120)
    assert done.returncode == 1
    assert "app_scheduler.E006" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_check_says_that_it_is_not_installed() -> None:
    hide = "import sys; sys.modules['celery'] = None; sys.argv = ['manage.py', 'check']; import runpy; "
    hide += "import importlib.util as u; find = u.find_spec; "
    hide += "u.find_spec = lambda name, *a: None if name == 'celery' else find(name, *a); "
    hide += "runpy.run_path('manage.py', run_name='__main__')"
    env = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "APP_SCHEDULER_AUTOSTART": "0"}
    done = run(["-c", hide], environment("sqlite://:memory:", env), timeout=120)
    assert done.returncode == 1
    assert "app_scheduler.E004" in done.stderr
    assert "requirements-celery.txt" in done.stderr
