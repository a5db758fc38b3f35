"""One suite for every key service: OpenBao itself, and AWS KMS as moto plays it (two regions, each behind a proxy).

What moto does otherwise than AWS is put right in tests/support/kms_like_aws.py, and its last tests show that it is. What
none of this shows: that AWS accepts our policies (tests/cluster/test_aws_documents.py reads them with an evaluator of our
own), and how fast it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3.session
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import SecretStr

from cluster.aws import key_policies
from cluster.keys import KeyService, OpenBao, ServiceSigner, connect
from cluster.keys.kms import Kms, places
from cluster.settings import Settings
from content.errors import ContentError
from content.jose import require_signature, sign_compact, split_compact
from content.jwk import parse_jwk, public_jwk, thumbprint
from tests.support.faulty_keys import FaultyKeys
from tests.support.key_services import kms_settings, moto, openbao, two_regions
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("key services")]
OPENBAO, KMS = (pytest.mark.parametrize("backend", [kind], indirect=True) for kind in ("openbao", "kms"))
NUMBERS = count(1)
AWAY = "http://127.0.0.1:9"


@dataclass
class Backend:
    """A key service that runs, with a proxy before it (before its first region)."""

    kind: str
    settings: Settings
    operators: Settings
    proxy: FaultyKeys
    replica: FaultyKeys | None = None

    def connect(self, **changes: Any) -> KeyService:
        """A client with nothing in its caches."""
        return connect(self.settings.model_copy(update=changes))

    def new_key(self, keys: KeyService) -> tuple[str, str, dict[str, str]]:
        """(name, kid, public JWK) of a key that was made just now."""
        name = f"acme.signing.{next(NUMBERS)}"
        jwk = keys.create(name)
        return name, thumbprint(jwk), jwk

    def called(self, action: str) -> int:
        """How often the proxies saw the action that KMS calls by this name, or OpenBao by its own."""
        name = {"Sign": "sign", "GenerateDataKey": "encrypt", "Decrypt": "decrypt"}[action]
        if self.replica is None:
            return len(self.proxy.of(name))
        return len(self.proxy.of(action)) + len(self.replica.of(action))


@pytest.fixture(scope="module", params=["openbao", "kms"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    if request.param == "openbao":
        with openbao(tmp_path_factory.mktemp("openbao")) as (settings, operator):
            proxy = FaultyKeys(settings.openbao_url)
            settings = settings.model_copy(update={"openbao_url": proxy.url})
            operators = settings.model_copy(update={"openbao_token": SecretStr(operator)})
            yield Backend("openbao", settings, operators, proxy)
            proxy.close()
        return
    with moto() as url, two_regions(url) as (primary, replica):
        settings = kms_settings(primary.url, replica.url)
        yield Backend("kms", settings, settings, primary, replica)


@pytest.fixture
def keys(backend: Backend) -> KeyService:
    service = backend.connect()
    service.ensure_wrapping_key()
    return service


@pytest.fixture
def kms(backend: Backend) -> Backend:
    return backend


def verify(jwk: dict[str, str], message: bytes, signature: bytes) -> None:
    """By the public JWK, as every device does. Raises if it does not hold."""

    assert len(signature) == 64
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    parse_jwk(jwk).verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


# -- keys and signatures ----------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_signs_for_its_public_half(backend: Backend, keys: KeyService) -> None:
    name, kid, jwk = backend.new_key(keys)
    assert backend.connect().create(name) == jwk == keys.public_jwk(name)
    signed = sign_compact({"alg": "ES256", "kid": kid}, b"{}", ServiceSigner(keys, name, kid))
    require_signature(split_compact(signed, len(signed)), parse_jwk(jwk))
    assert backend.connect().create(f"acme.signing.{next(NUMBERS)}") != jwk


@pytest.mark.parametrize("size", [0, 4096, 4097, 1 << 20])
def test_messages_of_every_size_are_signed(backend: Backend, keys: KeyService, size: int) -> None:
    name, kid, jwk = backend.new_key(keys)
    message = os.urandom(size)
    verify(jwk, message, keys.sign(name, message, kid))
    verify(jwk, message, keys.sign(name, message))


def test_a_key_that_is_not_there_is_refused_for_good(keys: KeyService) -> None:
    with pytest.raises(ContentError) as refused:
        keys.sign("acme.signing.9999", b"x")
    assert (refused.value.code, refused.value.retryable) == ("key-refused", False)


def test_no_other_key_signs_under_a_kid(backend: Backend, keys: KeyService) -> None:
    name, _, _ = backend.new_key(keys)
    _, _, other = backend.new_key(keys)
    stranger = thumbprint({**other, "x": other["y"], "y": other["x"]})
    with pytest.raises(ContentError) as refused:
        keys.sign(name, b"x", stranger)
    assert refused.value.code == "key-refused"


def test_a_disabled_key_signs_nothing_and_whoever_asked_may_try_with_the_next_one(
    backend: Backend, keys: KeyService
) -> None:
    name, kid, _ = backend.new_key(keys)
    keys.sign(name, b"x", kid)
    keys.disable(name, kid)
    keys.disable(name, kid)
    for service in (keys, backend.connect()):
        with pytest.raises(ContentError, match="disabled") as refused:
            service.sign(name, b"x", kid)
        assert (refused.value.code, refused.value.retryable) == ("key-refused", True)
    with pytest.raises(ContentError, match="disabled"):
        backend.connect().create(name)


def test_only_a_disabled_key_is_deleted_and_then_it_is_gone(backend: Backend, keys: KeyService) -> None:
    name, kid, _ = backend.new_key(keys)
    operator = connect(backend.operators)
    with pytest.raises(ContentError, match="still signs"):
        operator.schedule_deletion(name, kid, 30)
    keys.sign(name, b"x", kid)
    keys.disable(name, kid)
    operator.schedule_deletion(name, kid, 30)
    with pytest.raises(ContentError) as refused:
        keys.sign(name, b"x", kid)
    assert refused.value.code == "key-refused"


@OPENBAO
def test_the_service_itself_may_not_delete_in_openbao(backend: Backend, keys: KeyService) -> None:
    """In AWS the key's policy says so: tests/cluster/test_aws_documents.py."""
    name, kid, _ = backend.new_key(keys)
    keys.disable(name, kid)
    with pytest.raises(ContentError, match="denied"):
        keys.schedule_deletion(name, kid, 30)


