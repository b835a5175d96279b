"""The files in deploy/ parse, and name commands, settings and paths that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from django.utils.module_loading import import_string

from app_scheduler.conf import SETTINGS, console_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DROP_INS = sorted((DEPLOY / "systemd").glob("*/*.conf"))
#: The major version of PostgreSQL's client in Debian 13.
TRIXIE_POSTGRESQL = 17
#: Variables that a unit gives to itself, or that belong to the interpreter.
OTHER_NAMES = {"WORKER_QUEUES", "WORKER_PROCESSES"}


def unit_of(path: Path) -> dict[str, list[str]]:
    """Return the values of each key of a unit's ``[Service]``; systemd lets a key come twice."""
    found: dict[str, list[str]] = {}

    class Values(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list):
                found.setdefault(key, []).extend(value)
            super().__setitem__(key, value)

    parser = ConfigParser(dict_type=Values, strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read_string(path.read_text())
    assert "Service" in parser.sections()
    return found


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def containers() -> dict[str, Any]:
    """Return the services of the compose file that run the site's own image."""
    return {name: given for name, given in compose()["services"].items() if given["image"] == "poker-backend"}


def container_lines(word: str) -> list[str]:
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix(word).strip() for line in text.splitlines() if line.startswith(f"{word} ")]


def image_command() -> list[str]:
    (command,) = container_lines("CMD")
    return list(yaml.safe_load(command))


def commands() -> Iterator[tuple[str, list[str]]]:
    for path in UNITS:
        for line in unit_of(path)["ExecStart"]:
            yield path.name, shlex.split(line)
    for name, given in containers().items():
        yield name, given.get("command") or image_command()


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_each_command_exists(name: str, command: list[str]) -> None:
    program = Path(command[0]).name
    if program == "python":
        assert (ROOT / command[1]).is_file()
        assert command[2] in get_commands()
    elif program == "gunicorn":
        module = import_module(command[1])
        assert callable(module.application)
        assert {"gunicorn"} <= {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    else:
        assert program == "celery"
        assert command[command.index("-A") + 1] == "poker_backend"
        assert (ROOT / "poker_backend" / "celery.py").is_file()
        assert "celery" in (ROOT / "requirements-celery.txt").read_text()


def given_names() -> dict[str, set[str]]:
    """Return the variables that each file sets."""
    example = (DEPLOY / "environment.example").read_text()
    found = {"environment.example": set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", example, flags=re.M))}
    for path in (*UNITS, *DROP_INS):
        pairs = " ".join(unit_of(path).get("Environment", [])).split()
        found[path.name] = {pair.partition("=")[0] for pair in pairs} - OTHER_NAMES
    for name, given in containers().items():
        found[name] = set(given["environment"])
    return found


@pytest.mark.parametrize(("place", "names"), given_names().items())
def test_each_variable_is_in_the_table_of_the_readme(place: str, names: set[str]) -> None:
    readme = (ROOT / "README.md").read_text()
    known = set(re.findall(r"`([A-Z][A-Z_]+)`", readme)) | {f"APP_SCHEDULER_{name}" for name in SETTINGS}
    assert {name.removesuffix("_FILE") for name in names} - known == set()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_gives_running_jobs_the_time_that_the_console_does(path: Path) -> None:
    unit = unit_of(path)
    assert int(unit["TimeoutStopSec"][0]) > SETTINGS["SHUTDOWN_SECONDS"]
    assert unit["KillMode"] == ["mixed"]


@pytest.mark.parametrize("name", ["web", "scheduler", "worker"])
def test_a_container_is_given_it_too_and_waits_for_the_tables(name: str) -> None:
    given = containers()[name]
    seconds = {"s": 1, "m": 60}
    limit = given["stop_grace_period"]
    assert int(limit[:-1]) * seconds[limit[-1]] > SETTINGS["SHUTDOWN_SECONDS"]
    assert given["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert given["environment"]["APP_SCHEDULER_AUTOSTART"] == "0"


def test_the_containers_reach_the_database_and_the_broker_by_their_names() -> None:
    services = compose()["services"]
    for given in containers().values():
        assert "@database/" in given["environment"]["DATABASE_URL"]
        assert "//broker:" in given["environment"]["CELERY_BROKER_URL"]
    assert {"database", "broker"} <= set(services)


def test_what_jobs_write_outlives_their_container() -> None:
    (directory,) = container_lines("WORKDIR")
    # Where the job back_up_database writes, unless a setting says otherwise.
    below = console_settings.backup_dir.relative_to(ROOT).parts[0]
    for name in ("scheduler", "worker"):
        (volume,) = containers()[name]["volumes"]
        source, _, target = volume.partition(":")
        assert source in compose()["volumes"]
        assert target == f"{directory}/{below}"


def test_the_image_has_the_tools_of_a_server_that_is_no_newer() -> None:
    (base,) = container_lines("FROM")
    assert base.endswith("-trixie")
    assert any("postgresql-client" in line for line in container_lines("RUN"))
    image, _, version = compose()["services"]["database"]["image"].partition(":")
    assert (image, int(version)) <= ("postgres", TRIXIE_POSTGRESQL)


def test_each_probe_exists() -> None:
    probes = [given["healthcheck"]["test"] for given in containers().values() if "healthcheck" in given]
    assert probes == [["CMD", "python", "manage.py", "schedulerstatus"]]
    assert "schedulerstatus" in get_commands()


def test_the_image_is_made_of_files_that_there_are() -> None:
    sources = [source for line in container_lines("COPY") for source in line.split()[:-1]]
    assert {"manage.py", "app_scheduler", "poker_backend", "templates", "static", "locale"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_worker_serves_the_queue_that_jobs_go_to_by_default() -> None:
    (worker,) = [unit_of(path) for path in UNITS if path.name.startswith("poker-worker")]
    assert "WORKER_QUEUES=jobs" in worker["Environment"][0].split()
    command = containers()["worker"]["command"]
    assert command[command.index("--queues") + 1] == import_string("django.conf.settings").CELERY_TASK_DEFAULT_QUEUE


def test_the_guide_tells_of_every_file() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    for path in (*UNITS, *DROP_INS, DEPLOY / "environment.example", DEPLOY / "Containerfile", DEPLOY / "compose.yaml"):
        assert path.name in guide


def test_the_guide_names_commands_and_settings_that_there_are() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    assert set(re.findall(r"manage\.py ([a-z_]+)", guide)) <= set(get_commands())
    known = {f"APP_SCHEDULER_{name}" for name in SETTINGS}
    assert set(re.findall(r"\bAPP_SCHEDULER_[A-Z_]+", guide)) <= known
    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", guide) if not (ROOT / "docs" / link).exists()] == []
