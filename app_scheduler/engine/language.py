"""The language of the ledger: what the engine writes down is data, read later by people of several languages."""

from __future__ import annotations

from django.utils.translation import override


def ledger_language() -> override:
    """Return a context in which messages come in English, whatever the site's or the request's language is."""
    return override("en")
