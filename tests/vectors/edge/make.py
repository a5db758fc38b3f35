"""Writes the vectors of signed URLs and cookies: `python -m tests.vectors.edge.make`. The same bytes each time.

Written from the public description of CloudFront's signed URLs and nothing of ours, so that what `cluster.edge.cdn` signs and checks is
compared with a second reading. The private keys are made from a text and protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HERE = Path(__file__).parent
NOW = 1_795_000_000
HOST = "https://edge.eu.content.example"
PART = f"{HOST}/bundles/acme/bnd_1/3f/0.part"
FOLDER = f"{HOST}/bundles/acme/bnd_1/"
SITE = "https://acme.sites.eu.content.example/exports/acme/pkg_1/3/exp_1/0f/site/"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def stream(seed: str) -> Iterator[bytes]:
    number = 0
    while True:
        yield hashlib.sha256(f"{seed}/{number}".encode()).digest()
        number += 1


def elliptic(seed: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1 + int.from_bytes(next(stream(seed))) % (ORDER - 1), ec.SECP256R1())


def is_prime(number: int) -> bool:
    """Miller-Rabin; the candidates are random, so a few bases are enough."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def prime(seed: str) -> int:
    some = stream(seed)
    number = int.from_bytes(b"".join(next(some) for _ in range(4))) | (3 << 1022) | 1
    small = [each for each in range(3, 2000, 2) if all(each % other for other in range(3, int(each**0.5) + 1, 2))]
    while any(number % each == 0 for each in small) or number % 65537 == 1 or not is_prime(number):
        number += 2
    return number


def rsa_key(seed: str) -> rsa.RSAPrivateKey:
    p, q = prime(f"{seed}/p"), prime(f"{seed}/q")
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    )
    return numbers.private_key()


KEYS = {"KEC1": elliptic("edge one"), "KEC2": elliptic("edge two"), "KRSA": rsa_key("edge rsa")}
STRANGER = elliptic("a stranger")


