"""The same questions to both versions, and whether the answers are the same.

Metrics see an error and a slow answer, and nothing of an answer that is quietly wrong. So both versions are asked for the same
published versions of a probe tenant, past the gateway: manifests byte for byte, with their digest, `ETag` and signature
(checked here against the tenant's trust list), and other read-only routes, where the canary has to say at least what the
stable version says: a new member of an answer is no difference, a lost or changed one is.

What changes between two questions is no difference either: the stable version is asked again. A manifest that was once wrong
was wrong, since the bytes of a version never change; any other answer has to differ twice. Nothing is written by any question.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import httpx

from cluster.release.decision import Version
from cluster.release.evidence import Compared
from cluster.telemetry.metrics import RELEASE_COMPARED
from content.canonical import digest
from content.errors import ContentError
from content.signatures import verify_document
from content.trust.chain import verify_chain

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
VARYING = frozenset(("next",))
"""Members that need not be equal: cursors are opaque."""
PASSING = (429, 503)
"""Answers that say nothing of a version: it was asked too often, or too much is going on."""


@dataclass(frozen=True)
class Question:
    """A path, and whose manifest it is, if it is one."""

    path: str
    manifest_of: str = ""


@dataclass(frozen=True)
class Answer:
    """What is compared of an answer."""

    status: int
    body: bytes
    etag: str = ""


class Silent(Exception):
    """One of the two gave no answer."""

    def __init__(self, canary: bool) -> None:
        super().__init__()
        self.canary = canary


class Shadow:
    """Both versions at their own addresses; `token` is a bearer token (content:read) of the probe tenant, read anew for each
    look. Without one nothing is compared, and only the versions are asked who they are."""

    def __init__(
        self,
        stable_url: str,
        canary_url: str,
        token: Callable[[], str] | None,
        *,
        per_look: int = 8,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._urls = stable_url.rstrip("/"), canary_url.rstrip("/")
        self._token, self._per_look, self._clock = token, per_look, clock
        self._http = httpx.Client(timeout=TIMEOUT, trust_env=False, transport=transport)
        self._turn: Iterator[tuple[str, int]] = iter(())
        self._asked: list[datetime] = []

    def close(self) -> None:
        self._http.close()

    @property
    def compares(self) -> bool:
        return self._token is not None

    def versions(self) -> tuple[Version | None, Version | None]:
        """Who stable and canary say they are; None for one that does not answer."""
        stable, canary = (self._version(url) for url in self._urls)
        return stable, canary

    def asked_since(self, begin: datetime) -> int:
        """Questions put to the canary since then: they are no traffic."""
        self._asked = [moment for moment in self._asked[-10_000:] if moment >= begin]
        return len(self._asked)

    def compare(self) -> Compared:
        """Some more published versions in their turn, and what else is compared each time."""
        if self._token is None:
            return Compared(left_out=True)
        headers = {"Authorization": f"Bearer {self._token()}"}
        same, differences = 0, list[str]()
        try:
            for question in self._questions(headers):
                told = self._differs(question, headers)
                if told is None:
                    same += 1
                elif told:
                    differences.append(told)
                RELEASE_COMPARED.add(result="same" if not told else "different")
        except Silent as silent:
            if silent.canary:
                RELEASE_COMPARED.add(result="unreached")
            return Compared(same, tuple(differences), unreached=int(silent.canary))
        return Compared(same, tuple(differences))

    # -- what is asked ------------------------------------------------------------------------------------------------

    def _questions(self, headers: Mapping[str, str]) -> Iterator[Question]:
        tenant = str(self._read("/v1/me", headers)["tenant"])
        for path in ("/v1/me", "/v1/packages", f"/v1/tenants/{tenant}/jwks", f"/v1/tenants/{tenant}/trust-lists"):
            yield Question(path)
        for package, version in self._some(headers):
            path = f"/v1/packages/{package}/versions/{version}"
            yield Question(f"{path}/manifest", manifest_of=tenant)
            yield from (Question(path), Question(f"{path}/signature"), Question(f"{path}/assets"))

    def _some(self, headers: Mapping[str, str]) -> list[tuple[str, int]]:
        """The next published versions; when all have had their turn, they are listed anew."""
        found = list(islice(self._turn, self._per_look))
        if len(found) < self._per_look:
            self._turn = iter(self._published(headers))
            found += [each for each in islice(self._turn, self._per_look - len(found)) if each not in found]
        return found

    def _published(self, headers: Mapping[str, str]) -> list[tuple[str, int]]:
        return [
            (package["package_id"], int(version["version"]))
            for package in self._items("/v1/packages", headers)
            for version in self._items(f"/v1/packages/{package['package_id']}/versions", headers)
            if version["state"] == "published"
        ]

    def _items(self, path: str, headers: Mapping[str, str], most: int = 1000) -> Iterator[Any]:
        cursor, seen = "", 0
        while cursor is not None and seen < most:
            page = self._read(path + (f"?cursor={cursor}" if cursor else ""), headers)
            yield from page["items"]
            cursor, seen = page["next"], seen + len(page["items"])

    # -- comparing ----------------------------------------------------------------------------------------------------

    def _differs(self, question: Question, headers: Mapping[str, str]) -> str | None:
        """None: the same; empty: it cannot be said; else what differs."""
        stable, canary = self._ask(0, question, headers), self._ask(1, question, headers)
        if stable.status in PASSING or canary.status in PASSING:
            return ""
        told = difference(question, stable, canary)
        if told is None and question.manifest_of and canary.status == 200:
            told = self._unverified(question, canary, headers)
        if told is None:
            return None
        if self._ask(0, question, headers) != stable:
            return ""  # it changed meanwhile
        if not question.manifest_of or canary.status != 200:
            again = self._ask(1, question, headers)
            told = "" if again.status in PASSING else difference(question, stable, again)
        return told if told is None else told and f"{question.path}: {told}"

    def _unverified(self, question: Question, manifest: Answer, headers: Mapping[str, str]) -> str | None:
        """Whether the canary's own signature vouches for the canary's manifest, by the stable version's trust list."""
        tenant, now = question.manifest_of, self._clock()
        signature = self._ask(1, Question(question.path.removesuffix("/manifest") + "/signature"), headers)
        if signature.status != 200:
            return ""
        try:
            chain = self._read(f"/v1/tenants/{tenant}/trust-lists", headers)["chain"]
            trusted = verify_chain(chain, pinned_root=None, known=None, now=now, iss=tenant)
            verify_document(
                manifest.body, json.loads(signature.body), trusted.keys, expected_type="manifest", iss=tenant, now=now
            )
        except (ContentError, ValueError) as error:
            RELEASE_COMPARED.add(result="unverified")
            return f"its signature does not hold ({getattr(error, 'code', 'not JSON')})"
        return None

    # -- asking -------------------------------------------------------------------------------------------------------

    def _version(self, url: str) -> Version | None:
        try:
            found = self._http.get(f"{url}/version").raise_for_status().json()
            return Version(str(found["release"]), int(found["manifest_shape"]))
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None

    def _ask(self, which: int, question: Question, headers: Mapping[str, str]) -> Answer:
        if which:
            self._asked.append(self._clock())
        try:
            found = self._http.get(self._urls[which] + question.path, headers=headers)
        except httpx.HTTPError as error:
            raise Silent(bool(which)) from error
        return Answer(found.status_code, found.content, found.headers.get("etag", ""))

    def _read(self, path: str, headers: Mapping[str, str]) -> Any:
        """JSON of the stable version, which is believed."""
        found = self._ask(0, Question(path), headers)
        if found.status in (401, 403):
            told = f"The probe's token is refused ({found.status})."
            raise ContentError("probe-token", told, "Give a token with the scope content:read.")
        if found.status != 200:
            raise Silent(False)
        return json.loads(found.body)


