"""Bytes as text, or a sentence about what the bytes are instead."""

from __future__ import annotations

import codecs

from app_scheduler.exceptions import InvalidInput

ZIP = b"PK\x03\x04"
_SIGNATURES = (
    (ZIP, "an Excel workbook or another ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook, or one with a password"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
)
AS_UTF8 = (
    "Save it as UTF-8: in Excel “Save as”, type “CSV UTF-8 (comma delimited)”; in LibreOffice “Save as” with "
    "“Edit filter settings”, character set “Unicode (UTF-8)”."
)


def binary_kind(data: bytes) -> str:
    """Return what kind of file the bytes are, where they are no text at all; otherwise ``""``."""
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), "")


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8 with or without a BOM, or UTF-16 with one. Raises ``InvalidInput``."""
    kind = binary_kind(data)
    if kind:
        raise InvalidInput(f"This is {kind}, not text. Choose the format that matches the file, or another file.")
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise InvalidInput(f"This file is in UTF-32. {AS_UTF8}")
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InvalidInput(f"Line {line} contains NUL characters: this is no text file, or a broken one. {AS_UTF8}")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise InvalidInput(f"Line {line} has characters that are not {name}. {AS_UTF8}") from None
    if "\0" in text:
        raise InvalidInput("The file contains NUL characters. Remove them.")
    return text
