"""Getting trust and revocation lists: what is newer than those here, the long one as a delta where that works."""

from __future__ import annotations

import contextlib
from datetime import datetime

from content.bundles.lists import AcceptedLists
from content.documents import DocumentRefused
from content.errors import ContentError
from content.trust.keys import TrustRefused
from content.trust.revocation_delta import RevocationDelta
from content.trust.revocations import RevocationList
from serve_app.client import Client, SignedDocument, SignedLists, TrustLists
from serve_app.device.folder import DeviceFolder


def refresh(folder: DeviceFolder, api: Client, now: datetime) -> AcceptedLists:
    """Fetch what is newer (the last trust list again, to see a fork) and accept it.

    Raises ContentError where the API cannot be reached, or as `DeviceFolder.accept`.
    """
    here = _here(folder)
    tenant, state = folder.identity.tenant, folder.state
    if here is None or state.trust is None:
        return folder.accept(api.trust_lists(tenant), now)
    since = max(0, state.trust.version - 1)
    known = RevocationList.parse(here["revocations"]["document"].encode()).version
    try:
        found = joined(here, api.signed_lists(tenant, since, f"{known[0]}.{known[1]}"), since)
    except (TrustRefused, DocumentRefused):  # the delta does not fit what is here
        found = joined(here, api.signed_lists(tenant, since), since)
    return folder.accept(found, now)


def take(folder: DeviceFolder, sent: SignedLists | None, now: datetime) -> None:
    """Accept lists that came along with something else; they begin with the last trust list here."""
    here, state = _here(folder), folder.state
    if sent is not None and here is not None and state.trust is not None:
        folder.accept(joined(here, sent, max(0, state.trust.version - 1)), now)


def joined(here: TrustLists, sent: SignedLists, since: int) -> TrustLists:
    """The whole chain, and the revocation list as it is written in full.

    Raises TrustRefused `revocations-delta-base` or DocumentRefused `revocations-delta-…` for a delta that does not fit.
    """
    document, delta = sent["revocations"]["document"], sent["revocations"]["delta"]
    if document is None:
        old = RevocationList.parse(here["revocations"]["document"].encode())
        document = RevocationDelta.parse((delta or "").encode()).apply(old).to_bytes().decode()
    revocations = SignedDocument(document=document, signature=sent["revocations"]["signature"])
    chain = [*here["chain"][:since], *sent["chain"]] if since else sent["chain"]
    return TrustLists(chain=chain, revocations=revocations)


def _here(folder: DeviceFolder) -> TrustLists | None:
    with contextlib.suppress(ContentError):
        return folder.lists
    return None
