"""What a stack makes up once and keeps: its secrets; and the `settings.json` that follows from them and the ports."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.edge import cdn
from cluster.local import identity, mesh, nats, postgres
from cluster.local.errors import LocalStackError
from cluster.local.home import Home, read_json, write_json
from cluster.local.part import Site
from cluster.mesh_door import digest_of
from cluster.neighbours import SERVICES
from cluster.settings import Settings

EDGE_KEY_ID = "LOCALEDGE"
IMPORTER = "/importer"
"""Where the importer's app answers: locally all apps share one proxy."""
PASSWORDS = (
    "postgres", *postgres.LOGINS, "nats_operator", "nats_content", "nats_neighbours", "nats_edge", "nats_dead_letters", "nats_erasure",
    "s3_access", "s3_secret", "s3_edge_access", "s3_edge_secret", "importer_token", "mesh_door",
)  # fmt: skip


def ensure_secrets(home: Home) -> dict[str, str]:
    """The stack's secrets by name; those that are missing are made. Kept in `keys/secrets.json` (0600)."""
    path = home.keys / "secrets.json"
    known: dict[str, str] = read_json(path)
    missing = {name: secrets.token_hex(16) for name in PASSWORDS if name not in known}
    if "openbao_token" not in known:
        missing["openbao_token"] = secrets.token_urlsafe(24)
    if "edge_private_key" not in known:
        missing["edge_private_key"] = _new_edge_key()
    if missing:
        write_json(path, {**known, **missing})
    identity.ensure_identity(home)
    return known | missing


def tell_neighbours(site: Site) -> None:
    """What somebody needs who plays a neighbour: `keys/neighbours.json`."""
    known = {"nats_user": nats.user_of(site, "neighbours"), "nats_password": site.secrets["nats_neighbours"]}
    mtls = {"mesh_folder": str(site.authority.of(mesh.NEIGHBOURS)), "mesh_peers": mesh.PEERS} if site.mtls else {}
    write_json(site.home.keys / "neighbours.json", known | mtls)


def settings_of(site: Site, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of this stack; `overrides` (limits, leases, failpoints …) outrank what stands here."""
    ours: dict[str, Any] = {
        "profile": "development",
        "workspace": str(site.home.work),
        "log_folder": str(site.home.logs),
        **{f"postgres_{login.removeprefix('content_')}": postgres.conninfo(site, login) for login in postgres.LOGINS},
        "nats_url": nats.url(site),
        "nats_user": nats.user_of(site, "content"),
        "nats_monitor_url": site.url("nats_http"),
        "nats_password": site.secrets["nats_content"],
        "nats_dead_letters_user": nats.user_of(site, "dead_letters"),
        "nats_dead_letters_password": site.secrets["nats_dead_letters"],
        "nats_erasure_user": nats.user_of(site, "erasure"),
        "nats_erasure_password": site.secrets["nats_erasure"],
        "s3_endpoint": site.url("s3"),
        "s3_region": "us-east-1",
        "s3_bucket": "content",
        "cold_storage": "prefix",
        "cold_poll_s": 1.0,
        "archive_lock_days": 0,
        "s3_access_key": site.secrets["s3_access"],
        "s3_secret_key": site.secrets["s3_secret"],
        "openbao_url": site.url("openbao"),
        "openbao_token": site.secrets["openbao_token"],
        **{
            f"{service.replace('-', '_')}_url": f"{_door(site, 'neighbours', 'neighbours_mesh')}/{service}"
            for service in SERVICES
        },
        "edge_url": site.url("edge"),
        **edge_keys(site.secrets),
        "site_url": site_url(site),
        "importer_url": _door(site, "api", "importer_mesh") + IMPORTER,
        "importer_token": site.secrets["importer_token"],
        "learner_origin": site.url("neighbours"),
        "api_url": site.url("api"),
        **(_mesh(site) if site.mtls else {}),
        "jwt_issuer": identity.ISSUER,
        "jwt_audience": identity.AUDIENCE,
        "jwt_jwks_file": str(site.home.keys / "jwks.json"),
        "webhook_allow_private": True,
        "ray_address": f"127.0.0.1:{site.ports['ray']}",
        "ray_dashboard_url": site.url("ray_dashboard"),
    }
    unknown = set(overrides) - set(Settings.model_fields)
    if unknown:
        raise LocalStackError(
            "unknown-setting", f"No such setting: {', '.join(sorted(unknown))}.", "See `content-service settings`."
        )
    return {**ours, **{name: str(value) if isinstance(value, Path) else value for name, value in overrides.items()}}


def _door(site: Site, plain: str, door: str) -> str:
    return f"https://127.0.0.1:{site.ports[door]}" if site.mtls else site.url(plain)


def _mesh(site: Site) -> dict[str, Any]:
    """All pools are one identity here, since they have one settings file; in production each has its own."""
    return {
        "api_listen_url": site.url(site.inside),
        "mesh_folder": str(site.authority.of(mesh.US)),
        "mesh_peers": mesh.PEERS,
        "mesh_door_sha256": digest_of(site.secrets["mesh_door"]),
    }


def load_settings(home: Path) -> Settings:
    """The settings of the stack in that folder. Raises LocalStackError where there never was one."""
    path = Home(home).settings
    if not path.exists():
        several = [f"--home {home / name}" for name in read_json(home / "regions.json").get("kinds", {})]
        raise LocalStackError(
            "stack-unknown",
            f"No stack was ever started in {home}.",
            f"Name one of its regions: {', '.join(several)}." if several else "Run `content-service up` first.",
        )
    return Settings(**read_json(path))


def site_url(site: Site) -> str:
    """Where the published exports of a tenant are. Browsers look for names below `localhost` on their own machine."""
    return f"http://{{tenant}}.localhost:{site.ports['edge']}"


def edge_keys(secrets_of: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a rotation of the edge's key changes, as they were left; `edge rotate` writes them here, too."""
    return {
        "edge_key_id": secrets_of.get("edge_key_id", EDGE_KEY_ID),
        "edge_private_key": secrets_of["edge_private_key"],
        "edge_next_key_id": secrets_of.get("edge_next_key_id", ""),
        "edge_next_private_key": secrets_of.get("edge_next_private_key", ""),
        "edge_retired_keys": json.loads(secrets_of.get("edge_retired_keys", "{}")),
    }


def ensure_key_group(site: Site) -> None:
    """The file of the keys that the edge knows; made once, and afterwards changed by rotations alone."""
    if not site.home.edge_keys.exists():
        key = cdn.load_private_key(site.secrets["edge_private_key"])
        write_json(site.home.edge_keys, {edge_keys(site.secrets)["edge_key_id"]: cdn.public_pem(key)})


def _new_edge_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
