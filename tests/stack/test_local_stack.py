"""The local stack without Ray: it starts, is found again, stops only its own, and says what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import nats
import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError

from cluster.edge import cdn
from cluster.local import publishing
from cluster.local.configuration import load_settings
from cluster.local.errors import LocalStackError, part_failed
from cluster.local.home import Home, read_json
from cluster.local.identity import mint_token
from cluster.local.keys import Keys
from cluster.local.nats import Nats
from cluster.local.part import Site
from cluster.local.ports import is_free
from cluster.local.stack import BASE, KINDS, SERVERS, Stack, StackInfo
from cluster.neighbours import Listing, NeighbourError, Neighbours
from cluster.settings import Settings
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)
BODY = bytes(range(256)) * 4096  # 1 MiB
KEY = "bundles/acme/bnd_1/3f/0.part"


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    stack = Stack(tmp_path_factory.mktemp("stack") / "home")
    try:
        yield stack.up(ray=False)
    finally:
        stack.down()


@pytest.fixture(scope="module")
def settings(info: StackInfo) -> Settings:
    return info.settings


def s3(settings: Settings, key: str | None = None, secret: str | None = None) -> Any:
    return boto3.client(
        "s3", endpoint_url=settings.s3_endpoint, region_name=settings.s3_region,
        aws_access_key_id=key or settings.s3_access_key.get_secret_value(),
        aws_secret_access_key=secret or settings.s3_secret_key.get_secret_value(),
    )  # fmt: skip


def bao(settings: Settings, method: str, path: str, **body: Any) -> httpx.Response:
    headers = {"X-Vault-Token": settings.openbao_token.get_secret_value()}
    return httpx.request(method, f"{settings.openbao_url}/v1/{path}", json=body or None, headers=headers)


def pids(stack: Stack) -> dict[str, int]:
    return {part.part: part.pid for part in stack.status() if part.pid}


# -- up, again, down ---------------------------------------------------------------------------------------------------


def test_every_part_is_up_and_says_so(info: StackInfo) -> None:
    well = {part.name: "ok" for part in BASE} | {"ray": "stopped", "serve": "stopped"}
    until("all well", lambda: {part.part: part.health for part in Stack(info.home).status()} == well)
    status = Stack(info.home).status()
    assert all(part.pss_bytes > 0 and part.version[0].isdigit() for part in status if part.health == "ok")


def test_a_second_up_keeps_every_process(info: StackInfo) -> None:
    before = pids(Stack(info.home))
    again = Stack(info.home).up(ray=False)
    assert set(again.kept) == {part.name for part in BASE}
    assert pids(Stack(info.home)) == before


def test_what_is_secret_is_readable_by_its_owner_alone(info: StackInfo) -> None:
    home = Home(info.home)
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o700
    for path in (home.settings, home.state, *home.keys.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_it_is_found_again_after_down(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home")
    try:
        settings = stack.up(ray=False).settings
        with psycopg.connect(settings.postgres_owner.get_secret_value()) as db:
            db.execute("create table kept (n int)")
            db.execute("insert into kept values (42)")
        s3(settings).put_object(Bucket="content", Key="assets/kept", Body=b"blob")
        assert bao(settings, "POST", "transit/keys/kept", type="ecdsa-p256").is_success
        event = publishing.enrol(stack.home.path, "acme", enrollment_id="e1", learner_id="l1", course_id="c1")
        ports = read_json(stack.home.state)["ports"]
        before = pids(stack)

        assert set(stack.down()) == {part.name for part in BASE}
        assert not any(psutil.pid_exists(pid) and psutil.Process(pid).is_running() for pid in before.values())
        assert all(part.health == "stopped" for part in stack.status())
        assert stack.down() == []

        assert stack.up(ray=False).settings == settings
        assert read_json(stack.home.state)["ports"] == ports
        with psycopg.connect(settings.postgres_worker.get_secret_value()) as db:
            assert db.execute("select count(*) from pg_tables where tablename = 'kept'").fetchone() == (1,)
        assert s3(settings).get_object(Bucket="content", Key="assets/kept")["Body"].read() == b"blob"
        assert bao(settings, "GET", "transit/keys/kept").is_success
        assert event in asyncio.run(domain_messages(settings))
    finally:
        stack.down()


async def domain_messages(settings: Settings) -> str:
    client = await nats.connect(
        settings.nats_url, user=settings.nats_user, password=settings.nats_password.get_secret_value()
    )
    try:
        consumer = await client.jetstream().pull_subscribe("enrollment.>", "intake-test", stream="DOMAIN")
        return b"".join([message.data for message in await consumer.fetch(1, timeout=60)]).decode()
    finally:
        await client.close()


def test_two_side_by_side_and_down_stops_only_its_own(info: StackInfo, tmp_path: Path) -> None:
    first, second = Stack(info.home), Stack(tmp_path / "home")
    before = pids(first)
    try:
        second.up(ray=False)
        mine, other = (set(read_json(stack.home.state)["ports"].values()) for stack in (first, second))
        assert not mine & other
    finally:
        second.down()
    assert pids(first) == before
    until("all well", lambda: all(p.health == "ok" for p in first.status() if p.part not in ("ray", "serve")))


def test_a_dead_part_is_started_again_and_the_others_are_kept(info: StackInfo) -> None:
    stack = Stack(info.home)
    before = pids(stack)
    psutil.Process(before["nats"]).send_signal(signal.SIGKILL)
    while psutil.Process(before["nats"]).status() != psutil.STATUS_ZOMBIE and psutil.pid_exists(before["nats"]):
        time.sleep(0.01)
    assert {part.part: part.health for part in stack.status()}["nats"] == "ended by itself"
    assert set(stack.up(ray=False).kept) == {part.name for part in BASE} - {"nats"}
    after = pids(stack)
    assert {name for name in after if after[name] != before[name]} == {"nats"}


def test_a_reused_pid_is_not_stopped(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home")
    stack.home.prepare()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        note = {"pid": bystander.pid, "created": psutil.Process(bystander.pid).create_time() - 100, "fingerprint": "x"}
        stack.home.state.write_text(json.dumps({"ports": {}, "parts": {"nats": note}}))
        assert stack.down() == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


# -- what does not come up -----------------------------------------------------------------------------------------------


def test_a_port_that_somebody_took_is_chosen_anew(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home")
    stack.home.prepare()
    site = stack._site({})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.ports["nats"]))
        taken.listen()
        assert not is_free(site.ports["nats"])
        again = stack._site({})
    assert again.ports["nats"] != site.ports["nats"]
    assert {name: port for name, port in again.ports.items() if name != "nats"} == {
        name: port for name, port in site.ports.items() if name != "nats"
    }
    assert str(again.ports["nats"]) in load_settings(stack.home.path).nats_url
    stack.down()
    assert not stack.home.short.exists()


def test_a_port_taken_between_its_choice_and_its_use_is_chosen_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another program does at the worst moment; `up` begins anew by itself, and keeps the parts that came up."""
    monkeypatch.setitem(KINDS, "servers", tuple(part for part in SERVERS if isinstance(part, Nats | Keys)))
    stack, told = Stack(tmp_path / "home"), list[str]()
    with socket.socket() as thief:
        prepare = Nats.before_start

        def steal(self: Nats, site: Site) -> None:
            prepare(self, site)
            if thief.getsockname()[1] == 0:
                thief.bind(("127.0.0.1", site.ports["nats"]))
                thief.listen()

        monkeypatch.setattr(Nats, "before_start", steal)
        try:
            stack.up(told.append, ray=False)
            assert read_json(stack.home.state)["ports"]["nats"] != thief.getsockname()[1]
        finally:
            stack.down()
    assert "note: another program took a port of nats: beginning anew with another one" in told


