"""Calls about drafts, packages and their versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import Asset, BuildAccepted, Judgement, Package, Plan, SignedUrl, Version


class PackageCalls(Connection):
    """From a draft to a signed manifest."""

    def validate_draft(self, draft: Mapping[str, Any]) -> Judgement:
        """Everything that is wrong with a draft; nothing is stored."""
        return self.post("/v1/drafts/validate", draft)

    def build(self, *, course_id: str, draft_id: str, revision: int) -> BuildAccepted:
        """Have a revision that authoring-service holds built; `wait` for its job."""
        return self.post("/v1/packages", {"course_id": course_id, "draft_id": draft_id, "revision": revision})

    def packages(self, **query: Query) -> Iterator[Package]:
        """Newest first; filters `course_id`, `created_from`, `created_before`."""
        return self.items("/v1/packages", **query)

    def package(self, package_id: str) -> Package:
        return self.get(f"/v1/packages/{package_id}")

    def change_package(self, package_id: str, *, policy: str) -> Package:
        """Decide how its bundles are encrypted; `default` leaves it to the tenant."""
        body = {"policy": None if policy == "default" else policy}
        return self.request("PATCH", f"/v1/packages/{package_id}", body=body).json()

    def versions(self, package_id: str, **query: Query) -> Iterator[Version]:
        """Newest first; filter `state`."""
        return self.items(f"/v1/packages/{package_id}/versions", **query)

    def version(self, package_id: str, version: int) -> Version:
        return self.get(_path(package_id, version))

    def changes(self, package_id: str, older: int, newer: int) -> dict[str, Any]:
        """What changed from one published version to another: units, blocks, assets, bytes to fetch."""
        return self.get(f"/v1/packages/{package_id}/versions/{older}...{newer}")

    def report(self, package_id: str, version: int) -> dict[str, Any]:
        """What the author should know of a build."""
        return self.get(f"{_path(package_id, version)}/report")

    def quality(self, package_id: str, version: int) -> dict[str, Any]:
        """The accessibility and quality report: `counts`, `totals`, `findings`."""
        return self.get(f"{_path(package_id, version)}/quality")

    def quality_page(self, package_id: str, version: int) -> bytes:
        """The same as HTML."""
        return self.request("GET", f"{_path(package_id, version)}/quality.html").content

    def assets(self, package_id: str, version: int) -> Iterator[Asset]:
        """Every rendition of every asset."""
        return self.items(f"{_path(package_id, version)}/assets")

    def manifest(self, package_id: str, version: int) -> bytes:
        """The manifest's bytes as they were signed."""
        return self.request("GET", f"{_path(package_id, version)}/manifest").content

    def manifest_url(self, package_id: str, version: int) -> SignedUrl:
        """An address of the manifest on the edge."""
        return self.get(f"{_path(package_id, version)}/manifest/url")

    def signature(self, package_id: str, version: int) -> dict[str, Any]:
        return self.get(f"{_path(package_id, version)}/signature")

    def plan(self, package_id: str, **query: Query) -> Plan:
        """What of it fits: `space` as bytes or as `200MB`, `profile`, `version`, `rate` as `1.5Mbit/s`."""
        return self.get(f"/v1/packages/{package_id}/plan", **query)

    def withdraw(self, package_id: str, version: int, reason: str) -> Version:
        """Take a published version back."""
        return self.post(f"{_path(package_id, version)}/withdraw", {"reason": reason})


def _path(package_id: str, version: int) -> str:
    return f"/v1/packages/{package_id}/versions/{version}"
