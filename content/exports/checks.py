"""What can be seen of an export before anybody opens it: each check reads the finished bytes, not what made them.

A check is a function from `Made` to a `Check`. `failed` is a fault of ours, or of a player that was built only in part;
`warning` is something the course's author should know; `not-run` says that what it needs was not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from content.exports.course import ExportCourse
from content.exports.options import Options
from content.exports.schemas import schema_errors
from content.exports.suspend import LIMITS, worst_case
from content.exports.xml import etree

PASSED, FAILED, WARNING, NOT_RUN = "passed", "failed", "warning", "not-run"
MAX_PATH_CHARS = 120
_PORTABLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_REMOTE = re.compile(
    r"""(?:src|href|poster|data)\s*=\s*["']?\s*(?:[a-z][a-z0-9+.-]*:)?//|url\(\s*["']?\s*(?:[a-z]+:)?//|@import""", re.I
)
_LOADING = re.compile(r"<\s*(?:img|script|iframe|object|embed|link|audio|video|source|style|base|form)\b", re.I)
_XS_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Check:
    name: str
    result: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "result": self.result, "detail": self.detail}


@dataclass(frozen=True)
class Made:
    """An export but for its passport: every path, and the bytes of what is not a rendition. `manifest` is the path of the
    format's manifest (None for html), `roots` the schemas it must agree with."""

    course: ExportCourse
    options: Options
    paths: frozenset[str]
    files: Mapping[str, bytes]
    manifest: str | None
    schemas: Mapping[str, bytes]
    roots: Sequence[tuple[str, str]]
    unlisted: frozenset[str]


def run_checks(made: Made) -> tuple[Check, ...]:
    """All checks, in a fixed order."""
    return tuple(check(made) for check in (_names, _listed, _identifiers, _schema, _links, _inline, _remote, _suspend))


def _judged(name: str, faults: Sequence[str], good: str) -> Check:
    if not faults:
        return Check(name, PASSED, good)
    more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
    return Check(name, FAILED, "; ".join(faults[:5]) + more)


def _names(made: Made) -> Check:
    odd = [path for path in sorted(made.paths) if not _PORTABLE.fullmatch(path) or len(path) > MAX_PATH_CHARS]
    odd += [path for path in sorted(made.paths) if path != path.lower() and path.lower() in made.paths]
    return _judged("file-names", odd, f"{len(made.paths)} names that every system and archive can hold.")


def _listed(made: Made) -> Check:
    """Every file is named by the manifest, and every file it names is there."""
    named, whole = _named(made)
    faults = [f"“{path}” is named but not there" for path in sorted(named - made.paths)]
    if whole:
        faults += [f"“{path}” is there but not named" for path in sorted(made.paths - named - made.unlisted)]
    return _judged("files-listed", faults, f"{len(named)} files are named, and all of them are there.")


def _named(made: Made) -> tuple[set[str], bool]:
    """What the format's own list names, and whether it has to name all."""
    if made.manifest is None:
        script = made.files["precache.js"].decode()
        return set(json.loads(script.removeprefix("self.precache = ").rstrip(";\n"))["paths"]), True
    root = etree.fromstring(made.files[made.manifest])
    if made.manifest == "imsmanifest.xml":
        return {each.get("href") for each in root.iter("{*}file", "{*}resource") if each.get("href")}, True
    return {each.text for each in root.iter("{*}url", "{*}launch")}, False


def _identifiers(made: Made) -> Check:
    name = "identifiers"
    if made.manifest is None:
        return Check(name, PASSED, "The format has none.")
    root = etree.fromstring(made.files[made.manifest])
    found = [each.get("identifier") or each.get("id") for each in root.iter("{*}*")]
    ids = [each for each in found if each]
    faults = [f"“{each}” stands twice" for each in sorted({each for each in ids if ids.count(each) > 1})]
    if made.manifest == "imsmanifest.xml":
        faults += [f"“{each}” is no xs:ID" for each in ids if not _XS_ID.fullmatch(each)]
        pointing = [each.get("identifierref") for each in root.iter("{*}*") if each.get("identifierref")]
        faults += [f"“{each}” is not there" for each in sorted(set(pointing) - set(ids))]
    return _judged(name, faults, f"{len(ids)} identifiers, each once.")


