"""The faults that a chaos run does to its servers, and the reconciliation of what they left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.live import BASE_DIR, Server, Site, wait_until
from tests.processes.acts import act, create_job

LEASE_SECONDS = 2
SERVERS = 3
#: Shorter than the lease, so that a lock that is held longer is an error and not a wait.
SQLITE_TIMEOUT_SECONDS = 1
#: The longest that a take-over may last: the lease, the next look of a standby, and what a slow machine adds.
TAKEOVER_SECONDS = 30
#: What late ticks of a job that runs one after the other may take in the end.
REST_SECONDS = 120
#: A run that had begun when the fault came is none after it.
SAME_MOMENT = 0.05
REPORTS = BASE_DIR / "var" / "chaos"

Fault = Callable[[Server, int], Server]

STARTED, QUEUED = "Started execution", "Queued"
#: Verdicts of executions whose function has run, exactly once.
RAN = {"Executed", "Error!", "Timed out!"}
#: Those whose function may have run, at most once.
MAY_HAVE_RUN = {"Interrupted!"}

#: The jobs, by id. Ticks of those in COUNTED are held against the clock; a paused job has none meanwhile.
JOBS: dict[str, dict[str, Any]] = {
    "one": {"trigger": "every 1s"},
    "two": {"trigger": "every 1s", "coalesce": False, "max_instances": 3},
    "overlap": {"trigger": "every 1s", "coalesce": False, "kwargs": {"seconds": 1.3}},
    "retry": {"trigger": "every 2s", "max_retries": 2, "retry_backoff": 1, "kwargs": {"failing_attempts": 1}},
    "rerun": {"trigger": "every 3s", "rerun_if_interrupted": True, "kwargs": {"seconds": 1}},
    "paused": {"trigger": "every 1s"},
    "hand": {"trigger": "every 12h"},
}
COUNTED = {"one": 1, "two": 1, "overlap": 1, "retry": 2, "rerun": 3}


@dataclass
class Report:
    """What a run did and found. Times are seconds."""

    database: str
    seed: int
    seconds: float
    takeovers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    gaps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    acts: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    ticks: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    faults_found: list[str] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        return {
            "database": self.database,
            "seed": self.seed,
            "seconds": self.seconds,
            "faults": {name: len(gaps) for name, gaps in self.gaps.items()},
            "takeover": {name: distribution(values) for name, values in self.takeovers.items()},
            "gap": {name: distribution(values) for name, values in self.gaps.items()},
            "acts": dict(self.acts),
            "ticks": sum(self.ticks.values()),
            "ticks_by_verdict": dict(self.ticks),
            "executions_by_verdict": dict(self.verdicts),
            "effects": self.effects,
            "found": self.faults_found,
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as people read it; its last line is for programs."""
        yield f"chaos on {self.database}: {self.seconds:.0f} s, seed {self.seed}"
        yield f"{'fault':<10}{'count':>6}{'p50':>8}{'p90':>8}{'max':>8}   seconds until another instance leads"
        for name, values in sorted(self.takeovers.items()):
            yield _row(name, values)
        yield f"{'fault':<10}{'count':>6}{'p50':>8}{'p90':>8}{'max':>8}   seconds until a job runs again"
        for name, values in sorted(self.gaps.items()):
            yield _row(name, values)
        yield "in between: " + ", ".join(f"{count} {name}" for name, count in sorted(self.acts.items()))
        yield f"{sum(self.ticks.values())} ticks: " + _counts(self.ticks)
        yield f"{sum(self.verdicts.values())} executions: " + _counts(self.verdicts)
        yield f"{self.effects} effects, {len(self.faults_found)} faults found"
        yield from (f"FAULT {found}" for found in self.faults_found)
        yield "CHAOS " + json.dumps(self.as_document(), sort_keys=True)

    def publish(self) -> None:
        """Print it, and keep it under var/chaos."""
        text = "\n".join(self.lines())
        print(f"\n{text}")
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / f"{self.database}-{self.seed}.txt").write_text(text + "\n")


def distribution(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    shares = {"p50": 0.5, "p90": 0.9, "max": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) for name, share in shares.items()}


#: Upper bounds of the histogram's classes.
CLASSES = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0)


def _row(name: str, values: list[float]) -> str:
    found = distribution(values)
    counts = Counter(next((str(bound) for bound in CLASSES if value <= bound), "more") for value in values)
    histogram = "  ".join(f"≤{key}: {counts[key]}" for key in map(str, CLASSES) if counts[key])
    more = f"  more: {counts['more']}" if counts["more"] else ""
    return f"{name:<10}{len(values):>6}{found['p50']:>8.2f}{found['p90']:>8.2f}{found['max']:>8.2f}   {histogram}{more}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name.rstrip('!').lower()}" for name, count in counter.most_common())


