"""The importer answers to our token, and has a sandbox in which it may read what strangers made."""

from __future__ import annotations

from cluster import importer
from cluster.settings import Settings
from content.errors import ContentError
from tasks.doctor.findings import Finding, fail, ok, warn

NAME = "pools: importer"


async def check(settings: Settings) -> list[Finding]:
    if not settings.importer_url:
        return [ok(NAME, "nothing is imported here: importer_url is not set")]
    try:
        found = await importer.status(settings)
    except ContentError as error:
        remedy = "Set importer_token to the one whose digest it has." if error.code == "unauthenticated" else ""
        return [fail(NAME, error.message, remedy or "Start the app content-importer; see its log.")]
    if not found["works"]:
        return [fail(NAME, found["sandbox"], found["remedy"])]
    if found["sandbox"] == "none":
        return [warn(NAME, "packages are read without a sandbox", "Set its sandbox to auto.")]
    return [ok(NAME, f"reads packages in {found['sandbox']} {found['version']}".rstrip())]
