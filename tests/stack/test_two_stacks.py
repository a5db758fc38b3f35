"""Two stacks side by side, one of them under mTLS: the same draft gives the same manifest, byte for byte, and `down` of one
leaves the other be.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cluster import importer
from cluster.local import publishing
from cluster.local.home import read_json
from cluster.local.identity import mint_token
from cluster.local.processes import members
from cluster.local.stack import Running as Note
from cluster.local.stack import Stack
from cluster.settings import Settings
from serve_app.client import Client
from tasks.bootstrap import FIRST_TENANT, prepare
from tests.support.courses import Course
from tests.support.running import Running
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def build(home: Path, api_url: str, course: Course) -> bytes:
    """Publish for the tenant that both stacks have, and return the manifest's bytes."""
    publishing.publish_draft(
        home, FIRST_TENANT, course.draft(), course.originals, course_id=course.course_id,
        draft_id=course.draft_id, revision=course.revision, published_at=WHEN,
    )  # fmt: skip
    with Client(api_url, token=mint_token(home, FIRST_TENANT, ["operator"], "operator")) as api:

        def published() -> bytes | None:
            packages = list(api.items("/v1/packages", course_id=course.course_id))
            if not packages or packages[0]["version"] is None:
                return None
            return api.manifest(packages[0]["package_id"], 1)

        return until("a manifest", published, 120.0, lambda: api.get("/v1/jobs"))


def processes(home: Path) -> set[int]:
    """Every process of a stack."""
    notes = read_json(home / "stack.json")["parts"].values()
    return {process.pid for note in notes for process in members(Note(**note).started)}


def imports_by_the_mesh_alone(stack: Stack, settings: Settings) -> None:
    """The importer as Serve runs it: by its door it answers whoever builds, past it nobody, with the right token either."""
    assert asyncio.run(importer.status(settings))["works"]
    past = settings.api_listen_url + urlsplit(settings.importer_url).path + importer.STATUS
    shown = {"Authorization": f"Bearer {settings.importer_token.get_secret_value()}"}
    answer = httpx.get(past, headers=shown, trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, "mesh-required")
    until("all well", lambda: all(part.health == "ok" for part in (*stack.status(), stack.importer())))


def test_the_same_draft_gives_the_same_manifest_and_down_ends_only_its_own(
    running: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    course = Course(running.media).text().picture("square", seed=7).film("film", captions=True).sound("note").quiz()
    first = build(running.home.path, running.settings.api_url, course)
    running.workers_ready()
    other = Stack(tmp_path_factory.mktemp("second") / "home")
    try:
        info = other.up(before_ray=prepare, mtls=True)
        second = build(info.home, info.settings.api_url, course)
        imports_by_the_mesh_alone(other, info.settings)
        before = processes(running.home.path)
    finally:
        other.down()
    assert first == second
    parts = {note["pid"] for note in read_json(running.home.path / "stack.json")["parts"].values()}
    assert parts <= before & processes(running.home.path), "`down` of one stack ended a part of the other"
    assert not processes(info.home)
    # The first goes on with its work.
    tenant = Tenant(running)
    again = tenant.course().picture("square", seed=8)
    device = tenant.device("learner")
    tenant.enrol(again, "learner")
    tenant.publish(again)
    tenant.ready(again, 1)
    (offer,) = device.offers()
    device.read(device.open(offer))
