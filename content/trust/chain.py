"""Following the chain of trust lists: the only way by which a reader comes to believe a signing key.

Version n+1 counts only if the threshold of the roots of n **and** of n+1 signed it (the rule of TUF, section 5.3), and a
version never goes down. The chain travels whole, so a reader that knows version 3 can follow to 7 without a network.
After this module: `TrustState`, which the reader keeps, and its `keys`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from content.canonical import digest, rfc3339
from content.errors import ContentError
from content.jose import CompactJws, require_header, require_signature, split_general
from content.jwk import parse_jwk, thumbprint
from content.trust.keys import TrustedKeys, TrustRefused
from content.trust.lists import MAX_BYTES, MAX_ROOTS, TYP, TrustList

MAX_CHAIN: Final = 1024


@dataclass(frozen=True)
class TrustState:
    """What a reader keeps of a chain: its last list and that list's digest, against a fork under the same version."""

    latest: TrustList
    digest: str

    @property
    def version(self) -> int:
        return self.latest.version

    @property
    def keys(self) -> TrustedKeys:
        return TrustedKeys(self.latest.keys)

    def require_fresh(self, now: datetime, grace_s: int = 0) -> None:
        """Raises TrustRefused `trust-expired` when the last list has been expired for longer than the grace time."""
        if now - timedelta(seconds=grace_s) > self.latest.expires:  # no sum: it may lie beyond the year 9999
            raise TrustRefused(
                "trust-expired",
                f"The keys that this device knows were good until {rfc3339(self.latest.expires)}, and the {grace_s // 86_400} days of grace are over.",
                "Go online once, or bring fresh lists on a memory stick.",
            )


def verify_chain(
    chain: Sequence[Mapping[str, Any]],
    *,
    pinned_root: str | None,
    known: TrustState | None,
    now: datetime,
    iss: str | None = None,
    grace_s: int = 0,
) -> TrustState:
    """Follow a chain and demand that its last list is fresh; see `follow_chain`. Also raises `trust-expired`."""
    state = follow_chain(chain, pinned_root=pinned_root, known=known, iss=iss)
    state.require_fresh(now, grace_s)
    return state


def follow_chain(
    chain: Sequence[Mapping[str, Any]], *, pinned_root: str | None, known: TrustState | None, iss: str | None = None
) -> TrustState:
    """The state after a chain of general JSON JWS objects in ascending order without a gap.

    With no known state the first list is believed if the pinned root signed it, or as it is (first use, over TLS) when
    nothing is pinned. Raises TrustRefused `trust-chain-malformed`, `-empty`, `-too-long`, `-gap`,
    `trust-rollback`, `trust-fork`, `trust-threshold`, `trust-signer-unknown`, `trust-root-not-pinned`, `trust-issuer`;
    JoseRefused and DocumentRefused for what is malformed.
    """
    if not isinstance(cast("object", chain), list | tuple):
        raise TrustRefused("trust-chain-malformed", "The chain of trust lists is not a list.")
    if len(chain) > MAX_CHAIN:
        raise TrustRefused("trust-chain-too-long", f"The chain has more than {MAX_CHAIN} trust lists.")
    state, before = known, None
    for jws in chain:
        trust_list, payload_digest, signatures = _read(jws)
        if before is not None and trust_list.version != before + 1:
            raise TrustRefused("trust-chain-gap", "The versions of the trust lists do not follow each other.")
        before = trust_list.version
        state = _advance(state, trust_list, payload_digest, signatures, pinned_root)
    if state is None:
        raise TrustRefused("trust-chain-empty", "There is no trust list.", "Fetch the trust lists.")
    if before is not None and before < state.version:
        raise TrustRefused(
            "trust-rollback", "The chain ends below the version this device has seen.", "Fetch the trust lists."
        )
    if iss is not None and state.latest.iss != iss:
        raise TrustRefused("trust-issuer", "The trust list is another tenant's.")
    return state


def _read(jws: Mapping[str, Any]) -> tuple[TrustList, str, list[CompactJws]]:
    signatures = split_general(jws, MAX_BYTES * 4 // 3 + 4, 2 * MAX_ROOTS)
    payload = signatures[0].payload
    return TrustList.parse(payload), digest(payload), signatures


def _advance(
    state: TrustState | None,
    trust_list: TrustList,
    payload_digest: str,
    signatures: list[CompactJws],
    pinned_root: str | None,
) -> TrustState:
    if state is not None and trust_list.version < state.version:
        return state  # an older link of the chain; the reader has gone past it
    if state is not None and trust_list.version == state.version:
        if payload_digest != state.digest:
            raise TrustRefused("trust-fork", "Two different trust lists have the same version.", "Report this.")
        return state
    if state is not None and trust_list.version != state.version + 1:
        raise TrustRefused("trust-chain-gap", "The chain does not reach down to the version this device knows.")
    if state is not None and trust_list.iss != state.latest.iss:
        raise TrustRefused("trust-issuer", "The trust list is another tenant's.")
    previous = state.latest if state is not None else None
    signers = _verified_signers(trust_list, previous, signatures)
    for judge in (trust_list, previous):
        if judge is not None and len(signers & judge.root_ids) < judge.threshold:
            raise TrustRefused("trust-threshold", "Too few root keys signed the trust list.")
    if previous is None and pinned_root is not None and pinned_root not in signers & trust_list.root_ids:
        raise TrustRefused("trust-root-not-pinned", "The pinned root key did not sign the first trust list.")
    return TrustState(trust_list, payload_digest)


def _verified_signers(
    trust_list: TrustList, previous: TrustList | None, signatures: list[CompactJws]
) -> frozenset[str]:
    roots = {thumbprint(root): root for judge in (previous, trust_list) if judge for root in judge.roots}
    signers: list[str] = []
    for jws in signatures:
        kid = jws.header.get("kid")
        if not isinstance(kid, str) or kid not in roots or kid in signers:
            raise TrustRefused("trust-signer-unknown", "A signature of the trust list is by no root key, or repeated.")
        require_header(jws, {"alg": "ES256", "kid": kid, "typ": TYP})
        try:
            require_signature(jws, parse_jwk(roots[kid]))
        except ContentError as error:
            raise TrustRefused("trust-signature", "A signature of the trust list does not hold.") from error
        signers.append(kid)
    return frozenset(signers)
