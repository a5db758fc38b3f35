"""Pages, styles and texts of an export: what they name is there, nothing in them runs, nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from content.exports.check import Check, Made, judged

_REMOTE = re.compile(
    r"""(?:src|href|poster|data)\s*=\s*["']?\s*(?:[a-z][a-z0-9+.-]*:)?//|url\(\s*["']?\s*(?:[a-z]+:)?//|@import""", re.I
)
_LOADING = re.compile(r"<\s*(?:img|script|iframe|object|embed|link|audio|video|source|style|base|form)\b", re.I)


class Tags(HTMLParser):
    """What a page names, and what in it runs or styles by itself."""

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


def _pages(made: Made) -> Iterator[tuple[str, Tags]]:
    for path in sorted(made.files):
        if path.endswith(".html"):
            yield path, page_tags(made.files[path])


def page_tags(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    return tags


def check_links(made: Made) -> Check:
    """course.js and the pages name what is there; what is there is named by one of them."""
    script = made.files["course.js"].decode()
    document = json.loads(script.removeprefix("globalThis.course = ").rstrip(";\n"))
    named = {each["path"] for asset in document["assets"].values() for each in asset["renditions"]}
    faults = [f"course.js names “{path}”, which is not there" for path in sorted(named - made.paths)]
    media = {path for path in made.paths if path.startswith("media/")}
    faults += [f"“{path}” is there, and nothing shows it" for path in sorted(media - named)]
    for page, tags in _pages(made):
        folder = page[: page.rfind("/") + 1]
        missing = [each for each in tags.targets if f"{folder}{each}" not in made.paths]
        faults += [f"{page} names “{each}”, which is not there" for each in missing]
    faults += [f"nothing is known of “{asset}”" for asset in sorted(_used(document) - set(document["assets"]))]
    return judged("links", faults, f"{len(named)} media files and the files of each page are there.")


def _used(document: Mapping[str, Any]) -> set[str]:
    blocks = [block for unit in document["structure"]["units"] for block in unit["blocks"]]
    named = {block[name] for block in blocks for name in ("asset", "poster") if block.get(name)}
    return named | {track["asset"] for block in blocks for track in block.get("captions") or ()}


def check_inline(made: Made) -> Check:
    faults = [fault for page, _ in _pages(made) for fault in inline_faults(page, made.files[page])]
    return judged("no-inline-code", faults, "No page has script, style or handlers of its own.")


def inline_faults(path: str, page: bytes) -> Iterator[str]:
    """What in a page a strict policy would stop, and whether it has such a policy."""
    yield from (f"{path} has {each}" for each in page_tags(page).inline)
    if b"Content-Security-Policy" not in page:
        yield f"{path} has no security policy"


def check_remote(made: Made) -> Check:
    """Nothing that is loaded lies elsewhere. Links that a learner may follow are no such thing."""
    faults: list[str] = []
    for path, data in sorted(made.files.items()):
        if path.endswith((".html", ".css", ".svg", ".webmanifest")):
            faults += [f"{path}: {each[:60]}" for each in _REMOTE.findall(data.decode())]
    for unit in made.course.units:
        for block in unit["blocks"]:
            faults += [f"the block “{block['id']}”: {each[:60]}" for each in _loading(block)]
    return judged("no-remote-files", faults, "Pages, styles and texts load nothing from elsewhere.")


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
