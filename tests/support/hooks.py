"""A webhook of a tenant of its own, as its owner sees it through the API."""

from __future__ import annotations

from typing import Any

import httpx

from cluster.local.identity import mint_token
from tests.support.running import Running
from tests.support.tenants import Tenant
from tests.support.waiting import until

PUBLISHED, FINISHED = "content.play_package.published.v1", "content.job.finished.v1"


class Hook:
    """Made at once; `secret` is what its owner was shown."""

    def __init__(self, running: Running, url: str, *types: str) -> None:
        self.tenant = Tenant(running)
        token = mint_token(running.home.path, self.tenant.name, ["webhooks:manage"], "owner")
        self.api = httpx.Client(
            base_url=running.settings.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )
        made = self.api.post("/v1/webhooks", json={"url": url, "types": list(types or (PUBLISHED, FINISHED))})
        assert made.status_code == 201, made.text
        self.secret = made.json()["secret"]
        self.path = made.headers["Location"]

    def show(self) -> dict[str, Any]:
        return self.api.get(self.path).raise_for_status().json()

    def deliveries(self, **query: str) -> list[dict[str, Any]]:
        return self.api.get(f"{self.path}/deliveries", params=query).raise_for_status().json()["items"]

    def test(self) -> str:
        return self.api.post(f"{self.path}/test").raise_for_status().json()["event_id"]

    def delivery(self, event_id: str) -> dict[str, Any]:
        return next(row for row in self.deliveries() if row["event_id"] == event_id)

    def ended(self, event_id: str, state: str) -> dict[str, Any]:
        until(f"{event_id} {state}", lambda: self.delivery(event_id)["state"] == state, 30, self.deliveries)
        return self.delivery(event_id)
