"""Pages of a list that may have millions of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator


class BoundedPaginator(_Paginator):
    """Counts no further than ``limit`` rows, which are also as many as can be paged through.

    A ``COUNT(*)`` over a history of millions takes longer than the page itself, and nobody turns to page 90,000: the
    dates and the filters lead there.
    """

    limit = 10_000

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        # Without the order and the joins for other columns, the database counts what comes first.
        found: int = rows.order_by().values("pk")[: self.limit + 1].count()
        return found

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.limit)

    @property
    def is_cut(self) -> bool:
        """Whether there is more than can be paged through."""
        return self._counted > self.limit
