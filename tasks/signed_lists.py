"""Trust and revocation lists as they are handed out: whole, from a version on, or as a delta."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from cluster.database import Transaction, fetch_all, fetch_one
from content.trust.revocation_delta import RevocationDelta
from content.trust.revocations import RevocationList, Version

LIST_VERSION: Final = r"^[0-9]{1,9}\.[0-9]{1,9}$"
NEWEST = "select document, signature from revocation_lists order by trust_version desc, n desc limit 1"


async def newest_version(tx: Transaction) -> Version:
    """Of the tenant's newest revocation list; [0, 0] before there is one."""
    row = await fetch_one(
        tx, "select trust_version, n from revocation_lists order by trust_version desc, n desc limit 1"
    )
    return (row["trust_version"], row["n"]) if row else (0, 0)


async def chain(tx: Transaction, since: int = 0) -> list[dict[str, Any]]:
    """The trust lists behind a version, in ascending order."""
    rows = await fetch_all(
        tx, "select document from trust_lists where version > %s order by version limit 1024", [since]
    )
    return [row["document"] for row in rows]


def version(text: str | None) -> Version | None:
    """`1.4` as [trust version, n]."""
    if text is None:
        return None
    trust_version, n = text.split(".")
    return int(trust_version), int(n)


async def read(tx: Transaction, *, since: int = 0, delta_from: Version | None = None) -> dict[str, Any] | None:
    """The trust lists behind version `since` and the newest revocation list; None for a tenant that is not there.

    With `delta_from` the list comes as a delta, if that version is still known.
    """
    newest = await fetch_one(tx, NEWEST)
    if newest is None:
        return None
    delta = await _delta(tx, delta_from, newest["document"]) if delta_from is not None else None
    revocations = {
        "document": None if delta is not None else newest["document"],
        "delta": delta,
        "signature": newest["signature"],
    }
    return {"chain": await chain(tx, since), "revocations": revocations}


async def newer(tx: Transaction, known: Version) -> dict[str, Any] | None:
    """Both lists, from the trust version that is known on, if there is a revocation list newer than `known`."""
    if await newest_version(tx) <= known:
        return None
    return await read(tx, since=max(0, known[0] - 1))


async def _delta(tx: Transaction, base: Version, newest: str) -> str | None:
    row = await fetch_one(
        tx, "select document from revocation_lists where trust_version = %s and n = %s", [base[0], base[1]]
    )
    if row is None:
        return None
    return await asyncio.to_thread(_between, row["document"], newest)  # long lists take a while


def _between(old: str, new: str) -> str:
    lists = RevocationList.parse(old.encode()), RevocationList.parse(new.encode())
    return RevocationDelta.between(*lists).to_bytes().decode()
