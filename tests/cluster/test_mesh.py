"""mTLS between two ends in this process: who is let in, who is believed, and how certificates change under what runs."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster import mesh
from cluster.local import authority as authorities
from cluster.local.authority import Authority, spiffe
from cluster.local.home import Home
from cluster.local.mesh import IDENTITIES, Mesh, configuration, doors, program
from cluster.local.part import Site
from cluster.mesh_door import came_in, digest_of
from cluster.outbound import Transport
from cluster.settings import Settings
from content.errors import ContentError

NAMES = ("server", "client", "somebody", "client/helper")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "mesh")
    assert made.ensure(NAMES) == list(NAMES)
    return made


@asynccontextmanager
async def served(authority: Authority, identity: str = "server") -> AsyncIterator[int]:
    """A server that wants a certificate and says who it sees; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen = " ".join(mesh.names_of(writer.get_extra_info("peercert") or {})).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(seen), seen))
        await writer.drain()
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.of(identity) / mesh.CERTIFICATE, authority.of(identity) / mesh.KEY)
    tls.load_verify_locations(authority.trusted)
    tls.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def seen_by(port: int, tls: ssl.SSLContext | None) -> tuple[str, str]:
    """The name that the server sees: by asyncio's way (as NATS and the importer's client), and by that of the neighbours'."""
    async with httpx.AsyncClient(verify=tls or True, trust_env=False) as client:
        one = (await client.get(f"https://127.0.0.1:{port}/")).text

    def blocking() -> str:
        with httpx.Client(transport=Transport([("127.0.0.1", port)], tls=tls), trust_env=False) as client:
            return client.get(f"https://127.0.0.1:{port}/").text

    return one, await asyncio.to_thread(blocking)


async def test_both_ends_know_each_other(authority: Authority) -> None:
    async with served(authority) as port:
        tls = mesh.of_folder(authority.of("client"), spiffe("server"))
        assert await seen_by(port, tls) == (spiffe("client"), spiffe("client"))


async def test_a_user_is_shown_by_the_folder_of_its_name(authority: Authority) -> None:
    async with served(authority) as port:
        for user, seen in ((spiffe("helper"), "helper"), (spiffe("unknown"), "client"), ("helper", "client")):
            tls = mesh.of_folder(authority.of("client"), spiffe("server"), user)
            assert await seen_by(port, tls) == (spiffe(seen), spiffe(seen))


async def test_another_name_than_the_expected_one_ends_it(authority: Authority) -> None:
    async with served(authority, "somebody") as port:
        for asked in seen_by, _blocking:
            with pytest.raises(httpx.NetworkError, match=f"the other side is {spiffe('somebody')}, not"):
                await asked(port, mesh.of_folder(authority.of("client"), spiffe("server")))


async def _blocking(port: int, tls: ssl.SSLContext) -> None:
    with httpx.Client(transport=Transport([("127.0.0.1", port)], tls=tls), trust_env=False) as client:
        await asyncio.to_thread(client.get, f"https://127.0.0.1:{port}/")


@pytest.mark.parametrize("names", [[], ["server", "client"], ["server", "server"]])
async def test_a_certificate_of_no_name_or_of_several_is_nobodys(authority: Authority, names: list[str]) -> None:
    _issue_with(authority, "server", names)
    async with served(authority) as port:
        with pytest.raises(httpx.ConnectError, match="the other side is"):
            await seen_by(port, mesh.of_folder(authority.of("client"), spiffe("server")))


def _issue_with(authority: Authority, identity: str, names: list[str]) -> None:
    """A certificate by the same authority that has these names."""
    (signer,) = authority._pairs()  # pyright: ignore[reportPrivateUsage]
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    uris = [x509.UniformResourceIdentifier(spiffe(name)) for name in names]
    made = (
        x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(signer.certificate.subject)
        .public_key(key.public_key()).serial_number(7).not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([*uris, x509.DNSName("localhost")]), critical=True)
        .sign(signer.key, hashes.SHA256())
    )  # fmt: skip
    folder = authority.of(identity)
    (folder / mesh.CERTIFICATE).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / mesh.KEY).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


