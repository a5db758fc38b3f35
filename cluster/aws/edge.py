"""CloudFront as documents: what each region's two distributions are, made from the table of rules (`cluster.edge_rules`).

A document is one call of an AWS service: its name, what it `gives`, and the parameters, which name what other documents give as
`${kind:name}` and what the installation has as `${name}` (`VARIABLES`). File names are in the order of the calls; `cluster.aws.edge_apply`
makes them. One distribution is the edge's own address (`files`), the other all origins of tenants and packages (`sites`); both read
the region's bucket by origin access control, and nothing in it but the prefixes that have a rule.

The signature is CloudFront's own matter (`TrustedKeyGroups`): a default behaviour lets nothing through. The answers of a tenant's sites
get that tenant's policy from a function and its key value store (docs/edge.md says why).
"""

from __future__ import annotations

import json
from typing import Any, Final

from cluster import edge_code, edge_rules
from cluster.aws import ACCOUNT, bucket
from cluster.aws.iam import trust
from cluster.edge_rules import Rule
from cluster.topology import REPLICAS

DOMAIN: Final = "content.example"
VARIABLES: Final = ("bucket", "public-key", "logs-bucket", "web-acl")
"""What only the installation knows: its bucket, the PEM of the first public key, the bucket for logs, and the ARN of its web ACL."""
TLS: Final = "TLSv1.2_2021"
YEAR_S: Final = 365 * edge_rules.DAY_S
ERRORS_S: Final = 1
"""An answer that something is not there, or that the store is away, is kept no longer: it may be there in a moment."""
PRICES: Final = {"us": "PriceClass_100", "eu": "PriceClass_100", "me": "PriceClass_200", "ap": "PriceClass_200"}
FIELDS: Final = (
    "date", "time", "x-edge-location", "cs-method", "x-host-header", "cs-uri-stem", "sc-status", "sc-bytes", "time-taken",
    "time-to-first-byte", "x-edge-result-type", "x-edge-detailed-result-type", "x-edge-request-id", "cs-protocol-version",
    "ssl-protocol", "sc-range-start", "sc-range-end",
)  # fmt: skip
"""Of access logs. Not the query and the cookies, whose signature opens what it names, and not the address of a learner."""
SERVED: Final = tuple(sorted({rule.prefix for rule in edge_rules.RULES if rule.prefix != edge_rules.OPEN}))
"""The prefixes of the bucket that the distributions may read."""
Document = dict[str, Any]


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
        _bucket_policy(region),
        *_rights(region),
        *_logs(region),
    ]
    return {f"edge/{number:02d}-{_file_name(each)}.json": each for number, each in enumerate(made, 1)}


def _file_name(document: Document) -> str:
    return document["gives"].replace(":", "-")


def _call(call: str, gives: str, **parameters: Any) -> Document:
    return {"call": call, "gives": gives, "parameters": parameters}


def _name(region: str, what: str) -> str:
    return f"content-{region}-{what}"


