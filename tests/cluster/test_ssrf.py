"""Where the service's requests go: who names each address, and that what others name leads nowhere inside.

Every connection is looked at where it is opened (`socket.connect`), so "refused" means that nobody was spoken to. What tests of
the single parts show already is not shown again: test_egress.py, test_courier.py, test_misbehaving_neighbours.py, test_importer.py.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import re
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3.session
import httpx
import pytest
import stamina

from actors.importer import Importer, _host_of, _Work, given  # pyright: ignore[reportPrivateUsage]
from cluster import egress
from cluster import importer as importer_client
from cluster.breaker import Breakers
from cluster.edge.cloudflare import Cloudflare
from cluster.importer import Order
from cluster.keys.kms_region import Place, Region
from cluster.keys.openbao import OpenBao
from cluster.neighbour_calls import Calls, NeighbourError
from cluster.objects import Objects
from cluster.outbound import HostNotAllowed, Transport
from cluster.release.kubernetes import HttpRoute
from cluster.release.local_gateway import LocalGateway
from cluster.release.prometheus import HttpPrometheus
from cluster.release.shadow import Shadow
from cluster.settings import Settings
from cluster.telemetry.traces import _otlp_exporter  # pyright: ignore[reportPrivateUsage]
from content.errors import ContentError
from serve_app.client.connection import Connection
from serve_app.client.uploading import store_client
from serve_app.device.download import Silent, edge_client, fetch
from serve_app.pools import _replicas  # pyright: ignore[reportPrivateUsage]
from tasks.courier import Courier
from tasks.recovery.restore_source import source

ROOT = Path(__file__).parents[2]
Dialled = list[tuple[Any, ...]]

# -- the inventory ----------------------------------------------------------------------------------------------------

SETTINGS, OPERATOR, LOCAL, NONE = "our settings", "the operator's command line", "a local stack", "opens none"
TENANT = "a tenant: cluster.egress resolves, looks and pins"
ORDER = "the service's order: origins of the store alone, by cluster.outbound"
API = "the API that a device or the CLI was pointed at"
FETCHES = {
    "actors/importer.py": ORDER,
    "cluster/aws/edge_apply.py": "AWS, by region",
    "cluster/edge/cloudflare.py": SETTINGS,
    "cluster/edge/cloudfront.py": "AWS, by region",
    "cluster/errands.py": SETTINGS,
    "cluster/egress.py": TENANT,
    "cluster/events.py": SETTINGS,
    "cluster/importer.py": SETTINGS,
    "cluster/invalidations.py": SETTINGS,
    "cluster/keys/kms_region.py": SETTINGS,
    "cluster/keys/openbao.py": SETTINGS,
    "cluster/local/edge.py": LOCAL,
    "cluster/local/gateway.py": LOCAL,
    "cluster/local/heard.py": LOCAL,
    "cluster/local/keys.py": LOCAL,
    "cluster/local/mesh.py": LOCAL,
    "cluster/local/misbehaviour.py": LOCAL,
    "cluster/local/part.py": LOCAL,
    "cluster/local/ports.py": LOCAL,
    "cluster/local/publishing.py": LOCAL,
    "cluster/local/s3.py": LOCAL,
    "cluster/neighbour_calls.py": "our settings, by cluster.outbound; ids in paths are the caller's",
    "cluster/objects.py": "our settings; a restore's --from (tasks/recovery/restore_source.py) is the operator's",
    "cluster/outbound.py": "whoever makes a Transport: the hosts that it names",
    "cluster/presigned.py": f"{NONE}: it signs addresses of the store",
    "cluster/release/kubernetes.py": OPERATOR,
    "cluster/release/local_gateway.py": OPERATOR,
    "cluster/release/prometheus.py": OPERATOR,
    "cluster/release/shadow.py": OPERATOR,
    "cluster/streams.py": SETTINGS,
    "cluster/telemetry/traces.py": SETTINGS,
    "serve_app/client/connection.py": API,
    "serve_app/client/errors.py": f"{NONE}: it reads answers",
    "serve_app/client/uploading.py": f"{API}: it names addresses of the store",
    "serve_app/demo/waiting.py": LOCAL,
    "serve_app/device/class_file.py": f"{API}: it names addresses of the edge",
    "serve_app/device/download.py": f"{API}: it names addresses of the edge",
    "serve_app/device/sync.py": f"{API}: it names addresses of the edge",
    "serve_app/device/taking.py": f"{API}: it names addresses of the edge",
    "serve_app/pools.py": SETTINGS,
    "tasks/courier.py": TENANT,
    "tasks/doctor/events.py": SETTINGS,
    "tasks/doctor/ray_pools.py": SETTINGS,
    "tasks/edge/edge_rotation.py": SETTINGS,
}
"""Every module that can open a connection, and who says where to. PostgreSQL's protocol is not here: psycopg is given a DSN of the
settings in `cluster.database`, and what a database says back names no address."""
CLIENTS = (
    "httpx", "httpcore", "boto3", "requests", "aiohttp", "urllib3", "urllib.request", "http.client", "nats", "socket", "ftplib",
    "smtplib", "telnetlib", "xmlrpc.client", "websockets", "grpc", "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)  # fmt: skip
OPENERS = frozenset(
    ("open_connection", "create_connection", "urlopen", "open_unix_connection", "create_datagram_endpoint")
)
LIKELY = re.compile("|".join((*OPENERS, *(name.rpartition(".")[2] for name in CLIENTS))))
FOLDERS = ("actors", "cluster", "content", "images", "kuberay", "serve_app", "tasks")


def opens_connections(text: str) -> bool:
    if not LIKELY.search(text):
        return False  # parsing takes most of the time
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names) if any(_is_client(each.name) for each in names):
                return True
            case ast.ImportFrom(module=str(module), names=names) if _is_client(module) or any(
                _is_client(f"{module}.{each.name}") for each in names
            ):
                return True
            case ast.Attribute(attr=attr) if attr in OPENERS:
                return True
            case _:
                pass
    return False


def _is_client(module: str) -> bool:
    # Of nats, only the package itself connects; nats.js and nats.errors are names of things.
    return module in CLIENTS or module.startswith(("boto3.", "httpx.", "requests."))


def test_every_module_that_can_open_a_connection_is_in_the_inventory() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if opens_connections(path.read_text())
    }
    assert found == set(FETCHES), "say in FETCHES who decides where a new one connects to, and test it here"


@pytest.mark.parametrize(
    "text",
    [
        "import httpx",
        "def f():\n    import boto3",
        "from http import client",
        "from urllib import request",
        "asyncio.open_connection()",
    ],
)
def test_the_inventory_sees(text: str) -> None:
    assert opens_connections(text)


def test_no_httpx_client_listens_to_the_environment_or_follows() -> None:
    """A proxy of the environment would see what goes to others; a redirect would lead to where nobody looked."""
    clients, lacking = 0, list[str]()
    for name in FETCHES:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("httpx."):
                continue
            if node.func.attr not in ("Client", "AsyncClient", "get", "post", "put", "request", "stream"):  # pyright: ignore
                continue
            clients += 1
            said = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if said.get("trust_env") != "False" or said.get("follow_redirects", "False") != "False":
                lacking.append(f"{name}:{node.lineno}")
    assert clients > 15
    assert not lacking


# -- what is dialled --------------------------------------------------------------------------------------------------


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> Dialled:
    """Every address that a connection was begun to; only those of this machine that a test serves come about.

    Threads that earlier tests have left may dial servers of theirs meanwhile: they are let."""
    seen: Dialled = []
    real = socket.socket.connect
    theirs = {*threading.enumerate()} - {threading.current_thread()}

    def connect(self: socket.socket, address: Any) -> None:
        if self.family not in (socket.AF_INET, socket.AF_INET6) or threading.current_thread() in theirs:
            return real(self, address)
        seen.append(tuple(address[:2]))
        if address[:2] in SERVED:
            return real(self, address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


SERVED: set[tuple[str, int]] = set()


@pytest.fixture(autouse=True, scope="module")
def one_context() -> Iterator[None]:
    """Reading all authorities anew for each client takes longer than everything else here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        patch.setattr(boto3.session, "Session", functools.cache(boto3.session.Session))
        yield


