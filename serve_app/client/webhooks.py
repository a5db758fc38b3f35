"""Calls about webhooks and what became of their deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import Delivery, Webhook, WebhookWithSecret


class WebhookCalls(Connection):
    """Where a tenant is told of what happens (scope `webhooks:manage`)."""

    def webhooks(self) -> Iterator[Webhook]:
        """Newest first."""
        return self.items("/v1/webhooks")

    def webhook(self, webhook_id: str) -> Webhook:
        return self.get(f"/v1/webhooks/{webhook_id}")

    def create_webhook(self, url: str, types: Sequence[str], description: str = "") -> WebhookWithSecret:
        """Its secret is shown this once."""
        return self.post("/v1/webhooks", {"url": url, "types": list(types), "description": description})

    def change_webhook(self, webhook_id: str, *, state: str) -> Webhook:
        """`paused` keeps what is owed; `active` sends it."""
        return self.request("PATCH", f"/v1/webhooks/{webhook_id}", body={"state": state}).json()

    def remove_webhook(self, webhook_id: str) -> None:
        """With its deliveries."""
        self.request("DELETE", f"/v1/webhooks/{webhook_id}")

    def test_webhook(self, webhook_id: str) -> str:
        """Have a message sent that says nothing; its event's id."""
        return self.post(f"/v1/webhooks/{webhook_id}/test")["event_id"]

    def rotate_webhook_secret(self, webhook_id: str) -> WebhookWithSecret:
        """A new secret, shown this once; for a day both sign."""
        return self.post(f"/v1/webhooks/{webhook_id}/secret/rotate")

    def deliveries(self, webhook_id: str, **query: Query) -> Iterator[Delivery]:
        """Newest first; filter `state`."""
        return self.items(f"/v1/webhooks/{webhook_id}/deliveries", **query)

    def redeliver(self, webhook_id: str, event_id: str) -> str:
        """Have one sent once more, now; its event's id."""
        return self.post(f"/v1/webhooks/{webhook_id}/deliveries/{event_id}/redeliver")["event_id"]
