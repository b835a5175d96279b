"""Executions in real Celery workers, with a real broker: killed, restarted, told twice. Each starts once and ends."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.broker import Broker, broker
from tests.live import Process, Server, Site, wait_until

LEASE_SECONDS = 4
#: What a run that is ended from outside takes at most: a look, and what a slow machine adds.
END_SECONDS = 30
STARTED, QUEUED = "Started execution", "Queued"


class Shop:
    """A site with a leader, a broker and workers."""

    def __init__(self, site: Site, made: Broker, directory: Path) -> None:
        self.site = site
        self.broker = made
        self.site.env |= {**made.environment(resend_seconds=2), "APP_SCHEDULER_LEASE_SECONDS": str(LEASE_SECONDS)}
        self.path = directory / "effects"
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = self.site.gunicorn()
        return self._server

    def worker(self, concurrency: int = 2) -> Process:
        return self.site.worker(concurrency=concurrency)

    def job(self, job_id: str, function: str = "jobs.account", **document: Any) -> None:
        body: dict[str, Any] = {
            "id": job_id,
            "function": f"tests.probe.{function}",
            "executor": "celery",
            "trigger": "every 12h",
        }
        if function == "jobs.account":
            body["kwargs"] = {"path": str(self.path), **document.pop("kwargs", {})}
        answer = self.server.api("POST", "jobs/", {**body, **document})
        assert answer.status == 201, answer.text

    def run(self, job_id: str) -> int:
        answer = self.server.api("POST", f"jobs/{job_id}/run/", {})
        assert answer.status in (200, 201, 202), answer.text
        return int(answer.json["id"])

    def execution(self, pk: int) -> dict[str, Any]:
        found: dict[str, Any] = self.server.api("GET", f"executions/{pk}/").json
        return found

    def status(self, pk: int) -> str:
        ((status,),) = self.site.rows("SELECT status FROM django_apscheduler_djangojobexecution WHERE id = %s", pk)
        return str(status)

    def wait_for(self, pk: int, *statuses: str, seconds: float = END_SECONDS) -> str:
        """Wait for a verdict and return it; fail if it is none of ``statuses``."""
        wait_until(lambda: self.status(pk) not in (STARTED, QUEUED), seconds, f"the verdict of execution {pk}")
        assert self.status(pk) in statuses
        return self.status(pk)

    def wait_until_started(self, pk: int) -> None:
        wait_until(lambda: self.status(pk) == STARTED, END_SECONDS, f"the start of execution {pk}")

    def wait_until_sent(self, count: int) -> None:
        statement = "SELECT COUNT(*) FROM app_scheduler_executiondetail WHERE sent_at IS NOT NULL"
        wait_until(lambda: self.site.rows(statement) == [(count,)], what=f"{count} executions that are sent")

    def effects(self) -> Counter[int]:
        """Return how often each execution's function began."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return Counter(int(line.split()[2]) for line in lines)

    def workers(self) -> list[tuple[Any, ...]]:
        return self.site.rows(
            "SELECT pid, slots, queues, draining_since FROM app_scheduler_schedulerinstance WHERE role = %s", "worker"
        )

    def process_of(self, pk: int) -> int:
        statement = "SELECT worker FROM app_scheduler_executiondetail WHERE execution_id = %s"
        ((worker,),) = self.site.rows(statement, pk)
        return int(worker.removeprefix("process "))


@pytest.fixture
def shop(site: Site, tmp_path: Path) -> Iterator[Shop]:
    with broker(tmp_path) as made:
        yield Shop(site, made, tmp_path)


@pytest.fixture
def postgres_shop(postgres_site: Site, tmp_path: Path) -> Iterator[Shop]:
    with broker(tmp_path) as made:
        yield Shop(postgres_site, made, tmp_path)


def test_a_worker_runs_as_a_thread_does(shop: Shop) -> None:
    worker = shop.worker()
    shop.job("speak", "jobs.chatter")
    shop.job("await", "hard.sum_up", args=[[1, 2]])
    shop.job("fail", "jobs.fail", max_retries=1, retry_backoff=0)
    spoken, awaited, failed = shop.run("speak"), shop.run("await"), shop.run("fail")
    shop.wait_for(spoken, "Executed")
    found = shop.execution(spoken)
    assert all(text in found["log"] for text in ("printed to stdout", "printed to stderr", "logged at warning"))
    assert found["log"].count("printed to stdout") == 1
    shop.wait_for(awaited, "Executed")
    assert shop.execution(awaited)["result"] == "3"
    shop.wait_for(failed, "Error!")
    assert "boom" in shop.execution(failed)["exception"]
    retried = wait_until(
        lambda: shop.site.rows("SELECT execution_id FROM app_scheduler_executiondetail WHERE retry_of_id = %s", failed),
        what="the retry",
    )
    shop.wait_for(retried[0][0], "Error!")
    ((pid, slots, queues, _),) = shop.workers()
    assert (pid, slots, queues) == (worker.pid, 2, "jobs")
    assert worker.stop() == 0
    assert shop.workers() == []


def test_messages_that_come_twice_start_nothing_twice(shop: Shop) -> None:
    ids = []
    for number in range(30):
        shop.job(f"job-{number}")
        ids.append(shop.run(f"job-{number}"))
    shop.wait_until_sent(len(ids))
    wait_until(shop.broker.messages, what="the messages")
    client = shop.broker.client()
    for message in client.lrange("jobs", 0, -1):
        client.lpush("jobs", message, message)
    shop.worker(concurrency=3)
    shop.worker(concurrency=3)
    for pk in ids:
        shop.wait_for(pk, "Executed")
    wait_until(lambda: not shop.broker.messages(), what="the last message")
    assert shop.effects() == Counter(ids)


