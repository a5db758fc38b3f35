"""The certificate authority of a local stack under mTLS: made once, its certificates short, all of it rotated while the stack runs.

Below `keys/mesh/` (0700): `authorities.json` (the authority that signs and the one before it, with their keys), and a folder for
each identity in the shape of `cluster.mesh`. A certificate has one SPIFFE name, the identity's name as its CN (what Postgres and
HAProxy compare) and the loopback as its host. Everybody's `ca.crt` holds both authorities, so that after an authority was
replaced those who still show the old one's certificates are let in until they have new ones; the next `rotate` of the
authority drops it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.local.home import read_json, write_json, write_secret
from cluster.mesh import AUTHORITIES, CERTIFICATE, KEY, shown

TRUST_DOMAIN = "content.local"
LIFE, RENEWED_BEFORE = timedelta(days=30), timedelta(days=20)
AUTHORITY_LIFE = timedelta(days=365)
SKEW = timedelta(minutes=5)
BOTH = "tls.pem"
"""Certificate and key in one file, as HAProxy reads them."""


def spiffe(identity: str) -> str:
    """The SPIFFE name of an identity of the local stack; one that lies in another's folder is written `theirs/its`."""
    return f"spiffe://{TRUST_DOMAIN}/ns/content/sa/{_last(identity)}"


def _last(identity: str) -> str:
    return identity.rpartition("/")[2]


@dataclass(frozen=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """The authority in a folder. Only `ensure` and `rotate` write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, identity: str) -> Path:
        """The folder of an identity."""
        return self.folder / identity

    @property
    def trusted(self) -> Path:
        """The file of the authorities that are trusted now."""
        return self.folder / AUTHORITIES

    def ensure(self, identities: Iterable[str]) -> list[str]:
        """Make what is missing and renew what ends soon; who got a new certificate."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        pairs = self._pairs() or self._new_authority([])
        soon = datetime.now(UTC) + LIFE - RENEWED_BEFORE
        return [each for each in identities if self._is_due(each, soon) and self._issue(each, pairs)]

    def rotate(self, identities: Iterable[str], *, authority: bool = False) -> None:
        """New certificates for all; with `authority`, by a new authority, beside which the one before stays trusted."""
        pairs = self._pairs()
        if authority or not pairs:
            pairs = self._new_authority(pairs[:1])
        for identity in identities:
            self._issue(identity, pairs)

    def _is_due(self, identity: str, soon: datetime) -> bool:
        made = (self.of(identity) / CERTIFICATE).exists() and (self.of(identity) / BOTH).exists()
        return not made or shown(self.of(identity)).ends < soon

    def _issue(self, identity: str, pairs: list[_Pair]) -> bool:
        folder, signer, key = self.of(identity), pairs[0], ec.generate_private_key(ec.SECP256R1())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = x509.SubjectAlternativeName(
            [
                x509.UniformResourceIdentifier(spiffe(identity)),
                x509.DNSName("localhost"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            ]
        )
        both_ways = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        made = (
            _builder(_last(identity), signer.certificate.subject, key, LIFE)
            .add_extension(names, critical=False)
            .add_extension(both_ways, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(signer.key, hashes.SHA256())
        )
        # A reader takes key and certificate only if they fit (`cluster.mesh` keeps what it had): the order does not matter.
        write_secret(folder / AUTHORITIES, _bundle(pairs))
        write_secret(folder / KEY, _pem(key))
        write_secret(folder / CERTIFICATE, _text(made))
        write_secret(folder / BOTH, _text(made) + _pem(key))
        return True

    def _pairs(self) -> list[_Pair]:
        """The authority that signs, then the one before it."""
        kept = read_json(self.folder / "authorities.json").get("authorities", [])
        return [
            _Pair(x509.load_pem_x509_certificate(each["certificate"].encode()), _loaded(each["key"])) for each in kept
        ]

    def _new_authority(self, before: list[_Pair]) -> list[_Pair]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"content-service local {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
        made = (
            _builder(name, None, key, AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pairs = [_Pair(made, key), *before]
        write_json(
            self.folder / "authorities.json",
            {"authorities": [{"certificate": _text(each.certificate), "key": _pem(each.key)} for each in pairs]},
        )
        write_secret(self.trusted, _bundle(pairs))
        return pairs


def _builder(
    name: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + life)
    )


def _bundle(pairs: Iterable[_Pair]) -> str:
    return "".join(_text(each.certificate) for each in pairs)


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _loaded(text: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
