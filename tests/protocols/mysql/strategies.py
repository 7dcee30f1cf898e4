"""Random commands and replies of every kind, and models of whole replies."""

from __future__ import annotations

from hypothesis import strategies as st

from protocols.mysql import commands, replies
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.fieldtypes import STRING_TYPES, TEMPORAL_TYPES
from protocols.mysql.parameters import WIDTHS, Parameter
from protocols.mysql.session_track import SessionChange
from protocols.mysql.wire import lenenc_bytes

blobs = st.binary(max_size=40)
names = st.binary(max_size=12).filter(lambda name: b"\0" not in name)
u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 0xFFFFFFFFFFFFFFFF)

ATTRIBUTES, TRACK, OLD_EOF = Capability.QUERY_ATTRIBUTES, Capability.SESSION_TRACK, Capability.DEPRECATE_EOF
capabilities = st.sets(st.sampled_from([ATTRIBUTES, TRACK, OLD_EOF])).map(
    lambda chosen: sum(chosen, start=Capability.PROTOCOL_41)
)


@st.composite
def parameters(draw: st.DrawFn, named: bool = True) -> Parameter:
    """A value of any type, or NULL."""
    kind = draw(st.sampled_from([*WIDTHS, *TEMPORAL_TYPES, *STRING_TYPES]))
    if (width := WIDTHS.get(kind)) is not None:
        data = draw(st.binary(min_size=width, max_size=width))
    elif kind in TEMPORAL_TYPES:
        data = draw(st.binary(max_size=12).map(lambda body: bytes([len(body)]) + body))
    else:
        data = draw(st.binary(max_size=300).map(lenenc_bytes))
    unsigned = draw(st.sampled_from([0, 0x8000]))
    return Parameter(int(kind) | unsigned, draw(st.none() | st.just(data)), draw(names) if named else None)


queries = st.builds(commands.Query, blobs, st.lists(parameters(), max_size=10).map(tuple))
_KNOWN = {int(code) for code in commands.Code} - {0x00, 0x0B, 0x0F, 0x10, 0x14, 0x1D, 0x20, 0x21}
any_command = st.one_of(
    st.builds(commands.Query, blobs),
    *(st.just(kind()) for kind in (commands.Quit, commands.Statistics, commands.ProcessInfo, commands.Debug)),
    *(st.just(kind()) for kind in (commands.Ping, commands.ResetConnection)),
    *(
        st.builds(kind, blobs)
        for kind in (
            commands.ChangeUser,
            commands.Shutdown,
            commands.BinlogDump,
            commands.BinlogDumpGtid,
            commands.TableDump,
            commands.RegisterReplica,
            commands.StmtBulkExecute,
            commands.Multi,
            commands.InitDb,
            commands.CreateDb,
            commands.DropDb,
            commands.StmtPrepare,
        )
    ),
    st.builds(commands.FieldList, names, blobs),
    st.builds(commands.Refresh, u8),
    st.builds(commands.ProcessKill, u32),
    st.builds(commands.SetOption, u16),
    st.builds(commands.StmtExecute, u32, u8, blobs, u32),
    st.builds(commands.StmtSendLongData, u32, u16, blobs),
    st.builds(commands.StmtClose, u32),
    st.builds(commands.StmtReset, u32),
    st.builds(commands.StmtFetch, u32, u32),
    st.builds(commands.Unknown, u8.filter(lambda code: code not in _KNOWN), blobs),
)

statuses = u16.map(lambda bits: StatusFlag(bits) & ~StatusFlag.SESSION_STATE_CHANGED)
changes = st.lists(st.builds(SessionChange, u8, blobs), max_size=3).map(tuple)
tracked_oks = st.builds(
    replies.Ok,
    u64,
    u64,
    statuses.map(lambda status: status | StatusFlag.SESSION_STATE_CHANGED),
    u16,
    blobs,
    changes,
    st.sampled_from([0x00, 0xFE]),
)
oks = st.builds(replies.Ok, u64, u64, statuses, u16, blobs, st.just(()), st.sampled_from([0x00, 0xFE]))
eofs = st.builds(replies.Eof, statuses, u16)
errs = st.builds(
    replies.Err,
    st.integers(0, 0xFFFE),
    st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=5, max_size=5),
    blobs,
)
definitions = st.builds(
    replies.ColumnDefinition, blobs, blobs, blobs, blobs, blobs, u16, u32, u8, u16, u8, catalog=st.just(b"def")
)
