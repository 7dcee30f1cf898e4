"""The second witness of a COPY: the server is asked to describe a query that returns the same columns.

CopyOutResponse tells how many columns come and nothing else. So before a COPY runs, the gate has the server parse and
describe `SELECT ... FROM ONLY t`, or the query inside COPY (query): its RowDescription names each column's origin and
type, as that of any SELECT. The question stands under a name of the gate's own and costs no wait; its replies are
swallowed. It can't be asked before a text of several statements, whose earlier ones may make what the COPY reads, nor
between a batch's messages and a Query without a Sync; there the statement's text decides alone.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.postgres.asking import RESERVED
from dbgate.session.postgres.registry import Prepared
from dbgate.session.postgres.state import AskedColumns, State
from dbgate.session.splice import Splice
from protocols.postgres import frontend
from protocols.postgres.backend import FieldDescription
from protocols.postgres.frontend import Target
from protocols.postgres.ledger import Answer, Ask
from rules.catalog import Catalog
from rules.copy_format import CopyFormat
from rules.decision import Decision, Verdict
from rules.postgres.copy_options import described

OWN_NAME: Final = f"{RESERVED}copy"
FAILED: Final = ord("E")

#: The first takes away what a question that failed half-way has left.
_ASKS: Final = (Ask.CLOSE, Ask.PARSE, Ask.DESCRIBE_STATEMENT, Ask.CLOSE)
_CLOSE: Final = frontend.Close(Target.STATEMENT, OWN_NAME).encode()
_DESCRIBE: Final = frontend.Describe(Target.STATEMENT, OWN_NAME).encode()
_SYNC: Final = frontend.Sync().encode()


def ask_columns(
    state: State, splice: Splice, start: int, text: bytes, decisions: tuple[Decision, ...]
) -> AskedColumns | None:
    """Asks before a Query with one COPY. A Sync ends the question, so that its failure is not the Query's."""
    ledger = state.ledger
    if len(decisions) != 1 or ledger.open_batch or ledger.skipping or ledger.copying or state.status == FAILED:
        return None
    question = _question(state, decisions[0], text)
    if not question:
        return None
    asked = _expect(state, AskedColumns())
    ledger.expect(Ask.SYNC, Answer.SWALLOW, asked)
    splice.insert(start, question + _SYNC)
    return asked


def ask_columns_in_batch(
    state: State, splice: Splice, start: int, decision: Decision, prepared: Prepared | None
) -> AskedColumns | None:
    """Asks before an Execute of a COPY. If the question fails, so would the COPY: the client is told."""
    question = _question(state, decision, prepared.text) if prepared is not None else b""
    if not question:
        return None
    splice.insert(start, question)
    return _expect(state, AskedColumns(in_batch=True))


def _question(state: State, decision: Decision, text: bytes) -> bytes:
    if not state.watched or decision.copy is None or decision.verdict is not Verdict.ALLOW:
        return b""
    query = described(text, decision.copy.format)
    return _CLOSE + frontend.Parse(OWN_NAME, query).encode() + _DESCRIBE + _CLOSE if query else b""


def _expect(state: State, asked: AskedColumns) -> AskedColumns:
    for ask in _ASKS:
        state.ledger.expect(ask, Answer.SWALLOW, asked)
    return asked


def copied_fields(
    asked: AskedColumns | None, written: CopyFormat, catalog: Catalog
) -> tuple[FieldDescription, ...] | None:
    """The columns that will be copied, as the server has described them; None when it was not asked. Of a whole table
    the generated ones are left out."""
    if asked is None or asked.fields is None:
        return None
    if not written.relation or written.columns:
        return asked.fields
    return tuple(field for field in asked.fields if not _is_generated(field, catalog))


def _is_generated(field: FieldDescription, catalog: Catalog) -> bool:
    relation = catalog.by_oid.get(field.table_oid)
    found = (c for c in relation.columns if c.number == field.attribute_number) if relation else ()
    return any(column.generated or column.generated_from for column in found)
