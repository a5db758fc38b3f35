"""Previews on the running stack: a draft that nobody has published, opened by its link for a while, and nothing else of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cluster.connections import Connections
from cluster.local import publishing
from content.errors import ContentError
from serve_app.client import PreviewShown
from tasks.keeping import gc
from tests.support.connected import with_connections
from tests.support.courses import Course
from tests.support.killing import BUILDER, killed_at
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.sites import Visitor
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

PAUSE = "update queues set paused_at = now(), paused_by = 'test' where name = 'preview' returning name"
RESUME = "update queues set paused_at = null, paused_by = null where name = 'preview' returning name"


def save(tenant: Tenant, course: Course, draft: dict[str, Any] | None = None) -> None:
    """What an author does: authoring-service and media-service have it, and nobody else was told."""
    publishing.put_media(tenant.home, tenant.name, course.originals)
    publishing.put_draft(
        tenant.home, tenant.name, draft or course.draft(), draft_id=course.draft_id, revision=course.revision
    )


def previewed(tenant: Tenant, course: Course) -> PreviewShown:
    """Saved, asked for, waited for."""
    save(tenant, course)
    asked = tenant.api.ask_preview(course.draft_id, course.revision)
    tenant.api.wait(asked["job_id"], deadline_s=90)
    return tenant.api.preview(asked["preview_id"])


def opened(tenant: Tenant, shown: PreviewShown) -> Visitor:
    assert shown["url"] is not None, shown
    return Visitor(tenant, shown["url"])


def played(visitor: Visitor) -> dict[str, Any]:
    """The course that the page plays."""
    script = visitor.page("course.js")
    assert script.status_code == 200, script.text
    return json.loads(script.text.removeprefix("globalThis.course = ").rstrip(";\n"))


def keys(tenant: Tenant) -> list[str]:
    return sorted(key for key, _ in tenant.running.objects.keys(f"previews/{tenant.name}/"))


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(ContentError) as refused:
        call(*arguments)
    return refused.value.code


@contextmanager
def queue_paused(running: Running) -> Iterator[None]:
    running.rows(PAUSE)
    try:
        yield
    finally:
        running.rows(RESUME)


def collect(running: Running) -> gc.Report:
    async def once(connections: Connections) -> gc.Report:
        return await gc.collect(connections, grace_s=0)

    return with_connections(running, once)


def test_a_draft_is_opened_by_its_link_and_nothing_is_published(tenant: Tenant) -> None:
    course = tenant.course().text().picture("square", seed=1).film("film", captions=True).quiz()
    shown = previewed(tenant, course)
    assert (shown["state"], shown["draft_id"], shown["revision"]) == ("ready", course.draft_id, 1)
    assert shown["url"] is not None and shown["expires_at"] is not None and shown["report"] is not None
    lasts_s = (_moment(shown["expires_at"]) - _moment(shown["created_at"])).total_seconds()
    assert 0 <= lasts_s - tenant.running.settings.preview_ttl_s < 90
    visitor, parts = Visitor(tenant, shown["url"]), urlsplit(shown["url"])
    assert (visitor.answer.status_code, visitor.answer.headers["location"]) == (
        303,
        parts.path.removeprefix("/_open"),
    )
    assert parts.netloc.startswith(f"{tenant.name}.localhost:")
    page = visitor.page()
    assert page.status_code == 200 and "player.js" in page.text
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'self'")
    document = played(visitor)
    assert document["tracking"]["preview"] is True
    assert [block["type"] for block in document["structure"]["units"][0]["blocks"]] == [
        "text",
        "image",
        "video",
        "quiz",
    ]
    files = [each["path"] for asset in document["assets"].values() for each in asset["renditions"]]
    for path in ("player.js", "player.css", *files):
        assert visitor.page(path).status_code == 200, path
    assert visitor.page("sw.js").status_code == 404, "a worker would keep it on the device"
    # What its author should know, and nothing for anybody else.
    assert shown["report"]["quality"]["shape"] == 1 and shown["report"]["refused"] == []
    assert {entry["severity"] for entry in shown["report"]["problems"]} <= {"warning"}
    assert_settled(tenant)
    assert list(tenant.api.packages()) == [] and tenant.running.heard(tenant.name) == []
    kinds = {key.partition("/")[0] for key, _ in tenant.running.objects.keys("") if f"/{tenant.name}/" in key}
    # The event log holds what rows say of it, and an identity who asked.
    assert kinds - {"events", "identities"} == {"assets", "previews"}
    assert visitor.page().status_code == 200, "collecting garbage leaves it alone"
    (job,) = tenant.api.jobs()
    assert (job["kind"], (job["result"] or {})["preview_id"]) == ("preview", shown["preview_id"])
    assert [row["action"] for row in tenant.api.audit()][:1] == ["preview.requested"]


def test_a_build_makes_only_what_the_preview_has_not_and_the_other_way_round(tenant: Tenant) -> None:
    course = tenant.course().text().picture("square", seed=2).picture("round", seed=3)
    first = previewed(tenant, course)["report"]
    assert first is not None and first["made"] > 0 and first["reused"] == 0
    tenant.publish(course)
    built = tenant.built(course)["report"]
    assert (built["made"], built["reused"]) == (0, first["made"])
    course = course.changed("round", seed=4)
    after = previewed(tenant, course)["report"]
    assert after is not None and 0 < after["made"] < first["made"] and after["reused"] > 0
    words = previewed(tenant, course.changed_text())["report"]
    assert words is not None and words["made"] == 0
    assert_settled(tenant)


def test_asking_again_gives_the_same_preview_for_longer(tenant: Tenant) -> None:
    course = tenant.course().text()
    save(tenant, course)
    with queue_paused(tenant.running):
        asked = [tenant.api.ask_preview(course.draft_id, 1) for _ in range(2)]
        assert len({(each["preview_id"], each["job_id"], each["state"]) for each in asked}) == 1
        assert tenant.api.preview(asked[0]["preview_id"])["url"] is None
    tenant.api.wait(asked[0]["job_id"])
    shown = tenant.api.preview(asked[0]["preview_id"])
    before = keys(tenant)
    answer = httpx.post(
        f"{tenant.running.settings.api_url}/v1/previews", trust_env=False, headers=bearer(tenant, "content:write"),
        json={"draft_id": course.draft_id, "revision": 1},
    )  # fmt: skip
    again = answer.json()
    assert (answer.status_code, again["preview_id"], again["job_id"]) == (200, shown["preview_id"], shown["job_id"])
    assert again["expires_at"] > (shown["expires_at"] or "")
    assert keys(tenant) == before
    # Another revision is another preview.
    assert previewed(tenant, course.changed_text())["preview_id"] != shown["preview_id"]
    assert_settled(tenant)


def test_the_same_key_is_answered_as_the_first_time(tenant: Tenant) -> None:
    save(tenant, course := tenant.course().text())
    body, told = {"draft_id": course.draft_id, "revision": 1}, {"Idempotency-Key": "once"}
    sent = bearer(tenant, "content:write") | told
    answers = [
        httpx.post(f"{tenant.running.settings.api_url}/v1/previews", trust_env=False, headers=sent, json=body)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["location"] == f"/v1/jobs/{answers[0].json()['job_id']}"
    assert answers[1].headers["idempotent-replayed"] == "true"
    tenant.api.wait(answers[0].json()["job_id"])


def test_its_link_ends_and_then_it_is_gone(tenant: Tenant) -> None:
    course = tenant.course().text()
    shown = previewed(tenant, course)
    ends_soon(tenant, 12)
    short = tenant.api.preview(shown["preview_id"])
    visitor = opened(tenant, short)
    assert visitor.page().status_code == 200
    until("its time over", lambda: visitor.page().status_code == 403, 30)
    assert visitor.page().json()["code"] == "url-expired"
    assert opened(tenant, short).answer.json()["code"] == "url-expired"
    # A signature ends with a whole second, a little before the preview itself.
    over = until(
        "it is over", lambda: one if (one := tenant.api.preview(shown["preview_id"]))["state"] == "expired" else None, 5
    )
    assert over["url"] is None
    # Asked for again it is made again, elsewhere: what opened the old pages opens nothing of the new ones.
    anew = previewed(tenant, course)
    assert anew["preview_id"] == shown["preview_id"] and anew["job_id"] != shown["job_id"]
    assert urlsplit(anew["url"] or "").path != urlsplit(short["url"] or "").path
    assert opened(tenant, anew).page().status_code == 200
    assert opened(tenant, short).answer.status_code == 403
    collect(tenant.running)
    assert len({key.partition("/site/")[0] for key in keys(tenant)}) == 1
    assert opened(tenant, anew).page().status_code == 200
    ends_soon(tenant, 0)
    assert collect(tenant.running).ended_previews >= 1
    assert keys(tenant) == []
    assert code_of(tenant.api.preview, shown["preview_id"]) == "not-found"
    assert_settled(tenant)


def test_nobody_else_sees_it(tenant: Tenant, running: Running) -> None:
    other, shown = Tenant(running), previewed(tenant, tenant.course().text())
    assert code_of(other.api.preview, shown["preview_id"]) == code_of(other.api.preview, "prv_never") == "not-found"
    assert code_of(other.api.remove_preview, shown["preview_id"]) == "not-found"
    reader = httpx.get(
        f"{running.settings.api_url}/v1/previews/{shown['preview_id']}", headers=bearer(tenant, "content:read"), trust_env=False
    )  # fmt: skip
    assert (reader.status_code, reader.json()["code"]) == (403, "forbidden")
    visitor, url = opened(tenant, shown), shown["url"] or ""
    assert Visitor(tenant, url.partition("?")[0]).answer.json()["code"] == "url-unsigned"
    port = urlsplit(url).netloc.rpartition(":")[2]
    for wrong in (f"{other.name}.localhost:{port}", urlsplit(running.settings.edge_url).netloc):
        assert visitor.page(host=wrong).status_code == 404
    # Of the same draft of the same name, each has its own.
    assert visitor.page().status_code == 200


def test_a_draft_with_errors_is_told_with_all_of_them(tenant: Tenant) -> None:
    course = tenant.course().text().picture("square", seed=5)
    broken = course.draft()
    broken["units"][0]["blocks"][1:] = [{"type": "image", "id": name, "asset": "square"} for name in ("one", "two")]
    save(tenant, course, broken)
    asked = tenant.api.ask_preview(course.draft_id, 1)
    with pytest.raises(ContentError) as failed:
        tenant.api.wait(asked["job_id"])
    shown = tenant.api.preview(asked["preview_id"])
    assert (shown["state"], shown["url"]) == ("failed", None) and shown["problem"] is not None
    assert shown["problem"]["code"] == failed.value.code == "draft-invalid"
    told = [(entry["pointer"], entry["severity"]) for entry in shown["problem"]["problems"]]
    assert {pointer.removesuffix("/alt") for pointer, weight in told if weight == "error"} == {
        "/units/0/blocks/1",
        "/units/0/blocks/2",
    }
    # Saved again under the same revision (a stub may), it is made anew by another job.
    save(tenant, course)
    anew = previewed(tenant, course)
    assert (anew["preview_id"], anew["state"]) == (asked["preview_id"], "ready")
    assert anew["job_id"] != asked["job_id"] and anew["problem"] is None
    # A draft that is not there is the author's mistake, too.
    missing = tenant.api.ask_preview("no-such-draft", 1)
    assert code_of(tenant.api.wait, missing["job_id"]) == "neighbour-not-found"
    assert_settled(tenant)


def test_a_finding_that_would_stop_a_build_is_shown(tenant: Tenant) -> None:
    tenant.api.change_tenant(tenant.name, settings={"failing_findings": ["link-vague"]})
    shown = previewed(tenant, tenant.course().text("# One\n\n[here](https://a.example)"))
    assert shown["state"] == "ready" and shown["report"] is not None
    assert [entry["code"] for entry in shown["report"]["refused"]] == ["link-vague"]


def test_one_that_is_removed_is_gone_at_once(tenant: Tenant) -> None:
    shown = previewed(tenant, tenant.course().text())
    visitor = opened(tenant, shown)
    assert visitor.page().status_code == 200
    tenant.api.remove_preview(shown["preview_id"])
    assert visitor.page().status_code == 404 and keys(tenant) == []
    assert code_of(tenant.api.preview, shown["preview_id"]) == "not-found"
    assert next(iter(tenant.api.audit()))["action"] == "preview.removed"


def test_one_that_is_removed_while_it_is_made_leaves_nothing(tenant: Tenant) -> None:
    save(tenant, course := tenant.course().text())
    points = tenant.running.failpoints
    points.arm("preview.after_upload", "pause")
    asked = tenant.api.ask_preview(course.draft_id, 1)
    points.reached("preview.after_upload")
    tenant.api.remove_preview(asked["preview_id"])
    points.release("preview.after_upload")
    until("its job cancelled", lambda: tenant.api.job(asked["job_id"])["state"] == "cancelled", 30)
    assert_settled(tenant)
    assert keys(tenant) == []


def test_one_that_waits_is_cancelled_and_tried_again(tenant: Tenant) -> None:
    save(tenant, course := tenant.course().text())
    with queue_paused(tenant.running):
        asked = tenant.api.ask_preview(course.draft_id, 1)
        assert tenant.api.cancel_job(asked["job_id"])["state"] == "cancelled"
        shown = tenant.api.preview(asked["preview_id"])
        assert (shown["state"], (shown["problem"] or {})["code"]) == ("failed", "job-cancelled")
        tenant.api.retry_job(asked["job_id"])
        assert tenant.api.preview(asked["preview_id"])["state"] == "planned"
    tenant.api.wait(asked["job_id"])
    assert opened(tenant, tenant.api.preview(asked["preview_id"])).page().status_code == 200
    assert_settled(tenant)


def test_one_whose_worker_dies_is_made_once(tenant: Tenant) -> None:
    save(tenant, course := tenant.course().text().picture("square", seed=7))
    with killed_at(tenant, BUILDER, "preview.after_upload"):
        asked = tenant.api.ask_preview(course.draft_id, 1)
    tenant.api.wait(asked["job_id"], deadline_s=120)
    shown = tenant.api.preview(asked["preview_id"])
    assert shown["report"] is not None and shown["report"]["made"] == 0, "the first attempt had made them"
    assert opened(tenant, shown).page().status_code == 200
    assert_settled(tenant)
    assert len({key.partition("/site/")[0] for key in keys(tenant)}) == 1


def ends_soon(tenant: Tenant, seconds: int) -> None:
    """Have the tenant's previews end in so many seconds, as if they had been made that long ago."""
    tenant.running.rows(
        "update previews set expires_at = now() + make_interval(secs => %s) where tenant = %s returning 1 as x",
        seconds,
        tenant.name,
    )


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)