def test_ray_s_own_words_for_a_taken_port_are_known() -> None:
    words = "ValueError: Failed to bind to 127.0.0.1:29191 because it's already occupied. You can use ..."
    assert part_failed("ray", "its process ended.", words).code == "port-taken"


def test_a_part_that_cannot_start_is_named_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "servers", tuple(part for part in SERVERS if isinstance(part, Nats | Keys)))
    stack = Stack(tmp_path / "home")
    stack.home.prepare()
    (stack.home.path / "nats").write_text("a file where a folder is needed")
    try:
        with pytest.raises(LocalStackError) as caught:
            stack.up(ray=False)
        assert caught.value.part == "nats"
        assert "store" in caught.value.log_end.lower() or "jetstream" in caught.value.log_end.lower()
        assert "nats" in str(caught.value)
    finally:
        stack.down()
    assert all(part.pid is None for part in stack.status())


def test_a_lost_unseal_key_is_told_before_anything_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "servers", tuple(part for part in SERVERS if isinstance(part, Keys)))
    stack = Stack(tmp_path / "home")
    stack.home.prepare()
    (stack.home.path / "openbao").mkdir()
    (stack.home.path / "openbao" / "vault.db").write_text("sealed")
    try:
        with pytest.raises(LocalStackError) as caught:
            stack.up(ray=False)
        assert caught.value.code == "unseal-key-lost"
    finally:
        stack.down()


