"""How the MySQL front end says no."""

from __future__ import annotations

from rules.tree import Unparsable


class Refused(Exception):  # noqa: N818 - it carries a refusal, it is no programming error
    """The text is not vouched for. Carries the `Unparsable` that `read` returns."""

    def __init__(self, code: str, reason: str, mend: str = "", at: int = -1, said: str = "") -> None:
        super().__init__(reason)
        self.unparsable = Unparsable(code, reason, mend, at, said)


def unknown(construct: str, at: int = -1) -> Refused:
    """The refusal of a construct that the grammar here does not hold."""
    return Refused(
        "unknown-node",
        f"it uses a construct that dbgate does not know: {construct}",
        "write it without this construct, or ask for it to be supported",
        at,
    )
