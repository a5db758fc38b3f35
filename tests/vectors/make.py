"""Writes tests/vectors/{good,bad}/*.json, the same bytes each time: `python tests/vectors/make.py`.

Nothing is random: keys, salts, ephemeral keys and nonces come from seeded bytes, signatures from RFC 6979. A bad vector
is an honest case with one change, and the code of the check that must refuse it; it names the good vector that is its
`base` and holds only the members in which it differs.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if str(HERE.parents[1]) not in sys.path:
    sys.path.insert(0, str(HERE.parents[1]))

from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402

from content.bundles.index import Index, part_digest  # noqa: E402
from content.bundles.keys import ContentKey, associated_data, file_id, wrap_for_device  # noqa: E402
from content.bundles.licence import Device  # noqa: E402
from content.bundles.licence import Sequence as Order  # noqa: E402
from content.bundles.state import ReaderState  # noqa: E402
from content.bundles.stream import FileSealer, _cipher, _nonce  # noqa: E402
from content.canonical import canonical, digest, parse_rfc3339, rfc3339  # noqa: E402
from content.devices.proof import make_proof  # noqa: E402
from content.devices.registration import CHALLENGE_TYP, make_challenge, make_registration  # noqa: E402
from content.devices.tamper import Evidence, TamperReport, sign_report  # noqa: E402
from content.jose import encrypt, sign_compact  # noqa: E402
from content.jwk import b64, private_jwk, public_jwk, thumbprint, unb64  # noqa: E402
from content.merkle import leaf_hash, node_hash  # noqa: E402
from content.signatures import sign_documents  # noqa: E402
from content.trust.keys import KeyStatus  # noqa: E402
from content.trust.revocation_delta import RevocationDelta  # noqa: E402
from tests.vectors import single_file  # noqa: E402
from tests.vectors import world as w  # noqa: E402
from tests.vectors.world import DAY, NOW, Case, World  # noqa: E402

Made = tuple[str, Case]
BIRDS = World()
LAST_SEGMENT = 1 << 20


# --- good -----------------------------------------------------------------------------------------------------------


def good() -> Iterator[Made]:
    yield "open", _accepted(BIRDS)
    yield "open-one-document", _accepted(replace(BIRDS, batch=1))
    yield "open-pinned-root", _accepted(replace(BIRDS, pinned_root=w.ROOTS[0].kid))
    yield "open-roots-rotated", _accepted(_rotated(both=True))
    yield "open-next-key", _accepted(_next_key())
    yield "open-retired-key-in-its-time", _accepted(replace(BIRDS, signer=w.OLD_SIGNING, signed_at=NOW - 60 * DAY))
    yield "open-clock-stopped", _accepted(replace(BIRDS, now=NOW - 20_000 * DAY))
    yield "open-lists-expired-within-grace", _accepted(replace(BIRDS, now=NOW + 50 * DAY))
    yield "open-lists-for-ever", _accepted(_for_ever())
    yield "open-again", _accepted(replace(BIRDS, state=_state_after(BIRDS)))
    yield "open-renewed", _accepted(replace(BIRDS, state=_state_after(BIRDS), licence={"issue": 2}))
    yield "open-revoked-key-accepted-before", _accepted(_key_revoked(replace(BIRDS, state=_state_after(BIRDS))))
    yield "open-two-keys", _two_keys()
    yield "open-high-s", _accepted_case(_high_s(BIRDS.case()))
    for size in (0, 1, 2**20 - 57, 2**20 - 56, 2**20 - 55, 2**20, 2**21 - 72, 2**21 - 71):
        yield f"stream-{size}", _stream(size)
    yield "registration", {**_registration(), "device_id": w.PHONE.id}
    yield "proof", {**_proof(), "device_id": w.PHONE.id}
    yield "revocations-delta", _delta()
    yield "tamper-report", _report()
    yield "container", _accepted_file(single_file.container(BIRDS.case()))
    yield "container-three-devices", _accepted_file(single_file.class_file())
    yield "container-one-of-three-devices", _accepted_file(single_file.class_file(reader=w.TABLET))
    yield (
        "container-lists-alone",
        _accepted_file({**single_file.container(BIRDS.case(), lists_only=True), "lists_only": True}),
    )
    yield "container-two-parts", _accepted_file(single_file.container(_two_keys()))
    yield "container-again", _accepted_file(single_file.container(replace(BIRDS, state=_state_after(BIRDS)).case()))


def _for_ever() -> World:
    """Lists that expire when time ends, so that no grace time can be added to that."""
    end = parse_rfc3339("9999-12-31T23:59:59Z")
    return replace(
        BIRDS, lists=((w.trust_list(expires=end), (w.ROOTS[0], w.ROOTS[1])),), revoked=w.revocations(expires=end)
    )


def _accepted(world: World) -> Case:
    return _accepted_case(world.case())


def _accepted_case(case: Case) -> Case:
    bundle, plaintexts = w.opened(case)
    return {
        **case,
        "plaintexts": {name: b64(data) for name, data in plaintexts.items()},
        "state_after": bundle.state.to_bytes().decode(),
    }


def _accepted_file(case: Case) -> Case:
    state, plaintexts = single_file.opened(case)
    found = {name: b64(data) for name, data in plaintexts.items()}
    return {**case, "plaintexts": found, "state_after": state.to_bytes().decode()}


def _state_after(world: World) -> ReaderState:
    return w.opened(world.case())[0].state


def _rotated(*, both: bool) -> World:
    fresh = w.signer("root 4")
    roots = tuple(public_jwk(root.key) for root in (w.ROOTS[1], w.ROOTS[2], fresh))
    signers = (w.ROOTS[1], w.ROOTS[2]) if both else (w.ROOTS[2], fresh)
    return replace(BIRDS, lists=(*BIRDS.lists, (w.trust_list(2, roots=roots), signers)))


def _next_key() -> World:
    keys = (w.key_of(w.SIGNING), w.key_of(w.NEXT_SIGNING))
    return replace(BIRDS, lists=(*BIRDS.lists, (w.trust_list(2, keys=keys), tuple(w.ROOTS[:2]))), signer=w.NEXT_SIGNING)


def _key_revoked(world: World) -> World:
    """The emergency: list 2 revokes the signing key; the licence is still the one it signed."""
    keys = (w.key_of(w.SIGNING, KeyStatus.REVOKED), w.key_of(w.NEXT_SIGNING))
    return replace(
        world,
        lists=(*BIRDS.lists, (w.trust_list(2, keys=keys), tuple(w.ROOTS[:2]))),
        revoked=w.revocations(version=(2, 0), kids=(w.SIGNING.kid,)),
        revocations_signer=w.NEXT_SIGNING,
    )


def _two_keys() -> Case:
    """A newer version: an old part with dead bytes under the old key, and a new part under the new one."""
    old_path, new_path = f"{w.BUNDLE}/a0/0.part", f"{w.BUNDLE}/a1/1.part"
    old, old_bytes = w.seal(w.OLD_KEY, [(b"gone", "text"), *w.FILES[1:]], old_path)
    new, new_bytes = w.seal(w.KEY, w.FILES[:1], new_path, number=1)
    index = Index((*old.file_entries()[1:], *new.file_entries()), (old.part_entry(), new.part_entry())).to_bytes()
    licence = replace(
        BIRDS.make_licence(index),
        keys={
            key.kid: wrap_for_device(key, w.PHONE.encryption_jwk, w.seeded(f"jwe {key.kid}"))
            for key in (w.OLD_KEY, w.KEY)
        },
    ).to_bytes()
    signature = sign_documents([licence], w.SIGNING, iss=w.TENANT, iat=NOW - DAY)[0]
    return _accepted_case(
        {
            **BIRDS.case(),
            "licence": licence.decode(),
            "signature": signature,
            "index": index.decode(),
            "parts": {old_path: b64(old_bytes), new_path: b64(new_bytes)},
        }
    )


def _high_s(case: Case) -> Case:
    from content.jwk import ORDER

    head = case["signature"]["tree_head"].split(".")
    raw = unb64(head[2])
    flipped = ORDER - int.from_bytes(raw[32:], "big")
    head[2] = b64(raw[:32] + flipped.to_bytes(32, "big"))
    return {**case, "signature": {**case["signature"], "tree_head": ".".join(head)}}


def _stream(size: int) -> Case:
    """Plaintext byte i is i mod 251; the sealed file is given by its segment hashes."""
    rng = w.seeded(f"stream {size}")
    name = file_id(w.KEY, digest(w.pattern(size)))
    data, salt, prefix = associated_data(w.KEY.kid, name), rng(32), rng(7)
    sealer, plaintext, position = (
        FileSealer(w.KEY.key, data, size=size, salt=salt, nonce_prefix=prefix),
        w.pattern(size),
        0,
    )
    for block in sealer.block_sizes():
        sealer.seal(plaintext[position : position + block])
        position += block
    return {
        "op": "stream",
        "content_key": {"kid": w.KEY.kid, "key": b64(w.KEY.key)},
        "size": size,
        "plaintext_digest": digest(plaintext),
        "file_id": name,
        "associated_data": data.decode(),
        "salt": b64(salt),
        "nonce_prefix": b64(prefix),
        "sealed_size": sealer.sealed_size,
        "segments": b64(sealer.segments()),
    }


def _registration(**changes: Any) -> Case:
    nonce = b64(w.seeded("nonce")(24))
    secret, challenge = make_challenge(w.PHONE.encryption_jwk, w.seeded("challenge"))
    return {
        "op": "registration",
        "nonce": nonce,
        "tenant": w.TENANT,
        "secret": b64(secret),
        "encryption_jwk": w.PHONE.encryption_jwk,
        "jws": make_registration(w.PHONE, nonce=nonce, challenge=challenge, deterministic=True),
        **changes,
    }


def _proof(**changes: Any) -> Case:
    url = f"https://content.example/v1/bundles/{w.BUNDLE}"
    return {
        "op": "proof",
        "method": "GET",
        "url": url + "?fields=licence",
        "tenant": w.TENANT,
        "now": rfc3339(NOW),
        "skew_s": 60,
        "device": w.PHONE.id,
        "jws": make_proof(w.PHONE, method="GET", url=url, now=NOW, rng=w.seeded("proof"), deterministic=True),
        **changes,
    }


def _delta(**changes: Any) -> Case:
    old = w.revocations(bundles=(w.BUNDLE, "bnd_old"), versions=("pkg_birds/1",))
    new = w.revocations(version=(1, 6), bundles=("bnd_new", w.BUNDLE), kids=(w.OLD_SIGNING.kid,))
    return {
        "op": "revocations-delta",
        "revocations": old.to_bytes().decode(),
        "delta": RevocationDelta.between(old, new).to_bytes().decode(),
        "later": new.to_bytes().decode(),
        **changes,
    }


def _report(**changes: Any) -> Case:
    evidence = Evidence(f"{w.BUNDLE}/a1/0.part", 1 << 20, 1 << 20, digest(b"found"))
    report = TamperReport(w.TENANT, w.BUNDLE, 1, "segment-digest", NOW, (evidence,))
    return {
        "op": "tamper-report",
        "tenant": w.TENANT,
        "device": w.PHONE.id,
        "report": report.to_bytes().decode(),
        "jws": sign_report(w.PHONE, report, deterministic=True),
        **changes,
    }


# --- bad ------------------------------------------------------------------------------------------------------------


def bad() -> Iterator[tuple[str, str, Case]]:
    """(name, code, case)."""
    for group in (_bad_trust, _bad_kids, _bad_signature, _bad_jose, _bad_licence, _bad_revocations, _bad_keys):
        yield from group()
    for group in (_bad_index, _bad_files, _bad_registration, _bad_proof, _bad_delta, _bad_report):
        yield from group()
    yield from single_file.bad(_two_keys())


def _lists(*lists: Any, **more: Any) -> Case:
    return replace(BIRDS, lists=lists, **more).case()


def _edit(case: Case, *path: str | int, to: Any) -> Case:
    """A deep copy with one place changed: a new value, or a function of the old one."""
    case = copy.deepcopy(case)
    place: Any = case
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to(place[path[-1]]) if callable(to) else to
    return case


def _flip(text: str, at: int = 10) -> str:
    raw = bytearray(unb64(text))
    raw[at] ^= 1
    return b64(bytes(raw))


def _bad_trust() -> Iterator[tuple[str, str, Case]]:
    two = tuple(w.ROOTS[:2])
    known = replace(BIRDS, lists=(*BIRDS.lists, (w.trust_list(2), two)))
    honest = BIRDS.case()
    yield "trust-chain-empty", "trust-chain-empty", {**honest, "chain": []}
    yield "trust-chain-malformed", "trust-chain-malformed", {**honest, "chain": {"lists": honest["chain"]}}
    yield "trust-chain-gap", "trust-chain-gap", _lists((w.trust_list(1), two), (w.trust_list(3), two))
    yield (
        "trust-chain-gap-to-known",
        "trust-chain-gap",
        replace(BIRDS, state=_state_after(BIRDS), lists=((w.trust_list(3), two),)).case(),
    )
    yield "trust-rollback", "trust-rollback", replace(BIRDS, state=_state_after(known)).case()
    yield (
        "trust-fork",
        "trust-fork",
        replace(BIRDS, state=_state_after(BIRDS), lists=((w.trust_list(1, expires=NOW + 999 * DAY), two),)).case(),
    )
    yield "trust-one-signature-of-two", "trust-threshold", _lists((w.trust_list(), two[:1]))
    yield "trust-new-roots-alone", "trust-threshold", _rotated(both=False).case()
    yield "trust-signed-by-signing-key", "trust-signer-unknown", _lists((w.trust_list(), (*two, w.SIGNING)))
    yield "trust-one-root-twice", "trust-signer-unknown", _lists((w.trust_list(), (two[0], two[0])))
    yield (
        "trust-signature-flipped",
        "trust-signature",
        _edit(honest, "chain", 0, "signatures", 1, "signature", to=_flip),
    )
    yield "trust-root-not-pinned", "trust-root-not-pinned", replace(BIRDS, pinned_root=w.ROOTS[2].kid).case()
    yield "trust-other-tenant", "trust-issuer", _lists((w.trust_list(iss="lake-school"), two))
    yield "trust-expired", "trust-expired", replace(BIRDS, now=NOW + 331 * DAY).case()
    yield "trust-key-is-a-root", "trust-list-malformed", _lists((w.trust_list(keys=(w.key_of(w.ROOTS[0]),)), two))
    yield "trust-threshold-zero", "trust-list-malformed", _lists((w.trust_list(threshold=0), two))
    yield "trust-tree-head-typ", "jws-header", _edit(
        honest, "chain", 0, "signatures", 0, "protected",
        to=lambda _: b64(canonical({"alg": "ES256", "kid": honest_root(honest), "typ": "content-tree-head+jws"})),
    )  # fmt: skip
    yield (
        "trust-unprotected-header",
        "jws-malformed",
        _edit(honest, "chain", 0, "signatures", 0, to=lambda entry: {**entry, "header": {"alg": "ES256"}}),
    )


def honest_root(case: Mapping[str, Any]) -> str:
    return json.loads(unb64(case["chain"][0]["signatures"][0]["protected"]))["kid"]


def _bad_kids() -> Iterator[tuple[str, str, Case]]:
    yield "kid-unknown", "kid-unknown", replace(BIRDS, signer=w.NEXT_SIGNING).case()
    yield "kid-is-root", "kid-unknown", replace(BIRDS, signer=w.ROOTS[0]).case()
    yield "kid-retired", "kid-retired", replace(BIRDS, signer=w.OLD_SIGNING).case()
    yield (
        "kid-expired",
        "kid-expired",
        _lists((w.trust_list(keys=(w.key_of(w.SIGNING, end=1),)), tuple(w.ROOTS[:2])), signed_at=NOW + 2 * DAY),
    )
    yield "kid-not-yet-valid", "kid-not-yet-valid", replace(BIRDS, signed_at=NOW - 101 * DAY).case()
    yield "kid-revoked-by-trust-list", "kid-revoked", _key_revoked(BIRDS).case()
    yield (
        "kid-revoked-by-revocation-list",
        "kid-revoked",
        replace(
            BIRDS,
            lists=((w.trust_list(keys=(w.key_of(w.SIGNING), w.key_of(w.NEXT_SIGNING))), tuple(w.ROOTS[:2])),),
            revoked=w.revocations(kids=(w.SIGNING.kid,)),
            revocations_signer=w.NEXT_SIGNING,
        ).case(),
    )
    yield "kid-revokes-itself", "kid-revoked", replace(BIRDS, revoked=w.revocations(kids=(w.SIGNING.kid,))).case()
    before = _state_after(_key_revoked(replace(BIRDS, state=_state_after(BIRDS))))
    yield "kid-revoked-grace-over", "kid-revoked", _key_revoked(replace(BIRDS, state=before, now=NOW + 31 * DAY)).case()
    yield (
        "kid-revoked-signs-lists-again",
        "kid-revoked",
        replace(
            BIRDS,
            state=replace(_state_after(BIRDS), revoked_since={w.SIGNING.kid: NOW}),
            revoked=w.revocations(version=(1, 9)),
        ).case(),
    )


def _head_case(header: Mapping[str, Any] | str, sign: Callable[[bytes], bytes] = w.SIGNING.sign) -> Case:
    """The honest case with its tree head signed again under another protected header."""
    case = BIRDS.case()
    payload = case["signature"]["tree_head"].split(".")[1]
    text = header if isinstance(header, str) else canonical(header).decode()
    signing_input = f"{b64(text.encode())}.{payload}"
    signed = f"{signing_input}.{b64(sign(signing_input.encode()))}"
    return _edit(case, "signature", "tree_head", to=signed)


def _bad_signature() -> Iterator[tuple[str, str, Case]]:
    honest = BIRDS.case()
    yield (
        "signature-flipped",
        "jws-signature",
        _edit(
            honest,
            "signature",
            "tree_head",
            to=lambda head: ".".join([*head.split(".")[:2], _flip(head.split(".")[2])]),
        ),
    )
    yield "signature-other-issuer", "signature-issuer", replace(BIRDS, iss="lake-school").case()
    yield "signature-wrong-index", "signature-proof", _edit(honest, "signature", "proof", "index", to=3)
    yield "signature-wrong-size", "signature-proof", _edit(honest, "signature", "proof", "size", to=6)
    yield "signature-index-beyond-size", "signature-proof", _edit(honest, "signature", "proof", "index", to=5)
    yield "signature-path-junk", "signature-malformed", _edit(honest, "signature", "proof", "path", 0, to="sha256:zz")
    yield (
        "signature-path-short",
        "signature-proof",
        _edit(honest, "signature", "proof", "path", to=lambda path: path[:-1]),
    )
    yield (
        "signature-path-long",
        "signature-proof",
        _edit(honest, "signature", "proof", "path", to=lambda path: [*path, path[0]]),
    )
    other = sign_documents([canonical({"type": "licence"})] * 5, w.SIGNING, iss=w.TENANT, iat=NOW)[2]
    yield "signature-other-head", "signature-proof", {
        **honest, "signature": {**other, "proof": honest["signature"]["proof"]}
    }  # fmt: skip
    yield "signature-extra-member", "signature-malformed", _edit(honest, "signature", "hint", to="none")
    yield "signature-node-as-leaf", "signature-proof", _node_as_leaf(honest)
    yield (
        "licence-byte-changed",
        "signature-proof",
        _edit(honest, "licence", to=lambda text: text.replace('"issue":1', '"issue":2')),
    )
    yield "licence-spaces", "document-not-canonical", _signed_as_licence(honest["licence"].replace(":", ": ").encode())
    yield (
        "licence-member-twice",
        "document-malformed",
        _signed_as_licence(honest["licence"].replace('{"bundle_id"', '{"issue":1,"bundle_id"').encode()),
    )
    yield "manifest-as-licence", "document-type", _signed_as_licence(w.MANIFEST)
    yield "revocations-as-licence", "document-type", _signed_as_licence(honest["revocations"].encode())
    licence_as_list = sign_documents([honest["licence"].encode()], w.SIGNING, iss=w.TENANT, iat=NOW)[0]
    yield "licence-as-revocations", "document-type", {
        **honest, "revocations": honest["licence"], "revocations_signature": licence_as_list
    }  # fmt: skip


def _signed_as_licence(document: bytes) -> Case:
    signature = sign_documents([document], w.SIGNING, iss=w.TENANT, iat=NOW - DAY)[0]
    return {**BIRDS.case(), "licence": document.decode(), "signature": signature}


def _node_as_leaf(honest: Case) -> Case:
    """The bytes of two children given as a document: only the leaf's own prefix keeps them apart."""
    left, right = leaf_hash(b"{}"), leaf_hash(honest["licence"].encode())
    head = {"iat": rfc3339(NOW), "iss": w.TENANT, "root": "sha256:" + node_hash(left, right).hex(), "size": 1}
    signed = sign_compact(
        {"alg": "ES256", "kid": w.SIGNING.kid, "typ": "content-tree-head+jws"}, canonical(head), w.SIGNING
    )
    # Two hashes are not UTF-8, so the document is given in base64url.
    case = {**honest, "signature": {"tree_head": signed, "proof": {"index": 0, "size": 1, "path": []}}}
    return {**case, "licence": "", "licence_b64": b64(left + right)}


