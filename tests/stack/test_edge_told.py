"""A withdrawal on the running stack reaches the CDN: through the outbox, NATS and the relay's words, by AWS's API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from cluster.edge.cloudfront import CloudFrontPurger
from cluster.events import Events
from tasks.edge.edge_words import EdgeWords
from tests.support.populated import Populated
from tests.support.running import Running

PROMISED_S = 60.0


@pytest.fixture(scope="module")
def cloudfront() -> Iterator[Any]:
    """A client of moto's server, which has CloudFront's API."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield boto3.client(
            "cloudfront",
            "us-east-1",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
    finally:
        server.stop()


def distribution(client: Any, name: str) -> str:
    origin = {"Id": "s3", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    made = client.create_distribution(
        DistributionConfig={
            "CallerReference": name, "Comment": name, "Enabled": True, "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {"TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only"},
        }
    )  # fmt: skip
    return made["Distribution"]["Id"]


def told(client: Any, distribution_id: str) -> set[str]:
    listed = client.list_invalidations(DistributionId=distribution_id)["InvalidationList"].get("Items", [])
    found = [client.get_invalidation(DistributionId=distribution_id, Id=each["Id"]) for each in listed]
    return {path for each in found for path in each["Invalidation"]["InvalidationBatch"]["Paths"]["Items"]}


class Dying(CloudFrontPurger):
    """The process dies right after the CDN took it."""

    def purge(self, paths: Any, reference: str) -> None:
        super().purge(paths, reference)
        raise KeyboardInterrupt


async def until_told(
    words: EdgeWords, tenant: Populated, client: Any, distribution_id: str, deadline_s: float
) -> float:
    began = time.monotonic()
    while not any(tenant.name in path for path in told(client, distribution_id)):
        assert time.monotonic() - began < deadline_s, "the CDN was not told"
        await words.step()
    return time.monotonic() - began


async def test_a_withdrawal_reaches_the_cdn_and_again_where_the_process_died(running: Running, cloudfront: Any) -> None:
    ids = {"files": distribution(cloudfront, "files"), "sites": distribution(cloudfront, "sites")}
    settings = running.settings.model_copy(update={"lease_s": 2.0})  # so long after a death the events come again
    first, second = await asyncio.to_thread(Populated, running), await asyncio.to_thread(Populated, running)
    events = await Events.connect(settings)
    try:
        words = EdgeWords(settings, events, CloudFrontPurger(cloudfront, ids))
        # What other tests took back comes first: more than ten folders at once are told as the one that holds them.
        while await words.step() or words._waiting:  # pyright: ignore[reportPrivateUsage]
            pass
        await asyncio.to_thread(first.api.withdraw, first.package_id, 1, "A mistake.")
        took = await until_told(words, first, cloudfront, ids["files"], PROMISED_S)
        print(f"told {took:.1f} s after the withdrawal")
        await until_told(
            words, first, cloudfront, ids["sites"], PROMISED_S
        )  # with the next batch, if others' events fill this one
        exports = f"/exports/{first.name}/{first.package_id}/1/*"
        (manifest,) = {path for path in told(cloudfront, ids["files"]) if first.name in path} - {exports}
        assert manifest.startswith(f"/packages/{first.name}/{first.package_id}/1/") and manifest.endswith(".json")
        assert {path for path in told(cloudfront, ids["sites"]) if first.name in path} == {exports}

        await asyncio.to_thread(second.api.withdraw, second.package_id, 1, "Another.")
        dying = EdgeWords(settings, events, Dying(cloudfront, {"files": distribution(cloudfront, "doomed")}))
        with pytest.raises(KeyboardInterrupt):
            await until_told(dying, second, cloudfront, ids["files"], PROMISED_S)
        again = EdgeWords(settings, events, CloudFrontPurger(cloudfront, ids))
        await until_told(again, second, cloudfront, ids["files"], PROMISED_S)
    finally:
        await events.close()
