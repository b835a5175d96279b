"""What drawings share: places as the browser reads them."""

from __future__ import annotations


def place(value: float) -> str:
    """Return a number for CSS or SVG, with a point whatever the reader's language has: “12.5”, “100”."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def percent(value: float) -> str:
    return f"{place(value)}%"
