"""A tamper report: a device tells the service that it found something changed (docs/bundle-format.md, "Tamper report").

Signed by the device's own key over the findings themselves, so that a report can be kept as evidence; the proof of the
request it comes with (DPoP) covers method and URL alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from content.bundles.index import PATH
from content.bundles.licence import BUNDLE_ID
from content.canonical import canonical, rfc3339
from content.devices.identity import DeviceIdentity, DeviceRefused
from content.documents import DIGEST, TENANT, Fields, parse_json
from content.jose import LocalSigner, require_header, require_signature, sign_compact, split_compact
from content.jwk import parse_jwk, thumbprint

TYP: Final = "content-tamper-report+jws"
TYPE: Final = "tamper-report"
MAX_CHARS: Final = 8192
MAX_PAYLOAD: Final = 4096
MAX_EVIDENCE: Final = 8
CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")


@dataclass(frozen=True)
class Evidence:
    """A range of a blob, in bytes, and the digest of what was found there."""

    path: str
    offset: int
    length: int
    found: str


@dataclass(frozen=True)
class TamperReport:
    """What was found wrong with a bundle: the reader's code, when, and up to 8 ranges that show it."""

    tenant: str
    bundle_id: str
    issue: int
    code: str
    observed_at: datetime
    evidence: tuple[Evidence, ...] = ()

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "type": TYPE,
                "shape": 1,
                "tenant": self.tenant,
                "bundle_id": self.bundle_id,
                "issue": self.issue,
                "code": self.code,
                "observed_at": rfc3339(self.observed_at),
                "evidence": [vars(each) for each in self.evidence],
            }
        )


def sign_report(device: DeviceIdentity, report: TamperReport, *, deterministic: bool = False) -> str:
    """The device's side: a compact JWS."""
    header = {"alg": "ES256", "jwk": device.signing_jwk, "typ": TYP}
    return sign_compact(header, report.to_bytes(), LocalSigner(device.signing, deterministic))


def verify_report(jws: object, *, tenant: str, device_id: str) -> TamperReport:
    """The server's side.

    Raises JoseRefused (`jws-…`), JwkRefused, DocumentRefused (`tamper-report-malformed`, `document-…`) or DeviceRefused
    (`tamper-report-device`, `tamper-report-tenant`).
    """
    parts = split_compact(jws, MAX_CHARS)
    signing: Any = parts.header.get("jwk")
    require_header(parts, {"alg": "ES256", "jwk": signing, "typ": TYP})
    key = parse_jwk(signing)
    require_signature(parts, key)
    if thumbprint(signing) != device_id:
        raise DeviceRefused("tamper-report-device", "The report is signed by another device.")
    fields = Fields(parse_json(parts.payload, TYPE, MAX_PAYLOAD), TYPE)
    fields.expect(TYPE)
    found = TamperReport(
        fields.text("tenant", TENANT),
        fields.text("bundle_id", BUNDLE_ID),
        fields.integer("issue", 1),
        fields.text("code", CODE),
        fields.time("observed_at"),
        tuple(_evidence(each) for each in fields.items("evidence", MAX_EVIDENCE)),
    )
    fields.done()
    if found.tenant != tenant:
        raise DeviceRefused("tamper-report-tenant", "The report is for another tenant.")
    return found


def _evidence(member: object) -> Evidence:
    fields = Fields(member, TYPE)
    found = Evidence(
        fields.text("path", PATH), fields.integer("offset"), fields.integer("length"), fields.text("found", DIGEST)
    )
    fields.done()
    return found