# -- content keys -----------------------------------------------------------------------------------------------------


def test_content_keys_come_back_in_their_order(backend: Backend, keys: KeyService) -> None:
    plain = [os.urandom(32) for _ in range(600)]
    before = backend.called("GenerateDataKey")
    wrapped = keys.wrap("acme", plain)
    assert backend.called("GenerateDataKey") - before <= 3  # OpenBao takes 200 at a time
    assert len(set(wrapped)) == 600
    assert keys.unwrap("acme", list(reversed(wrapped))) == list(reversed(plain))
    stranger, before = backend.connect(), backend.called("Decrypt")
    assert stranger.unwrap("acme", wrapped) == plain
    assert backend.called("Decrypt") - before <= 3
    assert keys.wrap("acme", []) == keys.unwrap("acme", []) == []


def test_a_wrapped_key_opens_for_its_tenant_alone(backend: Backend, keys: KeyService) -> None:
    wrapped = keys.wrap("acme", [os.urandom(32), os.urandom(32)])
    for service in (keys, backend.connect()):  # one that has opened it before, and one that has not
        service.unwrap("acme", wrapped)
        with pytest.raises(ContentError) as refused:
            service.unwrap("other", wrapped)
        assert (refused.value.code, refused.value.retryable) == ("key-refused", False)


@pytest.mark.parametrize("at", [0.0, 0.4, 1.0])
def test_a_changed_text_opens_for_nobody(backend: Backend, keys: KeyService, at: float) -> None:
    (wrapped,) = keys.wrap("acme", [bytes(32)])
    place = int(at * (len(wrapped) - 3))
    spoiled = wrapped[:place] + ("B" if wrapped[place] != "B" else "C") + wrapped[place + 1 :]
    with pytest.raises(ContentError) as refused:
        backend.connect().unwrap("acme", [spoiled])
    assert refused.value.code == "key-refused"


def test_the_wrapping_key_is_made_once(backend: Backend, keys: KeyService) -> None:
    wrapped = keys.wrap("acme", [bytes(32)])
    again = backend.connect()
    again.ensure_wrapping_key()
    again.ready()
    assert again.unwrap("acme", wrapped) == [bytes(32)]


# -- trouble ----------------------------------------------------------------------------------------------------------


def test_what_is_away_is_said_to_be_away(backend: Backend) -> None:
    changes = {"openbao_url": AWAY, "kms_endpoint": AWAY, "kms_replica_endpoint": AWAY}
    service = backend.connect(**changes)
    for ask in (service.ready, lambda: service.sign("acme.signing.1", b"x"), lambda: service.create("acme.signing.1")):
        with pytest.raises(ContentError) as refused:
            ask()
        assert (refused.value.code, refused.value.retryable) == ("keys-unavailable", True)


