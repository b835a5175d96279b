"""Taking secrets out of texts that leave the site: exception messages quote what they were given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings

from app_scheduler.registry import registry
from app_scheduler.signature.secrecy import MASK, looks_secret, mask_keys

#: Shorter ones are parts of ordinary words.
SHORTEST_SECRET = 4

# Each begins where a word does: trying every letter of a long word takes the square of its length.
_USER_INFO = re.compile(r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://)[^\s/?#]*@", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\b(Basic|Bearer|Digest|Token)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_NAME = re.compile(r"""(?<![\w-])([\w-]+)["']?\s*(?:=>|[=:])[^\S\n]*""")
_VALUE = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&)}\]]+""")
#: Headers whose whole line is secret.
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_LINE = re.compile(r"[^\n]+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without ``secrets`` and without what looks like one: ``//user:password@``, ``token=…``."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _USER_INFO.sub(rf"\g<1>{MASK}@", text)
    text = _CREDENTIALS.sub(rf"\g<1> {MASK}", text)
    return _mask_named(text)


def _mask_named(text: str) -> str:
    """Mask the value behind each name that looks secret. Any name's value may itself be a name with a value."""
    parts: list[str] = []
    done = 0
    for name in _NAME.finditer(text):
        header = name[1].lower() in _HEADERS
        if name.start() < done or not (header or looks_secret(name[1])):
            continue
        if value := (_LINE if header else _VALUE).match(text, name.end()):
            parts += [text[done : name.end()], MASK]
            done = value.end()
    return "".join([*parts, text[done:]])


def secrets_of_settings() -> set[str]:
    """Return the texts that the site's settings hold under names that look secret, databases' passwords included."""
    named = {name: getattr(settings, name) for name in dir(settings) if name.isupper()}
    return {text for name, value in named.items() for text in _masked_texts({name: value}, mask_keys({name: value}))}


def secrets_of_arguments(function: str, args: Any, kwargs: Any) -> set[str]:
    """Return the texts among an execution's arguments that pages mask."""
    registered = registry.find(function)
    if registered is None:
        return set(_masked_texts(kwargs, mask_keys(kwargs)))
    masked_args, masked_kwargs = registered.signature.masked(args, kwargs)
    return {*_masked_texts(args, masked_args), *_masked_texts(kwargs, masked_kwargs)}


def _masked_texts(value: Any, masked: Any) -> Iterator[str]:
    if isinstance(masked, str) and masked == MASK:  # a lazy value may fail when it is compared
        yield from (text for text in _texts(value) if len(text) >= SHORTEST_SECRET)
    elif isinstance(value, Mapping) and isinstance(masked, Mapping):
        for key, item in value.items():
            yield from _masked_texts(item, masked.get(key))
    elif isinstance(value, (list, tuple)) and isinstance(masked, (list, tuple)):
        for item, masked_item in zip(value, masked, strict=False):
            yield from _masked_texts(item, masked_item)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value. Numbers are left out: masking every 1 would leave nothing to read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _texts(item)
