"""A tenant of a test's own, so that nothing is cached and nothing of another test is in the way."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from cluster.local import publishing
from cluster.local.identity import mint_token
from cluster.neighbours import Holding
from content.canonical import derive_id, digest
from content.signatures import verify_document
from content.trust.chain import verify_chain
from serve_app.client import BundleRow, Client
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.running import Running
from tests.support.waiting import until

BUNDLE_EVENT = "content.play_package.bundle.published.v1"
PACKAGE_EVENT = "content.play_package.published.v1"
EXPORT_EVENT = "content.export.finished.v1"
IMPORT_EVENT = "content.import.finished.v1"


class Tenant:
    """Made through the API; `api` asks as its operator."""

    def __init__(self, running: Running) -> None:
        self.running, self.name = running, f"t-{secrets.token_hex(5)}"
        self.home = running.home.path
        self.api = Client(running.settings.api_url, token=mint_token(self.home, self.name, ["operator"], "operator"))
        self.api.create_tenant(self.name, region=running.settings.region)

    def course(self) -> Course:
        return Course(self.running.media)

    def package(self, course: Course) -> str:
        return derive_id("pkg", self.name, course.course_id)

    # -- what the neighbours and learners do --------------------------------------------------------------------------

    def publish(self, course: Course, event_id: str | None = None) -> str:
        """Hand the draft and its originals to the neighbours and publish the event; returns the event's id."""
        return publishing.publish_draft(
            self.home, self.name, course.draft(), course.originals, course_id=course.course_id,
            draft_id=course.draft_id, revision=course.revision, event_id=event_id,
        )  # fmt: skip

    def enrol(self, course: Course, learner: str, enrolment: str | None = None) -> str:
        """Publish an enrolment; returns its id."""
        enrolment = enrolment or f"enr-{secrets.token_hex(4)}"
        publishing.enrol(self.home, self.name, enrollment_id=enrolment, learner_id=learner, course_id=course.course_id)
        return enrolment

    def holds(self, course: Course, device: Device, bundle_id: str) -> None:
        """Have sync-service know that a device holds this bundle."""
        holding = Holding(device_id=device.id, bundle_id=bundle_id)
        publishing.put_holding(self.home, self.name, self.package(course), holding)

    def device(self, learner: str, profile: str = "phone") -> Device:
        token = mint_token(self.home, self.name, ["device:register"], learner)
        return Device(self.running.settings.api_url, self.name, learner, token, profile)

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def version(self, course: Course, number: int = 1) -> dict[str, Any] | None:
        """A version that was built or has failed; None before."""
        found = [
            row
            for row in self.api.versions(self.package(course))
            if row["version"] == number and row["state"] in ("published", "failed")
        ] if self._has_package(course) else []  # fmt: skip
        # By itself: a list leaves reports out.
        return self.api.get(f"/v1/packages/{self.package(course)}/versions/{number}") if found else None

    def built(self, course: Course, number: int = 1, deadline_s: float = 90.0) -> dict[str, Any]:
        """Wait until a version is published."""
        found = until(f"version {number} built", lambda: self.version(course, number), deadline_s, self.jobs)
        assert found["state"] == "published", found
        return found

    def jobs(self) -> list[tuple[Any, ...]]:
        return [(job["state"], job["attempt"], job["message"], job["problem"]) for job in self.api.jobs()]

    def manifest(self, course: Course, number: int = 1) -> dict[str, Any]:
        """The manifest, after its signature was followed up to the tenant's trust list."""
        package, now = self.package(course), datetime.now(UTC)
        body = self.api.manifest(package, number)
        signature = self.api.signature(package, number)
        trust = verify_chain(
            self.api.trust_lists(self.name)["chain"], pinned_root=None, known=None, now=now, iss=self.name
        )
        verified = verify_document(body, signature, trust.keys, expected_type="manifest", iss=self.name, now=now)
        assert json.loads(body) == verified
        row = self.version(course, number)
        assert row is not None and row["manifest_digest"] == digest(body)
        return dict(verified)

    def bundles(self, course: Course, number: int | None = None) -> list[BundleRow]:
        rows = self.api.bundles(package_id=self.package(course))
        return [row for row in rows if number in (None, row["version"])]

    def ready(self, course: Course, count: int, number: int = 1, deadline_s: float = 60.0) -> list[BundleRow]:
        """Wait until a version has exactly so many bundles, all ready."""

        def all_ready() -> list[BundleRow] | None:
            rows = self.bundles(course, number)
            return rows if len(rows) == count and all(row["state"] == "ready" for row in rows) else None

        return until(f"{count} bundles ready", all_ready, deadline_s, lambda: self.bundles(course))

    def heard_of(self, bundle_ids: set[str], deadline_s: float = 30.0) -> list[dict[str, Any]]:
        """Wait until sync-service heard of these bundles; every bundle event of the tenant, in order of arrival."""

        def all_heard() -> list[dict[str, Any]] | None:
            events = self.running.heard(self.name, BUNDLE_EVENT)
            return events if bundle_ids <= {event["data"]["bundle_id"] for event in events} else None

        return until(f"sync-service heard of {len(bundle_ids)} bundles", all_heard, deadline_s)

    def _has_package(self, course: Course) -> bool:
        return any(True for _ in self.api.packages(course_id=course.course_id))


def hold_build(tenant: Tenant, course: Course) -> None:
    """Publish a course with a film, and return when its build is paused in the middle of it (`build.mid_transcode`)."""
    tenant.running.failpoints.arm("build.mid_transcode", "pause")
    tenant.publish(course)
    tenant.running.failpoints.reached("build.mid_transcode")


def bearer(tenant: Tenant, *scopes: str, subject: str = "tester") -> dict[str, str]:
    """The header of a token with these scopes, and no others."""
    return {"Authorization": f"Bearer {mint_token(tenant.home, tenant.name, scopes, subject)}"}
