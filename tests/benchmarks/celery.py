"""The Celery application of the benchmark: both sides publish through it, and the same workers run what both do."""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery, signals

from tests.benchmarks.jobs import note_in_file

#: The file in which the process that publishes notes when, and which: lines of a moment and of numbers.
PUBLISHED = os.environ.get("BENCHMARK_PUBLISHED", "")

app = Celery("benchmark")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.task(name="tests.benchmarks.note", ignore_result=True)
def note_task(number: int) -> None:
    note_in_file(number)


if PUBLISHED:
    _file = os.open(PUBLISHED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @signals.after_task_publish.connect(weak=False)
    def note_published(sender: str, body: Any, **kwargs: Any) -> None:
        (argument,), *_ = body
        # Ours carries many executions in a message.
        numbers = argument if isinstance(argument, list) else [argument]
        os.write(_file, f"{time.time():.6f} {' '.join(map(str, numbers))}\n".encode())
