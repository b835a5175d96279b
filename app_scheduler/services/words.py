"""What somebody searches for, word by word."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.text import smart_split, unescape_string_literal


def words_of(text: str) -> Iterator[str]:
    """Yield the words of a search; a quoted phrase is one."""
    for word in smart_split(text):
        is_quoted = len(word) > 1 and word[0] in "'\"" and word[0] == word[-1]
        yield unescape_string_literal(word) if is_quoted else word
