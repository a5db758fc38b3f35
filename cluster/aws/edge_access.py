"""Who may do what with the edge, as documents: what the distributions may read, what two roles may change, and what is written to logs.

A part of `cluster.aws.edge.documents`; distributions, key group and store are named by what their documents give.
"""

from __future__ import annotations

import json
from typing import Any, Final

from cluster.aws import ACCOUNT, bucket
from cluster.aws.edge_calls import Document, call, named
from cluster.aws.iam import trust
from cluster.edge import edge_rules
from cluster.topology import REPLICAS

FIELDS: Final = (
    "date", "time", "x-edge-location", "cs-method", "x-host-header", "cs-uri-stem", "sc-status", "sc-bytes", "time-taken",
    "time-to-first-byte", "x-edge-result-type", "x-edge-detailed-result-type", "x-edge-request-id", "cs-protocol-version",
    "ssl-protocol", "sc-range-start", "sc-range-end",
)  # fmt: skip
"""Of access logs. Not the query and the cookies, whose signature opens what it names, and not the address of a learner."""
SIGNER: Final = "content/content-edge-signer"
"""The secret of AWS Secrets Manager with the edge's keys and nothing else: whoever rotates them reads and writes all that is in it."""
SERVED: Final = tuple(sorted({rule.prefix for rule in edge_rules.RULES if rule.prefix != edge_rules.OPEN}))
"""The prefixes of the bucket that the distributions may read."""


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


def bucket_policy(region: str) -> Document:
    own = f"arn:aws:s3:::{bucket(region)}"
    insecure = {
        "Sid": "OnlyTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [own, f"{own}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [insecure, *bucket_statements(region)]}
    about = {"Bucket": "${bucket}", "Policy": json.dumps(policy)}
    return call("s3.PutBucketPolicy", "bucket-policy:edge", **about)


def rights(region: str) -> list[Document]:
    """Roles: of the process that tells the CDN, of whoever rotates the key, and of the promoter. None can read a bundle, or a login."""
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
            "Resource": [f"arn:aws:secretsmanager:{REPLICAS[region].primary}:{ACCOUNT}:secret:{SIGNER}-??????"],
        },
    ]  # fmt: skip
    # A change of the manifests' shape has `packages/` forgotten (cluster/release/edge.py): one distribution serves it.
    promotes = [
        {
            "Sid": "Invalidate",
            "Effect": "Allow",
            "Action": ["cloudfront:CreateInvalidation"],
            "Resource": ["${distribution:files}"],
        }
    ]
    found: list[Document] = []
    for role, statements in (("edge", tells), ("edge-keys", rotates), ("release", promotes)):
        name = named(region, role)
        found.append(
            call(
                "iam.CreateRole",
                f"role:{role}",
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps(_pods(role, region)),
            )
        )
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        found.append(
            call("iam.PutRolePolicy", f"role-policy:{role}", RoleName=name, PolicyName=role, PolicyDocument=policy)
        )
    return found


def _pods(role: str, region: str) -> dict[str, Any]:
    """Taken by the pods of the service account `content-…` of that name, as every role of ours."""
    return trust(f"content-{role}", region)


def logs(region: str) -> list[Document]:
    """Access logs as JSON lines to a bucket of the installation, of chosen fields."""
    to = {"destinationResourceArn": "arn:aws:s3:::${logs-bucket}"}
    found = [
        call(
            "logs.PutDeliveryDestination", "log-destination:edge",
            name=named(region, "edge"), outputFormat="json", deliveryDestinationConfiguration=to,
        )
    ]  # fmt: skip
    for place in ("files", "sites"):
        source = {"name": named(region, place), "resourceArn": f"${{distribution:{place}}}", "logType": "ACCESS_LOGS"}
        delivery = {
            "deliverySourceName": named(region, place), "deliveryDestinationArn": "${log-destination:edge}", "recordFields": list(FIELDS),
            "s3DeliveryConfiguration": {"suffixPath": f"/{region}/{place}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}"},
        }  # fmt: skip
        found.append(call("logs.PutDeliverySource", f"log-source:{place}", **source))
        found.append(call("logs.CreateDelivery", f"log-delivery:{place}", **delivery))
    return found
