"""MySQL's and MariaDB's dialects: SQL text -> rules.tree."""

from rules.mysql.parse import read

__all__ = ["read"]
