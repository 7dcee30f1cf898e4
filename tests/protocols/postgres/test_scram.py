"""SCRAM: the published vectors, both sides against each other, and every way to cheat."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.postgres.saslprep import prepare
from protocols.postgres.scram import (
    MAX_ITERATIONS,
    SCRAM_SHA_256,
    SCRAM_SHA_256_PLUS,
    ChannelBinding,
    ScramClient,
    ScramServer,
    Verifier,
)

SALT = b"0123456789abcdef"
FEW = 3  # iterations: the tests are about the exchange, not about the cost of a guess
HASH = bytes(range(32))
BOTH = (SCRAM_SHA_256_PLUS, SCRAM_SHA_256)
VERIFIER = Verifier.make("pencil", SALT, FEW)


def exchange(client: ScramClient, server: ScramServer) -> bool:
    """Run it; True when the server accepts. The client always checks the server's signature."""
    challenge = server.first(client.first(), client.mechanism)
    proof = server.final(client.final(challenge))
    if proof is not None:
        client.verify(proof)
    return proof is not None


# ---------------------------------------------------------------- RFC 7677, section 3

RFC_NONCE, RFC_SERVER_NONCE = "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
RFC_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
RFC_CHALLENGE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
RFC_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
RFC_PROOF = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_client_follows_the_rfc() -> None:
    client = ScramClient("pencil", RFC_NONCE, [SCRAM_SHA_256], user="user")
    assert client.first() == RFC_FIRST
    assert client.final(RFC_CHALLENGE) == RFC_FINAL
    client.verify(RFC_PROOF)


def test_the_server_follows_the_rfc() -> None:
    verifier = Verifier.make("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    server = ScramServer(verifier, RFC_SERVER_NONCE)
    assert server.first(RFC_FIRST, SCRAM_SHA_256) == RFC_CHALLENGE
    assert server.final(RFC_FINAL) == RFC_PROOF


# ---------------------------------------------------------------- both sides


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), st.binary(min_size=1, max_size=30))
def test_every_password_works_with_its_own_verifier(password: str, salt: bytes) -> None:
    verifier = Verifier.parse(Verifier.make(password, salt, FEW).encode())
    assert verifier.matches(password)
    assert exchange(ScramClient(password, "abc", [SCRAM_SHA_256]), ScramServer(verifier, "xyz"))


@pytest.mark.parametrize("binding", [None, HASH])
def test_a_wrong_password_fails(binding: bytes | None) -> None:
    assert not VERIFIER.matches("pencils")
    server = ScramServer(VERIFIER, "xyz", binding)
    assert not exchange(ScramClient("pencils", "abc", server.mechanisms, binding), server)


def test_an_unknown_user_runs_the_exchange_and_fails() -> None:
    mock = Verifier.mock("nobody", b"secret")
    assert mock == Verifier.mock("nobody", b"secret")
    assert mock != Verifier.mock("anybody", b"secret")
    assert (mock.iterations, len(mock.salt)) == (4096, 16)
    assert not exchange(ScramClient("pencil", "abc", BOTH), ScramServer(mock, "xyz", doomed=True))


def test_a_doomed_exchange_fails_with_the_right_password() -> None:
    assert not exchange(ScramClient("pencil", "abc", BOTH), ScramServer(VERIFIER, "xyz", doomed=True))


def test_with_a_certificate_plus_is_offered_and_used() -> None:
    server = ScramServer(VERIFIER, "xyz", HASH)
    assert server.mechanisms == BOTH
    client = ScramClient("pencil", "abc", server.mechanisms, HASH, ChannelBinding.REQUIRE)
    assert client.mechanism == SCRAM_SHA_256_PLUS
    assert exchange(client, server)


@pytest.mark.parametrize("mode", [ChannelBinding.DISABLE, ChannelBinding.PREFER])
def test_a_client_without_binding_may_use_the_plain_mechanism(mode: ChannelBinding) -> None:
    server = ScramServer(VERIFIER, "xyz", HASH)
    binding = HASH if mode is ChannelBinding.DISABLE else None
    client = ScramClient("pencil", "abc", server.mechanisms, binding, mode)
    assert client.mechanism == SCRAM_SHA_256
    assert exchange(client, server)


# ---------------------------------------------------------------- cheats


def test_another_certificate_in_between_is_noticed() -> None:
    client = ScramClient("pencil", "abc", BOTH, b"other certificate", ChannelBinding.REQUIRE)
    with pytest.raises(PeerError, match="channel binding check failed") as caught:
        exchange(client, ScramServer(VERIFIER, "xyz", HASH))
    assert caught.value.sqlstate == "28000"