def _schema(made: Made) -> Check:
    name = "schema"
    if made.manifest is None or not made.roots:
        return Check(name, NOT_RUN, "There is no schema for this format.")
    missing = [file for _, file in made.roots if file not in made.schemas]
    if missing:
        return Check(name, NOT_RUN, f"The player was built without {', '.join(missing)}.")
    faults = schema_errors(made.files[made.manifest], made.schemas, made.roots)
    files = ", ".join(file for _, file in made.roots)
    return _judged(name, faults, f"The manifest agrees with {files}.")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.inline: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, value in attrs:
            if name in ("src", "href") and value:
                self.targets.append(value)
            if name == "style" or name.startswith("on"):
                self.inline.append(f"<{tag} {name}>")

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.inline.append(f"<{self._tag}>")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


def _pages(made: Made) -> Iterator[tuple[str, _Tags]]:
    for path in sorted(made.files):
        if path.endswith(".html"):
            tags = _Tags()
            tags.feed(made.files[path].decode())
            yield path, tags


def _links(made: Made) -> Check:
    """course.js and the pages name what is there; what is there is named by one of them."""
    script = made.files["course.js"].decode()
    document = json.loads(script.removeprefix("globalThis.course = ").rstrip(";\n"))
    named = {each["path"] for asset in document["assets"].values() for each in asset["renditions"]}
    faults = [f"course.js names “{path}”, which is not there" for path in sorted(named - made.paths)]
    media = {path for path in made.paths if path.startswith("media/")}
    faults += [f"“{path}” is there, and nothing shows it" for path in sorted(media - named)]
    for page, tags in _pages(made):
        faults += [f"{page} names “{each}”, which is not there" for each in tags.targets if each not in made.paths]
    faults += [f"nothing is known of “{asset}”" for asset in sorted(_used(document) - set(document["assets"]))]
    return _judged("links", faults, f"{len(named)} media files and the files of each page are there.")


def _used(document: Mapping[str, Any]) -> set[str]:
    blocks = [block for unit in document["structure"]["units"] for block in unit["blocks"]]
    named = {block[name] for block in blocks for name in ("asset", "poster") if block.get(name)}
    return named | {track["asset"] for block in blocks for track in block.get("captions") or ()}


def _inline(made: Made) -> Check:
    faults = [f"{page} has {each}" for page, tags in _pages(made) for each in tags.inline]
    for page, _ in _pages(made):
        if b"Content-Security-Policy" not in made.files[page]:
            faults.append(f"{page} has no security policy")
    return _judged("no-inline-code", faults, "No page has script, style or handlers of its own.")


def _remote(made: Made) -> Check:
    """Nothing that is loaded lies elsewhere. Links that a learner may follow are no such thing."""
    faults: list[str] = []
    for path, data in sorted(made.files.items()):
        if path.endswith((".html", ".css", ".svg", ".webmanifest")):
            faults += [f"{path}: {each[:60]}" for each in _REMOTE.findall(data.decode())]
    for unit in made.course.units:
        for block in unit["blocks"]:
            faults += [f"the block “{block['id']}”: {each[:60]}" for each in _loading(block)]
    return _judged("no-remote-files", faults, "Pages, styles and texts load nothing from elsewhere.")


def _loading(value: Any, member: str = "") -> Iterator[str]:
    """Elements in a block's HTML (html, prompt, transcript) that would load something."""
    if isinstance(value, Mapping):
        for name, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            inherited = member if member in ("html", "prompt", "transcript") else str(name)  # pyright: ignore[reportUnknownArgumentType]
            yield from _loading(each, inherited)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _loading(each, member)
    elif isinstance(value, str) and member in ("html", "prompt", "transcript"):
        yield from _LOADING.findall(value)


def _suspend(made: Made) -> Check:
    name, document = "suspend-data", made.course.document
    units = [unit["id"] for unit in made.course.units] if made.options.packaging == "unit" else [None]
    longest = max(worst_case(document, unit) for unit in units)
    limit = LIMITS.get(made.options.format)
    if limit is None:
        return Check(name, PASSED, f"At most {longest} characters; the format sets no limit.")
    if longest <= limit:
        return Check(name, PASSED, f"At most {longest} of {limit} characters.")
    detail = (
        f"What a learner answers can need {longest} characters, and a platform has to keep only {limit}. "
        "Then the longest answers are not kept from one visit to the next."
    )
    return Check(name, WARNING, detail)
