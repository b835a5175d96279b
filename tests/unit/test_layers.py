"""The rooms of the code: imports point down only, as docs/architecture.md draws them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "app_scheduler"

#: From the ground up. A room may import from its own floor and from those below.
FLOORS = (
    {"exceptions", "conf", "quoting"},
    {"signature", "triggers"},
    {"registry"},
    {"querysets", "models", "migrations"},
    {"documents"},
    {"engine"},
    {"maintenance", "jobs", "services"},
    {"forms", "resources", "transfer", "logs", "tracebacks"},
    {"admin", "api", "views", "management", "checks", "sections", "tasks", "templatetags"},
    {"apps"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
#: The package's own names are what apps use: ``job`` comes from the registry, the other two from the engine.
PUBLIC = {"job": "registry", "scheduler": "engine", "current_execution": "engine"}


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, room) for each import of ours; those for types only count as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "app_scheduler":
            names = [f"app_scheduler.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            inside = len(path.relative_to(PACKAGE).parts) - 1
            assert node.level <= inside, f"{path}:{node.lineno} leaves its room by a relative import; name the room"
            continue
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "app_scheduler" and rest:
                room = rest.split(".")[0]
                yield node.lineno, PUBLIC.get(room, room)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for line, target in imported_rooms(path):
        assert FLOOR[target] <= FLOOR[room], f"{path.name}:{line}: {room} must not know {target}"
