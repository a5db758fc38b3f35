"""An opened bundle as a folder that a person can look at: manifest.json, assets by name, one page per language; of an imported
package its files as it has them (`unpack_imported.py`).

The folder appears whole or not at all. Every byte in it went through `OpenBundle.read`, so what stands there is what
was published. Names of assets are the author's: they are reduced to letters that no file system minds.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from content.bundles.open import OpenBundle
from content.canonical import canonical
from content.errors import ContentError
from content.media.renditions import Rendition
from content.packages.embedded import KIND as PACKAGE
from content.packages.manifest import SCORM
from serve_app.device import page
from serve_app.device.unpack_imported import write_files, write_imported

EXTENSIONS = {
    "image/webp": "webp",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "video/mp4": "mp4",
    "audio/mp4": "m4a",
    "audio/ogg": "opus",
    "text/vtt": "vtt",
    "application/pdf": "pdf",
}
EMBEDDED = "embedded"
MAIN_ROLES = {"image", "video", "audio", "captions", "file"}


@dataclass(frozen=True)
class Opened:
    """What was written: the folder, its first page, how many assets and bytes. `left_out` are units of which the bundle lacks
    something."""

    folder: Path
    page: Path
    languages: tuple[str, ...]
    assets: int
    bytes: int
    left_out: tuple[str, ...] = ()


def unpack(bundle: OpenBundle, out: Path, tell: Callable[[str, int], None] = lambda _name, _size: None) -> Opened:
    """Decrypt the course into the folder `out`, which must be absent or empty.

    Raises ContentError `output-not-empty`, or the code of the check that failed; nothing is left then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ContentError("output-not-empty", f"{out} is not an empty folder.", "Name another one with -o.")
    manifest = bundle.manifest()
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.parent / f".{out.name}.{secrets.token_hex(4)}"
    try:
        fresh.mkdir()
        (fresh / "manifest.json").write_bytes(canonical(manifest))
        opened = (_imported if manifest.get("kind") == SCORM else _course)(bundle, manifest, fresh, tell)
        if out.exists():
            out.rmdir()
        fresh.rename(out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return replace(opened, folder=out, page=out / "index.html")


def _course(bundle: OpenBundle, manifest: Mapping[str, Any], folder: Path, tell: Callable[[str, int], None]) -> Opened:
    (folder / "assets").mkdir()
    files = _assets(bundle, manifest, folder / "assets", tell)
    pages = page.write_pages(manifest, files, folder)
    every = {found.name: found.size_bytes for roles in files.values() for found in roles.values()}
    less = tuple(unit["id"] for unit in page.without_files(manifest, files))
    return Opened(folder, folder / "index.html", tuple(pages), len(every), sum(every.values()), less)


def _imported(
    bundle: OpenBundle, manifest: Mapping[str, Any], folder: Path, tell: Callable[[str, int], None]
) -> Opened:
    written = write_imported(bundle, manifest, folder, tell)
    return Opened(folder, folder / "index.html", written.languages, written.files, written.bytes)


def _assets(
    bundle: OpenBundle, manifest: Mapping[str, Any], folder: Path, tell: Callable[[str, int], None]
) -> page.Files:
    """Every rendition that this bundle carries, by asset and role."""
    files: dict[str, dict[str, page.AssetFile]] = {}
    names: dict[str, str] = {}
    for asset, entry in manifest["assets"].items():
        if entry["kind"] == PACKAGE:
            files[asset] = _package(bundle, asset, entry, folder.parent, tell)
            continue
        for rendition in (Rendition.from_dict(each) for each in entry["renditions"]):
            if bundle.find(rendition.digest) is None:
                continue  # another profile's
            name = _name(asset, rendition)
            if names.setdefault(name.lower(), rendition.digest) != rendition.digest:
                stem, dot, extension = name.rpartition(".")
                name = f"{stem}-{rendition.digest[-12:]}{dot}{extension}"
            path = folder / name
            if not path.exists():
                with path.open("wb") as file:
                    for block in bundle.read(rendition.digest):
                        file.write(block)
                tell(name, rendition.size_bytes)
            # Of stills there are several, and each is shown.
            role = rendition.recipe if rendition.role == "still" else rendition.role
            files.setdefault(asset, {})[role] = page.AssetFile(name, rendition.size_bytes, path, rendition)
    return files


def _package(
    bundle: OpenBundle, asset: str, entry: Mapping[str, Any], folder: Path, tell: Callable[[str, int], None]
) -> dict[str, page.AssetFile]:
    """The files of an embedded package, as one; nothing if the bundle does not carry them."""
    renditions = [Rendition.from_dict(each) for each in entry["renditions"]]
    if any(bundle.find(each.digest) is None for each in renditions):
        return {}
    place = f"{EMBEDDED}/{_stem(asset)}"
    write_files(bundle, {each.package_path or "": each.digest for each in renditions}, folder / place, tell)
    size = sum(each.size_bytes for each in renditions)
    return {"package": page.AssetFile(place, size, folder / place, renditions[0])}


def _stem(asset: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", asset).strip("-")[:80] or "asset"


def _name(asset: str, rendition: Rendition) -> str:
    stem = _stem(asset)
    role = "" if rendition.role in MAIN_ROLES else f"-{re.sub(r'[^a-z]+', '', rendition.role)}"
    return f"{stem}{role}.{EXTENSIONS.get(rendition.media_type, 'bin')}"
