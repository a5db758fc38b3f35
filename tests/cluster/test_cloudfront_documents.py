"""CloudFront as documents: each call is one that AWS takes, and what it makes follows the same rules as the local edge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws

from cluster import edge_code
from cluster.aws import edge
from cluster.edge import cdn, edge_rules
from cluster.topology import REGIONS

MODELS = botocore.session.get_session()
REFERENCE = re.compile(r"\$\{([^}]+)\}")
UNKNOWN_TO_MOTO = {
    "cloudfront.CreateOriginRequestPolicy", "cloudfront.CreateCachePolicy", "cloudfront.CreateResponseHeadersPolicy",
}  # fmt: skip


def shape_of(document: dict[str, Any]) -> Any:
    service, operation = document["call"].split(".")
    return MODELS.get_service_model(service).operation_model(operation).input_shape


def foreign(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """What botocore's validator lets pass: words that are none of an enumeration, and lists that miscount themselves."""
    if shape.type_name == "structure":
        if {"Quantity", "Items"} <= set(value) and value["Quantity"] != len(value["Items"]):
            yield f"{path}: Quantity"
        for name, member in value.items():
            yield from foreign(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for member in value:
            yield from foreign(shape.member, member, f"{path}[]")
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value}"


def problems(document: dict[str, Any]) -> list[str]:
    shape = shape_of(document)
    report = ParamValidator().validate(document["parameters"], shape)
    if report.has_errors():
        return [report.generate_report()]
    return list(foreign(shape, document["parameters"]))


@pytest.mark.parametrize("region", REGIONS)
def test_every_document_is_a_call_that_aws_takes(region: str) -> None:
    documents = edge.documents(region)
    assert {name: found for name, each in documents.items() if (found := problems(each))} == {}
    assert json.loads(json.dumps(documents)) == documents


def test_a_wrong_document_is_seen() -> None:
    found = next(each for each in edge.documents("eu").values() if each["gives"] == "distribution:files")
    for change in (
        lambda it: it["DistributionConfig"].update(Aliasses={}),
        lambda it: it["DistributionConfig"].update(Enabled="yes"),
        lambda it: it["DistributionConfig"].pop("Origins"),
        lambda it: it["DistributionConfig"]["ViewerCertificate"].update(MinimumProtocolVersion="TLSv9"),
        lambda it: it["DistributionConfig"]["Aliases"].update(Quantity=2),
    ):
        wrong = json.loads(json.dumps(found))
        change(wrong["parameters"])
        assert problems(wrong)


@pytest.mark.parametrize("region", REGIONS)
def test_what_a_document_names_was_made_before_it(region: str) -> None:
    given = set(edge.VARIABLES)
    for name, document in edge.documents(region).items():
        asked = set(REFERENCE.findall(json.dumps(document["parameters"])))
        assert asked <= given, name
        assert document["gives"] not in given, name
        given.add(document["gives"])


