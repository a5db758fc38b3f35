"""What in a package will not work on a device without a network, or in today's browsers: findings for its author.

Files are judged by their names and sizes, and pages, styles and scripts by what stands in the first `TEXT_BYTES` of each (of
all together `ALL_BYTES`). Nothing here refuses a package, and not finding anything is no promise: a script can build an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from content.scorm.addresses import MARKUP, Kind, host, used
from content.scorm.findings import Finding, Findings
from content.scorm.model import Course, Edition
from content.scorm.shown import shown

MIB = 1 << 20
TEXT_BYTES = 2 * MIB
ALL_BYTES = 64 * MIB
LARGE_FILE_BYTES = 100 * MIB
LARGE_PACKAGE_BYTES = 500 * MIB
READ = (*MARKUP, "js", "mjs", "css", "json", "xml")
_MOST_HOSTS = 20

# code → (endings, what they are, what follows)
_BY_ENDING = {
    "flash": ("swf", "Flash", "No browser plays Flash any more; publish the course again as HTML5."),
    "java": ("jar class jnlp", "Java applets", "No browser runs these any more; what they did will be missing."),
    "silverlight": ("xap", "Silverlight", "No browser runs Silverlight any more; publish the course again as HTML5."),
    "server-page": (
        "php phtml asp aspx jsp jspx cfm cgi",
        "pages that a server must run",
        "Neither a device nor this service runs them; save what they give as HTML.",
    ),
    "old-media": (
        "wmv wma avi flv f4v rm rmvb ram mpg mpeg 3gp asf",
        "film or sound in old formats",
        "Most browsers do not play them; convert them to MP4 or MP3.",
    ),
    "program-file": (
        "exe msi bat cmd scr ps1 vbs hta lnk dmg pkg apk",
        "programs",
        "A browser does not start them, and many a school's scanner stops the course because of them.",
    ),
}
_BY_FILE = {ending: code for code, (endings, _, _) in _BY_ENDING.items() for ending in endings.split()}

# One, several, and what follows.
_WORDS: dict[Kind, tuple[str, str, str]] = {
    "script": ("a script", "scripts", "what scripts do will be missing"),
    "style": ("a style sheet", "style sheets", "pages will look different"),
    "image": ("a picture", "pictures", "pictures will be missing"),
    "media": ("a film or sound", "films or sounds", "nothing will play there"),
    "font": ("a font", "fonts", "texts will look different"),
    "frame": ("an embedded page", "embedded pages", "there will be an empty place"),
    "data": ("a file", "files", "what depends on it will not work"),
    "applet": ("an applet", "applets", "nothing will run there"),
}
_FEATURES = {
    "geolocation": "navigator.geolocation", "camera or microphone": "getUserMedia", "notifications": "Notification.requestPermission",
    "Bluetooth": "navigator.bluetooth", "USB": "navigator.usb", "MIDI": "requestMIDIAccess", "a service worker": "serviceWorker.register",
    "motion sensors": "DeviceMotionEvent",
}  # fmt: skip
# In lower case.
_SIGNS = {
    "java": ("<applet", "application/x-java-applet"),
    "flash": ("application/x-shockwave-flash", "clsid:d27cdb6e"),
    "popup": ("window.open(", "window.open ("),
}
_SUSPEND = re.compile(
    r"cmi\.suspend_data[\"']\s{0,20}+,\s{0,20}+(?:\"([^\"\\\n]{0,200000}+)\"|'([^'\\\n]{0,200000}+)')"
)
_SUSPEND_MOST: dict[Edition, int] = {
    "1.2": 4096, "aicc": 4096, "2004-2nd": 4000, "2004-3rd": 64000, "2004-4th": 64000,
}  # fmt: skip


@dataclass
class _Group:
    """Uses of one kind from one host: the first, how many addresses, in how many files."""

    address: str
    place: str
    sure: bool
    addresses: set[str] = field(default_factory=set[str])
    files: set[str] = field(default_factory=set[str])


@dataclass
class _Seen:
    """Files that show one thing: the first place, how many."""

    place: str
    count: int = 1


class Offline:
    """Takes a package's files one by one; `findings` tells what it came to. `edition` may stay unknown."""

    def __init__(self, course: Course | None = None) -> None:
        self._course = course
        self._edition = course.edition if course else None
        self._groups: dict[tuple[Kind, str], _Group] = {}
        self._seen: dict[str, _Seen] = {}
        self._links: set[str] = set()
        self._link_hosts: set[str] = set()
        self._hacp = self._api = False
        self._left, self._cut = ALL_BYTES, 0
        self._large: list[tuple[int, str]] = []
        self._total = self._suspend = 0

    def name(self, path: str, size: int) -> int:
        """Take note of a file; returns how many of its first bytes `text` wants to see."""
        ending = _ending(path)
        self._total += size
        if size > LARGE_FILE_BYTES:
            self._large.append((size, path))
        if code := _BY_FILE.get(ending):
            self._note(code, path)
        if ending not in READ or path.lower().endswith(("imsmanifest.xml", "tincan.xml", "cmi5.xml")):
            return 0
        wanted = min(size, TEXT_BYTES, self._left)
        self._left -= wanted
        self._cut += wanted < size
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
                self._note(code, f"{path}:{lower.count(chr(10), 0, at) + 1}")
        for feature, word in _FEATURES.items():
            if word in text:
                self._note(f"feature {feature}", path)
        self._hacp = self._hacp or "aicc_sid" in lower
        self._api = self._api or "lmsinitialize" in lower
        for found in _SUSPEND.finditer(text) if "cmi.suspend_data" in text else ():
            self._suspend = max(self._suspend, len(found[1] or found[2] or ""))

    def findings(self) -> tuple[Finding, ...]:
        """All that was found, the gravest first."""
        found = Findings(most=_MOST_HOSTS)
        for code, place, message in (*self._of_course(), *self._of_hosts(), *self._of_files(), *self._of_sizes()):
            found.warn(code, place, message)
        return found.all_warnings()

    def _note(self, code: str, place: str) -> None:
        if code in self._seen:
            self._seen[code].count += 1
        else:
            self._seen[code] = _Seen(place)

    def _use(self, kind: Kind, address: str, place: str, path: str, *, sure: bool) -> None:
        if kind == "link":
            if len(self._links) < 100_000:
                self._links.add(address)
                self._link_hosts.add(host(address))
            return
        if kind == "applet":
            self._note("java", place)
        key = kind, host(address)
        if key not in self._groups and len(self._groups) >= 2000:
            return
        group = self._groups.setdefault(key, _Group(address, place, sure))
        if sure and not group.sure:
            group.address, group.place, group.sure = address, place, True
        if len(group.addresses) < 10_000:
            group.addresses.add(address)
            group.files.add(path)

    def _of_course(self) -> Iterator[tuple[str, str, str]]:
        if self._course is None:
            return
        place, remote = self._course.manifest, [each for each in self._course.resources if each.remote and each.href]
        if remote:
            told = _also([shown(each.href, 100) for each in remote], "other address")
            yield (
                "remote-launch",
                place,
                f"What is opened lies on the network: {told}. Without a network it cannot be opened.",
            )
        if self._edition == "aicc" and self._hacp and not self._api:
            yield (
                "aicc-hacp",
                place,
                "The content reports to its platform by HTTP alone (AICC's HACP). This service plays AICC through the API only, "
                "so results will not be recorded.",
            )
        most = _SUSPEND_MOST.get(self._course.edition, 0)
        if most and self._suspend > most:
            yield (
                "suspend-data-long",
                place,
                f"The content saves a state of {self._suspend:,} characters; this edition promises room for {most:,}. On some "
                "platforms learners will start again from the beginning.",
            )

    def _of_hosts(self) -> Iterator[tuple[str, str, str]]:
        insecure = {
            name: group for (_, name), group in self._groups.items() if group.address.lower().startswith("http:")
        }
        for (kind, name), group in sorted(self._groups.items(), key=lambda each: not each[1].sure):
            one, several, then = _WORDS[kind]
            what = one if len(group.addresses) == 1 else f"{len(group.addresses)} {several}"
            needs = f"The content takes {what} from {name}" if group.sure else f"The content names {what} at {name}"
            spread = f", in {len(group.files)} files" if len(group.files) > 1 else ""
            if_so = "Without a network" if group.sure else "If it loads that, then without a network"
            message = f"{needs}{spread}: {shown(group.address, 120)}. {if_so} {then}; what is needed belongs into the package."
            yield f"remote-{kind}", group.place, message
        if insecure:
            first = next(iter(insecure.values()))
            told = _also(list(insecure), "other host")
            yield (
                "mixed-content",
                first.place,
                f"Addresses that begin with http: are used ({told}). Browsers block them on a page that came by https, also online.",
            )

    def _of_files(self) -> Iterator[tuple[str, str, str]]:
        for code, (_, what, then) in _BY_ENDING.items():
            if code in self._seen:
                yield code, self._seen[code].place, f"The package has {what}{_in(self._seen[code])}. {then}"
        if "popup" in self._seen:
            seen = self._seen["popup"]
            yield (
                "popup",
                seen.place,
                f"Scripts open windows of their own{_in(seen)}. Phones and players often block these; what they show may be missing.",
            )
        for feature in _FEATURES:
            if (seen := self._seen.get(f"feature {feature}")) is not None:
                yield (
                    "device-feature",
                    seen.place,
                    f"The content asks for {feature}{_in(seen)}, which players do not give it.",
                )
        if self._links:
            count = len(self._links)
            links = "There is a link" if count == 1 else f"There are {count} links"
            sites = _also(sorted(self._link_hosts), "other site")
            yield "links-out", "", f"{links} to {sites}: what lies there opens with a network only."

    def _of_sizes(self) -> Iterator[tuple[str, str, str]]:
        for size, path in sorted(self._large, reverse=True):
            yield (
                "large-file",
                path,
                f"This file has {size / 1e6:,.0f} MB. Every device fetches it whole; a smaller one is kinder.",
            )
        if self._total > LARGE_PACKAGE_BYTES:
            yield (
                "large-package",
                "",
                f"All files together have {self._total / 1e6:,.0f} MB, which is much for a phone.",
            )
        if self._cut:
            yield "not-read-whole", "", f"{self._cut} large pages or scripts were looked at in part only."


def _in(seen: _Seen) -> str:
    return f" (in {seen.count} files)" if seen.count > 1 else ""


def _also(names: Iterable[str], rest: str) -> str:
    first, *more = names
    plural = "es" if rest.endswith("s") else "s"
    return f"{first} and {len(more)} {rest}{plural if len(more) > 1 else ''}" if more else first


def as_text(data: bytes) -> str:
    """As text in which ASCII is right, whatever the encoding: all that is looked for is ASCII."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("latin-1")


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()
