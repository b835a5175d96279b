"""The requirement files fix each version once: two pins of one package stop a fresh install."""

from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.13")


def requirements_of(name: str) -> list[Requirement]:
    """Return what a requirement file asks for, those that it includes first."""
    found = []
    for line in (ROOT / name).read_text().splitlines():
        text = line.partition(" #")[0].strip()
        if text.startswith("-r "):
            found += requirements_of(text.removeprefix("-r "))
        elif text and not text.startswith("#"):
            found.append(Requirement(text))
    return found


def test_every_version_is_fixed_once_on_each_python() -> None:
    for python in PYTHONS:
        asked = [
            requirement
            for requirement in requirements_of("requirements-dev.txt")
            if requirement.marker is None or requirement.marker.evaluate({"python_version": python})
        ]
        names = [requirement.name.lower() for requirement in asked]
        assert [name for name in names if names.count(name) > 1] == []
        assert [str(one) for one in asked if [part.operator for part in one.specifier] != ["=="]] == []
