"""Bytes as text, or a sentence about what the bytes are instead."""

from __future__ import annotations

import codecs

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.exceptions import InvalidInput

ZIP = b"PK\x03\x04"
_SIGNATURES = (
    (ZIP, _("an Excel workbook or another ZIP file")),
    (b"\xd0\xcf\x11\xe0", _("an old Excel workbook, or one with a password")),
    (b"%PDF", _("a PDF")),
    (b"\x89PNG", _("a picture")),
    (b"\xff\xd8\xff", _("a picture")),
    (b"GIF8", _("a picture")),
    (b"\x1f\x8b", _("a compressed file")),
    (b"SQLite format 3", _("a database")),
    (b"\x7fELF", _("a program")),
)
AS_UTF8 = _(
    "Save it as UTF-8: in Excel “Save as”, type “CSV UTF-8 (comma delimited)”; in LibreOffice “Save as” with "
    "“Edit filter settings”, character set “Unicode (UTF-8)”."
)


def binary_kind(data: bytes) -> str:
    """Return what kind of file the bytes are, where they are no text at all; otherwise ``""``."""
    return next((str(kind) for signature, kind in _SIGNATURES if data.startswith(signature)), "")


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8 with or without a BOM, or UTF-16 with one. Raises ``InvalidInput``."""
    kind = binary_kind(data)
    if kind:
        raise InvalidInput(
            gettext("This is %(kind)s, not text. Choose the format that matches the file, or another file.")
            % {"kind": kind}
        )
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise InvalidInput(gettext("This file is in UTF-32. %(fix)s") % {"fix": AS_UTF8})
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InvalidInput(
            gettext("Line %(line)s contains NUL characters: this is no text file, or a broken one. %(fix)s")
            % {"line": line, "fix": AS_UTF8}
        )
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise InvalidInput(
            gettext("Line %(line)s has characters that are not %(encoding)s. %(fix)s")
            % {"line": line, "encoding": name, "fix": AS_UTF8}
        ) from None
    if "\0" in text:
        raise InvalidInput(gettext("The file contains NUL characters. Remove them."))
    return text
