"""The documents for AWS, read as AWS reads them: who may do what, in a table; and that they are the committed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster import places
from cluster.aws import ACCOUNT, bucket, edge, iam, key_policies
from cluster.aws.__main__ import rendered, write
from cluster.aws.iam import BREAK_GLASS, HOUSEKEEPING, RECONCILE, RESTORE, RIGHTS, role_arn
from cluster.topology import API, BUILDER, BUNDLER, EXPORTER, IMPORTER, POOLS, REGIONS, RELAY, REPLICAS
from tests.support.policies import Request, allowed

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "kuberay" / "aws"
ROLES = (
    API.name, BUILDER.name, BUNDLER.name, EXPORTER.name, RELAY.name, IMPORTER.name, RESTORE, RECONCILE, HOUSEKEEPING, BREAK_GLASS,
)  # fmt: skip
RECOVERY = {RESTORE, RECONCILE}
KEY = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
SIGNS = {"kms:SigningAlgorithm": "ECDSA_SHA_256"}
TENANT = {"kms:EncryptionContextKeys": ["tenant"], "kms:EncryptionContext:tenant": "acme"}
MFA = {"aws:MultiFactorAuthPresent": "true"}
IN_30_DAYS = {**MFA, "kms:ScheduleKeyDeletionPendingWindowInDays": 30}
PAIR = {"kms:ReplicaRegion": "eu-west-1"}


def may(role: str, action: str, resource: str, use: str | None = None, region: str = "eu", **context: Any) -> bool:
    """Whether a role gets there: its own document, and the policy of the key where it is one for `use`."""
    rights = RIGHTS.get(role)
    identity = [iam.policy(role, rights, region)] if rights else []
    policy = key_policies.policy(use, ACCOUNT, region) if use else None
    return allowed(Request(role_arn(role, region), action, resource, context), identity, policy)


# use, action, context → who may; everybody else of ROLES may not.
KEYS: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("signing", "kms:Sign", SIGNS, {API.name, BUILDER.name, BUNDLER.name, *RECOVERY}),
    ("signing", "kms:Sign", {"kms:SigningAlgorithm": "ECDSA_SHA_384"}, set()),
    ("root", "kms:Sign", SIGNS, {API.name, BUNDLER.name, *RECOVERY}),
    ("wrapping", "kms:Sign", SIGNS, set()),
    ("wrapping", "kms:GenerateDataKey", TENANT, {API.name, BUNDLER.name}),
    ("wrapping", "kms:GenerateDataKey", {}, set()),
    ("wrapping", "kms:Decrypt", TENANT, {BUNDLER.name, RESTORE}),
    ("wrapping", "kms:Decrypt", {}, set()),
    ("wrapping", "kms:Decrypt", {**TENANT, "kms:EncryptionContextKeys": ["tenant", "more"]}, set()),
    ("wrapping", "kms:Decrypt", {"kms:EncryptionContextKeys": ["other"]}, set()),
    ("wrapping", "kms:Encrypt", TENANT, set()),
    ("wrapping", "kms:ReEncryptFrom", TENANT, set()),
    ("wrapping", "kms:CreateGrant", MFA, set()),
    ("wrapping", "kms:EnableKeyRotation", {}, {API.name, BUNDLER.name}),
    ("wrapping", "kms:DisableKey", {}, set()),
    ("wrapping", "kms:DisableKey", MFA, {BREAK_GLASS}),
    ("signing", "kms:DisableKey", {}, {BUNDLER.name, EXPORTER.name}),
    ("root", "kms:DisableKey", MFA, {BUNDLER.name, EXPORTER.name, BREAK_GLASS}),
    ("signing", "kms:ReplicateKey", PAIR, {API.name, BUNDLER.name}),
    ("signing", "kms:ReplicateKey", {"kms:ReplicaRegion": "us-east-1"}, set()),
    ("signing", "kms:CreateAlias", {}, {API.name, BUNDLER.name}),
    ("signing", "kms:UpdateAlias", {}, set()),
    ("signing", "kms:GetKeyPolicy", {}, {API.name, BUNDLER.name}),
    ("signing", "kms:GetKeyPolicy", MFA, {API.name, BUNDLER.name, BREAK_GLASS}),
    ("signing", "kms:UpdateAlias", MFA, {BREAK_GLASS}),
    ("signing", "kms:GetPublicKey", {}, {API.name, BUILDER.name, BUNDLER.name, EXPORTER.name, *RECOVERY}),
    ("root", "kms:DescribeKey", {}, {API.name, BUILDER.name, BUNDLER.name, EXPORTER.name, *RECOVERY}),
    *[
        (use, action, context, who)
        for use in ("signing", "root", "wrapping")
        for action, context, who in (
            ("kms:ScheduleKeyDeletion", IN_30_DAYS, {BREAK_GLASS}),
            ("kms:ScheduleKeyDeletion", {**IN_30_DAYS, "kms:ScheduleKeyDeletionPendingWindowInDays": 29}, set()),
            ("kms:ScheduleKeyDeletion", {"kms:ScheduleKeyDeletionPendingWindowInDays": 30}, set()),
            ("kms:ScheduleKeyDeletion", {**IN_30_DAYS, "aws:MultiFactorAuthPresent": "false"}, set()),
            ("kms:PutKeyPolicy", MFA, {BREAK_GLASS}),
            ("kms:PutKeyPolicy", {}, set()),
            ("kms:EnableKey", MFA, {BREAK_GLASS}),
            ("kms:UpdatePrimaryRegion", {}, set()),
        )
    ],
]


@pytest.mark.parametrize(("use", "action", "context", "who"), KEYS)
def test_who_may_do_what_with_a_key(use: str, action: str, context: dict[str, Any], who: set[str]) -> None:
    assert {role for role in ROLES if may(role, action, KEY, use, **context)} == who


@pytest.mark.parametrize("use", ["signing", "root", "wrapping"])
def test_an_administrator_of_the_account_cannot_help_himself(use: str) -> None:
    """IAM lets him do all; the key's policy still says no."""
    all_powerful = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for action in ("kms:Sign", "kms:Decrypt", "kms:GenerateDataKey", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"):
        request = Request(f"arn:aws:iam::{ACCOUNT}:role/Administrator", action, KEY, {**SIGNS, **TENANT, **IN_30_DAYS})
        policy = key_policies.policy(use, ACCOUNT, "eu")
        denied = not allowed(request, [all_powerful], policy)
        # What a key is not made for KMS refuses by itself, whoever asks: no policy need say so.
        foreign = (action == "kms:Sign") == (use == "wrapping") and action not in key_policies.ENDS
        assert denied or foreign, action


@pytest.mark.parametrize("use", ["signing", "root"])
def test_roles_of_another_region_may_nothing(use: str) -> None:
    for role in ROLES:
        request = Request(role_arn(role, "us"), "kms:Sign", KEY, SIGNS)
        assert not allowed(request, [], key_policies.policy(use, ACCOUNT, "eu"))


BUCKET = f"arn:aws:s3:::{bucket('eu')}"
ARCHIVE = f"{BUCKET}-archive/archive/*"
KEY_GROUP = f"arn:aws:cloudfront::{ACCOUNT}:key-group/${{key-group:edge}}"
SIGNER = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:content/content-edge-signer-??????"


def objects(prefix: str) -> str:
    return f"arn:aws:s3:::{bucket('eu')}/{prefix}/acme/x"


# Who removes, moves and keeps what others wrote.
JANITORS = {HOUSEKEEPING, EXPORTER.name}
# prefix → who else reads, who writes, who deletes
OBJECTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "assets": ({BUILDER.name, BUNDLER.name, RESTORE}, {BUILDER.name, RESTORE}, set()),
    "packages": ({API.name, BUILDER.name, BUNDLER.name, RESTORE}, {BUILDER.name, RESTORE}, {API.name}),
    "withdrawn": ({API.name, RESTORE}, {API.name, RESTORE}, set()),
    "bundles": ({BUNDLER.name, RESTORE}, {BUNDLER.name, RESTORE}, {RESTORE}),
    "exports": ({API.name, RESTORE}, {RESTORE}, {API.name}),
    "previews": ({API.name}, {BUILDER.name}, {API.name, BUILDER.name}),
    "imports": ({API.name, BUILDER.name, RESTORE}, {API.name, BUILDER.name, RESTORE}, {API.name, BUILDER.name}),
    "events": ({RELAY.name, *RECOVERY}, {RELAY.name}, set()),
    "identities": ({RELAY.name, *RECOVERY}, {RELAY.name}, {RELAY.name, *JANITORS}),
    "held": (set(), {API.name}, set()),
    "cold": (set(), set(), set()),
    "doctor": ({BUILDER.name, BUNDLER.name}, {BUILDER.name, BUNDLER.name}, {BUILDER.name, BUNDLER.name}),
    "other": (set(), set(), set()),
}


