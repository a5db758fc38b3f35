"""An imported package in model values: two organizations, a tree, names of every sort, and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from content.canonical import digest
from content.packages import Manifest
from content.scorm.model import Course, Element, Item, Launch, Organization, Resource
from content.scorm.package import ImportSource, StoredFile, scorm_manifest

SOURCE = ImportSource("birds", "imp_1", digest(b"zip"), 9000, "Birds of prey.zip", "2026-11-20T10:00:00Z")
LOM = "{http://www.imsglobal.org/xsd/imsmd_rootv1p2p1}"
FILES: dict[str, bytes] = {
    "imsmanifest.xml": b"<manifest/>",
    "sco 1/index.html": b"<p>one</p>",
    "sco 1/é/Über%20uns#1.html": b"<p>two</p>",
    "shared/api.js": b"findAPI('API')",
    "shared/copy.js": b"findAPI('API')",
    "notes.txt": b"",
}


@dataclass(frozen=True)
class Told:
    """A report."""

    members: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def document(self) -> Mapping[str, Any]:
        return self.members


TOLD = Told(
    {
        "accepted": True,
        "sandbox": "runsc",
        "tool": {"name": "Storyline", "version": "3"},
        "warnings": ({"code": "file-unlisted", "place": "notes.txt", "message": "It is not listed."},),
        "offline": (),
    }
)


def course(**changes: Any) -> Course:
    items = (
        Item(
            "i1", "One & <b>", "r1", parameters="?a=1&b=2", mastery_score="80",
            extras=(Element(f"{LOM}lom", (), "", (Element(f"{LOM}general"),)),),
        ),
        Item("i2", "Folder", None, children=(Item("i3", "Two", "r2", visible=False, prerequisites="i1"),)),
    )  # fmt: skip
    members: dict[str, Any] = {
        "edition": "1.2",
        "identifier": "birds",
        "title": "Birds of prey",
        "manifest": "imsmanifest.xml",
        "organizations": (Organization("o1", "Birds", items), Organization("o2", "Other", (Item("i4", "One", "r1"),))),
        "default": "o1",
        "resources": (
            Resource(
                "r1", scorm_type="sco", href="sco 1/index.html", files=("sco 1/index.html",), dependencies=("shared",)
            ),
            Resource(
                "r2", scorm_type="sco", href="sco 1/é/Über%20uns%231.html?x=y#z", files=("sco 1/é/Über%20uns#1.html",)
            ),
            Resource("shared", files=("shared/api.js", "shared/copy.js")),
        ),
        "launches": (
            Launch("o1", "i1", "One & <b>", "sco 1/index.html?a=1&b=2"),
            Launch("o1", "i3", "Two", "sco 1/é/Über%20uns%231.html?x=y#z"),
        ),
        "language": "de-CH",
        "description": "About birds.",
        "keywords": ("owl",),
    }
    return Course(**(members | changes))


def stored(files: Mapping[str, bytes | StoredFile]) -> dict[str, StoredFile]:
    return {
        path: file if isinstance(file, StoredFile) else StoredFile(digest(file), len(file))
        for path, file in files.items()
    }


def manifest(
    of: Course | None = None, files: Mapping[str, bytes | StoredFile] | None = None, version: int = 1, **changes: Any
) -> Manifest:
    values: dict[str, Any] = {
        "tenant": "acme", "package_id": "pkg_1", "version": version, "source": SOURCE, "course": of or course(),
        "report": TOLD, "files": stored(FILES if files is None else files),
    }  # fmt: skip
    return scorm_manifest(**(values | changes))