def test_removing_plus_from_the_offer_is_noticed() -> None:
    """Someone in the middle hides SCRAM-SHA-256-PLUS: the client says `y`, and the server knows it offered more."""
    client = ScramClient("pencil", "abc", [SCRAM_SHA_256], HASH)
    with pytest.raises(PeerError, match="negotiation error"):
        exchange(client, ScramServer(VERIFIER, "xyz", HASH))


def test_a_flag_changed_on_the_way_is_noticed() -> None:
    client, server = ScramClient("pencil", "abc", [SCRAM_SHA_256], HASH), ScramServer(VERIFIER, "xyz", HASH)
    challenge = server.first(b"n" + client.first()[1:], SCRAM_SHA_256)
    with pytest.raises(PeerError, match="channel binding check failed"):
        server.final(client.final(challenge))


@pytest.mark.parametrize(
    ("offered", "binding"), [([SCRAM_SHA_256], HASH), (list(BOTH), None), ([SCRAM_SHA_256], None), ([], HASH)]
)
def test_required_binding_is_never_given_up(offered: list[str], binding: bytes | None) -> None:
    with pytest.raises(PeerError, match="channel binding is required"):
        ScramClient("pencil", "abc", offered, binding, ChannelBinding.REQUIRE)


def test_unknown_mechanisms_are_refused() -> None:
    with pytest.raises(PeerError, match="GS2-KRB5"):
        ScramClient("pencil", "abc", ["GS2-KRB5"])
    for mechanism, binding in ((SCRAM_SHA_256_PLUS, None), ("SCRAM-SHA-1", HASH), ("", None)):
        with pytest.raises(PeerError, match="invalid SASL authentication mechanism"):
            ScramServer(VERIFIER, "xyz", binding).first(b"n,,n=,r=abc", mechanism)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_tampered_final_message_never_passes(place: int, change: int) -> None:
    client, server = ScramClient("pencil", "abc", BOTH), ScramServer(VERIFIER, "xyz")
    final = bytearray(client.final(server.first(client.first(), client.mechanism)))
    final[place % len(final)] ^= change
    with contextlib.suppress(PeerError):
        assert server.final(bytes(final)) is None


@pytest.mark.parametrize(
    ("first", "mechanism"),
    [
        (b"", SCRAM_SHA_256),
        (b"n,,", SCRAM_SHA_256),
        (b"n,,n=", SCRAM_SHA_256),
        (b"n,,n=,r=", SCRAM_SHA_256),
        (b"n,,n=,r=a b", SCRAM_SHA_256),
        (b"n,,n=,r=a\x7f", SCRAM_SHA_256),
        (b"n,,r=abc,n=", SCRAM_SHA_256),
        (b"n,a=admin,n=,r=abc", SCRAM_SHA_256),
        (b"n,,m=x,n=,r=abc", SCRAM_SHA_256),
        (b"x,,n=,r=abc", SCRAM_SHA_256),
        (b"p=tls-unique,,n=,r=abc", SCRAM_SHA_256_PLUS),
        (b"p=tls-server-end-point,,n=,r=abc", SCRAM_SHA_256),
        (b"n,,n=,r=abc", SCRAM_SHA_256_PLUS),
        (b"y,,n=,r=abc", SCRAM_SHA_256),
        (b"n,,n=\0,r=abc", SCRAM_SHA_256),
    ],
)
def test_malformed_first_messages_are_refused(first: bytes, mechanism: str) -> None:
    with pytest.raises(PeerError):
        ScramServer(VERIFIER, "xyz", HASH).first(first, mechanism)


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws,r=abcxyz",
        b"c=biws,p=" + base64.b64encode(bytes(32)),
        b"r=abcxyz,c=biws,p=" + base64.b64encode(bytes(32)),
        b"c=biws,r=abcxy,p=" + base64.b64encode(bytes(32)),
        b"c=eSws,r=abcxyz,p=" + base64.b64encode(bytes(32)),
        b"c=!,r=abcxyz,p=" + base64.b64encode(bytes(32)),
        b"c=biws,r=abcxyz,p=" + base64.b64encode(bytes(31)),
        b"c=biws,r=abcxyz,p=!",
    ],
)
def test_malformed_final_messages_are_refused(final: bytes) -> None:
    server = ScramServer(VERIFIER, "xyz")
    server.first(b"n,,n=,r=abc", SCRAM_SHA_256)
    with pytest.raises(PeerError):
        server.final(final)


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=abc,s=MDEy,i=4096",
        b"r=xyz,s=MDEy,i=4096",
        b"r=abcxyz,s=MDEy",
        b"r=abcxyz,s=!,i=4096",
        b"r=abcxyz,s=MDEy,i=0",
        b"r=abcxyz,s=MDEy,i=-1",
        b"r=abcxyz,s=MDEy,i=" + str(MAX_ITERATIONS + 1).encode(),
        b"r=abcxyz,s=MDEy,i=99999999999999999999",
        b"r=abcxyz,s=MDEy,i=4096,x=y",
        b"m=x,r=abcxyz,s=MDEy,i=4096",
        b"r=abcxyz\xff,s=MDEy,i=4096",
    ],
)
def test_malformed_challenges_are_refused(challenge: bytes) -> None:
    client = ScramClient("pencil", "abc", BOTH)
    client.first()
    with pytest.raises(PeerError):
        client.final(challenge)