class Chaos:
    """Some servers of one site, the faults done to them, and what became of each tick."""

    #: Where the jobs run.
    executor = "default"

    def __init__(self, site: Site, directory: Path, seed: int, seconds: float) -> None:
        self.site = site
        self.postgres = not site.database_url.startswith("sqlite")
        self.path = directory / "effects"
        self.chance = random.Random(seed)
        self.report = Report("postgres" if self.postgres else "sqlite", seed, seconds)
        self.acknowledged: list[int] = []
        self.names: dict[str, str] = {}
        for job_id, document in JOBS.items():
            kwargs = {"path": str(self.path), **document.get("kwargs", {})}
            create_job(site, **self.document(job_id, document, kwargs))
        self.servers = [self.start() for _ in range(SERVERS)]
        wait_until(self.path.exists, what="the first effect")

    def run(self) -> Report:
        """Do faults at random until the time is up, let all come to rest, and reconcile."""
        until = time.monotonic() + self.report.seconds
        faults = self.faults()
        while time.monotonic() < until:
            for _ in range(self.chance.randrange(1, 4)):
                time.sleep(self.chance.uniform(0.2, 1.3))  # Faults come at any moment of a tick.
                self.act_at_random()
            self.do(self.chance.choice(faults))
        self.come_to_rest()
        self.reconcile()
        self.report.publish()
        return self.report

    def document(self, job_id: str, document: dict[str, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        common = {"id": job_id, "function": "tests.probe.jobs.account", "executor": self.executor}
        return {**common, **document, "kwargs": kwargs}

    def faults(self) -> list[Fault]:
        return [self.kill, self.stall, self.stop, self.cut]

    def start(self) -> Server:
        # The name tells the leader's connections from the others'.
        name = f"chaos-{len(self.names)}"
        env = {"APP_SCHEDULER_LEASE_SECONDS": str(LEASE_SECONDS), "PGAPPNAME": name}
        if not self.postgres:
            env["DATABASE_URL"] = f"{self.site.database_url}?timeout={SQLITE_TIMEOUT_SECONDS}"
        server = self.site.gunicorn(env=env)
        self.names[server.url] = name
        return server

    # --- faults ---------------------------------------------------------------------------------------------------

    def do(self, fault: Fault) -> None:
        """Do one fault to the leader, and measure how long nobody leads and nothing runs."""
        token, pid = wait_until(self.leader, TAKEOVER_SECONDS, "a leader") or (0, 0)
        number = next((i for i, server in enumerate(self.servers) if pid in server.children()), None)
        if number is None:  # The leader has only just changed.
            return
        name = fault.__name__
        began, size = time.time(), self.path.stat().st_size
        self.servers[number] = fault(self.servers[number], pid)
        ran = wait_until(lambda: self.first_effect(size, began + SAME_MOMENT), TAKEOVER_SECONDS, f"a run after {name}")
        self.report.gaps[name].append((ran or began) - began)
        if name in ("kill", "stop"):
            wait_until(lambda: self.led_since(token), TAKEOVER_SECONDS, f"another leader after {name}")
        # One that is cut off may keep the lease. So does one that is stalled while it has SQLite's lock, which nobody
        # can take from it.
        if led := self.led_since(token):
            self.report.takeovers[name].append(max(0.0, led - began))

    def led_since(self, token: int) -> float | None:
        """Return since when another leads than with ``token``: a change that nobody watched is in the lease."""
        ((found, since),) = self.site.rows("SELECT token, led_since FROM app_scheduler_schedulerlease")
        return moment(since).timestamp() if found != token else None

    def first_effect(self, size: int, after: float) -> float | None:
        """Return when something ran first after a moment; ``size`` is that of the file until then."""
        with self.path.open() as file:
            file.seek(size)
            moments = [float(line.split()[0]) for line in file if line.endswith("\n")]
        return next((ran for ran in sorted(moments) if ran > after), None)

    def kill(self, server: Server, pid: int) -> Server:
        server.kill_group()
        return self.start()

    def stall(self, server: Server, pid: int) -> Server:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 2)  # That is the fault: it sleeps beyond its lease.
        os.kill(pid, signal.SIGCONT)
        return server

    def stop(self, server: Server, pid: int) -> Server:
        server.stop()
        return self.start()

    def cut(self, server: Server, pid: int) -> Server:
        """Take the database away: cut the leader's connections again and again, or hold the lock that writes need."""
        if self.postgres:
            statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
            for _ in range(self.chance.randrange(5, 30)):
                self.site.rows(statement, self.names[server.url])
                time.sleep(self.chance.uniform(0, 0.1))  # At any moment of a transaction.
            return server
        path = self.site.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            time.sleep(SQLITE_TIMEOUT_SECONDS * self.chance.uniform(1.5, 4))  # That is the fault.
            lock.execute("ROLLBACK")
        return server

    def leader(self) -> tuple[int, int] | None:
        """Return who holds the lease and lives: (token, process)."""
        rows = self.site.rows("SELECT holder, token FROM app_scheduler_schedulerlease")
        for holder, token in rows:
            pid = int(holder.rsplit("-", 2)[1]) if holder else 0
            if pid and os.path.exists(f"/proc/{pid}"):
                return token, pid
        return None

    # --- what people do meanwhile ---------------------------------------------------------------------------------

    def act_at_random(self) -> None:
        kind = self.chance.choice(["run now", "run now", "pause", "resume", "pause all", "nothing"])
        server = self.chance.choice(self.servers)
        try:
            if kind == "run now":
                answer = server.api("POST", "jobs/hand/run/", {})
                if answer.status in (200, 201, 202):
                    self.acknowledged.append(answer.json["id"])
            elif kind == "pause":
                server.api("POST", "jobs/paused/pause/", {"reason": "chaos"})
            elif kind == "resume":
                server.api("POST", "jobs/paused/resume/", {})
            elif kind == "pause all":
                server.api("POST", "scheduler/pause/", {"reason": "chaos"})
                time.sleep(self.chance.uniform(0, 0.5))
                self.resume_all()
        except OSError:
            if kind == "pause all":  # It may have been carried out, or be yet.
                self.resume_all()
            kind += " without an answer"
        self.report.acts[kind] += 1

    def resume_all(self) -> None:
        def resumed() -> bool:
            with contextlib.suppress(OSError):
                return any(server.api("POST", "scheduler/resume/", {}).status == 200 for server in self.servers)
            return False

        wait_until(resumed, TAKEOVER_SECONDS, "all scheduling to be resumed")

    def come_to_rest(self) -> None:
        """End the schedules, wait until nothing waits or runs, and stop the servers."""
        self.resume_all()
        act(self.site, f"[services.pause_job(id, actor, reason='end') for id in {list(JOBS)!r} if id != 'paused']")
        act(self.site, "services.pause_job('paused', actor, reason='end')" if not self.is_paused() else "pass")
        try:
            wait_until(lambda: not self.unsettled(), REST_SECONDS, "the last executions' verdicts")
        except AssertionError as error:
            control = self.site.rows("SELECT * FROM app_scheduler_schedulerlease")
            raise AssertionError(f"{error}: {self.unsettled()}; the lease: {control}") from error
        for server in self.servers:
            server.stop()

    def unsettled(self) -> list[tuple[Any, ...]]:
        return self.site.rows(
            "SELECT e.id, e.job_id, e.status, e.run_time, d.origin, d.available_at, d.started_at, d.instance "
            "FROM django_apscheduler_djangojobexecution e "
            "JOIN app_scheduler_executiondetail d ON d.execution_id = e.id WHERE e.status IN (%s, %s)",
            STARTED,
            QUEUED,
        )

    def is_paused(self) -> bool:
        return self.site.rows("SELECT state FROM app_scheduler_jobspec WHERE job_id = 'paused'") == [("paused",)]

    # --- reconciliation -------------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        """Hold each effect against its execution and each job's ticks against the clock."""
        rows = self.site.rows(
            "SELECT e.id, e.job_id, e.status, e.run_time, d.origin, d.attempt, d.tick_count "
            "FROM django_apscheduler_djangojobexecution e "
            "LEFT JOIN app_scheduler_executiondetail d ON d.execution_id = e.id ORDER BY e.job_id, e.run_time"
        )
        status = {row[0]: row[2] for row in rows if row[1] in JOBS}
        effects = Counter(int(line.split()[2]) for line in self.path.read_text().splitlines())
        found = self.report.faults_found
        for pk, count in effects.items():
            if pk not in status:
                found.append(f"effect without an execution: {pk}")
            elif status[pk] not in RAN | MAY_HAVE_RUN:
                found.append(f"execution {pk} has an effect and the verdict {status[pk]}")
            if count > 1:
                found.append(f"execution {pk} ran {count} times")
        found += [f"execution {pk} is {value}" for pk, value in status.items() if value in (STARTED, QUEUED)]
        found += [f"execution {pk} is {value} without an effect" for pk, value in status.items()
                  if value in RAN and pk not in effects]  # fmt: skip
        found += [f"run {pk} was asked for and is not there" for pk in self.acknowledged if pk not in status]
        for job_id, step in COUNTED.items():
            self.reconcile_ticks(job_id, step, [row for row in rows if row[1] == job_id and row[4] == "schedule"])
        self.report.verdicts = Counter(status.values())
        self.report.effects = effects.total()

    def reconcile_ticks(self, job_id: str, step: int, rows: list[tuple[Any, ...]]) -> None:
        covered: Counter[int] = Counter()
        begin = min(moment(row[3]) for row in rows).timestamp() - (rows[0][6] - 1) * step
        for _, _, status, run_time, _, _, tick_count in rows:
            last = round((moment(run_time).timestamp() - begin) / step)
            covered.update(range(last - tick_count + 1, last + 1))
            self.report.ticks[status] += tick_count
        expected = range(min(covered), max(covered) + 1)
        self.report.faults_found += [
            f"{job_id}: tick {n} has {covered[n]} executions" for n in expected if covered[n] > 1
        ]
        self.report.faults_found += [f"{job_id}: tick {n} has no verdict" for n in expected if not covered[n]]


def moment(value: Any) -> datetime:
    """Return a time of the database, which SQLite keeps as text in UTC."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)
