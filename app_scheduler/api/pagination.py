"""Pages of lists: ``{count, next, previous, results}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from app_scheduler.api.fields import count_field
from app_scheduler.api.queries import Query

DEFAULT_SIZE = 50
MAX_SIZE = 1000
MAX_PAGE = 1_000_000
#: Rows are counted up to here: counting a history of millions would take longer than reading the page.
MAX_COUNT = 100_000


class PageQuery(Query):
    page = count_field(MAX_PAGE, 1)
    # A larger page than there may be is the largest one, so that a client need not know the limit.
    page_size = count_field(10**9, DEFAULT_SIZE)


class Pages(BasePagination):
    """Page numbers from 1. A page is as many queries as it takes to read it, and one that counts."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        query = PageQuery.read(request)
        self.request = request
        self.page: int = query["page"]
        size = min(query["page_size"], MAX_SIZE)
        start = (self.page - 1) * size
        self.count = _count(queryset)
        # One row more than the page shows says whether there is a next one, also where counting has stopped.
        rows = list(queryset[start : start + size + 1])
        if not rows and self.page > 1:
            last = max(1, -(-self.count // size))
            raise NotFound(
                gettext("There is no page %(page)s. The last one is %(last)s.")
                % {"page": f"{self.page:,}", "last": f"{last:,}"}
            )
        self.has_next = len(rows) > size
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "count": self.count,
                "next": self._link(self.page + 1) if self.has_next else None,
                "previous": self._link(self.page - 1) if self.page > 1 else None,
                "results": data,
            }
        )

    def _link(self, page: int) -> str:
        address = self.request.build_absolute_uri()
        return remove_query_param(address, "page") if page == 1 else replace_query_param(address, "page", page)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_COUNT,
                    "description": f"How many there are. Counting stops at {MAX_COUNT:,}; `next` goes on beyond it.",
                    "example": 123,
                },
                "next": {
                    **link,
                    "description": "The address of the next page, or null.",
                    "example": "https://console.example.com/api/jobs/?page=3",
                },
                "previous": {
                    **link,
                    "description": "The address of the page before, or null.",
                    "example": "https://console.example.com/api/jobs/",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        def parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
            return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

        return [
            parameter("page", "The number of the page.", {"type": "integer", "minimum": 1, "default": 1}),
            parameter(
                "page_size",
                f"How many a page shows. More than {MAX_SIZE:,} counts as {MAX_SIZE:,}.",
                {"type": "integer", "minimum": 1, "default": DEFAULT_SIZE},
            ),
        ]


def _count(rows: QuerySet[Any] | Sequence[Any]) -> int:
    if isinstance(rows, QuerySet):
        return min(rows.order_by()[: MAX_COUNT + 1].count(), MAX_COUNT)
    return len(rows)
