"""Exports as a test asks for them, and their files as a caller of the edge sees them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import httpx

from serve_app.client import Export, ExportShown
from tests.support.courses import Course
from tests.support.tenants import Tenant


def ask(tenant: Tenant, course: Course, format: str, **options: Any) -> Export:
    return tenant.api.ask_export(tenant.package(course), format, **options)


def made(tenant: Tenant, course: Course, format: str, *, deadline_s: float = 60.0, **options: Any) -> ExportShown:
    """Ask, wait, look."""
    asked = ask(tenant, course, format, **options)
    tenant.api.wait(asked["job_id"], deadline_s=deadline_s)
    return tenant.api.export(asked["export_id"])


def fetch(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=30)


def file_of(shown: ExportShown) -> zipfile.ZipFile:
    """The zip behind its address, after its bytes were compared with what the API says of them."""
    assert shown["download"] is not None
    answer = fetch(shown["download"]["url"])
    assert answer.status_code == 200, answer.text
    assert (len(answer.content), f"sha256:{hashlib.sha256(answer.content).hexdigest()}") == (
        shown["size_bytes"],
        shown["digest"],
    )
    assert answer.headers["content-disposition"] == f'attachment; filename="{shown["download"]["file_name"]}"'
    assert answer.headers["content-type"] == "application/zip"
    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    return found


def keys(tenant: Tenant) -> list[str]:
    """What lies in the bucket of the tenant's exports."""
    return sorted(key for key, _ in tenant.running.objects.keys(f"exports/{tenant.name}/"))
