"""A second reading of CloudFront's signed URLs and cookies, from AWS's public description alone: nothing here imports `cluster.edge.cdn`.

Signatures are checked by `openssl` where it is asked for, else by `cryptography`. It is as lenient as CloudFront is described to be: SHA-1
where no algorithm is named, any path that the resource matches, addresses of clients.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

NAMES = {"Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
OPENSSL = shutil.which("openssl")


def served(url: str, cookies: Mapping[str, str], keys: Mapping[str, str], now: int, *, openssl: bool = False) -> bool:
    """Whether CloudFront would serve it: by the URL where that is signed, else by the cookies."""
    base, _, query = url.partition("?")
    pieces = [piece.partition("=") for piece in query.split("&") if piece]
    given = {name: value for name, _, value in pieces if name in NAMES}
    rest = [f"{name}{sign}{value}" for name, sign, value in pieces if name not in NAMES]
    if not given:
        given = {name: cookies[f"CloudFront-{name}"] for name in NAMES if f"CloudFront-{name}" in cookies}
    if {"Policy", "Signature", "Key-Pair-Id"} - set(given) or given["Key-Pair-Id"] not in keys:
        return False
    algorithm = given.get("Hash-Algorithm", "SHA1")
    if algorithm not in ("SHA1", "SHA256"):
        return False
    try:
        policy, signature = plain(given["Policy"]), plain(given["Signature"])
        good = by_openssl if openssl else by_cryptography
        if not good(keys[given["Key-Pair-Id"]], signature, policy, algorithm):
            return False
        statement = json.loads(policy)["Statement"][0]
        condition = statement["Condition"]
        if now >= condition["DateLessThan"]["AWS:EpochTime"]:
            return False
        if now < condition.get("DateGreaterThan", {}).get("AWS:EpochTime", 0):
            return False
    except (ValueError, KeyError, IndexError, TypeError):
        return False
    return matches(statement["Resource"], base + ("?" + "&".join(rest) if rest else ""))


def plain(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "=").replace("~", "/"), validate=True)


def matches(pattern: str, text: str) -> bool:
    """`*` is any number of characters and `?` is one: compared by hand, not by a regular expression."""
    reached = {0}
    for letter in pattern:
        if letter == "*":
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(text) and letter in ("?", text[at])}
    return len(text) in reached


def by_cryptography(pem: str, signature: bytes, data: bytes, algorithm: str) -> bool:
    key, digest = serialization.load_pem_public_key(pem.encode()), getattr(hashes, algorithm)()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), digest)
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(signature, data, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True


def by_openssl(pem: str, signature: bytes, data: bytes, algorithm: str) -> bool:
    assert OPENSSL is not None
    with tempfile.TemporaryDirectory() as folder:
        key, signed = Path(folder, "key.pem"), Path(folder, "signature")
        key.write_text(pem)
        signed.write_bytes(signature)
        argv = [OPENSSL, "dgst", f"-{algorithm.lower()}", "-verify", str(key), "-signature", str(signed)]
        return subprocess.run(argv, input=data, capture_output=True).returncode == 0
