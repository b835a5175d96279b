"""README.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app_scheduler.conf import SETTINGS

BASE_DIR = Path(__file__).resolve().parents[2]
README = (BASE_DIR / "README.md").read_text()
READ_IN_CODE = re.compile(r"\b(?:text|flag|number|names)\(\s*\"([A-Z_]+)\"")
READ_IN_SET_UP = re.compile(r"\bos\.environ\.get\(\"([A-Z_]+)\"")


def _variables() -> list[str]:
    source = "".join((BASE_DIR / "poker_backend" / name).read_text() for name in ("settings.py", "environment.py"))
    set_up = (BASE_DIR / "poker_backend" / "bootstrap.py").read_text()
    console = {f"APP_SCHEDULER_{name}" for name in SETTINGS}
    return sorted({*READ_IN_CODE.findall(source), *READ_IN_SET_UP.findall(set_up), *console})


@pytest.mark.parametrize("variable", _variables())
def test_every_variable_is_documented(variable: str) -> None:
    assert f"`{variable}`" in README


def test_every_documented_variable_of_the_console_exists() -> None:
    documented = set(re.findall(r"`(APP_SCHEDULER_[A-Z_]+)`", README))
    assert documented == {f"APP_SCHEDULER_{name}" for name in SETTINGS}


def test_every_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*  ## ", (BASE_DIR / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ (?:[A-Z_]+=\S+ )*)make ([a-z-]+)", README))
    assert named
    assert named <= targets
