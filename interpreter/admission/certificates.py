"""An authority of our own, and the certificate of the server that the API server asks.

Each pair is made together: a new authority signs one certificate, and its key is thrown away, so that nobody can ever
have it sign another. What the API server is told to trust (`bundle`) is the new authority and the one before it, so
that a replica which still answers with the old certificate is believed too. A pair is due when a third of its life is
left, or when it does not hold for a name that is asked for.

Keys are on the curve P-256 and signatures ECDSA with SHA-256, which Go's TLS, the API server's, takes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=365)
DUE = LIFE / 3
_SKEW = timedelta(hours=1)
"""Clocks of other machines may be behind."""


@dataclass(frozen=True, slots=True)
class Pair:
    """All in PEM. `bundle` has the authorities to be trusted, the newest first."""

    bundle: str
    certificate: str
    key: str

    def secret(self) -> dict[str, str]:
        """As the data of a `kubernetes.io/tls` Secret."""
        return {"ca.crt": self.bundle, "tls.crt": self.certificate, "tls.key": self.key}


def issue(names: Sequence[str], now: datetime, before: Pair | None = None) -> Pair:
    """A new pair for a server of these names, which may be addresses; `before` is the pair that it follows."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("rollway admission authority")
    authority = (
        _begun(issuer, issuer, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_others=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _begun(_name("rollway admission"), issuer, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_others=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    older = _first_of(before.bundle) if before is not None else ""
    return Pair(
        _pem(authority) + older,
        _pem(certificate),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def read(data: Mapping[str, str]) -> Pair | None:
    """The pair that a Secret holds; None if it holds none that can be used."""
    pair = Pair(data.get("ca.crt", ""), data.get("tls.crt", ""), data.get("tls.key", ""))
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
        key = load_pem_private_key(pair.key.encode(), None)
        trusted = x509.load_pem_x509_certificates(pair.bundle.encode())
    except (ValueError, TypeError):
        return None
    signed = any(_signed_by(certificate, authority) for authority in trusted)
    return pair if signed and key.public_key() == certificate.public_key() else None


def is_due(pair: Pair, names: Sequence[str], now: datetime) -> bool:
    """Whether a pair that `read` gave is to be followed by another."""
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return certificate.not_valid_after_utc - now < DUE or any(_general(name) not in held for name in names)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_others: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_others,
        key_cert_sign=signs_others,
        crl_sign=signs_others,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _first_of(bundle: str) -> str:
    found = x509.load_pem_x509_certificates(bundle.encode())
    return _pem(found[0]) if found else ""


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # the library names several; whatever it is, it is no signature to rely on
        return False
    return True