def _bad_jose() -> Iterator[tuple[str, str, Case]]:
    expected = {"alg": "ES256", "kid": w.SIGNING.kid, "typ": "content-tree-head+jws"}
    public = json.dumps(public_jwk(w.SIGNING.key)).encode()
    thief = w.signer("thief")
    yield "jose-alg-none", "jws-malformed", _head_case({**expected, "alg": "none"}, lambda _: b"")
    yield "jose-alg-none-with-signature", "jws-header", _head_case({**expected, "alg": "none"})
    yield (
        "jose-hmac-with-public-key",
        "jws-malformed",
        _head_case({**expected, "alg": "HS256"}, lambda text: hmac.new(public, text, hashlib.sha256).digest()),
    )
    yield (
        "jose-hmac-512-with-public-key",
        "jws-header",
        _head_case({**expected, "alg": "HS512"}, lambda text: hmac.new(public, text, hashlib.sha512).digest()),
    )
    yield "jose-jwk-of-a-thief", "jws-header", _head_case({**expected, "jwk": public_jwk(thief.key)}, thief.sign)
    yield "jose-jku", "jws-header", _head_case({**expected, "jku": "https://thief.example/keys"}, thief.sign)
    yield "jose-x5u", "jws-header", _head_case({**expected, "x5u": "https://thief.example/chain"}, thief.sign)
    yield "jose-crit", "jws-header", _head_case({**expected, "crit": ["exp"], "exp": 1})
    yield "jose-b64-false", "jws-header", _head_case({**expected, "b64": False, "crit": ["b64"]})
    yield "jose-kid-traversal", "jws-header", _head_case({**expected, "kid": "../../keys/signing"})
    yield "jose-typ-of-another", "jws-header", _head_case({**expected, "typ": "content-trust-list+jws"})
    yield "jose-header-member-twice", "jws-header", _head_case('{"alg":"none",' + canonical(expected).decode()[1:])
    yield "jose-thief-under-our-kid", "jws-signature", _head_case(expected, thief.sign)
    honest = BIRDS.case()
    yield "jose-padding", "jws-malformed", _edit(honest, "signature", "tree_head", to=lambda head: head + "==")
    yield "jose-zero-signature", "jws-signature", _head_case(expected, lambda _: bytes(64))


