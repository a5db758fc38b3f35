"""A server for the browser's tests: it registers a device as the service does, and has bundles and single files for it.

What it hands out is sealed and signed by the service's own code for whatever keys the browser made; what the browser
signed is kept for a second opinion. The first transfer of each part breaks off in the middle.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from content.bundles.container_write import Course, Lists, PartSource, write_container
from content.bundles.index import Index
from content.bundles.licence import IndexRef, Licence
from content.bundles.licence import Sequence as Order
from content.canonical import canonical, derive_id, digest, rfc3339
from content.devices.proof import verify_proof
from content.devices.registration import make_challenge, verify_registration
from content.devices.tamper import verify_report
from content.jwk import b64, thumbprint, unb64
from tests.vectors.world import NOW, PICTURE, TABLET, TENANT, World, pattern, seal, seeded

FILM = pattern(3_000_000)
ASSETS = [digest(data) for data in (PICTURE, FILM, b"")]


@dataclass(frozen=True)
class BrowserDevice:
    """What of a device its licence needs: its public keys."""

    id: str
    encryption_jwk: dict[str, str]

    @property
    def encryption_thumbprint(self) -> str:
        return thumbprint(self.encryption_jwk)


@dataclass(frozen=True)
class Version(World):
    """A version of one course with a film, in a bundle and a part of its own."""

    number: int = 3
    assets: Sequence[tuple[bytes, str]] = ((PICTURE, "image"), (FILM, "video"), (b"", "other"))

    @property
    def bundle(self) -> str:
        return derive_id("bnd", "browser", self.number)

    def manifest(self) -> bytes:
        return canonical(
            {
                "type": "manifest",
                "shape": 1,
                "version": self.number,
                "assets": [digest(data) for data, _ in self.assets],
            }
        )

    def index(self) -> tuple[bytes, dict[str, bytes]]:
        path = f"{self.bundle}/a1/0.part"
        sealer, part = seal(self.content_key, [(self.manifest(), "manifest"), *self.assets], path)
        return Index(sealer.file_entries(), (sealer.part_entry(),)).to_bytes(), {path: part}

    def make_licence(self, index: bytes) -> Licence:
        return replace(
            super().make_licence(index),
            bundle_id=self.bundle,
            version=self.number,
            sequence=Order(1, self.number, 1),
            manifest=digest(self.manifest()),
            index=IndexRef(f"{self.bundle}/a1/index.json", len(index), digest(index)),
        )

    def single_file(self) -> bytes:
        case, out = self.case(), io.BytesIO()
        lists = Lists(case["chain"], case["revocations"].encode(), case["revocations_signature"])
        course = Course([(case["licence"].encode(), case["signature"])], case["index"].encode())
        parts = [PartSource(len(data), lambda data=data: [data]) for data in map(unb64, case["parts"].values())]
        write_container(out.write, lists, course, parts)
        return out.getvalue()


@dataclass
class School:
    """What the server knows, and what it was sent."""

    dist: Path
    vectors: Mapping[str, Any]
    versions: Callable[[BrowserDevice, int], Version] = lambda device, number: Version(device=device, number=number)
    page: str = "page"
    secret: bytes = b""
    device: BrowserDevice | None = None
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    signed: list[tuple[str, str]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    ranges: list[tuple[str, int]] = field(default_factory=list)
    exported: bytes = b""

    def challenge(self, encryption: dict[str, str]) -> dict[str, str]:
        self.secret, challenge = make_challenge(encryption, seeded("browser challenge"))
        return {"nonce": b64(seeded("nonce")(24)), "challenge": challenge}

    def register(self, jws: str) -> dict[str, str]:
        nonce = b64(seeded("nonce")(24))
        found = verify_registration(jws, nonce=nonce, tenant=TENANT, secret=self.secret, encryption_jwk=None)
        self.signed.append(("registration", jws))
        self.device = BrowserDevice(found.device_id, dict(found.encryption_jwk))
        return {"device": found.device_id}

    def version(self, name: str) -> Version:
        """One for the device that registered, but for `foreign`, which is another device's."""
        assert self.device is not None
        if name == "foreign":
            return Version(device=TABLET, number=4)
        return self.versions(self.device, {"first": 3, "second": 4, "damaged": 4, "third": 5}[name])

    def case(self, name: str) -> dict[str, Any]:
        """The pieces of a bundle, sealed when they are first asked for; of `damaged` the last byte is another one."""
        if name not in self.made:
            case = self.version(name).case()
            if name == "damaged":
                ((path, sealed),) = case["parts"].items()
                part = bytearray(unb64(sealed))
                part[-1] ^= 1
                case["parts"] = {path: b64(bytes(part))}
            self.made[name] = case
        return self.made[name]

    def bundle(self, name: str, url: str, proof: str) -> dict[str, Any]:
        assert self.device is not None
        verify_proof(proof, method="GET", url=url, tenant=TENANT, now=NOW, device_id=self.device.id)
        self.signed.append(("proof", proof))
        return {key: value for key, value in self.case(name).items() if key not in ("parts", "device", "state")}

    def tamper(self, jws: str) -> dict[str, str]:
        assert self.device is not None
        report = verify_report(jws, tenant=TENANT, device_id=self.device.id)
        self.signed.append(("tamper-report", jws))
        return {"code": report.code}


class Handler(BaseHTTPRequestHandler):
    school: School
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: pytest shows what matters."""

    def answer(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        school, path = self.school, self.path
        if path == "/":
            script = f'<!doctype html><title>tests</title><script type="module" src="/{school.page}.js"></script>'
            self.answer(script.encode(), "text/html")
        elif path.endswith(".js"):
            self.answer((school.dist / path[1:]).read_bytes(), "text/javascript")
        elif path == "/favicon.ico":
            self.answer(b"", "image/x-icon")
        elif path == "/now":
            self.answer(json.dumps({"now": rfc3339(NOW)}).encode())
        elif path == "/vectors.json":
            self.answer(json.dumps(school.vectors).encode())
        elif path.startswith("/bundles/"):
            url = f"http://{self.headers['host']}{path}"
            self.answer(json.dumps(school.bundle(path.split("/")[2], url, self.headers["dpop"])).encode())
        elif path.startswith("/single/"):
            self.answer(school.version(path.split("/")[2]).single_file(), "application/vnd.content-bundle+zip")
        else:
            _, _, name, part = path.split("/", 3)
            self.part(path, unb64(school.case(name)["parts"][part]))

    def part(self, path: str, data: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        begin = int(wanted[1]) if wanted else 0
        self.school.ranges.append((path, begin))
        if path not in self.school.broken:
            self.school.broken.add(path)
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        extent = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        status = 206 if wanted else 200
        self.answer(data[begin:], "application/octet-stream", status, **({"content_range": extent} if wanted else {}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/exported":
            self.school.exported = body
            self.answer(b"{}")
            return
        asked = json.loads(body)
        if self.path == "/challenge":
            self.answer(json.dumps(self.school.challenge(asked["encryption"])).encode())
        elif self.path == "/register":
            self.answer(json.dumps(self.school.register(asked["jws"])).encode())
        else:
            self.answer(json.dumps(self.school.tamper(asked["jws"])).encode())


@contextmanager
def serve(school: School) -> Iterator[str]:
    """The address of a running server; `localhost`, so that the browser takes it for a secure context."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("SchoolHandler", (Handler,), {"school": school})) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
