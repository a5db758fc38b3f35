"""Cases of `op` `container`: what `world.py` makes, in one file, and the files that a reader must refuse.

`put_together` writes files of any entries, honest but for what a case does to a header; each bad one breaks one rule of
docs/bundle-format.md, "Single file".
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from content.bundles.container import Container
from content.bundles.container_layout import END_BYTES, LIMITS, Entry, due_name, end_record
from content.bundles.container_open import lists_of, open_container
from content.bundles.container_write import Course, Lists, PartSource, write_container
from content.bundles.licence import Sequence as Order
from content.bundles.lists import accept_lists
from content.bundles.state import ReaderState
from content.canonical import canonical, derive_id, digest, parse_rfc3339
from content.devices.identity import DeviceIdentity
from content.jwk import b64, unb64
from tests.vectors import world as w
from tests.vectors.world import Case, World

BIRDS = World()


def bad(two_keys: Case) -> Iterator[tuple[str, str, Case]]:
    """(name, code, case). `two_keys` is a case with two parts."""
    for group in (_bad_end, _bad_entries, _bad_headers):
        yield from group()
    yield from _bad_contents(two_keys)


def state_after(world: World) -> ReaderState:
    return w.opened(world.case())[0].state


def container(case: Case, *others: Case, lists_only: bool = False) -> Case:
    """The case with all that a reader needs in one file; `others` are cases of other devices under the same index."""
    out = bytearray()
    lists = Lists(case["chain"], case["revocations"].encode(), case["revocations_signature"])
    if lists_only:
        write_container(out.extend, lists)
    else:
        licences = [(each["licence"].encode(), each["signature"]) for each in (case, *others)]
        parts = [unb64(case["parts"][part["path"]]) for part in json.loads(case["index"])["parts"]]
        sources = [PartSource(len(data), lambda data=data: [data]) for data in parts]
        write_container(out.extend, lists, Course(licences, case["index"].encode()), sources)
    return in_file(case, bytes(out))


def in_file(case: Case, file: bytes) -> Case:
    """The case of a reader who is given this file."""
    kept = {name: case[name] for name in ("now", "device", "state", "pinned_root")}
    return {"op": "container", **kept, "file": b64(file)}


def taken_apart(file: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the entries."""
    found = Container.read(lambda offset, length: file[offset : offset + length], len(file))
    return [(entry.name, file[entry.start : entry.end]) for entry in found.entries]


def put_together(
    entries: Sequence[tuple[str, bytes]],
    local: Callable[[int, bytes], bytes] = lambda _, header: header,
    central: Callable[[int, bytes], bytes] = lambda _, header: header,
    end: Callable[[bytes], bytes] = lambda end: end,
) -> bytes:
    """A file of any entries, honest but for what is done to headers (by number) and end."""
    out, headers = bytearray(), bytearray()
    for number, (name, data) in enumerate(entries):
        entry = Entry(name, zlib.crc32(data), len(data), len(out))
        out += local(number, entry.local_header()) + data
        headers += central(number, entry.central_header())
    return bytes(out + headers + end(end_record(len(entries), len(headers), len(out))))


def due_names(contents: Sequence[bytes]) -> list[tuple[str, bytes]]:
    """Each of the contents under the name that is due in its place."""
    return [(due_name(number), data) for number, data in enumerate(contents)]


def opened(case: Mapping[str, Any], file: bytes | None = None) -> tuple[ReaderState, dict[str, bytes]]:
    """Open a case's file and read all of it, as `opened` does; the state that the lists give if it holds nothing else."""
    data = unb64(case["file"]) if file is None else file
    found = Container.read(lambda offset, length: data[offset : offset + length], len(data))
    reader, state = DeviceIdentity.from_secret(case["device"]), ReaderState.parse(case["state"].encode())
    now, pinned_root = parse_rfc3339(case["now"]), case["pinned_root"]
    if case.get("lists_only"):
        lists = lists_of(found)
        assert found.lists_only
        return accept_lists(
            state, lists.chain, lists.revocations, lists.revocations_signature,
            tenant=reader.tenant, now=now, pinned_root=pinned_root,
        ).state, {}  # fmt: skip
    saved: list[ReaderState] = []
    bundle = open_container(found, device=reader, state=state, now=now, save=saved.append, pinned_root=pinned_root)
    assert len(saved) == 1
    wanted = [digest(canonical(bundle.manifest())), *bundle.manifest()["assets"]]
    plaintexts = {name: b"".join(bundle.read(name)) for name in wanted}
    list(bundle.verify())
    return bundle.state, plaintexts


