"""Regions side by side: a tenant is answered at home and nowhere else, what it took back is refused everywhere within two
seconds, a cut link loses and doubles nothing, and its data and keys are in its region alone."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import boto3
import httpx
import pytest
from typer.testing import CliRunner

from cluster import places
from cluster.connections import Connections
from cluster.edge.cdn import UrlSigner
from cluster.local import publishing
from cluster.local.identity import mint_token
from cluster.regions import GLOBAL, origin_of
from content.devices.proof import make_proof
from content.events import EVENT_TYPES
from serve_app.cli import app
from serve_app.client import ApiError, Client
from tasks import tampering
from tests.support import messages
from tests.support.connected import with_connections
from tests.support.courses import Course
from tests.support.light import Light
from tests.support.populated import ENROLMENT, LEARNER, Populated
from tests.support.regions import Two, asked_revoked, events_of, messages_in, took_until, two_regions
from tests.support.tenants import Tenant
from tests.support.waiting import promised, until

pytestmark = pytest.mark.timeout(300)
PROMISED_S = 2.0
OPAQUE = re.compile(r"[A-Za-z0-9_-]{20,64}(/[A-Za-z0-9_.-]+)*|[a-z]{3}_[a-z0-9]{26}(/.*)?")
"""Ids that are derived or drawn: nothing of them was typed by anybody."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with two_regions(tmp_path_factory.mktemp("regions") / "home", tmp_path_factory.mktemp("regions-media")) as found:
        yield found


@pytest.fixture(autouse=True)
def whole(two: Two) -> Iterator[None]:
    """No test leaves the wire cut."""
    yield
    two.wire.mend()


def device_of(tenant: Tenant) -> str:
    """The id of a new device, which nobody has taken back yet."""
    return tenant.device(f"learner-{secrets.token_hex(4)}").id


def heard_of(two: Two, tenant: Tenant) -> None:
    """Wait until the other region knows where the tenant lives."""
    other = two.other(tenant.running)  # type: ignore[arg-type]
    until("the other region heard of it", lambda: asked_revoked(other, tenant.name, "kid", "k") is False, 20)


def test_a_request_in_another_region_is_answered_with_the_way_home(two: Two) -> None:
    tenant = Populated(two.us)
    heard_of(two, tenant)
    token = mint_token(two.us.home.path, tenant.name, ["operator"], "operator")
    path = f"/v1/packages/{tenant.package_id}/versions/1/manifest"
    with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as http:
        asking = {"Authorization": f"Bearer {token}"}
        refused = http.get(two.eu.settings.api_url + path, headers=asking)
        assert (refused.status_code, refused.json()["code"]) == (421, "wrong-region")
        assert refused.json()["home_region"] == {"region": "us", "url": two.us.settings.api_url}
        assert refused.history == [], "nothing follows: credentials stay where they were sent"
        home = re.fullmatch(r'<([^>]+)>; rel="alternate"', refused.headers["link"])
        assert home is not None
        assert home[1] == two.us.settings.api_url + path
        assert tenant.package_id in http.get(home[1], headers=asking).raise_for_status().text

        for public in ("trust-lists", "jwks"):
            answer = http.get(f"{two.eu.settings.api_url}/v1/tenants/{tenant.name}/{public}")
            assert (answer.status_code, answer.json()["home_region"]["region"]) == (421, "us"), public
            nobody = http.get(f"{two.eu.settings.api_url}/v1/tenants/t-{secrets.token_hex(5)}/{public}")
            assert nobody.status_code == 404, public

        url = f"{two.eu.settings.api_url}/v1/bundles"
        proof = make_proof(tenant.enrolled.identity, method="GET", url=url, now=datetime.now(UTC), rng=os.urandom)
        answer = http.get(url, headers={"DPoP": proof, "Content-Tenant": tenant.name})
        assert (answer.status_code, answer.json()["home_region"]["region"]) == (421, "us")


def test_a_tenant_is_made_at_home_and_its_name_in_no_other_region(two: Two) -> None:
    name = f"t-{secrets.token_hex(5)}"
    operator = {
        region.home.path.name: mint_token(region.home.path, name, ["operator"], "op") for region in (two.us, two.eu)
    }
    with (
        Client(two.eu.settings.api_url, token=operator["eu"]) as eu,
        Client(two.us.settings.api_url, token=operator["us"]) as us,
    ):
        with pytest.raises(ApiError) as refused:
            eu.create_tenant(name, region="us")
        assert refused.value.code == "wrong-region"
        us.create_tenant(name, region="us")
        until("eu heard of it", lambda: asked_revoked(two.eu, name, "kid", "k") is False, 20)
        with pytest.raises(ApiError) as refused:
            eu.create_tenant(name, region="eu")
        assert refused.value.code == "wrong-region"
    assert two.eu.rows("select 1 from tenants where tenant = %s", name) == []
    assert [event["type"] for event in events_of(two.eu, name)] == ["content.tenant.homed.v1"]


