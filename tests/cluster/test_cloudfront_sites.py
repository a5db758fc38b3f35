"""What tenants say about their sites is copied into CloudFront's key value store, all of a tenant's or nothing, and signed as it wants."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from urllib3 import HTTPResponse

from cluster.edge import cloudfront_sites
from cluster.edge.cloudfront_sites import SiteSettings, pieces
from content.errors import ContentError

ARN = "arn:aws:cloudfront::111122223333:key-value-store/6f0c6a6b-0000-4000-8000-000000000000"
MODEL = botocore.session.get_session().get_service_model("cloudfront-keyvaluestore")


class Bucket:
    def __init__(self, **said: dict[str, Any]) -> None:
        self.said = {f"sites/{tenant}/settings.json": json.dumps(each).encode() for tenant, each in said.items()}
        self.changed = dict.fromkeys(self.said, 1.0)
        self.read: list[str] = []

    def keys(self, prefix: str) -> Iterator[tuple[str, float]]:
        assert prefix == "sites/"
        yield from self.changed.items()

    def get(self, key: str) -> bytes:
        self.read.append(key)
        if key not in self.said:
            raise ContentError("object-missing", "Gone.")
        return self.said[key]


class Store:
    """A key value store with versions and pages, which takes what botocore's model takes."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.versions = itertools.count(1)
        self.version = "0"
        self.calls: list[dict[str, Any]] = []
        self.away = 0

    def _asked(self, operation: str, given: Mapping[str, Any]) -> None:
        report = ParamValidator().validate(given, MODEL.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()
        assert given["KvsARN"] == ARN
        if self.away:
            self.away -= 1
            raise ClientError({"Error": {"Code": "InternalServerException"}}, operation)

    def list_keys(self, **given: Any) -> dict[str, Any]:
        self._asked("ListKeys", given)
        begin = int(given.get("NextToken", 0))
        items = sorted(self.values.items())[begin : begin + given["MaxResults"]]
        more = {"NextToken": str(begin + len(items))} if begin + len(items) < len(self.values) else {}
        return {"Items": [{"Key": key, "Value": value} for key, value in items], **more}

    def describe_key_value_store(self, **given: Any) -> dict[str, Any]:
        self._asked("DescribeKeyValueStore", given)
        return {"ETag": self.version}

    def update_keys(self, **given: Any) -> None:
        self._asked("UpdateKeys", given)
        assert given["IfMatch"] == self.version
        assert len(given["Puts"]) + len(given["Deletes"]) <= cloudfront_sites.MOST_CHANGES
        assert all(len(put["Value"].encode()) <= 1024 for put in given["Puts"])
        self.calls.append(given)
        self.values |= {put["Key"]: put["Value"] for put in given["Puts"]}
        for gone in given["Deletes"]:
            del self.values[gone["Key"]]
        self.version = str(next(self.versions))


def put_together(values: Mapping[str, str], tenant: str) -> dict[str, Any]:
    """As the function `answer` reads it (tests/cluster/test_edge_programs.py runs the function itself)."""
    count, _, first = values[tenant].partition("|")
    return json.loads(first + "".join(values[f"{tenant}/{at}"] for at in range(1, int(count))))


LONG = {
    "csp": "frame-ancestors " + " ".join(f"https://lms-{n}.example" for n in range(90)),
    "origins": ["https://a.example"],
}


def test_what_tenants_say_is_copied_and_what_they_no_longer_say_removed() -> None:
    bucket, store = Bucket(acme={"csp": "x", "origins": []}, rival=LONG), Store()
    copied = SiteSettings(bucket, store, ARN)  # pyright: ignore[reportArgumentType]
    assert copied.step() == 2
    assert put_together(store.values, "acme") == {"csp": "x", "origins": []}
    assert put_together(store.values, "rival") == LONG
    assert len(store.values) > 3
    bucket.said["sites/rival/settings.json"] = b'{"csp": "y"}'
    bucket.changed["sites/rival/settings.json"] = 2.0
    del bucket.changed["sites/acme/settings.json"]
    assert copied.step() == 2
    assert store.values == {"rival": '1|{"csp":"y","origins":[]}'}
    assert len(store.calls) == 4, "each tenant's in one call"


def test_what_has_not_changed_costs_a_list_and_nothing_else() -> None:
    bucket, store = Bucket(acme={"csp": "x"}), Store()
    copied = SiteSettings(bucket, store, ARN)  # pyright: ignore[reportArgumentType]
    assert [copied.step() for _ in range(3)] == [1, 0, 0]
    assert bucket.read == ["sites/acme/settings.json"] and len(store.calls) == 1
    # A process that starts finds that all is there.
    assert SiteSettings(bucket, store, ARN).step() == 0  # pyright: ignore[reportArgumentType]


def test_a_failed_call_is_made_good_by_a_later_step() -> None:
    bucket, store = Bucket(**{f"t{number}": {"csp": str(number)} for number in range(60)}), Store()
    copied = SiteSettings(bucket, store, ARN)  # pyright: ignore[reportArgumentType]
    assert copied.step() == 60
    for key in list(bucket.changed)[:3]:
        bucket.said[key], bucket.changed[key] = b'{"csp": "new"}', 3.0
    store.away = 1
    with pytest.raises(ContentError) as error:
        copied.step()
    assert (error.value.code, error.value.retryable) == ("edge-unavailable", True)
    assert copied.step() == 3
    assert sum(put_together(store.values, f"t{number}")["csp"] == "new" for number in range(60)) == 3


def test_one_tenant_that_says_too_much_holds_back_no_other() -> None:
    huge = {"csp": "x" * (cloudfront_sites.VALUE_BYTES * cloudfront_sites.MOST_PIECES)}
    store = Store()
    assert SiteSettings(Bucket(acme={"csp": "x"}, huge=huge), store, ARN).step() == 1  # pyright: ignore[reportArgumentType]
    assert set(store.values) == {"acme"}
    with pytest.raises(ContentError, match="too much"):
        pieces("huge", json.dumps(huge).encode())


def test_the_client_signs_for_every_region() -> None:
    """Which needs awscrt; without it boto3 refuses."""
    seen: list[AWSPreparedRequest] = []

    def caught(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        seen.append(request)
        return AWSResponse(
            request.url,
            200,
            HeadersDict({"content-type": "application/json"}),
            HTTPResponse(io.BytesIO(b'{"Items": []}'), preload_content=False),
        )

    client = boto3.client(
        "cloudfront-keyvaluestore", "us-east-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret"
    )
    client.meta.events.register("before-send.cloudfront-keyvaluestore", caught)
    client.list_keys(KvsARN=ARN)
    (request,) = seen
    signature = request.headers["authorization"]
    assert str(signature, "ascii").startswith("AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/")
    assert request.url.startswith("https://111122223333.cloudfront-kvs.global.api.aws/")
