"""Asking for a longer licence in time, and waiting the moment that it takes to be signed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from content.bundles.licence import Licence
from content.errors import ContentError
from serve_app.client import BundleOffer, Client
from serve_app.device.download import Watch

BEFORE = timedelta(days=30)
"""A device that is online asks when so much is left, or less."""
DEADLINE_S, POLL_S = 20.0, 0.3


def renewed(
    api: Client,
    offer: BundleOffer,
    now: datetime,
    watch: Watch,
    pause: Callable[[float], None] = time.sleep,
    *,
    anyway: bool = False,
) -> BundleOffer:
    """The offer with a longer licence if its own ends soon and a longer one is to be had; else the offer as it is.

    With `anyway` it is asked for however much is left, and what the API refuses is raised.
    """
    if not anyway and Licence.parse(offer["licence"].encode()).not_after - now > BEFORE:
        return offer
    bundle_id = offer["bundle_id"]
    try:
        if not api.renew_licence(bundle_id)["renewing"]:
            return offer
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            fresh = api.bundle(bundle_id)
            if fresh["issue"] > offer["issue"]:
                return fresh
            pause(POLL_S)
    except ContentError as error:
        if anyway:
            raise
        watch.note(f"{bundle_id}: not renewed ({error.code})")
        return offer
    watch.note(f"{bundle_id}: the longer licence is not there yet; it comes with a later sync")
    return offer
