"""Row filters: the rows that a role may not see are as if they were not there.

The filter is spliced into the statement's own text at every reference of the table, and the result is read and proven
before it is sent. What cannot be spliced with certainty is refused.
"""

from __future__ import annotations

from rules.filters.expansion import shown_by_views
from rules.filters.rewriting import rewrite

__all__ = ["rewrite", "shown_by_views"]
