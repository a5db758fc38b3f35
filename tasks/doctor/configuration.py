"""Settings: nothing missing, nothing that only a developer's machine may have, keys that can be read."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cluster.edge import cdn
from cluster.settings import Settings
from tasks.doctor.findings import Finding, fail, ok, warn

SECRETS = (
    "postgres_api", "postgres_worker", "postgres_relay", "postgres_ops", "nats_password", "s3_access_key",
    "s3_secret_key", "openbao_token", "edge_private_key",
)  # fmt: skip
ADDRESSES = (
    "nats_url", "s3_endpoint", "openbao_url", "authoring_url", "media_url", "catalog_url", "ai_gateway_url", "edge_url",
    "api_url",
)  # fmt: skip
ENCRYPTED = ("https", "tls")


async def check(settings: Settings) -> list[Finding]:
    return [_complete(settings), _safe(settings), _identity(settings), _edge(settings), _leases(settings)]


def _complete(settings: Settings) -> Finding:
    name = "settings: complete"
    unused = {"s3_endpoint"} | ({"openbao_token", "openbao_url"} if settings.key_service == "kms" else set[str]())
    if not settings.s3_endpoint:
        unused |= {"s3_access_key", "s3_secret_key"}  # AWS: the pod has a role
    missing = [each for each in SECRETS if not getattr(settings, each).get_secret_value() and each not in unused]
    missing += [each for each in ADDRESSES if not getattr(settings, each) and each not in unused]
    if missing:
        return fail(name, f"not set: {', '.join(missing)}", "Set CONTENT_ and the name in capitals.")
    return ok(name, f"{len(SECRETS)} secrets and {len(ADDRESSES)} addresses are set")


def _safe(settings: Settings) -> Finding:
    name = "settings: safe"
    if settings.profile != "production":
        return ok(name, f"the profile is {settings.profile}")
    plain = [
        each for each in ADDRESSES
        if (url := getattr(settings, each)) and urlsplit(url).scheme not in ENCRYPTED
        and not (each == "openbao_url" and settings.key_service == "kms")
    ]  # fmt: skip
    if plain:
        return fail(name, f"not encrypted: {', '.join(plain)}", "Use https (tls for NATS) in production.")
    if settings.key_service == "kms" and not settings.kms_account:
        return fail(name, "new keys get AWS' default policy: all of the account may use them", "Set kms_account.")
    if settings.failpoints is not None:
        return fail(name, "failpoints are armed in production", "Remove the setting failpoints.")
    if settings.log_format == "console":
        return warn(name, "logs are for people, not for programs", "Set log_format to json.")
    return ok(name, "nothing unencrypted, no failpoints")


def _identity(settings: Settings) -> Finding:
    name, path = "settings: identity", settings.jwt_jwks_file
    if path is None:
        return fail(name, "no identity provider's keys: every token is refused", "Set jwt_jwks_file.")
    try:
        keys = KeySet.import_key_set(json.loads(path.read_text())).keys
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        return fail(name, f"{path} cannot be used ({type(error).__name__})", "Put the provider's JWKS there.")
    if any(key.is_private for key in keys):
        return fail(name, f"{path} holds a private key", "Put the public keys there, and replace that key.")
    return ok(name, f"{len(keys)} keys of {settings.jwt_issuer}")


def _edge(settings: Settings) -> Finding:
    name = "settings: edge key"
    try:
        cdn.load_private_key(settings.edge_private_key.get_secret_value())
    except Exception as error:  # noqa: BLE001 - the kinds differ by what is wrong with the PEM
        return fail(
            name, f"edge_private_key is no key for it ({type(error).__name__})", "Set it to the PEM of the edge's key."
        )
    return ok(name, "signs addresses")


def _leases(settings: Settings) -> Finding:
    name = "settings: times"
    if settings.drain_s >= settings.lease_s and settings.profile == "production":
        return warn(
            name, "drain_s is not below lease_s: what drains is taken over by others", "Make lease_s the larger one."
        )
    return ok(name, f"lease {settings.lease_s:g} s, drain {settings.drain_s:g} s")
