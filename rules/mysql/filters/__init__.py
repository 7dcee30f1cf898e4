"""Row filters on MySQL and MariaDB: spliced into the client's own text where a filtered table is named."""

from rules.mysql.filters.rewriting import rewrite

__all__ = ["rewrite"]
