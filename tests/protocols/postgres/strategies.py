"""Random messages of every kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import strategies as st

from protocols.postgres import authentication, backend, diagnostics, frontend, startup

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
words = texts.filter(bool)
i16 = st.integers(-0x8000, 0x7FFF)
i32 = st.integers(-0x80000000, 0x7FFFFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
blobs = st.binary(max_size=40)
values = st.lists(st.none() | blobs, max_size=4).map(tuple)
formats = st.lists(i16, max_size=4).map(tuple)
oids = st.lists(u32, max_size=4).map(tuple)
targets = st.sampled_from(frontend.Target)

frontend_messages = st.one_of(
    st.builds(frontend.Query, texts),
    st.builds(frontend.Parse, texts, texts, oids),
    st.builds(frontend.Bind, texts, texts, formats, values, formats),
    st.builds(frontend.Describe, targets, texts),
    st.builds(frontend.Execute, texts, i32),
    st.builds(frontend.Close, targets, texts),
    st.builds(frontend.Sync),
    st.builds(frontend.Flush),
    st.builds(frontend.Terminate),
    st.builds(frontend.CopyData, blobs),
    st.builds(frontend.CopyDone),
    st.builds(frontend.CopyFail, texts),
    st.builds(frontend.FunctionCall, u32, formats, values, i16),
    st.builds(frontend.AuthenticationData, blobs),
)

fields = st.builds(backend.FieldDescription, texts, u32, i16, u32, i16, i32, i16)
codes = st.characters(min_codepoint=1, max_codepoint=255)
diagnostic_fields = st.lists(st.tuples(codes, texts), max_size=6).map(tuple)
options = st.lists(texts, max_size=3).map(tuple)
u16 = st.integers(0, 0xFFFF)

backend_messages = st.one_of(
    st.just(authentication.AuthenticationOk()),
    st.just(authentication.AuthenticationCleartextPassword()),
    st.builds(authentication.AuthenticationMD5Password, st.binary(min_size=4, max_size=4)),
    st.builds(authentication.AuthenticationSASL, st.lists(words, max_size=3).map(tuple)),
    st.builds(authentication.AuthenticationSASLContinue, blobs),
    st.builds(authentication.AuthenticationSASLFinal, blobs),
    st.sampled_from(sorted(authentication.UNSUPPORTED)).flatmap(
        lambda code: st.builds(
            authentication.AuthenticationUnsupported, st.just(code), st.just(authentication.UNSUPPORTED[code]), blobs
        )
    ),
    st.builds(backend.BackendKeyData, u32, st.binary(min_size=4, max_size=256)),
    st.builds(backend.ParameterStatus, texts, texts),
    st.builds(backend.ReadyForQuery, st.sampled_from(backend.TransactionStatus)),
    st.builds(backend.RowDescription, st.lists(fields, max_size=3).map(tuple)),
    st.builds(backend.ParameterDescription, oids),
    st.builds(backend.NoData),
    st.builds(backend.DataRow, values),
    st.builds(backend.CommandComplete, texts),
    st.builds(backend.EmptyQueryResponse),
    st.builds(diagnostics.ErrorResponse, diagnostic_fields),
    st.builds(diagnostics.NoticeResponse, diagnostic_fields),
    st.builds(backend.NotificationResponse, u32, texts, texts),
    st.builds(backend.CopyInResponse, st.integers(0, 255), formats),
    st.builds(backend.CopyOutResponse, st.integers(0, 255), formats),
    st.builds(backend.CopyBothResponse, st.integers(0, 255), formats),
    st.builds(frontend.CopyData, blobs),
    st.builds(frontend.CopyDone),
    st.builds(backend.ParseComplete),
    st.builds(backend.BindComplete),
    st.builds(backend.CloseComplete),
    st.builds(backend.PortalSuspended),
    st.builds(backend.NegotiateProtocolVersion, st.tuples(u16, u16), options),
    st.builds(backend.FunctionCallResponse, st.none() | blobs),
)

startup_packets = st.one_of(
    st.just(startup.SSLRequest()),
    st.just(startup.GSSENCRequest()),
    st.builds(startup.CancelRequest, u32, st.binary(min_size=1, max_size=256)),
    st.builds(startup.StartupMessage, st.tuples(st.just(3), u16), st.dictionaries(words, texts, max_size=5)),
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with a byte changed, a piece left out, or bytes put in."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 4)))
    return data[:start] + draw(st.binary(max_size=4)) + data[end:]


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Where to cut `size` bytes into reads."""
    inner = draw(st.sets(st.integers(1, max(1, size - 1)), max_size=12))
    return sorted({0, size} | {cut for cut in inner if cut < size})


def pieces(data: bytes, places: list[int]) -> Iterator[bytes]:
    """The reads that `cuts` makes of `data`."""
    return (data[start:end] for start, end in itertools.pairwise(places))
