"""The catalogues of translations: whole, as the code marks its strings, and compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

BASE_DIR = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(BASE_DIR.glob("locale/*/LC_MESSAGES/django.po"))
COMMAND = "Run “make messages”, translate what is new, and run it again."
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|%[sd]")
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("gettext", "gettext_lazy", "gettext_noop", "_")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
each_catalogue = pytest.mark.parametrize("path", CATALOGUES, ids=[path.parts[-3] for path in CATALOGUES])

#: Context and text of a string; of one with a plural, its singular.
Key = tuple[str | None, str]


@cache
def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def messages(path: Path) -> list[Message]:
    return [message for message in catalogue(path) if message.id]


def forms(text: Any) -> list[str]:
    """Return a text, or those of its plural forms."""
    return [text] if isinstance(text, str) else list(text)


def key_of(message: Message) -> Key:
    return message.context, forms(message.id)[0]


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text.replace("%%", "")))


@cache
def marked() -> dict[Key, str]:
    """Return each string that the code and its templates mark, with a file that does."""
    found: dict[Key, str] = {}
    for folder in ("app_scheduler", "poker_backend", "templates"):
        for path in sorted(BASE_DIR.joinpath(folder).rglob("*")):
            name = str(path.relative_to(BASE_DIR))
            if path.suffix in {".py", ".html", ".txt"} and "locale" not in path.parts:
                found |= dict.fromkeys(strings_in(path), name)
    return found


def strings_in(path: Path) -> Iterator[Key]:
    text = path.read_text()
    if path.suffix != ".py":
        # What is left of a template is no Python: its lines are indented as HTML is.
        text = "\n".join(line.lstrip() for line in templatize(text, origin=str(path)).splitlines())
    for _, strings, _, context in extract("python", BytesIO(text.encode()), KEYWORDS, options={"encoding": "utf-8"}):
        yield context, forms(strings)[0]


def listed(lines: Iterable[str], path: Path) -> str:
    return "\n".join([f"{path.relative_to(BASE_DIR)}:", *(f"  {line}" for line in lines), COMMAND])


def test_the_strings_of_code_and_of_templates_are_found() -> None:
    found = marked()
    assert found[None, "Give true or false."].startswith("app_scheduler/")
    assert any(name.endswith(".html") for name in found.values())


@each_catalogue
def test_every_marked_string_is_in_the_catalogue(path: Path) -> None:
    missing = marked().keys() - {key_of(message) for message in messages(path)}
    assert not missing, listed((f"{marked()[key]}: {key[1]!r}" for key in sorted(missing, key=str)), path)


@each_catalogue
def test_no_message_is_untranslated_or_fuzzy(path: Path) -> None:
    poor = [message for message in messages(path) if message.fuzzy or not all(forms(message.string))]
    assert not poor, listed((f"{'fuzzy' if m.fuzzy else 'untranslated'}: {key_of(m)[1]!r}" for m in poor), path)
    plurals = [message for message in messages(path) if len(forms(message.id)) > 1]
    assert all(len(forms(message.string)) == catalogue(path).num_plurals for message in plurals)


@each_catalogue
def test_the_placeholders_of_each_translation_are_those_of_the_message(path: Path) -> None:
    wrong = []
    for message in messages(path):
        # “One job” may do without the number that “%(count)s jobs” has.
        wanted = [placeholders(text) for text in forms(message.id)]
        wrong += [text for text in forms(message.string) if text and placeholders(text) not in wanted]
    assert not wrong, listed(map(repr, wrong), path)


@each_catalogue
def test_the_compiled_catalogue_says_what_the_catalogue_says(path: Path) -> None:
    compiled = path.with_suffix(".mo")
    assert compiled.exists(), listed([f"{compiled.name} is missing"], path)
    with compiled.open("rb") as file:
        found = [message for message in read_mo(file) if message.id]
    for message in found:
        # Babel leaves the contexts of a compiled catalogue as they are stored.
        message.context = message.context.decode() if isinstance(message.context, bytes) else message.context
    said = {key_of(message): forms(message.string) for message in found}
    written = {key_of(message): forms(message.string) for message in messages(path) if not message.fuzzy}
    differing = [key for key in said.keys() | written.keys() if said.get(key) != written.get(key)]
    assert not differing, listed((repr(text) for _, text in sorted(differing, key=str)), path)
