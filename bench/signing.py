"""What a key service gives per second: signatures one by one, side by side, and in batches; content keys wrapped and opened.

OpenBao is the real server. AWS KMS is moto in a process of its own, in Python: its figures say what our client and a server
of that kind take together, and nothing about AWS, whose limit is the account's quota (300 to 1000 signatures a second and
region). So the client's own share of a call is measured too, with a connection that answers at once, and what the limiter
lets through under a quota. A batch is what the service really does: one signature over a tree of documents.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.results import Result, at_least, fact, limit
from cluster.keys import KeyService, ServiceSigner, connect
from cluster.keys.limiter import Limiter
from content.jwk import thumbprint
from content.signatures import sign_documents
from tests.support.key_services import kms_settings, moto, openbao

SECONDS = float(os.environ.get("CONTENT_BENCH_SIGNING", "4"))
THREADS, LICENCES, KEYS = 16, 1000, 1000
QUOTA = 300
DOCUMENT = b'{"type":"licence"}' + b" " * 1500


def measure() -> list[Result]:
    found: list[Result] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings, _ = stack.enter_context(openbao(folder))
        url = stack.enter_context(moto())
        kms = kms_settings(url, url, kms_sign_quota=1_000_000, kms_symmetric_quota=1_000_000)
        for name, given in (("OpenBao", settings), ("KMS (moto)", kms)):
            found += _backend(name, connect(given))
        found += _client(connect(kms))
    return [*found, *_limiter()]


def _backend(name: str, keys: KeyService) -> list[Result]:
    keys.ensure_wrapping_key()
    jwk = keys.create("bench.signing.1")
    signer = ServiceSigner(keys, "bench.signing.1", thumbprint(jwk))
    signer.sign(b"warm")
    one = _rate(lambda: signer.sign(b"x" * 200))
    many = _side_by_side(lambda: signer.sign(b"x" * 200))
    documents, now = [DOCUMENT] * LICENCES, datetime.now(UTC)
    batch = _rate(lambda: sign_documents(documents, signer, iss="bench", iat=now)) * LICENCES
    plain = [os.urandom(32) for _ in range(KEYS)]
    wrapped = keys.wrap("bench", plain)
    return [
        fact(f"signing: {name}, one by one", one, "signatures/s"),
        fact(f"signing: {name}, {THREADS} threads", many, "signatures/s"),
        at_least(f"signing: {name}, batches of {LICENCES}", batch, "licences/s", one, 10.0),
        fact(f"signing: {name}, content keys wrapped", _rate(lambda: keys.wrap("bench", plain)) * KEYS, "keys/s"),
        fact(f"signing: {name}, content keys opened", _rate(lambda: keys.unwrap("bench", wrapped)) * KEYS, "keys/s"),
    ]


def _client(keys: Any) -> list[Result]:
    """What a signature costs here, with an answer that is there at once: our code, then botocore's with it."""
    jwk = keys.create("bench.signing.2")
    name, kid, message = "bench.signing.2", thumbprint(jwk), b"x" * 200
    keys.sign(name, message, kid)
    (first, *_) = list(keys._regions)
    client = first._client
    signed = client.sign(
        KeyId=f"alias/content/kid/{kid}", Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
    )

    class AtOnce:
        def sign(self, **_: Any) -> Any:
            return signed

    first.__dict__["_client"] = AtOnce()
    ours = _rate(lambda: keys.sign(name, message, kid))
    first.__dict__["_client"] = client
    client.meta.events.register("before-call.kms.Sign", lambda **_: (_Answered(), signed))  # no request is sent
    both = _rate(lambda: keys.sign(name, message, kid))
    return [
        limit("signing: our client's share of a KMS call", 1e6 / ours, "µs", 2000),
        fact("signing: the same with botocore's", 1e6 / both, "µs"),
    ]


class _Answered:
    status_code = 200


def _limiter() -> list[Result]:
    """What one process gets of a quota when it begins, when it was quiet for a minute, and when all ask at once."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def over(seconds: float, limiter: Limiter) -> float:
        end, count = now + seconds, 0
        while now < end:
            count += limiter.take(60.0)
        return count / seconds

    def fresh() -> Limiter:
        return Limiter(0.8 * QUOTA / 100, 0.8 * QUOTA, clock=lambda: now, sleep=sleep)

    begun = over(1.0, fresh())
    quiet = fresh()
    now += 60.0
    rested = over(10.0, quiet)
    crowd = fresh()
    for _ in range(10):
        now += 1.0
        crowd.throttled()
    real = Limiter(1e6, 1e6)
    return [
        fact(f"signing: limiter, a process's first second of a quota of {QUOTA}", begun, "signatures/s"),
        limit(f"signing: limiter, a process alone with a quota of {QUOTA}", rested, "signatures/s", QUOTA),
        limit("signing: limiter, all 100 processes throttled, together", crowd.rate * 100, "signatures/s", QUOTA),
        fact("signing: limiter, one turn", 1e6 / _rate(lambda: real.take(1.0)), "µs"),
    ]


def _rate(work: Callable[[], object]) -> float:
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < SECONDS:
        work()
        count += 1
    return count / elapsed


def _side_by_side(work: Callable[[], object]) -> float:
    end = time.perf_counter() + SECONDS

    def run(_: int) -> int:
        count = 0
        while time.perf_counter() < end:
            work()
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        total = sum(pool.map(run, range(THREADS)))
    return total / (time.perf_counter() - began)
