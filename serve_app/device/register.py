"""Registering a device: ask for a challenge, open it with one key, sign the answer with the other.

After: the service knows both public keys, and the device has its first trust lists. Without a pinned root they are
trusted on this first use, over TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from content.canonical import rfc3339
from content.devices.registration import make_registration
from content.trust.chain import follow_chain
from serve_app.client import Client, DeviceRow
from serve_app.device.folder import DeviceFolder, Registered


def register(
    folder: DeviceFolder, api: Client, *, profile: str, clock: Callable[[], datetime], pinned_root: str | None = None
) -> DeviceRow:
    """Register with the bearer token of `api` and take in the lists. Doing it again changes the profile.

    Raises ContentError: what the API answers, or the check of the lists that failed.
    """
    identity = folder.identity
    asked = api.challenge(identity.encryption_jwk)
    answer = make_registration(identity, nonce=asked["nonce"], challenge=asked["challenge"])
    row = api.register(asked["nonce"], answer, profile)
    registered = Registered(api.url, row["learner_id"], profile, rfc3339(clock()), pinned_root)
    folder.save_registered(registered)
    lists = api.trust_lists(identity.tenant)
    if pinned_root is not None:  # also for a device that trusted other lists before: the chain from its beginning
        follow_chain(lists["chain"], pinned_root=pinned_root, known=None, iss=identity.tenant)
    folder.accept(lists, clock())
    return row
