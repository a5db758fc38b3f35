"""A small tenant with roots, signing keys, devices and one course, the same on every run: what vectors are made from.

`World.case()` gives the arguments of `open_bundle` as plain values; each bad vector is one change to that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from content.bundles.index import Index
from content.bundles.keys import ContentKey, content_key_id, wrap_for_device
from content.bundles.licence import Device, IndexRef, Licence
from content.bundles.licence import Sequence as Order
from content.bundles.open import OpenBundle, open_bundle
from content.bundles.part import PartSealer
from content.bundles.state import ReaderState
from content.canonical import canonical, derive_id, digest, parse_rfc3339, rfc3339
from content.devices.identity import DeviceIdentity
from content.jose import LocalSigner
from content.jwk import b64, generate_key, public_jwk, unb64
from content.signatures import sign_documents
from content.trust.keys import KeyStatus, TrustedKey
from content.trust.lists import TrustList, make_trust_list
from content.trust.revocations import RevocationList

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TENANT = "hill-school"
Case = dict[str, Any]


def seeded(seed: str) -> Callable[[int], bytes]:
    """Random bytes that are the same each time: SHA-256 of seed and counter."""
    counter = 0

    def rng(count: int) -> bytes:
        nonlocal counter
        out = b""
        while len(out) < count:
            out += hashlib.sha256(f"{seed}/{counter}".encode()).digest()
            counter += 1
        return out[:count]

    return rng


def signer(name: str) -> LocalSigner:
    return LocalSigner(generate_key(seeded(f"key {name}")), deterministic=True)


def device(name: str, tenant: str = TENANT) -> DeviceIdentity:
    return DeviceIdentity.generate(tenant, seeded(f"device {name}"))


def pattern(size: int) -> bytes:
    """The plaintext of stream vectors: byte i is i mod 251."""
    whole = bytes(range(251))
    return (whole * (size // 251 + 1))[:size]


ROOTS = [signer("root 1"), signer("root 2"), signer("root 3")]
SIGNING, NEXT_SIGNING, OLD_SIGNING = signer("signing"), signer("next signing"), signer("old signing")
PHONE, TABLET = device("phone"), device("tablet")
CLASSMATE = device("classmate")
PACKAGE = derive_id("pkg", TENANT, "course-birds")
BUNDLE = derive_id("bnd", "enr-1", PHONE.id, PACKAGE, 3, "phone")
KEY = ContentKey(content_key_id(TENANT, PACKAGE, PHONE.id, 1), seeded("content key 1")(32))
OLD_KEY = ContentKey(content_key_id(TENANT, PACKAGE, PHONE.id, 0), seeded("content key 0")(32))

PICTURE = pattern(400)
CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:02.000\nA blackbird — الشحرور\n".encode()
EMPTY = b""
MANIFEST = canonical(
    {
        "type": "manifest",
        "shape": 1,
        "metadata": {"title": {"en": "Birds", "ar": "الطيور"}},
        "assets": [digest(PICTURE), digest(CAPTIONS), digest(EMPTY)],
    }
)
FILES: list[tuple[bytes, str]] = [(MANIFEST, "manifest"), (PICTURE, "image"), (CAPTIONS, "text"), (EMPTY, "other")]


def key_of(owner: LocalSigner, status: KeyStatus = KeyStatus.ACTIVE, start: int = -100, end: int = 300) -> TrustedKey:
    return TrustedKey.of(owner.key.public_key(), NOW + start * DAY, NOW + end * DAY, status)


def trust_list(version: int = 1, **changes: Any) -> TrustList:
    base = TrustList(
        TENANT,
        version,
        NOW - 90 * DAY + version * DAY,
        NOW + 300 * DAY,
        2,
        tuple(public_jwk(root.key) for root in ROOTS),
        (key_of(SIGNING), key_of(OLD_SIGNING, KeyStatus.RETIRED, -100, -50)),
    )
    return replace(base, **changes)


def revocations(**changes: Any) -> RevocationList:
    return replace(RevocationList(TENANT, (1, 4), NOW - 2 * DAY, NOW + 28 * DAY), **changes)


def seal(
    key: ContentKey, files: Sequence[tuple[bytes, str]], path: str, *, number: int = 0
) -> tuple[PartSealer, bytes]:
    """A finished sealer and the bytes of its part."""
    sealer, out = PartSealer(key, path, number=number), bytearray()
    for data, media in files:
        file, position = sealer.begin(digest(data), len(data), media), 0
        for size in file.block_sizes():
            out += file.seal(data[position : position + size])
            position += size
        sealer.finish_file()
    return sealer, bytes(out)


LISTS = ((trust_list(), (ROOTS[0], ROOTS[1])),)
REVOCATIONS = revocations()
NEW = ReaderState()


@dataclass(frozen=True)
class World:
    """How a case is made; a bad one replaces a field. `licence` and `index` are changes to the honest value."""

    lists: tuple[tuple[TrustList, tuple[LocalSigner, ...]], ...] = LISTS
    revoked: RevocationList = REVOCATIONS
    revocations_signer: LocalSigner = SIGNING
    signer: LocalSigner = SIGNING
    iss: str = TENANT
    signed_at: datetime = NOW - DAY
    device: DeviceIdentity = PHONE
    reader: DeviceIdentity = PHONE
    content_key: ContentKey = KEY
    files: tuple[tuple[bytes, str], ...] = tuple(FILES)
    licence: Mapping[str, Any] | None = None
    edit_licence: Callable[[dict[str, Any]], None] | None = None
    edit_index: Callable[[dict[str, Any]], None] | None = None
    edit_part: Callable[[bytes], bytes] | None = None
    edit_jwe: Callable[[str], str] | None = None
    batch: int = 5
    state: ReaderState = NEW
    now: datetime = NOW
    pinned_root: str | None = None

    def index(self) -> tuple[bytes, dict[str, bytes]]:
        path = f"{BUNDLE}/a1/0.part"
        sealer, part = seal(self.content_key, self.files, path)
        index = Index(sealer.file_entries(), (sealer.part_entry(),)).to_bytes()
        if self.edit_index:
            members = json.loads(index)
            self.edit_index(members)
            index = canonical(members)
        return index, {path: self.edit_part(part) if self.edit_part else part}

    def make_licence(self, index: bytes) -> Licence:
        jwe = wrap_for_device(self.content_key, self.device.encryption_jwk, seeded("jwe"))
        base = Licence(
            bundle_id=BUNDLE,
            issue=1,
            tenant=TENANT,
            package_id=PACKAGE,
            version=3,
            manifest=digest(MANIFEST),
            device=Device(self.device.id, self.device.encryption_thumbprint),
            sequence=Order(1, 3, 7),
            issued_at=NOW - DAY,
            not_before=NOW - DAY,
            not_after=NOW + 364 * DAY,
            offline_grace_s=30 * 24 * 3600,
            min_revocations=(1, 2),
            profile="phone",
            keys={self.content_key.kid: self.edit_jwe(jwe) if self.edit_jwe else jwe},
            index=IndexRef(f"{BUNDLE}/a1/index.json", len(index), digest(index)),
        )
        return replace(base, **(self.licence or {}))

    def case(self) -> Case:
        """The arguments of `open_bundle`, all of them JSON values."""
        index, parts = self.index()
        licence = self.make_licence(index).to_bytes()
        if self.edit_licence:
            members = json.loads(licence)
            self.edit_licence(members)
            licence = canonical(members)
        others = [canonical({"type": "licence", "n": n}) for n in range(self.batch - 1)]
        # not first and not last, so that the proof has both hands
        documents = [*others[:2], licence, *others[2:]]
        place = documents.index(licence)
        revoked = self.revoked.to_bytes()
        return {
            "op": "open",
            "now": rfc3339(self.now),
            "device": self.reader.to_secret(),
            "state": self.state.to_bytes().decode(),
            "pinned_root": self.pinned_root,
            "chain": [make_trust_list(payload, signers) for payload, signers in self.lists],
            "revocations": revoked.decode(),
            "revocations_signature": sign_documents(
                [revoked], self.revocations_signer, iss=self.iss, iat=self.revoked.issued_at
            )[0],
            "licence": licence.decode(),
            "signature": sign_documents(documents, self.signer, iss=self.iss, iat=self.signed_at)[place],
            "index": index.decode(),
            "parts": {path: b64(data) for path, data in parts.items()},
        }


def arguments(case: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `open_bundle` that a case stands for."""
    parts = {path: unb64(data) for path, data in case["parts"].items()}
    return {
        "licence": unb64(case["licence_b64"]) if "licence_b64" in case else case["licence"].encode(),
        "signature": case["signature"],
        "index": case["index"].encode(),
        "chain": case["chain"],
        "revocations": case["revocations"].encode(),
        "revocations_signature": case["revocations_signature"],
        "device": DeviceIdentity.from_secret(case["device"]),
        "state": ReaderState.parse(case["state"].encode()),
        "now": parse_rfc3339(case["now"]),
        "read_range": lambda path, offset, length: parts.get(path, b"")[offset : offset + length],
        "pinned_root": case["pinned_root"],
    }


def opened(case: Mapping[str, Any]) -> tuple[OpenBundle, dict[str, bytes]]:
    """Open a case and read all that its manifest names (plaintexts by digest) and all that its index holds."""
    bundle = open_bundle(**arguments(case))
    wanted = [digest(canonical(bundle.manifest())), *bundle.manifest()["assets"]]
    plaintexts = {name: b"".join(bundle.read(name)) for name in wanted}
    list(bundle.verify())
    return bundle, plaintexts