@pytest.mark.parametrize("kind", ["throttle", "broken", "cut"])
def test_a_short_trouble_is_waited_out(backend: Backend, keys: KeyService, kind: Any) -> None:
    name, kid, jwk = backend.new_key(keys)
    with backend.proxy.broken(kind, "Sign" if backend.kind == "kms" else "sign", times=1) as fault:
        verify(jwk, b"x", keys.sign(name, b"x", kid))
    assert fault.times == 0


def test_many_threads_sign_and_wrap_side_by_side(backend: Backend, keys: KeyService) -> None:
    names = [backend.new_key(keys) for _ in range(3)]

    def work(n: int) -> None:
        name, kid, jwk = names[n % 3]
        message, plain = f"message {n}".encode(), os.urandom(32)
        verify(jwk, message, keys.sign(name, message, kid))
        tenant = ("acme", "other")[n % 2]
        assert keys.unwrap(tenant, keys.wrap(tenant, [plain])) == [plain]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(64)))


# -- AWS KMS alone ----------------------------------------------------------------------------------------------------


@KMS
def test_long_messages_go_as_their_digest_and_short_ones_as_they_are(kms: Backend, keys: KeyService) -> None:
    """KMS hashes at most 4096 bytes itself; either way the signature is over the same."""
    name, kid, _ = kms.new_key(keys)
    short, long = b"s" * 4096, b"l" * 4097
    keys.sign(name, short, kid)
    keys.sign(name, long, kid)
    first, second = (call.parameters for call in kms.proxy.of("Sign")[-2:])
    assert (first["MessageType"], second["MessageType"]) == ("RAW", "DIGEST")

    assert base64.b64decode(first["Message"]) == short
    assert base64.b64decode(second["Message"]) == hashlib.sha256(long).digest()


@KMS
def test_a_key_is_a_multi_region_key_with_a_copy_an_alias_per_kid_and_a_policy(kms: Backend, keys: KeyService) -> None:
    assert kms.replica is not None
    name, kid, _ = kms.new_key(keys)
    alias = "alias/content/" + name.replace(".", "/")
    found = {}
    for region, proxy in (("eu-central-1", kms.proxy), ("eu-west-1", kms.replica)):
        client = aws(region, proxy.url)
        by_name = client.describe_key(KeyId=alias)["KeyMetadata"]
        by_kid = client.describe_key(KeyId=f"alias/content/kid/{kid}")["KeyMetadata"]
        assert by_name == by_kid
        assert (by_name["MultiRegion"], by_name["KeySpec"], by_name["KeyUsage"]) == (
            True,
            "ECC_NIST_P256",
            "SIGN_VERIFY",
        )
        found[region] = (by_name["KeyId"], by_name["MultiRegionConfiguration"]["MultiRegionKeyType"])
    assert {kind for _, kind in found.values()} == {"PRIMARY", "REPLICA"}
    assert len({key_id for key_id, _ in found.values()}) == 1
    made = next(call for call in reversed(kms.proxy.of("CreateKey")) if "ECC" in call.parameters["KeySpec"])
    copied = kms.proxy.of("ReplicateKey")[-1]
    assert copied.parameters["ReplicaRegion"] == "eu-west-1"
    for call in (made, copied):
        assert '"NobodyElseSigns"' in call.parameters["Policy"]
        assert {tag["TagKey"]: tag["TagValue"] for tag in call.parameters["Tags"]} == {
            "content:use": "signing", "content:tenant": "acme", "content:name": name,
        }  # fmt: skip


@KMS
def test_the_tenant_is_the_encryption_context_and_the_wrapping_key_rotates(kms: Backend, keys: KeyService) -> None:
    keys.wrap("acme", [bytes(32)])
    call = kms.proxy.of("GenerateDataKey")[-1]
    assert call.parameters["EncryptionContext"] == {"tenant": "acme"}
    client = aws("eu-central-1", kms.proxy.url)
    key_id = client.describe_key(KeyId="alias/content/wrapping")["KeyMetadata"]["KeyId"]
    assert client.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"]


