"""A tenant's honest output for one phone, made with the functions of `content` alone, and served over HTTP in memory.

`Shop` answers as the API and the edge do (licence, lists, ranges); a test breaks one thing of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from content.bundles.delta import keep
from content.bundles.index import Index
from content.bundles.keys import wrap_for_device
from content.bundles.licence import Device, IndexRef, Licence
from content.bundles.licence import Sequence as Order
from content.canonical import derive_id, digest
from content.devices.identity import DeviceIdentity
from content.drafts import parse as parse_draft
from content.media import Rendition
from content.packages import AssetResult, Source, build_manifest
from content.signatures import sign_documents
from content.trust.revocation_delta import RevocationDelta
from serve_app.client import Client
from serve_app.device.folder import DeviceFolder, Registered
from tests.vectors import world as w

API, EDGE = "https://api.test", "https://edge.test"
NOW: datetime = w.NOW
CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:01.000\n<b>Hello</b> & مرحبًا\n".encode()
PAGES = 3 * (1 << 20) + 17  # the film takes four segments


def picture(version: int) -> bytes:
    return f"picture {version}".encode() * 900


FILM, POSTER, SOUND, SHEET = w.pattern(PAGES), b"poster" * 50, b"sound" * 800, b"%PDF-1.7 sheet"
KINDS: dict[str, list[tuple[str, str, bytes]]] = {
    "film": [("video", "video/mp4", FILM), ("poster", "image/webp", POSTER)],
    "sound": [("audio", "audio/mp4", SOUND)],
    "words": [("captions", "text/vtt", CAPTIONS)],
    "sheet": [("file", "application/pdf", SHEET)],
}


def draft(version: int) -> dict[str, Any]:
    both = {"en": "A <b>title</b> & more", "ar": "عنوان"}
    question = {"id": "q1", "prompt": {"en": "Why *so*?", "ar": "لماذا؟"}}
    choices = [
        {"id": "a", "text": {"en": "Because <i>", "ar": "لأن"}, "correct": True},
        {"id": "b", "text": {"en": "No", "ar": "لا"}},
    ]
    blocks = [
        {"type": "text", "id": "t", "text": {"en": "**Hi** <script>alert(1)</script>", "ar": "**مرحبًا**"}},
        {"type": "image", "id": "i", "asset": "Pic:1", "alt": {"en": 'A "quoted" alt', "ar": "صورة"}},
        {
            "type": "video",
            "id": "v",
            "asset": "film",
            "title": both,
            "captions": [{"asset": "words", "language": "en"}],
        },
        {"type": "audio", "id": "s", "asset": "sound", "transcript": {"en": "Three *notes*.", "ar": "ثلاث"}},
        {"type": "file", "id": "f", "asset": "sheet", "title": {"en": "A sheet", "ar": "ورقة"}},
        {"type": "quiz", "id": "q", "questions": [{"kind": "single", **question, "choices": choices}]},
    ]
    return {
        "language": "en",
        "translations": ["ar"],
        "license": "CC-BY-4.0",
        "title": both,
        "description": {"en": "D", "ar": "و"},
        "revision": version,
        "units": [{"id": "u", "title": both, "blocks": blocks}],
    }


def manifest(version: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A manifest as a build makes it, and its files by digest."""
    kinds = {**KINDS, "Pic:1": [("image", "image/webp", picture(version))]}
    files = {digest(data): data for each in kinds.values() for _, _, data in each}
    assets = {
        asset: AssetResult(
            digest(asset.encode()),
            1,
            tuple(
                Rendition(role, f"{role}-1", kind, digest(data), len(data), width=9, height=9)
                for role, kind, data in each
            ),
        )
        for asset, each in kinds.items()
    }
    source = Source("course", "draft", version, digest(b"draft"), "2026-11-20T10:00:00Z")
    made = build_manifest(
        tenant=w.TENANT, package_id=w.PACKAGE, version=version, draft=parse_draft(draft(version)), source=source,
        assets=assets, listing={}, assistant=None, toolchain="tools",
    )  # fmt: skip
    return dict(made.document), {digest(made.to_bytes()): made.to_bytes(), **files}


