"""What in a package will not work on a device without a network, or in today's browsers: findings for its author.

Files are judged by their names and sizes, and pages, styles and scripts by what stands in the first `TEXT_BYTES` of each (of
all together `ALL_BYTES`). Nothing here refuses a package, and not finding anything is no promise: a script can build an address.
"""

from __future__ import annotations

import re

from content.scorm.addresses import MARKUP, Kind, host, used
from content.scorm.findings import Finding
from content.scorm.model import Course
from content.scorm.sightings import BY_ENDING, FEATURES, LARGE_FILE_BYTES, Group, Sightings

TEXT_BYTES = 2 << 20
ALL_BYTES = 64 << 20
READ = (*MARKUP, "js", "mjs", "css", "json", "xml")
_BY_FILE = {ending: code for code, (endings, _, _) in BY_ENDING.items() for ending in endings.split()}
# In lower case.
_SIGNS = {
    "java": ("<applet", "application/x-java-applet"),
    "flash": ("application/x-shockwave-flash", "clsid:d27cdb6e"),
    "popup": ("window.open(", "window.open ("),
}
_SUSPEND = re.compile(
    r"cmi\.suspend_data[\"']\s{0,20}+,\s{0,20}+(?:\"([^\"\\\n]{0,200000}+)\"|'([^'\\\n]{0,200000}+)')"
)


class Offline:
    """Takes a package's files one by one; `findings` tells what it came to. `edition` may stay unknown."""

    def __init__(self, course: Course | None = None) -> None:
        self._course, self._sightings, self._left = course, Sightings(), ALL_BYTES

    def name(self, path: str, size: int) -> int:
        """Take note of a file; returns how many of its first bytes `text` wants to see."""
        ending = _ending(path)
        self._sightings.total += size
        if size > LARGE_FILE_BYTES:
            self._sightings.large.append((size, path))
        if code := _BY_FILE.get(ending):
            self._sightings.note(code, path)
        if ending not in READ or path.lower().endswith(("imsmanifest.xml", "tincan.xml", "cmi5.xml")):
            return 0
        wanted = min(size, TEXT_BYTES, self._left)
        self._left -= wanted
        self._sightings.cut += wanted < size
        return wanted

    def text(self, path: str, data: bytes) -> None:
        """Look into a page, style or script."""
        text, ending = as_text(data), _ending(path)
        if "//" in text or "\\/\\/" in text:
            for use in used(text, ending):
                place = f"{path}:{use.line}"
                self._use(use.kind, use.address, place, path, sure=use.sure)
        if ending == "css":
            return
        lower = text.lower()
        for code, words in _SIGNS.items():
            at = min((at for word in words if (at := lower.find(word)) >= 0), default=-1)
            if at >= 0:
                self._sightings.note(code, f"{path}:{lower.count(chr(10), 0, at) + 1}")
        for feature, word in FEATURES.items():
            if word in text:
                self._sightings.note(f"feature {feature}", path)
        self._sightings.hacp = self._sightings.hacp or "aicc_sid" in lower
        self._sightings.api = self._sightings.api or "lmsinitialize" in lower
        for found in _SUSPEND.finditer(text) if "cmi.suspend_data" in text else ():
            self._sightings.suspend = max(self._sightings.suspend, len(found[1] or found[2] or ""))

    def findings(self) -> tuple[Finding, ...]:
        """All that was found, the gravest first."""
        return self._sightings.findings(self._course)

    def _use(self, kind: Kind, address: str, place: str, path: str, *, sure: bool) -> None:
        if kind == "link":
            if len(self._sightings.links) < 100_000:
                self._sightings.links.add(address)
                self._sightings.link_hosts.add(host(address))
            return
        if kind == "applet":
            self._sightings.note("java", place)
        key = kind, host(address)
        if key not in self._sightings.groups and len(self._sightings.groups) >= 2000:
            return
        group = self._sightings.groups.setdefault(key, Group(address, place, sure))
        if sure and not group.sure:
            group.address, group.place, group.sure = address, place, True
        if len(group.addresses) < 10_000:
            group.addresses.add(address)
            group.files.add(path)


def as_text(data: bytes) -> str:
    """As text in which ASCII is right, whatever the encoding: all that is looked for is ASCII."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("latin-1")


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()
