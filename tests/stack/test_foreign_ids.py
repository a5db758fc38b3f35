"""Every route with every id of another tenant answers as if the id had never been: the same body, and in the same time.

The routes come from the OpenAPI document and the ids from a tenant that has one of everything, so a new route is covered as
soon as it exists; a path parameter that nobody gave an id for fails the first test here.
"""

from __future__ import annotations

import itertools
import re
import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cluster.local.identity import mint_token
from serve_app.api import create_app
from tests.support.populated import Populated
from tests.support.running import Running
from tests.support.tenants import Tenant

ALL_SCOPES = [
    "content:read", "content:write", "device:register", "device:revoke", "tenant:admin", "audit:read", "webhooks:manage",
    "jobs:write", "operator",
]  # fmt: skip
PUBLIC = {"/v1/tenants/{tenant}/trust-lists", "/v1/tenants/{tenant}/jwks", "/v1/tenants/{tenant}/revoked"}
"""For everybody: these answer for any tenant."""
OPERATORS = {"/v1/tenants/{tenant}"}
"""An operator may look after any tenant, so here the other scopes are tried."""
OPERATORS_ALONE = {"/v1/tenants/{tenant}/keys/rotations", "/v1/tenants/{tenant}/deletion"}
"""Nobody else gets as far as to name a tenant: without that scope the answer is 403 for every name."""
NOT_OF_TENANTS = {"code", "name", "queue", "file"}
"""Parameters that name things of the service: problems, schemas, queues, static files."""
ABSENT = {
    "tenant": "t-never-was", "package_id": "pkg_never", "version": "7", "older": "7", "newer": "7", "bundle_id": "bnd_never", "device_id": "never",
    "enrollment_id": "enr-never", "job_id": "job_never", "webhook_id": "wh_never", "event_id": "never", "export_id": "exp_never",
    "preview_id": "prv_never", "import_id": "imp_never", "hold_id": "hld_never", "erasure_id": "ers_never",
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "patch /v1/packages/{package_id}": {"policy": "shared"},
    "post /v1/packages/{package_id}/versions/{version}/withdraw": {"reason": "Not mine."},
    "patch /v1/tenants/{tenant}": {"settings": {"cors_origins": []}},
    "post /v1/packages/{package_id}/epochs": {"reason": "Not mine."},
    "post /v1/tenants/{tenant}/keys/rotations": {"kind": "scheduled", "reason": "Not mine."},
    "post /v1/holds/{hold_id}/release": {"reason": "Not mine."},
    "post /v1/packages/{package_id}/versions/{version}/restore": {"tier": None},
    "post /v1/bundles/{bundle_id}/licence/renewals": {"end": None},
    "post /v1/imports/{import_id}/parts": {"pieces": [{"number": 1, "digest": "sha256:" + "0a" * 32}]},
    "patch /v1/webhooks/{webhook_id}": {"state": "paused"},
    "put /v1/webhooks/{webhook_id}": {"state": "paused"},
}
METHODS = ("get", "post", "put", "patch", "delete")
ROUNDS, BOUND = 25, 3.0
"""Interleaved pairs, and how far the medians may lie apart. Both ask the same statements of the same indexes; what is left is
the noise of a shared machine, which is far below three, while a second statement or a read from S3 would be above it."""


def operations() -> Iterator[tuple[str, str, frozenset[str]]]:
    """(method, path, its parameters) of every route that takes an id of a tenant."""
    for path, item in create_app().openapi()["paths"].items():
        names = frozenset(re.findall(r"\{(\w+)\}", path))
        if names and not names <= NOT_OF_TENANTS and path not in PUBLIC | OPERATORS_ALONE:
            yield from ((method, path, names) for method in METHODS if method in item)


ROUTES = sorted(operations(), key=lambda route: route[:2])


@pytest.fixture(scope="module")
def owner(running: Running) -> Populated:
    return Populated(running)


@pytest.fixture(scope="module")
def stranger(running: Running) -> Tenant:
    return Tenant(running)


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.settings.api_url, trust_env=False, timeout=60) as client:
        yield client


def headers(stranger: Tenant, path: str) -> dict[str, str]:
    scopes = [scope for scope in ALL_SCOPES if scope != "operator" or path not in OPERATORS]
    token = mint_token(stranger.home, stranger.name, scopes, "curious")
    return {"Authorization": f"Bearer {token}", "If-Match": "*"}


def ask(http: httpx.Client, method: str, path: str, ids: dict[str, str], sent: dict[str, str]) -> httpx.Response:
    body = BODIES.get(f"{method} {path}")
    return http.request(method, path.format(**ids), headers=sent, json=body)


