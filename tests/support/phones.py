"""A device on the command line, registered with a stack: what `content-service device` does, without the terminal."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from cluster.local import publishing
from cluster.local.identity import mint_token
from serve_app.client import Client
from serve_app.device import reading, register
from serve_app.device.download import Silent, edge_client
from serve_app.device.folder import DeviceFolder
from serve_app.device.sync import SyncReport, sync
from tests.support.courses import Course
from tests.support.tenants import Tenant


def now() -> datetime:
    return datetime.now(UTC)


class Phone:
    """A device on the command line."""

    def __init__(self, tenant: Tenant, path: Path) -> None:
        self.tenant, self.learner = tenant, f"learner-{secrets.token_hex(3)}"
        self.folder = DeviceFolder.create(path, tenant.name)
        token = mint_token(tenant.home, tenant.name, ["device:register"], self.learner)
        with Client(tenant.running.settings.api_url, token=token) as api:
            register.register(self.folder, api, profile="phone", clock=now)
        self.api = Client(tenant.running.settings.api_url, device=self.folder.identity)

    def enrol(self, course: Course, **ends: datetime) -> str:
        enrolment = f"enr-{secrets.token_hex(4)}"
        publishing.enrol(
            self.tenant.home, self.tenant.name, enrollment_id=enrolment, learner_id=self.learner,
            course_id=course.course_id, **ends,
        )  # fmt: skip
        return enrolment

    def sync(self) -> SyncReport:
        with edge_client() as edge:
            return sync(self.folder, self.api, edge, clock=now, watch=Silent())

    def open(self, at: datetime | None = None) -> int:
        """Opens what it holds; returns the issue of its licence."""
        with reading.open_offline(self.folder, self.folder.shelf.find(None), at or now()) as bundle:
            bundle.manifest()
            return bundle.licence.issue


def published(tenant: Tenant) -> Course:
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    return course
