"""Plans on the command line: what a person reads in 80 columns, what is asked, and the device that waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from content.errors import ContentError
from serve_app.client import Client
from serve_app.device.planned import request
from tests.serve_app.device_world import phone
from tests.support.answers import API, Answers, Run, problem

PACKAGE, BUNDLE = "pkg_0f8k2m4q6s8u0a2c4e6g8i0k2m", "bnd_0f8k2m4q6s8u0a2c4e6g8i0k2m"
PLAN: dict[str, Any] = {
    "package_id": PACKAGE, "version": 3, "profile": "phone", "plan_id": "q3bkt7xw2a", "planned_profile": "phone-pq3bkt7xw2a",
    "space_bytes": 200_000_000, "bytes": 187_654_321, "plain_bytes": 612_345_678, "least_bytes": 812_345,
    "downloads": [
        {"network": "3G", "bits_per_s": 1_500_000, "seconds": 1001},
        {"network": "4G", "bits_per_s": 10_000_000, "seconds": 8000},
        {"network": "Wi-Fi", "bits_per_s": 30_000_000, "seconds": 51},
    ],
    "units": [
        {"id": "recovery-position", "title": {"en": "The recovery position, and when not to use it"}, "state": "whole",
         "bytes": 1_234, "plain_bytes": 1_234},
        {"id": "bleeding", "title": {"en": "Severe bleeding"}, "state": "reduced", "bytes": 100_234_567, "plain_bytes": 300_456_789},
        {"id": "burns", "title": {"en": "Burns"}, "state": "left-out", "bytes": 0, "plain_bytes": 310_654_321},
    ],
    "assets": [],
    "steps": [
        {"kind": "reduce", "units": ["bleeding"], "assets": ["wound"], "role": "image", "before": "image-webp-960",
         "after": "image-webp-640", "saves_bytes": 200_222_222, "loss": 0.56},
        {"kind": "leave-out", "units": ["burns"], "assets": ["burn"], "role": None, "before": None, "after": None,
         "saves_bytes": 310_654_321, "loss": 10.0},
    ],
}  # fmt: skip
MADE = {"package_id": PACKAGE, "version": 3, "profile": "phone-pq3bkt7xw2a", "plan_id": "q3bkt7xw2a", "bundles": [{"bundle_id": BUNDLE}]}  # fmt: skip


def test_a_plan_is_read_in_80_columns(run: Run) -> None:
    api = Answers({f"GET /v1/packages/{PACKAGE}/plan": PLAN})
    code, out, _ = run("packages", "plan", PACKAGE, "--space", "200MB", "--rate", "800kbit/s", api=api)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80, out
    rows = [line.split() for line in out.splitlines()]
    assert ["recovery-position", "whole", "1,234", "1,234"] in [row[:4] for row in rows]
    assert ["bleeding", "reduced", "100,234,567", "300,456,789"] in [row[:4] for row in rows]
    assert ["burns", "left", "out", "0"] in [row[:4] for row in rows]
    assert "187,654,321 of 612,345,678 bytes to fetch: 17 min on 3G, 2.2 h on 4G, 51 s on Wi-Fi." in " ".join(
        out.split()
    )
    assert "wound: image-webp-960 → image-webp-640, saves 200,222,222 bytes" in " ".join(out.split())
    assert dict(api.asked[0].url.params) == {"space": "200MB", "profile": "phone", "rate": "800kbit/s"}
    code, out, _ = run("packages", "plan", PACKAGE, "--json", api=api)
    assert (code, json.loads(out)) == (0, PLAN)


def test_what_does_not_fit_says_what_would(run: Run) -> None:
    refused = problem(
        409, "space-too-small", "The smallest bundle has 812,345 bytes.", "Give it 812,345 bytes or more."
    )
    api = Answers({f"GET /v1/packages/{PACKAGE}/plan": refused})
    code, _, err = run("packages", "plan", PACKAGE, "--space", "1kB", api=api)
    assert code == 1
    assert "space-too-small" in err and "Give it 812,345 bytes or more." in err


def test_a_device_looks_then_asks_for_what_it_saw(run: Run, tmp_path: Path) -> None:
    folder = str(phone(tmp_path / "phone").path)
    routes = {
        f"GET /v1/packages/{PACKAGE}/plan": PLAN,
        "POST /v1/bundles": MADE,
        f"GET /v1/bundles/{BUNDLE}": {"bundle_id": BUNDLE},
    }
    api = Answers(routes)
    code, out, err = run("device", "plan", folder, PACKAGE, "--space", "200MB", "--dry-run", api=api)
    assert (code, api.bodies("/v1/bundles")) == (0, []), err
    code, out, _ = run("device", "plan", folder, PACKAGE, "--space", "200MB", api=api)
    assert code == 0
    assert "It is there as phone-pq3bkt7xw2a." in out
    assert api.bodies("/v1/bundles") == [{"package_id": PACKAGE, "space": "200MB", "plan_id": "q3bkt7xw2a"}]
    assert all(request.headers["dpop"] for request in api.asked)
    code, out, _ = run("device", "plan", folder, PACKAGE, "--space", "all", "--json", api=api)
    assert (code, json.loads(out)) == (0, {"plan": PLAN, "requested": MADE})
    assert api.bodies("/v1/bundles")[-1] == {"package_id": PACKAGE, "space": None}


def client(api: Answers, folder: Path) -> Client:
    device = phone(folder / "phone").identity
    return Client(
        API, device=device, transport=httpx.MockTransport(api), clock=lambda: datetime.now(UTC), patience_s=0.0
    )


def test_it_waits_until_every_bundle_is_ready(tmp_path: Path) -> None:
    answers = [
        problem(409, "bundle-not-ready", "This bundle is planned."),
        problem(409, "bundle-not-ready", "Claimed."),
        {"bundle_id": BUNDLE},
    ]
    waited: list[float] = []
    api = Answers({"POST /v1/bundles": MADE, f"GET /v1/bundles/{BUNDLE}": lambda _request: answers.pop(0)})
    assert request(client(api, tmp_path), PLAN, "200MB", clock=lambda: sum(waited), sleep=waited.append) == MADE  # type: ignore[arg-type]
    assert (answers, len(waited)) == ([], 2)
    assert waited[1] > waited[0]


@pytest.mark.parametrize("code", ["bundle-not-ready", "bundle-failed"])
def test_it_does_not_wait_for_ever_nor_for_what_failed(tmp_path: Path, code: str) -> None:
    waited: list[float] = []
    api = Answers(
        {"POST /v1/bundles": MADE, f"GET /v1/bundles/{BUNDLE}": lambda _request: problem(409, code, "Not there.")}
    )
    with pytest.raises(ContentError) as refused:
        request(client(api, tmp_path), PLAN, "200MB", patience_s=20.0, clock=lambda: sum(waited), sleep=waited.append)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert bool(waited) is (code == "bundle-not-ready")
    assert sum(waited) <= 20.0
