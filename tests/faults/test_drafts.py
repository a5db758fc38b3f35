"""A draft that is no good costs nothing but itself: it fails with all its mistakes named, and the next one is built."""

from __future__ import annotations

import pytest

from cluster.local import publishing
from content.canonical import derive_id
from tests.support.light import Light
from tests.support.mistakes import MISTAKES, draft_of_mistakes
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)


def test_thirty_mistakes_are_named_in_the_report_and_the_job(bare: Light) -> None:
    tenant = Tenant(bare)
    bare.worker("relay")
    bare.worker("builder")
    publishing.publish_draft(
        bare.home.path, tenant.name, draft_of_mistakes(), {}, course_id="bad", draft_id="bad", revision=1
    )
    good = tenant.course().text()
    tenant.publish(good)
    tenant.built(good, deadline_s=180)
    package = derive_id("pkg", tenant.name, "bad")
    failed = "select report from package_versions where tenant = %s and package_id = %s and state = 'failed'"
    (row,) = until("it has failed", lambda: bare.rows(failed, tenant.name, package), 90, tenant.jobs)
    assert set(MISTAKES) <= {problem["pointer"] for problem in row["report"]["problems"]}
    (job,) = (job for job in tenant.api.items("/v1/jobs") if job["state"] == "failed")
    assert job["problem"]["code"] == "draft-invalid"
    assert job["attempt"] == 1, "what cannot be helped is not tried again"
    assert set(MISTAKES) <= {problem["pointer"] for problem in job["problem"]["problems"]}
    assert_settled(tenant)
