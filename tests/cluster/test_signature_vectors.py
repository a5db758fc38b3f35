"""The named vectors of signed URLs and cookies: our check, a second reading of AWS's description, openssl, and the Worker agree."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cluster.edge import cdn
from content.errors import ContentError
from tests.support import independent_cdn
from tests.support.edge_programs import SITE_URL, run_worker
from tests.vectors.edge import make

FILE = Path(__file__).parents[1] / "vectors" / "edge" / "signatures.json"
VECTORS = json.loads(FILE.read_text())
NOW = datetime.fromtimestamp(VECTORS["now"], UTC)
KEYS = {key_id: cdn.load_public_key(pem) for key_id, pem in VECTORS["keys"].items()}
ALL = {**VECTORS["good"], **VECTORS["bad"]}
SIGNERS = {"ecdsa": "KEC1", "rsa": "KRSA"}


def code_of(vector: dict[str, Any]) -> str | None:
    """The code with which ours refuses it."""
    url = vector["url"]
    try:
        cdn.verify(url if "cookies" not in vector else cdn.from_cookies(url, vector["cookies"]), KEYS, now=NOW)
    except cdn.UrlRefused as error:
        return error.code
    return None


def served(vector: dict[str, Any], **how: bool) -> bool:
    return independent_cdn.served(vector["url"], vector.get("cookies", {}), VECTORS["keys"], VECTORS["now"], **how)


def test_they_are_what_the_script_writes() -> None:
    assert json.loads(json.dumps(make.vectors())) == VECTORS


@pytest.mark.parametrize("name", ALL)
def test_ours_serves_the_good_ones_and_refuses_the_others_by_name(name: str) -> None:
    assert code_of(ALL[name]) == ALL[name].get("code")


@pytest.mark.parametrize("name", ALL)
def test_a_second_reading_agrees(name: str) -> None:
    """Where ours is said to be stricter the second may serve it; never the other way round."""
    vector = ALL[name]
    if not vector.get("stricter"):
        assert served(vector) is ("code" not in vector)


def test_where_ours_is_stricter_it_is_stricter_than_something() -> None:
    assert sum(served(vector) for vector in ALL.values() if vector.get("stricter")) >= 10


@pytest.mark.skipif(independent_cdn.OPENSSL is None, reason="there is no openssl on this machine")
def test_openssl_agrees() -> None:
    for name, vector in ALL.items():
        if not vector.get("stricter"):
            assert served(vector, openssl=True) is ("code" not in vector), name


def test_the_worker_agrees_with_ours_on_every_vector() -> None:
    """The URL's own normalisation takes most detours away before the Worker sees them; then they are signed for something else."""
    env = {"EDGE_URL": make.HOST, "SITE_URL": SITE_URL, "EDGE_KEYS": json.dumps(VECTORS["keys"])}
    requests: list[dict[str, Any]] = []
    for vector in ALL.values():
        header = "; ".join(f"{name}={value}" for name, value in vector.get("cookies", {}).items())
        requests.append({"url": vector["url"], "now": VECTORS["now"], "headers": {"cookie": header} if header else {}})
    for (name, vector), answer in zip(ALL.items(), run_worker(requests, env), strict=True):
        code = vector.get("code", "not-found")  # the bucket is empty: what is served is not there
        if name.startswith("detour-") or name in ("elsewhere-host", "elsewhere-scheme"):
            assert answer["status"] in (403, 404), name  # a host that is not this Worker's, a path that is no key
            assert answer.get("code") in ("url-resource", "not-found", "url-signature"), name
        else:
            assert answer.get("code") == code, (name, answer)


# What is signed: by ours, checked by the second reading; by botocore, checked by ours.


@pytest.mark.parametrize("key_id", SIGNERS.values(), ids=SIGNERS)
def test_what_ours_signs_the_second_reading_serves(key_id: str) -> None:
    signer = cdn.UrlSigner(make.HOST, key_id, make.KEYS[key_id], 60)
    one, folder = signer.url("/bundles/a/b.part", NOW), signer.url("/bundles/a/b.part", NOW, folder="/bundles/a/")
    for url in (one, folder):
        for openssl in (False, True) if independent_cdn.OPENSSL else (False,):
            assert independent_cdn.served(url, {}, VECTORS["keys"], VECTORS["now"], openssl=openssl)
            assert not independent_cdn.served(url, {}, VECTORS["keys"], VECTORS["now"] + 60, openssl=openssl)
            assert not independent_cdn.served(url, {}, {}, VECTORS["now"], openssl=openssl)
    query = folder.partition("?")[2]
    assert independent_cdn.served(f"{make.HOST}/bundles/a/c?{query}", {}, VECTORS["keys"], VECTORS["now"])
    assert not independent_cdn.served(f"{make.HOST}/bundles/c?{query}", {}, VECTORS["keys"], VECTORS["now"])
    cookies = cdn.cookies_of(query)
    assert independent_cdn.served(f"{make.HOST}/bundles/a/c", cookies, VECTORS["keys"], VECTORS["now"])
    assert set(cookies) == {f"CloudFront-{name}" for name in ("Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")}


@pytest.mark.parametrize("key_id", SIGNERS.values(), ids=SIGNERS)
def test_botocore_signs_the_same_policy_and_ours_serves_it(key_id: str) -> None:
    """Its signer names no algorithm, which means SHA-1; with the fourth parameter behind it, it means the other."""
    theirs = CloudFrontSigner(key_id, lambda data: cdn.signature_of(make.KEYS[key_id], data))
    expires = NOW + timedelta(seconds=60)
    policy = theirs.build_policy(f"{make.FOLDER}*", expires)
    assert policy.encode() == cdn.policy(f"{make.FOLDER}*", expires)
    url = theirs.generate_presigned_url(make.PART, policy=policy)
    with pytest.raises(cdn.UrlRefused, match="expected four"):
        cdn.verify(url, KEYS, now=NOW)
    cdn.verify(f"{url}&Hash-Algorithm=SHA256", KEYS, now=NOW)
    ours = cdn.sign(make.PART, make.KEYS[key_id], key_id, expires_at=expires, resource=f"{make.FOLDER}*")
    if key_id == "KRSA":  # which signs the same each time
        assert ours == f"{url}&Hash-Algorithm=SHA256"
    assert [piece.partition("=")[0] for piece in ours.partition("?")[2].split("&")][:3] == [
        piece.partition("=")[0] for piece in url.partition("?")[2].split("&")
    ]


def test_keys_that_cloudfront_does_not_take_are_refused_and_not_shown() -> None:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    wrong = [
        ec.generate_private_key(ec.SECP384R1()).private_bytes(*form).decode(),
        rsa.generate_private_key(65537, 3072).private_bytes(*form).decode(),
        "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n",
    ]
    for pem in wrong:
        with pytest.raises(ContentError) as error:
            cdn.load_private_key(pem)
        assert error.value.code == "edge-key" and pem.split("\n")[1] not in str(vars(error.value))
    with pytest.raises(ContentError):
        cdn.load_public_key(wrong[0])
    assert cdn.signature_of(make.KEYS["KRSA"], b"x") == make.signature(make.KEYS["KRSA"], b"x", hashes.SHA256())