@KMS
@pytest.mark.parametrize("how", ["gone", "broken", "slow"])
def test_with_its_first_region_away_the_same_key_signs_in_the_other_one(
    kms: Backend, keys: KeyService, how: Any
) -> None:
    assert kms.replica is not None
    name, kid, jwk = kms.new_key(keys)
    (wrapped,) = keys.wrap("acme", [bytes(range(32))])
    before = len(kms.replica.of("Sign"))
    if how == "gone":
        service = kms.connect(kms_endpoint=AWAY)
        verify(jwk, b"x", service.sign(name, b"x", kid))
        assert service.unwrap("acme", [wrapped]) == [bytes(range(32))]
    else:
        service = kms.connect(kms_timeout_s=2.0)
        with kms.proxy.broken(how, delay_s=20.0):
            verify(jwk, b"x", service.sign(name, b"x", kid))
            asked = len(kms.proxy.calls)
            for _ in range(5):
                verify(jwk, b"y", service.sign(name, b"y", kid))
            assert service.unwrap("acme", [wrapped]) == [bytes(range(32))]
            assert len(kms.proxy.calls) == asked, "a region that is away is left alone for a while"
    assert len(kms.replica.of("Sign")) > before


@KMS
def test_a_region_that_is_back_is_asked_first_again(kms: Backend, keys: KeyService) -> None:
    name, kid, _ = kms.new_key(keys)
    service = kms.connect(kms_rest_s=0.2)
    with kms.proxy.broken("broken", "Sign"):
        service.sign(name, b"x", kid)

    def first_again() -> bool:
        asked = len(kms.proxy.of("Sign"))
        service.sign(name, b"x", kid)
        return len(kms.proxy.of("Sign")) > asked

    until("the first region asked again", first_again, 10.0)


@KMS
def test_a_key_that_was_made_while_a_region_was_away_is_copied_later(kms: Backend) -> None:
    """An emergency does not wait for a region, and no two keys meet under one kid."""
    service = kms.connect(kms_endpoint=AWAY)
    name = f"acme.signing.{next(NUMBERS)}"
    jwk = service.create(name)
    kid = thumbprint(jwk)
    verify(jwk, b"x", service.sign(name, b"x", kid))
    # Meanwhile a try that was killed before its commit had left another key under that name in the first region.
    alone = aws("eu-central-1", kms.proxy.url)
    other = alone.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", MultiRegion=True)["KeyMetadata"]["KeyId"]
    alone.create_alias(AliasName="alias/content/" + name.replace(".", "/"), TargetKeyId=other)
    back = kms.connect()
    verify(jwk, b"y", back.sign(name, b"y", kid))
    copies = len(kms.replica.of("ReplicateKey")) if kms.replica else 0
    assert service.replicate(name, kid) is False, "a region is still away"
    assert back.replicate(name, kid) is True
    assert kms.replica is not None
    assert len(kms.replica.of("ReplicateKey")) == copies + 1, "from where it was made"
    first = kms.connect(kms_replica_endpoint=AWAY)
    verify(jwk, b"z", first.sign(name, b"z", kid))


@KMS
def test_a_copy_that_could_not_be_made_does_not_stand_in_the_way(kms: Backend) -> None:
    service = kms.connect(kms_replica_endpoint=AWAY)
    name, kid, jwk = kms.new_key(service)
    verify(jwk, b"x", service.sign(name, b"x", kid))
    assert kms.connect().replicate(name, kid) is True
    elsewhere = kms.connect(kms_endpoint=AWAY)
    verify(jwk, b"y", elsewhere.sign(name, b"y", kid))


@KMS
def test_a_key_is_not_disabled_while_a_region_does_not_answer(kms: Backend, keys: KeyService) -> None:
    """It would go on signing there. Whoever disables comes again."""
    name, kid, _ = kms.new_key(keys)
    with pytest.raises(ContentError) as refused:
        kms.connect(kms_replica_endpoint=AWAY).disable(name, kid)
    assert refused.value.code == "keys-unavailable"
    with pytest.raises(ContentError, match="disabled"):  # where somebody answered it is, at once
        kms.connect(kms_replica_endpoint=AWAY).sign(name, b"x", kid)
    keys.disable(name, kid)
    for away in ("kms_endpoint", "kms_replica_endpoint"):
        with pytest.raises(ContentError) as refused:
            kms.connect(**{away: AWAY}).sign(name, b"x", kid)
        assert refused.value.code in ("key-refused", "keys-unavailable")


