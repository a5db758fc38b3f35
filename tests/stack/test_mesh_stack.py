"""A stack under mTLS, without Ray: each door opens for whom it is made for and for nobody else, and certificates change while it runs.

What runs behind the doors as pods would is in test_two_stacks, whose second stack speaks by mTLS.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nats
import psycopg
import pytest
from nats.errors import Error as NatsError

from cluster import importer, mesh
from cluster.local import publishing
from cluster.local.authority import Authority, spiffe
from cluster.local.home import read_json
from cluster.local.identity import mint_token
from cluster.local.mesh import IDENTITIES
from cluster.local.stack import Stack
from cluster.mesh_door import HEADER
from content.errors import ContentError
from tasks.bootstrap import FIRST_TENANT, prepare
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)


class Secured:
    """The stack, and somebody who looks for a way in."""

    def __init__(self, stack: Stack, settings: Any) -> None:
        self.stack, self.settings = stack, settings
        self.authority = Authority(stack.home.keys / "mesh")
        state = read_json(stack.home.state)
        self.ports: dict[str, int] = state["ports"]
        self.secrets: dict[str, str] = read_json(stack.home.keys / "secrets.json")

    def url(self, port: str, scheme: str = "https") -> str:
        return f"{scheme}://127.0.0.1:{self.ports[port]}"

    def asked(self, port: str, path: str, identity: str, of: str, authority: Authority | None = None) -> int:
        """The status that `identity` is answered at a door, of which the name `of` is expected."""
        tls = mesh.of_folder((authority or self.authority).of(identity), spiffe(of))
        return httpx.get(self.url(port) + path, verify=tls, trust_env=False, timeout=60).status_code

    async def nats(self, user: str, password: str, tls: ssl.SSLContext | None) -> None:
        """Let in, or NatsError, or OSError."""
        client = await nats.connect(
            self.settings.nats_url if tls else self.settings.nats_url.replace("tls:", "nats:"),
            user=user, password=password, tls=tls, allow_reconnect=False, connect_timeout=5, max_reconnect_attempts=1, error_cb=_quiet,
        )  # fmt: skip
        try:
            await client.flush(timeout=5)
        finally:
            await client.close()

    def database(self, identity: str, authority: Authority | None = None, **more: str) -> int:
        """One, as the API's login with the right password and somebody's certificate."""
        own = (authority or self.authority).of(identity)
        given = {
            "sslrootcert": str(own / "ca.crt"),
            "sslcert": str(own / "tls.crt"),
            "sslkey": str(own / "tls.key"),
            **more,
        }
        with psycopg.connect(self.settings.postgres_api.get_secret_value(), connect_timeout=5, **given) as db:  # type: ignore[arg-type]
            (found,) = db.execute("select 1").fetchone() or (0,)
            return int(found)


async def _quiet(_: Exception) -> None:
    """What goes wrong is raised as well."""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    stack = Stack(tmp_path_factory.mktemp("mesh") / "home")
    try:
        info = stack.up(kind="light", mtls=True, before_ray=prepare)
        yield Secured(stack, info.settings)
    finally:
        stack.down()


def test_it_serves_by_the_gateway(secured: Secured) -> None:
    token = mint_token(secured.stack.home.path, FIRST_TENANT, ["content:read"], "somebody")
    answer = httpx.get(
        f"{secured.settings.api_url}/v1/packages",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200
    until("all well", lambda: all(part.health == "ok" for part in secured.stack.status()))


def test_the_relay_hears_the_neighbours(secured: Secured) -> None:
    """Published by the neighbours' certificate, taken in by ours, stored over Postgres' door."""
    data = {"tenant_id": FIRST_TENANT, "enrollment_id": "e-1", "learner_id": "l-1", "course_id": "c-1"}
    publishing.publish(secured.stack.home.path, "enrollment.created.v1", "e-1", data)

    def taken() -> bool:
        # On the socket, as the superuser, whom no policy binds.
        where = {"host": str(secured.stack.home.sockets), "port": secured.ports["postgres"], "dbname": "content"}
        with psycopg.connect(**where, user="postgres", password=secured.secrets["postgres"]) as db:
            return db.execute("select 1 from inbox where tenant = %s", [FIRST_TENANT]).fetchone() is not None

    until("the event in the inbox", taken, 60.0)


@pytest.mark.parametrize("port", ["api_mesh", "importer_mesh", "neighbours_mesh"])
def test_a_door_wants_tls_and_a_certificate(secured: Secured, port: str) -> None:
    plain = (
        httpx.get(secured.url(port, "http") + "/livez", trust_env=False, timeout=60)
        if _answers(secured, port)
        else None
    )
    assert plain is None or plain.status_code == 400
    nobody = ssl.create_default_context(cafile=str(secured.authority.trusted))
    with pytest.raises(httpx.HTTPError):
        httpx.get(secured.url(port) + "/livez", verify=nobody, trust_env=False, timeout=60)


def _answers(secured: Secured, port: str) -> bool:
    with socket.create_connection(("127.0.0.1", secured.ports[port]), timeout=5) as asked:
        asked.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        return asked.recv(100).startswith(b"HTTP/")


@pytest.mark.parametrize("shown", [{}, {HEADER: "guessed"}, {HEADER: ""}])
def test_what_is_behind_a_door_answers_nobody_who_came_past_it(secured: Secured, shown: dict[str, str]) -> None:
    for port, path in (
        ("api_inside", "/v1/packages"),
        ("neighbours", "/catalog/v1/x"),
        ("neighbours", "/control/sync"),
    ):
        answer = httpx.get(secured.url(port, "http") + path, headers=shown, trust_env=False, timeout=60)
        assert answer.status_code == 403, (port, path, answer.text)
    assert httpx.get(secured.url("api_inside", "http") + "/livez", trust_env=False, timeout=60).status_code == 200


@pytest.mark.parametrize("port, identity, of, path, status", [
    ("api_mesh", "content-gateway", "content-api", "/version", 200),
    ("api_mesh", "neighbours", "content-api", "/version", 200),
    ("api_mesh", "content-edge", "content-api", "/version", 403),
    ("api_mesh", "content_api", "content-api", "/version", 403),
    ("importer_mesh", "content-service", "content-scorm-importer", "/version", 200),
    ("importer_mesh", "content-gateway", "content-scorm-importer", "/version", 403),
    ("importer_mesh", "neighbours", "content-scorm-importer", "/version", 403),
    ("neighbours_mesh", "content-service", "neighbours", "/livez", 200),
    ("neighbours_mesh", "content-edge", "neighbours", "/livez", 403),
    ("neighbours_mesh", "content-scorm-importer", "neighbours", "/livez", 403),
])  # fmt: skip
def test_a_door_opens_for_its_own(secured: Secured, port: str, identity: str, of: str, path: str, status: int) -> None:
    assert secured.asked(port, path, identity, of) == status


def test_a_server_of_another_name_is_told_nothing(secured: Secured) -> None:
    """As when a port is taken over by somebody who has a certificate of ours, too."""
    with pytest.raises(httpx.ConnectError, match=r"not spiffe://content.local/ns/content/sa/content-api"):
        secured.asked("neighbours_mesh", "/livez", "content-service", "content-api")
    turned = secured.settings.model_copy(update={"importer_url": secured.url("neighbours_mesh")})
    with pytest.raises(ContentError) as raised:
        asyncio.run(importer.status(turned))
    assert raised.value.code == "importer-away"


def test_nats_wants_the_certificate_and_the_password_of_one_user(secured: Secured) -> None:
    user, password = secured.settings.nats_user, secured.settings.nats_password.get_secret_value()
    ours = mesh.context(secured.settings, "nats", user)
    asyncio.run(secured.nats(user, password, ours))
    theirs = mesh.of_folder(secured.authority.of("content-edge"), spiffe("nats"))
    for user_shown, shown, tls in (
        (user, password, theirs),  # a stolen password
        (user, secured.secrets["nats_edge"], ours),  # a certificate without its password
        (spiffe("nats-operator"), secured.secrets["nats_operator"], ours),
    ):
        with pytest.raises(NatsError, match="Authorization"):
            asyncio.run(secured.nats(user_shown, shown, tls))
    with pytest.raises((NatsError, OSError)):
        asyncio.run(secured.nats(user, password, None))


def test_postgres_wants_a_logins_certificate_and_the_password(secured: Secured) -> None:
    assert secured.database("content_api") == 1
    for identity in ("content-edge", "neighbours", "content-service"):
        with pytest.raises(psycopg.OperationalError):
            secured.database(identity)
    with pytest.raises(psycopg.OperationalError):
        secured.database("content_api", sslmode="disable", sslnegotiation="postgres")
    with pytest.raises(psycopg.OperationalError, match="password"):
        secured.database("content_api", password="guessed")
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", secured.ports["postgres"]), timeout=2):
        pass


def test_a_certificate_of_another_authority_is_nobodys(secured: Secured, tmp_path: Path) -> None:
    """The right names, by an authority of one's own; what it says of the servers it believes them."""
    other = Authority(tmp_path)
    other.ensure(IDENTITIES)
    for identity in IDENTITIES:
        shutil.copy(secured.authority.trusted, other.of(identity) / "ca.crt")
    with pytest.raises(httpx.HTTPError):
        secured.asked("api_mesh", "/version", "content-gateway", "content-api", other)
    with pytest.raises(psycopg.OperationalError):
        secured.database("content_api", other)
    user, password = secured.settings.nats_user, secured.settings.nats_password.get_secret_value()
    with pytest.raises((NatsError, OSError)):
        asyncio.run(secured.nats(user, password, mesh.of_folder(other.of("content-service"), spiffe("nats"))))