async def test_without_a_certificate_or_with_one_of_another_authority_nobody_is_let_in(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    other.ensure(NAMES)
    (other.of("client") / mesh.AUTHORITIES).write_text(authority.trusted.read_text())
    async with served(authority) as port:
        with pytest.raises(httpx.HTTPError):
            await seen_by(port, ssl.create_default_context(cafile=str(authority.trusted)))
        with pytest.raises(httpx.HTTPError):
            await seen_by(port, mesh.of_folder(other.of("client"), spiffe("server")))
    async with served(other) as port:  # and the other way about
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await seen_by(port, mesh.of_folder(authority.of("client"), spiffe("server")))


async def test_new_files_are_for_new_connections_and_half_of_them_change_nothing(authority: Authority) -> None:
    tls = mesh.of_folder(authority.of("client"), spiffe("server"))
    async with served(authority) as port:
        key = authority.of("client") / mesh.KEY
        right = key.read_bytes()
        key.write_bytes((authority.of("somebody") / mesh.KEY).read_bytes())  # a rotation at half way
        assert await seen_by(port, tls) == (spiffe("client"), spiffe("client"))
        key.write_bytes(right)
        for name in (mesh.CERTIFICATE, mesh.KEY):
            (authority.of("somebody") / name).replace(authority.of("client") / name)
        assert await seen_by(port, tls) == (spiffe("somebody"), spiffe("somebody"))


def test_what_cannot_be_used_is_said(authority: Authority, tmp_path: Path) -> None:
    given = {"mesh_folder": authority.of("client"), "mesh_peers": {"nats": spiffe("nats")}}
    assert mesh.context(Settings(mesh_folder=None), "nats") is None  # type: ignore[call-arg]
    assert mesh.context(Settings(**given), "nats") is not None  # type: ignore[arg-type]
    for changed, peer, code in (
        ({}, "importer", "mesh-unknown-peer"),
        ({"mesh_folder": tmp_path}, "nats", "mesh-certificate"),
    ):
        with pytest.raises(ContentError) as raised:
            mesh.context(Settings(**{**given, **changed}), peer)  # type: ignore[arg-type]
        assert raised.value.code == code
    (authority.of("client") / mesh.KEY).write_text("nothing")
    with pytest.raises(ContentError, match="cannot be used"):
        mesh.of_folder(authority.of("client"), spiffe("server"))


# -- the authority ------------------------------------------------------------------------------------------------


def test_what_is_good_for_long_is_kept_and_what_ends_soon_is_renewed(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authority.ensure(NAMES) == []
    assert authority.ensure((*NAMES, "new")) == ["new"]
    monkeypatch.setattr(authorities, "RENEWED_BEFORE", timedelta(days=-1))
    assert authority.ensure(["server"]) == ["server"]


def test_a_file_that_is_missing_is_made_again(authority: Authority) -> None:
    (authority.of("client") / authorities.BOTH).unlink()
    assert authority.ensure(NAMES) == ["client"]


async def test_an_authority_is_replaced_in_two_steps(authority: Authority) -> None:
    """Its predecessor is trusted until the next one comes, so that nobody is shut out between."""
    kept = {name: (authority.of("client") / name).read_bytes() for name in (mesh.CERTIFICATE, mesh.KEY)}
    old = mesh.of_folder(authority.of("client"), spiffe("server"))
    old.current()  # type: ignore[attr-defined]
    authority.rotate(["server"], authority=True)
    async with served(
        authority
    ) as port:  # the client has the old certificate, and knows both authorities once it is told
        (authority.of("client") / mesh.AUTHORITIES).write_text(authority.trusted.read_text())
        assert await seen_by(port, old) == (spiffe("client"), spiffe("client"))
    authority.rotate(["server"], authority=True)
    async with served(authority) as port:
        (authority.of("client") / mesh.AUTHORITIES).write_text(authority.trusted.read_text())
        assert kept == {name: (authority.of("client") / name).read_bytes() for name in kept}
        with pytest.raises(httpx.HTTPError):
            await seen_by(port, old)
        authority.rotate(["client"])
        assert await seen_by(port, old) == (spiffe("client"), spiffe("client"))


def test_keys_are_for_one_user_alone(authority: Authority) -> None:
    assert authority.folder.stat().st_mode & 0o077 == 0
    for path in authority.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


# -- the doors ----------------------------------------------------------------------------------------------------


def test_haproxy_takes_the_doors(tmp_path: Path) -> None:
    names = (*Mesh.ports, "api_inside", "neighbours", "postgres")
    site = Site(Home(tmp_path), {name: 20000 + n for n, name in enumerate(names)}, {"mesh_door": "s3cret"}, mtls=True)
    site.home.prepare()
    site.authority.ensure(IDENTITIES)
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration(site))
    done = subprocess.run([program(), "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        configuration(site).count("verify required") == len(doors(site)) + 2
    )  # Postgres', and the gateway's own asking
    assert {door.identity for door in doors(site)} | {who for door in doors(site) for who in door.welcome} <= set(
        IDENTITIES
    )


@pytest.mark.parametrize(
    "shown, let_in", [("right", True), ("wrong", False), ("", False), (None, False), ("\udcff", False)]
)
def test_the_doors_secret(shown: str | None, let_in: bool) -> None:
    assert came_in(digest_of("right"), shown) == let_in
    assert came_in("", shown)
