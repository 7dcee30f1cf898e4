"""PostgreSQL's dialect: SQL text -> rules.tree."""

from rules.postgres.parse import read

__all__ = ["read"]
