"""IAM: a role per pool, and what each may do with the bucket and with keys that do not exist yet.

A role is taken by the pods of one service account in the region's own EKS cluster (EKS Pod Identity). These are borders between
clusters of Ray, not between pools of one: whoever runs code in a builder can have Ray run it in a bundler, an exporter or a relay,
since workers of a Ray cluster trust each other. What keeps authors' bytes from that is the decoders' sandbox; the importer and the
API are Ray clusters of their own (docs/security.md).
Who may use a key is said by the key's own policy (key_policies.py) and nowhere here: these documents only let keys be made
and named. The importer has no role: nobody without rights can lose any. No action is a wildcard; a resource ends in one
where the names below it are tenants', and is one only where AWS knows no other (CreateKey).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster.aws import ACCOUNT, bucket, cluster_arn
from cluster.topology import API, BUILDER, BUNDLER, EXPORTER, RELAY, REPLICAS

HOUSEKEEPING = "content-housekeeping"
"""Runs gc and restores by hand: the jobs that delete and move what others wrote."""
RESTORE, RECONCILE = "content-restore", "content-reconcile"
"""Jobs of recovery, started by hand: a region from its log and its bucket, and a database that was set back (docs/recovery.md)."""
BREAK_GLASS = "content-break-glass"
"""A person, with a second factor, for an hour: the only one who may end a key or change its policy."""
NAMESPACE = "content"
READ = ("s3:GetObject", "s3:GetObjectVersion")
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
DELETE = ("s3:DeleteObject",)
KINDS = ("assets", "packages", "withdrawn", "bundles", "exports", "previews", "imports")
ASIDE = ("cold", "held")
"""Where of all these lies what is cold in a store without classes, and what a legal hold keeps."""


@dataclass(frozen=True)
class Rights:
    """Prefixes of the bucket (`cluster.places`) that a role reads, writes, and deletes from; and whether it makes keys."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    makes_keys: bool = False


RIGHTS = {
    API.name: Rights(
        reads=("packages", "withdrawn", "imports", "exports", "previews"), writes=("imports", "withdrawn", "sites", "held", "events/*/slips"),
        deletes=("packages", "exports", "previews", "imports"), makes_keys=True,
    ),
    BUILDER.name: Rights(
        reads=("assets", "packages", "imports", "doctor"), writes=("assets", "packages", "imports", "previews", "doctor"),
        deletes=("imports", "previews", "doctor"),
    ),
    BUNDLER.name: Rights(
        reads=("assets", "packages", "bundles", "doctor"), writes=("bundles", "doctor"), deletes=("doctor",), makes_keys=True,
    ),
    # Beside exports it works on holds, erasures, deletions and the nightly round (actors/exporter.py).
    EXPORTER.name: Rights(
        reads=(*KINDS, *ASIDE), writes=(*KINDS, *ASIDE),
        deletes=(*KINDS, *ASIDE, "identities", "sites"),
    ),
    # The archiver: segments are never deleted, slips and identities are (docs/event-log.md).
    RELAY.name: Rights(
        reads=("events", "identities"), writes=("events", "identities"), deletes=("events/*/slips", "identities"),
    ),
    # It makes lost blobs again from what is kept, in the region's own bucket; a seal that comes out otherwise is taken away.
    RESTORE: Rights(
        reads=("events", "identities", "assets", "packages", "withdrawn", "bundles", "exports", "imports"),
        writes=("assets", "packages", "withdrawn", "bundles", "exports", "imports"), deletes=("bundles",),
    ),
    RECONCILE: Rights(reads=("events", "identities")),
    HOUSEKEEPING: Rights(
        reads=(*KINDS, *ASIDE), writes=(*KINDS, *ASIDE),
        deletes=(*KINDS, *ASIDE, "identities", "sites"),
    ),
}  # fmt: skip


def role(name: str, region: str) -> str:
    """A role's name. Roles are the account's, not a region's, so the region stands in it."""
    return f"content-{region}-{name.removeprefix('content-')}"


def role_arn(name: str, region: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{role(name, region)}"


def documents(region: str) -> dict[str, Any]:
    """Per role: who may take it, and what it may do."""
    found: dict[str, Any] = {}
    for name, rights in RIGHTS.items():
        found[f"iam/{role(name, region)}.trust.json"] = trust(name, region)
        found[f"iam/{role(name, region)}.policy.json"] = policy(name, rights, region)
    found[f"iam/{role(BREAK_GLASS, region)}.trust.json"] = break_glass_trust()
    return found


def trust(name: str, region: str) -> dict[str, Any]:
    """The pods of the service account of that name in the region's cluster, and nobody else: other clusters of the account (another
    region's, one for development) have accounts of the same names. The tags are set by EKS, which knows who asks."""
    tags = {
        "aws:RequestTag/eks-cluster-arn": cluster_arn(region),
        "aws:RequestTag/kubernetes-namespace": NAMESPACE,
        "aws:RequestTag/kubernetes-service-account": name,
    }
    return _document(
        {
            "Sid": "Pods",
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": tags},
        }
    )


def break_glass_trust(account: str = ACCOUNT) -> dict[str, Any]:
    """Whoever the account lets, with a second factor that was shown within the hour."""
    return _document(
        {
            "Sid": "PeopleWithASecondFactor",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": ["sts:AssumeRole"],
            "Condition": {
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"},
            },
        }
    )


def policy(name: str, rights: Rights, region: str) -> dict[str, Any]:
    statements = [
        _on_objects("Read", READ, rights.reads, region),
        _on_objects("Write", WRITE, rights.writes, region),
        _on_objects("Delete", DELETE, rights.deletes, region),
        _list(rights, region),
    ]
    if name in (HOUSEKEEPING, EXPORTER.name):
        statements += _housekeeping(region)
    if name == RELAY.name:
        statements += _forgets(region)
    if name in (HOUSEKEEPING, EXPORTER.name, API.name):
        statements.append(_archive(region, writes=name != API.name))
    if "doctor" in rights.reads:
        statements.append(_examines(region))
    if rights.makes_keys:
        statements += _makes_keys(region)
    return _document(*(statement for statement in statements if statement))


def _on_objects(sid: str, actions: Sequence[str], prefixes: Sequence[str], region: str) -> dict[str, Any]:
    if not prefixes:
        return {}
    resources = [f"arn:aws:s3:::{bucket(region)}/{prefix}/*" for prefix in prefixes]
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}


