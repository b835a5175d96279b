"""Arguments that pages and logs must not show: which they are, and how they are masked and restored."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from app_scheduler.signature.plain import MAX_DEPTH, Json

#: What stands in for a secret wherever arguments are shown.
MASK = "••••••"

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET_WORDS = frozenset(
    {"password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "tokens"}
    | {"apikey", "credential", "credentials"}
)
_SECRET_PAIRS = frozenset(
    {("api", "key"), ("access", "key"), ("private", "key"), ("auth", "key"), ("signing", "key"), ("encryption", "key")}
)
#: A name is about its last word: a password_file is a file, max_tokens is a number of tokens.
_HARMLESS_ENDS = frozenset(
    {"file", "path", "dir", "directory", "length", "count", "size", "limit", "ttl", "age", "expiry", "expires", "days"}
    | {"hours", "minutes", "seconds", "policy"}
)
_HARMLESS_STARTS = frozenset({"max", "min", "num", "number", "count"})


@lru_cache(maxsize=4096)
def looks_secret(name: str) -> bool:
    """Say whether an argument's or key's name says that its value is secret ("db_password", "apiKey", "token")."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _HARMLESS_ENDS or words[0] in _HARMLESS_STARTS:
        return False
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def mask_secret(value: Json) -> Json:
    """Return the mask for a secret; None stays, since it says that there is no secret."""
    return None if value is None else MASK


def mask_keys(value: Json, depth: int = 0) -> Json:
    """Return a copy of a JSON value in which every key that looks secret is masked."""
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {
            key: mask_secret(item) if looks_secret(str(key)) else mask_keys(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [mask_keys(item, depth + 1) for item in value]
    return value


def unmask(value: Json, stored: Json, *, secret: bool = False, depth: int = 0) -> Json:
    """Return ``value`` with each mask replaced by what ``stored`` has at the same place.

    ``secret`` says that the value itself is a secret. A mask with nothing stored behind it stays, to be refused.
    """
    if depth > MAX_DEPTH:
        return value
    if secret:
        return stored if value == MASK and stored is not None else value
    if isinstance(value, dict) and isinstance(stored, dict):
        return {
            key: unmask(item, stored.get(key), secret=looks_secret(str(key)), depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)) and isinstance(stored, (list, tuple)):
        pairs = [*stored, *[None] * len(value)]
        return [unmask(item, pairs[index], depth=depth + 1) for index, item in enumerate(value)]
    return value


def has_mask(value: Json, *, secret: bool = False) -> bool:
    """Say whether a plain JSON value (no deeper than `plain` allows) holds a mask where a secret belongs."""
    if secret:
        return bool(value == MASK)
    if isinstance(value, dict):
        return any(has_mask(item, secret=looks_secret(key)) for key, item in value.items())
    return isinstance(value, list) and any(has_mask(item) for item in value)
