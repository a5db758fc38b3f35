"""An opened bundle of an imported package as a folder: its files below `content/`, and a page that says what it is made of.

What somebody else's files do when they are opened nobody here knows, so the page names them and links to none: a player opens
them where they can do no harm. Before: `unpack.py`. Names on the disk are `safe_names.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from content.bundles.open import OpenBundle
from content.packages import Manifest
from content.scorm.model import Item
from content.scorm.package import course_of, files_of
from serve_app.device import page
from serve_app.device.safe_names import safe_names

FOLDER = "content"


@dataclass(frozen=True)
class Written:
    """What was written: the languages that there is a page of, files and their bytes."""

    languages: tuple[str, ...]
    files: int
    bytes: int


def write_imported(
    bundle: OpenBundle, document: Mapping[str, Any], folder: Path, tell: Callable[[str, int], None]
) -> Written:
    """Write all files of the package and `index.html` below `folder`. Raises what reading a bundle raises."""
    manifest = Manifest(document)
    files = files_of(manifest)
    write_files(bundle, {path: file.digest for path, file in files.items()}, folder / FOLDER, tell)
    (folder / "index.html").write_text(overview(manifest), encoding="utf-8")
    return Written(manifest.languages, len(files), sum(file.size_bytes for file in files.values()))


def write_files(bundle: OpenBundle, files: Mapping[str, str], folder: Path, tell: Callable[[str, int], None]) -> None:
    """Write files (path → digest) below `folder`, under names that its disk takes."""
    for path, name in safe_names(files).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with target.open("xb") as file:
            for block in bundle.read(files[path]):
                size += file.write(block)
        tell(name, size)


def overview(manifest: Manifest) -> str:
    """A page with the title, the tree of every organization, and where each item's file is."""
    course, metadata = course_of(manifest), manifest.document["metadata"]
    language, title = metadata["language"], escape(metadata["title"][metadata["language"]])
    hrefs = {resource.identifier: resource.href for resource in course.resources}
    trees = "\n".join(
        f"<section><h2>{escape(each.title)}</h2>{_tree(each.items, hrefs)}</section>" for each in course.organizations
    )
    facts = f"SCORM {course.edition}" if course.edition[0].isdigit() else course.edition
    body = f"""<h1>{title}</h1>
<p>{escape(metadata["description"][language])}</p>
{trees}
<footer><bdi>{escape(facts)} · {escape(manifest.package_id)} version {manifest.version}</bdi></footer>"""
    return page.html_page(language, metadata["languages"][0]["direction"], title, page.style_of(metadata), body)


def _tree(items: Iterable[Item], hrefs: Mapping[str, str]) -> str:
    """Nested lists; the items are as deep as the importer's limit lets them be."""
    entries = [
        f"<li>{escape(item.title)}{_where(hrefs.get(item.resource or '', ''))}{_tree(item.children, hrefs)}</li>"
        for item in items
    ]
    return f"<ul>{''.join(entries)}</ul>" if entries else ""


def _where(href: str) -> str:
    return f" <small><bdi>{escape(href)}</bdi></small>" if href else ""
