"""A device as a third party would write one: keys, registration, signed URLs, and the reader of `content.bundles`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

import httpx

from content.bundles.open import OpenBundle, open_bundle
from content.bundles.state import ReaderState
from content.canonical import digest
from content.devices.identity import DeviceIdentity
from content.devices.registration import make_registration
from serve_app.client import BundleOffer, Client


class Device:
    """One device of a learner. `state` is what it remembers from one opening to the next."""

    def __init__(self, api_url: str, tenant: str, learner: str, token: str, profile: str = "phone") -> None:
        self.identity = DeviceIdentity.generate(tenant, os.urandom)
        self.learner, self.profile, self.state = learner, profile, ReaderState()
        with Client(api_url, token=token) as api:
            asked = api.challenge(self.identity.encryption_jwk)
            answer = make_registration(self.identity, nonce=asked["nonce"], challenge=asked["challenge"])
            self.registered = api.register(asked["nonce"], answer, profile)
        self.api = Client(api_url, device=self.identity)

    @property
    def id(self) -> str:
        return self.identity.id

    def offers(self) -> list[BundleOffer]:
        """Every ready bundle of this device, in the order of their sequences."""
        offers = [self.api.bundle(row["bundle_id"]) for row in self.api.bundles(state="ready")]
        return sorted(offers, key=lambda offer: self._sequence(offer))

    def open(self, offer: BundleOffer) -> OpenBundle:
        """Download over the signed URLs and open; the state is kept. Raises what the reader raises."""
        lists = self.api.trust_lists(self.identity.tenant)
        index = fetched(offer["index"]["url"])
        parts = {part["path"]: fetched(part["url"]) for part in offer["parts"]}
        for part in offer["parts"]:
            assert len(parts[part["path"]]) == part["size"]
        bundle = open_bundle(
            licence=offer["licence"].encode(),
            signature=offer["signature"],
            index=index,
            chain=lists["chain"],
            revocations=lists["revocations"]["document"].encode(),
            revocations_signature=lists["revocations"]["signature"],
            device=self.identity,
            state=self.state,
            now=datetime.now(UTC),
            read_range=lambda path, offset, length: parts[path][offset : offset + length],
        )
        self.state = bundle.state
        return bundle

    def read(self, bundle: OpenBundle) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The manifest and every asset in the bundle, each compared with the digest that the manifest names."""
        manifest = bundle.manifest()
        named = {each["digest"] for asset in manifest["assets"].values() for each in asset["renditions"]}
        files = {name: b"".join(bundle.read(name)) for name in sorted(named) if bundle.find(name)}
        assert all(digest(data) == name for name, data in files.items())
        assert len(files) == len(bundle.index.files) - 1, "a file in the bundle is not in the manifest"
        return manifest, files

    @staticmethod
    def _sequence(offer: BundleOffer) -> tuple[int, ...]:
        return tuple(json.loads(offer["licence"])["sequence"])


def fetched(url: str) -> bytes:
    """What the edge has at a signed address."""
    return httpx.get(url, trust_env=False, timeout=30).raise_for_status().content