@dataclass
class Made:
    """One bundle as the service keeps it."""

    licence: Licence
    signature: dict[str, Any]
    blobs: dict[str, bytes]
    state: str = "ready"

    @property
    def part(self) -> str:
        return next(path for path in self.blobs if path.endswith(".part"))


def bundle(
    version: int = 1,
    *,
    owner: DeviceIdentity = w.PHONE,
    after: Made | None = None,
    without: Sequence[bytes] = (),
    made_of: dict[str, bytes] | None = None,
    **changes: Any,
) -> Made:
    """A bundle; one that comes `after` another keeps what of it is the same. `without` some files, as a plan leaves them out.
    `made_of` are the manifest and the files of another package, by digest."""
    base = Index.parse(after.blobs[after.licence.index.path]) if after else None
    files = {name: data for name, data in (made_of or manifest(version)[1]).items() if data not in without}
    manifest_digest = next(iter(files))
    bundle_id = derive_id("bnd", "enr-1", owner.id, w.PACKAGE, version, "phone")
    media = {digest(FILM): "video", digest(SOUND): "audio", digest(CAPTIONS): "text", manifest_digest: "manifest"}
    path = f"{bundle_id}/a{version}/0.part"
    kept = keep(base, [w.KEY], [(name, len(data)) for name, data in files.items()])
    entries = [(data, media.get(name, "image")) for name, data in files.items() if name not in kept.digests]
    sealer, part = w.seal(w.KEY, entries, path, number=len(kept.parts))
    index = kept.joined(sealer.file_entries(), sealer.part_entry()).to_bytes()
    index_path = f"{bundle_id}/a{version}/index.json"
    values: dict[str, Any] = {
        "bundle_id": bundle_id,
        "issue": 1,
        "tenant": w.TENANT,
        "package_id": w.PACKAGE,
        "version": version,
        "manifest": manifest_digest,
        "device": Device(owner.id, owner.encryption_thumbprint),
        "sequence": Order(1, version, version),
        "issued_at": NOW - w.DAY,
        "not_before": NOW - w.DAY,
        "not_after": NOW + 300 * w.DAY,
        "offline_grace_s": 30 * 24 * 3600,
        "min_revocations": (1, 2),
        "profile": "phone",
        "keys": {w.KEY.kid: wrap_for_device(w.KEY, owner.encryption_jwk, w.seeded("jwe"))},
        "index": IndexRef(index_path, len(index), digest(index)),
    }
    licence = Licence(**{**values, **changes})
    (signature,) = sign_documents([licence.to_bytes()], w.SIGNING, iss=w.TENANT, iat=NOW - w.DAY)
    older = {each.path: after.blobs[each.path] for each in kept.parts} if after else {}
    return Made(licence, signature, {index_path: index, **older, path: part})


