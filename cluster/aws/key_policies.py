"""Who may do what with a key: the policy that each key is made with, by what it is for.

| use | signs | wraps | unwraps | makes, names, copies | disables |
|---|---|---|---|---|---|
| signing | API (lists), builder (manifests), bundler (licences, lists), recovery (both) | – | – | API, bundler | bundler, exporter |
| root | API, bundler, recovery (trust lists) | – | – | API, bundler | bundler, exporter |
| wrapping | – | API (secrets of webhooks), bundler | bundler, restore | API, bundler | – |

Recovery are the jobs `content-restore` and `content-reconcile`: what a database numbers after its return is signed anew. They make no
key and wrap none: the log names those that there are. The exporter disables the keys of a tenant that has ended.

Nobody but the break-glass role, with a second factor, may schedule a deletion, change a policy or move an alias, and that
not sooner than in 30 days. Denials name who is excepted, so that no policy of IAM and no grant adds to the table; the
account's root is given reading alone, so an administrator of IAM cannot help himself to a signature either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.aws import ACCOUNT
from cluster.aws.iam import BREAK_GLASS, RECONCILE, RESTORE, role_arn
from cluster.topology import API, BUILDER, BUNDLER, EXPORTER, REPLICAS

RECOVERY = (RESTORE, RECONCILE)
SIGNS = {
    "signing": (API.name, BUILDER.name, BUNDLER.name, *RECOVERY), "root": (API.name, BUNDLER.name, *RECOVERY), "wrapping": (),
}  # fmt: skip
WRAPS, UNWRAPS = (API.name, BUNDLER.name), (BUNDLER.name, RESTORE)
MAKES, DISABLES = (API.name, BUNDLER.name), (BUNDLER.name, EXPORTER.name)
READERS = (API.name, BUILDER.name, BUNDLER.name, EXPORTER.name, *RECOVERY)
"""Of a key's state and its public half."""
WINDOW_DAYS = 30
"""The longest that AWS knows."""
READS = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:GetPublicKey", "kms:ListResourceTags"]
ENDS = [
    "kms:CancelKeyDeletion", "kms:DeleteAlias", "kms:DisableKeyRotation", "kms:EnableKey", "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdatePrimaryRegion",
]  # fmt: skip
NEVER = [
    "kms:CreateGrant", "kms:DeriveSharedSecret", "kms:Encrypt", "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
]  # fmt: skip


def documents(region: str) -> dict[str, Any]:
    return {f"kms/{use}.policy.json": policy(use, ACCOUNT, region) for use in SIGNS}


