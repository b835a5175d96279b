"""What the console's lists share: cells of templates, what may be posted, which filters are on."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe


def cell(templates: str, name: str, row: Any) -> SafeString:
    """Return a cell of a row, by the folder of its list's templates and the cell's name."""
    return mark_safe(get_template(f"{templates}/cells/{name}.html").render({"row": row}))


def may_post(model_admin: Any, request: HttpRequest) -> bool:
    """Say whether what is posted asks for actions that this user has. Without any there is nothing to post."""
    allowed = model_admin.get_actions(request)
    return bool(allowed) and all(action in allowed for action in request.POST.getlist("action") if action)


def chosen(changelist: ChangeList) -> list[Any]:
    """Return the filters that are on; a select that is left on “any” sends an empty value."""
    # All of the console's filters have a value, which Django's base class has not.
    filters: list[Any] = list(changelist.filter_specs)
    return [each for each in filters if each.value()]
