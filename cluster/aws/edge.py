"""CloudFront as documents: what each region's two distributions are, made from the table of rules (`cluster.edge.edge_rules`).

A document is one call of an AWS service: its name, what it `gives`, and the parameters, which name what other documents give as
`${kind:name}` and what the installation has as `${name}` (`VARIABLES`). File names are in the order of the calls; `cluster.aws.edge_apply`
makes them. One distribution is the edge's own address (`files`), the other all origins of tenants and packages (`sites`); both read
the region's bucket by origin access control, and nothing in it but the prefixes that have a rule.

The signature is CloudFront's own matter (`TrustedKeyGroups`): a default behaviour lets nothing through. The answers of a tenant's sites
get that tenant's policy from a function and its key value store (docs/edge.md says why).
"""

from __future__ import annotations

from typing import Any, Final

from cluster import edge_code
from cluster.aws import edge_access
from cluster.aws.edge_calls import Document, call, counted, named
from cluster.edge import edge_rules
from cluster.edge.edge_rules import Rule
from cluster.topology import REPLICAS

DOMAIN: Final = "content.example"
VARIABLES: Final = ("bucket", "public-key", "logs-bucket", "web-acl")
"""What only the installation knows: its bucket, the PEM of the first public key, the bucket for logs, and the ARN of its web ACL."""
TLS: Final = "TLSv1.2_2021"
YEAR_S: Final = 365 * edge_rules.DAY_S
ERRORS_S: Final = 1
"""An answer that something is not there, or that the store is away, is kept no longer: it may be there in a moment."""
PRICES: Final = {"us": "PriceClass_100", "eu": "PriceClass_100", "me": "PriceClass_200", "ap": "PriceClass_200"}


def edge_host(region: str) -> str:
    return f"edge.{region}.{DOMAIN}"


def site_url(region: str) -> str:
    return f"https://{{tenant}}.sites.{region}.{DOMAIN}"


def documents(region: str) -> dict[str, Document]:
    """Relative file name → document, in the order in which they are made."""
    made = [
        *_certificates(region),
        *_keys(region),
        *_functions(region),
        *_policies(region),
        _distribution(region, "files", (edge_host(region),)),
        _distribution(region, "sites", (site_url(region).format(tenant="*").removeprefix("https://"),)),
        edge_access.bucket_policy(region),
        *edge_access.rights(region),
        *edge_access.logs(region),
    ]
    return {f"edge/{number:02d}-{_file_name(each)}.json": each for number, each in enumerate(made, 1)}


def _file_name(document: Document) -> str:
    return document["gives"].replace(":", "-")


def _certificates(region: str) -> list[Document]:
    sites = site_url(region).format(tenant="*").removeprefix("https://")
    names = {"DomainName": edge_host(region), "SubjectAlternativeNames": [sites]}
    # CloudFront takes certificates of us-east-1 alone.
    return [
        call(
            "acm.RequestCertificate", "certificate:edge", **names, ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1"
        )
    ]


def _keys(region: str) -> list[Document]:
    key = {
        "CallerReference": named(region, "edge-first"),
        "Name": named(region, "edge-first"),
        "EncodedKey": "${public-key}",
    }
    group = {
        "Name": named(region, "edge"),
        "Items": ["${public-key:first}"],
        "Comment": "May sign addresses of the edge.",
    }
    return [
        call("cloudfront.CreatePublicKey", "public-key:first", PublicKeyConfig=key),
        call("cloudfront.CreateKeyGroup", "key-group:edge", KeyGroupConfig=group),
        call(
            "cloudfront.CreateOriginAccessControl", "access-control:store",
            OriginAccessControlConfig={
                "Name": named(region, "store"), "SigningProtocol": "sigv4", "SigningBehavior": "always",
                "OriginAccessControlOriginType": "s3",
            },
        ),
        call(
            "cloudfront.CreateKeyValueStore", "store:sites",
            Name=named(region, "sites"), Comment="What tenants say about their sites.",
        ),
    ]  # fmt: skip


def _functions(region: str) -> list[Document]:
    rules = edge_rules.for_code(site_url(region))
    found: list[Document] = []
    for program in edge_code.FUNCTIONS:
        configuration: dict[str, Any] = {"Comment": f"cluster/edge_code/{program}.js", "Runtime": "cloudfront-js-2.0"}
        if program == "answer":
            configuration["KeyValueStoreAssociations"] = counted({"KeyValueStoreARN": "${store:sites}"})
        code = edge_code.source(program, rules)
        about = {"Name": named(region, program), "FunctionConfig": configuration, "FunctionCode": code}
        found.append(call("cloudfront.CreateFunction", f"function:{program}", **about))
    return found


def _policies(region: str) -> list[Document]:
    nothing = {
        "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }  # fmt: skip
    found = [
        call(
            "cloudfront.CreateOriginRequestPolicy", "origin-request:nothing",
            OriginRequestPolicyConfig={"Name": named(region, "nothing"), "Comment": "The store needs a path alone.", **nothing},
        )
    ]  # fmt: skip
    for seconds in sorted({rule.kept_s for rule in edge_rules.RULES}):
        policy = {
            "Name": named(region, f"kept-{seconds}"), "Comment": f"Kept for {seconds} s, by the path alone.",
            # Neither less nor more, whatever an object says of itself.
            "MinTTL": seconds, "DefaultTTL": seconds, "MaxTTL": seconds,
            # Compressed here, a manifest would have a weak ETag; everything else is compressed already.
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": False, "EnableAcceptEncodingBrotli": False, **nothing,
            },
        }  # fmt: skip
        found.append(call("cloudfront.CreateCachePolicy", f"kept:{seconds}", CachePolicyConfig=policy))
    for rule in edge_rules.RULES:
        found.append(_headers(region, rule))
    return found


