"""What every group of tests shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import settings as hypothesis_settings

from tests import postgres
from tests.run_directory import run_directory

#: A test's marker from where it lies.
MARKED_DIRECTORIES = {"processes": "processes", "browser": "browser"}

# No test is about how long it takes: machines are busy.
hypothesis_settings.register_profile("console", deadline=None)
hypothesis_settings.load_profile("console")


def pytest_configure() -> None:
    run_directory()  # Made before there are workers, so that the process that outlives them all owns it.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = item.path.relative_to(Path(__file__).parent).parts[0]
        if group in MARKED_DIRECTORIES:
            item.add_marker(MARKED_DIRECTORIES[group])
    if settings.TEST_DATABASE == "postgres":
        return
    skip = pytest.mark.skip(reason="PostgreSQL only: make test runs it there")
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(skip)


def pytest_report_header() -> str:
    return f"database: {settings.TEST_DATABASE}"


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """Begin in the site's language: a request of the test client leaves its own behind in the thread."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def remembered() -> None:
    """Begin without the answers to another test's database."""
    from app_scheduler.services.overview.concerns import SUMS

    SUMS.forget()


@pytest.fixture(scope="session")
def postgres_url() -> Callable[[str], str]:
    """Return the maker of URLs for databases on a real PostgreSQL server, whatever database Django uses here."""
    postgres.url()
    return postgres.url


@pytest.fixture
def postgres_database() -> Iterator[str]:
    """Yield the URL of an empty PostgreSQL database of the test's own."""
    with postgres.database() as url:
        yield url