def _list(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def _certificates(region: str) -> list[Document]:
    sites = site_url(region).format(tenant="*").removeprefix("https://")
    names = {"DomainName": edge_host(region), "SubjectAlternativeNames": [sites]}
    # CloudFront takes certificates of us-east-1 alone.
    return [
        _call(
            "acm.RequestCertificate", "certificate:edge", **names, ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1"
        )
    ]


def _keys(region: str) -> list[Document]:
    key = {
        "CallerReference": _name(region, "edge-first"),
        "Name": _name(region, "edge-first"),
        "EncodedKey": "${public-key}",
    }
    group = {
        "Name": _name(region, "edge"),
        "Items": ["${public-key:first}"],
        "Comment": "May sign addresses of the edge.",
    }
    return [
        _call("cloudfront.CreatePublicKey", "public-key:first", PublicKeyConfig=key),
        _call("cloudfront.CreateKeyGroup", "key-group:edge", KeyGroupConfig=group),
        _call(
            "cloudfront.CreateOriginAccessControl", "access-control:store",
            OriginAccessControlConfig={
                "Name": _name(region, "store"), "SigningProtocol": "sigv4", "SigningBehavior": "always",
                "OriginAccessControlOriginType": "s3",
            },
        ),
        _call(
            "cloudfront.CreateKeyValueStore", "store:sites",
            Name=_name(region, "sites"), Comment="What tenants say about their sites.",
        ),
    ]  # fmt: skip


def _functions(region: str) -> list[Document]:
    rules = edge_rules.for_code(site_url(region))
    found: list[Document] = []
    for program in edge_code.FUNCTIONS:
        configuration: dict[str, Any] = {"Comment": f"cluster/edge_code/{program}.js", "Runtime": "cloudfront-js-2.0"}
        if program == "answer":
            configuration["KeyValueStoreAssociations"] = _list({"KeyValueStoreARN": "${store:sites}"})
        code = edge_code.source(program, rules)
        about = {"Name": _name(region, program), "FunctionConfig": configuration, "FunctionCode": code}
        found.append(_call("cloudfront.CreateFunction", f"function:{program}", **about))
    return found


def _policies(region: str) -> list[Document]:
    nothing = {
        "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }  # fmt: skip
    found = [
        _call(
            "cloudfront.CreateOriginRequestPolicy", "origin-request:nothing",
            OriginRequestPolicyConfig={"Name": _name(region, "nothing"), "Comment": "The store needs a path alone.", **nothing},
        )
    ]  # fmt: skip
    for seconds in sorted({rule.kept_s for rule in edge_rules.RULES}):
        policy = {
            "Name": _name(region, f"kept-{seconds}"), "Comment": f"Kept for {seconds} s, by the path alone.",
            # Neither less nor more, whatever an object says of itself.
            "MinTTL": seconds, "DefaultTTL": seconds, "MaxTTL": seconds,
            # Compressed here, a manifest would have a weak ETag; everything else is compressed already.
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": False, "EnableAcceptEncodingBrotli": False, **nothing,
            },
        }  # fmt: skip
        found.append(_call("cloudfront.CreateCachePolicy", f"kept:{seconds}", CachePolicyConfig=policy))
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
        "Name": _name(region, _rule_name(rule)), "Comment": f"{rule.place}: {rule.prefix}",
        "SecurityHeadersConfig": security, "RemoveHeadersConfig": _list({"Header": "x-amz-server-side-encryption"}),
    }  # fmt: skip
    if rule.told and rule.place == "files":  # of sites the function says it
        told = {"Header": "cache-control", "Value": rule.told, "Override": True}
        configuration["CustomHeadersConfig"] = _list(told)
    if rule.any_page:
        configuration["CorsConfig"] = {
            "AccessControlAllowOrigins": _list(edge_rules.FOR_PAGES["access-control-allow-origin"]),
            "AccessControlAllowHeaders": _list("range", "if-range", "if-none-match"),
            "AccessControlAllowMethods": _list(*edge_rules.METHODS),
            "AccessControlAllowCredentials": False,
            "AccessControlExposeHeaders": _list(*edge_rules.FOR_PAGES["access-control-expose-headers"].split(", ")),
            "OriginOverride": True,
        }
    gives = f"headers:{_rule_name(rule)}"
    return _call("cloudfront.CreateResponseHeadersPolicy", gives, ResponseHeadersPolicyConfig=configuration)


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
    groups = _list("${key-group:edge}") if signed else _list()
    return {
        "TargetOriginId": "store",
        "ViewerProtocolPolicy": "https-only",  # no redirect: what was asked in the clear has told its signature
        "TrustedKeyGroups": {"Enabled": signed, **groups},
        "AllowedMethods": {**_list(*edge_rules.METHODS), "CachedMethods": _list(*edge_rules.METHODS)},
        "Compress": False,
        "OriginRequestPolicyId": "${origin-request:nothing}",
        "FunctionAssociations": _list(
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
        "CustomHeaders": _list(),
        "S3OriginConfig": {"OriginAccessIdentity": ""},
        "OriginAccessControlId": "${access-control:store}",
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 5,
        "OriginShield": {"Enabled": False},
    }
    errors = [{"ErrorCode": code, "ErrorCachingMinTTL": ERRORS_S} for code in (403, 404, 500, 502, 503, 504)]
    return _call(
        "cloudfront.CreateDistribution", f"distribution:{place}",
        DistributionConfig={
            "CallerReference": _name(region, place),
            "Comment": f"content-service, {region}: {place}",
            "Enabled": True,
            "Aliases": _list(*aliases),
            "DefaultRootObject": "",
            "Origins": _list(origin),
            "DefaultCacheBehavior": default,
            "CacheBehaviors": _list(*map(_behaviour, rules)),
            "CustomErrorResponses": _list(*errors),
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


def bucket_statements(region: str) -> list[dict[str, Any]]:
    """What the bucket's policy says of the two distributions: the served prefixes, to be read, and to be told apart from what is missing."""
    own = f"arn:aws:s3:::{bucket(region)}"
    ours = {"ArnEquals": {"AWS:SourceArn": ["${distribution:files}", "${distribution:sites}"]}}
    allowed = {"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Condition": ours}
    return [
        {
            "Sid": "EdgeReads",
            **allowed,
            "Action": "s3:GetObject",
            "Resource": [f"{own}/{prefix}*" for prefix in SERVED],
        },
        # Without it S3 answers 403 for what is not there, which a device takes for an address that has expired.
        {"Sid": "EdgeIsToldWhatIsMissing", **allowed, "Action": "s3:ListBucket", "Resource": own},
    ]


def _bucket_policy(region: str) -> Document:
    own = f"arn:aws:s3:::{bucket(region)}"
    insecure = {
        "Sid": "OnlyTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [own, f"{own}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [insecure, *bucket_statements(region)]}
    about = {"Bucket": "${bucket}", "Policy": json.dumps(policy)}
    return _call("s3.PutBucketPolicy", "bucket-policy:edge", **about)


def _rights(region: str) -> list[Document]:
    """Roles: of the process that tells the CDN, and of whoever rotates the key. Neither can read a bundle."""
    own = f"arn:aws:s3:::{bucket(region)}"
    distributions = ["${distribution:files}", "${distribution:sites}"]
    tells = [
        {"Sid": "Invalidate", "Effect": "Allow", "Action": ["cloudfront:CreateInvalidation"], "Resource": distributions},
        {
            "Sid": "SayWhatTenantsSay", "Effect": "Allow", "Resource": ["${store:sites}"],
            "Action": [
                "cloudfront-keyvaluestore:DescribeKeyValueStore", "cloudfront-keyvaluestore:ListKeys", "cloudfront-keyvaluestore:UpdateKeys",
            ],
        },
        {"Sid": "ReadWhatTenantsSay", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{own}/sites/*"]},
        {
            "Sid": "KeepTheShell", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [f"{own}/{edge_rules.SHELL}*"],
        },
        {
            "Sid": "ListIt", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [own],
            "Condition": {"StringLikeIfExists": {"s3:prefix": ["sites/*"]}},
        },
    ]  # fmt: skip
    rotates = [
        {
            "Sid": "ChangeTheKeyGroup", "Effect": "Allow", "Action": ["cloudfront:GetKeyGroup", "cloudfront:UpdateKeyGroup"],
            "Resource": [f"arn:aws:cloudfront::{ACCOUNT}:key-group/${{key-group:edge}}"],
        },
        {
            "Sid": "MakePublicKeys", "Effect": "Allow",
            "Action": [
                "cloudfront:CreatePublicKey", "cloudfront:GetPublicKey", "cloudfront:ListPublicKeys", "cloudfront:DeletePublicKey",
            ],
            "Resource": ["*"],  # AWS knows no other for making and listing them
        },
        {
            "Sid": "KeepThePrivateKey", "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
            "Resource": [f"arn:aws:secretsmanager:{REPLICAS[region].primary}:{ACCOUNT}:secret:content/content-api-*"],
        },
    ]  # fmt: skip
    found: list[Document] = []
    for role, statements in (("edge", tells), ("edge-keys", rotates)):
        name = _name(region, role)
        found.append(
            _call("iam.CreateRole", f"role:{role}", RoleName=name, AssumeRolePolicyDocument=json.dumps(_pods(role)))
        )
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        found.append(
            _call("iam.PutRolePolicy", f"role-policy:{role}", RoleName=name, PolicyName=role, PolicyDocument=policy)
        )
    return found


def _pods(role: str) -> dict[str, Any]:
    """Taken by the pods of the service account `content-…` of that name, as every role of ours."""
    return trust(f"content-{role}")


def _logs(region: str) -> list[Document]:
    """Access logs as JSON lines to a bucket of the installation, of chosen fields."""
    to = {"destinationResourceArn": "arn:aws:s3:::${logs-bucket}"}
    found = [
        _call(
            "logs.PutDeliveryDestination", "log-destination:edge",
            name=_name(region, "edge"), outputFormat="json", deliveryDestinationConfiguration=to,
        )
    ]  # fmt: skip
    for place in ("files", "sites"):
        source = {"name": _name(region, place), "resourceArn": f"${{distribution:{place}}}", "logType": "ACCESS_LOGS"}
        delivery = {
            "deliverySourceName": _name(region, place), "deliveryDestinationArn": "${log-destination:edge}", "recordFields": list(FIELDS),
            "s3DeliveryConfiguration": {"suffixPath": f"/{region}/{place}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}"},
        }  # fmt: skip
        found.append(_call("logs.PutDeliverySource", f"log-source:{place}", **source))
        found.append(_call("logs.CreateDelivery", f"log-delivery:{place}", **delivery))
    return found
