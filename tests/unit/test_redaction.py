"""What is taken out of a text before it leaves the site."""

from __future__ import annotations

import time

import pytest
from pytest_django import Settings

from app_scheduler.maintenance.redaction import redact, secrets_of_arguments, secrets_of_settings


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://app:hunter22@db/site failed",
        "postgresql://app:hun@ter22:hunter22@db/site failed",
        "password=hunter22",
        "error: password=hunter22",
        "password = 'hunter22 and \\' more hunter22' is wrong",
        '{"api_key": "hunter22", "a": 1}',
        '{"user": {"db_password": "hunter22"}}',
        "{'token' => 'hunter22'}",
        "GET /?a=1&access_token=hunter22&b=2",
        "Authorization: Basic hunter22hunter22",
        "Authorization: Custom hunter22 hunter22",
        "sent Bearer hunter22hunter22",
        "Cookie: sessionid=hunter22; csrftoken=hunter22",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert "hunter22" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'name'",
        "No such file: /var/data/a=b.txt",
        "https://example.com/a@b is gone",
        "x: 1, y: 2",
        "12:30:01",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


def test_a_secret_that_is_known_is_masked_wherever_it_stands() -> None:
    assert "hunter22" not in redact("cannot log in as ahunter22b", ["hunter22"])


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    assert redact("abcdefgh", ["abcd", "abcdefgh"]) == redact("abcd", ["abcd"])


def test_a_long_text_without_secrets_is_looked_through_in_no_time() -> None:
    for text in (
        "a" * 6000,
        "a=" * 3000,
        "'" * 6000,
        "a:// " * 1500,
        "a." * 3000,
        "password" * 700,
        "password='" * 600,
    ):
        began = time.thread_time()  # Of this thread alone: a pattern that backtracks would take minutes.
        redact(text)
        assert time.thread_time() - began < 5


def test_the_settings_secrets_are_known(settings: Settings) -> None:
    settings.SECRET_KEY = "the-secret-key"
    settings.THIRD_PARTY = {"options": [{"api_key": "the-api-key", "region": "the-region"}]}
    found = secrets_of_settings()
    assert {"the-secret-key", "the-api-key"} <= found
    assert "the-region" not in found


def test_secret_arguments_are_known_by_their_names() -> None:
    found = secrets_of_arguments(
        "no.such.function", [], {"password": "hunter22", "n": {"token": ["a-token"]}, "x": "y"}
    )
    assert found == {"hunter22", "a-token"}


def test_short_texts_and_numbers_are_no_secrets() -> None:
    assert secrets_of_arguments("no.such.function", [], {"password": "abc", "token": 123456}) == set()
