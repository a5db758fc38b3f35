"""What whoever asks for an export may choose. Every choice changes the bytes, so all of them stand in the derived id.

Before: an API request or a command line. After: `content.exports.plan.plan_export`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from content.drafts.languages import is_language_tag
from content.drafts.limits import MAX_LANGUAGES
from content.errors import ContentError
from content.media.choose import PROFILES

EXPORTER_VERSION = 1  # raised by every change of this package that changes bytes
FORMATS = ("scorm12", "scorm2004-3rd", "scorm2004-4th", "cmi5", "xapi", "html")
REPORTS = ("passed-incomplete", "passed-failed", "completed-incomplete", "completed-failed")
PACKAGINGS = ("course", "unit")
SCORM_2004 = ("scorm2004-3rd", "scorm2004-4th")
# Formats in which a learning platform shows the units itself. The other two have one page, and one packaging.
UNIT_FORMATS = ("scorm12", *SCORM_2004, "cmi5")


@dataclass(frozen=True)
class Options:
    """One export of a package version.

    `report` is what the platform is told: the word for who has done the course, and the word for who has not. `mastery`
    is the share of points (0–1) that is needed, rounded to two digits: each value is a file of its own, so there are 101;
    None takes the course's own. `languages` empty means all. Raises ContentError `export-option`.
    """

    format: str
    report: str = "completed-incomplete"
    mastery: float | None = None
    packaging: str = "course"
    languages: tuple[str, ...] = ()
    profile: str = "desktop"
    video: bool = True

    def __post_init__(self) -> None:
        _one_of("format", self.format, FORMATS)
        _one_of("report", self.report, REPORTS)
        _one_of("packaging", self.packaging, PACKAGINGS)
        _one_of("profile", self.profile, tuple(PROFILES))
        if self.packaging == "unit" and self.format not in UNIT_FORMATS:
            raise _refused(
                "packaging",
                f"“unit” is not possible with the format “{self.format}”",
                f"Use “course”, or {_listed(UNIT_FORMATS)}.",
            )
        if self.mastery is not None:
            if not _is_share(self.mastery):
                raise _refused("mastery", f"{self.mastery!r} is no share of the points", "Use a number from 0 to 1.")
            object.__setattr__(self, "mastery", abs(round(float(self.mastery), 2)))  # abs: there is but one zero
        if len(self.languages) > MAX_LANGUAGES or len(set(self.languages)) != len(self.languages):
            raise _refused("languages", "a language stands there twice, or there are too many", "Name each one once.")
        for tag in self.languages:
            if not isinstance(tag, str) or not is_language_tag(tag):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise _refused("languages", f"{tag!r} is no language tag", "Use tags such as “en” or “zh-Hant”.")

    def document(self) -> dict[str, Any]:
        """JSON with every member: equal options, equal document."""
        return {
            "format": self.format,
            "report": self.report,
            "mastery": self.mastery,
            "packaging": self.packaging,
            "languages": list(self.languages),
            "profile": self.profile,
            "video": self.video,
        }


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _one_of(member: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise _refused(member, f"there is no “{value}”", f"Use one of {_listed(allowed)}.")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _refused(member: str, why: str, remedy: str) -> ContentError:
    return ContentError("export-option", f"The option “{member}” cannot be used: {why}.", remedy)