def policy(use: str, account: str, region: str) -> dict[str, Any]:
    """The policy of a key for `signing`, `root` or `wrapping`, the same in both regions."""

    def roles(names: Sequence[str]) -> list[str]:
        return [role_arn(name, region, account) for name in names]

    everybody = {"AWS": "*"}
    statements: list[dict[str, Any]] = [
        _allow("AccountReads", [f"arn:aws:iam::{account}:root"], READS),
        _allow("ServiceReads", roles(READERS), ["kms:DescribeKey", "kms:GetPublicKey"]),
        # A key of a tenant's name that is there already is compared before it is used (cluster/keys/kms_keys.py).
        _allow("ServiceCompares", roles(MAKES), ["kms:GetKeyPolicy"]),
        _allow("ServiceNames", roles(MAKES), ["kms:CreateAlias", "kms:TagResource"]),
        _allow(
            "ServiceCopies", roles(MAKES), ["kms:ReplicateKey"],
            StringEquals={"kms:ReplicaRegion": [REPLICAS[region].primary, REPLICAS[region].replica]},
        ),
        _allow("BreakGlass", roles((BREAK_GLASS,)), [*ENDS, "kms:DisableKey", "kms:TagResource", *READS], **MFA),
    ]  # fmt: skip
    if use == "wrapping":
        statements += [
            _allow("Wrap", roles(WRAPS), ["kms:GenerateDataKey"], **TENANT),
            _allow("Unwrap", roles(UNWRAPS), ["kms:Decrypt"], **TENANT),
            _allow("RotateByItself", roles(MAKES), ["kms:EnableKeyRotation"]),
            _deny_but("NobodyElseWraps", everybody, ["kms:GenerateDataKey"], roles(WRAPS)),
            _deny_but("NobodyElseUnwraps", everybody, ["kms:Decrypt"], roles(UNWRAPS)),
            _deny_but("NobodyElseDisables", everybody, ["kms:DisableKey"], roles((BREAK_GLASS,))),
        ]
    else:
        statements += [
            _allow("Sign", roles(SIGNS[use]), ["kms:Sign"], StringEquals={"kms:SigningAlgorithm": "ECDSA_SHA_256"}),
            _allow("Disable", roles(DISABLES), ["kms:DisableKey"]),
            _deny_but("NobodyElseSigns", everybody, ["kms:Sign"], roles(SIGNS[use])),
            _deny_but("NobodyElseDisables", everybody, ["kms:DisableKey"], roles((*DISABLES, BREAK_GLASS))),
        ]
    statements += [
        _deny_but("NobodyElseEnds", everybody, ENDS, roles((BREAK_GLASS,))),
        _deny("NotWithoutASecondFactor", everybody, ENDS, BoolIfExists={"aws:MultiFactorAuthPresent": "false"}),
        _deny(
            "NotSoonerThanIn30Days", everybody, ["kms:ScheduleKeyDeletion"],
            NumericLessThan={"kms:ScheduleKeyDeletionPendingWindowInDays": str(WINDOW_DAYS)},
        ),
        _deny("Never", everybody, NEVER),
    ]  # fmt: skip
    return {"Version": "2012-10-17", "Id": f"content-{region}-{use}", "Statement": statements}


MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
TENANT: dict[str, Any] = {
    "Null": {"kms:EncryptionContext:tenant": "false"},
    "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant"]},
}
"""The tenant, and nothing beside it, is what a batch key is bound to."""


def widens(found: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether a key's policy lets anybody do what ours does not, or lacks one of its denials. One of an older release, which
    allowed less, does not widen it."""
    if any(set(each) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"} for each in _of(found)):
        return True  # NotAction, NotPrincipal: nothing of ours
    return not (_said(found, "Allow") <= _said(ours, "Allow") and _said(ours, "Deny") <= _said(found, "Deny"))


def _of(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    statements = policy["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _said(policy: Mapping[str, Any], effect: str) -> set[tuple[str, str, str]]:
    """(who, action, condition) of every statement. AWS gives a list of one back as its member."""
    return {
        (f"{kind} {who}", action, json.dumps(each.get("Condition", {}), sort_keys=True))
        for each in _of(policy)
        if each["Effect"] == effect
        for kind, names in (
            each["Principal"] if isinstance(each["Principal"], dict) else {"*": each["Principal"]}
        ).items()
        for who in ([names] if isinstance(names, str) else names)
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }


def _allow(sid: str, principals: list[str], actions: list[str], **condition: Any) -> dict[str, Any]:
    return _statement(sid, "Allow", {"AWS": principals}, actions, condition)


def _deny(sid: str, principals: dict[str, Any], actions: list[str], **condition: Any) -> dict[str, Any]:
    return _statement(sid, "Deny", principals, actions, condition)


def _deny_but(sid: str, principals: dict[str, Any], actions: list[str], but: list[str]) -> dict[str, Any]:
    """Everybody but these roles; a session of a role counts as the role (`aws:PrincipalArn`)."""
    return _statement(sid, "Deny", principals, actions, {"ArnNotEquals": {"aws:PrincipalArn": but}})


def _statement(
    sid: str, effect: str, principals: dict[str, Any], actions: list[str], condition: dict[str, Any]
) -> dict[str, Any]:
    found = {"Sid": sid, "Effect": effect, "Principal": principals, "Action": actions, "Resource": "*"}
    return {**found, "Condition": condition} if condition else found
