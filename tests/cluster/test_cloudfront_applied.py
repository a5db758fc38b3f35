"""The documents are applied: in an empty account everything is made; a second time nothing is; and what differs is changed and no more."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws
from moto.acm.models import acm_backends

from cluster.aws import edge, edge_apply
from cluster.aws.edge_apply import KINDS, Applying
from cluster.edge import cdn
from content.errors import ContentError

CLIENT = botocore.session.get_session().create_client(
    "cloudfront", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
)
VARIABLES = {
    "bucket": "content-eu", "logs-bucket": "logs-of-ours", "web-acl": "arn:aws:wafv2:us-east-1:111122223333:global/webacl/a/b",
    "public-key": cdn.public_pem(ec.generate_private_key(ec.SECP256R1())),
}  # fmt: skip


class FakeCloudFront:
    """What is made stays, with a version; a change must name it. botocore's model says what may be asked, moto knows too little of this."""

    exceptions = CLIENT.exceptions

    def __init__(self) -> None:
        self.there: dict[str, dict[str, dict[str, Any]]] = {}
        self.functions: dict[str, dict[str, Any]] = {}
        self.stores: dict[str, str] = {}
        self.numbers = itertools.count(1)
        self.asked: list[str] = []

    def __getattr__(self, method: str) -> Any:
        if method not in CLIENT.meta.method_to_api_mapping:
            raise AttributeError(method)

        def call(**given: Any) -> dict[str, Any]:
            operation = CLIENT.meta.method_to_api_mapping[method]
            report = ParamValidator().validate(given, CLIENT.meta.service_model.operation_model(operation).input_shape)
            assert not report.has_errors(), report.generate_report()
            assert "${" not in json.dumps(given, default=str), "a reference that nobody gave"
            self.asked.append(method)
            own = getattr(self, f"do_{method}", None)
            return own(**given) if own else self.configured(method, given)

        return call

    def configured(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        verb, _, noun = method.partition("_")
        (kind,) = [
            kind for kind in KINDS.values() if noun in (kind.noun, f"{kind.noun}_config", edge_apply._plural(kind.noun))
        ]
        known = self.there.setdefault(kind.name, {})
        match verb:
            case "create":
                found = {"Id": f"{kind.name[0]}{next(self.numbers)}", "version": "1", "it": given[kind.parameter]}
                known[found["Id"]] = found
                return {kind.name: self.shown(kind, found)}
            case "list":
                at = list(known).index(given["Marker"]) if "Marker" in given else 0
                some, more = list(known.values())[at : at + 1], list(known)[at + 1 : at + 2]
                items = [self.listed(kind, found) for found in some]
                return {kind.listed: {"Items": items, **({"NextMarker": more[0]} if more else {})}}
            case "get":
                found = known[given["Id"]]
                more = {"Staging": False} if kind.name == "Distribution" else {}  # AWS fills in what was not said
                return {kind.parameter: {**json.loads(json.dumps(found["it"])), **more}, "ETag": found["version"]}
            case _:
                found = known[given["Id"]]
                assert given["IfMatch"] == found["version"]
                found |= {"it": given[kind.parameter], "version": f"{found['version']}1"}
                return {}

    def shown(self, kind: edge_apply.Kind, found: dict[str, Any]) -> dict[str, Any]:
        return {
            "Id": found["Id"],
            "ARN": f"arn:aws:cloudfront::111122223333:distribution/{found['Id']}",
            kind.parameter: found["it"],
        }

    def listed(self, kind: edge_apply.Kind, found: dict[str, Any]) -> dict[str, Any]:
        shown = self.shown(kind, found)
        if kind.name in ("PublicKey", "OriginAccessControl", "Distribution"):
            return {**found["it"], **{name: shown[name] for name in ("Id", "ARN")}}
        return {kind.name: shown}

    def do_describe_key_value_store(self, Name: str) -> dict[str, Any]:
        if Name not in self.stores:
            raise self.exceptions.EntityNotFound({"Error": {"Code": "EntityNotFound"}}, "Describe")
        return {"KeyValueStore": {"ARN": self.stores[Name]}}

    def do_create_key_value_store(self, Name: str, Comment: str) -> dict[str, Any]:
        self.stores[Name] = f"arn:aws:cloudfront::111122223333:key-value-store/{Name}"
        return self.do_describe_key_value_store(Name)

    def do_create_function(self, **given: Any) -> dict[str, Any]:
        self.functions[given["Name"]] = {**given, "version": "F1", "live": False}
        return {"ETag": "F1"}

    def do_update_function(self, **given: Any) -> dict[str, Any]:
        assert given.pop("IfMatch") == self.functions[given["Name"]]["version"]
        self.functions[given["Name"]] = {**given, "version": "F2", "live": False}
        return {"ETag": "F2"}

    def do_publish_function(self, Name: str, IfMatch: str) -> dict[str, Any]:
        assert IfMatch == self.functions[Name]["version"]
        self.functions[Name]["live"] = True
        return self.do_describe_function(Name)

    def do_describe_function(self, Name: str) -> dict[str, Any]:
        arn = f"arn:aws:cloudfront::111122223333:function/{Name}"
        return {"ETag": self.functions[Name]["version"], "FunctionSummary": {"FunctionMetadata": {"FunctionARN": arn}}}

    def do_get_function(self, Name: str) -> dict[str, Any]:
        if Name not in self.functions:
            raise self.exceptions.NoSuchFunctionExists({"Error": {"Code": "NoSuchFunctionExists"}}, "Get")
        return {"FunctionCode": io.BytesIO(self.functions[Name]["FunctionCode"])}


@pytest.fixture
def account() -> Iterator[Any]:
    """An account: CloudFront played, the rest by moto; its bucket, and a certificate that waits for its DNS records."""
    with mock_aws():
        fake = FakeCloudFront()
        boto3.client("s3", "eu-central-1").create_bucket(
            Bucket="content-eu", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )

        def client(service: str) -> Any:
            if service == "cloudfront":
                return fake
            return boto3.client(service, "eu-central-1" if service == "s3" else "us-east-1")

        client.cloudfront = fake  # type: ignore[attr-defined]
        yield client


def issued(account: Any) -> None:
    """The installation has added the DNS records."""
    with pytest.raises(ContentError, match="DNS records"):
        applied(account)
    with pytest.raises(ContentError, match="PENDING_VALIDATION: add its DNS records"):
        applied(account)
    for certificate in acm_backends["123456789012"]["us-east-1"]._certificates.values():
        certificate.status = "ISSUED"


def applied(account: Any, *, dry: bool = False, **changed: str) -> tuple[Applying, dict[str, str]]:
    applying = Applying(account, VARIABLES | changed, dry=dry)
    return applying, {document["gives"]: applying.apply(document) for document in edge.documents("eu").values()}


def test_everything_is_made_and_a_second_time_nothing(account: Any) -> None:
    issued(account)
    applying, first = applied(account)
    puts = {gives for gives, did in first.items() if did == "changed"}
    assert {gives.partition(":")[0] for gives in puts} == {
        "bucket-policy",
        "role-policy",
        "log-destination",
        "log-source",
    }
    assert {did for gives, did in first.items() if gives not in puts and gives != "certificate:edge"} == {"made"}
    fake = account.cloudfront
    assert all(function["live"] for function in fake.functions.values()) and len(fake.functions) == 3
    assert len(fake.there["Distribution"]) == 2 and len(fake.there["CachePolicy"]) == 4
    settings = applying.settings()
    ids = json.loads(settings["CONTENT_CLOUDFRONT_DISTRIBUTION_IDS"])
    assert {place: fake.there["Distribution"][its]["it"]["Comment"][-5:] for place, its in ids.items()} == {
        "files": "files", "sites": "sites",
    }  # fmt: skip
    assert settings["CONTENT_CLOUDFRONT_KEY_GROUP_ID"] in fake.there["KeyGroup"]
    policy = boto3.client("iam").get_role_policy(RoleName="content-eu-edge", PolicyName="edge")["PolicyDocument"]
    arns = {f"arn:aws:cloudfront::111122223333:distribution/{its}" for its in ids.values()}
    assert set(policy["Statement"][0]["Resource"]) == arns

    fake.asked.clear()
    _, second = applied(account)
    assert {did for gives, did in second.items() if gives not in puts} == {"there"}
    assert not [method for method in fake.asked if method.startswith(("create", "update", "publish"))]


def test_what_differs_is_changed_and_what_is_not_ours_is_left(account: Any) -> None:
    issued(account)
    applied(account)
    fake = account.cloudfront
    (mine,) = [each for each in fake.there["Distribution"].values() if "files" in each["it"]["Comment"]]
    mine["it"] |= {"ContinuousDeploymentPolicyId": "theirs", "HttpVersion": "http1.1"}
    (policy,) = [each for each in fake.there["CachePolicy"].values() if each["it"]["Name"] == "content-eu-kept-60"]
    policy["it"]["MaxTTL"] = 3600
    fake.functions["content-eu-sites"]["FunctionCode"] = b"older"
    fake.asked.clear()
    _, again = applied(account)
    assert {gives for gives, did in again.items() if did == "changed"} >= {
        "distribution:files",
        "kept:60",
        "function:sites",
    }
    assert sorted(method for method in fake.asked if method.startswith(("create", "update", "publish"))) == [
        "publish_function", "update_cache_policy", "update_distribution", "update_function",
    ]  # fmt: skip
    assert (mine["it"]["ContinuousDeploymentPolicyId"], mine["it"]["HttpVersion"]) == ("theirs", "http2and3")
    assert policy["it"]["MaxTTL"] == 60 and fake.functions["content-eu-sites"]["live"]


def test_after_rotations_the_key_group_is_theirs_and_the_first_key_is_not_made_again(account: Any) -> None:
    issued(account)
    applied(account)
    fake = account.cloudfront
    (group,) = fake.there["KeyGroup"].values()
    group["it"] = {**group["it"], "Items": ["KROTATED"]}
    fake.there["PublicKey"].clear()
    _, again = applied(account)
    assert (again["public-key:first"], again["key-group:edge"]) == ("there", "there")
    assert fake.there["PublicKey"] == {} and group["it"]["Items"] == ["KROTATED"]


def test_a_plan_changes_nothing(account: Any) -> None:
    _, plan = applied(account, dry=True)
    assert set(plan.values()) == {"made", "changed"}
    assert not [method for method in account.cloudfront.asked if not method.startswith(("list", "get", "describe"))]
    with pytest.raises(ClientError):
        boto3.client("iam").get_role(RoleName="content-eu-edge")


def test_the_command_wants_what_only_the_installation_knows(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "variables.json").write_text('{"bucket": "content-eu"}')
    with pytest.raises(SystemExit):
        edge_apply.main(["--region", "eu", "--variables", str(tmp_path / "variables.json")])
    assert "lacks public-key, logs-bucket, web-acl" in capsys.readouterr().err
