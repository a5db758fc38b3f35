"""A course that its tenant does not publish as it is: the build says where, and goes through once it is mended."""

from __future__ import annotations

import httpx
import pytest

from cluster.local.identity import mint_token
from content.canonical import derive_id
from serve_app.client.errors import ApiInvalidInput
from tests.support.light import Light
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)


def test_a_finding_that_the_tenant_chose_stops_a_build_and_the_report_is_there_afterwards(bare: Light) -> None:
    tenant = Tenant(bare)
    bare.worker("relay")
    bare.worker("builder")
    with pytest.raises(ApiInvalidInput) as refused:
        tenant.api.change_tenant(tenant.name, settings={"failing_findings": ["captions-missing", "no-such-finding"]})
    (problem,) = refused.value.problems
    assert problem.pointer == "/body/settings/failing_findings/1"
    assert "no-such-finding" in problem.message
    found = tenant.api.change_tenant(tenant.name, settings={"failing_findings": ["link-vague"]})
    assert found["settings"]["failing_findings"] == ["link-vague"]

    course = tenant.course().text("# One\n\n[here](https://a.example)\n\n### Two")
    package = derive_id("pkg", tenant.name, course.course_id)
    tenant.publish(course)
    failed = "select report from package_versions where tenant = %s and package_id = %s and state = 'failed'"
    (row,) = until("it has failed", lambda: bare.rows(failed, tenant.name, package), 180, tenant.jobs)
    assert [each["pointer"] for each in row["report"]["problems"]] == ["/units/0/blocks/0/text/en"]
    (job,) = (job for job in tenant.api.items("/v1/jobs") if job["state"] == "failed")
    assert (job["problem"]["code"], job["attempt"]) == ("quality-refused", 1)
    assert [each["code"] for each in job["problem"]["problems"]] == ["link-vague"]

    tenant.api.change_tenant(tenant.name, settings={"failing_findings": []})
    course.revision += 1
    tenant.publish(course)
    version = tenant.built(course, 2, deadline_s=180)["version"]
    quality = tenant.api.quality(package, version)
    assert [each["code"] for each in quality["findings"]] == ["heading-skipped", "link-vague"]
    assert quality["counts"] == {"error": 0, "warning": 2, "advice": 0}
    assert quality["findings"][0]["place"].endswith("block 1 (text), in “en”")
    assert "quality" not in tenant.api.version(package, version)["report"]

    address = f"/v1/packages/{package}/versions/{version}/quality"
    with httpx.Client(base_url=bare.settings.api_url, trust_env=False, timeout=60) as client:
        client.headers["Authorization"] = (
            f"Bearer {mint_token(bare.home.path, tenant.name, ['content:read'], 'author')}"
        )
        pages = [
            client.get(address, headers={"Accept": "text/html"}),
            client.get(f"{address}.html", headers={"Accept": "application/json"}),
        ]
        for page in pages:
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert "script" not in page.headers["content-security-policy"]
            assert "unsafe" not in page.headers["content-security-policy"]
            assert "heading-skipped" in page.text
        same = client.get(address, headers={"If-None-Match": client.get(address).headers["etag"]})
        assert same.status_code == 304
        assert client.get(address, headers={"Accept": "image/png"}).status_code == 406
        earlier = client.get(f"/v1/packages/{package}/versions/{version - 1}/quality")
        assert (earlier.status_code, earlier.json()["code"]) == (409, "quality-not-assessed")
        assert client.get(f"/v1/packages/{package}/versions/99/quality").status_code == 404
