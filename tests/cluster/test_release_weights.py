"""Where weights are set: one suite on the local gateway (served for real) and on an HTTPRoute (behind a stand-in)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cluster.local.gateway import Division, administration, proxy
from cluster.release.kubernetes import HttpRoute
from cluster.release.local_gateway import LocalGateway
from cluster.release.weights import Gateway
from content.errors import ContentError
from tests.support.kubernetes_api import KubernetesApi, route
from tests.support.served import served

STABLE, CANARY = "content-api-serve-svc", "content-api-canary-serve-svc"


def http_route(api: KubernetesApi, folder: Path) -> HttpRoute:
    (folder / "token").write_text(f"{api.token}\n")
    return HttpRoute("content", "content-api", STABLE, CANARY, account=folder, transport=api.transport)


@pytest.fixture(params=["local", "kubernetes"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    if request.param == "kubernetes":
        yield http_route(KubernetesApi(), tmp_path)
        return
    division = Division(tmp_path / "gateway.json")
    division.annotations = {"a": "b"}
    with served(administration(division)) as url:
        yield LocalGateway(url)


def test_weights_and_annotations_change_in_one_write(gateway: Gateway) -> None:
    before = gateway.read()
    assert (before.share, before.annotations) == (0, {"a": "b"})
    after = gateway.write(before, 10, {"state": "x"})
    assert (after.share, after.annotations) == (10, {"a": "b", "state": "x"})
    assert gateway.read() == after


def test_what_rests_on_an_old_look_is_refused(gateway: Gateway) -> None:
    before = gateway.read()
    gateway.write(before, 10, {"state": "first"})
    with pytest.raises(ContentError) as told:
        gateway.write(before, 50, {"state": "second"})
    assert (told.value.code, told.value.retryable) == ("release-conflict", True)
    assert (gateway.read().share, gateway.read().annotations["state"]) == (10, "first")


# -- an HTTPRoute -------------------------------------------------------------------------------------------------------


def test_everything_else_of_a_route_stays_as_it_was(tmp_path: Path) -> None:
    api = KubernetesApi()
    before = copy.deepcopy(api.document)
    gateway = http_route(api, tmp_path)
    gateway.write(gateway.read(), 50, {"state": "x"})
    expected = route(canary=50)
    expected["metadata"] |= {"resourceVersion": "2", "annotations": {"a": "b", "state": "x"}}
    assert api.document == expected
    assert api.document["spec"]["hostnames"] == before["spec"]["hostnames"]
    assert set(api.patches[0]) == {"metadata", "spec"}
    assert set(api.patches[0]["spec"]) == {"rules"}


def test_a_token_that_the_kubelet_replaced_is_read_anew(tmp_path: Path) -> None:
    api = KubernetesApi()
    gateway = http_route(api, tmp_path)
    gateway.read()
    api.token = "token-2"
    with pytest.raises(ContentError, match="401"):
        gateway.read()
    (tmp_path / "token").write_text("token-2")
    assert gateway.read().share == 0


def test_a_route_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    for change in ("alike", "third", "empty", "none"):
        api = KubernetesApi()
        rules = api.document["spec"]["rules"]
        if change == "alike":
            rules[0]["backendRefs"][1]["weight"] = 7
        elif change == "third":
            rules[0]["backendRefs"].append({"name": "other", "weight": 1})
        elif change == "empty":
            rules[0]["backendRefs"][0]["weight"] = 0
        else:
            del api.document["spec"]
        with pytest.raises(ContentError) as told:
            http_route(api, tmp_path).read()
        assert (told.value.code, told.value.retryable) == ("gateway-refused", False), change


def test_an_api_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    api = KubernetesApi()
    api.broken = 503
    with pytest.raises(ContentError) as told:
        http_route(api, tmp_path).read()
    assert told.value.retryable


def certificate(folder: Path) -> dict[str, str]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key, as files."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "ca.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key").write_bytes(pem)
    return {"ssl_certfile": str(folder / "ca.crt"), "ssl_keyfile": str(folder / "key")}


def test_only_the_cluster_s_own_authority_is_believed(tmp_path: Path) -> None:
    """Over TLS, as in a pod: the token goes to nobody whom the authority beside it does not vouch for."""
    api, ours, other = KubernetesApi(), tmp_path / "ours", tmp_path / "other"
    files = certificate(ours)
    certificate(other)
    with served(api, **files) as url:
        for folder in (ours, other):
            (folder / "token").write_text(api.token)
        gateway = HttpRoute("content", "content-api", STABLE, CANARY, url=url, account=ours)
        assert gateway.write(gateway.read(), 10, {"state": "x"}).share == 10
        gateway.close()
        stranger = HttpRoute("content", "content-api", STABLE, CANARY, url=url, account=other)
        with pytest.raises(ContentError, match="does not answer"):
            stranger.read()
        stranger.close()


# -- the local gateway --------------------------------------------------------------------------------------------------


async def echo(request: Request) -> JSONResponse:
    body = await request.body()
    told = {"path": request.url.path, "query": request.url.query, "size": len(body), "host": request.headers["host"]}
    status = int(request.query_params.get("status", "200"))
    return JSONResponse(told, status, headers={"x-name": request.app.state.name, "connection": "keep-alive"})


def version(name: str) -> Starlette:
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    app.state.name = name
    return app


def test_requests_are_parted_exactly_and_handed_on_whole(tmp_path: Path) -> None:
    division = Division(tmp_path / "gateway.json")
    with served(version("old")) as old, served(version("new")) as new:
        with served(proxy(division, {"stable": old, "canary": new})) as url, httpx.Client(trust_env=False) as http:
            division.set(10, {})
            by = [http.get(f"{url}/v1/x?a=%20b").headers["x-name"] for _ in range(100)]
            assert by.count("new") == 10
            assert all("new" in by[start : start + 10] for start in range(0, 100, 10)), "not all at once"
            answer = http.post(f"{url}/v1/y?a=%20b&status=418", content=b"x" * 100_000, headers={"host": "api.example"})
            assert answer.status_code == 418
            assert answer.json() == {
                "path": "/v1/y",
                "query": "a=%20b&status=418",
                "size": 100_000,
                "host": "api.example",
            }
            division.set(100, {})
            assert {http.get(url).headers["x-served-by"] for _ in range(5)} == {"canary"}
    found = Division(tmp_path / "gateway.json")
    assert (found.share, found.revision) == (100, 3), "found again after a restart"


def test_a_version_that_is_gone_is_a_502_and_counted(tmp_path: Path) -> None:
    division = Division(tmp_path / "gateway.json")
    division.set(100, {})
    with served(proxy(division, {"stable": "http://127.0.0.1:9", "canary": "http://127.0.0.1:9"})) as url:
        answer = httpx.get(f"{url}/v1/x", trust_env=False)
    assert (answer.status_code, answer.headers["x-served-by"]) == (502, "canary")
    assert division.as_dict()["served"] == [{"by": "canary", "status": 502, "count": 1}]


def test_nonsense_is_not_set(tmp_path: Path) -> None:
    with served(administration(Division(tmp_path / "gateway.json"))) as url:
        for share in (-1, 101, "10", True, None):
            given = {"share": share, "annotations": {}}
            assert (
                httpx.put(f"{url}/release", json=given, headers={"if-match": '"1"'}, trust_env=False).status_code == 422
            )
        assert httpx.put(f"{url}/release", json={"share": 1, "annotations": {}}, trust_env=False).status_code == 412
