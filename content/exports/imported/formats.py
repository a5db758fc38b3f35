"""In which formats an imported package can be exported, and why not in the others.

What it came as it can become again; every SCORM and AICC package can be played from a site; from one family of SCORM to
another its content has to find the other one's interface, since nobody can change what others wrote. cmi5 and xAPI content
speaks to a record store, which nothing else here has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from content.errors import ContentError
from content.exports.entries import Stored
from content.exports.options import FORMATS, Options
from content.packages.manifest import Manifest
from content.scorm.model import Course, Edition

EDITIONS: Final[dict[str, Edition]] = {
    "scorm12": "1.2",
    "scorm2004-3rd": "2004-3rd",
    "scorm2004-4th": "2004-4th",
    "cmi5": "cmi5",
    "xapi": "tincan",
}
NAMES: Final[dict[Edition, str]] = {
    "1.2": "SCORM 1.2",
    "2004-2nd": "SCORM 2004 2nd edition",
    "2004-3rd": "SCORM 2004 3rd edition",
    "2004-4th": "SCORM 2004 4th edition",
    "aicc": "AICC",
    "cmi5": "cmi5",
    "tincan": "xAPI (tincan.xml)",
}
OLD, NEW = "API", "API_1484_11"
"""The interfaces of SCORM 1.2 (and of AICC) and of 2004, by the names under which content looks for them."""
_TOKENS: Final = {b"API_1484_11": NEW, b"LMSInitialize": OLD}
_SCRIPTS: Final = (".html", ".htm", ".xhtml", ".js", ".mjs")
MAX_SCRIPT_BYTES, MAX_SCRIPTS_BYTES = 16 << 20, 512 << 20
_OVERLAP: Final = max(map(len, _TOKENS)) - 1
# What was imported is as it is; only a course of ours can be told otherwise.
_FIXED: Final = {
    "report": "What the platform is told is in the package's own scripts.",
    "mastery": "The marks of an imported package are its own.",
    "packaging": "An imported package has the items that it came with.",
    "languages": "An imported package is in one language.",
    "profile": "The files of an imported package are kept as they came, so there is one size of each.",
    "video": "The pages of an imported package expect all of their files.",
}


def require_possible(
    edition: Edition, options: Options, apis: Iterable[str] | None = None, *, scos: bool = True
) -> None:
    """Raises ContentError `export-option` for an option or a format that a package of this edition does not have. `apis`: the
    interfaces that its scripts look for; None where nobody looked yet, and then nothing is refused for them. `scos`: whether
    there are pages that look for one at all."""
    plain = Options(options.format).document()
    for name, why in _FIXED.items():
        if options.document()[name] != plain[name]:
            message = f"The option “{name}” cannot be used with an imported package. {why}"
            raise ContentError("export-option", message, "Leave it out.")
    found = frozenset(apis) if apis is not None and scos else frozenset((OLD, NEW))
    possible = tuple(name for name in FORMATS if _is_possible(edition, name, found))
    if options.format not in possible:
        message = f"The package is {NAMES[edition]}. {_why_not(edition, options.format)}"
        raise ContentError("export-option", message, f"Use {' or '.join(f'“{name}”' for name in possible)}.")


def has_scos(course: Course) -> bool:
    """Whether something in it tells a platform how far it is."""
    return any(each.scorm_type == "sco" for each in course.resources)


def scripts_to_search(manifest: Manifest, course: Course, options: Options) -> tuple[Stored, ...]:
    """The files that tell whether the content finds the interface of this format; none where it need not be known."""
    needed = _needs(options.format) if options.format in EDITIONS else ""
    if not needed or not has_scos(course) or needed in _own(course.edition):
        return ()
    found = {
        file.digest: Stored(file.digest, file.size_bytes)
        for file in manifest.asset_files()
        if file.asset.lower().endswith(_SCRIPTS) and file.size_bytes <= MAX_SCRIPT_BYTES
    }
    total, taken = 0, list[Stored]()
    for each in sorted(found.values(), key=lambda each: (each.size_bytes, each.digest)):
        total += each.size_bytes
        if total <= MAX_SCRIPTS_BYTES:
            taken.append(each)
    return tuple(taken)


def interfaces_in(chunks: Iterable[bytes]) -> frozenset[str]:
    """The interfaces whose names stand in these bytes, a file's or several."""
    found: set[str] = set()
    before = b""
    for chunk in chunks:
        seen = before + chunk
        found |= {api for token, api in _TOKENS.items() if token in seen}
        before = seen[-_OVERLAP:]
    return frozenset(found)


def _is_possible(edition: Edition, name: str, apis: frozenset[str]) -> bool:
    if name == "html":
        return edition not in ("cmi5", "tincan")
    if edition in ("cmi5", "tincan") or EDITIONS[name] in ("cmi5", "tincan"):
        return edition == EDITIONS[name]
    return _needs(name) in _own(edition) | apis


def _needs(name: str) -> str:
    """The interface that a platform of this format offers."""
    return {"cmi5": "", "xapi": "", "scorm12": OLD}.get(name, NEW)


def _own(edition: Edition) -> frozenset[str]:
    """What content of its edition finds without a look at it."""
    return frozenset((NEW,) if edition.startswith("2004") else (OLD,) if edition == "1.2" else ())


def _why_not(edition: Edition, name: str) -> str:
    if edition in ("cmi5", "tincan"):
        return "Its pages tell a record store (xAPI) what was done, which the format does not have."
    if EDITIONS.get(name) in ("cmi5", "tincan"):
        return "Its pages know nothing of a record store (xAPI), to which the format speaks."
    return f"None of its scripts looks for “{_needs(name)}”, the interface of {NAMES[EDITIONS[name]]}, so they would find no platform."
