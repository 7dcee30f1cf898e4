"""The settings file: read whole, checked whole, every problem named at once with its place."""

from dbgate.settings.load import SettingsError, load_settings, parse_settings
from dbgate.settings.model import (
    Address,
    Audit,
    ClickHouse,
    ClientTls,
    Control,
    Database,
    Gate,
    Masking,
    Settings,
    Upstream,
    UpstreamTls,
    User,
)
from dbgate.settings.problems import Problem
from dbgate.settings.secrets import Secret, SecretUnavailable

__all__ = [
    "Address",
    "Audit",
    "ClickHouse",
    "ClientTls",
    "Control",
    "Database",
    "Gate",
    "Masking",
    "Problem",
    "Secret",
    "SecretUnavailable",
    "Settings",
    "SettingsError",
    "Upstream",
    "UpstreamTls",
    "User",
    "load_settings",
    "parse_settings",
]