@pytest.mark.parametrize("prefix", OBJECTS)
def test_who_reaches_what_in_the_bucket(prefix: str) -> None:
    for action, who in zip(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), OBJECTS[prefix], strict=True):
        found = {role for role in ROLES if may(role, action, objects(prefix))}
        assert found - JANITORS == who - JANITORS, action
        assert found & JANITORS == (JANITORS if prefix in (*iam.KINDS, *iam.ASIDE) else who & JANITORS), action


def test_nobody_may_change_or_remove_what_is_in_the_archive() -> None:
    copy = f"arn:aws:s3:::{bucket('eu')}-archive/archive/audit/acme/1"
    assert {role for role in ROLES if may(role, "s3:GetObject", copy)} == {*JANITORS, API.name}
    assert {role for role in ROLES if may(role, "s3:PutObject", copy)} == JANITORS
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutBucketObjectLockConfiguration"):  # fmt: skip
        assert not any(may(role, action, copy) for role in ROLES)
    for prefix in ("events", "archive"):
        assert not any(may(role, "s3:DeleteObjectVersion", objects(prefix)) for role in ROLES)


ANYWHERE = {*(f"{BUCKET}/{prefix}/*" for prefix in (*iam.KINDS, *iam.ASIDE))}
# Everything that an identity policy allows beside reading, writing, deleting and listing by prefix (above), and keys:
# action → resources, by role.
MORE: dict[str, dict[str, set[str]]] = {
    "janitors": {
        "s3:RestoreObject": ANYWHERE, "s3:PutObjectLegalHold": ANYWHERE, "s3:GetObjectLegalHold": ANYWHERE,
        "s3:GetObjectRetention": ANYWHERE,
        "s3:DeleteObjectVersion": ANYWHERE | {f"{BUCKET}/identities/*", f"{BUCKET}/sites/*"},
        "s3:ListBucketMultipartUploads": {BUCKET}, "s3:ListBucketVersions": {BUCKET},
        "s3:GetBucketObjectLockConfiguration": {BUCKET},
        "s3:GetObject": {ARCHIVE}, "s3:PutObject": {ARCHIVE}, "s3:PutObjectRetention": {ARCHIVE},
    },
    API.name: {"s3:GetObject": {ARCHIVE}},
    BUILDER.name: {"s3:GetBucketVersioning": {BUCKET}},
    BUNDLER.name: {"s3:GetBucketVersioning": {BUCKET}},
    RELAY.name: {"s3:DeleteObjectVersion": {f"{BUCKET}/identities/*"}, "s3:ListBucketVersions": {BUCKET}},
    "content-edge": {
        "cloudfront:CreateInvalidation": {"${distribution:files}", "${distribution:sites}"},
        "cloudfront-keyvaluestore:DescribeKeyValueStore": {"${store:sites}"},
        "cloudfront-keyvaluestore:ListKeys": {"${store:sites}"},
        "cloudfront-keyvaluestore:UpdateKeys": {"${store:sites}"},
        "s3:GetObject": {f"{BUCKET}/sites/*", f"{BUCKET}/_player/*"}, "s3:PutObject": {f"{BUCKET}/_player/*"},
        "s3:ListBucket": {BUCKET},
    },
    "content-edge-keys": {
        "cloudfront:GetKeyGroup": {KEY_GROUP}, "cloudfront:UpdateKeyGroup": {KEY_GROUP},
        "cloudfront:CreatePublicKey": {"*"}, "cloudfront:GetPublicKey": {"*"},
        "cloudfront:ListPublicKeys": {"*"}, "cloudfront:DeletePublicKey": {"*"},
        "secretsmanager:GetSecretValue": {SIGNER}, "secretsmanager:PutSecretValue": {SIGNER},
    },
    "content-release": {"cloudfront:CreateInvalidation": {"${distribution:files}"}},
}  # fmt: skip