def test_what_a_broker_loses_is_sent_again(shop: Shop) -> None:
    ids = []
    for number in range(5):
        shop.job(f"job-{number}")
        ids.append(shop.run(f"job-{number}"))
    shop.wait_until_sent(len(ids))
    worker = shop.worker(concurrency=1)
    shop.job("long", kwargs={"seconds": 3})
    for pk in ids:
        shop.wait_for(pk, "Executed")
    running = shop.run("long")
    shop.wait_until_started(running)
    shop.broker.kill()
    shop.job("meanwhile")
    meanwhile = shop.run("meanwhile")
    shop.wait_until_sent(1)
    shop.broker.start()
    shop.wait_for(meanwhile, "Executed")
    shop.wait_for(running, "Executed")
    assert worker.running
    assert shop.effects() == Counter([*ids, running, meanwhile])


def test_a_worker_that_is_killed_has_its_runs_interrupted_and_ends_whole(shop: Shop) -> None:
    worker = shop.worker()
    shop.job("long", kwargs={"seconds": 600})
    shop.job("again", kwargs={"seconds": 1}, rerun_if_interrupted=True)
    shop.job("behind")
    shop.job("too", kwargs={"seconds": 600})
    running = [shop.run("long"), shop.run("too")]
    for pk in running:
        shop.wait_until_started(pk)
    children = [psutil.Process(shop.process_of(pk)) for pk in running]
    waiting = shop.run("behind")
    shop.wait_until_sent(1)
    worker.kill()
    wait_until(lambda: not any(child.is_running() for child in children), END_SECONDS, "the end of its processes")
    shop.worker()
    for pk in running:
        shop.wait_for(pk, "Interrupted!")
        assert f"process {worker.pid}" in shop.execution(pk)["reason"]
    shop.wait_for(waiting, "Executed")
    assert shop.effects() == Counter([*running, waiting])


def test_a_process_that_ends_ends_its_run_alone(postgres_shop: Shop) -> None:
    shop = postgres_shop
    worker = shop.worker(concurrency=3)
    shop.job("long", kwargs={"seconds": 600})
    shop.job("crash", "hard.crash", args=["segfault"], max_retries=1, retry_backoff=0)
    shop.job("leave", "hard.crash", args=["exit", 7])
    shop.job("next")
    killed = shop.run("long")
    shop.wait_until_started(killed)
    crashed, left = shop.run("crash"), shop.run("leave")
    shop.wait_for(crashed, "Error!")
    assert "signal 11 (SIGSEGV)" in shop.execution(crashed)["exception"]
    shop.wait_for(left, "Error!")
    assert "exit code 7" in shop.execution(left)["exception"]
    assert shop.status(killed) == STARTED
    os.kill(shop.process_of(killed), signal.SIGKILL)
    shop.wait_for(killed, "Error!")
    assert "signal 9 (SIGKILL)" in shop.execution(killed)["exception"]
    shop.wait_for(shop.run("next"), "Executed")
    assert worker.running
    attempts = shop.site.rows("SELECT COUNT(*) FROM django_apscheduler_djangojobexecution WHERE job_id = %s", "crash")
    assert attempts == [(2,)]


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_what_does_not_end_by_itself_is_ended(shop: Shop, how: str) -> None:
    worker = shop.worker(concurrency=4)
    limits = {"timeout": 2} if how == "timeout" else {}
    ways = ("spin", "read_socket", "match")
    for way in ways:
        shop.job(way, "hard.stick", args=[way], **limits)
    shop.job("neighbour", kwargs={"seconds": 6})
    neighbour = shop.run("neighbour")
    shop.wait_until_started(neighbour)
    ids = [shop.run(way) for way in ways]
    for pk in ids:
        shop.wait_until_started(pk)
    processes = [psutil.Process(shop.process_of(pk)) for pk in ids]
    if how == "cancel":
        for pk in ids:
            answer = shop.server.api("POST", f"executions/{pk}/cancel/", {"reason": "enough"})
            assert answer.status == 202, answer.text
    for pk in ids:
        shop.wait_for(pk, "Timed out!" if how == "timeout" else "Cancelled")
    wait_until(lambda: not any(process.is_running() for process in processes), END_SECONDS, "the end of the processes")
    assert "timeout of 2 s" in shop.execution(ids[0])["reason"] or how == "cancel"
    assert "enough" in shop.execution(ids[0])["reason"] or how == "timeout"
    shop.wait_for(neighbour, "Executed")
    shop.job("next")
    shop.wait_for(shop.run("next"), "Executed")
    assert worker.running


def test_a_worker_that_drains_takes_nothing_until_it_is_let_go_on(postgres_shop: Shop) -> None:
    shop = postgres_shop
    worker = shop.worker()
    shop.job("before", kwargs={"seconds": 3})
    shop.job("after")
    before = shop.run("before")
    shop.wait_until_started(before)
    shop.site.rows("UPDATE app_scheduler_schedulerinstance SET draining_since = now() WHERE pid = %s", worker.pid)
    worker.wait_for_output("drains")
    worker.wait_for_output("Canceling queue jobs")
    shop.wait_for(before, "Executed")
    after = shop.run("after")
    shop.wait_until_sent(1)
    shop.site.rows("UPDATE app_scheduler_schedulerinstance SET draining_since = NULL WHERE pid = %s", worker.pid)
    worker.wait_for_output("does not drain any more")
    shop.wait_for(after, "Executed")