@pytest.fixture(autouse=True)
def once() -> Iterator[None]:
    """Tries that follow the first one show nothing here."""
    stamina.set_active(False)
    yield
    stamina.set_active(True)


INSIDE = {
    "metadata": "169.254.169.254", "metadata-v6": "[fd00:ec2::254]", "metadata-oracle": "192.0.0.192", "metadata-azure": "168.63.129.16",
    "zero": "0.0.0.0", "zero-net": "0.1.2.3", "zero-v6": "[::]", "cgnat": "100.127.255.254", "benchmark": "198.18.0.1",
    "broadcast": "255.255.255.255", "class-e": "240.0.0.1", "mapped": "[::ffff:127.0.0.1]", "mapped-hex": "[::ffff:7f00:1]",
    "mapped-metadata": "[::ffff:a9fe:a9fe]", "mapped-cgnat": "[::ffff:100.64.0.1]", "compatible": "[::127.0.0.1]",
    "translated": "[::ffff:0:127.0.0.1]", "nat64-metadata": "[64:ff9b::a9fe:a9fe]", "nat64-own": "[64:ff9b:1::a00:1]",
    "6to4-metadata": "[2002:a9fe:a9fe::1]", "6to4-relay": "192.88.99.1", "teredo": "[2001:0:a00:1::1]", "site-local": "[fec0::1]",
    "scoped": "[fe80::1%25eth0]", "example-v6": "[3fff::1]", "srv6": "[5f00::1]", "multicast-v6": "[ff02::1]", "long-v6": "[0:0:0:0:0:0:0:1]",
}  # fmt: skip
SPELLED = {
    "decimal": "2130706433", "hex": "0x7f000001", "octal": "017700000001", "hex-parts": "0x7f.0x0.0x0.0x1",
    "octal-parts": "0177.0.0.01", "short": "127.1", "shorter": "127.0.1", "zero-short": "0", "metadata-decimal": "2852039166",
    "metadata-hex": "0xa9fea9fe", "metadata-mixed": "0xa9.254.0251.254", "name": "localhost", "name-caps": "LOCALHOST",
}  # fmt: skip
"""Read by the resolver and by no text check: inet_aton's own ways to write an address."""
TRICKS = {
    "userinfo": "https://hooks.example.com@127.0.0.1/", "userinfo-empty": "https://@127.0.0.1/",
    "userinfo-password": "https://hooks.example.com:443@127.0.0.1:443/", "userinfo-coded": "https://hooks.example.com%40127.0.0.1/",
    "backslash": "https://hooks.example.com\\@127.0.0.1/", "hash-at": "https://hooks.example.com#@127.0.0.1/",
    "two-at": "https://a@b@127.0.0.1/", "tab": "https://127.0.0.1\t/", "newline": "https://127.0.0.1\n.example.com/",
    "nul": "https://127.0.0.1\0.example.com/", "space": " https://127.0.0.1/", "dot": "https://127.0.0.1./", "wide-dot": "https://127。0。0。1/",
    "circled": "https://①②⑦.⓪.⓪.①/", "idn": "https://ｌｏｃａｌｈｏｓｔ/", "coded": "https://%31%32%37.0.0.1/", "port-0": "https://1.1.1.1:0/",
    "port-text": "https://1.1.1.1:22x/", "port-below": "https://1.1.1.1:-1/", "port-wide": "https://1.1.1.1:65979/",
    "file": "file:///etc/passwd", "file-host": "file://127.0.0.1/etc/passwd", "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict": "dict://127.0.0.1:11211/stat", "ftp": "ftp://127.0.0.1/", "ldap": "ldap://127.0.0.1/", "jar": "jar:https://1.1.1.1!/",
    "unix": "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "data": "data:text/plain,x", "relative": "//127.0.0.1/", "empty": "", "plain": "http://1.1.1.1/",
}  # fmt: skip
PRODUCTION = Settings(profile="production", webhook_allow_private=True, webhook_timeout_s=2.0)
PUBLIC = "93.184.215.14"


