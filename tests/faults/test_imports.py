"""Imports while things break: who works is killed, addresses expire, connections are cut, a package breaks its reader each time."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil
import pytest

from serve_app.client import Import
from tests.support.imports import keys, package, upload
from tests.support.light import ADDRESS_S, Light, Worker
from tests.support.s3_proxy import Fault
from tests.support.settled import assert_settled
from tests.support.tenants import IMPORT_EVENT, Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def tenant(bare: Light) -> Tenant:
    bare.worker("relay")
    return Tenant(bare)


@pytest.fixture
def importer(bare: Light) -> Worker:
    return bare.importer()


def accepted(tenant: Tenant, asked: Import, deadline_s: float = 120.0) -> int:
    """Wait for the import, and for all that follows from it; the attempt that did it."""
    job = tenant.api.wait(str(asked["job_id"]), deadline_s=deadline_s)
    found = tenant.api.import_(asked["import_id"])
    assert (found["state"], found["version"]) == ("accepted", 1), found
    assert_settled(tenant)
    assert keys(tenant) == []
    (event,) = tenant.running.heard(tenant.name, IMPORT_EVENT)
    assert event["data"]["result"] == "accepted"
    return job["attempt"]


def test_nothing_goes_wrong(bare: Light, tenant: Tenant, importer: Worker) -> None:
    bare.worker("builder")
    assert accepted(tenant, upload(tenant, package())) == 1
