"""Calls about imports. Files are sent by `serve_app.client.uploading`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import Import, ImportAsked, ImportShown, Parts


class ImportCalls(Connection):
    """Packages of other tools that become versions."""

    def begin_import(self, file_name: str, size_bytes: int, **options: Any) -> ImportAsked:
        """Begin an upload. Options that are None are left to the service: `piece_bytes`, `digest`, `course_id`, `pieces`."""
        given = {name: value for name, value in options.items() if value is not None}
        return self.post("/v1/imports", {"file_name": file_name, "size_bytes": size_bytes, **given})

    def import_parts(self, import_id: str, digests: Mapping[int, str]) -> Parts:
        """Addresses for pieces, by their numbers and digests; as often as needed."""
        pieces = [{"number": number, "digest": digest} for number, digest in sorted(digests.items())]
        return self.post(f"/v1/imports/{import_id}/parts", {"pieces": pieces})

    def complete_import(self, import_id: str, digest: str | None = None) -> Import:
        """All pieces are there: import the package; `wait` for its job."""
        return self.post(f"/v1/imports/{import_id}/complete", {} if digest is None else {"digest": digest})

    def imports(self, **query: Query) -> Iterator[Import]:
        """Newest first; filters `course_id`, `state`, `created_from`, `created_before`."""
        return self.items("/v1/imports", **query)

    def import_(self, import_id: str) -> ImportShown:
        """With what of its upload is there."""
        return self.get(f"/v1/imports/{import_id}")

    def import_report(self, import_id: str) -> Any:
        """What its author should know of a package."""
        return self.get(f"/v1/imports/{import_id}/report")

    def import_report_page(self, import_id: str) -> bytes:
        """The same as a page."""
        return self.request("GET", f"/v1/imports/{import_id}/report.html").content

    def remove_import(self, import_id: str) -> None:
        """Give it up; what was uploaded is removed."""
        self.request("DELETE", f"/v1/imports/{import_id}")