@KMS
def test_a_new_key_that_is_not_seen_at_once_is_waited_for(kms: Backend) -> None:
    """AWS KMS is consistent in the end: for some seconds a new alias is not there."""
    assert kms.replica is not None
    service = kms.connect()
    with kms.proxy.broken("missing", "GetPublicKey", times=2), kms.replica.broken("missing", "GetPublicKey", times=2):
        name, kid, jwk = kms.new_key(service)
    with kms.proxy.broken("missing", "Sign", times=2), kms.replica.broken("missing", "Sign", times=2):
        verify(jwk, b"x", service.sign(name, b"x", kid))
    with kms.proxy.broken("missing", "Sign"), kms.replica.broken("missing", "Sign"):
        with pytest.raises(ContentError) as refused:  # one that somebody else made long ago is missing
            kms.connect().sign(name, b"x", kid)
    assert refused.value.code == "key-refused"


@KMS
def test_two_that_make_the_same_key_at_once_end_with_one(kms: Backend) -> None:
    name = f"acme.signing.{next(NUMBERS)}"
    services = [kms.connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda service: service.create(name), services))
    assert len({thumbprint(jwk) for jwk in made}) == 1
    verify(made[0], b"x", kms.connect().sign(name, b"x", thumbprint(made[0])))


@KMS
def test_throttled_for_long_it_slows_down_and_goes_elsewhere(kms: Backend, keys: KeyService) -> None:
    assert kms.replica is not None
    name, kid, jwk = kms.new_key(keys)
    before = len(kms.replica.of("Sign"))
    service = kms.connect(kms_wait_s=2.0)
    service.sign(name, b"x", kid)  # its client is made, which a busy machine may need those seconds for
    with kms.proxy.broken("throttle", "Sign") as fault:
        tries = fault.times
        verify(jwk, b"x", service.sign(name, b"x", kid))
        assert tries - fault.times > 1, "it is tried again where it was throttled"
        assert len(kms.replica.of("Sign")) == before + 1
    with kms.proxy.broken("throttle", "Sign"), kms.replica.broken("throttle", "Sign"):
        with pytest.raises(ContentError) as refused:
            service.sign(name, b"x", kid)
    assert (refused.value.code, refused.value.retryable) == ("keys-unavailable", True)


@KMS
def test_an_alias_that_was_pointed_elsewhere_is_found_out(kms: Backend, keys: KeyService) -> None:
    """Whoever may move aliases cannot have another key sign in this one's name."""
    name, kid, _ = kms.new_key(keys)
    other, _, _ = kms.new_key(keys)
    client = aws("eu-central-1", kms.proxy.url)
    target = client.describe_key(KeyId="alias/content/" + other.replace(".", "/"))["KeyMetadata"]["KeyId"]
    keys.sign(name, b"x", kid)
    client.update_alias(AliasName=f"alias/content/kid/{kid}", TargetKeyId=target)
    for service in (keys, kms.connect()):  # one that knows the public key, and one that does not
        with pytest.raises(ContentError, match="another key"):
            service.sign(name, b"x", kid)


@KMS
def test_our_own_share_of_the_quota_is_kept(kms: Backend, keys: KeyService) -> None:
    """Without one throttled call: KMS is not asked more often than the limiter says."""

    name, kid, _ = kms.new_key(keys)
    service = kms.connect(kms_sign_quota=100)
    service.sign(name, b"x", kid)
    before, began = len(kms.proxy.of("Sign")), time.monotonic()
    for _ in range(60):
        service.sign(name, b"x", kid)
    elapsed = time.monotonic() - began
    assert len(kms.proxy.of("Sign")) - before == 60
    assert elapsed >= 0.5  # at most 80 a second, and it begins at 20
    tight = kms.connect(kms_sign_quota=1, kms_wait_s=0.2)
    tight.sign(name, b"x", kid)
    asked = len(kms.proxy.of("Sign"))
    with pytest.raises(ContentError) as refused:
        for _ in range(3):
            tight.sign(name, b"x", kid)
    assert refused.value.code == "keys-unavailable"
    assert len(kms.proxy.of("Sign")) <= asked + 1, "what is over our share is not sent"


# -- the stand-in -----------------------------------------------------------------------------------------------------


