"""The units of deploy/ start what they say: web processes that only act, a scheduler and a worker beside them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from string import Template

from tests.broker import broker
from tests.live import Server, Site, free_port, wait_until
from tests.unit.test_deployment import DEPLOY, unit_of

UNITS = DEPLOY / "systemd"
EXECUTED = "SELECT d.instance FROM django_apscheduler_djangojobexecution e JOIN app_scheduler_executiondetail d "
EXECUTED += "ON d.execution_id = e.id WHERE e.id = %s AND e.status = 'Executed'"


def variables_of(*paths: Path) -> dict[str, str]:
    pairs = " ".join(pair for path in paths for pair in unit_of(path).get("Environment", [])).split()
    return dict(pair.split("=", 1) for pair in pairs)


def command_of(unit: str, variables: Mapping[str, str]) -> list[str]:
    """Return a unit's command as Python's arguments, in the tests' own virtual environment."""
    (line,) = unit_of(UNITS / unit)["ExecStart"]
    line = Template(line).substitute(variables).replace("%i", "1").replace("%%", "%")
    program, *arguments = shlex.split(line)
    name = Path(program).name
    return arguments if name == "python" else ["-m", name, *arguments]


def start_web(site: Site, env: Mapping[str, str]) -> Server:
    command, port = command_of("poker-web.service", {}), free_port()
    command[command.index("--bind") + 1] = f"127.0.0.1:{port}"
    # Its control socket lies in the home directory, one for all sites.
    return site.serve([*command, "--no-control-socket"], port, env)


def run_job(server: Server, executor: str, path: Path) -> int:
    document = {
        "id": executor,
        "function": "tests.probe.jobs.mark",
        "kwargs": {"path": str(path)},
        "trigger": "every 12h",
        "executor": executor,
    }
    answer = server.api("POST", "jobs/", document)
    assert answer.status == 201, answer.text
    answer = server.api("POST", f"jobs/{executor}/run/", {})
    assert answer.status in (200, 201, 202), answer.text
    return int(answer.json["id"])


def place_of(site: Site, execution: int) -> str:
    """Wait until an execution has been executed and return the instance that ran it."""
    found = wait_until(lambda: site.rows(EXECUTED, execution), 60, f"the end of execution {execution}")
    return str(found[0][0])


def test_the_units_of_a_site_with_workers_run_jobs_where_they_say(postgres_site: Site, tmp_path: Path) -> None:
    site, marks = postgres_site, tmp_path / "marks"
    with broker(tmp_path) as made:
        site.env |= made.environment()
        web = start_web(site, variables_of(UNITS / "poker-web.service.d" / "no-autostart.conf"))
        assert web.api("GET", "scheduler/").json["alive"] is False, "the web processes only act"
        scheduler = site.start(*command_of("poker-scheduler.service", {}))
        worker_unit = "poker-worker@.service"
        worker = site.start(*command_of(worker_unit, variables_of(UNITS / worker_unit)))
        worker.wait_for_output(" ready.")
        wait_until(lambda: web.api("GET", "scheduler/").json["alive"], what="a leader")

        ran = {executor: run_job(web, executor, marks) for executor in ("default", "celery")}
        places = {executor: place_of(site, pk) for executor, pk in ran.items()}
        told = {each["id"]: each for each in web.api("GET", "scheduler/").json["instances"]}
        assert {each["role"] for each in told.values()} == {"leader", "worker"}
        assert told[places["default"]]["role"] == "leader"
        assert told[places["celery"]]["role"] == "worker"
        assert told[places["celery"]]["queues"] == ["jobs"]
        assert [process.stop() for process in (worker, scheduler, web)] == [0, 0, 0]
