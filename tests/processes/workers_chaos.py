"""Chaos where the jobs run in Celery workers: their processes and their broker come to harm too."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import psutil

from tests.broker import Broker
from tests.live import Server, Site, wait_until
from tests.processes.chaos import LEASE_SECONDS, Chaos, Fault, Report

WORKERS = 2
SLOTS = 3
RESTART_SECONDS = 0.5
RESEND_SECONDS = 1


class WorkersChaos(Chaos):
    """Servers that only lead, workers that run, and a broker that forgets all that it has when it is started anew."""

    executor = "celery"

    def __init__(self, site: Site, broker: Broker, directory: Path, seed: int, seconds: float) -> None:
        self.site = site
        self.broker = broker
        site.env |= broker.environment(resend_seconds=RESEND_SECONDS)
        site.env["APP_SCHEDULER_LEASE_SECONDS"] = str(LEASE_SECONDS)
        self.workers = [site.worker(self.new_name(), concurrency=SLOTS) for _ in range(WORKERS)]
        self._over = threading.Event()
        self._manager = threading.Thread(target=self._start_again, name="service manager", daemon=True)
        super().__init__(site, directory, seed, seconds)
        self.report.database += "-celery"

    def new_name(self) -> str:
        return f"--hostname=worker{len(self.site.processes)}"

    def faults(self) -> list[Fault]:
        workers: list[Fault] = [self.kill_worker, self.kill_process, self.stall_worker, self.stop_worker]
        return [*workers, self.restart_broker, self.tell_twice, self.kill, self.stop]

    def run(self) -> Report:
        self._manager.start()
        try:
            report = super().run()
        finally:
            self._over.set()
            self._manager.join()
        for worker in self.workers:
            worker.stop()
        return report

    def _start_again(self) -> None:
        """Do what a service manager does: start each worker again that has ended.

        Not only those that the faults end: Celery gives up now and then when its Redis goes away.
        """
        while not self._over.wait(RESTART_SECONDS):
            for number, worker in enumerate(self.workers):
                if not worker.running:
                    self.workers[number] = self.site.begin_worker(self.new_name(), concurrency=SLOTS)

    def kill_worker(self, server: Server, pid: int) -> Server:
        self.chance.choice(self.workers).kill()
        return server

    def stop_worker(self, server: Server, pid: int) -> Server:
        self.chance.choice(self.workers).stop()
        return server

    def kill_process(self, server: Server, pid: int) -> Server:
        """Kill one of a worker's processes, where it has any: it may have ended, or have only just begun."""
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if processes := self.chance.choice(self.workers).children():
                os.kill(self.chance.choice(processes), signal.SIGKILL)
        return server

    def stall_worker(self, server: Server, pid: int) -> Server:
        """Stop a worker's main process beyond its lease; what its other processes run goes on meanwhile."""
        worker = self.chance.choice(self.workers)
        worker.popen.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 2)  # That is the fault.
        worker.popen.send_signal(signal.SIGCONT)
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