def test_without_a_sandbox_only_where_it_was_asked_for(tmp_path: Path) -> None:
    """It is said when it starts and whenever it is looked at, and the next start is a protected one again."""
    stack, told = Stack(tmp_path / "home"), list[str]()
    try:
        stack.up(told.append, ray=False, overrides={"sandbox": "none"})
        assert any("WITHOUT a sandbox" in line for line in told), told
        assert stack.sandbox().health == "unsafe: media are decoded without one"
        command = [Path(sys.executable).with_name("content-service"), "status", "--home", str(stack.home.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "unsafe" in done.stdout
        told.clear()
        stack.up(told.append, ray=False, overrides={"sandbox": "auto"})
        assert not any("WITHOUT" in line for line in told), told
        assert stack.sandbox().health == "ok"
    finally:
        stack.down()


def test_without_a_stack(tmp_path: Path) -> None:
    for call in (Stack(tmp_path).status, lambda: load_settings(tmp_path)):
        with pytest.raises(LocalStackError) as caught:
            call()
        assert caught.value.code == "stack-unknown"


# -- the parts keep their promises ---------------------------------------------------------------------------------------


def test_postgres_logins_have_no_power_of_their_own(settings: Settings) -> None:
    with psycopg.connect(settings.postgres_owner.get_secret_value()) as db:
        rows = db.execute(
            "select rolname from pg_roles where rolname like 'content_%' and"
            " (rolsuper or rolcreatedb or rolcreaterole or rolbypassrls or rolreplication)"
        ).fetchall()
        assert rows == []
        assert db.execute("select pg_get_userbyid(datdba) from pg_database where datname = 'content'").fetchone() == (
            "content_owner",
        )
    with (
        psycopg.connect(settings.postgres_api.get_secret_value()) as db,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        db.execute("create table public.mine (n int)")
    wrong = settings.postgres_api.get_secret_value().replace("content_api:", "content_api:x")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong, connect_timeout=5)


def test_nats_users_publish_only_what_is_theirs(info: StackInfo, settings: Settings) -> None:
    neighbours = read_json(Home(info.home).keys / "neighbours.json")

    async def allowed(user: str, password: str, subject: str) -> bool:
        refused = asyncio.Event()

        async def note(error: Exception) -> None:
            if "permissions violation" in str(error).lower():
                refused.set()

        client = await nats.connect(settings.nats_url, user=user, password=password, error_cb=note)
        try:
            # The stream takes it, or the server says no: whichever comes.
            taken = asyncio.ensure_future(client.jetstream().publish(subject, b"{}", timeout=30))
            told = asyncio.ensure_future(refused.wait())
            await asyncio.wait({taken, told}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
            assert refused.is_set() or taken.done(), f"{user} hears nothing about {subject}"
            if not refused.is_set():
                taken.result()
            for each in (taken, told):
                each.cancel()
            return not refused.is_set()
        finally:
            await client.close()

    async def all_of_them() -> list[bool]:
        theirs = neighbours["nats_user"], neighbours["nats_password"]
        ours = settings.nats_user, settings.nats_password.get_secret_value()
        return [
            await allowed(*ours, "content.export.finished.v1"),
            await allowed(*ours, "dead.authoring"),
            await allowed(*ours, "enrollment.created.v1"),
            await allowed(*theirs, "enrollment.created.v1"),
            await allowed(*theirs, "content.export.finished.v1"),
        ]

    assert asyncio.run(all_of_them()) == [True, True, False, True, False]


def test_the_services_key_token_signs_but_cannot_export_or_delete(settings: Settings) -> None:
    assert bao(settings, "POST", "transit/keys/t1", type="ecdsa-p256").is_success
    signed = bao(settings, "POST", "transit/sign/t1", input="aGk=", marshaling_algorithm="jws")
    assert signed.json()["data"]["signature"].startswith("vault:v1:")
    assert bao(settings, "POST", "transit/keys/t1/rotate").is_success
    assert bao(settings, "POST", "transit/keys/t1/config", deletion_allowed=True).status_code == 403
    assert bao(settings, "DELETE", "transit/keys/t1").status_code == 403
    assert bao(settings, "GET", "transit/export/signing-key/t1").status_code == 403
    assert bao(settings, "GET", "sys/mounts").status_code == 403


def test_the_bucket_keeps_versions_and_the_edge_may_only_read(info: StackInfo, settings: Settings) -> None:
    assert s3(settings).get_bucket_versioning(Bucket="content")["Status"] == "Enabled"
    s3(settings).put_object(Bucket="content", Key="assets/x", Body=b"x")
    own = read_json(Home(info.home).keys / "secrets.json")
    edge = s3(settings, own["s3_edge_access"], own["s3_edge_secret"])
    assert edge.get_object(Bucket="content", Key="assets/x")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        edge.put_object(Bucket="content", Key="assets/x", Body=b"y")
    with pytest.raises(ClientError, match="AccessDenied"):
        edge.delete_object(Bucket="content", Key="assets/x")


def test_a_minted_token_is_what_the_api_expects(info: StackInfo, settings: Settings) -> None:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    assert settings.jwt_jwks_file is not None
    keys = KeySet.import_key_set(json.loads(settings.jwt_jwks_file.read_text()))
    token = jwt.decode(mint_token(info.home, "acme", ["content:read", "x"], "u1", 60), keys, algorithms=["ES256"])
    claims = token.claims
    assert (claims["iss"], claims["aud"]) == (settings.jwt_issuer, settings.jwt_audience)
    assert (claims["tenant"], claims["scope"], claims["sub"]) == ("acme", "content:read x", "u1")
    assert claims["exp"] - claims["iat"] == 60


# -- the edge ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part_url(settings: Settings) -> str:
    s3(settings).put_object(Bucket="content", Key=KEY, Body=BODY)
    return f"{settings.edge_url}/{KEY}"


def sign(settings: Settings, url: str, seconds: float = 60, resource: str | None = None) -> str:
    key = cdn.load_private_key(settings.edge_private_key.get_secret_value())
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return cdn.sign(url, key, settings.edge_key_id, expires_at=expires_at, resource=resource)


def edge_log(info: StackInfo, path: str) -> list[dict[str, Any]]:
    lines = (info.home / "logs" / "edge-access.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["path"] == path]


def test_the_edge_serves_signed_urls_whole_and_in_ranges(settings: Settings, part_url: str) -> None:
    url = sign(settings, part_url)
    whole = httpx.get(url)
    assert (whole.status_code, whole.content) == (200, BODY)
    assert whole.headers["accept-ranges"] == "bytes"
    part = httpx.get(url, headers={"range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, BODY[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(BODY)}"
    assert httpx.get(url, headers={"range": "bytes=-10"}).content == BODY[-10:]
    assert httpx.get(url, headers={"range": f"bytes={len(BODY)}-"}).status_code == 416
    same = {"range": "bytes=0-9", "if-range": whole.headers["etag"]}
    assert httpx.get(url, headers=same).status_code == 206
    assert httpx.get(url, headers={**same, "if-range": '"other"'}).status_code == 200
    head = httpx.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(BODY)), b"")


def test_the_edge_refuses_by_name(settings: Settings, part_url: str) -> None:
    good = sign(settings, part_url)
    query = good.partition("?")[2]
    elsewhere = part_url.replace("bnd_1", "bnd_2")
    wide = sign(settings, part_url, resource=f"{settings.edge_url}/bundles/acme/bnd_1/*")
    for url, status, code in (
        (part_url, 403, "url-unsigned"),
        (sign(settings, part_url, seconds=-1), 403, "url-expired"),
        (good.replace("Signature=M", "Signature=N"), 403, "url-signature"),
        (f"{elsewhere}?{query}", 403, "url-resource"),
        (f"{settings.edge_url}/bundles/acme/bnd_1/%2e%2e/x?{wide.partition('?')[2]}", 403, "url-resource"),
        (sign(settings, elsewhere), 404, "not-found"),
        (sign(settings, f"{settings.edge_url}/events/x"), 404, "not-found"),
    ):
        answer = httpx.get(url)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
    assert httpx.get(wide).status_code == 200
    assert httpx.post(good).status_code == 405


def test_a_cut_download_resumes_and_no_byte_is_sent_twice(info: StackInfo, settings: Settings) -> None:
    key = "bundles/acme/bnd_cut/3f/0.part"
    s3(settings).put_object(Bucket="content", Key=key, Body=BODY)
    url = sign(settings, f"{settings.edge_url}/{key}")
    (info.home / "edge-cut").write_text("300000")
    got = bytearray()
    with pytest.raises(httpx.RemoteProtocolError), httpx.stream("GET", url) as response:
        for chunk in response.iter_raw():
            got += chunk
    assert len(got) == 300_000
    got += httpx.get(url, headers={"range": f"bytes={len(got)}-"}).content
    assert got == BODY
    # A line is written when all was sent, which the reader may see first.
    until("both lines", lambda: len(edge_log(info, f"/{key}")) >= 2)
    lines = edge_log(info, f"/{key}")
    assert [line["bytes"] for line in lines] == [300_000, len(BODY) - 300_000]
    assert [line["status"] for line in lines] == [200, 206]


# -- the neighbours ------------------------------------------------------------------------------------------------------


def test_the_stubs_keep_the_contracts(info: StackInfo, settings: Settings, tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(BODY)
    publishing.publish_draft(
        info.home, "acme", {"title": {"en": "T"}}, {"photo-1": (photo, "image/png")},
        course_id="c1", draft_id="d1", revision=2, listing=Listing(course_id="c1", title={"en": "T"}, policy="shared"),
    )  # fmt: skip
    with Neighbours(settings) as neighbours:
        assert neighbours.draft("acme", "d1", 2) == {"title": {"en": "T"}}
        assert neighbours.listing("acme", "c1")["policy"] == "shared"
        facts = neighbours.original("acme", "photo-1")
        assert neighbours.download_original("acme", "photo-1", tmp_path / "copy") == facts
        assert (facts.size, facts.media_type) == (len(BODY), "image/png")
        question = {"course_id": "c1", "blocks": [{"id": "b1", "purpose": {"en": "Help"}, "grounding": ["t1"]}]}
        assert neighbours.assistant("acme", question) == neighbours.assistant("acme", question)
        with pytest.raises(NeighbourError) as caught:
            neighbours.draft("other", "d1", 2)
        assert caught.value.code == "neighbour-not-found"
        publishing.control(info.home, "ai-gateway", "down")
        with pytest.raises(NeighbourError) as caught:
            neighbours.assistant("acme", question)
        assert caught.value.retryable
        publishing.control(info.home, "ai-gateway", "ok")
        assert neighbours.assistant("acme", question)["model"]
    ranged = httpx.get(f"{settings.media_url}/v1/tenants/acme/originals/photo-1", headers={"range": "bytes=10-19"})
    assert (ranged.status_code, ranged.content) == (206, BODY[10:20])


def test_sync_hears_each_event_once(settings: Settings) -> None:
    def event(name: str, device: str) -> bytes:
        kind = "content.play_package.bundle.published.v1"
        return json.dumps({"specversion": "1.0", "id": name, "type": kind, "data": {"device_id": device}}).encode()

    async def send() -> None:
        client = await nats.connect(
            settings.nats_url, user=settings.nats_user, password=settings.nats_password.get_secret_value()
        )
        for name, device in (("ev-1", "dev-1"), ("ev-1", "dev-1"), ("ev-2", "dev-2"), ("ev-3", "dev-1")):
            await client.jetstream().publish("content.play_package.bundle.published.v1", event(name, device))
        await client.close()

    asyncio.run(send())
    with Neighbours(settings) as neighbours:
        until("all heard", lambda: sum(entry.deliveries for entry in neighbours.heard(device_id="dev-1")) >= 3)
        heard = neighbours.heard(device_id="dev-1")
        assert [(entry.event["id"], entry.deliveries) for entry in heard] == [("ev-1", 2), ("ev-3", 1)]
        assert [entry.event["id"] for entry in neighbours.heard(device_id="dev-2")] == ["ev-2"]
        assert neighbours.heard(subject="content.export.finished.v2") == ()
