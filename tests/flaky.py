"""A database that fails: calls of the engine's threads raise before or after they were carried out, COMMIT included.

In the manner of Quartz's FlakyJdbcSchedulerTest. Who calls cannot tell whether a call that raised has had its effect.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

#: The engine's threads by the beginning of their names; the tests' own calls never fail.
THREADS = ("app_scheduler", "recorder", "thread ")


class Flaky:
    """Lets a part of the calls fail. Each thread draws from a sequence of its own, made from the seed and its name."""

    def __init__(self, rate: float, seed: int) -> None:
        self.rate = rate
        self.seed = seed
        self.failed: Counter[str] = Counter()
        self._local = threading.local()

    @contextlib.contextmanager
    def installed(self) -> Iterator[Flaky]:
        """Let the calls of every connection fail until the context ends."""
        kind: Any = type(connections[DEFAULT_DB_ALIAS])
        commit = kind._commit

        def flaky_commit(wrapper: BaseDatabaseWrapper) -> Any:
            self._around("COMMIT", wrapper, lambda: commit(wrapper))

        connection_created.connect(self._on_connect)
        kind._commit = flaky_commit
        try:
            yield self
        finally:
            self.rate = 0
            kind._commit = commit
            connection_created.disconnect(self._on_connect)

    def _on_connect(self, sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if self._execute not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._execute)

    def _execute(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        return self._around("call", context["connection"], lambda: execute(sql, params, many, context))

    def _around(self, what: str, wrapper: BaseDatabaseWrapper, do: Callable[[], Any]) -> Any:
        if not threading.current_thread().name.startswith(THREADS):
            return do()
        chance = self._chance()
        fails = chance.random() < self.rate
        if fails and chance.random() < 0.5:
            self._fail(f"before {what}", wrapper, chance)
        result = do()
        if fails:
            self._fail(f"after {what}", wrapper, chance)
        return result

    def _fail(self, when: str, wrapper: BaseDatabaseWrapper, chance: random.Random) -> None:
        self.failed[when] += 1
        if chance.random() < 0.5 and wrapper.connection is not None:
            # The connection is lost as well, and what is not committed with it. SQLite would keep it, and its lock,
            # until the last cursor has gone.
            wrapper.connection.rollback()
            wrapper.connection.close()
        raise chance.choice([OperationalError, InterfaceError])(f"made to fail {when}")

    def _chance(self) -> random.Random:
        if not hasattr(self._local, "chance"):
            self._local.chance = random.Random(f"{self.seed} {threading.current_thread().name}")
        chance: random.Random = self._local.chance
        return chance
