"""A withdrawn manifest is gone from three replicas of the API and from the edge in less than two seconds (ADR 0017)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from cluster.local.identity import mint_token
from tests.support.populated import Populated
from tests.support.replicas import replicas
from tests.support.running import Running
from tests.support.waiting import always, promised, until

PROMISED_S = 2.0


@pytest.fixture(scope="module")
def urls(running: Running) -> Iterator[list[str]]:
    """The stack's own replica and two more."""
    with replicas(running.home, 2) as more:
        yield [running.settings.api_url, *more]


class Places:
    """Every place that serves the manifest of a version, with what it answers now."""

    def __init__(self, tenant: Populated, urls: list[str], version: int) -> None:
        token = mint_token(tenant.home, tenant.name, ["content:read"], "reader")
        self.headers = {"Authorization": f"Bearer {token}"}
        self.path = f"/v1/packages/{tenant.package_id}/versions/{version}/manifest"
        self.edge = tenant.api.manifest_url(tenant.package_id, version)["url"]
        self.urls = urls
        self.http = httpx.Client(trust_env=False, timeout=60)

    def ask(self) -> list[int]:
        api = [self.http.get(url + self.path, headers=self.headers).status_code for url in self.urls]
        return [*api, self.http.get(self.edge).status_code]


def warm(places: Places) -> None:
    """Have every place keep the manifest: the second answer comes from memory."""
    until("every place serves it", lambda: places.ask() == [200] * 4 or None, 10.0, places.ask)
    assert places.ask() == [200] * 4


def hide_rows(running: Running, tenant: Populated, hidden: bool) -> None:
    """Make the database say `failed` where it said `published`, behind everybody's back: only a memory answers 200 then."""
    before, after = ("published", "failed") if hidden else ("failed", "published")
    running.rows(
        "update package_versions set state = %s where tenant = %s and state = %s returning 1",
        after,
        tenant.name,
        before,
    )


def test_manifests_come_from_memory(running: Running, urls: list[str]) -> None:
    tenant = Populated(running)
    places = Places(tenant, urls, 1)

    def from_memory() -> bool:
        """The rows are hidden when it is asked: only a memory can answer. One that heard nothing for a while has forgotten."""
        hide_rows(running, tenant, False)
        warm(places)
        hide_rows(running, tenant, True)
        return places.ask() == [200] * 4

    until("answered from memory", from_memory, 30.0, places.ask)


def test_a_withdrawn_version_is_gone_from_every_replica_and_the_edge(running: Running, urls: list[str]) -> None:
    tenant = Populated(running, versions=2)
    withdrawn, other = Places(tenant, urls, 2), Places(tenant, urls, 1)
    warm(withdrawn)
    warm(other)
    tenant.api.withdraw(tenant.package_id, 2, "A mistake.")
    promised("gone everywhere", lambda: withdrawn.ask() == [410] * 4, PROMISED_S, withdrawn.ask)
    assert other.ask() == [200] * 4, "the version before is still there"
    assert tenant.api.package(tenant.package_id)["version"] == 1
    again = tenant.api.withdraw(tenant.package_id, 2, "Once more.")
    assert (again["state"], again["withdrawn_reason"]) == ("withdrawn", "A mistake.")
    always("gone", lambda: withdrawn.ask() == [410] * 4, 1.0)
    blob = f"packages/{tenant.name}/{tenant.package_id}/2/"
    assert not [key for key in sorted(running.keys()) if key.startswith(blob)], "the edge could find it again"


def test_a_device_is_not_offered_what_was_withdrawn(running: Running) -> None:
    tenant = Populated(running)
    assert len(tenant.enrolled.offers()) == 1
    tenant.api.withdraw(tenant.package_id, 1, "A mistake.")
    assert tenant.enrolled.offers() == []
    assert [row["state"] for row in tenant.api.bundles()] == ["ready"], "the tenant's operators still see it"


def test_while_nats_is_away_nothing_is_answered_from_memory(running: Running, urls: list[str]) -> None:
    """Words that are not heard cannot be waited for: every place asks the database or the store again."""
    tenant = Populated(running, versions=2)
    places = Places(tenant, urls, 2)
    warm(places)
    running.stop_part("nats")
    try:
        hide_rows(running, tenant, True)
        # The edge asks the store, which knows nothing of rows; its blob is moved away by a withdrawal.
        promised("nothing kept is used", lambda: places.ask()[:3] == [404] * 3, PROMISED_S, places.ask)
        hide_rows(running, tenant, False)
        assert places.ask() == [200] * 4, "and the answers are right"
        tenant.api.withdraw(tenant.package_id, 2, "While nobody hears.")
        promised("gone everywhere", lambda: set(places.ask()) <= {404, 410}, PROMISED_S, places.ask)
    finally:
        running.start_part()
    # Back again: what was kept before the outage was forgotten.
    until("NATS is heard", lambda: running.health("nats") == "ok" or None, 20.0)
    always("still gone", lambda: 200 not in places.ask(), 2.0)
    warm(Places(tenant, urls, 1))
