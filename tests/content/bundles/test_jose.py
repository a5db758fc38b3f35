"""Our JWS and JWE against joserfc, both ways, and strict keys and base64url."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import ECKey

from content.jose import (
    JoseRefused,
    decrypt,
    encrypt,
    require_signature,
    sign_compact,
    sign_general,
    split_compact,
    split_general,
)
from content.jwk import (
    JwkRefused,
    b64,
    generate_key,
    parse_jwk,
    parse_private_jwk,
    private_jwk,
    public_jwk,
    thumbprint,
    unb64,
)
from tests.vectors import world as w

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM", "ES256"]
REGISTRY = jwe.JWERegistry(algorithms=ALGORITHMS)
KEY = w.PHONE.encryption
THEIRS = ECKey.import_key(private_jwk(KEY))


def test_joserfc_verifies_our_jws() -> None:
    text = sign_compact({"alg": "ES256", "kid": "k", "typ": "t"}, b"payload", w.LocalSigner(KEY))
    found = jws.deserialize_compact(text, THEIRS, algorithms=ALGORITHMS)
    assert (found.payload, found.protected) == (b"payload", {"alg": "ES256", "kid": "k", "typ": "t"})


def test_we_verify_joserfcs_jws() -> None:
    text = jws.serialize_compact({"alg": "ES256", "kid": "k"}, b"payload", THEIRS, algorithms=ALGORITHMS)
    parts = split_compact(text, 1000)
    require_signature(parts, KEY.public_key())
    assert (parts.payload, parts.header) == (b"payload", {"alg": "ES256", "kid": "k"})


def test_joserfc_verifies_our_general_jws() -> None:
    signed = sign_general({"alg": "ES256", "typ": "t"}, b"payload", w.ROOTS[:2])
    keys = {root.kid: ECKey.import_key(private_jwk(root.key)) for root in w.ROOTS[:2]}
    found = jws.deserialize_json(signed, lambda member: keys[member.headers()["kid"]], algorithms=ALGORITHMS)
    assert found.payload == b"payload"
    assert [part.payload for part in split_general(signed, 100, 2)] == [b"payload", b"payload"]


def test_joserfc_decrypts_our_jwe() -> None:
    text = encrypt(b"secret", public_jwk(KEY), typ="t", kid="k", rng=w.seeded("a"))
    assert jwe.decrypt_compact(text, THEIRS, algorithms=ALGORITHMS).plaintext == b"secret"


def test_we_decrypt_joserfcs_jwe() -> None:
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": "k", "typ": "t"}
    text = jwe.encrypt_compact(header, b"secret", ECKey.import_key(public_jwk(KEY)), algorithms=ALGORITHMS)
    assert decrypt(text, KEY, typ="t") == ("k", b"secret")


def test_a_zip_bomb_is_not_inflated() -> None:
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": "k", "typ": "t", "zip": "DEF"}
    bomb = jwe.encrypt_compact(
        header, bytes(200_000), ECKey.import_key(public_jwk(KEY)), algorithms=[*ALGORITHMS, "DEF"]
    )
    assert len(bomb) < 2048
    with pytest.raises(JoseRefused) as refused:
        decrypt(bomb, KEY, typ="t")
    assert refused.value.code == "jwe-header"


def test_thumbprint_is_that_of_joserfc() -> None:
    assert thumbprint(KEY) == thumbprint(public_jwk(KEY)) == THEIRS.thumbprint()


@given(st.binary(max_size=40))
def test_b64_goes_both_ways(data: bytes) -> None:
    assert unb64(b64(data)) == data


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A A", "AA\n", "+/+/", "é", None, 3])
def test_other_spellings_of_base64_are_refused(text: object) -> None:
    with pytest.raises(ValueError):
        unb64(text)


def test_private_keys_travel() -> None:
    key = generate_key(w.seeded("x"))
    assert private_jwk(parse_private_jwk(private_jwk(key))) == private_jwk(key)
    with pytest.raises(JwkRefused):
        parse_private_jwk({**private_jwk(key), "x": public_jwk(KEY)["x"]})
    with pytest.raises(JwkRefused):
        parse_private_jwk({**private_jwk(key), "d": b64(bytes(32))})


@given(st.dictionaries(st.sampled_from(["crv", "kty", "x", "y", "d", "kid"]), st.text(max_size=50) | st.integers()))
def test_any_object_as_key_is_refused_by_name(jwk: dict) -> None:
    with pytest.raises(JwkRefused):
        parse_jwk(jwk)


@pytest.mark.parametrize("change", [{"x": b64(bytes(31))}, {"x": b64(bytes(33))}, {"x": b64(b"\xff" * 32)}])
def test_coordinates_out_of_range_are_refused(change: dict) -> None:
    with pytest.raises(JwkRefused):
        parse_jwk({**public_jwk(KEY), **change})


def test_other_orders_of_header_members_are_accepted() -> None:
    """Other writers need not know our canonical form for headers."""
    text = encrypt(b"secret", public_jwk(KEY), typ="t", kid="k", rng=w.seeded("a"))
    header = json.loads(unb64(text.split(".")[0]))
    assert list(header) == sorted(header)
    signed = jws.serialize_compact({"typ": "t", "kid": "k", "alg": "ES256"}, b"", THEIRS, algorithms=ALGORITHMS)
    require_signature(split_compact(signed, 1000), KEY.public_key())
