"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides, as machines that turn one message into the next.

Sources: RFC 5802 (SCRAM), RFC 7677 (SHA-256), RFC 5929 (tls-server-end-point), PostgreSQL documentation "SASL
Authentication". Nonces, salts and the certificate's hash are arguments. User names inside SCRAM are ignored, as the
server does: the startup packet names the user. Comparisons of secrets take constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from protocols.errors import PeerError, UsageError
from protocols.postgres.saslprep import prepare

SCRAM_SHA_256 = "SCRAM-SHA-256"
SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS"
DEFAULT_ITERATIONS = 4096
MAX_ITERATIONS = 1_000_000  # an upstream may not keep us hashing for ever

_KEY_SIZE = 32
_BINDING_TYPE = b"tls-server-end-point"
_INVALID_AUTHORIZATION = "28000"
_NONCE_BYTES = frozenset(range(0x21, 0x7F)) - {ord(",")}


class ChannelBinding(Enum):
    """How a client treats channel binding; as libpq's `channel_binding`."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"


class Step(Enum):
    """Where an exchange is."""

    FIRST = auto()
    FINAL = auto()
    VERIFY = auto()
    DONE = auto()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", prepare(password), salt, iterations)


def _unbase64(data: bytes | str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _check_nonce(nonce: str) -> bytes:
    raw = nonce.encode("utf-8")
    if not raw or not _NONCE_BYTES.issuperset(raw):
        raise UsageError("a SCRAM nonce is printable ASCII without spaces and commas")
    return raw


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps of a password."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (base64), PostgreSQL's own form.

        Raises `UsageError` without quoting the text, which is a secret.
        """
        try:
            mechanism, parameters, keys = text.split("$")
            iterations, salt = parameters.split(":")
            stored_key, server_key = map(_unbase64, keys.split(":"))
            verifier = cls(int(iterations), _unbase64(salt), stored_key, server_key)
        except ValueError:
            raise UsageError(
                "not a SCRAM verifier: expected SCRAM-SHA-256$<i>:<salt>$<StoredKey>:<ServerKey>"
            ) from None
        verifier._check(mechanism)
        return verifier

    def _check(self, mechanism: str) -> None:
        if mechanism != SCRAM_SHA_256:
            raise UsageError("not a SCRAM verifier: it must begin with SCRAM-SHA-256$")
        if len(self.stored_key) != _KEY_SIZE or len(self.server_key) != _KEY_SIZE or not self.salt:
            raise UsageError(f"a SCRAM verifier has a salt and two keys of {_KEY_SIZE} bytes")
        if not 1 <= self.iterations <= MAX_ITERATIONS:
            raise UsageError(f"a SCRAM verifier's iterations lie between 1 and {MAX_ITERATIONS}")

    @classmethod
    def make(cls, password: str, salt: bytes, iterations: int = DEFAULT_ITERATIONS) -> Verifier:
        """The verifier of a password. `salt` is 16 random bytes from the caller."""
        salted = _salted(password, salt, iterations)
        verifier = cls(iterations, salt, _sha256(_hmac(salted, b"Client Key")), _hmac(salted, b"Server Key"))
        verifier._check(SCRAM_SHA_256)
        return verifier

    @classmethod
    def mock(cls, user: str, secret: bytes, iterations: int = DEFAULT_ITERATIONS) -> Verifier:
        """A verifier no password fits, always the same for a user: unknown users then look like known ones.

        `secret` is random and stays the same as long as clients should not tell the difference.
        """
        name = user.encode("utf-8", "replace")
        salt, stored_key, server_key = (_hmac(secret, label + name) for label in (b"salt:", b"stored:", b"server:"))
        return cls(iterations, salt[:16], stored_key, server_key)

    def matches(self, password: str) -> bool:
        """Whether this is the password (sent in the clear over TLS)."""
        made = Verifier.make(password, self.salt, self.iterations)
        return hmac.compare_digest(made.stored_key, self.stored_key)

    def encode(self) -> str:
        """PostgreSQL's own form, as `parse` reads it."""
        salt, stored, server = (
            base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"{SCRAM_SHA_256}${self.iterations}:{salt}${stored}:{server}"


def _malformed(detail: str) -> PeerError:
    return PeerError(f"malformed SCRAM message: {detail}")


def _attribute(part: bytes, name: bytes, where: str) -> bytes:
    """The value of `name=value`."""
    if not part.startswith(name + b"="):
        raise _malformed(f'expected attribute "{name.decode()}" in {where}')
    return part[2:]


def _decoded(data: bytes, what: str) -> bytes:
    try:
        return _unbase64(data)
    except ValueError:
        raise _malformed(f"{what} is not base64") from None


class _Exchange:
    """What both sides keep: the step, and the texts that the proofs sign."""

    def __init__(self) -> None:
        self._step = Step.FIRST
        self._first_bare = b""
        self._server_first = b""
        self._header = b""

    def _advance(self, now: Step, then: Step) -> None:
        if self._step is not now:
            raise UsageError(f"the SCRAM exchange is at {self._step.name}, not at {now.name}")
        self._step = then

    def _auth_message(self, final_without_proof: bytes) -> bytes:
        return b",".join((self._first_bare, self._server_first, final_without_proof))


class ScramServer(_Exchange):
    """The server's side: `first(client_first, mechanism)`, then `final(client_final)`.

    `nonce` is our random part (printable ASCII). `channel_binding` is the hash of our certificate (RFC 5929
    tls-server-end-point) when the client is on TLS; then SCRAM-SHA-256-PLUS is offered too. With `doomed` the exchange
    runs to its end and fails (unknown user). Raises `PeerError` for a malformed or downgraded exchange.
    """

    def __init__(
        self, verifier: Verifier, nonce: str, channel_binding: bytes | None = None, doomed: bool = False
    ) -> None:
        super().__init__()
        self._verifier = verifier
        self._own_nonce = _check_nonce(nonce)
        self._binding = channel_binding
        self._doomed = doomed
        self._nonce = b""
        self._binding_used = False

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What to offer, best first."""
        return (SCRAM_SHA_256,) if self._binding is None else (SCRAM_SHA_256_PLUS, SCRAM_SHA_256)

    def first(self, client_first: bytes, mechanism: str) -> bytes:
        """Take client-first-message, return server-first-message."""
        self._advance(Step.FIRST, Step.FINAL)
        if mechanism not in self.mechanisms:
            raise PeerError("client selected an invalid SASL authentication mechanism")
        self._binding_used = mechanism == SCRAM_SHA_256_PLUS
        flag, authorization, bare = _split_first(client_first)
        self._check_flag(flag)
        self._header = flag + b"," + authorization + b","
        self._first_bare = bare
        self._nonce = _client_nonce(bare) + self._own_nonce
        salt = base64.b64encode(self._verifier.salt)
        self._server_first = b"r=%b,s=%b,i=%d" % (self._nonce, salt, self._verifier.iterations)
        return self._server_first

    def _check_flag(self, flag: bytes) -> None:
        """Channel binding as chosen must be channel binding as used; `y` (you can't, I can) is a downgrade."""
        if self._binding_used != flag.startswith(b"p"):
            raise _malformed("the mechanism and the channel binding flag contradict each other")
        if flag == b"y" and self._binding is not None:
            raise PeerError(
                "SCRAM channel binding negotiation error",
                hint="the client supports channel binding but thinks the server does not; the server offered it",
            )

    def final(self, client_final: bytes) -> bytes | None:
        """Take client-final-message; return server-final-message, or None when the proof is wrong."""
        self._advance(Step.FINAL, Step.DONE)
        unproven, comma, proof_part = client_final.rpartition(b",p=")
        if not comma:
            raise _malformed('expected attribute "p" in client-final-message')
        self._check_final(unproven.split(b","))
        proof = _decoded(proof_part, "the proof")
        if len(proof) != _KEY_SIZE:
            raise _malformed("the proof has the wrong size")
        message = self._auth_message(unproven)
        if not self._is_proven(proof, message):
            return None
        return b"v=" + base64.b64encode(_hmac(self._verifier.server_key, message))

    def _check_final(self, parts: list[bytes]) -> None:
        binding = _decoded(_attribute(parts[0], b"c", "client-final-message"), "the channel binding")
        data = self._binding if self._binding_used and self._binding is not None else b""
        if not hmac.compare_digest(binding, self._header + data):
            raise PeerError("SCRAM channel binding check failed", _INVALID_AUTHORIZATION)
        if len(parts) < 2:
            raise _malformed("client-final-message has no nonce")
        if not hmac.compare_digest(_attribute(parts[1], b"r", "client-final-message"), self._nonce):
            raise PeerError("invalid SCRAM response: nonce does not match")

    def _is_proven(self, proof: bytes, message: bytes) -> bool:
        client_key = _xor(proof, _hmac(self._verifier.stored_key, message))
        proven = hmac.compare_digest(_sha256(client_key), self._verifier.stored_key)
        return proven and not self._doomed


def _split_first(client_first: bytes) -> tuple[bytes, bytes, bytes]:
    """`(channel binding flag, authorization id part, client-first-message-bare)`."""
    parts = client_first.split(b",", 2)
    if len(parts) < 3 or b"\0" in client_first:
        raise _malformed("client-first-message has no GS2 header")
    flag, authorization, bare = parts
    if flag not in (b"n", b"y", b"p=" + _BINDING_TYPE):
        raise PeerError("unsupported SCRAM channel-binding type or flag", hint="use tls-server-end-point")
    if authorization:
        raise PeerError("client uses authorization identity, but it is not supported", "0A000")
    return flag, authorization, bare


def _client_nonce(bare: bytes) -> bytes:
    """The nonce of client-first-message-bare. An extension that must be understood is refused."""
    parts = bare.split(b",")
    if parts[0].startswith(b"m="):
        raise PeerError("client requires an unsupported SCRAM extension", "0A000")
    _attribute(parts[0], b"n", "client-first-message")
    if len(parts) < 2:
        raise _malformed("client-first-message has no nonce")
    nonce = _attribute(parts[1], b"r", "client-first-message")
    if not nonce or not _NONCE_BYTES.issuperset(nonce):
        raise _malformed("non-printable characters in SCRAM nonce")
    return nonce


class ScramClient(_Exchange):
    """The client's side: `first()`, `final(server_first)`, `verify(server_final)`.

    `offered` are the server's mechanisms; `channel_binding` is the hash of its certificate when we are on TLS. Raises
    `PeerError` when the server offers nothing acceptable, breaks the exchange, or does not know the password itself.
    """

    def __init__(
        self,
        password: str,
        nonce: str,
        offered: Sequence[str],
        channel_binding: bytes | None = None,
        mode: ChannelBinding = ChannelBinding.PREFER,
        user: str = "",
    ) -> None:
        super().__init__()
        self._password = password
        self._own_nonce = _check_nonce(nonce)
        binding = None if mode is ChannelBinding.DISABLE else channel_binding
        self.mechanism = _choose(offered, binding, mode)
        self._header, self._binding = _gs2_header(self.mechanism, binding)
        self._first_bare = b"n=" + _sasl_name(user) + b",r=" + self._own_nonce
        self._server_signature = b""

    def first(self) -> bytes:
        """client-first-message."""
        self._advance(Step.FIRST, Step.FINAL)
        return self._header + self._first_bare

    def final(self, server_first: bytes) -> bytes:
        """Take server-first-message, return client-final-message."""
        self._advance(Step.FINAL, Step.VERIFY)
        nonce, salt, iterations = _read_server_first(server_first, self._own_nonce)
        self._server_first = server_first
        unproven = b"c=" + base64.b64encode(self._header + self._binding) + b",r=" + nonce
        salted = _salted(self._password, salt, iterations)
        message = self._auth_message(unproven)
        client_key = _hmac(salted, b"Client Key")
        self._server_signature = _hmac(_hmac(salted, b"Server Key"), message)
        return unproven + b",p=" + base64.b64encode(_xor(client_key, _hmac(_sha256(client_key), message)))

    def verify(self, server_final: bytes) -> None:
        """Check that the server knows the password too."""
        self._advance(Step.VERIFY, Step.DONE)
        if server_final.startswith(b"e="):
            reason = server_final[2:].decode("utf-8", "replace")
            raise PeerError(f"error received from server in SCRAM exchange: {reason}", _INVALID_AUTHORIZATION)
        signature = _decoded(_attribute(server_final, b"v", "server-final-message"), "the server signature")
        if not hmac.compare_digest(signature, self._server_signature):
            raise PeerError("incorrect server signature: the server does not know the password", _INVALID_AUTHORIZATION)


def _choose(offered: Sequence[str], binding: bytes | None, mode: ChannelBinding) -> str:
    """The mechanism to use."""
    if binding is not None and SCRAM_SHA_256_PLUS in offered:
        return SCRAM_SHA_256_PLUS
    if mode is ChannelBinding.REQUIRE:
        raise PeerError("channel binding is required, but the server does not offer it on this connection", "28000")
    if SCRAM_SHA_256 in offered:
        return SCRAM_SHA_256
    raise PeerError(f"none of the server's SASL mechanisms is supported: {', '.join(offered)[:200]}", "28000")


def _gs2_header(mechanism: str, binding: bytes | None) -> tuple[bytes, bytes]:
    """`(GS2 header, channel binding data)`: `y` tells the server that we could bind but it did not offer to."""
    if mechanism == SCRAM_SHA_256_PLUS and binding is not None:
        return b"p=" + _BINDING_TYPE + b",,", binding
    return (b"n,,", b"") if binding is None else (b"y,,", b"")


def _sasl_name(user: str) -> bytes:
    return user.encode("utf-8").replace(b"=", b"=3D").replace(b",", b"=2C")


def _read_server_first(server_first: bytes, own_nonce: bytes) -> tuple[bytes, bytes, int]:
    """`(nonce, salt, iterations)`."""
    parts = server_first.split(b",")
    if len(parts) != 3:
        raise _malformed("server-first-message must have a nonce, a salt and iterations")
    nonce, salt, iterations = map(_attribute, parts, (b"r", b"s", b"i"), ("server-first-message",) * 3)
    if not nonce.startswith(own_nonce) or len(nonce) == len(own_nonce) or not _NONCE_BYTES.issuperset(nonce):
        raise PeerError("invalid SCRAM response: nonce mismatch")
    return nonce, _decoded(salt, "the salt"), _iterations(iterations)


def _iterations(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 9 or not 1 <= int(digits) <= MAX_ITERATIONS:
        raise _malformed(f"invalid iteration count (1 to {MAX_ITERATIONS} are accepted)")
    return int(digits)
