"""Quotation marks as the reader's language has them."""

from __future__ import annotations

from django.utils.translation import gettext


def in_quotes(text: str) -> str:
    """Return a text in quotation marks."""
    return gettext("“%(text)s”") % {"text": text}