def test_moto_makes_them() -> None:
    """In their order, with what each gave filled in. moto knows no policies: those get names."""
    pem = cdn.public_pem(ec.generate_private_key(ec.SECP256R1()))
    known = {
        "bucket": "content-eu",
        "public-key": pem,
        "logs-bucket": "logs",
        "web-acl": "arn:aws:wafv2:us-east-1:1:x",
    }

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [filled(member) for member in value]
        return REFERENCE.sub(lambda found: known[found[1]], value) if isinstance(value, str) else value

    with mock_aws():
        boto3.client("s3", "eu-central-1").create_bucket(
            Bucket="content-eu", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        made = 0
        for document in edge.documents("eu").values():
            service, operation = document["call"].split(".")
            if document["call"] in UNKNOWN_TO_MOTO or service in ("logs", "acm"):
                known[document["gives"]] = f"arn:aws:example:::{document['gives']}"
                continue
            client = boto3.client(service, "eu-central-1" if service == "s3" else "us-east-1")
            method = re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower()
            answer = getattr(client, method)(**filled(document["parameters"]))
            known[document["gives"]] = given(answer)
            made += 1
        assert made == 16
        cloudfront = boto3.client("cloudfront", "us-east-1")
        found = cloudfront.list_distributions()["DistributionList"]["Items"]
        assert {tuple(each["Aliases"]["Items"]) for each in found} == {
            ("edge.eu.content.example",), ("*.sites.eu.content.example",),
        }  # fmt: skip
        groups = {item for each in found for item in each["DefaultCacheBehavior"]["TrustedKeyGroups"]["Items"]}
        assert groups == {cloudfront.list_key_groups()["KeyGroupList"]["Items"][0]["KeyGroup"]["Id"]}
        policy = json.loads(boto3.client("s3", "eu-central-1").get_bucket_policy(Bucket="content-eu")["Policy"])
        arns = policy["Statement"][1]["Condition"]["ArnEquals"]["AWS:SourceArn"]
        assert sorted(arns) == sorted(each["ARN"] for each in found)


def given(answer: dict[str, Any]) -> str:
    for member in ("PublicKey", "KeyGroup", "OriginAccessControl"):
        if member in answer:
            return answer[member]["Id"]
    for member in ("KeyValueStore", "Distribution"):
        if member in answer:
            return answer[member]["ARN"]
    return answer.get("FunctionSummary", {}).get("FunctionMetadata", {}).get("FunctionARN", "made")


# What they say, compared with the table that the local edge reads.


def configurations(region: str = "eu") -> dict[str, dict[str, Any]]:
    """What each document gives: its configuration, without the wrapper of its call."""
    found: dict[str, dict[str, Any]] = {}
    for document in edge.documents(region).values():
        parameters = document["parameters"]
        (only,) = parameters.values() if len(parameters) == 1 else (parameters,)
        found[document["gives"]] = only
    return found


@pytest.mark.parametrize("place", ["files", "sites"])
def test_each_rule_is_a_behaviour_and_there_is_no_other(place: str) -> None:
    all_ = configurations()
    behaviours = all_[f"distribution:{place}"]["CacheBehaviors"]["Items"]
    rules = [rule for rule in edge_rules.RULES if rule.place == place]
    assert [each["PathPattern"] for each in behaviours] == [f"/{rule.prefix}*" for rule in rules]
    for rule, behaviour in zip(rules, behaviours, strict=True):
        assert behaviour["TrustedKeyGroups"]["Enabled"] is rule.signed
        assert behaviour["TrustedKeyGroups"].get("Items", []) == (["${key-group:edge}"] if rule.signed else [])
        assert tuple(behaviour["AllowedMethods"]["Items"]) == edge_rules.METHODS
        kept = all_[REFERENCE.findall(behaviour["CachePolicyId"])[0]]
        assert (kept["MinTTL"], kept["DefaultTTL"], kept["MaxTTL"]) == (rule.kept_s,) * 3
        headers = all_[REFERENCE.findall(behaviour["ResponseHeadersPolicyId"])[0]]
        assert headers["SecurityHeadersConfig"]["ContentTypeOptions"] == {"Override": True}
        assert ("CorsConfig" in headers) is rule.any_page
        told = [each["Value"] for each in headers.get("CustomHeadersConfig", {}).get("Items", [])]
        assert told == ([rule.told] if rule.told and place == "files" else [])
        events = {each["EventType"]: each["FunctionARN"] for each in behaviour["FunctionAssociations"]["Items"]}
        assert events["viewer-request"] == f"${{function:{place}}}"
        assert ("viewer-response" in events) is (place == "sites" and rule.prefix != edge_rules.OPEN)


def test_manifests_are_kept_for_a_minute_at_most() -> None:
    (rule,) = [rule for rule in edge_rules.RULES if rule.prefix == "packages/"]
    assert rule.kept_s == 60 and rule.told == "max-age=60"


@pytest.mark.parametrize("place", ["files", "sites"])
def test_nothing_is_served_without_tls_or_by_default(place: str) -> None:
    distribution = configurations()[f"distribution:{place}"]
    default = distribution["DefaultCacheBehavior"]
    assert default["TrustedKeyGroups"]["Enabled"] is True, "what no rule names is served to nobody"
    for behaviour in (default, *distribution["CacheBehaviors"]["Items"]):
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
        assert behaviour["Compress"] is False
    assert distribution["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert distribution["WebACLId"] == "${web-acl}"
    (origin,) = distribution["Origins"]["Items"]
    assert origin["OriginAccessControlId"] == "${access-control:store}"
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    assert {each["ErrorCachingMinTTL"] for each in distribution["CustomErrorResponses"]["Items"]} == {1}


def test_nothing_of_a_request_is_part_of_the_key_or_goes_to_the_store() -> None:
    """So a signature is never kept, and one reader's answer is the other's."""
    all_ = configurations()
    for gives, policy in all_.items():
        if gives.startswith("kept:"):
            policy = policy["ParametersInCacheKeyAndForwardedToOrigin"]
            assert policy["EnableAcceptEncodingGzip"] is policy["EnableAcceptEncodingBrotli"] is False
        elif not gives.startswith("origin-request:"):
            continue
        assert policy["HeadersConfig"] == {"HeaderBehavior": "none"}
        assert policy["CookiesConfig"] == {"CookieBehavior": "none"}
        assert policy["QueryStringsConfig"] == {"QueryStringBehavior": "none"}


def test_the_bucket_lets_the_two_distributions_read_what_is_served_and_nothing_else() -> None:
    insecure, reads, missing = json.loads(configurations()["bucket-policy:edge"]["Policy"])["Statement"]
    assert (insecure["Effect"], insecure["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert reads["Resource"] == [
        f"arn:aws:s3:::content-eu/{prefix}*"
        for prefix in ("_player/", "assets/", "bundles/", "exports/", "packages/", "previews/")
    ]
    for statement in (reads, missing):
        assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
        assert len(statement["Condition"]["ArnEquals"]["AWS:SourceArn"]) == 2
    assert (reads["Action"], missing["Action"]) == ("s3:GetObject", "s3:ListBucket")


def test_logs_hold_no_signature_no_cookie_and_no_address_of_a_learner() -> None:
    deliveries = [each for gives, each in configurations().items() if gives.startswith("log-delivery:")]
    assert len(deliveries) == 2
    for each in deliveries:
        assert not {"cs-uri-query", "cs(Cookie)", "cs(Referer)", "c-ip", "x-forwarded-for"} & set(each["recordFields"])
        assert {"cs-uri-stem", "sc-status", "sc-bytes"} <= set(each["recordFields"])


def test_functions_fit_and_speak_the_language_of_their_run_time() -> None:
    beyond = {
        "destructuring": r"(?:const|let|var)\s*[\[{]", "spread": r"\.\.\.", "optional chaining": r"\?\.",
        "class": r"\bclass\s", "nullish": r"\?\?", "for of": r"for\s*\([^;)]*\sof\s", "export": r"\bexport\b",
        "named groups": r"\(\?<", "eval": r"\beval\(", "timers": r"setTimeout", "requests": r"\bfetch\(",
    }  # fmt: skip
    for program in edge_code.FUNCTIONS:
        code = configurations()[f"function:{program}"]["FunctionCode"]
        assert len(code.encode()) <= edge_code.MOST_BYTES
        plain = re.sub(r"(?m)^const RULES = .*$|//.*$", "", code)
        assert {name for name, pattern in beyond.items() if re.search(pattern, plain)} == set(), program
        assert len(re.findall(r"(?m)^(?:async )?function handler\(event\)", code)) == 1


def test_who_tells_the_cdn_and_who_rotates_may_do_that_and_nothing_else() -> None:
    told, rotates, promotes = (
        json.loads(configurations()[f"role-policy:{role}"]["PolicyDocument"])["Statement"]
        for role in ("edge", "edge-keys", "release")
    )
    assert [(each["Action"], each["Resource"]) for each in promotes] == [
        (["cloudfront:CreateInvalidation"], ["${distribution:files}"])
    ]
    actions = {action for statement in told for action in statement["Action"]}
    assert not any("*" in action for statement in (*told, *rotates) for action in statement["Action"])
    assert {action for action in actions if action.startswith("cloudfront:")} == {"cloudfront:CreateInvalidation"}
    objects = {each["Sid"]: each["Resource"] for each in told if "s3:GetObject" in each["Action"]}
    assert objects == {
        "ReadWhatTenantsSay": ["arn:aws:s3:::content-eu/sites/*"], "KeepTheShell": ["arn:aws:s3:::content-eu/_player/*"],
    }  # fmt: skip
    assert [each["Sid"] for each in rotates if each["Resource"] == ["*"]] == ["MakePublicKeys"]
    assert not any(action.startswith("s3:") for each in rotates for action in each["Action"])


def test_a_region_names_nothing_of_another() -> None:
    for region in REGIONS:
        text = json.dumps(edge.documents(region))
        for other in set(REGIONS) - {region}:
            assert not re.search(rf"content-{other}\b", text) and f".{other}.content" not in text
