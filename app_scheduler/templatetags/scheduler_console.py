"""The console's parts for pages that are not its own: the overview on the admin's index, the banner on every page.

``{% load scheduler_console %}`` brings both to a site with templates of its own::

    admin/index.html      {% scheduler_overview %}   in the block content
    admin/base_site.html  {% scheduler_banner %}     in the block messages

Neither ever makes its page fail, and neither shows anything to who may not see the jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import template
from django.db import DatabaseError, connections, transaction
from django.template.loader import get_template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django_apscheduler.models import DjangoJob

from app_scheduler.admin.columns import moment
from app_scheduler.admin.live import LiveBar
from app_scheduler.admin.overview import ON_INDEX, compact
from app_scheduler.admin.overview_links import OVERVIEW, may_view
from app_scheduler.services.overview import pulse

logger = logging.getLogger(__name__)
register = template.Library()


@contextmanager
def _sheltered() -> Iterator[None]:
    """Let a fault of the database end what is in here alone, also where the page is one transaction."""
    using = DjangoJob.objects.db
    if connections[using].in_atomic_block:
        with transaction.atomic(using=using):
            yield
    else:
        yield


def _request(context: template.Context) -> Any:
    """Return the request of a member of staff who may view the jobs, or None."""
    request = context.get("request")
    if request is None or not hasattr(request, "user") or not may_view(request, "djangojob"):
        return None
    return request


@register.simple_tag(takes_context=True)
def scheduler_overview(context: template.Context) -> SafeString:
    """Show the overview as a card: state, five numbers, what needs a look."""
    request = _request(context)
    if request is None:
        return mark_safe("")
    found = None
    try:
        with _sheltered():
            found = compact(request, timezone.now())
    except NoReverseMatch:  # a site whose admin has other names, or no jobs
        return mark_safe("")
    except DatabaseError:
        logger.exception("The overview could not be read")
    values = {
        "overview": found,
        "live": found and found.live,
        "request": request,
        "look_url": f"{found.url}?{urlencode(ON_INDEX)}" if found else "",
    }
    return mark_safe(get_template("app_scheduler/overview.html").render(values))


@register.simple_tag(takes_context=True)
def scheduler_banner(context: template.Context) -> SafeString:
    """Say that no scheduler is alive or that all scheduling is paused: since when, who and why. One query.

    Not on pages that say so themselves: those with the console's bar, and the index with its overview.
    """
    if isinstance(context.get("live"), LiveBar) or context.get("is_popup") or context.get("has_scheduler_overview"):
        return mark_safe("")
    request = _request(context)
    if request is None:
        return mark_safe("")
    try:
        # Without a savepoint, which on every page would cost more than the query.
        found = pulse()
        url = reverse(OVERVIEW)
    except (DatabaseError, NoReverseMatch):
        # Where not even one row can be read, the page itself says what is wrong.
        return mark_safe("")
    if found.alive and not found.paused:
        return mark_safe("")
    now = timezone.now()
    values = {
        "pulse": found,
        "url": url,
        "down_since": moment(found.down_since, now=now),
        "paused_at": moment(found.paused_at, now=now),
    }
    return mark_safe(get_template("app_scheduler/banner.html").render(values))