@pytest.mark.parametrize("name", ["us", "eu"])
def test_what_is_taken_back_in_one_region_is_refused_in_the_other_within_two_seconds(two: Two, name: str) -> None:
    region: Light = getattr(two, name)
    tenant, other = Populated(region), two.other(region)
    heard_of(two, tenant)
    devices = [device_of(tenant) for _ in range(5)]
    took = []
    for device in devices:
        assert asked_revoked(other, tenant.name, "device", device) is False
        tenant.api.revoke("device", device, "stolen on the bus")
        took.append(took_until(lambda device=device: asked_revoked(other, tenant.name, "device", device)))
    assert median(took) <= PROMISED_S, took
    assert asked_revoked(region, tenant.name, "device", devices[0]) is True, "the home region answers alike"

    # A version, which the other region's edge refuses, too; behind the same word stand its API replicas' caches.
    digest = _digest(tenant)
    settings = other.settings
    pem = settings.edge_private_key.get_secret_value()
    signer = UrlSigner.of(settings.edge_url, settings.edge_key_id, pem, settings.edge_ttl_s)
    address = signer.url("/" + places.manifest(tenant.name, tenant.package_id, 1, digest), datetime.now(UTC))
    assert httpx.get(address, trust_env=False, timeout=30).status_code in (403, 404), "it never was here"
    tenant.api.revoke("version", tenant.package_id, "a wrong dosage", version=1)
    promised("gone", lambda: httpx.get(address, trust_env=False, timeout=30).status_code == 410, PROMISED_S)
    assert asked_revoked(other, tenant.name, "version", f"{tenant.package_id}/1") is True


def _digest(tenant: Populated) -> str:
    row = tenant.api.get(f"/v1/packages/{tenant.package_id}/versions/1")
    return str(row["manifest_digest"])


def report(tenant: Populated) -> str:
    """As the scrub job reports what it found changed."""
    name = f"tmp_{secrets.token_hex(13)}"

    async def note(connections: Connections) -> None:
        async with connections.db.tenant(tenant.name) as tx:
            await tampering.found_by_scrub(
                tx, tenant.name, name, code="segment-digest", path=f"{tenant.bundle_id}/a/0.part", details={},
                healed=True, observed_at=datetime.now(UTC),
            )  # fmt: skip

    with_connections(tenant.running, note)
    return name


def test_what_was_found_changed_is_known_in_the_other_region_within_two_seconds(two: Two) -> None:
    tenant = Populated(two.us)
    heard_of(two, tenant)
    known = "select 1 from foreign_reports where report_id = %s"
    took = []
    for _ in range(3):
        name = report(tenant)
        took.append(took_until(lambda name=name: two.eu.rows(known, name)))
    assert median(took) <= PROMISED_S, took
    (row,) = two.eu.rows("select tenant, source, code from foreign_reports where report_id = %s", name)
    assert row == {"tenant": tenant.name, "source": "scrub", "code": "segment-digest"}


def test_a_cut_link_delays_and_neither_loses_nor_doubles(two: Two) -> None:
    tenants = [Populated(two.us), Populated(two.eu)]
    for tenant in tenants:
        heard_of(two, tenant)
    devices = {tenant.name: [device_of(tenant) for _ in range(6)] for tenant in tenants}

    def revoke(tenant: Tenant, chosen: list[str]) -> None:
        for device in chosen:
            tenant.api.revoke("device", device, "lost")
            assert asked_revoked(tenant.running, tenant.name, "device", device) is True, "at home at once"  # type: ignore[arg-type]

    for tenant in tenants:
        revoke(tenant, devices[tenant.name][:2])
    two.wire.cut()
    for tenant in tenants:
        revoke(tenant, devices[tenant.name][2:4])
        known = asked_revoked(two.other(tenant.running), tenant.name, "device", devices[tenant.name][3])  # type: ignore[arg-type]
        assert known is False, "it cannot have come: the link is cut"
    two.wire.mend()
    for tenant in tenants:
        revoke(tenant, devices[tenant.name][4:])
    for tenant in tenants:
        other = two.other(tenant.running)  # type: ignore[arg-type]
        for device in devices[tenant.name]:
            until("it came", lambda d=device, t=tenant, o=other: asked_revoked(o, t.name, "device", d), 30)
        rows = other.rows("select subject from foreign_revocations where tenant = %s and kind = 'device'", tenant.name)
        assert sorted(row["subject"] for row in rows) == sorted(devices[tenant.name])
        here, there = events_of(tenant.running, tenant.name), events_of(other, tenant.name)  # type: ignore[arg-type]
        assert here == there, "the same events, in their order, each once"
        assert max(Counter(event["id"] for event in there).values()) == 1
        assert [int(event["sequence"]) for event in there] == list(range(1, len(there) + 1))


