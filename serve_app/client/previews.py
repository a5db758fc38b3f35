"""Calls about previews."""

from __future__ import annotations

from serve_app.client.connection import Connection
from serve_app.client.rows import Preview, PreviewShown


class PreviewCalls(Connection):
    """A draft that nobody has published, as pages for a while."""

    def ask_preview(self, draft_id: str, revision: int) -> Preview:
        """Have it made; `wait` for its job unless it is `ready` already."""
        return self.post("/v1/previews", {"draft_id": draft_id, "revision": revision})

    def preview(self, preview_id: str) -> PreviewShown:
        """With its report, and the address that opens it once it is ready."""
        return self.get(f"/v1/previews/{preview_id}")

    def remove_preview(self, preview_id: str) -> None:
        """Its pages are gone from the edge at once."""
        self.request("DELETE", f"/v1/previews/{preview_id}")