def _bad_licence() -> Iterator[tuple[str, str, Case]]:
    def licence(**changes: Any) -> Case:
        return replace(BIRDS, licence=changes).case()

    def members(edit: Callable[[dict[str, Any]], None]) -> Case:
        return replace(BIRDS, edit_licence=edit).case()

    yield "licence-shape-2", "document-shape", members(lambda m: m.update(shape=2))
    yield "licence-shape-true", "document-shape", members(lambda m: m.update(shape=True))
    yield "licence-unknown-member", "licence-malformed", members(lambda m: m.update(debug=True))
    yield "licence-member-missing", "licence-malformed", members(lambda m: m.pop("profile"))
    yield "licence-path-climbs", "licence-malformed", members(lambda m: m["index"].update(path="../../etc/index.json"))
    yield "licence-time-form", "licence-malformed", members(lambda m: m.update(not_after="2027-11-23 12:00:00"))
    yield "licence-year-zero", "licence-malformed", members(lambda m: m.update(not_before="0000-11-23T12:00:00Z"))
    yield (
        "licence-ends-before-it-begins",
        "licence-malformed",
        members(lambda m: m.update(not_after="2026-11-22T11:59:59Z")),
    )
    yield "licence-key-no-jwe", "licence-malformed", members(lambda m: m["keys"].update({w.KEY.kid: "not a JWE"}))
    yield "licence-sequence-and-version", "licence-malformed", licence(sequence=Order(1, 4, 7))
    yield "licence-other-tenant", "licence-tenant", licence(tenant="lake-school")
    yield "licence-other-device", "licence-device", replace(BIRDS, device=w.TABLET).case()
    yield (
        "licence-other-encryption-key",
        "licence-device-key",
        licence(device=Device(w.PHONE.id, w.TABLET.encryption_thumbprint)),
    )
    yield "licence-not-yet-valid", "licence-not-yet-valid", licence(not_before=NOW + timedelta(seconds=1))
    yield "licence-expired", "licence-expired", licence(not_after=NOW - timedelta(seconds=1))
    yield (
        "licence-expired-clock-turned-back",
        "licence-expired",
        replace(
            BIRDS, licence={"not_after": NOW + 10 * DAY}, now=NOW, state=ReaderState(clock_floor=NOW + 11 * DAY)
        ).case(),
    )
    newer = _state_after(replace(BIRDS, licence={"sequence": Order(1, 4, 8), "version": 4}))
    yield "rollback-version", "licence-rollback", replace(BIRDS, state=newer).case()
    epoch = _state_after(replace(BIRDS, licence={"sequence": Order(2, 3, 0)}))
    yield "rollback-epoch", "licence-rollback", replace(BIRDS, state=epoch).case()
    renewed = _state_after(replace(BIRDS, licence={"issue": 2}))
    yield "rollback-issue", "licence-rollback", replace(BIRDS, state=renewed).case()
    seen = _state_after(BIRDS)
    yield "licence-fork", "licence-fork", replace(BIRDS, state=seen, licence={"profile": "tablet"}).case()
    yield (
        "licence-fork-bundle",
        "licence-fork",
        replace(BIRDS, state=seen, licence={"bundle_id": "bnd_" + 26 * "0", "issue": 2}).case(),
    )