def test_a_relay_that_was_away_takes_what_came_meanwhile(two: Two) -> None:
    tenant = Populated(two.us)
    heard_of(two, tenant)
    device = device_of(tenant)
    two.eu.stop_part("relay")
    try:
        tenant.api.revoke("device", device, "lost")
        until("it is in the stream", lambda: device in json.dumps(events_of(two.eu, tenant.name)), 20)
        assert asked_revoked(two.eu, tenant.name, "device", device) is False
    finally:
        two.eu.stack.up(kind="light")
    until("it was taken", lambda: asked_revoked(two.eu, tenant.name, "device", device), 30)


def searched(region: Light, marks: list[str]) -> dict[str, set[str]]:
    """Where in a region each mark is found: every column of every table, every object with its key, every message, the names of
    all keys, and every file below the region's folder as bytes."""
    found: dict[str, set[str]] = {mark: set() for mark in marks}

    def look(place: str, text: str) -> None:
        for mark in marks:
            if mark in text:
                found[mark].add(place)

    for table in region.rows(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname !~ '^pg_'"
    ):
        for row in region.rows(f"select t::text as row from {table['name']} t"):
            look(f"table {table['name'].partition('.')[2]}", row["row"])
    secrets_of: dict[str, str] = json.loads((region.home.keys / "secrets.json").read_text())
    s3: Any = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{region.port('s3')}", region_name="us-east-1",
        aws_access_key_id=secrets_of["s3_access"], aws_secret_access_key=secrets_of["s3_secret"],
    )  # fmt: skip
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="content"):
        for entry in page.get("Versions", []):
            body = s3.get_object(Bucket="content", Key=entry["Key"], VersionId=entry["VersionId"])["Body"].read()
            look("objects", entry["Key"] + body.decode("latin-1"))
    for stream, head, body in messages_in(region):
        look(f"stream {stream}", head + body.decode("latin-1"))
    token = {"X-Vault-Token": secrets_of["openbao_token"]}
    keys = httpx.request("LIST", f"{region.settings.openbao_url}/v1/transit/keys", headers=token, trust_env=False)
    look("keys", " ".join(keys.json()["data"]["keys"]) if keys.status_code == 200 else "")
    for path in region.home.path.rglob("*"):
        with suppress(FileNotFoundError):  # the servers go on, and make and remove files
            if path.is_file() and not path.is_symlink():
                look("files", path.read_bytes().decode("latin-1"))
    return found


def test_a_tenants_data_and_keys_are_in_its_region_alone(two: Two) -> None:
    tenant = Populated(two.us)
    heard_of(two, tenant)
    mark = secrets.token_hex(6)
    course = Course(two.us.media).text(f"text {mark}")
    learner, enrolment = f"learner-{mark}", f"enrolment-{mark}"
    device = tenant.device(learner)
    tenant.publish(course)
    tenant.enrol(course, learner, enrolment)
    until("the enrolment is in", lambda: two.us.rows("select 1 from enrolments where enrollment_id = %s", enrolment))
    tenant.api.revoke("bundle", tenant.bundle_id, f"because of {mark}")
    tenant.api.revoke("device", device.id, f"because of {mark}")
    report(tenant)
    until("eu heard", lambda: asked_revoked(two.eu, tenant.name, "device", device.id), 20)
    (key,) = two.us.rows(
        "select key_name, kid from signing_keys where tenant = %s and purpose = 'signing'", tenant.name
    )

    private = [
        learner,
        enrolment,
        f"because of {mark}",
        f"text {mark}",
        course.course_id,
        course.draft_id,
        tenant.course_id,
    ]
    private += [key["key_name"], key["kid"]]
    here, there = searched(two.us, [*private, tenant.name]), searched(two.eu, [*private, tenant.name])
    assert {mark: where for mark, where in there.items() if where and mark != tenant.name} == {}
    # The tenant's name and ids that nobody can read anything from: in the one stream that goes everywhere, in what is taken
    # from it, and as bytes of the files of these two, or of a log's line.
    assert there[tenant.name] <= {
        f"stream {GLOBAL}", "table foreign_tenants", "table foreign_revocations", "table foreign_reports", "files",
    }  # fmt: skip
    # The search finds what is there: each mark, and a key, at home.
    assert [mark for mark in private if not here[mark]] == []
    assert {"keys", "objects", "table tenants", f"stream {GLOBAL}", "files"} <= here[tenant.name]
    assert here[key["key_name"]] >= {"keys", "table signing_keys"}


