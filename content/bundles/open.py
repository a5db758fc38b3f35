"""The reader: from bytes that anybody may have touched to plaintext that is the original, or an error with a name.

The checks run in the one order of docs/bundle-format.md, "Order of the checks"; nothing of the index is read before its
digest is known to be signed, and no segment is decrypted before its hash is. Pure: bytes, a state, a clock and a
`read_range` in; a new state out. Everything that a device does with a bundle goes through `OpenBundle`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from content.bundles.dates import day, days
from content.bundles.errors import BundleRefused
from content.bundles.index import Index, IndexFile
from content.bundles.keys import ContentKey, associated_data, file_id, unwrap
from content.bundles.licence import MAX_BYTES, TYPE, Licence
from content.bundles.lists import AcceptedLists, accept_lists
from content.bundles.state import ReaderState, Seen
from content.bundles.stream import FileOpener
from content.canonical import DIGEST_PREFIX, digest
from content.devices.identity import DeviceIdentity
from content.documents import DocumentRefused, parse_document
from content.signatures import VerifiedDocument, verify_signature
from content.trust.keys import TrustRefused
from content.trust.revocations import RevocationList

MAX_MANIFEST_BYTES: Final = 64 << 20
AHEAD: Final = 4
"""Segments that wait in memory, opened, behind the one that is due."""
STRETCH: Final = 4
"""Segments that are verified in one go: nobody waits for what is in them."""
ReadRange = Callable[[str, int, int], bytes | memoryview]
"""(path, offset, length) to these bytes. A reader with a pool calls it from several threads at once."""
T = TypeVar("T")
ASK: Final = "Ask the school. Nothing that was learnt is lost."


@dataclass(frozen=True)
class OpenBundle:
    """A bundle whose licence, lists and index have passed every check; `state` is what the reader has to keep now."""

    licence: Licence
    index: Index
    state: ReaderState
    _keys: tuple[ContentKey, ...] = field(repr=False)
    _files: Mapping[tuple[str, str], IndexFile] = field(repr=False)
    _read_range: ReadRange = field(repr=False)
    _pool: Executor | None = field(default=None, repr=False)

    def find(self, plaintext_digest: str) -> IndexFile | None:
        """The index entry of an asset of the manifest, or None if this bundle does not carry it (another profile)."""
        for key in self._keys:
            file = self._files.get((key.kid, file_id(key, plaintext_digest)))
            if file is not None:
                return file
        return None

    def read(self, plaintext_digest: str) -> Iterator[bytes]:
        """The plaintext, a segment at a time. Each is authentic when it comes; the whole is when the iterator ends.

        Raises BundleRefused `file-missing`, `segment-…`, `stream-header`, `plaintext-digest`.
        """
        file = self.find(plaintext_digest)
        if file is None:
            raise BundleRefused("file-missing", f"The bundle holds no file {plaintext_digest}.")
        hasher = hashlib.sha256()
        for block in self._blocks(file):
            hasher.update(block)
            yield block
        if DIGEST_PREFIX + hasher.hexdigest() != plaintext_digest:
            raise BundleRefused("plaintext-digest", "A file is not what the manifest names.", "Report this bundle.")

    def _blocks(self, file: IndexFile) -> Iterator[bytes]:
        segment, count = self._segments(file)
        yield segment(0)  # it holds the salt, which the others need
        yield from self._in_turn(partial(segment, i) for i in range(1, count))

    def _segments(self, file: IndexFile) -> tuple[Callable[[int], bytes], int]:
        """How to read and open one segment of a file, and how many it has."""
        key = next(key for key in self._keys if key.kid == file.kid)
        opener = FileOpener(key.key, associated_data(key.kid, file.id), size=file.size, segments=file.segments)
        path = self.index.parts[file.part].path

        def segment(i: int) -> bytes:
            offset, length = opener.segment_range(i)
            return opener.open(i, self._read_range(path, file.offset + offset, length))

        return segment, opener.count

    def _in_turn(self, calls: Iterable[Callable[[], T]]) -> Iterator[T]:
        """What the calls return, in their order. Reading, hashing and decrypting release the GIL: with a pool a few go side
        by side."""
        if self._pool is None:
            yield from (call() for call in calls)
            return
        ahead: deque[Future[T]] = deque()
        try:
            for call in calls:
                ahead.append(self._pool.submit(call))
                if len(ahead) > AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
            wait(ahead)  # what it reads from may be closed next

    def manifest(self) -> dict[str, Any]:
        """The course manifest. Raises as `read`, and DocumentRefused `manifest-…` or `document-…`."""
        members = parse_document(b"".join(self.read(self.licence.manifest)), "manifest", MAX_MANIFEST_BYTES)
        if members.get("type") != "manifest":
            raise DocumentRefused("document-type", "The file in the manifest's place is not a manifest.")
        return members

    def verify(self) -> Iterator[IndexFile]:
        """Open every segment of every file, yielding each file when it has passed. Raises as `read`."""
        for file in self.index.files:
            segment, count = self._segments(file)
            segment(0)
            stretches = (range(begin, min(begin + STRETCH, count)) for begin in range(1, count, STRETCH))
            for _ in self._in_turn(partial(_each, segment, stretch) for stretch in stretches):
                pass
            yield file


def _each(segment: Callable[[int], bytes], stretch: range) -> None:
    for i in stretch:
        segment(i)


def open_bundle(
    *,
    licence: bytes,
    signature: Mapping[str, Any],
    index: bytes,
    chain: Sequence[Mapping[str, Any]],
    revocations: bytes,
    revocations_signature: Mapping[str, Any],
    device: DeviceIdentity,
    state: ReaderState,
    now: datetime,
    read_range: ReadRange,
    pinned_root: str | None = None,
    pool: Executor | None = None,
) -> OpenBundle:
    """Open a bundle for a device. `read_range(path, offset, length)` reads a part, named by its path in the index; with a
    `pool` of threads, segments are opened side by side.

    Raises ContentError subclasses only, each with the code of the check that failed.
    """
    lists = accept_lists(
        state, chain, revocations, revocations_signature, tenant=device.tenant, now=now, pinned_root=pinned_root
    )
    # A licence accepted before keeps opening for its grace time when its kid is revoked: step 10 decides.
    accepted_before = digest(licence) in {seen.licence for seen in state.packages.values()}
    signed = verify_signature(
        licence,
        signature,
        lists.trust.keys,
        expected_type=TYPE,
        iss=device.tenant,
        limit=MAX_BYTES,
        allow_revoked=accepted_before,
    )
    found = Licence.parse(licence)
    floor = max(lists.state.clock_floor, signed.signed_at, found.issued_at)
    clock = max(now, floor)
    _require_device(found, device)
    _require_time(found, lists, clock)
    _require_sequence(found, digest(licence), state)
    _require_not_revoked(found, signed, lists, clock, accepted_before=accepted_before)
    keys = tuple(unwrap(jwe, device.encryption, kid=kid) for kid, jwe in found.keys.items())
    opened_index = _open_index(found, index)
    seen = Seen(found.sequence, found.bundle_id, found.issue, digest(licence))
    new_state = replace(lists.state, packages={**lists.state.packages, found.package_id: seen}, clock_floor=floor)
    files = {(file.kid, file.id): file for file in opened_index.files}
    bundle = OpenBundle(found, opened_index, new_state, keys, files, read_range, pool)
    manifest = bundle.find(found.manifest)
    if manifest is None or manifest.media != "manifest" or manifest.size > MAX_MANIFEST_BYTES:
        raise BundleRefused("manifest-missing", "The bundle does not hold the manifest that its licence names.")
    return bundle


def _require_device(licence: Licence, device: DeviceIdentity) -> None:
    if licence.tenant != device.tenant:
        raise BundleRefused("licence-tenant", "The licence is another tenant's.")
    if licence.device.id != device.id:
        raise BundleRefused("licence-device", "The licence is for another device.", "Ask for a bundle of this device.")
    if licence.device.encryption != device.encryption_thumbprint:
        raise BundleRefused("licence-device-key", "The licence is for another encryption key of this device.")


def _require_time(licence: Licence, lists: AcceptedLists, clock: datetime) -> None:
    if clock < licence.not_before:
        raise BundleRefused(
            "licence-not-yet-valid",
            f"This course begins on {day(licence.not_before)}, in {days(licence.not_before - clock)}.",
            "Wait until then; if the date is wrong, set the clock and go online once.",
        )
    if clock > licence.not_after:
        raise BundleRefused(
            "licence-expired",
            f"This course could be opened until {day(licence.not_after)}; that was {days(clock - licence.not_after)} ago.",
            "Go online once to renew it. Nothing that was learnt is lost.",
        )
    lists.trust.require_fresh(clock, licence.offline_grace_s)


def _require_sequence(licence: Licence, licence_digest: str, state: ReaderState) -> None:
    seen = state.packages.get(licence.package_id)
    if seen is None:
        return
    if (licence.sequence, licence.issue) < (seen.sequence, seen.issue):
        raise BundleRefused("licence-rollback", "This device has opened a newer bundle of this package.")
    if licence.sequence == seen.sequence and (
        licence.bundle_id != seen.bundle_id or (licence.issue == seen.issue and licence_digest != seen.licence)
    ):
        raise BundleRefused("licence-fork", "Two different licences have the same sequence and issue.", "Report this.")


def require_not_taken_back(licence: Licence, revoked: RevocationList) -> None:
    """Raises BundleRefused `bundle-revoked`, `device-revoked`, `package-revoked` or `version-revoked`."""
    if licence.bundle_id in revoked.bundles:
        raise BundleRefused("bundle-revoked", "This course was taken back from this device.", ASK)
    if licence.device.id in revoked.devices:
        raise BundleRefused("device-revoked", "This device was taken out of use.", ASK)
    if licence.package_id in revoked.packages:
        raise BundleRefused("package-revoked", "This course was taken back by the school.", ASK)
    if f"{licence.package_id}/{licence.version}" in revoked.versions:
        raise BundleRefused(
            "version-revoked", "This edition of the course was taken back.", "Go online for a newer one."
        )


def _require_not_revoked(
    licence: Licence, signed: VerifiedDocument, lists: AcceptedLists, clock: datetime, *, accepted_before: bool
) -> None:
    revoked = lists.revocations
    if revoked.version < licence.min_revocations:
        raise TrustRefused("revocations-too-old", "The licence asks for a later revocation list.", "Fetch the lists.")
    revoked.require_fresh(clock, licence.offline_grace_s)
    require_not_taken_back(licence, revoked)
    if lists.keys.is_revoked(signed.kid):
        since = lists.state.revoked_since.get(signed.kid, clock)
        if not accepted_before or clock - timedelta(seconds=licence.offline_grace_s) > since:
            raise TrustRefused(
                "kid-revoked",
                f"The key that vouched for this course is revoked, and the {licence.offline_grace_s // 86_400} days of grace are over.",
                "Go online once, or fetch a new licence by memory stick.",
            )


def _open_index(licence: Licence, data: bytes) -> Index:
    if len(data) != licence.index.size or digest(data) != licence.index.digest:
        raise BundleRefused("index-digest", "The index is not the one that the licence names.", "Download it again.")
    index = Index.parse(data)
    if not index.kids <= set(licence.keys):
        raise BundleRefused("index-key-missing", "The index needs a content key that the licence does not hold.")
    return index
