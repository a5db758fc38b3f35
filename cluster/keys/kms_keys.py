"""Keys in AWS KMS: made in one region, copied to the other, found by aliases, disabled in both, deleted by an operator.

Everything here may be called again after it was killed anywhere: an alias that is there is looked at, not made again. Only
between CreateKey and CreateAlias a death leaves a key that nobody finds by alias; its tags name it (docs/keys.md, "Orphans").
An alias, a policy, tags and the state belong to a region; key material and id to all.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import structlog

from cluster.aws import key_policies
from cluster.keys.errors import Elsewhere, Exists, Unavailable, disabled, refused
from cluster.keys.kms_region import Region
from cluster.keys.kms_regions import Regions
from cluster.keys.protocol import WRAPPING_KEY
from cluster.settings import Settings

PREFIX = "alias/content/"
WRAPPING_ALIAS = f"{PREFIX}{WRAPPING_KEY.removeprefix('content-')}"
DISABLED, ENDING = "Disabled", {"PendingDeletion", "PendingReplicaDeletion"}
log = structlog.get_logger()


def name_alias(name: str) -> str:
    """A name's parts are parted by dots, which no alias may hold."""
    return PREFIX + name.replace(".", "/")


def kid_alias(kid: str) -> str:
    """The alias that signing goes by."""
    return f"{PREFIX}kid/{kid}"