def _bad_revocations() -> Iterator[tuple[str, str, Case]]:
    def revoked(**changes: Any) -> Case:
        return replace(BIRDS, revoked=w.revocations(**changes)).case()

    seen = replace(_state_after(BIRDS), packages={})
    yield "revoked-bundle", "bundle-revoked", revoked(bundles=(w.BUNDLE,))
    yield "revoked-device", "device-revoked", revoked(devices=(w.PHONE.id,))
    yield "revoked-package", "package-revoked", revoked(packages=(w.PACKAGE,))
    yield "revoked-version", "version-revoked", revoked(versions=(f"{w.PACKAGE}/2", f"{w.PACKAGE}/3"))
    yield "revoked-version-of-no-number", "revocations-malformed", revoked(versions=(f"{w.PACKAGE}/03",))
    yield "revocations-fast-forward", "revocations-ahead-of-trust", revoked(version=(2, 0))
    yield (
        "revocations-rollback",
        "revocations-rollback",
        replace(BIRDS, state=seen, revoked=w.revocations(version=(1, 3))).case(),
    )
    yield (
        "revocations-fork",
        "revocations-fork",
        replace(BIRDS, state=seen, revoked=w.revocations(bundles=("bnd_x",))).case(),
    )
    yield "revocations-other-tenant", "revocations-tenant", revoked(tenant="lake-school")
    yield "revocations-too-old", "revocations-too-old", revoked(version=(1, 1))
    yield "revocations-stale", "revocations-stale", replace(BIRDS, now=NOW + 59 * DAY).case()
    honest = BIRDS.case()
    unsorted = json.loads(honest["revocations"]) | {"bundles": ["b", "a"]}
    document = canonical(unsorted)
    signature = sign_documents([document], w.SIGNING, iss=w.TENANT, iat=NOW)[0]
    yield "revocations-unsorted", "revocations-malformed", {
        **honest, "revocations": document.decode(), "revocations_signature": signature
    }  # fmt: skip
    yield (
        "revocations-unsigned-change",
        "signature-proof",
        _edit(honest, "revocations", to=lambda text: text.replace('"version":[1,4]', '"version":[1,5]')),
    )