def test_what_goes_to_all_regions_names_nobody(two: Two) -> None:
    """Every event that is in the stream by now, of all tests before: known members alone, and ids that say nothing."""
    allowed = {
        "content.revocation.issued.v1": {"version", "issued_at", "bundles", "devices", "packages", "versions", "kids", "complete"},
        "content.tamper.detected.v1": {"report_id", "source", "code", "observed_at", "device_id", "bundle_id", "path", "healed"},
        "content.tenant.homed.v1": {"home_region"},
    }  # fmt: skip
    tenant = Populated(two.us)
    heard_of(two, tenant)
    tenant.api.revoke("bundle", tenant.bundle_id, "handed on by Ada")
    report(tenant)
    until("both came", lambda: len(events_of(two.eu, tenant.name)) >= 3, 20)
    seen = Counter[str]()
    for _, head, body in messages_in(two.eu, GLOBAL):
        event = json.loads(body)
        data = dict(event["data"])
        region = origin_of(head.split(" ")[0]) or "eu"
        assert event["source"] == f"/content-service/{region}"
        assert data.pop("tenant_id") == event["subject"]
        assert set(data) <= allowed[event["type"]], event
        ids = [*data.get("bundles", []), *data.get("devices", []), *data.get("packages", []), *data.get("versions", [])]
        ids += [
            *data.get("kids", []),
            *(data[name] for name in ("report_id", "device_id", "bundle_id", "path") if name in data),
        ]
        assert [each for each in ids if not OPAQUE.fullmatch(each)] == []
        assert not [word for word in (LEARNER, ENROLMENT, "by Ada", "Populated") if word in body.decode()]
        seen[event["type"]] += 1
    assert set(seen) == set(allowed), "of each type there was one to look at"
    assert {name for name in EVENT_TYPES if name.split(".")[1] in ("revocation", "tamper", "tenant")} == set(allowed)


def test_an_event_for_another_regions_tenant_is_refused_and_not_kept(two: Two) -> None:
    tenant = Populated(two.us)
    heard_of(two, tenant)
    before = max((letter.sequence for letter in messages.dead_letters(two.eu)), default=0)
    learner = f"learner-{secrets.token_hex(6)}"
    publishing.enrol(
        two.eu.home.path, tenant.name, enrollment_id="enr-astray", learner_id=learner, course_id=tenant.course_id
    )
    (letter,) = until("a dead letter", lambda: messages.dead_letters(two.eu, before), 20)
    assert (letter.reason, letter.body, letter.subject) == ("wrong-region", b"", "enrollment.created.v1")
    assert letter.size_bytes > 0
    for table in ("enrolments", "inbox", "bundles"):
        assert two.eu.rows(f"select 1 from {table} where tenant = %s", tenant.name) == []
    assert learner not in str(messages_in(two.eu, "CONTENT_DEAD"))


def test_the_commands_know_regions(two: Two) -> None:
    runner, home = CliRunner(), str(two.regions.path)
    until("all well", lambda: runner.invoke(app, ["status", "--home", home]).exit_code == 0)
    shown = runner.invoke(app, ["status", "--home", home, "--json"])
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert {region: {part["health"] for part in found["parts"]} for region, found in told["regions"].items()} == {
        "us": {"ok"}, "eu": {"ok"},
    }  # fmt: skip
    assert told["regions"]["us"]["kind"] == "light"
    assert told["total_bytes"] == sum(found["total_bytes"] for found in told["regions"].values()) > 100 << 20
    table = runner.invoke(app, ["status", "--home", home]).output
    assert re.search(r"^us .*light", table, re.MULTILINE)
    assert "total of all regions" in table
    logs = runner.invoke(app, ["logs", "nats", "--home", home, "--region", "eu", "-n", "500"])
    assert logs.exit_code == 0, logs.output
    assert "Server is ready" in logs.output
    which = runner.invoke(app, ["logs", "nats", "--home", home])
    assert which.exit_code != 0
    rows = json.loads(runner.invoke(app, ["pools", "--home", home, "--json"]).stdout)
    assert rows == [], "no region here has Ray"


@pytest.mark.parametrize("names", ["us,atlantis", "us", "us,us"])
def test_what_is_no_list_of_regions_starts_nothing(names: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["up", "--home", str(tmp_path), "--regions", names])
    assert shown.exit_code != 0
    assert list(tmp_path.iterdir()) == []