class KmsKeys:
    """The life of keys. Threads may share it; two that make the same key at once end with one of the two."""

    def __init__(self, settings: Settings, regions: Regions) -> None:
        self._account, self._region, self._regions = settings.kms_account, settings.region, regions
        self._whole: set[str] = set()

    def create(self, name: str) -> str:
        """The id of the key of this name, which stands in one region at least."""
        tenant, purpose, _ = name.split(".")
        tags = {"content:use": purpose, "content:tenant": tenant, "content:name": name}
        spec = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
        known = self._find(name_alias(name))
        if any(key["KeyState"] == DISABLED or key["KeyState"] in ENDING for key in known.values()):
            raise disabled(name)
        if known:
            # Of a try that was killed; or somebody prepared it for a tenant that was to come.
            for region, key in known.items():
                self._require_ours(region, key, purpose)
            return next(iter(known.values()))["KeyId"]
        # The region that is away might have the name already; then signing by kid keeps the two apart.
        region, made = self._regions.first("CreateKey", MultiRegion=True, **spec, **self._told(purpose, tags))
        key_id: str = made["KeyMetadata"]["KeyId"]
        try:
            self._regions.ask(region, "CreateAlias", AliasName=name_alias(name), TargetKeyId=key_id)
        except Exists:  # another process was faster: its key it is, and ours is an orphan
            key = self._regions.ask(region, "DescribeKey", KeyId=name_alias(name))["KeyMetadata"]
            self._require_ours(region, key, purpose)
            return key["KeyId"]
        return key_id

    def ensure_wrapping_key(self) -> None:
        """Never made twice: both regions must answer before the first one is."""
        if WRAPPING_ALIAS in self._whole:
            return
        if not self._find(WRAPPING_ALIAS, all_must_answer=True):
            spec = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}
            region, made = self._regions.first(
                "CreateKey", MultiRegion=True, **spec, **self._told("wrapping", {"content:use": "wrapping"})
            )
            key_id = made["KeyMetadata"]["KeyId"]
            # KMS keeps what it wrapped with before; asymmetric keys have no such rotation.
            self._regions.ask(region, "EnableKeyRotation", KeyId=key_id)
            self._name(region, key_id, WRAPPING_ALIAS)
        self._complete(WRAPPING_ALIAS, [WRAPPING_ALIAS], "wrapping", {"content:use": "wrapping"})

    def replicate(self, name: str, kid: str) -> bool:
        """True once the key stands in both regions under both aliases. A region that is away is left for the next time,
        without an error: signing must not wait for it."""
        if kid in self._whole:
            return True
        tenant, purpose, _ = name.split(".")
        tags = {"content:use": purpose, "content:tenant": tenant, "content:name": name}
        found = kid_alias(kid) if self._find(kid_alias(kid)) else name_alias(name)
        return self._complete(found, [kid_alias(kid), name_alias(name)], purpose, tags)

    def disable(self, name: str, kid: str) -> None:
        """Where somebody answers at once; raises `keys-unavailable` if somebody did not, since a key that signs in one region
        signs."""
        key_id, away = self._id(name, kid), None
        for region in self._regions:
            try:
                key = self._regions.ask(region, "DescribeKey", KeyId=key_id)["KeyMetadata"]
                if key["KeyState"] != DISABLED and key["KeyState"] not in ENDING:
                    self._regions.ask(region, "DisableKey", KeyId=key_id)
            except Elsewhere:
                continue
            except Unavailable as error:
                away = error
        if away is not None:
            raise away

    def schedule_deletion(self, name: str, kid: str, days: int) -> None:
        """Raises `key-refused` for a key that still signs."""
        found = self._everywhere(self._id(name, kid))
        if any(key["KeyState"] != DISABLED and key["KeyState"] not in ENDING for _, key in found):
            raise refused(f"The key {kid} still signs.", "Disable it first, and wait.")
        # Replicas first: a primary waits for them.
        for region, key in sorted(
            found, key=lambda each: each[1]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
        ):
            if key["KeyState"] not in ENDING:
                self._regions.ask(region, "ScheduleKeyDeletion", KeyId=key["KeyId"], PendingWindowInDays=days)

    # -- what they are made of ----------------------------------------------------------------------------------------

    def _find(self, alias: str, *, all_must_answer: bool = False) -> dict[Region, dict[str, Any]]:
        """Who has a key under an alias. Raises `keys-unavailable` if nobody says so and somebody does not answer."""
        found: dict[Region, dict[str, Any]] = {}
        away: Unavailable | None = None
        answers = 0
        for region in self._regions:
            try:
                found[region] = self._regions.ask(region, "DescribeKey", KeyId=alias)["KeyMetadata"]
                answers += 1
            except Elsewhere:
                answers += 1
            except Unavailable as error:
                away = error
        if away is not None and not found and (all_must_answer or not answers):
            raise away
        return found

    def _id(self, name: str, kid: str) -> str:
        """The key of a kid, by its alias; by its name where it was never given one."""
        known = self._find(kid_alias(kid)) or self._find(name_alias(name))
        if not known:
            raise refused(f"AWS KMS has no key {kid} ({name}).")
        return next(iter(known.values()))["KeyId"]

    def _everywhere(self, key_id: str) -> list[tuple[Region, dict[str, Any]]]:
        """The key in every region that has it. All must answer."""
        found: list[tuple[Region, dict[str, Any]]] = []
        for region in self._regions:
            try:
                found.append((region, self._regions.ask(region, "DescribeKey", KeyId=key_id)["KeyMetadata"]))
            except Elsewhere:
                continue
        return found

    def _complete(self, found_as: str, aliases: list[str], use: str, tags: dict[str, str]) -> bool:
        """Copy the key that an alias names to where it is missing, and give it its aliases. False if a region was away."""
        known = self._find(found_as)
        if not known:
            raise refused(f"AWS KMS has no key {found_as}.")
        key = next(iter(known.values()))
        key_id, home = key["KeyId"], key["MultiRegionConfiguration"]["PrimaryKey"]["Region"]
        whole = True
        for region in self._regions:
            try:
                if known.get(region, {}).get("KeyId") != key_id:
                    self._copy(home, region, key_id, use, tags)
                if use != "wrapping":
                    self._require_ours(
                        region, self._regions.ask(region, "DescribeKey", KeyId=key_id)["KeyMetadata"], use
                    )
                for alias in aliases:
                    self._name(region, key_id, alias)
            except (Unavailable, Elsewhere) as error:
                whole = False
                log.warning("a key is not in every region yet", key=found_as, region=region.name, code=error.code)
        if whole:
            self._whole.add(aliases[0].removeprefix(f"{PREFIX}kid/"))
        return whole

    def _copy(self, home: str, to: Region, key_id: str, use: str, tags: dict[str, str]) -> None:
        """Have a copy in a region, unless only its alias is missing there."""
        try:
            self._regions.ask(to, "DescribeKey", KeyId=key_id)
        except Elsewhere:
            source = next((region for region in self._regions if region.name == home), to)
            with suppress(Exists):
                self._regions.ask(source, "ReplicateKey", KeyId=key_id, ReplicaRegion=to.name, **self._told(use, tags))

    def _name(self, region: Region, key_id: str, alias: str) -> None:
        """Point an alias at a key. One that points elsewhere already stays as it is: the kid's is what counts."""
        try:
            there = self._regions.ask(region, "DescribeKey", KeyId=alias)["KeyMetadata"]["KeyId"]
        except Elsewhere:
            with suppress(Exists):
                self._regions.ask(region, "CreateAlias", AliasName=alias, TargetKeyId=key_id)
            return
        if there != key_id:
            log.warning("an alias names another key", alias=alias, region=region.name, key=key_id)

    def _require_ours(self, region: Region, key: dict[str, Any], use: str) -> None:
        """That nobody else signs with a key that we did not make in this very call, or has its secret half.

        Who may make keys may make them as he likes: with a policy that names his own account, or of material that he has. Such a
        key under the name of next month's tenant would outlive him. The same holds of a copy, which has a policy of its own.
        """
        if not self._account:
            return
        found = json.loads(
            self._regions.ask(region, "GetKeyPolicy", KeyId=key["KeyId"], PolicyName="default")["Policy"]
        )
        made_here = key["Origin"] == "AWS_KMS" and key["KeyManager"] == "CUSTOMER"
        if not made_here or key_policies.widens(found, key_policies.policy(use, self._account, self._region)):
            log.error("a key that is not ours", key=key["KeyId"], region=region.name, use=use)
            raise refused(
                f"The key {key['KeyId']} in {region.name} was not made by this service, or is open to others.",
                "Somebody prepared it: see docs/how-to/stolen-key.md.",
            )

    def _told(self, use: str, tags: dict[str, str]) -> dict[str, Any]:
        """What a region is told of a key: who may do what with it (`cluster.aws.key_policies`), and what it is for."""
        told: dict[str, Any] = {"Tags": [{"TagKey": name, "TagValue": value} for name, value in tags.items()]}
        if self._account:
            told["Policy"] = json.dumps(key_policies.policy(use, self._account, self._region))
            # KMS asks whether its caller could change the policy later. It shall not: the break-glass role can.
            told["BypassPolicyLockoutSafetyCheck"] = True
        return told
