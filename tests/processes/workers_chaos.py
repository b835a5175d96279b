"""Chaos where the jobs run in Celery workers: their processes and their broker come to harm too."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.broker import Broker
from tests.live import Process, Server, Site, wait_until
from tests.processes.chaos import LEASE_SECONDS, Chaos, Fault, Report

WORKERS = 2
RESEND_SECONDS = 1


class WorkersChaos(Chaos):
    """Servers that only lead, workers that run, and a broker that forgets all that it has when it is started anew."""

    executor = "celery"

    def __init__(self, site: Site, broker: Broker, directory: Path, seed: int, seconds: float) -> None:
        self.site = site
        self.broker = broker
        site.env |= broker.environment(resend_seconds=RESEND_SECONDS)
        site.env["APP_SCHEDULER_LEASE_SECONDS"] = str(LEASE_SECONDS)
        self.workers = [self.start_worker() for _ in range(WORKERS)]
        super().__init__(site, directory, seed, seconds)
        self.report.database += "-celery"

    def start_worker(self) -> Process:
        return self.site.worker(f"--hostname=worker{len(self.site.processes)}", concurrency=3)

    def faults(self) -> list[Fault]:
        workers: list[Fault] = [self.kill_worker, self.kill_process, self.stall_worker, self.stop_worker]
        return [*workers, self.restart_broker, self.tell_twice, self.kill, self.stop]

    def run(self) -> Report:
        report = super().run()
        for worker in self.workers:
            worker.stop()
        return report

    def kill_worker(self, server: Server, pid: int) -> Server:
        number = self.chance.randrange(WORKERS)
        self.workers[number].kill()
        self.workers[number] = self.start_worker()
        return server

    def stop_worker(self, server: Server, pid: int) -> Server:
        number = self.chance.randrange(WORKERS)
        self.workers[number].stop()
        self.workers[number] = self.start_worker()
        return server

    def kill_process(self, server: Server, pid: int) -> Server:
        os.kill(self.chance.choice(self.chance.choice(self.workers).children()), signal.SIGKILL)
        return server

    def stall_worker(self, server: Server, pid: int) -> Server:
        """Stop a worker's main process beyond its lease; what its other processes run goes on meanwhile."""
        worker = self.chance.choice(self.workers)
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 2)  # That is the fault.
        os.kill(worker.pid, signal.SIGCONT)
        return server

    def restart_broker(self, server: Server, pid: int) -> Server:
        self.broker.kill()
        time.sleep(self.chance.uniform(0, 2))  # That is the fault.
        self.broker.start()
        return server

    def tell_twice(self, server: Server, pid: int) -> Server:
        """Have each message that comes within a second come thrice."""
        client = self.broker.client()
        told: set[bytes] = set()
        until = time.monotonic() + 1

        def tell() -> bool:
            new = set(client.lrange("jobs", 0, -1)) - told
            told.update(new)
            for message in new:
                client.lpush("jobs", message, message)
            return time.monotonic() > until

        wait_until(tell, what="the end of the second")
        return server