def class_file(reader: DeviceIdentity = w.PHONE) -> Case:
    """Three devices under one index, as under the policy `shared`."""
    others = [
        replace(BIRDS, device=owner, licence={"bundle_id": derive_id("bnd", owner.id)}).case()
        for owner in (w.TABLET, w.CLASSMATE)
    ]
    return container(replace(BIRDS, reader=reader).case(), *others)


def _put(data: bytes, at: int, new: bytes) -> bytes:
    """The data with these bytes in that place."""
    return data[:at] + new + data[at + len(new) :]


def _files() -> tuple[Case, bytes, list[tuple[str, bytes]]]:
    """An honest case, its file, and the entries of that."""
    honest = container(BIRDS.case())
    file = unb64(honest["file"])
    return honest, file, taken_apart(file)


def _le(number: int, size: int = 8) -> bytes:
    return number.to_bytes(size, "little")


def _bad_end() -> Iterator[tuple[str, str, Case]]:
    honest, file, entries = _files()
    end, count = len(file) - END_BYTES, len(entries)
    offset = int.from_bytes(file[end + 48 : end + 56], "little")
    malformed: dict[str, bytes] = {
        "empty": b"",
        "end-alone": end_record(count, 0, 0),
        "cut-by-one-byte": file[:-1],
        "without-end": file[:end],
        "cut-in-a-part": file[: offset - 10],
        "prefix": b"\0" + file,
        "trailing-byte": file + b"\0",
        "trailing-comment": _put(file, len(file) - 2, _le(4, 2)) + b"more",
        "end-without-zip64": file[:end] + file[-22:],
        "bytes-before-end": file[:end] + b"\0" + file[end:],
        "end-twice": file + file[end:],
        "entries-differ": _put(file, end + 24, _le(count - 1)),
        "two-entries": put_together(entries[:2]),
        "more-entries-than-allowed": put_together(due_names([data for _, data in entries[:5]] + [b""] * 1001)),
        "count-beyond-headers": file[:end] + end_record(count + 1, end - offset, offset),
        "count-below-headers": file[:end] + end_record(count - 1, end - offset, offset),
        "count-enormous": file[:end] + end_record(2**64 - 1, end - offset, offset),
        "central-size-lies": file[:end] + end_record(count, end - offset - 1, offset),
        "central-size-wraps": _put(file, end + 40, _le(2**64 - 1) + _le(end + 1)),
        "old-count-filled-in": _put(file, len(file) - 14, _le(count, 2)),
        "another-disk": _put(file, len(file) - 18, _le(1, 2)),
        "locator-lies": _put(file, end + 56 + 8, _le(end - 1)),
    }
    for name, data in malformed.items():
        yield f"container-{name}", "container-malformed", {**honest, "file": b64(data)}


def _bad_entries() -> Iterator[tuple[str, str, Case]]:
    honest, _, entries = _files()
    part = entries[-1][1]

    def named(number: int, name: str) -> list[tuple[str, bytes]]:
        return [*entries[:number], (name, entries[number][1]), *entries[number + 1 :]]

    changed: dict[str, list[tuple[str, bytes]]] = {
        "name-twice": [*entries, entries[-1]],
        "name-twice-in-front": [entries[0], *entries],
        "name-outside": named(5, "../x"),
        "name-absolute": named(5, "/etc/passwd"),
        "name-backslash": named(5, "parts\\0.part"),
        "name-upper-case": named(0, "meta-inf/trust.json"),
        "name-with-zero": named(5, "parts/00.part"),
        "name-empty": named(3, ""),
        "name-long": named(2, "x" * 3_000),
        "entry-besides": [*entries, ("readme.txt", b"")],
        "entry-missing": [*entries[:2], *entries[3:]],
        "entries-out-of-order": [entries[1], entries[0], *entries[2:]],
        "part-missing-between": [*entries, ("parts/2.part", part)],
        "without-index": entries[:4],
    }
    for name, listed in changed.items():
        yield f"container-{name}", "container-entry", {**honest, "file": b64(put_together(listed))}


