"""`python -m cluster.aws.edge_apply`: make CloudFront what the documents of `cluster.aws.edge` say, in their order.

What is there under its name stays and is changed where it differs from its document; what a document does not mention is left alone. A key group
is made once and then belongs to rotations. Without `--apply` nothing is changed: the plan is printed. At the end it prints the settings
that follow. May be run again at any time, also after it was cut off.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cluster.aws import edge
from cluster.topology import REGIONS, REPLICAS
from content.errors import ContentError

REFERENCE: Final = re.compile(r"\$\{([^}]+)\}")
Did = Literal["made", "changed", "there"]
Client = Callable[[str], Any]
"""A client of a service, by its name."""


@dataclass(frozen=True)
class Kind:
    """How CloudFront speaks of one kind of thing with a configuration: its member, and whether a difference is brought in."""

    name: str
    parameter: str
    listed: str
    changes: bool = True

    @property
    def noun(self) -> str:
        return re.sub(r"(?<!^)([A-Z])", r"_\1", self.name).lower()


KINDS: Final = {
    "CreatePublicKey": Kind("PublicKey", "PublicKeyConfig", "PublicKeyList", changes=False),
    "CreateKeyGroup": Kind("KeyGroup", "KeyGroupConfig", "KeyGroupList", changes=False),
    "CreateOriginAccessControl": Kind("OriginAccessControl", "OriginAccessControlConfig", "OriginAccessControlList"),
    "CreateOriginRequestPolicy": Kind("OriginRequestPolicy", "OriginRequestPolicyConfig", "OriginRequestPolicyList"),
    "CreateCachePolicy": Kind("CachePolicy", "CachePolicyConfig", "CachePolicyList"),
    "CreateResponseHeadersPolicy": Kind(
        "ResponseHeadersPolicy", "ResponseHeadersPolicyConfig", "ResponseHeadersPolicyList"
    ),
    "CreateDistribution": Kind("Distribution", "DistributionConfig", "DistributionList"),
}


class Applying:
    """`known` begins with the installation's variables and grows by what each document gives."""

    def __init__(self, client: Client, variables: Mapping[str, str], *, dry: bool = False) -> None:
        self._client, self._dry = client, dry
        self.known = dict(variables)

    def apply(self, document: Mapping[str, Any]) -> Did:
        """Raises ContentError `edge-waits` where something has to happen elsewhere first."""
        service, operation = document["call"].split(".")
        parameters, client = self._filled(document["parameters"]), self._client(service)
        if operation in KINDS:
            did, given = self._configured(client, KINDS[operation], parameters)
        else:
            did, given = getattr(self, f"_{_snake(operation)}")(client, parameters)
        self.known[document["gives"]] = given or f"({document['gives']})"
        return did

    def _filled(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self._filled(member) for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType]
            case list():
                return [self._filled(member) for member in value]  # pyright: ignore[reportUnknownVariableType]
            case str():
                return REFERENCE.sub(lambda found: self.known.get(found[1], found[0]), value)
            case _:
                return value

    def _configured(self, client: Any, kind: Kind, parameters: dict[str, Any]) -> tuple[Did, str]:
        wanted = parameters[kind.parameter]
        found = _find(client, kind, wanted)
        if found is None and kind.name == "PublicKey" and self._is_rotated(client, wanted["Name"]):
            return "there", ""  # the first key has had its time
        if found is None:
            if self._dry:
                return "made", ""
            made = getattr(client, f"create_{kind.noun}")(**parameters)[kind.name]
            return "made", self._named(kind, made)
        given = self._named(kind, found)
        if not kind.changes:
            return "there", given
        asked = getattr(client, f"get_{kind.noun}_config")(Id=found["Id"])
        there = asked[kind.parameter]
        if _says(there, wanted):
            return "there", given
        if not self._dry:
            merged = _merged(there, wanted)
            getattr(client, f"update_{kind.noun}")(Id=found["Id"], IfMatch=asked["ETag"], **{kind.parameter: merged})
        return "changed", given

    def _is_rotated(self, client: Any, name: str) -> bool:
        """Whether the key group is there, which then knows other keys than the first."""
        return _find(client, KINDS["CreateKeyGroup"], {"Name": name.removesuffix("-first")}) is not None

    def _named(self, kind: Kind, found: Mapping[str, Any]) -> str:
        if kind.name != "Distribution":
            return str(found["Id"])
        place = (
            "sites" if "*" in json.dumps(found.get("Aliases") or found["DistributionConfig"]["Aliases"]) else "files"
        )
        self.known[f"distribution-id:{place}"] = str(found["Id"])
        return str(found["ARN"])

    def _request_certificate(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        for page in client.get_paginator("list_certificates").paginate(
            Includes={"keyTypes": ["RSA_2048", "EC_prime256v1"]}
        ):
            for each in page["CertificateSummaryList"]:
                if each["DomainName"] == parameters["DomainName"]:
                    about = client.describe_certificate(CertificateArn=each["CertificateArn"])["Certificate"]
                    if about["Status"] != "ISSUED" and not self._dry:
                        raise _waits(
                            f"the certificate {each['CertificateArn']} is {about['Status']}: add its DNS records"
                        )
                    return "there", str(each["CertificateArn"])
        if self._dry:
            return "made", ""
        made = client.request_certificate(**parameters)["CertificateArn"]
        raise _waits(f"the certificate {made} was requested: add its DNS records")

    def _create_key_value_store(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        try:
            return "there", client.describe_key_value_store(Name=parameters["Name"])["KeyValueStore"]["ARN"]
        except client.exceptions.EntityNotFound:
            if self._dry:
                return "made", ""
            return "made", client.create_key_value_store(**parameters)["KeyValueStore"]["ARN"]

    def _create_function(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        code = parameters["FunctionCode"].encode()
        try:
            there = client.get_function(Name=parameters["Name"])
        except client.exceptions.NoSuchFunctionExists:
            if self._dry:
                return "made", ""
            made = client.create_function(**{**parameters, "FunctionCode": code})
            return "made", self._published(client, parameters["Name"], made["ETag"])
        about = client.describe_function(Name=parameters["Name"])
        given = about["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
        if there["FunctionCode"].read() == code:
            return "there", given
        if not self._dry:
            changed = client.update_function(**{**parameters, "FunctionCode": code}, IfMatch=about["ETag"])
            self._published(client, parameters["Name"], changed["ETag"])
        return "changed", given

    def _published(self, client: Any, name: str, version: str) -> str:
        found = client.publish_function(Name=name, IfMatch=version)
        return str(found["FunctionSummary"]["FunctionMetadata"]["FunctionARN"])

    def _create_role(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        try:
            return "there", client.get_role(RoleName=parameters["RoleName"])["Role"]["Arn"]
        except client.exceptions.NoSuchEntityException:
            return "made", "" if self._dry else client.create_role(**parameters)["Role"]["Arn"]

    def _put_role_policy(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        return self._put(client.put_role_policy, parameters)

    def _put_bucket_policy(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        return self._put(client.put_bucket_policy, parameters)

    def _put_delivery_source(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        return self._put(client.put_delivery_source, parameters)

    def _put_delivery_destination(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        did, _ = self._put(client.put_delivery_destination, parameters)
        given = (
            "" if self._dry else client.get_delivery_destination(name=parameters["name"])["deliveryDestination"]["arn"]
        )
        return did, given

    def _create_delivery(self, client: Any, parameters: dict[str, Any]) -> tuple[Did, str]:
        for page in client.get_paginator("describe_deliveries").paginate():
            for each in page.get("deliveries", []):
                if each["deliverySourceName"] == parameters["deliverySourceName"]:
                    return "there", str(each["id"])
        return "made", "" if self._dry else client.create_delivery(**parameters)["delivery"]["id"]

    def _put(self, call: Callable[..., Any], parameters: dict[str, Any]) -> tuple[Did, str]:
        if not self._dry:
            call(**parameters)
        return "changed", ""

    def settings(self) -> dict[str, str]:
        """What the service has to be told."""
        ids = {place: self.known.get(f"distribution-id:{place}", "") for place in ("files", "sites")}
        return {
            "CONTENT_EDGE_CDN": "cloudfront",
            "CONTENT_CLOUDFRONT_DISTRIBUTION_IDS": json.dumps(ids),
            "CONTENT_CLOUDFRONT_KEY_GROUP_ID": self.known["key-group:edge"],
            "CONTENT_CLOUDFRONT_SITES_STORE": self.known["store:sites"],
        }


def _find(client: Any, kind: Kind, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one of that name; distributions have none, and are known by their comment."""
    marker: dict[str, str] = {}
    while True:
        page = getattr(client, f"list_{_plural(kind.noun)}")(**marker)[kind.listed]
        for item in page.get("Items", []):
            about = item.get(kind.name, item)
            its = about.get(kind.parameter, about)
            if kind.name == "Distribution":
                if its["Comment"] == wanted["Comment"]:
                    return about
            elif its["Name"] == wanted["Name"]:
                return about
        if not page.get("NextMarker"):
            return None
        marker = {"Marker": page["NextMarker"]}


def _plural(noun: str) -> str:
    return f"{noun.removesuffix('y')}ies" if noun.endswith("policy") else f"{noun}s"


def _says(there: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is so; what AWS adds by itself does not count."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        return all((name in there and _says(there[name], member)) or (member == {"Quantity": 0, "Items": []} and _empty(there.get(name)))
                   for name, member in wanted.items())  # fmt: skip
    if isinstance(wanted, list) and isinstance(there, list):
        plain = all(isinstance(each, str) for each in wanted)
        pairs = zip(sorted(there), sorted(wanted), strict=False) if plain else zip(there, wanted, strict=False)
        return len(there) == len(wanted) and all(_says(*pair) for pair in pairs)
    return bool(there == wanted)


def _empty(there: Any) -> bool:
    return not there or there.get("Quantity") == 0


def _merged(there: Any, wanted: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(there, dict) and "Items" not in wanted:
        return {**there, **{name: _merged(there.get(name), member) for name, member in wanted.items()}}
    return wanted


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _waits(what: str) -> ContentError:
    return ContentError("edge-waits", f"Not yet: {what}.", "Run the command again when it is issued.", True)


def main(arguments: list[str]) -> int:
    import boto3

    parser = argparse.ArgumentParser(prog="python -m cluster.aws.edge_apply", description=__doc__)
    parser.add_argument("--region", required=True, choices=REGIONS)
    parser.add_argument("--variables", required=True, type=Path, help=f"JSON object: {', '.join(edge.VARIABLES)}")
    parser.add_argument("--apply", action="store_true", help="change it; else only say what would be")
    given = parser.parse_args(arguments)
    variables = json.loads(given.variables.read_text())
    missing = [name for name in edge.VARIABLES if not variables.get(name)]
    if missing:
        parser.error(f"{given.variables} lacks {', '.join(missing)}")

    def client(service: str) -> Any:
        home = REPLICAS[given.region].primary if service == "s3" else "us-east-1"
        return boto3.client(service, region_name=home)  # pyright: ignore[reportUnknownMemberType,reportCallIssue,reportArgumentType]

    applying = Applying(client, variables, dry=not given.apply)
    try:
        for name, document in edge.documents(given.region).items():
            print(f"{applying.apply(document):8} {name}")
    except ContentError as error:
        print(f"{error.message} {error.remedy}", file=sys.stderr)
        return 5 if error.retryable else 1
    for variable, value in applying.settings().items():
        print(f"{variable}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