def test_every_path_parameter_has_an_id_here(owner: Populated) -> None:
    named = set[str]().union(*(names for _, _, names in ROUTES))
    assert named - NOT_OF_TENANTS <= owner.ids.keys(), "have tests/support/populated.py make one of these"
    assert named - NOT_OF_TENANTS <= ABSENT.keys()
    assert len(ROUTES) >= 15


@pytest.mark.parametrize(("method", "path", "names"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_another_tenants_id_is_answered_like_one_that_never_was(
    http: httpx.Client, owner: Populated, stranger: Tenant, method: str, path: str, names: frozenset[str]
) -> None:
    sent, absent = headers(stranger, path), {name: ABSENT.get(name, "x") for name in names}
    nobodys = ask(http, method, path, absent, sent)
    assert (nobodys.status_code, nobodys.json()["code"]) == (404, "not-found"), nobodys.text
    # Every mixture of the owner's ids and of ids that never were.
    for chosen in itertools.product((True, False), repeat=len(names)):
        ids = {
            name: owner.ids[name] if theirs else absent[name]
            for name, theirs in zip(sorted(names), chosen, strict=True)
        }
        if not any(chosen):
            continue
        theirs = ask(http, method, path, ids, sent)
        assert _shape(theirs) == _shape(nobodys), f"{method} {ids} tells that it is there"


def test_nothing_of_the_owners_was_changed_by_a_stranger(owner: Populated) -> None:
    """After all of the above: the mutating methods were refused, not only hidden."""
    assert owner.api.version(owner.package_id, 1)["state"] == "published"
    assert owner.api.device(owner.enrolled.id)["state"] == "active"
    assert owner.api.bundle(owner.bundle_id)["state"] == "ready"
    assert owner.api.job(owner.job_id)["state"] == "succeeded"
    assert {row["actor"] for row in owner.api.audit()}.isdisjoint({"curious"})


def test_a_strangers_lists_are_empty_whatever_they_filter_by(
    http: httpx.Client, owner: Populated, stranger: Tenant
) -> None:
    sent = headers(stranger, "")
    filters = {**owner.ids, "learner_id": "learner-1", "course_id": owner.course_id}
    document = create_app().openapi()
    shared = document["components"].get("parameters", {})

    def parameters(item: dict[str, Any]) -> set[str]:
        given = item.get("get", {}).get("parameters", [])
        return {(shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p)["name"] for p in given}

    listed = {path: parameters(item) for path, item in document["paths"].items() if "{" not in path}
    listed = {path: known for path, known in listed.items() if "cursor" in known}
    assert {"/v1/packages", "/v1/bundles", "/v1/devices", "/v1/enrolments", "/v1/jobs"} <= listed.keys()
    for path, known in listed.items():
        if path in ("/v1/tenants", "/v1/audit"):
            continue
        for given in ({}, *({name: value} for name, value in filters.items() if name in known)):
            answer = http.get(path, params=given, headers=sent)
            assert (answer.status_code, answer.json()["items"]) == (200, []), f"{path} {given}"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/packages/{package_id}", "package_id"),
        ("/v1/packages/{package_id}/versions/{version}/manifest", "package_id"),
        ("/v1/bundles/{bundle_id}", "bundle_id"),
        ("/v1/devices/{device_id}", "device_id"),
        ("/v1/jobs/{job_id}", "job_id"),
        ("/v1/tenants/{tenant}", "tenant"),
    ],
)
def test_it_takes_no_longer_to_hide_what_is_there(
    http: httpx.Client, owner: Populated, stranger: Tenant, path: str, name: str
) -> None:
    sent = headers(stranger, path)
    theirs = {**ABSENT, "version": "1", name: owner.ids[name]}
    nobodys = {**theirs, name: ABSENT[name]}
    took: dict[str, list[float]] = {"theirs": [], "nobodys": []}
    for number in range(ROUNDS):
        pair = [("theirs", theirs), ("nobodys", nobodys)]
        for which, ids in pair if number % 2 else pair[::-1]:
            began = time.perf_counter()
            assert ask(http, "get", path, ids, sent).status_code == 404
            took[which].append(time.perf_counter() - began)
    ratio = statistics.median(took["theirs"]) / statistics.median(took["nobodys"])
    assert 1 / BOUND < ratio < BOUND, took


def _shape(answer: httpx.Response) -> tuple[int, dict[str, Any], set[str]]:
    """Status, body without the request's own id, and the names of the header fields."""
    body = {name: value for name, value in answer.json().items() if name != "instance"}
    return answer.status_code, body, set(answer.headers)
