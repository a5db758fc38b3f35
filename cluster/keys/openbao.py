"""OpenBao's (or Vault's) transit engine as the key service: one server, batches of many keys per call.

A key that is disabled is soft-deleted there: it stays, and signs nothing until an operator restores it. The service's
token can do that; to delete a key takes another one (docs/keys.md).
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from typing import Any

import httpx
import stamina
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cluster import telemetry
from cluster.keys import signatures
from cluster.keys.errors import Unavailable, disabled, refused
from cluster.keys.protocol import WRAPPING_KEY
from cluster.settings import Settings
from cluster.telemetry.metrics import KEYS
from content.jwk import public_jwk, thumbprint

BATCH = 200
"""OpenBao refuses a request with more than 1000 strings; an item has four."""
SOFT_DELETED = "soft-deleted"


class OpenBao:
    """OpenBao's (or Vault's) transit engine over HTTP.

    Errors: ContentError `keys-unavailable` (retryable) when it does not answer, `key-refused` when it says no.
    """

    def __init__(self, settings: Settings) -> None:
        self._http = httpx.Client(
            base_url=f"{settings.openbao_url}/v1/transit/",
            headers={"X-Vault-Token": settings.openbao_token.get_secret_value()},
            timeout=10.0,
            follow_redirects=False,
            trust_env=False,  # no proxy of the environment sees the token
        )
        self.calls: dict[str, int] = {}
        self._counting = threading.Lock()
        self._kids: dict[str, int] = {}

    def create(self, name: str) -> dict[str, str]:
        self._call("POST", f"keys/{name}", {"type": "ecdsa-p256", "exportable": False})
        return self.public_jwk(name)

    def public_jwk(self, name: str) -> dict[str, str]:
        versions = self._versions(name)
        return versions[max(versions)]

    def sign(self, name: str, message: bytes, kid: str = "") -> bytes:
        body: dict[str, Any] = {
            "input": base64.b64encode(message).decode(),
            "marshaling_algorithm": "jws",
            "hash_algorithm": "sha2-256",
        }
        if kid:
            body["key_version"] = self._version_of(name, kid)
        signature: str = self._call("POST", f"sign/{name}", body)["signature"]
        text = signature.rsplit(":", 1)[1]
        return signatures.checked(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    def _version_of(self, name: str, kid: str) -> int:
        """Which version of a key has this thumbprint; asked once, since a version never becomes another key."""
        known = self._kids.get(kid)
        if known is None:
            known = next((n for n, jwk in self._versions(name).items() if thumbprint(jwk) == kid), None)
            if known is None:
                raise refused(f"No version of the key {name} is {kid}.", "Somebody has changed it.")
            self._kids[kid] = known
        return known

    def _versions(self, name: str) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        described = self._call("GET", f"keys/{name}")
        if described.get("soft_deleted"):
            raise disabled(name)
        for number, version in described["keys"].items():
            key = load_pem_public_key(version["public_key"].encode())
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
                raise refused(f"The key {name} is not a P-256 key.")
            found[int(number)] = public_jwk(key)
        return found

    def wrap(self, tenant: str, keys: Sequence[bytes]) -> list[str]:
        items = [{"plaintext": base64.b64encode(key).decode(), "context": _context(tenant)} for key in keys]
        return [str(result["ciphertext"]) for result in self._batch(f"encrypt/{WRAPPING_KEY}", items)]

    def unwrap(self, tenant: str, wrapped: Sequence[str]) -> list[bytes]:
        items = [{"ciphertext": text, "context": _context(tenant)} for text in wrapped]
        return [base64.b64decode(result["plaintext"]) for result in self._batch(f"decrypt/{WRAPPING_KEY}", items)]

    def ensure_wrapping_key(self) -> None:
        """Make the symmetric key once; asking again changes nothing."""
        self._call("POST", f"keys/{WRAPPING_KEY}", {"type": "aes256-gcm96", "derived": True, "exportable": False})

    def replicate(self, name: str, kid: str) -> bool:
        """OpenBao's own storage stands in several places, or it does not: nothing to do here."""
        return True

    def disable(self, name: str, kid: str) -> None:
        self._call("DELETE", f"keys/{name}/soft-delete")

    def schedule_deletion(self, name: str, kid: str, days: int) -> None:
        """There is no waiting in OpenBao: it is gone at once, which is why only a key that is disabled is deleted."""
        if not self._call("GET", f"keys/{name}").get("soft_deleted"):
            raise refused(f"The key {name} still signs.", "Disable it first, and wait.")
        # Its settings can be changed only while it is not soft-deleted.
        self._call("POST", f"keys/{name}/soft-delete-restore")
        self._call("POST", f"keys/{name}/config", {"deletion_allowed": True})
        self._call("DELETE", f"keys/{name}")

    def ready(self) -> None:
        """Raises `keys-unavailable` or `key-refused` unless keys can be used now."""
        self._call("GET", f"keys/{WRAPPING_KEY}")

    def tell(self) -> None:
        """It has no quota: nothing to tell."""

    def _batch(self, path: str, items: list[dict[str, str]]) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for start in range(0, len(items), BATCH):
            results += self._call("POST", path, {"batch_input": items[start : start + BATCH]})["batch_results"]
        if any(result.get("error") for result in results):
            raise refused("The key service refused to unwrap a content key.")
        return results

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        with telemetry.calling(KEYS, action=path.split("/")[0]):
            return self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        action = path.split("/")[0]
        with self._counting:
            self.calls[action] = self.calls.get(action, 0) + 1
        for attempt in stamina.retry_context(on=Unavailable, attempts=4, wait_initial=0.1, wait_max=2.0, timeout=20.0):
            with attempt:
                try:
                    response = self._http.request(method, path, json=body)
                except httpx.HTTPError as error:
                    raise Unavailable from error
                told = _reasons(response) if response.status_code >= 300 else ""
                if SOFT_DELETED in told:
                    raise disabled(path.split("/")[1])  # which it answers with 500
                if response.status_code == 429 or response.status_code >= 500:
                    raise Unavailable
                if response.status_code >= 300:  # a redirect is not followed, and nothing was done
                    raise refused(f"The key service refused {action}: {told}.")
                return json.loads(response.content).get("data", {}) if response.content else {}
        raise Unavailable  # not reached: the last attempt raises


def _reasons(response: httpx.Response) -> str:
    try:
        return "; ".join(response.json()["errors"]) or str(response.status_code)
    except (ValueError, KeyError, TypeError):
        return str(response.status_code)


def _context(tenant: str) -> str:
    return base64.b64encode(tenant.encode()).decode()
