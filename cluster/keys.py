"""The key service: signing, wrapping and public halves. Private keys never leave it.

`KeyService` is what the rest of the service needs; OpenBao's transit engine implements it here (production: AWS KMS).
Calls block: async callers use a thread. Content keys are wrapped under one symmetric key with the tenant as context,
so a wrapped key of one tenant does not unwrap as another's. Signatures are ES256 over the message, raw r||s.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import stamina
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cluster import telemetry
from cluster.settings import Settings
from cluster.telemetry.metrics import KEYS
from content.errors import ContentError

WRAPPING_KEY = "content-wrapping"
BATCH = 250  # OpenBao refuses batches of 1000


class KeyService(Protocol):
    """What the service asks of its keys; `name` is the key's name in the key service, not its kid."""

    def create(self, name: str) -> dict[str, str]: ...

    def public_jwk(self, name: str) -> dict[str, str]: ...

    def sign(self, name: str, message: bytes) -> bytes: ...

    def wrap(self, tenant: str, keys: Sequence[bytes]) -> list[str]: ...

    def unwrap(self, tenant: str, wrapped: Sequence[str]) -> list[bytes]: ...


@dataclass(frozen=True)
class ServiceSigner:
    """`content.signatures.Signer` on the key service; counts its calls, since they are what KMS charges for."""

    service: KeyService
    name: str
    kid: str

    def sign(self, message: bytes) -> bytes:
        return self.service.sign(self.name, message)


class OpenBao:
    """OpenBao's (or Vault's) transit engine over HTTP.

    Errors: ContentError `keys-unavailable` (retryable) when it does not answer, `key-refused` when it says no.
    """

    def __init__(self, settings: Settings) -> None:
        self._http = httpx.Client(
            base_url=f"{settings.openbao_url}/v1/transit/",
            headers={"X-Vault-Token": settings.openbao_token.get_secret_value()},
            timeout=10.0,
        )
        self.calls: dict[str, int] = {}

    def create(self, name: str) -> dict[str, str]:
        self._call("POST", f"keys/{name}", {"type": "ecdsa-p256", "exportable": False})
        return self.public_jwk(name)

    def public_jwk(self, name: str) -> dict[str, str]:
        versions: dict[str, Any] = self._call("GET", f"keys/{name}")["keys"]
        key = load_pem_public_key(versions[max(versions, key=int)]["public_key"].encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ContentError("key-refused", f"The key {name} is not a P-256 key.")
        numbers = key.public_numbers()
        return {"crv": "P-256", "kty": "EC", "x": _base64url(numbers.x), "y": _base64url(numbers.y)}

    def sign(self, name: str, message: bytes) -> bytes:
        body = {
            "input": base64.b64encode(message).decode(),
            "marshaling_algorithm": "jws",
            "hash_algorithm": "sha2-256",
        }
        signature: str = self._call("POST", f"sign/{name}", body)["signature"]
        text = signature.rsplit(":", 1)[1]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def wrap(self, tenant: str, keys: Sequence[bytes]) -> list[str]:
        items = [{"plaintext": base64.b64encode(key).decode(), "context": _context(tenant)} for key in keys]
        return [str(result["ciphertext"]) for result in self._batch(f"encrypt/{WRAPPING_KEY}", items)]

    def unwrap(self, tenant: str, wrapped: Sequence[str]) -> list[bytes]:
        items = [{"ciphertext": text, "context": _context(tenant)} for text in wrapped]
        return [base64.b64decode(result["plaintext"]) for result in self._batch(f"decrypt/{WRAPPING_KEY}", items)]

    def ensure_wrapping_key(self) -> None:
        """Make the symmetric key once; asking again changes nothing."""
        self._call("POST", f"keys/{WRAPPING_KEY}", {"type": "aes256-gcm96", "derived": True, "exportable": False})

    def ready(self) -> None:
        """Raises `keys-unavailable` or `key-refused` unless keys can be used now."""
        self._call("GET", f"keys/{WRAPPING_KEY}")

    def _batch(self, path: str, items: list[dict[str, str]]) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for start in range(0, len(items), BATCH):
            results += self._call("POST", path, {"batch_input": items[start : start + BATCH]})["batch_results"]
        if any(result.get("error") for result in results):
            raise ContentError("key-refused", "The key service refused to unwrap a content key.")
        return results

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        with telemetry.calling(KEYS, action=path.split("/")[0]):
            return self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        self.calls[path.split("/")[0]] = self.calls.get(path.split("/")[0], 0) + 1
        for attempt in stamina.retry_context(on=_Unavailable, attempts=4, wait_initial=0.1, wait_max=2.0, timeout=20.0):
            with attempt:
                try:
                    response = self._http.request(method, path, json=body)
                except httpx.HTTPError as error:
                    raise _Unavailable from error
                if response.status_code == 429 or response.status_code >= 500:
                    raise _Unavailable
                if response.status_code >= 400:
                    action = path.split("/")[0]
                    raise ContentError("key-refused", f"The key service refused {action}: {_reasons(response)}.")
                return json.loads(response.content).get("data", {}) if response.content else {}
        raise _Unavailable  # not reached: the last attempt raises


class _Unavailable(ContentError):
    def __init__(self, *_: object) -> None:
        super().__init__("keys-unavailable", "The key service does not answer.", "Try again.", True)


def connect(settings: Settings) -> OpenBao:
    """The key service of this process."""
    return OpenBao(settings)


def _reasons(response: httpx.Response) -> str:
    try:
        return "; ".join(response.json()["errors"]) or str(response.status_code)
    except (ValueError, KeyError, TypeError):
        return str(response.status_code)


def _context(tenant: str) -> str:
    return base64.b64encode(tenant.encode()).decode()


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