def test_certificates_and_the_authority_change_while_it_runs(secured: Secured, tmp_path: Path) -> None:
    kept = Authority(tmp_path / "kept")
    shutil.copytree(secured.authority.folder, kept.folder)
    user, password = secured.settings.nats_user, secured.settings.nats_password.get_secret_value()
    ours = mesh.context(secured.settings, "nats", user)
    assert ours is not None

    def works() -> bool:
        """Everything that a new connection leads to, with a context that was made before."""
        asyncio.run(secured.nats(user, password, ours))
        assert secured.database("content_api") == 1
        assert secured.asked("neighbours_mesh", "/livez", "content-service", "neighbours") == 200
        return httpx.get(f"{secured.settings.api_url}/readyz", trust_env=False, timeout=10).status_code == 200

    def old_is(let_in: bool) -> bool:
        """Whether who was not told yet is let in, at a door and at NATS."""
        found = set[bool]()
        with_old = mesh.of_folder(kept.of("content-service"), spiffe("nats"))
        for asked in (
            lambda: secured.asked("neighbours_mesh", "/livez", "content-service", "neighbours", kept) == 200,
            lambda: asyncio.run(secured.nats(user, password, with_old)) is None,
        ):
            try:
                found.add(asked())
            except (httpx.HTTPError, NatsError, OSError):
                found.add(False)
        return found == {let_in}

    def settled(let_in: bool) -> bool:
        try:
            return works() and old_is(let_in)
        except (httpx.HTTPError, NatsError, OSError, psycopg.Error):
            return False

    before = mesh.shown(secured.authority.of("content-service"))
    secured.stack.rotate()
    until("new certificates", lambda: settled(True), 150.0)
    assert mesh.shown(secured.authority.of("content-service")).begins > before.begins
    secured.stack.rotate(authority=True)
    # Who has the old authority alone does not know the new one's servers; the servers know both.
    for identity in ("content-service",):
        shutil.copy(secured.authority.trusted, kept.of(identity) / "ca.crt")
    until("a new authority beside the old", lambda: settled(True), 150.0)
    secured.stack.rotate(authority=True)
    shutil.copy(secured.authority.trusted, kept.of("content-service") / "ca.crt")
    until("the old authority gone", lambda: settled(False), 150.0)
    assert works()
    state = read_json(secured.stack.home.state)
    kept = secured.stack.up(kind="light").kept
    assert set(kept) == set(state["parts"]), "rotated parts are not started anew"
    assert read_json(secured.stack.home.state)["ports"] == secured.ports == state["ports"]
