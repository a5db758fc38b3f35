"""Calls about exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import Export, ExportShown


class ExportCalls(Connection):
    """A version as a zip for learning platforms, browsers and disks."""

    def ask_export(self, package_id: str, format: str, **options: Any) -> Export:
        """Have it made; `wait` for its job unless it is `ready` already. Options that are None are left to the service:
        `version`, `report`, `mastery`, `packaging`, `languages`, `profile`, `video`, `publish`."""
        given = {name: value for name, value in options.items() if value is not None}
        return self.post("/v1/exports", {"package_id": package_id, "format": format, **given})

    def exports(self, **query: Query) -> Iterator[Export]:
        """Newest first; filters `package_id`, `format`, `state`, `created_from`, `created_before`."""
        return self.items("/v1/exports", **query)

    def export(self, export_id: str) -> ExportShown:
        """With its passport, and a signed address of its file once it is ready."""
        return self.get(f"/v1/exports/{export_id}")

    def remove_export(self, export_id: str) -> None:
        """Its file is gone from the edge at once."""
        self.request("DELETE", f"/v1/exports/{export_id}")
