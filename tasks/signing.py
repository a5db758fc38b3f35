"""Which key signs now, and that it still may when what it signed is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cluster.database import Transaction, fetch_one
from cluster.keys import KeyService, ServiceSigner
from content.errors import ContentError
from content.signatures import head_kid


async def current_signer(tx: Transaction, keys: KeyService, now: datetime) -> ServiceSigner:
    """The tenant's active signing key that began last. Raises ContentError `no-signing-key`."""
    row = await fetch_one(
        tx,
        """select kid, key_name from signing_keys
           where purpose = 'signing' and status = 'active' and not_before <= %s and not_after > %s
           order by not_before desc, kid limit 1""",
        [now, now],
    )
    if row is None:
        raise ContentError("no-signing-key", "The tenant has no signing key in use.", "Rotate the tenant's keys.")
    return ServiceSigner(keys, row["key_name"], row["kid"])


async def require_current(tx: Transaction, kid: str) -> None:
    """Demand in the transaction that commits a signature that its key is still in use, and hold it so until the end.

    A rotation changes the key's row: so either it waits and finds what was signed, or the signature is refused here and
    made again by the next key. Raises ContentError `key-rotated` (retryable).
    """
    row = await fetch_one(tx, "select status from signing_keys where kid = %s for share", [kid])
    if row is None or row["status"] != "active":
        raise ContentError("key-rotated", "The signing key was rotated meanwhile.", "It is signed again.", True)


async def require_signers(tx: Transaction, signatures: Iterable[Mapping[str, Any]]) -> None:
    """The same for whoever made these signatures."""
    for kid in sorted({str(head_kid(signature)) for signature in signatures}):
        await require_current(tx, kid)
