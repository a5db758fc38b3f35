"""mTLS of our own connections: a certificate of ours is shown, and the other side must have the SPIFFE name that we expect.

A process has a folder (`mesh_folder`) with `tls.crt`, `tls.key` and `ca.crt`, as cert-manager and the local stack write them; in
a folder below it, named like the last part of a user's SPIFFE name, lies what is shown as that user instead. The files are
looked at for each new connection, so a rotation needs no restart; open connections stay as they are. Who the others are says
`mesh_peers`: a name replaces the check of the host, as SPIFFE wants it (X.509-SVID, section 5). A certificate with several
names, or with none, is nobody's. Postgres is spoken to by libpq, with what its URL says (docs/mesh.md).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster.settings import Settings
from content.errors import ContentError

CERTIFICATE, KEY, AUTHORITIES = "tls.crt", "tls.key", "ca.crt"
SPIFFE = "spiffe://"
# The NATS client answers the end of a connection in a way that does nothing under TLS, and asyncio says so each time.
logging.getLogger("asyncio").addFilter(
    lambda record: not record.getMessage().startswith("returning true from eof_received")
)


class PeerRefused(ssl.SSLCertVerificationError):
    """The other side is trusted by our authorities, and somebody else."""


def context(settings: Settings, peer: str, user: str = "") -> ssl.SSLContext | None:
    """For connections to `peer`, a key of `mesh_peers`, shown as `user` (a SPIFFE name; empty: this process). None without mTLS.

    Raises ContentError `mesh-unknown-peer`, `mesh-certificate`.
    """
    if settings.mesh_folder is None:
        return None
    if (name := settings.mesh_peers.get(peer)) is None:
        raise ContentError(
            "mesh-unknown-peer", f"It is not said which name {peer} has in the mesh.", "Add it to mesh_peers."
        )
    return of_folder(settings.mesh_folder, name, user)


def of_folder(folder: Path, name: str, user: str = "") -> ssl.SSLContext:
    """As `context`, for a program that is told a folder and the one name it expects. Raises ContentError `mesh-certificate`."""
    own = folder / user.rpartition("/")[2] if user.startswith(SPIFFE) else folder
    made = _Renewing(ssl.PROTOCOL_TLS_CLIENT)
    made.folder, made.expected = own if (own / CERTIFICATE).exists() else folder, name
    made.current()  # what is wrong with the files is said now
    return made


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """The URIs in a certificate, as `SSLSocket.getpeercert` gives it."""
    return [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]


@dataclass(frozen=True)
class Shown:
    """A certificate: its names (one, if it is of use), and when it begins and ends."""

    names: tuple[str, ...]
    begins: datetime
    ends: datetime


def shown(folder: Path) -> Shown:
    """The certificate in a folder. Raises ContentError `mesh-certificate`."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise _broken(folder, error) from error
    return Shown(tuple(uris), found.not_valid_before_utc, found.not_valid_after_utc)


def folders(folder: Path) -> list[Path]:
    """A process's own folder, and those below it, of the users it can show itself as."""
    return [folder, *sorted(path.parent for path in folder.glob(f"*/{CERTIFICATE}"))]


class _Pinned(ssl.SSLContext):
    """One reading of the files."""

    expected: str


class _Renewing(ssl.SSLContext):
    """Made anew whenever the files are other ones. Only how a connection is wrapped is asked of it."""

    folder: Path
    expected: str
    _made: _Pinned | None = None
    _read: tuple[tuple[int, int], ...] = ()

    def current(self) -> _Pinned:
        paths = [self.folder / name for name in (CERTIFICATE, KEY, AUTHORITIES)]
        try:
            found = tuple((state.st_mtime_ns, state.st_ino) for state in (path.stat() for path in paths))
            if self._made is None or found != self._read:
                self._made, self._read = _pinned(self.expected, *paths), found
        except (OSError, ssl.SSLError) as error:
            # Between two of the files a rotation may be half done: what was read before is good for a while yet.
            if self._made is None:
                raise _broken(self.folder, error) from error
        return self._made

    def wrap_bio(self, *args: Any, **named: Any) -> ssl.SSLObject:
        return self.current().wrap_bio(*args, **named)

    def wrap_socket(self, *args: Any, **named: Any) -> ssl.SSLSocket:
        return self.current().wrap_socket(*args, **named)


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _check(self)


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _check(self)


def _check(connection: ssl.SSLSocket | ssl.SSLObject) -> None:
    """After the handshake, and before a byte of ours: exactly the one name."""
    pinned: Any = connection.context
    found = names_of(connection.getpeercert() or {})
    if found != [pinned.expected]:
        raise PeerRefused(f"the other side is {', '.join(found) or 'nobody'}, not {pinned.expected}")


def _pinned(expected: str, certificate: Path, key: Path, authorities: Path) -> _Pinned:
    made = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
    made.expected = expected
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False  # the name above is checked in its place
    made.sslsocket_class, made.sslobject_class = _Socket, _Object
    made.load_cert_chain(certificate, key)
    made.load_verify_locations(authorities)
    return made


def _broken(folder: Path, error: Exception) -> ContentError:
    return ContentError(
        "mesh-certificate",
        f"The certificate in {folder} cannot be used ({type(error).__name__}).",
        f"{CERTIFICATE}, {KEY} and {AUTHORITIES} must lie there; see docs/mesh.md.",
    )