def _bad_keys() -> Iterator[tuple[str, str, Case]]:
    def jwe(edit: Callable[[str], str]) -> Case:
        return replace(BIRDS, edit_jwe=edit).case()

    def header(**changes: Any) -> Case:
        def edit(text: str) -> str:
            parts = text.split(".")
            members = {**json.loads(unb64(parts[0])), **changes}
            return ".".join([b64(canonical(members)), *parts[1:]])

        return jwe(edit)

    recipient = w.PHONE.encryption_jwk
    epk = public_jwk(w.signer("thief").key)
    yield (
        "key-for-another-device",
        "jwe-decrypt",
        jwe(lambda _: wrap_for_device(w.KEY, w.TABLET.encryption_jwk, w.seeded("jwe"))),
    )
    yield (
        "key-flipped",
        "jwe-decrypt",
        jwe(lambda text: ".".join([*text.split(".")[:3], _flip(text.split(".")[3]), text.split(".")[4]])),
    )
    yield "key-under-another-name", "jwe-header", jwe(lambda _: wrap_for_device(w.OLD_KEY, recipient, w.seeded("jwe")))
    yield (
        "key-is-a-challenge",
        "jwe-header",
        jwe(lambda _: encrypt(w.KEY.key, recipient, typ=CHALLENGE_TYP, kid=w.KEY.kid, rng=w.seeded("jwe"))),
    )
    yield (
        "key-too-short",
        "content-key",
        jwe(lambda _: encrypt(bytes(31), recipient, typ="content-key+jwe", kid=w.KEY.kid, rng=w.seeded("jwe"))),
    )
    yield "key-zip", "jwe-header", header(zip="DEF")
    yield "key-direct-agreement", "jwe-header", header(alg="ECDH-ES")
    yield "key-party-info", "jwe-header", header(apu="eA")
    yield "key-point-off-curve", "jwk-off-curve", header(epk={**epk, "y": epk["x"]})
    yield "key-private-ephemeral", "jwk-private", header(epk=private_jwk(w.signer("thief").key))
    yield "key-ephemeral-no-object", "jwe-header", header(epk="P-256")
    yield "key-other-curve", "jwk-malformed", header(epk={**epk, "crv": "P-384"})
    yield "key-cut", "jwe-malformed", jwe(lambda text: text[:-2])


