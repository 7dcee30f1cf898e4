"""The steady state: one statement that was decided before, sent alone, answered at once.

Most traffic is a client that sends a statement it has sent before and waits for its reply. This module handles such an
exchange in one step each way; the bytes are not changed. The moment anything else comes (an error, a reply in pieces,
other columns than the last time) `give_up` makes of what was sent an outstanding command like any other, and the
general way goes on: before the whole reply has been seen and found plain, nothing has been noted that would have to be
undone.

    client     COM_QUERY of a known text | COM_STMT_EXECUTE of a known statement without a cursor
    upstream   OK | the packets with which the result began the last time (column count to the first row), rows, end

A decision is plain when it lets the rows pass and changes nothing that the session keeps. The witness was asked when
the result's head came for the first time: a head that differs in one byte goes the general way.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from dbgate.session.mysql.memory import LONGEST_TEXT, Known, Pending
from dbgate.session.mysql.metering import fits_whole, goes_alone
from dbgate.session.mysql.overtime import begin, is_late
from dbgate.session.mysql.registry import Prepared
from dbgate.session.mysql.state import AskedExecute, AskedQuery, Exchange, Phase, State
from dbgate.session.runs import Running
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD
from protocols.mysql.relay import Expect, ReplyReader
from rules.decision import Decision, Verdict

#: Kinds whose statements may be plain.
PLAIN_KINDS: Final = frozenset({"select", "insert", "update", "delete", "merge", "transaction", "show", "explain"})
QUERY, EXECUTE = 0x03, 0x17
NO_ATTRIBUTES: Final = b"\x00\x01"
#: Bits of a status that the general way must see.
NOT_PLAIN: Final = (
    StatusFlag.MORE_RESULTS_EXISTS
    | StatusFlag.CURSOR_EXISTS
    | StatusFlag.NO_BACKSLASH_ESCAPES
    | StatusFlag.SESSION_STATE_CHANGED
).value
_EXECUTE: Final = Struct("<IBIBI")  # header, code, statement id, flags, iterations
_STATUS: Final = Struct("<H")
_FLAGS: dict[int, StatusFlag] = {}
_OK, _END, _ERR = 0x00, 0xFE, 0xFF
_OK_STATUS: Final = HEADER_SIZE + 3  # behind the header, affected rows and last insert id of one byte each
_EOF_STATUS: Final = HEADER_SIZE + 3  # behind the header and the warnings
_SHORT: Final = 0xFB  # lengths below are one byte


# ---------------------------------------------------------------- learning


def is_plain(decision: Decision) -> bool:
    """It lets the rows pass as they come and changes nothing that the session keeps."""
    return (
        decision.verdict is Verdict.ALLOW
        and decision.kind in PLAIN_KINDS
        and decision.masks is None
        and not (decision.hides or decision.changes_catalog or decision.changes_own or decision.calls_user)
        and not (decision.settings or decision.missing or decision.rewrite)
        and decision.runs is decision.defines is decision.drops is None
    )


def learn(state: State, packet: bytes, text: str, decision: Decision) -> Known | None:
    """Remember a statement that goes the general way now, if it is plain. `packet`: empty for a prepared one."""
    if not state.steady or state.in_doubt or not is_plain(decision):
        return None
    known = Known(text, decision, state.context, state.book.template(text, decision))
    if packet and len(packet) <= LONGEST_TEXT:
        state.memory.keep(packet, known)
    return known


# ---------------------------------------------------------------- sending


def send(state: State, data: bytes) -> bool:
    """Are these bytes one known statement? Then it is recorded, and they may go as they are."""
    memory = state.memory
    if memory.pending is not None or len(data) <= HEADER_SIZE or state.tainted or state.in_doubt:
        return False
    known = memory.texts.get(data)
    number = parameters = 0
    if known is None:
        if not state.steady:
            return False
        if data[HEADER_SIZE] == EXECUTE:
            prepared = _executed(state, data)
            if prepared is None or prepared.known is None:
                return False
            known, number, parameters = prepared.known, prepared.number, prepared.parameters
            prepared.cursor = None
        else:
            known = _of_other_sessions(state, data)
    if known is None:
        return False
    if state.limiter is not None:
        if not goes_alone(state, known.decision):
            return False
        begin(state)
    run = state.book.start_again(state.now)
    state.events.append(known.make(statement_id=run.id, parameters=parameters))
    memory.pending = Pending(known, run, number)
    return True


def _executed(state: State, data: bytes) -> Prepared | None:
    """The statement that this one whole COM_STMT_EXECUTE runs, if nothing about it is out of the ordinary."""
    if len(data) < _EXECUTE.size:
        return None
    header, _, number, flags, _ = _EXECUTE.unpack_from(data)
    if header != len(data) - HEADER_SIZE or flags & 7:  # the sequence id is the highest byte
        return None
    prepared = state.names.statements.get(number)
    if prepared is None or prepared.known is None or prepared.long_data:
        return None
    return prepared if prepared.known.context is state.context else None


def _of_other_sessions(state: State, data: bytes) -> Known | None:
    """A text that another session of the same context has had decided."""
    if data[HEADER_SIZE] != QUERY or HEADER.unpack_from(data)[0] != len(data) - HEADER_SIZE or len(data) > LONGEST_TEXT:
        return None
    text = data[HEADER_SIZE + 1 :]
    if Capability.QUERY_ATTRIBUTES in state.login.client:
        if not text.startswith(NO_ATTRIBUTES):
            return None
        text = text[2:]
    if not (text.isascii() or state.charset.name.startswith("utf8")) or not state.context.knows(text):
        return None
    decisions = state.context.decide(text)
    return learn(state, data, str(text, "utf-8", "replace").strip(), decisions[0]) if len(decisions) == 1 else None


# ---------------------------------------------------------------- the reply


def receive(state: State, pending: Pending, data: bytes) -> bool:
    """Is this the whole plain reply? Then all of it is noted, and the bytes may go as they are."""
    known = pending.known
    if known.context is not state.context or len(data) < HEADER_SIZE + 5:
        return False
    if state.limiter is not None and is_late(state):
        return False
    head = known.binary_head if pending.number else known.head
    if data[HEADER_SIZE] == _OK:
        return _plain_ok(state, pending, data)
    if not head or not data.startswith(head):
        return False
    deprecated = Capability.DEPRECATE_EOF in state.login.upstream
    position, rows = whole_rows(data, len(head), bool(pending.number), head_packets(head))
    status = ended_status(data, position, deprecated)
    if status < 0 or status & NOT_PLAIN:
        return False
    run = pending.run
    size = position - len(head)
    if state.limiter is not None and not fits_whole(state, run, known.decision, rows, size):
        return False
    run.rows, run.bytes = rows, size
    _finish(state, pending, f"ROWS {rows}", status)
    return True


def _plain_ok(state: State, pending: Pending, data: bytes) -> bool:
    """One OK packet with small figures."""
    whole = HEADER.unpack_from(data)[0] == len(data) - HEADER_SIZE | 1 << 24
    if not whole or len(data) < _OK_STATUS + 4 or data[HEADER_SIZE + 1] >= _SHORT or data[HEADER_SIZE + 2] >= _SHORT:
        return False
    status = _STATUS.unpack_from(data, _OK_STATUS)[0]
    if status & NOT_PLAIN:
        return False
    _finish(state, pending, f"OK {data[HEADER_SIZE + 1]}", status)
    return True


def head_packets(head: bytes) -> int:
    """The sequence id of the packet behind a head that begins with 1."""
    found = _SEQUENCES.get(head)
    if found is None:
        position = 0
        found = 1
        while position < len(head):
            position += HEADER_SIZE + (HEADER.unpack_from(head, position)[0] & MAX_PAYLOAD)
            found += 1
        if len(_SEQUENCES) > 4096:
            _SEQUENCES.clear()
        _SEQUENCES[head] = found & 0xFF
    return found & 0xFF


_SEQUENCES: dict[bytes, int] = {}


def whole_rows(data: bytes, position: int, binary: bool, sequence: int) -> tuple[int, int]:
    """(where the rows of one packet each end that begin at `position`, how many): up to the first that is something
    else, or not whole, or out of order."""
    unpack, last, rows = HEADER.unpack_from, len(data) - HEADER_SIZE - 1, 0
    while position <= last:
        header = unpack(data, position)[0]
        first = data[position + HEADER_SIZE]
        length = header & MAX_PAYLOAD
        if (first if binary else first >= _END) or length == MAX_PAYLOAD or not length:
            break
        if header >> 24 != sequence or position + HEADER_SIZE + length > len(data):
            break
        position += HEADER_SIZE + length
        sequence = sequence + 1 & 0xFF
        rows += 1
    return position, rows


def ended_status(data: bytes, position: int, deprecated: bool) -> int:
    """The status in the packet that ends the rows, when that is at `position` and the last one; else -1."""
    size = len(data) - position - HEADER_SIZE
    if size < 5 or data[position + HEADER_SIZE] != _END or HEADER.unpack_from(data, position)[0] & MAX_PAYLOAD != size:
        return -1
    if deprecated:
        behind = position + HEADER_SIZE
        if size < 7 or data[behind + 1] or data[behind + 2]:
            return -1
    status: int = _STATUS.unpack_from(data, position + _EOF_STATUS)[0]
    return status


def _finish(state: State, pending: Pending, tag: str, status: int) -> None:
    state.memory.pending = None
    state.finish_run(pending.run, tag=tag)
    flags = _FLAGS.get(status)
    if flags is None:
        flags = _FLAGS[status] = StatusFlag(status)
    state.status = flags


# ---------------------------------------------------------------- the general way after all


def give_up(state: State) -> None:
    """Make of what is pending an outstanding command, as the general way would have done."""
    pending = state.memory.pending
    if pending is None:
        return
    state.memory.pending = None
    known = pending.known
    running = Running((known.decision,), [pending.run], [known.text], text=known.text.encode())
    prepared = state.names.statements.get(pending.number) if pending.number else None
    if prepared is not None:
        reader = ReplyReader(Expect.BINARY_RESULT, state.login.upstream, 1, whole_rows=False)
        exchange = Exchange(AskedExecute(prepared, known.decision, running, False), reader, known=known)
    else:
        reader = ReplyReader(Expect.TEXT_RESULT, state.login.upstream, 1, whole_rows=False)
        exchange = Exchange(AskedQuery(running), reader, known=known)
    state.exchange = exchange
    state.phase = Phase.ANSWERING
