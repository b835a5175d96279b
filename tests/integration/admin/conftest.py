"""Who looks at the admin's pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.admin import histories
from tests.integration.admin.jobs_site import client_of, superuser


@pytest.fixture
def root(db: None) -> User:
    return superuser()


@pytest.fixture
def client(root: User) -> Client:
    """Return a client that the superuser is logged in with."""
    return client_of(root)


@pytest.fixture
def viewer(db: None) -> Client:
    """Return a client of somebody who may look at executions."""
    return histories.client_with("view_djangojobexecution")