def _headers(region: str, rule: Rule) -> Document:
    security: dict[str, Any] = {
        "ContentTypeOptions": {"Override": True},
        "StrictTransportSecurity": {"Override": True, "AccessControlMaxAgeSec": YEAR_S, "IncludeSubdomains": False, "Preload": False},
    }  # fmt: skip
    if rule.place == "sites":
        security["ReferrerPolicy"] = {"Override": True, "ReferrerPolicy": edge_rules.OF_SITES["referrer-policy"]}
    configuration: dict[str, Any] = {
        "Name": named(region, _rule_name(rule)), "Comment": f"{rule.place}: {rule.prefix}",
        "SecurityHeadersConfig": security, "RemoveHeadersConfig": counted({"Header": "x-amz-server-side-encryption"}),
    }  # fmt: skip
    if rule.told and rule.place == "files":  # of sites the function says it
        told = {"Header": "cache-control", "Value": rule.told, "Override": True}
        configuration["CustomHeadersConfig"] = counted(told)
    if rule.any_page:
        configuration["CorsConfig"] = {
            "AccessControlAllowOrigins": counted(edge_rules.FOR_PAGES["access-control-allow-origin"]),
            "AccessControlAllowHeaders": counted("range", "if-range", "if-none-match"),
            "AccessControlAllowMethods": counted(*edge_rules.METHODS),
            "AccessControlAllowCredentials": False,
            "AccessControlExposeHeaders": counted(*edge_rules.FOR_PAGES["access-control-expose-headers"].split(", ")),
            "OriginOverride": True,
        }
    gives = f"headers:{_rule_name(rule)}"
    return call("cloudfront.CreateResponseHeadersPolicy", gives, ResponseHeadersPolicyConfig=configuration)


def _rule_name(rule: Rule) -> str:
    return f"{rule.place}-{rule.prefix.strip('/_')}"


def _behaviour(rule: Rule) -> dict[str, Any]:
    functions = [("viewer-request", rule.place)]
    if rule.place == "sites" and rule.prefix != edge_rules.OPEN:
        functions.append(("viewer-response", "answer"))
    return {
        "PathPattern": f"/{rule.prefix}*",
        **_common(rule.signed, functions),
        "CachePolicyId": f"${{kept:{rule.kept_s}}}",
        "ResponseHeadersPolicyId": f"${{headers:{_rule_name(rule)}}}",
    }


def _common(signed: bool, functions: list[tuple[str, str]]) -> dict[str, Any]:
    groups = counted("${key-group:edge}") if signed else counted()
    return {
        "TargetOriginId": "store",
        "ViewerProtocolPolicy": "https-only",  # no redirect: what was asked in the clear has told its signature
        "TrustedKeyGroups": {"Enabled": signed, **groups},
        "AllowedMethods": {**counted(*edge_rules.METHODS), "CachedMethods": counted(*edge_rules.METHODS)},
        "Compress": False,
        "OriginRequestPolicyId": "${origin-request:nothing}",
        "FunctionAssociations": counted(
            *({"EventType": event, "FunctionARN": f"${{function:{program}}}"} for event, program in functions)
        ),
    }


def _distribution(region: str, place: str, aliases: tuple[str, ...]) -> Document:
    rules = [rule for rule in edge_rules.RULES if rule.place == place]
    default = {
        # Nothing has no prefix: what no rule names needs a signature, and is then not there.
        **_common(True, [("viewer-request", place)]),
        "CachePolicyId": "${kept:0}",
        "ResponseHeadersPolicyId": f"${{headers:{_rule_name(rules[0])}}}",
    }
    origin = {
        "Id": "store",
        "DomainName": f"${{bucket}}.s3.{REPLICAS[region].primary}.amazonaws.com",
        "OriginPath": "",
        "CustomHeaders": counted(),
        "S3OriginConfig": {"OriginAccessIdentity": ""},
        "OriginAccessControlId": "${access-control:store}",
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 5,
        "OriginShield": {"Enabled": False},
    }
    errors = [{"ErrorCode": code, "ErrorCachingMinTTL": ERRORS_S} for code in (403, 404, 500, 502, 503, 504)]
    return call(
        "cloudfront.CreateDistribution", f"distribution:{place}",
        DistributionConfig={
            "CallerReference": named(region, place),
            "Comment": f"content-service, {region}: {place}",
            "Enabled": True,
            "Aliases": counted(*aliases),
            "DefaultRootObject": "",
            "Origins": counted(origin),
            "DefaultCacheBehavior": default,
            "CacheBehaviors": counted(*map(_behaviour, rules)),
            "CustomErrorResponses": counted(*errors),
            "ViewerCertificate": {
                "ACMCertificateArn": "${certificate:edge}", "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": TLS,
            },
            "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
            "WebACLId": "${web-acl}",
            "HttpVersion": "http2and3",
            "IsIPV6Enabled": True,
            "PriceClass": PRICES[region],
            # Logs of the old kind hold the query; ours are delivered below, without it.
            "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        },
    )  # fmt: skip
