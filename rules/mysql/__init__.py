"""MySQL's and MariaDB's dialects: SQL text -> rules.tree."""