def granted(statements: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for statement in statements:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            found.setdefault(action, set()).update(statement["Resource"])
    return found


def test_what_roles_may_besides() -> None:
    """As a list of its own, so that an allowance that nobody thought of is seen, wherever it comes in."""
    ordinary = ("Read", "Write", "Delete", "List")
    found: dict[str, dict[str, set[str]]] = {}
    for name, rights in RIGHTS.items():
        statements = [each for each in iam.policy(name, rights, "eu")["Statement"] if each["Sid"] not in ordinary]
        found[name] = granted([each for each in statements if not each["Action"][0].startswith("kms:")])
    for document in edge.documents("eu").values():
        if document["call"] == "iam.PutRolePolicy":
            parameters = document["parameters"]
            name = parameters["RoleName"].replace("content-eu-", "content-")
            found[name] = granted(json.loads(parameters["PolicyDocument"])["Statement"])
    wanted = {**MORE, **dict.fromkeys(JANITORS, MORE["janitors"])}
    del wanted["janitors"]
    assert {name: what for name, what in found.items() if what} == wanted


def test_whose_versions_the_archiver_may_list() -> None:
    for prefix, listed in (("identities/acme/", True), ("packages/acme/", False)):
        assert may(RELAY.name, "s3:ListBucketVersions", BUCKET, **{"s3:prefix": prefix}) is listed
    assert not may(RELAY.name, "s3:ListBucketVersions", BUCKET)


def test_who_rotates_the_edges_key_reaches_no_login() -> None:
    """Names of secrets end in six characters of AWS'; what the API's pods take in beside it is another secret."""
    (document,) = [
        each
        for each in edge.documents("eu").values()
        if "content-eu-edge-keys" in each["parameters"].values() and each["call"] == "iam.PutRolePolicy"
    ]
    policy = json.loads(document["parameters"]["PolicyDocument"])
    secrets = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:content"
    for name, reached in (("content-edge-signer", True), ("content-api", False), ("content-edge", False)):
        request = Request(
            f"arn:aws:iam::{ACCOUNT}:role/content-eu-edge-keys",
            "secretsmanager:GetSecretValue",
            f"{secrets}/{name}-a1B2c3",
        )
        assert allowed(request, [policy]) is reached, name


def test_nobody_reaches_another_regions_bucket_or_lists_other_prefixes() -> None:
    for role in ROLES:
        assert not may(role, "s3:GetObject", f"arn:aws:s3:::{bucket('us')}/packages/acme/x")
        assert not may(role, "s3:ListBucket", f"arn:aws:s3:::{bucket('eu')}", **{"s3:prefix": "other/acme/"})
        assert not may(role, "s3:PutBucketPolicy", f"arn:aws:s3:::{bucket('eu')}")
    assert may(BUNDLER.name, "s3:ListBucket", f"arn:aws:s3:::{bucket('eu')}", **{"s3:prefix": "bundles/acme/"})
    assert not may(BUNDLER.name, "s3:ListBucket", f"arn:aws:s3:::{bucket('eu')}", **{"s3:prefix": "imports/acme/"})


def test_keys_are_made_as_they_must_be_or_not_at_all() -> None:
    good = {"kms:MultiRegion": "true", "kms:KeySpec": "ECC_NIST_P256", "aws:RequestedRegion": "eu-central-1"}
    assert {role for role in ROLES if may(role, "kms:CreateKey", "*", **good)} == {API.name, BUNDLER.name}
    for wrong in (
        {"kms:MultiRegion": "false"}, {"kms:KeySpec": "RSA_2048"}, {"aws:RequestedRegion": "us-east-1"},
    ):  # fmt: skip
        assert not may(API.name, "kms:CreateKey", "*", **{**good, **wrong})
    alias = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias"
    assert may(API.name, "kms:CreateAlias", f"{alias}/content/acme/signing/1")
    assert not may(API.name, "kms:CreateAlias", f"{alias}/other")
    tagged = {"aws:RequestTag/content:use": "signing", "aws:TagKeys": ["content:use", "content:tenant", "content:name"]}
    assert may(BUNDLER.name, "kms:TagResource", KEY, **tagged)
    assert not may(BUNDLER.name, "kms:TagResource", KEY, **{**tagged, "aws:RequestTag/content:use": "other"})


def taken(role: str, account: str, **changes: str) -> bool:
    """Whether pods of an account may take a role of eu, as EKS tags them in eu's cluster."""
    tags = {
        "kubernetes-namespace": "content",
        "kubernetes-service-account": account,
        "eks-cluster-arn": f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/content",
    }
    context = {f"aws:RequestTag/{key}": value for key, value in {**tags, **changes}.items() if value}
    return allowed(Request("pods.eks.amazonaws.com", "sts:AssumeRole", "*", context), [], iam.trust(role, "eu"))


def test_a_role_is_taken_by_its_pods_alone() -> None:
    for name in RIGHTS:
        for account in (*RIGHTS, "default"):
            assert taken(name, account) == (account == name)
    for wrong in (
        {"kubernetes-namespace": "default"},
        {
            "eks-cluster-arn": f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/content"
        },  # another region's, with the same names
        {"eks-cluster-arn": f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/development"},
        {"eks-cluster-arn": "arn:aws:eks:eu-central-1:999988887777:cluster/content"},
    ):
        assert not taken(BUNDLER.name, BUNDLER.name, **wrong)
    for missing in ("kubernetes-namespace", "kubernetes-service-account", "eks-cluster-arn"):
        assert not taken(BUNDLER.name, BUNDLER.name, **{missing: ""}), "an association without session tags"
    without = Request(f"arn:aws:iam::{ACCOUNT}:root", "sts:AssumeRole", "*", {"aws:MultiFactorAuthPresent": "false"})
    fresh = Request(without.principal, without.action, "*", {**MFA, "aws:MultiFactorAuthAge": 60})
    stale = Request(without.principal, without.action, "*", {**MFA, "aws:MultiFactorAuthAge": 7200})
    asked = (without, fresh, stale)
    assert [allowed(request, [], iam.break_glass_trust()) for request in asked] == [False, True, False]


def test_no_document_has_a_wildcard_where_aws_knows_better() -> None:
    for region in REGIONS:
        for file, document in {**iam.documents(region), **key_policies.documents(region)}.items():
            for statement in document["Statement"]:
                assert not [action for action in statement["Action"] if "*" in action], file
                assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement), file
                if statement.get("Principal") == {"AWS": "*"}:
                    assert statement["Effect"] == "Deny", file
                if file.startswith("iam/") and statement.get("Resource") == ["*"]:
                    assert statement["Action"] == ["kms:CreateKey"], file
                    assert statement["Condition"]
                for resource in statement.get("Resource", ()) if file.startswith("iam/") else ():
                    assert not resource.startswith(f"arn:aws:s3:::{bucket(region)}/*"), file
            # AWS' limits, without white space: an inline policy of a role 10,240 characters, a key's policy 32 KiB.
            size = len(json.dumps(document, separators=(",", ":")))
            assert size < (10_240 if file.startswith("iam/") else 32_768), file


def test_every_pool_but_the_importer_has_a_role_and_prefixes_are_those_of_the_places() -> None:
    assert {pool.name for pool in POOLS} - set(RIGHTS) == {IMPORTER.name}
    built = {
        places.asset("t", "sha256:x"), places.manifest("t", "p", 1, "sha256:x"), places.withdrawn("t", "p", 1, "sha256:x"),
        places.exports("t", "p", 1), places.previews("t", "p"), places.imports("t", "i"), places.bundles("t"),
    }  # fmt: skip
    assert {key.partition("/")[0] for key in built} == set(iam.KINDS)


def test_copies_stay_in_another_region_of_the_same_pair() -> None:
    assert set(REPLICAS) == set(REGIONS)
    for region, pair in REPLICAS.items():
        assert pair.primary != pair.replica
        assert pair.primary.split("-")[0] == pair.replica.split("-")[0] == region


def test_what_is_committed_is_what_the_code_renders() -> None:
    if not COMMITTED.exists():
        pytest.skip("kuberay/aws is not there: make manifests")
    wanted = dict(rendered())
    found = {str(path.relative_to(COMMITTED)): path.read_text() for path in COMMITTED.rglob("*.json")}
    assert sorted(found) == sorted(wanted)
    assert found == wanted, "run `make manifests`"


def test_the_names_of_an_installation_stand_in_its_documents(tmp_path: Path) -> None:
    (tmp_path / "eu").mkdir()
    (tmp_path / "eu" / "stale.json").write_text("{}")
    write(tmp_path, "999988887777", "acme-", "blue")
    text = (tmp_path / "eu" / "iam" / "content-eu-bundler.policy.json").read_text()
    assert ACCOUNT not in text
    assert "arn:aws:kms:eu-central-1:999988887777:alias/content/*" in text
    assert "arn:aws:s3:::acme-content-eu/bundles/*" in text
    trust = (tmp_path / "eu" / "iam" / "content-eu-bundler.trust.json").read_text()
    assert "arn:aws:eks:eu-central-1:999988887777:cluster/blue" in trust
    assert not (tmp_path / "eu" / "stale.json").exists()