@dataclass
class Shop:
    """API and edge in one. `cut_after` breaks the next answers of the edge after so many bytes of the file."""

    bundles: list[Made]
    revoked: Any = field(default_factory=w.revocations)
    cut_after: list[int] = field(default_factory=list[int])
    expired_urls: int = 0
    ignore_range: bool = False
    served: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    asked: list[str] = field(default_factory=list[str])
    generation: int = 0
    registered: list[str] = field(default_factory=list[str])
    reports: list[str] = field(default_factory=list[str])
    renewals: dict[str, Made] = field(default_factory=dict[str, Made])
    lists: list[Any] = field(default_factory=list[Any])

    def _delta(self, request: httpx.Request) -> str | None:
        """As the API: a delta from a list that it has shown before."""
        if self.revoked not in self.lists:
            self.lists.append(self.revoked)
        asked = request.url.params.get("revocations_since")
        known = next((each for each in self.lists if asked == f"{each.version[0]}.{each.version[1]}"), None)
        return RevocationDelta.between(known, self.revoked).to_bytes().decode() if known else None

    def api(self, device: DeviceIdentity = w.PHONE) -> Client:
        return Client(API, device=device, clock=lambda: NOW, transport=httpx.MockTransport(self._api))

    def edge(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._edge))

    def _api(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        assert request.headers["content-tenant"] == w.TENANT
        assert request.headers["dpop"]
        if path == f"/v1/tenants/{w.TENANT}/trust-lists":
            since = int(request.url.params.get("since", "0"))
            chain = [w.make_trust_list(w.trust_list(), w.ROOTS[:2])] if since < 1 else []
            body = self.revoked.to_bytes()
            (signature,) = sign_documents([body], w.SIGNING, iss=w.TENANT, iat=self.revoked.issued_at)
            told = {"document": body.decode(), "delta": self._delta(request), "signature": signature}
            if told["delta"] is not None:
                told["document"] = None
            return httpx.Response(200, json={"chain": chain, "revocations": told})
        if path == "/v1/tamper-reports":
            self.reports.append(json.loads(request.content)["report"])
            return httpx.Response(201, json={})
        if path == "/v1/bundles":
            assert request.url.params["state"] == "ready"
            rows = [self._row(made) for made in reversed(self.bundles) if made.state == "ready"]
            at = int(request.url.params.get("cursor", "0"))
            following = str(at + 1) if at + 1 < len(rows) else None  # a page of one
            return httpx.Response(200, json={"items": rows[at : at + 1], "next": following})
        made = next((made for made in self.bundles if path.startswith(f"/v1/bundles/{made.licence.bundle_id}")), None)
        if made is None:
            return problem(404, "not-found")
        if path.endswith("/licence/registrations"):
            self.registered.append(made.licence.bundle_id)
            return httpx.Response(201, json={})
        if path.endswith("/licence/renewals"):
            longer = self.renewals.pop(made.licence.bundle_id, None)
            if longer is not None:
                self.bundles[self.bundles.index(made)] = longer
            return httpx.Response(202, json={"renewing": longer is not None})
        return httpx.Response(200, json=self._offer(made))

    def _row(self, made: Made) -> dict[str, Any]:
        licence = made.licence
        return {"bundle_id": licence.bundle_id, "package_id": licence.package_id, "version": licence.version}

    def _offer(self, made: Made) -> dict[str, Any]:
        self.generation += 1
        places = [
            {"path": path, "size": len(data), "digest": digest(data), "url": f"{EDGE}/{path}?g={self.generation}"}
            for path, data in made.blobs.items()
        ]
        licence, signature = made.licence.to_bytes().decode(), made.signature
        more = {"issue": made.licence.issue, "index": places[0], "parts": places[1:]}
        return {**self._row(made), "licence": licence, "signature": signature, **more}

    def _edge(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.lstrip("/")
        if int(request.url.params["g"]) <= self.expired_urls:
            return problem(403, "url-expired")
        data = next(made.blobs[path] for made in self.bundles if path in made.blobs)
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(asked[1]) if asked and not self.ignore_range else 0
        rest = data[start:]
        headers = {"content-length": str(len(rest))}
        if start:
            headers["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if path.endswith(".part") and self.cut_after:
            cut = self.cut_after.pop(0)
            self.served.append((path, start, min(cut, len(rest))))
            return httpx.Response(206 if start else 200, headers=headers, stream=_Body(rest[:cut], breaks=True))
        self.served.append((path, start, len(rest)))
        return httpx.Response(206 if start else 200, headers=headers, stream=_Body(rest, breaks=False))


class _Body(httpx.SyncByteStream):
    """A body that comes in pieces, and whose connection may break at its end."""

    def __init__(self, data: bytes, *, breaks: bool) -> None:
        self._data, self._breaks = data, breaks

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._data), 64 << 10):
            yield self._data[at : at + (64 << 10)]
        if self._breaks:
            raise httpx.ReadError("broken")


def problem(status: int, code: str) -> httpx.Response:
    text = json.dumps(
        {"type": f"/problems/{code}", "title": "No.", "status": status, "code": code, "detail": "No.", "remedy": "Do."}
    )
    return httpx.Response(status, text=text, headers={"content-type": "application/problem+json"})


def phone(folder: Path, owner: DeviceIdentity = w.PHONE) -> DeviceFolder:
    """A registered device that has not been online since."""
    device = DeviceFolder.create(folder, w.TENANT)
    (folder / "keys.json").write_text(json.dumps(owner.to_secret()))
    device.save_registered(Registered(API, "learner-1", "phone", "2026-11-22T10:00:00Z"))
    return device


def later(days: float) -> datetime:
    return NOW + timedelta(days=days)
