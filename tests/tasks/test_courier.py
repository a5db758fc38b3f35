"""One POST to a receiver on this machine that answers as receivers do: well, badly, slowly, with too much, or not at all."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster.egress import Target
from tasks.courier import Answer, send

SIGNED = {"webhook-id": "msg-1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}


class Receiver:
    """Answers every request with `answer`, after `delay_s`."""

    def __init__(self, answer: bytes, delay_s: float = 0.0) -> None:
        self.answer, self.delay_s = answer, delay_s
        self.heard: list[bytes] = []
        self.sent_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heard.append(await reader.readuntil(b"\r\n\r\n") + await reader.read(100))
            await asyncio.sleep(self.delay_s)
            writer.write(self.answer)
            await writer.drain()
            while self.answer.endswith(b"endless\n"):
                writer.write(bytes(65536))
                await writer.drain()
                self.sent_bytes += 65536
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def at(receiver: Receiver, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def post(port: int, timeout_s: float = 5.0) -> Answer:
    target = Target(f"http://127.0.0.1:{port}/in?x=1", "hooks.example.com", "hooks.example.com")
    async with httpx.AsyncClient(trust_env=False) as client:
        return await send(client, target, SIGNED, b'{"type":"t"}', timeout_s)


async def test_it_arrives_with_its_headers() -> None:
    receiver = Receiver(b"HTTP/1.1 204 No Content\r\n\r\n")
    async with at(receiver) as port:
        answer = await post(port)
    assert (answer.status, answer.error) == (204, "")
    head, _, content = receiver.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\nHost: hooks.example.com\r\n")
    assert b"webhook-id: msg-1" in head
    assert content == b'{"type":"t"}'


async def test_a_redirect_is_an_answer_and_not_a_way() -> None:
    elsewhere = Receiver(b"HTTP/1.1 204 No Content\r\n\r\n")
    async with at(elsewhere) as other:
        location = f"Location: http://127.0.0.1:{other}/\r\n".encode()
        async with at(Receiver(b"HTTP/1.1 307 Temporary Redirect\r\n" + location + b"\r\n")) as port:
            answer = await post(port)
    assert (answer.status, answer.error) == (307, "a redirect, which is not followed")
    assert elsewhere.heard == []


async def test_when_to_come_again_is_heard() -> None:
    async with at(Receiver(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\n\r\n")) as port:
        answer = await post(port)
    assert (answer.status, answer.error, answer.wait_s) == (503, "it answered 503", 120.0)


async def test_an_endless_answer_is_not_read() -> None:
    receiver = Receiver(b"HTTP/1.1 200 OK\r\n\r\nendless\n")
    async with at(receiver) as port:
        answer = await post(port)
    assert answer.status == 200
    assert receiver.sent_bytes < 16 << 20  # what the sockets between the two hold


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-A: "])
async def test_a_slow_receiver_is_left_in_time(head: bytes) -> None:
    async with at(Receiver(head, delay_s=0.0 if head else 30)) as port:
        answer = await post(port, 0.3)
    assert answer.status is None
    assert answer.error in ("no answer within 0.3 s", "the connection broke (RemoteProtocolError)")
    assert answer.duration_ms < 3000


async def test_nobody_there_is_said_so() -> None:
    async with at(Receiver(b"")) as port:
        pass
    assert (await post(port)).error == "no connection"


async def test_the_certificate_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    """The connection goes to a pinned address; the certificate must still be the name's."""
    authority = certificate(tmp_path, "hooks.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    receiver = Receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    trusting = ssl.create_default_context(cafile=str(authority))
    async with at(receiver, context) as port, httpx.AsyncClient(trust_env=False, verify=trusting) as client:
        right = Target(f"https://127.0.0.1:{port}/", "hooks.example.com", "hooks.example.com")
        assert (await send(client, right, SIGNED, b"{}", 5)).status == 200
        wrong = Target(f"https://127.0.0.1:{port}/", "other.example.com", "other.example.com")
        assert reason(await send(client, wrong, SIGNED, b"{}", 5)) == "its certificate is not valid"
    assert len(receiver.heard) == 1


def reason(answer: Answer) -> str:
    assert answer.status is None
    return answer.error


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path