@pytest.mark.parametrize("proof", [b"", b"v=", b"v=!", b"v=" + base64.b64encode(bytes(32)), b"e=other-error", b"x=y"])
def test_a_server_that_does_not_know_the_password_is_refused(proof: bytes) -> None:
    client, server = ScramClient("pencil", "abc", BOTH), ScramServer(VERIFIER, "xyz")
    client.final(server.first(client.first(), client.mechanism))
    with pytest.raises(PeerError):
        client.verify(proof)


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from([None, HASH]))
def test_garbage_is_a_peer_error(one: bytes, two: bytes, binding: bytes | None) -> None:
    server = ScramServer(VERIFIER, "xyz", binding)
    with contextlib.suppress(PeerError):
        server.first(b"n,," + one, SCRAM_SHA_256)
        server.final(two)
    client = ScramClient("pencil", "abc", BOTH)
    client.first()
    with contextlib.suppress(PeerError):
        client.final(one)
        client.verify(two)


# ---------------------------------------------------------------- our own mistakes


def test_steps_out_of_order_are_our_mistake() -> None:
    with pytest.raises(UsageError, match="at FIRST, not at FINAL"):
        ScramServer(VERIFIER, "xyz").final(b"")
    with pytest.raises(UsageError, match="at FIRST, not at VERIFY"):
        ScramClient("pencil", "abc", BOTH).verify(b"")


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "ä", "\0"])
def test_nonces_are_printable(nonce: str) -> None:
    with pytest.raises(UsageError, match="nonce"):
        ScramServer(VERIFIER, nonce)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "md5abcdef",
        "SCRAM-SHA-1$3:MDEy$" + "A" * 43 + "=:" + "A" * 43 + "=",
        "SCRAM-SHA-256$0:MDEy$" + "A" * 43 + "=:" + "A" * 43 + "=",
        "SCRAM-SHA-256$x:MDEy$" + "A" * 43 + "=:" + "A" * 43 + "=",
        "SCRAM-SHA-256$9999999:MDEy$" + "A" * 43 + "=:" + "A" * 43 + "=",
        "SCRAM-SHA-256$3:$" + "A" * 43 + "=:" + "A" * 43 + "=",
        "SCRAM-SHA-256$3:MDEy$AAAA:" + "A" * 43 + "=",
        "SCRAM-SHA-256$3:MDEy$" + "A" * 43 + "=",
        "SCRAM-SHA-256$3:MDEy$" + "!" * 43 + "=:" + "A" * 43 + "=",
    ],
)
def test_a_bad_verifier_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Verifier.parse(text)
    assert "AAAA" not in str(caught.value)


def test_a_verifier_keeps_its_keys_out_of_its_repr() -> None:
    assert "key" not in repr(VERIFIER)


# ---------------------------------------------------------------- SASLprep


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("I\u00adX", b"IX"),  # RFC 4013, section 3
        ("user", b"user"),
        ("USER", b"USER"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        ("\u00a0", b" "),
        ("a\x07", b"a\x07"),  # ASCII passes as it is, control characters too
        ("\u00ad", "\u00ad".encode()),  # nothing would be left: raw
        ("\u0627\u0031", "\u0627\u0031".encode()),  # right-to-left that ends left-to-right: raw
        ("\u0627a\u0628", "\u0627a\u0628".encode()),
        ("\u0627\u0628", "\u0627\u0628".encode()),
        ("\ue000\u2168", "\ue000\u2168".encode()),  # private use: raw, not normalised
        ("\u0221\u2168", "\u0221\u2168".encode()),  # unassigned in Unicode 3.2: raw
        ("\udcff", b"\xff"),  # not UTF-8 where it came from: raw
    ],
)
def test_passwords_are_prepared_as_the_server_does(password: str, prepared: bytes) -> None:
    assert prepare(password) == prepared