@KMS
def test_the_stand_in_refuses_what_aws_refuses(kms: Backend) -> None:
    client = aws("eu-central-1", kms.proxy.url)
    key_id = client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", MultiRegion=True)["KeyMetadata"][
        "KeyId"
    ]
    sign = {"KeyId": key_id, "SigningAlgorithm": "ECDSA_SHA_256"}
    for message, kind in ((b"x" * 4097, "RAW"), (b"x" * 31, "DIGEST")):
        with pytest.raises(client.exceptions.ClientError, match="ValidationException"):
            client.sign(Message=message, MessageType=kind, **sign)
    digest = hashlib.sha256(b"x").digest()

    public = load_der_public_key(client.get_public_key(KeyId=key_id)["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(
        client.sign(Message=digest, MessageType="DIGEST", **sign)["Signature"], b"x", ec.ECDSA(hashes.SHA256())
    )
    client.disable_key(KeyId=key_id)
    with pytest.raises(client.exceptions.ClientError, match="DisabledException"):
        client.sign(Message=b"x", MessageType="RAW", **sign)


def aws(region: str, url: str) -> Any:
    """A client that is not ours."""
    return boto3.session.Session().client(
        "kms", region_name=region, endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
    )


def prepared(region: str, url: str, name: str, use: str = "signing", **changes: Any) -> str:
    """A key under the name of a tenant's, made by somebody else who may make keys."""
    client, ours = aws(region, url), json.dumps(key_policies.policy(use, "123456789012", "eu"))
    made = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": True, "Policy": ours, **changes}
    key_id: str = client.create_key(**made)["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName=f"alias/content/{name.replace('.', '/')}", TargetKeyId=key_id)
    return key_id


@KMS
def test_a_key_that_somebody_prepared_is_never_taken(backend: Backend, keys: KeyService) -> None:
    here = places(backend.settings)[0].region
    ours = key_policies.policy("signing", "123456789012", "eu")
    stranger = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
        "Action": "kms:Sign",
        "Resource": "*",
    }
    open_to_all = {**ours, "Statement": [*ours["Statement"], stranger]}
    signed_by_others = {**ours, "Statement": [each for each in ours["Statement"] if each["Effect"] == "Allow"]}
    for changes in (
        {"Policy": json.dumps(open_to_all)},
        {"Policy": json.dumps(signed_by_others)},
        {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{**stranger, "Action": "kms:*"}]})},
        {"Origin": "EXTERNAL"},  # of material that he has
    ):
        name = f"acme.signing.{next(NUMBERS)}"
        prepared(here, backend.proxy.url, name, **changes)
        with pytest.raises(ContentError, match="was not made by this service") as caught:
            keys.create(name)
        assert (caught.value.code, caught.value.retryable) == ("key-refused", False)
    # One of a try of our own that was killed is taken.
    name = f"acme.signing.{next(NUMBERS)}"
    key_id = prepared(here, backend.proxy.url, name)
    client = aws(here, backend.proxy.url)
    public = load_der_public_key(client.get_public_key(KeyId=key_id)["PublicKey"])
    assert keys.create(name) == public_jwk(public)  # pyright: ignore[reportArgumentType]


@KMS
def test_a_copy_that_is_open_to_others_is_found_before_the_key_counts_as_copied(
    backend: Backend, keys: KeyService
) -> None:
    """Whoever could copy a key while the other region was away gave the copy a policy of his own."""
    first, second = (place.region for place in places(backend.settings))
    name = f"acme.signing.{next(NUMBERS)}"
    key_id = prepared(first, backend.proxy.url, name)
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}],
    }
    aws(first, backend.proxy.url).replicate_key(KeyId=key_id, ReplicaRegion=second)
    # moto gives a copy the policy of the first one, whatever it is told.
    aws(second, backend.proxy.url).put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps(policy))
    with pytest.raises(ContentError, match=f"{key_id} in {second} was not made by this service"):
        keys.create(name)


def test_plain_moto_verifies_what_we_had_it_sign() -> None:
    """Nothing put right: short messages go RAW, which moto verifies itself."""
    with moto(plain=True) as url:
        service = connect(kms_settings(url, url))
        jwk = service.create("acme.signing.1")
        signature = service.sign("acme.signing.1", b"short", thumbprint(jwk))
        verify(jwk, b"short", signature)

        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        found = aws("eu-central-1", url).verify(
            KeyId="alias/content/acme/signing/1", Message=b"short", MessageType="RAW", Signature=der,
            SigningAlgorithm="ECDSA_SHA_256",
        )  # fmt: skip
        assert found["SignatureValid"]


def test_settings_choose_the_service() -> None:

    assert isinstance(connect(Settings()), OpenBao)  # pyright: ignore[reportCallIssue]
    settings = kms_settings(AWAY, AWAY, region="me", kms_replica_region="me-west-9")
    assert isinstance(connect(settings), Kms)
    assert [place.region for place in places(settings)] == ["me-central-1", "me-west-9"]
