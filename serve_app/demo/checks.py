"""What the demo looks at after each step, so that its ✓ means something."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from content.canonical import digest
from content.packages import parse
from content.signatures import verify_document
from content.trust.chain import verify_chain
from serve_app.client import Client
from serve_app.demo.steps import require


def signed_manifest(api: Client, tenant: str, package_id: str, version: int, now: Any) -> dict[str, Any]:
    """The manifest, after its signature was followed up to the tenant's trust lists.

    Raises ContentError with the code of the check that failed.
    """
    trust = verify_chain(api.trust_lists(tenant)["chain"], pinned_root=None, known=None, now=now, iss=tenant)
    body = api.manifest(package_id, version)
    signature = api.signature(package_id, version)
    document = verify_document(body, signature, trust.keys, expected_type="manifest", iss=tenant, now=now)
    require(dict(parse(body).document) == document, "demo-manifest", "The manifest does not read as it was signed.")
    return document


def opened_course(folder: Path, manifest: Mapping[str, Any], manifest_digest: str) -> int:
    """Every opened file is one that the signed manifest names, byte for byte, and every picture can be shown.

    Returns the bytes looked at.
    """
    found = (folder / "manifest.json").read_bytes()
    require(digest(found) == manifest_digest, "demo-manifest", "The opened manifest is not the published one.")
    named = {each["digest"] for entry in manifest["assets"].values() for each in entry["renditions"]}
    total = 0
    for path in sorted((folder / "assets").iterdir()):
        data = path.read_bytes()
        total += len(data)
        require(digest(data) in named, "demo-asset", f"{path.name} is not what the manifest names.")
        if path.suffix == ".webp":
            with Image.open(path) as picture:
                picture.load()
    pages = {path.name for path in folder.glob("index*.html")}
    require(len(pages) == len(manifest["metadata"]["languages"]), "demo-pages", "A language has no page.")
    require("rtl" in (folder / "index.ar.html").read_text("utf-8")[:200], "demo-pages", "Arabic is not right-to-left.")
    return total


def only_changed(before: Mapping[str, Any], after: Mapping[str, Any], asset: str) -> tuple[int, int]:
    """(renditions of the changed asset, of all others), which must be the very same as before."""
    same = {name: entry for name, entry in after["assets"].items() if name != asset}
    require(
        all(before["assets"].get(name) == entry for name, entry in same.items()),
        "demo-reuse",
        "Something else than the changed picture differs.",
    )
    changed = after["assets"][asset]["renditions"]
    return len(changed), sum(len(entry["renditions"]) for entry in same.values())


def sent_once(access_log: Path, path: str, size: int) -> int | None:
    """How many answers of the edge made up a file of which every byte was sent exactly once; None if not (yet) so."""
    at = answers = 0
    for line in access_log.read_text().splitlines():
        entry = json.loads(line)
        if entry["path"] != path or entry["method"] != "GET" or not entry["bytes"]:
            continue
        asked = entry["range"].removeprefix("bytes=").partition("-")[0]
        if int(asked or 0) != at:
            return None
        at, answers = at + entry["bytes"], answers + 1
    return answers if at == size else None