class _Posting(Courier):
    """A courier without a database: what it would record is kept."""

    async def _record(
        self, tx: Any, tenant: str, webhook_id: str, row: dict[str, Any], answer: Any, entry: dict[str, Any]
    ) -> None:
        self.entry = entry


async def posted(url: str) -> str:
    """How a delivery to this URL ended, as a tenant reads it."""

    @asynccontextmanager
    async def tenant(_: str) -> AsyncIterator[None]:
        yield

    courier = _Posting(cast("Any", SimpleNamespace(settings=PRODUCTION, db=SimpleNamespace(tenant=tenant))))
    row = {"type": "t", "event_at": datetime.now(UTC), "data": {}, "event_id": "msg-1"}
    await courier._deliver("acme", "w", url, [b"k" * 32], row, {})  # pyright: ignore[reportPrivateUsage]
    await courier.stop(0)
    return str(courier.entry["error"])


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver answers these in turn; what it was asked for."""
    asked: list[str] = []

    async def found(_self: Any, host: str, port: int, **_more: Any) -> list[Any]:
        asked.append(host)
        here = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in here]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", found)
    return asked


@pytest.mark.parametrize("host", [*INSIDE.values(), *SPELLED.values()], ids=[*INSIDE, *SPELLED])
async def test_a_webhook_to_an_address_inside_is_not_dialled(dialled: Dialled, host: str) -> None:
    for port in ("", ":22", ":8443"):
        assert egress.NOT_PUBLIC in await posted(f"https://{host}{port}/x")
    assert dialled == []


@pytest.mark.parametrize("url", TRICKS.values(), ids=TRICKS)
async def test_a_webhook_that_is_written_cleverly_is_not_dialled(dialled: Dialled, url: str) -> None:
    await posted(url)
    assert dialled == []


@pytest.mark.parametrize("address", [each.strip("[]").partition("%")[0] for each in INSIDE.values()], ids=INSIDE)
async def test_a_webhook_whose_name_leads_inside_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch, dialled: Dialled, address: str
) -> None:
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        names(monkeypatch, answer)
        assert egress.NOT_PUBLIC in await posted("https://hooks.example.com./x")
    assert dialled == []


async def test_a_name_that_changes_is_asked_once_and_what_was_looked_at_is_dialled(
    monkeypatch: pytest.MonkeyPatch, dialled: Dialled
) -> None:
    asked = names(monkeypatch, [PUBLIC], ["127.0.0.1"])
    assert await posted("https://hooks.example.com:8443/x") == "no connection"
    assert (asked, dialled) == (["hooks.example.com"], [(PUBLIC, 8443)])
    assert egress.NOT_PUBLIC in await posted("https://hooks.example.com:8443/x"), "looked at anew for each attempt"
    assert dialled == [(PUBLIC, 8443)]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
async def test_a_webhook_passes_no_proxy(monkeypatch: pytest.MonkeyPatch, dialled: Dialled, name: str) -> None:
    for each in (name, name.lower()):
        monkeypatch.setenv(each, "http://127.0.0.1:3128")
    assert await posted(f"https://{PUBLIC}/x") == "no connection"
    assert dialled == [(PUBLIC, 443)]


# -- the importer's orders --------------------------------------------------------------------------------------------

STORE = "https://store.example"
ELSEWHERE = {
    **{name: f"https://{host}/a" for name, host in {**INSIDE, **SPELLED}.items()}, **TRICKS,
    "store-dot": "https://store.example./a", "store-port": "https://store.example:444/a", "store-http": "http://store.example/a",
    "store-user": "https://u@store.example/a", "store-user-host": "https://store.example@127.0.0.1/a",
    "store-backslash": "https://127.0.0.1\\@store.example/a", "store-hash": "https://127.0.0.1#@store.example/a",
    "store-query": "https://127.0.0.1?@store.example/a", "store-below": "https://store.example.evil.example/a",
    "store-idn": "https://ѕtore.example/a", "store-before": "https://evil-store.example/a",
}  # fmt: skip


@pytest.mark.parametrize("url", ELSEWHERE.values(), ids=ELSEWHERE)
def test_the_importer_dials_the_store_alone(tmp_path: Path, dialled: Dialled, url: str) -> None:
    """Twice: the order is refused by its text, and the client underneath knows no other host."""
    told = given(Settings(workspace=tmp_path, s3_endpoint=STORE, sandbox="none"))
    hosts = Importer("importer", **told)._hosts  # pyright: ignore[reportPrivateUsage]
    try:
        assert _host_of(url) not in hosts
    except ContentError as error:
        assert error.code == "origin-refused"
    order = Order(url, 7, url, url, (url,), 7)
    work = _Work(order, Settings(workspace=tmp_path), hosts, lambda _: None)
    for call in (lambda: work._fetch(tmp_path / "x"), lambda: work._http.put(url, content=b"x")):  # pyright: ignore[reportPrivateUsage]
        with pytest.raises((httpx.HTTPError, httpx.InvalidURL, ContentError, UnicodeError)):
            call()
    assert dialled == []


# -- neighbours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["@127.0.0.1:2/x", "@evil.example/x", ".evil.example/x", "0/x", ":2@evil.example/", "\\@evil.example/"]
)
def test_a_path_does_not_become_a_host(dialled: Dialled, path: str) -> None:
    calls = Calls(Settings(), {"media": "http://media.example"}, Breakers())
    with pytest.raises((NeighbourError, ValueError)):
        calls.json("media", "GET", path)
    calls.close()
    assert dialled == []


@pytest.mark.parametrize("host", [*INSIDE.values(), *SPELLED.values()], ids=[*INSIDE, *SPELLED])
def test_no_host_but_those_named_is_dialled_however_it_is_written(dialled: Dialled, host: str) -> None:
    with httpx.Client(transport=Transport([("media.example", 80), ("127.0.0.1", 8080)]), trust_env=False) as client:
        with pytest.raises((httpx.NetworkError, httpx.InvalidURL)) as caught:
            client.get(f"http://{host}/", headers={"Host": "media.example"})
    if isinstance(caught.value, httpx.NetworkError):
        assert isinstance(caught.value.__cause__, HostNotAllowed)
    assert dialled == []


# -- redirects, by whoever is asked ------------------------------------------------------------------------------------


class _Redirecting(BaseHTTPRequestHandler):
    status, to = 302, ""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(self.status)
        self.send_header("Location", self.to)
        self.send_header("Refresh", f"0; url={self.to}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def redirecting() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    SERVED.add(("127.0.0.1", server.server_port))
    yield f"http://127.0.0.1:{server.server_port}"
    SERVED.clear()
    server.shutdown()
    server.server_close()


def _neighbour(url: str, path: Path) -> None:
    calls = Calls(Settings(), {"media": url}, Breakers())
    for call in (lambda: calls.json("media", "POST", "/x", {}), lambda: calls.download("media", "/x", path / "f", 9)):
        with pytest.raises(NeighbourError) as refused:
            call()
        assert refused.value.code in ("neighbour-redirect", "neighbour-unavailable")
    raise refused.value


def _importers(url: str, path: Path) -> None:
    order = Order(f"{url}/a", 7, f"{url}/b", f"{url}/c", (f"{url}/d",), 7)
    work = _Work(order, Settings(workspace=path), frozenset([_host_of(url)]), lambda _: None)
    with pytest.raises(ContentError):
        work._put(f"{url}/b", b"x")  # pyright: ignore[reportPrivateUsage]
    work._fetch(path / "upload")  # pyright: ignore[reportPrivateUsage]


def _account(path: Path) -> Path:
    (path / "token").write_text("t")
    return path


def _urls(url: str) -> Any:
    return SimpleNamespace(of=lambda _: f"{url}/packages/x", renew=lambda: None)


def _kms(url: str) -> Any:
    place = Place("us-east-1", url)
    settings = Settings(kms_access_key=cast("Any", "k"), kms_secret_key=cast("Any", "s"))
    return Region(settings, place, lambda _: None)._client  # pyright: ignore[reportPrivateUsage]


def _objects(url: str) -> Objects:
    return Objects(Settings(s3_endpoint=url, s3_access_key=cast("Any", "k"), s3_secret_key=cast("Any", "s")))


def _traces(url: str) -> None:
    exporter = _otlp_exporter(f"{url}/v1/traces")
    exporter._client._timeout = 0.5  # pyright: ignore[reportPrivateUsage]  # it tries again for so long
    exporter.export([])


CALLERS: dict[str, Callable[[str, Path], Any]] = {
    "neighbour": _neighbour,
    "importer-replica": _importers,
    "importer-client": lambda url, _: asyncio.run(
        importer_client.send(Settings(importer_url=url), Order("a", 7, "b", "c", ("d",), 7), lambda *_: None)
    ),
    "importer-status": lambda url, _: asyncio.run(importer_client.status(Settings(importer_url=url))),
    "openbao": lambda url, _: OpenBao(Settings(openbao_url=url)).disable("k", "kid"),
    "kms": lambda url, _: _kms(url).describe_key(KeyId="k"),
    "objects": lambda url, _: _objects(url).put("k", b"x"),
    "restore": lambda url, _: source(Settings(s3_access_key=cast("Any", "k"), s3_secret_key=cast("Any", "s")), f"{url}/b").put("k", b"x"),
    "cloudflare": lambda url, _: Cloudflare(url, "token").ask("POST", "/x"),
    "prometheus": lambda url, _: HttpPrometheus(url).query("up", datetime.now(UTC)),
    "kubernetes": lambda url, path: HttpRoute("n", "r", "a", "b", url=url, account=_account(path)).read(),
    "gateway": lambda url, _: LocalGateway(url).read(),
    "shadow": lambda url, _: Shadow(url, url, lambda: "t").versions(),
    "pools": lambda url, _: _replicas(Settings(ray_dashboard_url=url)),
    "api-client": lambda url, _: Connection(url, token="t", patience_s=0).get("/v1/me"),
    "traces": lambda url, _: _traces(url),
    "upload": lambda url, _: store_client().put(f"{url}/piece", content=b"x"),
    "device": lambda url, path: fetch(edge_client(), _urls(url), "packages/x", 3, path / "blob", Silent(), lambda _: None),
}  # fmt: skip
QUIET = ("shadow", "traces", "upload")
"""They tell what came, or that nothing did; everybody else says that it failed."""


def call(name: str, url: str, path: Path) -> None:
    if name in QUIET:
        CALLERS[name](url, path)
    else:
        with pytest.raises(Exception):  # noqa: B017  (what each says is its own test's; here: that nothing was done)
            CALLERS[name](url, path)


@pytest.mark.parametrize("name", CALLERS)
@pytest.mark.parametrize(
    ("status", "to"),
    [(301, "http://169.254.169.254/latest/meta-data/"), (302, "http://127.0.0.1:1/"), (303, "//[fd00:ec2::254]/"), (307, "http://localhost:1/"), (308, "file:///etc/passwd")],
)  # fmt: skip
def test_nobody_follows_a_redirect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dialled: Dialled, redirecting: str, name: str, status: int, to: str
) -> None:
    monkeypatch.setattr(_Redirecting, "status", status)
    monkeypatch.setattr(_Redirecting, "to", to)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    call(name, redirecting, tmp_path)
    assert set(dialled) == {("127.0.0.1", int(redirecting.rpartition(":")[2]))}


@pytest.mark.parametrize("name", CALLERS)
def test_nobody_passes_a_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dialled: Dialled, name: str
) -> None:
    """Who could set one would see every token and key that goes by."""
    for each in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(each, "http://127.0.0.1:3128")
        monkeypatch.setenv(each.lower(), "http://127.0.0.1:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with contextlib.suppress(Exception):  # nobody is there
        CALLERS[name]("http://192.0.2.7:8080", tmp_path)
    assert set(dialled) == {("192.0.2.7", 8080)}


# -- where a restore reads from ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://store.example@evil.example/b", "https://u:p@evil.example/b", "file:///etc/passwd", "gopher://evil.example/b", "s3://a@b",
        "https://evil.example\\@store.example/b", "https://store.example/b?x=1", "https://store.example/b#x", "//store.example/b",
    ],
)  # fmt: skip
def test_a_restore_s_source_is_a_plain_address(dialled: Dialled, address: str) -> None:
    with pytest.raises(ContentError) as refused:
        source(Settings(), address)
    assert (refused.value.code, dialled) == ("restore-address", [])
