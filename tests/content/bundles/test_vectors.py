"""The vectors of docs/bundle-format.md against our reader, and the document against the code."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from content.bundles.keys import ContentKey, associated_data, file_id
from content.bundles.stream import FileOpener, FileSealer
from content.canonical import digest, parse_rfc3339
from content.devices.proof import verify_proof
from content.devices.registration import verify_registration
from content.devices.tamper import verify_report
from content.errors import ContentError
from content.jwk import b64, unb64
from content.trust.revocation_delta import RevocationDelta
from content.trust.revocations import RevocationList
from tests.vectors import make, single_file
from tests.vectors.world import opened, pattern

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors"
DOCUMENT = (ROOT / "docs" / "bundle-format.md").read_text(encoding="utf-8")
GOOD = sorted(path.stem for path in (VECTORS / "good").glob("*.json"))
BAD = sorted(path.stem for path in (VECTORS / "bad").glob("*.json"))


def load(path: str) -> dict:
    vector = json.loads((VECTORS / path).read_text(encoding="utf-8"))
    return {**load(vector["base"]), **vector} if "base" in vector else vector


def run(vector: dict) -> None:
    """What a reader does with a vector; raises its refusal."""
    if vector["op"] == "open":
        bundle, plaintexts = opened(vector)
        assert {name: b64(data) for name, data in plaintexts.items()} == vector["plaintexts"]
        assert bundle.state.to_bytes().decode() == vector["state_after"]
    elif vector["op"] == "container":
        state, plaintexts = single_file.opened(vector)
        assert {name: b64(data) for name, data in plaintexts.items()} == vector["plaintexts"]
        assert state.to_bytes().decode() == vector["state_after"]
    elif vector["op"] == "stream":
        run_stream(vector)
    elif vector["op"] == "registration":
        found = verify_registration(
            vector["jws"],
            nonce=vector["nonce"],
            tenant=vector["tenant"],
            secret=unb64(vector["secret"]),
            encryption_jwk=vector["encryption_jwk"],
        )
        assert (found.device_id, found.encryption_jwk) == (vector["device_id"], vector["encryption_jwk"])
    elif vector["op"] == "revocations-delta":
        old = RevocationList.parse(vector["revocations"].encode())
        later = RevocationDelta.parse(vector["delta"].encode()).apply(old)
        assert later.to_bytes().decode() == vector["later"]
    elif vector["op"] == "tamper-report":
        report = verify_report(vector["jws"], tenant=vector["tenant"], device_id=vector["device"])
        assert report.to_bytes().decode() == vector["report"]
    else:
        now: datetime = parse_rfc3339(vector["now"])
        proof = verify_proof(
            vector["jws"],
            method=vector["method"],
            url=vector["url"],
            tenant=vector["tenant"],
            now=now,
            skew_s=vector["skew_s"],
            device_id=vector["device"],
        )
        assert (proof.device_id, proof.issued_at) == (vector["device_id"], now)


def run_stream(vector: dict) -> None:
    key = ContentKey(vector["content_key"]["kid"], unb64(vector["content_key"]["key"]))
    plaintext = pattern(vector["size"])
    assert digest(plaintext) == vector["plaintext_digest"]
    assert file_id(key, vector["plaintext_digest"]) == vector["file_id"]
    bound = associated_data(key.kid, vector["file_id"])
    assert bound == vector["associated_data"].encode()
    sealer = FileSealer(
        key.key, bound, size=len(plaintext), salt=unb64(vector["salt"]), nonce_prefix=unb64(vector["nonce_prefix"])
    )
    opener = FileOpener(key.key, bound, size=len(plaintext), segments=unb64(vector["segments"]))
    position = 0
    for i, size in enumerate(sealer.block_sizes()):
        block = plaintext[position : position + size]
        assert opener.open(i, sealer.seal(block)) == block
        position += size
    assert position == len(plaintext)
    assert (sealer.sealed_size, b64(sealer.segments())) == (vector["sealed_size"], vector["segments"])


@pytest.mark.parametrize("name", GOOD)
def test_good_vector_is_accepted(name: str) -> None:
    run(load(f"good/{name}.json"))


@pytest.mark.parametrize("name", BAD)
def test_bad_vector_is_refused_by_the_named_check(name: str) -> None:
    vector = load(f"bad/{name}.json")
    with pytest.raises(ContentError) as refused:
        run(vector)
    assert refused.value.code == vector["code"]


def test_there_are_vectors_of_each_kind() -> None:
    assert len(GOOD) >= 20
    assert len(BAD) >= 120


def test_the_script_makes_the_checked_in_vectors() -> None:
    checked_in = {f"{kind}/{name}.json" for kind, names in (("good", GOOD), ("bad", BAD)) for name in names}
    made = make.made()
    assert set(made) == checked_in
    for path, text in made.items():
        assert (VECTORS / path).read_text(encoding="utf-8") == text, path


def codes_in_source() -> set[str]:
    """Every code that the packages of the format can raise."""
    files = [ROOT / "content" / name for name in ("documents.py", "jwk.py", "jose.py", "merkle.py", "signatures.py")]
    for package in ("bundles", "devices", "trust"):
        files += sorted((ROOT / "content" / package).glob("*.py"))
    raised = re.compile(r'Refused\(\s*f?"([a-z0-9{}-]+)"')
    found = {code for file in files for code in raised.findall(file.read_text(encoding="utf-8"))}
    return {code for code in found if "{" not in code} | {"kid-retired", "kid-expired"}


def test_every_code_of_the_code_stands_in_the_document() -> None:
    assert len(codes_in_source()) > 60
    missing = {code for code in codes_in_source() if f"`{code}`" not in DOCUMENT}
    assert not missing


def test_every_code_of_a_reader_has_a_bad_vector() -> None:
    """But for what only a writer meets, and what takes a document too large to keep here (test_limits.py)."""
    writer = DOCUMENT.split("## Codes that a writer may meet")[1]
    elsewhere = {"trust-chain-too-long", "proof-replayed", "signature-in-future"}
    covered = {load(f"bad/{name}.json")["code"] for name in BAD}
    assert {code for code in codes_in_source() if f"`{code}`" not in writer} - covered <= elsewhere