def _bad_headers() -> Iterator[tuple[str, str, Case]]:
    honest, _, entries = _files()
    sizes = [len(data) for _, data in entries]

    def made(number: int, *, local: Any = None, central: Any = None, listed: Any = None) -> Case:
        def only(change: Any) -> Any:
            return lambda n, header: change(header) if change and n == number else header

        return {**honest, "file": b64(put_together(listed or entries, only(local), only(central)))}

    def zip64(size: int, other: int | None = None) -> Any:
        """Both sizes of a central header."""
        return lambda header: header[:-24] + _le(size) + _le(size if other is None else other) + header[-8:]

    def offset(by: int) -> Any:
        return lambda header: header[:-8] + _le(int.from_bytes(header[-8:], "little") + by)

    h, g, z = "container-header", "container-gap", "container-size"
    yield "container-local-name-differs", h, made(5, local=lambda x: _put(x, 30, b"parts/1"))
    yield "container-local-size-differs", h, made(5, local=lambda x: x[:-8] + _le(sizes[5] + 1))
    yield "container-local-crc-differs", h, made(5, local=lambda x: _put(x, 14, _le(7, 4)))
    yield "container-local-extra-differs", h, made(5, local=lambda x: _put(x, 42, _le(2, 2)))
    yield (
        "container-compressed",
        h,
        made(1, local=lambda x: _put(x, 8, _le(8, 2)), central=lambda x: _put(x, 10, _le(8, 2))),
    )
    yield (
        "container-encrypted",
        h,
        made(1, local=lambda x: _put(x, 6, _le(1, 2)), central=lambda x: _put(x, 8, _le(1, 2))),
    )
    yield "container-sizes-after-contents", h, made(5, central=lambda x: _put(x, 8, _le(8, 2)))
    yield (
        "container-dated",
        h,
        made(0, local=lambda x: _put(x, 12, _le(34, 2)), central=lambda x: _put(x, 14, _le(34, 2))),
    )
    yield "container-made-by-another-version", h, made(0, central=lambda x: _put(x, 4, _le(63, 2)))
    yield "container-symbolic-link", h, made(5, central=lambda x: _put(x, 38, _le(0o120777 << 16, 4)))
    yield "container-header-comment", h, made(0, central=lambda x: _put(x, 32, _le(1, 2)))
    yield "container-size-without-zip64", h, made(5, central=lambda x: _put(x, 20, _le(sizes[5], 4)))
    yield "container-sizes-differ", h, made(5, central=zip64(sizes[5], sizes[5] + 1))
    yield "container-central-signature", h, made(2, central=lambda x: _put(x, 0, b"PK\1\3"))
    yield "container-size-too-small", g, made(5, central=zip64(sizes[5] - 1))
    yield "container-size-too-large", g, made(5, central=zip64(sizes[5] + 1))
    yield "container-size-enormous", g, made(5, central=zip64(2**64 - 1))
    yield "container-size-wraps", g, made(5, central=zip64(2**64 - 8))
    yield "container-overlapping", g, made(1, central=offset(-5))
    yield "container-offset-repeated", g, made(2, central=lambda x: x[:-8] + _le(0))
    yield "container-offset-enormous", g, made(4, central=lambda x: x[:-8] + _le(2**64 - 1))
    yield "container-gap-before-an-entry", g, made(3, local=lambda x: b"\0" + x, central=offset(1))
    yield "container-first-entry-late", g, made(0, local=lambda x: b"\0" + x, central=offset(1))
    yield (
        "container-gap-before-central",
        g,
        made(5, listed=[*entries[:5], (entries[5][0], entries[5][1] + b"\0")], central=zip64(sizes[5])),
    )
    for number, limit in enumerate(LIMITS.values()):
        name = ("trust", "revocations", "revocations-signature", "licences", "index")[number]
        yield f"container-{name}-too-large", z, made(number, central=zip64(limit + 1))


