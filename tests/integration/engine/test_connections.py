"""The connections of the engine's own threads, as PostgreSQL sees them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from django.db import DatabaseError, connection, transaction

from app_scheduler.engine.connections import drop_connection, set_up_connection
from app_scheduler.engine.lease import ensure_lease
from app_scheduler.engine.sql import read
from app_scheduler.models import SchedulerLease

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("quick", "transactional_db")]

T = TypeVar("T")


def in_a_thread_of_the_engine(do: Callable[[], T]) -> T:
    results: list[T] = []

    def work() -> None:
        set_up_connection()
        try:
            results.append(do())
        finally:
            drop_connection()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    (result,) = results
    return result


def setting(name: str) -> str:
    return str(read(f"SELECT current_setting('{name}')")[0][0])


def prepared() -> list[str]:
    return [statement for (statement,) in read("SELECT statement FROM pg_prepared_statements")]


def test_a_transaction_that_stands_still_is_ended_by_the_server() -> None:
    """A stalled leader's locks would hold up whoever leads after it."""

    def stall() -> str:
        try:
            with transaction.atomic():
                ensure_lease()
                time.sleep(1.5)  # That is the fault: longer than half of the lease.
                SchedulerLease.objects.exists()
        except DatabaseError as error:
            return str(error)
        return ""

    assert "idle-in-transaction" in in_a_thread_of_the_engine(stall)


def test_statements_are_prepared_and_find_rows_by_key() -> None:
    def look() -> tuple[list[str], str]:
        for _ in range(2):
            read("SELECT 1 + %s", [1])
        return prepared(), setting("enable_hashjoin")

    statements, hashes = in_a_thread_of_the_engine(look)
    assert "SELECT 1 + $1" in statements
    assert hashes == "off"


def test_other_threads_keep_their_connections_as_they_are() -> None:
    for _ in range(2):
        read("SELECT 1 + %s", [1])
    assert prepared() == []
    assert setting("enable_hashjoin") == "on"


def test_nothing_is_prepared_behind_a_pool_of_transactions() -> None:
    def look() -> list[str]:
        connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        try:
            for _ in range(2):
                read("SELECT 1 + %s", [1])
            return prepared()
        finally:
            connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = False

    assert in_a_thread_of_the_engine(look) == []


def test_a_column_whose_type_changes_under_a_prepared_statement_costs_one_failure() -> None:
    """As a migration does while an old process still runs."""

    def carry_out(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    def migrate() -> None:
        carry_out("ALTER TABLE changing ALTER number TYPE bigint")
        drop_connection()

    def look() -> tuple[str, list[tuple[Any, ...]]]:
        for _ in range(2):
            read("SELECT number FROM changing")
        thread = threading.Thread(target=migrate)
        thread.start()
        thread.join()
        try:
            read("SELECT number FROM changing")
        except DatabaseError as error:
            drop_connection()
            return str(error), read("SELECT number FROM changing")
        return "", []

    carry_out("CREATE TABLE changing (number integer)")
    try:
        carry_out("INSERT INTO changing VALUES (1)")
        error, rows = in_a_thread_of_the_engine(look)
    finally:
        carry_out("DROP TABLE changing")
    assert "cached plan" in error
    assert rows == [(1,)]