def _bad_index() -> Iterator[tuple[str, str, Case]]:
    def index(edit: Callable[[dict[str, Any]], None]) -> Case:
        return replace(BIRDS, edit_index=edit).case()

    def file(n: int, **changes: Any) -> Case:
        return index(lambda m: m["files"][n].update(changes))

    def shift(members: dict[str, Any], by: int) -> None:
        for entry in members["files"]:
            entry["offset"] += by

    honest = BIRDS.case()
    entries = json.loads(honest["index"])["files"]
    yield (
        "index-not-the-licences",
        "index-digest",
        _edit(honest, "index", to=lambda text: text.replace('"media":"image"', '"media":"video"')),
    )
    yield "index-of-another-bundle", "index-digest", {
        **honest, "index": replace(BIRDS, files=tuple(w.FILES[:2])).case()["index"]
    }  # fmt: skip
    yield "index-unknown-member", "index-malformed", index(lambda m: m.update(note="x"))
    yield "index-negative-offset", "index-malformed", file(0, offset=-1)
    yield "index-part-number", "index-malformed", file(0, part=1)
    yield "index-media-class", "index-malformed", file(1, media="application")
    yield "index-path-climbs", "index-malformed", index(lambda m: m["parts"][0].update(path="../x/0.part"))
    yield "index-overlap", "index-overlap", file(1, offset=entries[1]["offset"] - 1)
    yield "index-order", "index-overlap", index(lambda m: m["files"].reverse())
    yield "index-bounds", "index-bounds", index(lambda m: m["parts"][0].update(size=m["parts"][0]["size"] - 1))
    yield "index-no-parts", "index-bounds", index(lambda m: m.update(parts=[]))
    yield "index-offsets-shifted", "index-bounds", index(lambda m: shift(m, 1))
    yield "index-sealed-size", "index-file-size", file(1, sealed_size=entries[1]["sealed_size"] + 1)
    yield "index-size-lies", "index-file-size", file(1, size=LAST_SEGMENT * 4)
    yield "index-segment-missing", "index-file-size", file(1, segments="")
    yield "index-segment-too-many", "index-file-size", file(1, segments=b64(2 * unb64(entries[1]["segments"])))
    yield "index-file-twice", "index-file-repeated", index(lambda m: m["files"].append(m["files"][-1]))
    yield "index-part-twice", "index-part-repeated", index(lambda m: m["parts"].append(m["parts"][0]))
    yield "index-part-digest", "part-digest", index(lambda m: m["parts"][0].update(digest=digest(b"other")))
    yield (
        "index-segments-swapped",
        "part-digest",
        index(lambda m: m["files"][1].update(segments=entries[2]["segments"])),
    )
    yield "index-key-missing", "index-key-missing", file(3, kid=w.OLD_KEY.kid)
    yield "index-no-manifest", "manifest-missing", file(0, media="text")
    yield (
        "index-manifest-of-another",
        "manifest-missing",
        replace(BIRDS, licence={"manifest": digest(w.PICTURE)}).case(),
    )


