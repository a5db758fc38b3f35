"""The first steps of opening: take in the trust chain and the revocation list, before any licence is looked at.

A reader saves the state that comes out even if the bundle is refused afterwards; otherwise the holder of a revoked
bundle could show it the old lists again. docs/bundle-format.md, "Order of the checks", steps 1 to 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from content.bundles.state import ReaderState
from content.canonical import digest
from content.signatures import verify_signature
from content.trust.chain import TrustState, follow_chain
from content.trust.keys import TrustedKeys, TrustRefused
from content.trust.revocations import MAX_BYTES, TYPE, RevocationList


@dataclass(frozen=True)
class AcceptedLists:
    """What stands after both lists: `keys` has the kids revoked by either, `state` is to be kept."""

    state: ReaderState
    trust: TrustState
    keys: TrustedKeys
    revocations: RevocationList


def accept_lists(
    state: ReaderState,
    chain: Sequence[Mapping[str, Any]],
    revocations: bytes,
    revocations_signature: Mapping[str, Any],
    *,
    tenant: str,
    now: datetime,
    pinned_root: str | None = None,
) -> AcceptedLists:
    """Both lists verified and none older than before; whether they are fresh enough is the licence's to say.

    Raises what `follow_chain` and `verify_signature` raise, and TrustRefused `revocations-tenant`,
    `revocations-ahead-of-trust`, `revocations-rollback`, `revocations-fork`, `kid-revoked`.
    """
    trust = follow_chain(chain, pinned_root=pinned_root, known=state.trust, iss=tenant)
    verified = verify_signature(
        revocations, revocations_signature, trust.keys, expected_type=TYPE, iss=tenant, limit=MAX_BYTES
    )
    revocation_list, revocations_digest = RevocationList.parse(revocations), digest(revocations)
    # A kid that any list revoked stays revoked here: else its thief would sign a list that takes it back.
    if verified.kid in revocation_list.kids or verified.kid in state.revoked_since:
        raise TrustRefused("kid-revoked", "The key that signed the revocation list is revoked.", "Fetch the lists.")
    if revocation_list.tenant != tenant:
        raise TrustRefused("revocations-tenant", "The revocation list is another tenant's.")
    if revocation_list.version[0] > trust.version:
        raise TrustRefused(
            "revocations-ahead-of-trust", "The revocation list names a trust list to come.", "Fetch the trust lists."
        )
    if revocation_list.version < state.revocations:
        raise TrustRefused("revocations-rollback", "This device has seen a later revocation list.", "Fetch the lists.")
    if revocation_list.version == state.revocations and state.revocations_digest not in (None, revocations_digest):
        raise TrustRefused("revocations-fork", "Two different revocation lists have the same version.", "Report this.")
    keys = trust.keys.without((*revocation_list.kids, *state.revoked_since))
    floor = max(state.clock_floor, trust.latest.issued_at, revocation_list.issued_at, verified.signed_at)
    clock = max(now, floor).replace(microsecond=0)
    revoked = {key.kid for key in keys.keys if keys.is_revoked(key.kid)}
    return AcceptedLists(
        replace(
            state,
            trust=trust,
            revocations=revocation_list.version,
            revocations_digest=revocations_digest,
            revoked_since={kid: state.revoked_since.get(kid, clock) for kid in revoked | set(state.revoked_since)},
            clock_floor=floor,
        ),
        trust,
        keys,
        revocation_list,
    )
