"""Jobs as files: CSV, XLSX, JSON and YAML, read strictly and written so that they read back without a difference.

``formats`` has the four formats as django-import-export knows formats; ``rows`` what a file says, row by row;
``table`` what a cell means. What the rows would do to the jobs is planned and carried out by ``resources``.
"""

from __future__ import annotations

from .formats import FORMATS, FORMATS_BY_NAME, JobFormat, format_of_content, format_of_name
from .rows import JobRows, SourceRow

__all__ = [
    "FORMATS",
    "FORMATS_BY_NAME",
    "JobFormat",
    "JobRows",
    "SourceRow",
    "format_of_content",
    "format_of_name",
]