def pem(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def cdn64(data: bytes) -> str:
    return base64.b64encode(data).decode().replace("+", "-").replace("=", "_").replace("/", "~")


def policy(resource: str, before: int = NOW + 60, after: int | None = None, **more: Any) -> bytes:
    condition: dict[str, Any] = {"DateLessThan": {"AWS:EpochTime": before}}
    if after is not None:
        condition["DateGreaterThan"] = {"AWS:EpochTime": after}
    return json.dumps(
        {"Statement": [{"Resource": resource, "Condition": condition | more}]}, separators=(",", ":")
    ).encode()


def signature(key: Any, document: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    algorithm = algorithm or hashes.SHA256()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(document, padding.PKCS1v15(), algorithm)
    return key.sign(document, ec.ECDSA(algorithm, deterministic_signing=True))


def parameters(document: bytes, key_id: str = "KEC1", key: Any = None, **changed: str | None) -> dict[str, str]:
    """The four, in their order; `changed` by name with `_` for `-`: None leaves one out."""
    given: dict[str, str | None] = {
        "Policy": cdn64(document), "Signature": cdn64(signature(key or KEYS[key_id], document)), "Key-Pair-Id": key_id,
        "Hash-Algorithm": "SHA256",
    }  # fmt: skip
    given |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in given.items() if value is not None}


def query(given: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in given.items())


def url(document: bytes, at: str = PART, **about: Any) -> str:
    return f"{at}{'&' if '?' in at else '?'}{query(parameters(document, **about))}"


def cookies(document: bytes, **about: Any) -> dict[str, str]:
    return {f"CloudFront-{name}": value for name, value in parameters(document, **about).items()}


def flipped(text: str, at: int) -> str:
    """The text with one of its base64 characters changed."""
    return text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


def good() -> dict[str, dict[str, Any]]:
    return {
        "url-ecdsa": {"url": url(policy(PART))},
        "url-rsa": {"url": url(policy(PART), key_id="KRSA")},
        "url-second-key": {"url": url(policy(PART), key_id="KEC2")},
        "url-folder": {"url": url(policy(f"{FOLDER}*"))},
        "url-folder-rsa": {"url": url(policy(f"{FOLDER}*"), key_id="KRSA")},
        "url-question-mark": {"url": url(policy(f"{FOLDER}3f/?.part"))},
        "url-host-wildcard": {"url": url(policy("https://*.content.example/bundles/acme/*"))},
        "url-own-query": {"url": url(policy(f"{PART}?v=1&w=2"), at=f"{PART}?v=1&w=2")},
        "url-own-query-behind": {"url": f"{url(policy(f'{PART}?v=1'))}&v=1"},
        "url-escaped": {"url": url(policy(f"{SITE}*"), at=f"{SITE}media/caf%C3%A9%20noir.webp")},
        "url-dots-in-a-name": {"url": url(policy(f"{FOLDER}*"), at=f"{FOLDER}a..b/...part")},
        "url-last-second": {"url": url(policy(PART, NOW + 1))},
        "url-since-now": {"url": url(policy(PART, after=NOW))},
        "cookies-ecdsa": {"url": f"{SITE}index.html", "cookies": cookies(policy(f"{SITE}*"))},
        "cookies-rsa": {"url": f"{SITE}media/a.webp", "cookies": cookies(policy(f"{SITE}*"), key_id="KRSA")},
        "cookies-among-others": {
            "url": f"{SITE}index.html", "cookies": {"theme": "dark", **cookies(policy(f"{SITE}*"), key_id="KEC2")},
        },
    }  # fmt: skip


def bad() -> dict[str, dict[str, Any]]:
    """Each with the code of our refusal. `stricter`: CloudFront would serve it, or may."""
    plain, wide = policy(PART), policy(f"{FOLDER}*")
    given = parameters(plain)
    elsewhere = {
        "sibling": f"{HOST}/bundles/acme/bnd_2/3f/0.part", "folder-itself": FOLDER.rstrip("/"),
        "prefix-of-a-name": f"{HOST}/bundles/acme/bnd_10/0.part", "tenant": f"{HOST}/bundles/other/bnd_1/3f/0.part",
        "host": PART.replace("edge.eu", "edge.us"), "scheme": PART.replace("https", "http"),
    }  # fmt: skip
    detours = {
        "dots": f"{FOLDER}../bnd_2/0.part", "escaped-dots": f"{FOLDER}%2e%2e/bnd_2/0.part", "mixed-dots": f"{FOLDER}.%2E/bnd_2/0.part",
        "escaped-slash": f"{FOLDER}..%2fbnd_2/0.part", "double-slash": f"{FOLDER}/0.part", "backslash": f"{FOLDER}..\\bnd_2",
        "twice-escaped": f"{FOLDER}%252e%252e/0.part", "nul": f"{FOLDER}0.part%00.txt",
    }  # fmt: skip
    two = json.dumps({"Statement": [json.loads(plain)["Statement"][0]] * 2}, separators=(",", ":")).encode()
    found: dict[str, dict[str, Any]] = {
        "unsigned": {"url": PART, "code": "url-unsigned"},
        "unsigned-with-a-query": {"url": f"{PART}?v=1", "code": "url-unsigned"},
        "cookies-none": {"url": f"{SITE}index.html", "cookies": {}, "code": "url-unsigned"},
        "expired": {"url": url(policy(PART, NOW - 1)), "code": "url-expired"},
        "expired-now": {"url": url(policy(PART, NOW)), "code": "url-expired"},
        "not-yet": {"url": url(policy(PART, after=NOW + 1)), "code": "url-expired"},
        "expired-cookies": {
            "url": f"{SITE}index.html", "cookies": cookies(policy(f"{SITE}*", NOW - 1)), "code": "url-expired",
        },
        **{
            f"elsewhere-{name}": {"url": url(wide, at=at), "code": "url-resource"}
            for name, at in elsewhere.items()
        },
        "elsewhere-query": {"url": f"{url(plain)}&versionId=old", "code": "url-resource"},
        "elsewhere-cookies": {
            "url": SITE.replace("exp_1", "exp_2") + "index.html", "cookies": cookies(policy(f"{SITE}*")), "code": "url-resource",
        },
        "dot-is-no-wildcard": {"url": url(plain, at=PART.replace("0.part", "0xpart")), "code": "url-resource"},
        **{
            f"detour-{name}": {"url": url(wide, at=at), "code": "url-resource", "stricter": True}
            for name, at in detours.items()
        },
        "key-unknown": {"url": url(plain, key_id="KNONE", key=STRANGER), "code": "url-signature"},
        "key-of-a-stranger": {"url": url(plain, key=STRANGER), "code": "url-signature"},
        "key-of-the-other": {"url": url(plain, key_id="KEC2", key=KEYS["KEC1"]), "code": "url-signature"},
        "key-of-another-kind": {"url": url(plain, key_id="KRSA", key=KEYS["KEC1"]), "code": "url-signature"},
        "signature-of-another-policy": {
            "url": url(plain, Signature=parameters(wide)["Signature"]), "code": "url-signature",
        },
        "signature-flipped": {"url": url(plain, Signature=flipped(given["Signature"], 20)), "code": "url-signature"},
        "signature-flipped-rsa": {
            "url": url(plain, key_id="KRSA", Signature=flipped(parameters(plain, "KRSA")["Signature"], 20)),
            "code": "url-signature",
        },
        "signature-cut": {"url": url(plain, Signature=given["Signature"][:-8]), "code": "url-signature"},
        "signature-raw": {"url": url(plain, Signature=cdn64(raw(plain))), "code": "url-signature"},
        "signature-and-more": {
            "url": url(plain, Signature=cdn64(signature(KEYS["KEC1"], plain) + b"\0")), "code": "url-signature",
        },
        "signature-empty": {"url": url(plain, Signature=""), "code": "url-signature"},
        "signature-plain-base64": {
            "url": url(plain, key_id="KRSA", Signature=base64.b64encode(signature(KEYS["KRSA"], plain)).decode()),
            "code": "url-signature", "stricter": True,
        },
        "policy-flipped": {"url": url(plain, Policy=flipped(given["Policy"], 30)), "code": "url-signature"},
        "policy-longer-life": {"url": url(plain, Policy=cdn64(policy(PART, NOW + 999))), "code": "url-signature"},
        "policy-no-json": {"url": url(b"no policy"), "code": "url-signature"},
        "policy-empty": {"url": url(b"{}"), "code": "url-signature"},
        "policy-two-statements": {"url": url(two), "code": "url-signature", "stricter": True},
        "policy-without-an-end": {
            "url": url(json.dumps({"Statement": [{"Resource": PART, "Condition": {}}]}).encode()), "code": "url-signature",
        },
        "policy-with-an-address": {
            "url": url(policy(PART, IpAddress={"AWS:SourceIp": "0.0.0.0/0"})), "code": "url-signature", "stricter": True,
        },
        "hash-sha1": {
            "url": url(plain, key_id="KRSA", Signature=cdn64(signature(KEYS["KRSA"], plain, hashes.SHA1())), Hash_Algorithm=None),
            "code": "url-signature", "stricter": True,
        },
        "hash-sha1-called-sha256": {
            "url": url(plain, key_id="KRSA", Signature=cdn64(signature(KEYS["KRSA"], plain, hashes.SHA1()))),
            "code": "url-signature",
        },
        "hash-of-another-name": {"url": url(plain, Hash_Algorithm="SHA512"), "code": "url-signature"},
        **{
            f"without-{name.lower()}": {
                "url": f"{PART}?{query({other: value for other, value in given.items() if other != name})}",
                "code": "url-signature",
            }
            for name in given
        },
        **{
            f"twice-{name.lower()}": {"url": f"{PART}?{query(given)}&{name}={value}", "code": "url-signature", "stricter": True}
            for name, value in given.items()
        },
        "disguised-policy": {
            "url": f"{PART}?{query(given).replace('Policy=', '%50olicy=', 1)}", "code": "url-signature",
        },
        "cookies-without-the-policy": {
            "url": f"{SITE}index.html",
            "cookies": {name: value for name, value in cookies(policy(f"{SITE}*")).items() if not name.endswith("Policy")},
            "code": "url-unsigned",
        },
        "cookies-flipped": {
            "url": f"{SITE}index.html",
            "cookies": cookies(policy(f"{SITE}*"), Signature=flipped(parameters(policy(f"{SITE}*"))["Signature"], 20)),
            "code": "url-signature",
        },
        "cookies-that-smuggle": {
            "url": f"{SITE}index.html", "cookies": cookies(policy(f"{SITE}*"), Key_Pair_Id="KEC1&Policy=x"), "code": "url-signature",
        },
    }  # fmt: skip
    return found


def raw(document: bytes) -> bytes:
    """r‖s, as WebCrypto has it, in place of DER."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(signature(KEYS["KEC1"], document))
    return r.to_bytes(32) + s.to_bytes(32)


def vectors() -> dict[str, Any]:
    return {
        "now": NOW,
        "keys": {key_id: pem(key) for key_id, key in KEYS.items()},
        "good": good(),
        "bad": bad(),
    }


def main() -> None:
    (HERE / "signatures.json").write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()
