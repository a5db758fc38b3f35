"""Calls about devices, enrolments, and the bundles that come of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import (
    BundleOffer,
    BundleRow,
    BundlesRequested,
    Challenge,
    DeviceForesight,
    DeviceRow,
    Enrolment,
    Job,
    RebundleEstimate,
    Registered,
)


class DeviceCalls(Connection):
    """What a device does, and what a tenant sees of it."""

    def challenge(self, encryption_jwk: Mapping[str, Any]) -> Challenge:
        return self.post("/v1/devices/challenges", {"encryption": dict(encryption_jwk)})

    def register(self, nonce: str, registration: str, profile: str) -> Registered:
        body = {"nonce": nonce, "registration": registration, "profile": profile}
        return self.post("/v1/devices", body)

    def devices(self, **query: Query) -> Iterator[DeviceRow]:
        """Newest first; filters `learner_id`, `state`."""
        return self.items("/v1/devices", **query)

    def device(self, device_id: str) -> DeviceRow:
        return self.get(f"/v1/devices/{device_id}")

    def foresight(self, device_id: str, holds: Sequence[str] = ()) -> DeviceForesight:
        """What its next sync fetches, needs and deletes; `holds` are bundles on it, if that is known better than by the
        licences that it has registered."""
        return self.get(f"/v1/devices/{device_id}/foresight", holds=list(holds) or None)

    def deactivate_device(self, device_id: str) -> None:
        """Nothing more is made for it or handed out to it."""
        self.request("DELETE", f"/v1/devices/{device_id}")

    def enrolments(self, **query: Query) -> Iterator[Enrolment]:
        """Newest first; filters `learner_id`, `course_id`, `state`, `created_from`, `created_before`."""
        return self.items("/v1/enrolments", **query)

    def enrolment(self, enrollment_id: str) -> Enrolment:
        return self.get(f"/v1/enrolments/{enrollment_id}")

    def bundles(self, **query: Query) -> Iterator[BundleRow]:
        """Newest first; a device sees its own. Filters `state`, `package_id`, `device_id`, `enrollment_id`, `learner_id`,
        `created_from`, `created_before`."""
        return self.items("/v1/bundles", **query)

    def bundle(self, bundle_id: str, lists_since: str | None = None) -> BundleOffer:
        """With `lists_since` (such as `1.4`) the lists come along if there is a newer revocation list."""
        return self.get(f"/v1/bundles/{bundle_id}", lists_since=lists_since)

    def request_bundles(
        self, package_id: str, space: str | int | None, *, device_id: str | None = None, plan_id: str | None = None
    ) -> BundlesRequested:
        """Have a device (the one that asks, if none is named) get what fits a space, or with None its profile's all."""
        named = {"device_id": device_id, "plan_id": plan_id}
        body = {"package_id": package_id, "space": space, **{name: given for name, given in named.items() if given}}
        return self.post("/v1/bundles", body)

    def retry_bundle(self, bundle_id: str) -> BundleRow:
        """Have a failed bundle made again."""
        return self.post(f"/v1/bundles/{bundle_id}/retry")

    def estimate_rebundle(self, reason: str = "dry run", **selection: Any) -> RebundleEstimate:
        """What `rebundle` would cost; changes nothing."""
        return self.post("/v1/rebundles", {**selection, "reason": reason, "dry_run": True})

    def rebundle(self, reason: str, **selection: Any) -> Job:
        """Have ready bundles made anew: `package_id`, `version`, `profile`, `policy`, `device_ids`, `made_before`,
        `outdated_keys`; what is left out does not matter. The job that does it."""
        return self.post("/v1/rebundles", {**selection, "reason": reason})