def _bad_files() -> Iterator[tuple[str, str, Case]]:
    def part(edit: Callable[[bytes], bytes]) -> Case:
        return replace(BIRDS, edit_part=edit).case()

    entries = json.loads(BIRDS.case()["index"])["files"]
    first, second = entries[0], entries[1]

    def flip(at: int) -> Case:
        return part(lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    yield "part-flipped-header", "segment-digest", flip(0)
    yield "part-flipped-salt", "segment-digest", flip(1)
    yield "part-flipped-ciphertext", "segment-digest", flip(60)
    yield "part-flipped-tag", "segment-digest", flip(first["sealed_size"] - 1)
    yield "part-cut", "segment-size", part(lambda data: data[:-1])
    yield "part-empty", "segment-size", part(lambda _: b"")
    yield "part-byte-inserted", "segment-digest", part(lambda data: b"\x28" + data)
    yield (
        "part-of-another-bundle",
        "segment-digest",
        part(lambda _: w.seal(w.OLD_KEY, w.FILES, f"{w.BUNDLE}/a1/0.part")[1]),
    )
    # A peer knows the content key under `shared`: the tag is right, only the signed hash stops it.
    yield (
        "part-forged-by-a-peer",
        "segment-digest",
        part(lambda data: _resealed(first["id"], bytes(first["size"])) + data[first["sealed_size"] :]),
    )
    renamed = {"id": "0" * 32}

    def names_swapped(members: dict[str, Any]) -> None:
        members["files"][1]["id"], members["files"][2]["id"] = entries[2]["id"], entries[1]["id"]

    yield "file-under-another-name", "segment-tag", replace(BIRDS, edit_index=names_swapped).case()
    yield "file-missing", "file-missing", replace(BIRDS, edit_index=lambda m: m["files"][1].update(renamed)).case()
    yield "file-not-what-its-name-says", "plaintext-digest", _mislabelled(second)
    listing = (w.FILES[1][0], "manifest")
    yield (
        "file-manifest-is-a-picture",
        "manifest-malformed",
        replace(BIRDS, files=(listing, *w.FILES[2:]), licence={"manifest": digest(w.PICTURE)}).case(),
    )
    other = canonical({"type": "index", "shape": 1})
    yield (
        "file-manifest-is-another-document",
        "document-type",
        replace(BIRDS, files=((other, "manifest"), *w.FILES[1:]), licence={"manifest": digest(other)}).case(),
    )
    yield "file-other-header", "stream-header", _other_header()
    yield "file-last-flag-missing", "segment-tag", _reflagged()


def _resealed(name: str, plaintext: bytes, key: ContentKey = w.KEY) -> bytes:
    rng = w.seeded("forged")
    data = associated_data(key.kid, name)
    sealer = FileSealer(key.key, data, size=len(plaintext), salt=rng(32), nonce_prefix=rng(7))
    return bytes(sealer.seal(plaintext))


def _replaced(number: int, sealed: bytes) -> Case:
    """The honest bundle with one file's ciphertext replaced by another of the same size, and signed that way."""
    entry = json.loads(BIRDS.case()["index"])["files"][number]
    start = entry["offset"]

    def edit(members: dict[str, Any]) -> None:
        members["files"][number]["segments"] = b64(hashlib.sha256(sealed).digest())
        members["parts"][0]["digest"] = part_digest([unb64(file["segments"]) for file in members["files"]])

    return replace(
        BIRDS, edit_index=edit, edit_part=lambda data: data[:start] + sealed + data[start + len(sealed) :]
    ).case()


def _mislabelled(entry: dict[str, Any]) -> Case:
    return _replaced(1, _resealed(entry["id"], bytes(entry["size"])))


def _other_header() -> Case:
    entry = json.loads(BIRDS.case()["index"])["files"][1]
    return _replaced(1, b"\x29" + _resealed(entry["id"], w.PICTURE)[1:])


def _reflagged() -> Case:
    """Segment 0 sealed as if another followed: what is left when the last segment is dropped."""
    entry = json.loads(BIRDS.case()["index"])["files"][1]
    rng = w.seeded("reflagged")
    salt, prefix = rng(32), rng(7)
    cipher: AESGCM = _cipher(w.KEY.key, salt, associated_data(w.KEY.kid, entry["id"]))
    return _replaced(1, b"\x28" + salt + prefix + cipher.encrypt(_nonce(prefix, 0, False), w.PICTURE, None))


def _bad_registration() -> Iterator[tuple[str, str, Case]]:
    honest = _registration()
    signing = w.PHONE.signing_jwk
    typ = "content-device-registration+jws"

    def signed(header: dict[str, Any] | None = None, **changes: Any) -> Case:
        payload = {**json.loads(unb64(honest["jws"].split(".")[1])), **changes}
        head = header or {"alg": "ES256", "jwk": signing, "typ": typ}
        owner = w.LocalSigner(w.PHONE.signing, deterministic=True)
        return {**honest, "jws": sign_compact(head, canonical(payload), owner)}

    yield "registration-replayed", "registration-nonce", _registration(nonce=b64(w.seeded("later nonce")(24)))
    yield "registration-other-tenant", "registration-tenant", _registration(tenant="lake-school")
    yield "registration-other-secret", "registration-answer", _registration(secret=b64(w.seeded("other")(32)))
    yield (
        "registration-foreign-encryption-key",
        "registration-encryption-key",
        signed(encryption=w.TABLET.encryption_jwk),
    )
    yield (
        "registration-one-key-for-both",
        "registration-same-key",
        {**signed(encryption=signing), "encryption_jwk": None},
    )
    yield (
        "registration-foreign-signing-key",
        "jws-signature",
        signed({"alg": "ES256", "jwk": w.TABLET.signing_jwk, "typ": typ}),
    )
    yield (
        "registration-kid-added",
        "jws-header",
        signed({"alg": "ES256", "jwk": signing, "typ": typ, "kid": thumbprint(signing)}),
    )
    yield "registration-key-missing", "jws-header", signed({"alg": "ES256", "typ": typ})
    yield (
        "registration-private-key",
        "jwk-private",
        signed({"alg": "ES256", "jwk": private_jwk(w.PHONE.signing), "typ": typ}),
    )
    yield (
        "registration-point-off-curve",
        "jwk-off-curve",
        signed({"alg": "ES256", "jwk": {**signing, "y": signing["x"]}, "typ": typ}),
    )
    yield "registration-unknown-member", "registration-malformed", signed(learner="somebody")
    yield "registration-is-a-proof", "jws-header", {**honest, "jws": _proof()["jws"]}


def _bad_proof() -> Iterator[tuple[str, str, Case]]:
    yield "proof-other-device", "proof-device", _proof(device=w.TABLET.id)
    yield "proof-other-method", "proof-method", _proof(method="DELETE")
    yield "proof-other-url", "proof-url", _proof(url="https://content.example/v1/devices")
    yield "proof-other-tenant", "proof-tenant", _proof(tenant="lake-school")
    yield "proof-too-old", "proof-time", _proof(now=rfc3339(NOW + timedelta(seconds=61)))
    yield "proof-from-the-future", "proof-time", _proof(now=rfc3339(NOW - timedelta(seconds=61)))
    yield "proof-is-a-registration", "jws-header", _proof(jws=_registration()["jws"])
    claims = {"htm": "GET", "htu": "https://content.example/", "iat": 1, "jti": "short", "tenant": w.TENANT}
    header = {"alg": "ES256", "jwk": w.PHONE.signing_jwk, "typ": "dpop+jwt"}
    jws = sign_compact(header, canonical(claims), w.LocalSigner(w.PHONE.signing, deterministic=True))
    yield "proof-short-jti", "proof-malformed", _proof(jws=jws)


def _bad_delta() -> Iterator[tuple[str, str, Case]]:
    def delta(edit: Callable[[dict[str, Any]], None]) -> Case:
        members = json.loads(_delta()["delta"])
        edit(members)
        return _delta(delta=canonical(members).decode())

    base = "revocations-delta-base"
    yield "delta-from-another-version", base, delta(lambda m: m.update({"from": [1, 3]}))
    yield "delta-of-another-tenant", base, delta(lambda m: m.update(tenant="lake-school"))
    yield "delta-removes-what-is-not-there", base, delta(lambda m: m["remove"].update(devices=[w.PHONE.id]))
    yield "delta-adds-what-is-there", base, delta(lambda m: m["add"].update(bundles=[w.BUNDLE]))
    yield "delta-member-missing", "revocations-delta-malformed", delta(lambda m: m["add"].pop("kids"))
    yield "delta-unsorted", "revocations-delta-malformed", delta(lambda m: m["add"].update(bundles=["b", "a"]))
    yield "delta-is-a-list", "document-type", _delta(delta=_delta()["revocations"])


def _bad_report() -> Iterator[tuple[str, str, Case]]:
    def signed(**changes: Any) -> Case:
        payload = canonical({**json.loads(_report()["report"]), **changes})
        header = {"alg": "ES256", "jwk": w.PHONE.signing_jwk, "typ": "content-tamper-report+jws"}
        return _report(jws=sign_compact(header, payload, w.LocalSigner(w.PHONE.signing, deterministic=True)))

    yield "report-by-another-device", "tamper-report-device", _report(device=w.TABLET.id)
    yield "report-for-another-tenant", "tamper-report-tenant", signed(tenant="lake-school")
    yield "report-code-of-a-sentence", "tamper-report-malformed", signed(code="it is broken")
    yield "report-too-much-evidence", "tamper-report-malformed", signed(
        evidence=json.loads(_report()["report"])["evidence"] * 9
    )  # fmt: skip
    yield "report-unknown-member", "tamper-report-malformed", signed(learner="somebody")
    yield "report-is-a-proof", "jws-header", _report(jws=_proof()["jws"])


# --- files ----------------------------------------------------------------------------------------------------------


def made() -> dict[str, str]:
    """Every vector's text by its path below this folder."""
    texts: dict[str, str] = {}
    for name, case in good():
        texts[f"good/{name}.json"] = _text({"name": name, **case})
    bases = {"open": BIRDS.case(), "registration": _registration(), "proof": _proof()}
    bases |= {
        "revocations-delta": _delta(),
        "tamper-report": _report(),
        "container": single_file.container(BIRDS.case()),
    }
    for name, code, case in bad():
        assert f"bad/{name}.json" not in texts, name
        base = bases[case["op"]]
        changed = {member: value for member, value in case.items() if member not in base or base[member] != value}
        assert changed, name
        head = {"name": name, "code": code, "op": case["op"], "base": f"good/{case['op']}.json"}
        texts[f"bad/{name}.json"] = _text({**head, **changed})
    return texts


def _text(case: Case) -> str:
    return json.dumps(case, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    texts = made()
    for folder in (HERE / "good", HERE / "bad"):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.json"):
            if f"{folder.name}/{old.name}" not in texts:
                old.unlink()
    for path, text in texts.items():
        (HERE / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
