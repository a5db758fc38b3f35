"""Registering: the challenge is answered with both keys, and a pinned root is held to, also by a device that knows lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from content.devices.registration import make_challenge, verify_registration
from content.errors import ContentError
from serve_app.client import Client
from serve_app.device.folder import DeviceFolder
from serve_app.device.register import register
from tests.serve_app.device_world import API, NOW, Shop, problem
from tests.vectors import world as w

NONCE = "n" * 32


class Registry:
    """The API's side of a registration, with the checks of `content` that the service makes."""

    def __init__(self) -> None:
        self.secret = b""
        self.registered: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body: Any = json.loads(request.content or b"{}")
        if request.url.path.endswith("/trust-lists"):
            with Shop([]).api() as api:
                return httpx.Response(200, json=api.trust_lists(w.TENANT, int(request.url.params["since"])))
        if request.headers.get("authorization") != "Bearer learner":
            return problem(401, "token-invalid")
        if request.url.path == "/v1/devices/challenges":
            self.secret, challenge = make_challenge(body["encryption"], w.seeded("challenge"))
            return httpx.Response(201, json={"nonce": NONCE, "challenge": challenge, "expires_in_s": 300})
        found = verify_registration(body["registration"], nonce=NONCE, tenant=w.TENANT, secret=self.secret)
        self.registered.append((found.device_id, body["profile"]))
        row = {"device_id": found.device_id, "learner_id": "ada", "profile": body["profile"], "state": "active"}
        return httpx.Response(201, json={**row, "bundles_planned": 0, "trust_chain": []})

    def client(self, token: str = "learner") -> Client:
        return Client(API, token=token, transport=httpx.MockTransport(self))


def test_registration_and_lists(tmp_path: Path) -> None:
    device, registry = DeviceFolder.create(tmp_path / "phone", w.TENANT), Registry()
    register(device, registry.client(), profile="phone", clock=lambda: NOW)
    assert registry.registered == [(device.identity.id, "phone")]
    assert (device.registered.learner_id, device.registered.api_url) == ("ada", API)
    assert device.state.trust is not None
    register(device, registry.client(), profile="tablet", clock=lambda: NOW)
    assert device.registered.profile == "tablet"


def test_a_pinned_root_is_held_to(tmp_path: Path) -> None:
    registry = Registry()
    good = DeviceFolder.create(tmp_path / "good", w.TENANT)
    register(good, registry.client(), profile="phone", clock=lambda: NOW, pinned_root=w.ROOTS[0].kid)
    assert good.state.trust is not None
    for knows in (False, True):
        device = DeviceFolder.create(tmp_path / f"bad-{knows}", w.TENANT)
        if knows:
            register(device, registry.client(), profile="phone", clock=lambda: NOW)
        with pytest.raises(ContentError) as refused:
            register(device, registry.client(), profile="phone", clock=lambda: NOW, pinned_root=w.ROOTS[2].kid)
        assert refused.value.code == "trust-root-not-pinned"


def test_a_refused_token_leaves_no_registration(tmp_path: Path) -> None:
    device = DeviceFolder.create(tmp_path / "phone", w.TENANT)
    with pytest.raises(ContentError) as refused:
        register(device, Registry().client("other"), profile="phone", clock=lambda: NOW)
    assert refused.value.code == "token-invalid"
    assert not (device.path / "device.json").exists()
