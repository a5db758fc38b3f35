"""Five hundred drafts at once, one of them poison: the others are published, it fails by name, and the API answers."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.local import publishing
from cluster.neighbours import Listing
from content.canonical import rfc3339
from tests.support.courses import Course
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

COUNT = int(os.environ.get("CONTENT_TEST_STORM", "500"))
PER_DRAFT_S, BEGIN_S, ANSWER_S = 2.0, 120.0, 10.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(COUNT * PER_DRAFT_S * 2 + 300)]

DRAFTED = "authoring.course_draft.published.v1"


def poison(tenant: Tenant, folder: Path) -> Course:
    """A picture that is none, from a media-service that takes its time over it."""
    course = tenant.course().text().picture("poison", seed=1)
    path = folder / "poison.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"nothing of a picture" * 1000)
    course.originals["poison"] = (path, "image/png")
    return course


def test_a_storm_of_drafts_with_one_poison_asset(tenant: Tenant, tmp_path: Path) -> None:
    bad = poison(tenant, tmp_path)
    courses = [tenant.course().text(f"Draft {number}.") for number in range(COUNT - 1)]
    courses.insert(COUNT // 3, bad)
    events = []
    for course in courses:
        publishing.put_draft(tenant.home, tenant.name, course.draft(), draft_id=course.draft_id, revision=1)
        publishing.put_listing(tenant.home, tenant.name, Listing(course_id=course.course_id, title={"en": "T"}))
        data = {
            "tenant_id": tenant.name, "course_id": course.course_id, "draft_id": course.draft_id, "revision": 1,
            "published_at": rfc3339(datetime.now(UTC)),
        }  # fmt: skip
        events.append((DRAFTED, course.course_id, data))
    publishing.put_media(tenant.home, tenant.name, bad.originals)
    publishing.control(tenant.home, "media", "slow", 5.0)
    slowest = 0.0

    def ended() -> bool:
        nonlocal slowest
        began = time.monotonic()
        tenant.api.get("/v1/jobs?limit=1")
        slowest = max(slowest, time.monotonic() - began)
        rows = tenant.running.rows(
            "select count(*) as n from jobs where tenant = %s and state in ('succeeded', 'failed')", tenant.name
        )
        return rows[0]["n"] == COUNT

    try:
        publishing.publish_many(tenant.home, events)
        until(f"{COUNT} builds at an end", ended, BEGIN_S + COUNT * PER_DRAFT_S)
    finally:
        publishing.control(tenant.home, "media", "ok")
    assert slowest < ANSWER_S, "the API answers meanwhile"
    states = tenant.running.rows(
        "select state, count(*) as n from package_versions where tenant = %s group by state order by state", tenant.name
    )
    assert [(row["state"], row["n"]) for row in states] == [("failed", 1), ("published", COUNT - 1)]
    version = tenant.version(bad)
    assert version is not None
    (report,) = tenant.running.rows(
        "select report::text as text from package_versions where tenant = %s and state = 'failed'", tenant.name
    )
    assert "poison" in report["text"]
    assert "/units/0/blocks/1" in report["text"]
    assert_settled(tenant, deadline_s=300)
