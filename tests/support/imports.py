"""Packages as a test uploads them, and what came of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from serve_app.client import Import, ImportShown, uploading
from tests.content.scorm.packages import manifest_12, zip_of
from tests.support.tenants import Tenant


def package(title: str = "A course", **files: bytes | str) -> bytes:
    """A small sound package of SCORM 1.2; names with `__` for `/` are no matter here."""
    return zip_of({"imsmanifest.xml": manifest_12(title=title), "index.html": f"<h1>{title}</h1>", **files})


def broken_package() -> bytes:
    """One that is refused: its zip holds no manifest."""
    return zip_of({"index.html": "<h1>No course</h1>"})


def upload(tenant: Tenant, data: bytes, *, name: str = "course.zip", course: str | None = None) -> Import:
    """Upload and complete."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        begun = uploading.begin(tenant.api, path, course_id=course)
        return uploading.send(tenant.api, path, tenant.api.import_(begun))


def imported(tenant: Tenant, data: bytes, *, deadline_s: float = 90.0, **options: Any) -> ImportShown:
    """Upload, wait, look."""
    done = upload(tenant, data, **options)
    tenant.api.wait(str(done["job_id"]), deadline_s=deadline_s)
    return tenant.api.import_(done["import_id"])


def keys(tenant: Tenant) -> list[str]:
    """What lies in the tenant's quarantine."""
    return sorted(key for key, _ in tenant.running.objects.keys(f"imports/{tenant.name}/"))
