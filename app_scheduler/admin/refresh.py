"""Pages that keep themselves up to date: the same view answers a look with the page's live regions alone.

A live region is an element with an id that a page and its fragment share. The script of such a page
(``static/app_scheduler/live.js``) looks again every few seconds, names the rows that are in sight, and puts each region
of the answer in its place. Where nothing has changed, the answer is 304 and empty.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import unquote

from django.contrib.admin.templatetags.admin_list import results
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers

#: The element that looks, and the name of what htmx says it asks for.
LOOKER = "jc-look"
#: Names the rows in sight, each quoted as in an address, with commas between.
ROWS_HEADER = "Live-Rows"
#: Marks an answer as one to a look: a page that a redirect led to, the login say, has none. “done” ends the looking.
MARK = "Live"
#: Says that what costs more than the rest is asked for another time.
PART_HEADER, QUICK = "Live-Part", "quick"
#: More rows than fit on a screen are not asked for.
MAX_ROWS = 200


def is_look(request: HttpRequest) -> bool:
    """Tell whether the page's script asks for its live regions, and not somebody for the page."""
    return request.method == "GET" and request.headers.get("HX-Target") == LOOKER


def is_quick(request: HttpRequest) -> bool:
    """Tell whether a look leaves out the parts of the page that cost more than the others."""
    return is_look(request) and request.headers.get(PART_HEADER) == QUICK


def rows_in_sight(request: HttpRequest) -> list[str]:
    """Return the primary keys of the rows that the page shows, as text and unchecked, at most ``MAX_ROWS``."""
    named = (unquote(each) for each in request.headers.get(ROWS_HEADER, "").split(",")[:MAX_ROWS])
    return [each for each in dict.fromkeys(named) if each and "\x00" not in each]


def regions(request: HttpRequest, template: str, context: dict[str, Any], *, is_done: bool = False) -> HttpResponse:
    """Return the live regions of a page, or 304 where the page has them as they are.

    ``is_done`` says that nothing of them will change any more.
    """
    content = render_to_string(template, {**context, "is_look": True}, request).encode()
    # Rendered first and compared then: what a region shows hangs on the clock and on many rows, and no query is saved
    # by knowing it, but nothing that is unchanged is sent, read and put in its place.
    etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    is_same = request.headers.get("If-None-Match") == etag
    answer: HttpResponse = HttpResponseNotModified() if is_same else HttpResponse(content)
    answer["ETag"] = etag
    answer[MARK] = "done" if is_done else "on"
    patch_vary_headers(answer, ("HX-Target", ROWS_HEADER, PART_HEADER))
    return answer


def regions_of_list(request: HttpRequest, page: HttpResponse, template: str) -> HttpResponse:
    """Return the live regions of a list's page that Django made, which is not rendered; what is none as it is."""
    if not isinstance(page, TemplateResponse) or not page.context_data:
        return page
    return regions(request, template, page.context_data)


class LiveChangeList(ChangeList):
    """Django's list; a look gets the rows in sight, whichever page they would be on by now, and counts nothing."""

    def get_results(self, request: HttpRequest) -> None:
        if not is_look(request):
            super().get_results(request)
            return
        found = self.rows_of(self.root_queryset, rows_in_sight(request))
        self.result_list = list(self.apply_select_related(found))
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.result_list, self.list_per_page)

    def first_page(self) -> str:
        """Return the address of the list as it is, from its beginning."""
        return str(self.get_query_string(remove=[PAGE_VAR])) or "?"

    def rows_with_cells(self) -> list[dict[str, Any]]:
        """Return each row's primary key and its cells as the table has them."""
        shown = zip(self.result_list, results(self), strict=True)
        return [{"pk": str(row.pk), "cells": cells} for row, cells in shown]

    def rows_of(self, queryset: QuerySet[Any], named: list[str]) -> QuerySet[Any]:
        """Return the rows with these primary keys, which come from the browser."""
        return queryset.filter(pk__in=named)
