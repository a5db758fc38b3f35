"""Registration and proofs, whole and taken apart (the vectors hold the single refusals)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.bundles.keys import wrap_for_device
from content.devices.identity import DeviceIdentity, device_id
from content.devices.proof import bare_url, make_proof, verify_proof
from content.devices.registration import make_challenge, make_registration, verify_registration
from content.errors import ContentError
from content.jwk import JwkRefused, b64, thumbprint
from tests.vectors import world as w
from tests.vectors.world import NOW, PHONE, TABLET, seeded

NONCE = b64(seeded("n")(24))
URL = "https://content.example/v1/bundles"


def registered(device: DeviceIdentity = PHONE) -> tuple[str, bytes]:
    secret, challenge = make_challenge(device.encryption_jwk, seeded("c"))
    return make_registration(device, nonce=NONCE, challenge=challenge), secret


def test_registration_shows_both_keys() -> None:
    jws, secret = registered()
    found = verify_registration(jws, nonce=NONCE, tenant=w.TENANT, secret=secret)
    assert (found.device_id, found.signing_jwk, found.encryption_jwk) == (
        PHONE.id, PHONE.signing_jwk, PHONE.encryption_jwk
    )  # fmt: skip
    assert device_id(found.signing_jwk) == PHONE.id


def test_only_the_challenged_device_can_answer() -> None:
    _, challenge = make_challenge(TABLET.encryption_jwk, seeded("c"))
    with pytest.raises(ContentError) as refused:
        make_registration(PHONE, nonce=NONCE, challenge=challenge)
    assert refused.value.code == "jwe-header"


def test_a_wrapped_content_key_is_no_challenge() -> None:
    """Else a server could have a device decrypt its licences' keys and hand them over as the answer."""
    jwe = wrap_for_device(w.KEY, PHONE.encryption_jwk, seeded("c"))
    with pytest.raises(ContentError) as refused:
        make_registration(PHONE, nonce=NONCE, challenge=jwe)
    assert refused.value.code == "jwe-header"


def test_a_private_key_is_never_taken() -> None:
    for take in (device_id, lambda jwk: make_challenge(jwk, seeded("c"))):
        with pytest.raises(JwkRefused) as refused:
            take(PHONE.to_secret()["signing"])
        assert refused.value.code == "jwk-private"


def test_a_proof_is_good_for_its_request() -> None:
    jws = make_proof(PHONE, method="GET", url=URL + "?a=1#b", now=NOW, rng=seeded("p"))
    for late in (-60, 0, 60):
        now = NOW + timedelta(seconds=late)
        proof = verify_proof(jws, method="GET", url=URL, tenant=w.TENANT, now=now, device_id=PHONE.id)
        assert (proof.device_id, proof.issued_at) == (PHONE.id, NOW)
    assert len(proof.jti) == 22


def test_each_proof_has_another_jti() -> None:
    rng = seeded("p")
    proofs = [make_proof(PHONE, method="GET", url=URL, now=NOW, rng=rng) for _ in range(3)]
    found = {verify_proof(jws, method="GET", url=URL, tenant=w.TENANT, now=NOW).jti for jws in proofs}
    assert len(found) == 3


def test_urls_are_compared_without_query() -> None:
    assert bare_url("https://a.example/x/y?z=1#f") == "https://a.example/x/y"


@settings(max_examples=150)
@given(st.data())
def test_a_changed_message_is_refused_by_name(data: st.DataObject) -> None:
    jws, secret = registered()
    text = bytearray(
        data.draw(st.sampled_from([jws, make_proof(PHONE, method="GET", url=URL, now=NOW, rng=seeded("p"))])).encode()
    )
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 127).filter(lambda byte: byte != text[at]))
    changed = text.decode()
    with pytest.raises(ContentError):
        verify_registration(changed, nonce=NONCE, tenant=w.TENANT, secret=secret)
    with pytest.raises(ContentError):
        verify_proof(changed, method="GET", url=URL, tenant=w.TENANT, now=NOW)


@pytest.mark.parametrize("junk", [None, 3, "", "..", "a.b.c", "e30.e30." + "A" * 86, "x" * 10_000, {}, ["a"]])
def test_junk_is_refused_by_name(junk: object) -> None:
    with pytest.raises(ContentError):
        verify_registration(junk, nonce=NONCE, tenant=w.TENANT, secret=bytes(32))
    with pytest.raises(ContentError):
        verify_proof(junk, method="GET", url=URL, tenant=w.TENANT, now=NOW)


def test_ids_are_thumbprints() -> None:
    assert PHONE.id == thumbprint(PHONE.signing_jwk)
    assert PHONE.id != PHONE.encryption_thumbprint
