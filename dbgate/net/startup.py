"""Which startup parameters a client may bring: those it may SET later, by the same list. The rest is refused, since
a setting can change what SQL means or whose rights a session has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.limits import TIMEOUT, Limits, time_objection
from rules.settings_policy import objection
from rules.tree import Setting

DENIED, UNSUPPORTED = "42501", "0A000"


class StartupRefused(Exception):  # noqa: N818
    """What the client is told, FATAL."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate, self.message, self.hint = sqlstate, message, hint


#: parameters with the gate's own value, which the upstream gets anyway
_PINNED = frozenset({"client_encoding", "standard_conforming_strings"})
_HINTS = {"client_encoding": "connect with client_encoding=UTF8"}


def read_parameters(parameters: Mapping[str, str], options: str) -> dict[str, str]:
    """The settings to pass on upstream, by name in lower case; those inside `options` come first, so that a parameter
    of its own wins, as on a server. Raises StartupRefused."""
    given = {name.lower(): value for name, value in (*parse_options(options), *parameters.items())}
    for name, value in given.items():
        _check(name, value)
    return {name: value for name, value in given.items() if name not in _PINNED}


def with_time_limit(parameters: Mapping[str, str], limits: Limits | None) -> Mapping[str, str]:
    """The role's limit as the session's statement_timeout, unless the client has asked for a shorter one. RESET and
    DISCARD ALL go back to what a session has begun with (manual, "SET")."""
    if limits is None or limits.time is None:
        return parameters
    asked = parameters.get(TIMEOUT)
    if asked is not None and time_objection(Setting(TIMEOUT, (asked,)), limits.time) is None:
        return parameters
    return {**parameters, TIMEOUT: str(limits.time.amount)}


def _check(name: str, value: str) -> None:
    # psql and others send the value of client_encoding in quotes
    plain = value.strip().strip("'\"") if name in _PINNED else value
    reason = objection(Setting(name[:63], (plain,)), unrestricted=False)
    if reason is not None:
        hint = _HINTS.get(name, f'leave "{name[:63]}" out of the connection string')
        raise StartupRefused(DENIED, f"dbgate refused a startup parameter: {reason}", hint)


def parse_options(text: str) -> list[tuple[str, str]]:
    """The settings in `options`: -c name=value, -cname=value, --name=value. Raises StartupRefused for the rest."""
    words = split_words(text)
    found = []
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word += words.pop(0)
        name, equals, value = word[2:].partition("=")
        if not word.startswith(("-c", "--")) or not equals or not name:
            message = 'dbgate does not accept a word in the startup parameter "options"'
            raise StartupRefused(UNSUPPORTED, message, "write settings as -c name=value or --name=value")
        found.append((name.replace("-", "_"), value))
    return found


def split_words(text: str) -> list[str]:
    """Words between white space; a backslash takes the next character as it is (pg_split_opts)."""
    words = re.findall(r"(?:\\.|[^\\\s])+", text, re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in words]
