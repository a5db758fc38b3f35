"""What was seen in a package that matters offline, and the sentences that tell its author. Before: `offline`, which looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from content.scorm.addresses import Kind
from content.scorm.findings import Finding, Findings
from content.scorm.model import Course, Edition
from content.scorm.shown import shown

MIB = 1 << 20
LARGE_FILE_BYTES = 100 * MIB
LARGE_PACKAGE_BYTES = 500 * MIB
_MOST_HOSTS = 20

# code → (endings, what they are, what follows)
BY_ENDING = {
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
# What is asked for, and the word that scripts ask with.
FEATURES = {
    "geolocation": "navigator.geolocation", "camera or microphone": "getUserMedia", "notifications": "Notification.requestPermission",
    "Bluetooth": "navigator.bluetooth", "USB": "navigator.usb", "MIDI": "requestMIDIAccess", "a service worker": "serviceWorker.register",
    "motion sensors": "DeviceMotionEvent",
}  # fmt: skip
_SUSPEND_MOST: dict[Edition, int] = {
    "1.2": 4096, "aicc": 4096, "2004-2nd": 4000, "2004-3rd": 64000, "2004-4th": 64000,
}  # fmt: skip


@dataclass
class Group:
    """Uses of one kind from one host: the first, its addresses, and the files in which they stand."""

    address: str
    place: str
    sure: bool
    addresses: set[str] = field(default_factory=set[str])
    files: set[str] = field(default_factory=set[str])


@dataclass
class Seen:
    """Files that show one thing: the first place, how many."""

    place: str
    count: int = 1


@dataclass
class Sightings:
    """`seen`: by code, or `feature …`. `hacp`, `api`: whether a script speaks so with its platform. `suspend`: characters of the
    longest saved state that stands in a script. `cut`: files of which a part was looked at."""

    groups: dict[tuple[Kind, str], Group] = field(default_factory=dict[tuple[Kind, str], Group])
    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])
    links: set[str] = field(default_factory=set[str])
    link_hosts: set[str] = field(default_factory=set[str])
    large: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    hacp: bool = False
    api: bool = False
    suspend: int = 0
    total: int = 0
    cut: int = 0

    def note(self, code: str, place: str) -> None:
        if code in self.seen:
            self.seen[code].count += 1
        else:
            self.seen[code] = Seen(place)

    def findings(self, course: Course | None) -> tuple[Finding, ...]:
        """The gravest first."""
        found = Findings(most=_MOST_HOSTS)
        for code, place, message in (
            *self._of_course(course),
            *self._of_hosts(),
            *self._of_files(),
            *self._of_sizes(),
        ):
            found.warn(code, place, message)
        return found.all_warnings()

    def _of_course(self, course: Course | None) -> Iterator[tuple[str, str, str]]:
        if course is None:
            return
        place, remote = course.manifest, [each for each in course.resources if each.remote and each.href]
        if remote:
            told = _also([shown(each.href, 100) for each in remote], "other address")
            yield (
                "remote-launch",
                place,
                f"What is opened lies on the network: {told}. Without a network it cannot be opened.",
            )
        if course.edition == "aicc" and self.hacp and not self.api:
            yield (
                "aicc-hacp",
                place,
                "The content reports to its platform by HTTP alone (AICC's HACP). This service plays AICC through the API only, "
                "so results will not be recorded.",
            )
        most = _SUSPEND_MOST.get(course.edition, 0)
        if most and self.suspend > most:
            yield (
                "suspend-data-long",
                place,
                f"The content saves a state of {self.suspend:,} characters; this edition promises room for {most:,}. On some "
                "platforms learners will start again from the beginning.",
            )

    def _of_hosts(self) -> Iterator[tuple[str, str, str]]:
        insecure = {
            name: group for (_, name), group in self.groups.items() if group.address.lower().startswith("http:")
        }
        for (kind, name), group in sorted(self.groups.items(), key=lambda each: not each[1].sure):
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
        for code, (_, what, then) in BY_ENDING.items():
            if code in self.seen:
                yield code, self.seen[code].place, f"The package has {what}{_in(self.seen[code])}. {then}"
        if "popup" in self.seen:
            seen = self.seen["popup"]
            yield (
                "popup",
                seen.place,
                f"Scripts open windows of their own{_in(seen)}. Phones and players often block these; what they show may be missing.",
            )
        for feature in FEATURES:
            if (seen := self.seen.get(f"feature {feature}")) is not None:
                yield (
                    "device-feature",
                    seen.place,
                    f"The content asks for {feature}{_in(seen)}, which players do not give it.",
                )
        if self.links:
            count = len(self.links)
            links = "There is a link" if count == 1 else f"There are {count} links"
            sites = _also(sorted(self.link_hosts), "other site")
            yield "links-out", "", f"{links} to {sites}: what lies there opens with a network only."

    def _of_sizes(self) -> Iterator[tuple[str, str, str]]:
        for size, path in sorted(self.large, reverse=True):
            yield (
                "large-file",
                path,
                f"This file has {size / 1e6:,.0f} MB. Every device fetches it whole; a smaller one is kinder.",
            )
        if self.total > LARGE_PACKAGE_BYTES:
            yield (
                "large-package",
                "",
                f"All files together have {self.total / 1e6:,.0f} MB, which is much for a phone.",
            )
        if self.cut:
            yield "not-read-whole", "", f"{self.cut} large pages or scripts were looked at in part only."


def _in(seen: Seen) -> str:
    return f" (in {seen.count} files)" if seen.count > 1 else ""


def _also(names: Iterable[str], rest: str) -> str:
    first, *more = names
    plural = "es" if rest.endswith("s") else "s"
    return f"{first} and {len(more)} {rest}{plural if len(more) > 1 else ''}" if more else first
