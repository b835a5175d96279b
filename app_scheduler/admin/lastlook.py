"""When somebody last looked at the overview, kept in their session."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest

from app_scheduler.admin.refresh import is_look

#: Who has not looked for so long comes back: what came since then is new to them.
AWAY = timedelta(minutes=30)
#: The session is not written more often than this while somebody stays.
WRITTEN = timedelta(minutes=1)
KEY = "app_scheduler_last_look"


def last_look(request: HttpRequest, now: datetime) -> datetime | None:
    """Return the end of the visit before this one, in UTC, and note that somebody looks now.

    A visit lasts as long as no more than ``AWAY`` passes between two looks, so what was new stays new when the page is
    loaded again; it is forgotten only once its reader has left for good. None at the first visit, and after a login,
    which begins another session: then nothing is called new rather than everything. A page that refreshes itself is no
    reader: one that stays open over night is told in the morning what came since its reader loaded it.
    """
    kept = request.session.get(KEY)
    seen, before = _read(kept, "seen"), _read(kept, "before")
    if is_look(request):
        return before
    if seen is None or seen > now:
        _write(request, now, None)
        return None
    if now - seen > AWAY:
        _write(request, now, seen)
        return seen
    if now - seen >= WRITTEN:
        _write(request, now, before)
    return before


def _read(kept: object, name: str) -> datetime | None:
    text = kept.get(name) if isinstance(kept, dict) else None
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _write(request: HttpRequest, seen: datetime, before: datetime | None) -> None:
    request.session[KEY] = {"seen": seen.isoformat(), "before": before.isoformat() if before else None}
