"""`python -m tests.support.kms_like_aws PORT`: moto's server of AWS KMS, put right where it is known not to be like AWS.

moto shows that calls are well formed, not that AWS would do the same. These it does otherwise than AWS documents, and the
service depends on each; so they are added here, and tests/cluster/test_keys.py shows that they are:
- a key that is disabled or waits for its deletion signs, encrypts and decrypts (AWS: DisabledException,
  KMSInvalidStateException);
- `MessageType=DIGEST` is ignored, and the digest is hashed again;
- a RAW message of more than 4096 bytes is signed (AWS: ValidationException);
- the id of a multi-Region key is longer than what its ciphertexts have room for, so none of them is ever opened;
- a copy in another region shares aliases, state and policy with the first one, being a shallow copy;
- what was deleted or what never existed is reported by a KeyError here and there (AWS: NotFoundException).
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from moto.core.exceptions import JsonRESTError
from moto.kms import models, responses
from moto.kms import utils as ciphertexts

MOST_RAW = 4096


class _Refused(JsonRESTError):
    code = 400


def put_right() -> None:
    """Change moto in this process."""
    # "mrk-" and a UUID with dashes: 40 characters (AWS writes 36).
    ciphertexts.KEY_ID_LEN = 40
    ciphertexts.HEADER_LEN = 40 + ciphertexts.IV_LEN + ciphertexts.TAG_LEN
    ciphertexts.CIPHERTEXT_HEADER_FORMAT = f">40s{ciphertexts.IV_LEN}s{ciphertexts.TAG_LEN}s"

    responses.KmsResponse.sign = _sign
    for name in ("encrypt", "decrypt", "generate_data_key"):
        setattr(models.KmsBackend, name, _usable(getattr(models.KmsBackend, name)))
    models.KmsBackend.replicate_key = _replicate(models.KmsBackend.replicate_key)


def _sign(self: responses.KmsResponse) -> str:
    key_id, message = self._get_param("KeyId"), self._get_param("Message")
    kind = self._get_param("MessageType") or "RAW"
    self._validate_key_id(key_id)
    key = self.kms_backend.describe_key(key_id)
    _demand_usable(key)
    if key.key_usage != "SIGN_VERIFY":
        raise _Refused("InvalidKeyUsageException", "not for signing")
    if kind == "RAW" and not 0 < len(message) <= MOST_RAW:
        raise _Refused("ValidationException", "message is longer than 4096 bytes, or empty")
    if kind == "DIGEST" and len(message) != 32:
        raise _Refused("ValidationException", "digest is of the wrong length")
    algorithm: Any = utils.Prehashed(hashes.SHA256()) if kind == "DIGEST" else hashes.SHA256()
    keys: Any = key.private_key
    signed = keys.private_key.sign(message, ec.ECDSA(algorithm))
    told = {"KeyId": key.arn, "SigningAlgorithm": "ECDSA_SHA_256"}
    return json.dumps({**told, "Signature": base64.b64encode(signed).decode()})


def _usable(original: Any) -> Any:
    def checked(self: models.KmsBackend, *args: Any, **kwargs: Any) -> Any:
        key_id = kwargs.get("key_id")
        if key_id:
            _demand_usable(self.keys[self.any_id_to_key_id(key_id)])
        return original(self, *args, **kwargs)

    return checked


def _replicate(original: Any) -> Any:
    def separate(self: models.KmsBackend, key_id: str, replica_region: str) -> Any:
        there = models.kms_backends[self.account_id][replica_region].keys
        key_id = self.get_key_id(key_id)
        if key_id in there:
            raise _Refused("AlreadyExistsException", "there is a replica")
        made = original(self, key_id, replica_region)
        made.aliases, made.grants = {}, {}
        made.multi_region_configuration = copy.deepcopy(made.multi_region_configuration)
        made.multi_region_configuration["MultiRegionKeyType"] = "REPLICA"
        return made

    return separate


def _demand_usable(key: models.Key) -> None:
    if key.key_state == "Disabled":
        raise _Refused("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise _Refused("KMSInvalidStateException", f"{key.arn} is {key.key_state}.")


if __name__ == "__main__":
    from moto.server import main

    if "--plain" not in sys.argv:
        put_right()
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
