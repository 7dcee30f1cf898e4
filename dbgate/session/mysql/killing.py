"""KILL, as a statement or a command: of one's own sessions at this gate only, by the ids that the gate gave them.

The server's own ids mean nothing to the gate's clients, and the gate's none to the server: no KILL is ever sent on.
"""

from __future__ import annotations

import re
from typing import Final

from dbgate.session.mysql.refusals import law, refuse
from dbgate.session.mysql.sending import NOTHING, Out, Sending
from dbgate.session.mysql.state import Killing, Phase, State
from dbgate.session.mysql.texts import UNKNOWN_THREAD
from dbgate.session.outcome import Kill
from protocols.mysql.packets import encode
from protocols.mysql.replies import Err, Ok
from rules.decision import Decision, Verdict

#: The form that clients send; whatever else KILL can be is refused.
KILL_TEXT: Final = re.compile(rb"\s*KILL\s+(?:(QUERY)\s+|CONNECTION\s+)?([0-9]{1,19})\s*;?\s*\Z", re.I)
KILLS: Final = Decision(Verdict.ALLOW, "admin", detail="KILL")
OTHER_FORMS: Final = law(
    "kill", "the gate ends sessions of its own only, by the ids that it has given them", "write KILL [QUERY] <number>"
)


def never_sent(decision: Decision) -> Decision:
    """What no rule can let the server have."""
    kills = decision.verdict is Verdict.ALLOW and decision.detail.upper().startswith("KILL")
    return refuse(decision, OTHER_FORMS) if kills else decision


def kill_session(state: State, sending: Sending, connection_id: int, query_only: bool, text: str) -> Out:
    """Ask the gateway, which knows whose the other session is."""
    run = state.start_run(text, KILLS)
    state.killing = Killing(sending.next, connection_id, run)
    state.phase = Phase.AWAITS_KILL
    state.wishes.append(Kill(connection_id, query_only))
    return NOTHING


def killed(state: State, found: bool) -> bytes:
    """The answer for the client."""
    asked, state.killing = state.killing, None
    if asked is None:
        return b""
    told = Ok(status=state.status) if found else unknown_thread(asked.connection_id)
    state.finish_run(asked.run, sqlstate="" if isinstance(told, Ok) else told.sqlstate, tag="OK" if found else "")
    return encode(told.encode(state.login.client), asked.sequence)


def unknown_thread(connection_id: int) -> Err:
    return Err(UNKNOWN_THREAD, "HY000", f"Unknown thread id: {connection_id}".encode())