def _bad_contents(two_keys: Case) -> Iterator[tuple[str, str, Case]]:
    honest, _, entries = _files()

    def made(number: int, data: bytes, **more: Any) -> Case:
        listed = [*entries[:number], (entries[number][0], data), *entries[number + 1 :]]
        return {**honest, "file": b64(put_together(listed)), **more}

    chain, signature, licences = (json.loads(entries[number][1]) for number in (0, 2, 3))
    tablet = json.loads(taken_apart(unb64(class_file()["file"]))[3][1])
    d = "container-document"
    yield "container-trust-empty", d, made(0, b"")
    yield "container-trust-not-canonical", d, made(0, json.dumps(chain).encode())
    yield "container-trust-member-twice", d, made(0, b'[{"payload":"","payload":""}]')
    yield "container-trust-nan", d, made(0, b"[NaN]")
    yield "container-trust-other-encoding", d, made(0, canonical(chain).decode().encode("utf-16"))
    yield "container-signature-not-canonical", d, made(2, json.dumps(signature).encode())
    yield "container-signature-cut", d, made(2, entries[2][1][:-1])
    yield "container-licences-not-canonical", d, made(3, json.dumps(licences).encode())
    yield "container-licences-none", d, made(3, b"[]")
    yield "container-licences-an-object", d, made(3, b"{}")
    yield "container-licences-unknown-member", d, made(3, canonical([{**licences[0], "more": 1}]))
    yield "container-licences-member-missing", d, made(3, canonical([{"licence": licences[0]["licence"]}]))
    yield (
        "container-licence-an-object",
        d,
        made(3, canonical([{**licences[0], "licence": json.loads(licences[0]["licence"])}])),
    )
    yield "container-licence-no-json", d, made(3, canonical([{**licences[0], "licence": "birds"}]))
    yield (
        "container-licence-not-canonical",
        d,
        made(3, canonical([{**licences[0], "licence": licences[0]["licence"] + " "}])),
    )
    yield "container-licences-out-of-order", d, made(3, canonical(tablet[::-1]))
    yield "container-licences-device-twice", d, made(3, canonical([tablet[0], *tablet]))
    other = json.loads(tablet[1]["licence"])
    other["index"]["size"] += 1
    mixed = [tablet[0], {**tablet[1], "licence": canonical(other).decode()}, tablet[2]]
    yield "container-licences-of-two-indexes", d, made(3, canonical(mixed))
    yield "container-other-device", "container-device", {**honest, "device": w.TABLET.to_secret()}
    lists = container(BIRDS.case(), lists_only=True)
    yield "container-only-lists", "container-device", {**honest, "file": lists["file"]}
    part = entries[5][1]
    yield "container-part-too-long", "container-parts", made(5, part + b"\0")
    yield "container-part-too-short", "container-parts", made(5, part[:-1])
    yield (
        "container-part-too-many",
        "container-parts",
        {**honest, "file": b64(put_together([*entries, ("parts/1.part", part)]))},
    )
    yield "container-no-part", "container-parts", {**honest, "file": b64(put_together(entries[:5]))}
    two = taken_apart(unb64(container(two_keys)["file"]))
    swapped = [*two[:5], (two[5][0], two[6][1]), (two[6][0], two[5][1])]
    yield "container-parts-swapped", "container-parts", {**honest, "file": b64(put_together(swapped))}
    flipped = part[:-1] + bytes([part[-1] ^ 1])
    yield "container-part-flipped", "segment-digest", made(5, flipped)
    index = entries[4][1]
    yield "container-index-flipped", "index-digest", made(4, index[:-3] + bytes([index[-3] ^ 1]) + index[-2:])
    yield "container-index-cut", "index-digest", made(4, index[:-1])
    yield "container-trust-an-object", "trust-chain-malformed", made(0, b"{}")
    yield "container-signature-a-list", "signature-malformed", made(2, b"[]")
    yield "container-revocations-not-canonical", "signature-proof", made(1, entries[1][1] + b"\n")
    lower = canonical([{**licences[0], "licence": licences[0]["licence"].replace('"issue":1', '"issue":2')}])
    yield "container-licence-changed", "signature-proof", made(3, lower)
    later = replace(BIRDS, state=state_after(replace(BIRDS, revoked=w.revocations(version=(1, 9)))))
    yield "container-lists-older", "revocations-rollback", container(later.case())
    revoked = replace(BIRDS, revoked=w.revocations(bundles=(w.BUNDLE,)))
    yield "container-bundle-revoked", "bundle-revoked", container(revoked.case())
    yield "container-version-older", "licence-rollback", container(
        replace(BIRDS, state=state_after(replace(BIRDS, licence={"sequence": Order(1, 3, 8)}))).case()
    )  # fmt: skip
    yield "container-roots-not-pinned", "trust-root-not-pinned", {**honest, "pinned_root": w.ROOTS[2].kid}
