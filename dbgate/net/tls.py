"""TLS contexts for both sides, and what channel binding needs to know of a certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from dbgate.settings.model import ClientTls, TlsMode, UpstreamTls

#: the name PostgreSQL registered for direct TLS; libpq 17 and later offer it and insist on it
ALPN = "postgresql"


class TlsUnusable(Exception):  # noqa: N818
    """A certificate, key or root file cannot be used. The message names the file."""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Our side towards clients. `binding`: the tls-server-end-point hash (RFC 5929), None when the certificate's
    signature algorithm defines none."""

    context: ssl.SSLContext
    binding: bytes | None


def server_tls(settings: ClientTls) -> ServerTls:
    """Reads certificate and key. Raises TlsUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([ALPN])
    _load_chain(context, settings.certificate, settings.key)
    return ServerTls(context, binding_of_pem(settings.certificate))


def upstream_context(settings: UpstreamTls, alpn: str | None = None) -> ssl.SSLContext:
    """What libpq's sslmode means: require checks no certificate, unless a root certificate is given (then as
    verify-ca); verify-full compares the host name too. `alpn`: what to offer, if anything. Raises TlsUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    context.check_hostname = settings.mode is TlsMode.VERIFY_FULL
    verifies = settings.root_certificate is not None and settings.mode not in (TlsMode.ALLOW, TlsMode.PREFER)
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    if verifies:
        _load_roots(context, settings.root_certificate)
    if settings.certificate is not None and settings.key is not None:
        _load_chain(context, settings.certificate, settings.key)
    return context


def _load_roots(context: ssl.SSLContext, roots: Path | None) -> None:
    try:
        context.load_verify_locations(cafile=roots)
    except (OSError, ssl.SSLError) as fault:
        raise TlsUnusable(f"the root certificate {roots} cannot be used: {fault.strerror or fault}") from None


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        if not path.is_file():
            raise TlsUnusable(f"the file {path} does not exist")
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ssl.SSLError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise TlsUnusable(f"the certificate {certificate} and the key {key} cannot be used: {reason}") from None


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted; give the gate a key without a passphrase")


def binding_of_pem(path: Path) -> bytes | None:
    """The binding of the first certificate in a PEM file."""
    try:
        return binding(x509.load_pem_x509_certificate(path.read_bytes()))
    except (OSError, ValueError) as fault:
        raise TlsUnusable(f"the certificate {path} cannot be read: {type(fault).__name__}") from None


def binding_of_der(certificate: bytes | None) -> bytes | None:
    """The binding of a peer's certificate, None where there is none."""
    if certificate is None:
        return None
    try:
        return binding(x509.load_der_x509_certificate(certificate))
    except ValueError:
        return None


def binding(certificate: x509.Certificate) -> bytes | None:
    """tls-server-end-point: the certificate's hash by its own signature's hash, MD5 and SHA-1 raised to SHA-256
    (RFC 5929, 4.1). None where the signature has no single hash (Ed25519): binding is then undefined."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)
