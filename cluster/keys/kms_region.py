"""AWS KMS in one region: one call with its turn, its retries, and its errors in our words.

What the account may ask per second is kept by a limiter for each kind of call (`limiter.py`); a call that is throttled all
the same is tried again, with jitter, and slows the limiter down. What is away is tried twice and then given up, since
another region may answer (`kms.py`). botocore's own retries are off: it would know neither of the two.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3.session
import stamina
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from cluster import telemetry
from cluster.keys.errors import Busy, Elsewhere, Exists, Full, Unavailable, disabled, refused
from cluster.keys.limiter import Limiter
from cluster.settings import Settings
from cluster.telemetry.metrics import KEYS, KEYS_RATE, KEYS_THROTTLED
from cluster.topology import API, BUILDER, BUNDLER
from content.errors import ContentError

THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
AWAY = {"KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "ServiceUnavailable",
        "InternalFailure", "ServiceUnavailableException", "InternalServerError"}  # fmt: skip
NOT_HERE = {"NotFoundException", "KMSInvalidStateException"}
"""Not in this region, or not yet: a replica is `Creating` for some seconds."""
CREDENTIALS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredTokenException",
    "InvalidSignatureException",
}
"""Of ours, none of them taken."""
KINDS = {"Sign": "sign", "GenerateDataKey": "encrypt", "Decrypt": "decrypt"}
"""What is counted and measured under a name of its own, as with OpenBao; the rest is `keys`."""
DESCRIBE_QUOTA, MANAGE_QUOTA = 2000, 5
"""AWS' defaults per account and region, for calls that read and for those that make or change a key."""
SHARE = 0.8
"""Of a quota is handed out: the account's other users need some of it."""
PROCESSES = API.maximum + BUILDER.maximum + BUNDLER.maximum
"""All that may use keys at once."""
BUSY_TRIES, AWAY_TRIES = 6, 2


@dataclass(frozen=True)
class Place:
    """A region of AWS, and where its KMS is asked (a VPC endpoint; None: AWS' public address)."""

    region: str
    endpoint: str | None


class Region:
    """KMS there. Threads may share it."""

    def __init__(self, settings: Settings, place: Place, count: Callable[[str], None]) -> None:
        self.name, self._place, self._settings, self._count = place.region, place, settings, count
        self._limiters: dict[str, Limiter] = {}
        self._making = threading.Lock()

    def call(self, action: str, **parameters: Any) -> dict[str, Any]:
        """One call of the API, under its name there (as it stands in policies and in CloudTrail).

        Raises ContentError `keys-unavailable` (`Busy` where it was throttled), `key-refused`, or `Elsewhere`.
        """
        kind = KINDS.get(action, "keys")
        limiter, away = self.limiter(action), 0

        def again(error: Exception) -> bool:
            nonlocal away
            away += not isinstance(error, Busy)
            # A key that was made although nobody told us so would be made twice.
            retryable = isinstance(error, Busy) or (isinstance(error, Unavailable) and action != "CreateKey")
            return retryable and not isinstance(error, Full) and away < AWAY_TRIES

        with telemetry.calling(KEYS, action=kind):
            for attempt in stamina.retry_context(
                on=again, attempts=BUSY_TRIES, wait_initial=0.1, wait_max=2.0, wait_jitter=0.3,
                timeout=self._settings.kms_wait_s,
            ):  # fmt: skip
                with attempt:
                    if not limiter.take(self._settings.kms_wait_s):
                        raise Full
                    self._count(kind)
                    return self._ask(action, limiter, parameters)
        raise Unavailable  # not reached: the last attempt raises

    def tell(self) -> None:
        """Set the numbers of this region."""
        KEYS_RATE.set(self.limiter("Sign").rate, cloud_region=self.name)

    def limiter(self, action: str) -> Limiter:
        """The one that stands before an action. Signatures share a quota, as do symmetric calls; every other has its own."""
        settings = self._settings
        quota, shared = {
            "Sign": (settings.kms_sign_quota, "sign"),
            "GenerateDataKey": (settings.kms_symmetric_quota, "symmetric"),
            "Decrypt": (settings.kms_symmetric_quota, "symmetric"),
            "DescribeKey": (DESCRIBE_QUOTA, action),
            "GetPublicKey": (DESCRIBE_QUOTA, action),
        }.get(action, (MANAGE_QUOTA, action))
        with self._making:
            if shared not in self._limiters:
                # Keys are made and ended now and then, and by few: those begin with all there is.
                start = SHARE * quota if quota == MANAGE_QUOTA else None
                self._limiters[shared] = Limiter(SHARE * quota / PROCESSES, SHARE * quota, start=start)
            return self._limiters[shared]

    def _ask(self, action: str, limiter: Limiter, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return getattr(self._client, xform_name(action))(**parameters)
        except ClientError as error:
            known = _translated(action, error)
            if isinstance(known, Busy):
                limiter.throttled()
                KEYS_THROTTLED.add(cloud_region=self.name)
            raise known from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise refused("There are no credentials for AWS KMS.", "Give the pod its role.") from error
        except (HTTPClientError, ConnectionError) as error:
            raise Unavailable from error
        except BotoCoreError as error:
            raise refused(f"AWS KMS was asked wrongly: {error}.") from error

    @cached_property
    def _client(self) -> Any:
        settings = self._settings
        with _MAKING:
            return _session().client(
                "kms",
                region_name=self._place.region,
                endpoint_url=self._place.endpoint,
                aws_access_key_id=settings.kms_access_key.get_secret_value() or None,
                aws_secret_access_key=settings.kms_secret_key.get_secret_value() or None,
                config=Config(
                    retries={"total_max_attempts": 1},
                    max_pool_connections=32,
                    connect_timeout=min(2.0, settings.kms_timeout_s),
                    read_timeout=settings.kms_timeout_s,
                    proxies={},  # none of the environment either
                ),
            )


_MAKING = threading.Lock()
"""Sessions of botocore are not for two threads at once; clients are."""


@functools.cache
def _session() -> Any:
    """One for all clients of the process: it keeps what it read of AWS' descriptions, and refreshes a role's credentials."""
    return boto3.session.Session()


def _translated(action: str, error: ClientError) -> ContentError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in THROTTLED or status == 429:
        return Busy()
    if code in AWAY or status >= 500:
        return Unavailable()
    if code in NOT_HERE:
        return Elsewhere(
            "key-refused", f"AWS KMS refused {action}: {code}.", "See docs/keys.md.", code == "KMSInvalidStateException"
        )
    if code == "AlreadyExistsException":
        return Exists("key-refused", f"AWS KMS refused {action}: there is one.")
    if code == "DisabledException":
        return disabled()
    if code in CREDENTIALS:
        return refused(f"AWS KMS takes none of our credentials ({code}).", "Check the role of the pod.")
    if code == "AccessDeniedException":
        return refused(f"We may not do that in AWS KMS: {action}.", "Compare the role with kuberay/aws (docs/keys.md).")
    return refused(f"AWS KMS refused {action}: {code or status}.")
