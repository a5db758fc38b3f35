"""CloudFront as a CDN that forgets on word: invalidations (`cluster.edge.purging.Purger`), and its client.

Each distribution is told of what it serves. An invalidation has a reference, and the same one sent again is the same invalidation,
so an answer that was lost costs nothing. Its quotas are for a distribution, whoever uses them: when too much is under way, the caller waits,
and what gathers meanwhile is reduced to fewer paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cluster.edge import edge_rules
from cluster.settings import Settings
from content.errors import ContentError

BUSY = ("TooManyInvalidationsInProgress", "Throttling", "ThrottlingException")


def client_of(service: str = "cloudfront", region: str = "us-east-1") -> Any:
    """A client of this machine's role; CloudFront is one for all regions, and is asked in that one."""
    retries: Any = {"mode": "standard", "max_attempts": 3}
    configuration = Config(
        connect_timeout=5, read_timeout=20, retries=retries, proxies={}
    )  # none of the environment either
    return boto3.client(service, region_name=region, config=configuration)  # pyright: ignore[reportUnknownMemberType,reportCallIssue,reportArgumentType]


class CloudFrontPurger:
    """`distributions`: id by place (`files`, `sites`)."""

    def __init__(self, client: Any, distributions: Mapping[str, str]) -> None:
        self._client, self._distributions = client, distributions

    @classmethod
    def of(cls, settings: Settings) -> CloudFrontPurger:
        if set(settings.cloudfront_distribution_ids) != {"files", "sites"}:
            raise ContentError(
                "edge-settings", "It is not said which distributions forget.", "Set cloudfront_distribution_ids."
            )
        return cls(client_of(), settings.cloudfront_distribution_ids)

    def purge(self, paths: Sequence[str], reference: str) -> None:
        for place, distribution in sorted(self._distributions.items()):
            own = [path for path in paths if _is_served(place, path)]
            if own:
                self._invalidate(distribution, own, reference)

    def _invalidate(self, distribution: str, paths: list[str], reference: str) -> None:
        batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": reference}
        try:
            self._client.create_invalidation(DistributionId=distribution, InvalidationBatch=batch)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "InvalidationBatchAlreadyExists":
                return  # the same reference, so the same paths: it was taken before
            if code in BUSY:
                raise ContentError("edge-busy", "CloudFront has too many invalidations under way.", "", True) from error
            raise ContentError("edge-unavailable", f"CloudFront refused an invalidation: {code}.", "", True) from error
        except BotoCoreError as error:
            raise ContentError("edge-unavailable", "CloudFront did not answer.", "", True) from error


def _is_served(place: str, path: str) -> bool:
    """Whether something of that path may be kept there; `/*` is everything."""
    first = path.lstrip("/").partition("/")[0]
    return first == "*" or any(prefix == f"{first}/" for prefix in edge_rules.prefixes(place))