def difference(question: Question, stable: Answer, canary: Answer) -> str | None:
    """What the canary says otherwise; None if nothing."""
    if stable.status != canary.status:
        return f"{canary.status} in place of {stable.status}"
    if stable.status != 200:
        return None
    if question.manifest_of:
        if canary.body != stable.body:
            return f"another manifest ({digest(canary.body)[:19]}… in place of {digest(stable.body)[:19]}…)"
        if canary.etag != f'"{digest(canary.body)}"':
            return "its ETag is not its digest"
        return None
    try:
        return _lost(json.loads(stable.body), json.loads(canary.body), "")
    except ValueError:
        return "an answer is no JSON"


def _lost(stable: Any, canary: Any, pointer: str) -> str | None:
    """The first place where the canary does not say what the stable version says."""
    if isinstance(stable, dict) and isinstance(canary, dict):
        for name, value in stable.items():
            if name in VARYING:
                continue
            if name not in canary:
                return f"“{pointer}/{name}” is missing"
            if (told := _lost(value, canary[name], f"{pointer}/{name}")) is not None:
                return told
        return None
    if isinstance(stable, list) and isinstance(canary, list) and len(stable) == len(canary):
        pairs = enumerate(zip(stable, canary, strict=True))
        return next((told for n, (a, b) in pairs if (told := _lost(a, b, f"{pointer}/{n}")) is not None), None)
    return None if stable == canary and type(stable) is type(canary) else f"“{pointer or '/'}” is another"
