"""Statement + catalog -> facts: one pass over the tree's scopes, with PostgreSQL's own name resolution.

What does not resolve for certain is refused (`Facts.problem`) or asked for again (`Facts.missing`); no column is
ever dropped by a guess. Views are followed into their definitions, parents into their children and back.

Beyond the reach of this reading, and of the rules: what triggers, column defaults, domain checks and row security
policies of the server's own tables do when a statement fires them. They are the owner's code, not the client's.
"""

from __future__ import annotations

from rules.lineage.statements import facts

__all__ = ["facts"]
