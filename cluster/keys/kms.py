"""AWS KMS as the key service: multi-Region keys, asked in the primary region and, where that is away, in the replica's.

A key is found by aliases, one of its name (`alias/content/acme/signing/1`) and one of its kid, the thumbprint of its public
half. Signing goes by the kid: an alias can be pointed elsewhere, and a name may have met two keys while a region was away,
but a signature is returned only if the public key of that very thumbprint verifies it. Keys are made, copied and ended in
`kms_keys.py`; content keys are wrapped by `batch_keys.py`, under batch keys that KMS wraps with the tenant as its
encryption context.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import stamina
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cluster.keys import signatures
from cluster.keys.batch_keys import BatchKeys
from cluster.keys.cache import Cache
from cluster.keys.envelope import BATCH_KEY_BYTES, BatchKey
from cluster.keys.errors import Elsewhere, refused
from cluster.keys.kms_keys import WRAPPING_ALIAS, KmsKeys, kid_alias, name_alias
from cluster.keys.kms_region import Place
from cluster.keys.kms_regions import Regions
from cluster.settings import Settings
from cluster.topology import REPLICAS
from content.jwk import public_jwk, thumbprint

RAW_BYTES = 4096
"""As much of a message KMS hashes itself; of a longer one it is given the digest."""
PUBLIC_KEYS, PUBLIC_TTL_S = 10_000, 24 * 3600.0
YOUNG_S = 60.0
"""For so long a new key may not be seen everywhere."""


class Kms:
    """See `cluster.keys.protocol.KeyService`. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self.calls: dict[str, int] = {}
        self._counting = threading.Lock()
        self._regions = Regions(settings, places(settings), self._count)
        self._keys = KmsKeys(settings, self._regions)
        self._young: Cache[bool] = Cache(1000, YOUNG_S)
        self._public: Cache[ec.EllipticCurvePublicKey] = Cache(PUBLIC_KEYS, PUBLIC_TTL_S)
        self._batches = BatchKeys(
            self._new_batch_key, self._open_batch_key, uses=settings.kms_batch_key_uses, ttl_s=settings.kms_batch_key_ttl_s
        )  # fmt: skip

    # -- signing ------------------------------------------------------------------------------------------------------

    def sign(self, name: str, message: bytes, kid: str = "") -> bytes:
        alias = kid_alias(kid) if kid else name_alias(name)
        signed = self._seen(alias, "Sign", SigningAlgorithm="ECDSA_SHA_256", **_message(message))
        raw = signatures.raw_of(signed["Signature"])
        try:
            self._public_key(alias, kid).verify(signed["Signature"], message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise refused(f"AWS KMS signed with another key than {kid or name}.", "Look at its aliases.") from error
        return raw

    def public_jwk(self, name: str) -> dict[str, str]:
        return public_jwk(self._public_key(name_alias(name)))

    def _public_key(self, alias: str, kid: str = "") -> ec.EllipticCurvePublicKey:
        known = self._public.get(alias)
        if known is not None:
            return known
        key = load_der_public_key(self._seen(alias, "GetPublicKey")["PublicKey"])
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise refused(f"The key {alias} is not a P-256 key.")
        if kid and thumbprint(key) != kid:
            raise refused(f"The alias {alias} names another key.", "Somebody has changed it: see CloudTrail.")
        return self._public.put(alias, key)

    def _seen(self, key: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Ask for a key that we may have made a moment ago: KMS says for some seconds that there is no such key or alias."""

        def young(error: Exception) -> bool:
            return isinstance(error, Elsewhere) and not error.retryable and self._young.get(key) is not None

        for attempt in stamina.retry_context(
            on=young, attempts=10, wait_initial=0.1, wait_max=2.0, wait_jitter=0.1, timeout=YOUNG_S / 2
        ):
            with attempt:
                return self._regions.anywhere(action, KeyId=key, **parameters)
        raise AssertionError("a retry context ends with a result or an error")

    # -- content keys -------------------------------------------------------------------------------------------------

    def wrap(self, tenant: str, keys: Sequence[bytes]) -> list[str]:
        return self._batches.wrap(tenant, list(keys))

    def unwrap(self, tenant: str, wrapped: Sequence[str]) -> list[bytes]:
        return self._batches.unwrap(tenant, list(wrapped))

    def _new_batch_key(self, tenant: str) -> BatchKey:
        made = self._regions.anywhere(
            "GenerateDataKey", KeyId=WRAPPING_ALIAS, NumberOfBytes=BATCH_KEY_BYTES, EncryptionContext={"tenant": tenant}
        )
        return BatchKey(made["Plaintext"], made["CiphertextBlob"])

    def _open_batch_key(self, tenant: str, blob: bytes) -> bytes:
        opened = self._regions.anywhere(
            "Decrypt", KeyId=WRAPPING_ALIAS, CiphertextBlob=blob, EncryptionContext={"tenant": tenant}
        )
        return opened["Plaintext"]

    # -- keys ---------------------------------------------------------------------------------------------------------

    def create(self, name: str) -> dict[str, str]:
        key_id = self._keys.create(name)
        self._young.put(key_id, True)
        jwk = public_jwk(self._public_key(key_id))
        kid = thumbprint(jwk)
        self._keys.replicate(name, kid)
        self._young.put(kid_alias(kid), True)
        return jwk

    def replicate(self, name: str, kid: str) -> bool:
        return self._keys.replicate(name, kid)

    def disable(self, name: str, kid: str) -> None:
        self._keys.disable(name, kid)

    def schedule_deletion(self, name: str, kid: str, days: int) -> None:
        self._keys.schedule_deletion(name, kid, days)

    def ensure_wrapping_key(self) -> None:
        self._keys.ensure_wrapping_key()

    def ready(self) -> None:
        self._regions.anywhere("DescribeKey", KeyId=WRAPPING_ALIAS)

    def tell(self) -> None:
        self._regions.tell()

    def _count(self, kind: str) -> None:
        with self._counting:
            self.calls[kind] = self.calls.get(kind, 0) + 1


def places(settings: Settings) -> tuple[Place, Place]:
    """The primary and the replica: as the settings say, else the pair of the region (`cluster.topology.REPLICAS`)."""
    pair = REPLICAS[settings.region]
    return (
        Place(settings.kms_region or pair.primary, settings.kms_endpoint),
        Place(settings.kms_replica_region or pair.replica, settings.kms_replica_endpoint),
    )


def _message(message: bytes) -> dict[str, Any]:
    """Both ways give a signature over the same: SHA-256 of the message."""
    if 0 < len(message) <= RAW_BYTES:
        return {"Message": message, "MessageType": "RAW"}
    return {"Message": hashlib.sha256(message).digest(), "MessageType": "DIGEST"}