def _list(rights: Rights, region: str) -> dict[str, Any]:
    """IfExists: asking for an object that is not there names no prefix, and is answered 403 in place of 404 by whoever may
    not list. It means that a role can list the names of all keys, never read one."""
    prefixes = sorted({*rights.reads, *rights.writes, *rights.deletes})
    return {
        "Sid": "List",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket(region)}"],
        "Condition": {"StringLikeIfExists": {"s3:prefix": [f"{prefix}/*" for prefix in prefixes]}},
    }


def _housekeeping(region: str) -> list[dict[str, Any]]:
    kept = ("s3:RestoreObject", "s3:PutObjectLegalHold", "s3:GetObjectLegalHold", "s3:GetObjectRetention")
    return [
        _on_objects("HoldAndRestore", kept, (*KINDS, *ASIDE), region),
        # Erasure takes all versions of what was made for a learner, the end of a tenant those of all that is its own; never of
        # the archive or the event log. A version that is under a legal hold nobody removes while the hold is on it; but who may
        # place holds may take them off, so against these two roles themselves a hold is what Postgres says (docs/security.md).
        _on_objects("EraseVersions", ("s3:DeleteObjectVersion",), (*KINDS, *ASIDE, "identities", "sites"), region),
        {
            "Sid": "FindUploadsAndVersions",
            "Effect": "Allow",
            "Action": ["s3:ListBucketMultipartUploads", "s3:ListBucketVersions", "s3:GetBucketObjectLockConfiguration"],
            "Resource": [f"arn:aws:s3:::{bucket(region)}"],
        },
    ]


def _forgets(region: str) -> list[dict[str, Any]]:
    """The archiver takes away who was behind a pseudonym, with all versions, where an erasure met it on its way."""
    versions = {
        "Sid": "FindVersions",
        "Effect": "Allow",
        "Action": ["s3:ListBucketVersions"],
        "Resource": [f"arn:aws:s3:::{bucket(region)}"],
        "Condition": {"StringLike": {"s3:prefix": ["identities/*"]}},
    }
    return [_on_objects("ForgetIdentities", ("s3:DeleteObjectVersion",), ("identities",), region), versions]


def _examines(region: str) -> dict[str, Any]:
    """The doctor in these pods: whether old versions are kept."""
    where = [f"arn:aws:s3:::{bucket(region)}"]
    return {"Sid": "SeeVersioning", "Effect": "Allow", "Action": ["s3:GetBucketVersioning"], "Resource": where}


def _archive(region: str, *, writes: bool) -> dict[str, Any]:
    """Copies of the audit log: written and read, and removed by nobody here."""
    actions = ["s3:GetObject", *(["s3:PutObject", "s3:PutObjectRetention"] if writes else [])]
    archive = f"arn:aws:s3:::{bucket(region)}-archive/archive/*"
    return {"Sid": "Archive", "Effect": "Allow", "Action": actions, "Resource": [archive]}


def _makes_keys(region: str) -> list[dict[str, Any]]:
    pair = [REPLICAS[region].primary, REPLICAS[region].replica]
    return [
        {
            "Sid": "MakeMultiRegionKeys",
            "Effect": "Allow",
            "Action": ["kms:CreateKey"],
            "Resource": ["*"],  # AWS knows no other for it
            "Condition": {
                "Bool": {"kms:MultiRegion": "true"},
                "StringEquals": {"aws:RequestedRegion": pair},
                "StringEqualsIfExists": {"kms:KeySpec": ["ECC_NIST_P256", "SYMMETRIC_DEFAULT"]},
            },
        },
        {
            "Sid": "TagThem",
            "Effect": "Allow",
            "Action": ["kms:TagResource"],
            "Resource": [f"arn:aws:kms:{each}:{ACCOUNT}:key/mrk-*" for each in pair],
            "Condition": {
                "StringEquals": {"aws:RequestTag/content:use": ["signing", "root", "wrapping"]},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["content:use", "content:tenant", "content:name"]},
            },
        },
        {
            "Sid": "NameThem",
            "Effect": "Allow",
            "Action": ["kms:CreateAlias"],
            "Resource": [f"arn:aws:kms:{each}:{ACCOUNT}:alias/content/*" for each in pair],
        },
    ]


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
