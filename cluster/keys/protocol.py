"""What the service asks of its keys, whoever keeps them.

Calls block: async callers use a thread. Signatures are ES256 over the message, raw r‖s. Content keys are wrapped with the
tenant as context, so a wrapped key of one tenant does not unwrap as another's. A key is created, used, disabled, and
(by an operator with rights of his own, long after) deleted; it is never exported and never comes back under its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

WRAPPING_KEY = "content-wrapping"


class KeyService(Protocol):
    """`name` is the key's name in the key service, not its kid.

    Every call may raise ContentError `keys-unavailable` (retryable: it does not answer, or is too busy) or `key-refused` (it
    says no; retryable only where another key may have taken over by then).
    """

    calls: dict[str, int]
    """How often each action was asked for, retries counted: they are what KMS charges for."""

    def create(self, name: str) -> dict[str, str]:
        """Make a P-256 key, or find the one of this name; returns its public JWK."""
        ...

    def public_jwk(self, name: str) -> dict[str, str]: ...

    def sign(self, name: str, message: bytes, kid: str = "") -> bytes:
        """ES256 over the message. With `kid`, no other key than that one signs, whatever the name says by now."""
        ...

    def wrap(self, tenant: str, keys: Sequence[bytes]) -> list[str]: ...

    def unwrap(self, tenant: str, wrapped: Sequence[str]) -> list[bytes]: ...

    def ensure_wrapping_key(self) -> None:
        """Make the symmetric key once; asking again changes nothing."""
        ...

    def ready(self) -> None:
        """Returns if keys can be used now."""
        ...

    def replicate(self, name: str, kid: str) -> bool:
        """Complete what `create` had to leave out because a region was away; True once the key stands everywhere."""
        ...

    def disable(self, name: str, kid: str) -> None:
        """From now on the key signs nothing, anywhere. Can be undone by an operator; asking again changes nothing."""
        ...

    def schedule_deletion(self, name: str, kid: str, days: int) -> None:
        """An operator's, with credentials of his own: the service's may not. The key is gone after so many days, everywhere."""
        ...

    def tell(self) -> None:
        """Set the numbers that operators see; to be called every few seconds."""
        ...


@dataclass(frozen=True)
class ServiceSigner:
    """`content.signatures.Signer` on the key service; counts its calls, since they are what KMS charges for."""

    service: KeyService
    name: str
    kid: str

    def sign(self, message: bytes) -> bytes:
        return self.service.sign(self.name, message, self.kid)
