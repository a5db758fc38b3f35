"""Every finding that a quality report can hold: how heavy it is, why it counts, and what to do.

`error`: fails a criterion of WCAG 2.2 at level A or AA for certain, or something will not work. `warning`: probably does, or
a learner will be annoyed. `advice`: worth a thought. Problems that drafts and media are warned of have their row here too:
a test walks the source for codes without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")


@dataclass(frozen=True)
class Rule:
    """`reason`: a success criterion of WCAG 2.2, or in a word what else suffers. `advice`: what to do, as a sentence."""

    code: str
    severity: Severity
    reason: str
    advice: str


_NON_TEXT = "WCAG 1.1.1 Non-text Content (A)"
_ONLY = "WCAG 1.2.1 Audio-only and Video-only (A)"
_CAPTIONS = "WCAG 1.2.2 Captions (A)"
_DESCRIBED = "WCAG 1.2.3 Audio Description or Media Alternative (A)"
_STRUCTURE = "WCAG 1.3.1 Info and Relationships (A)"
_CONTRAST = "WCAG 1.4.3 Contrast (AA)"
_NON_TEXT_CONTRAST = "WCAG 1.4.11 Non-text Contrast (AA)"
_LINKS = "WCAG 2.4.4 Link Purpose (A)"
_HEADINGS = "WCAG 2.4.6 Headings and Labels (AA)"
_LANGUAGE = "WCAG 3.1.2 Language of Parts (AA)"
_TRANSLATION, _FILES, _SIZE, _TRACKING, _LICENCE, _DRAFT = (
    "Translation",
    "Media",
    "Size",
    "Tracking",
    "Licence",
    "Draft",
)

_ROWS = (
    # What is seen, for those who do not see it
    Rule("alt-missing", "error", _NON_TEXT, "Say in “alt” what the picture shows, or mark it as decorative."),
    Rule("alt-file-name", "warning", _NON_TEXT, "Say what the picture shows; a file's name says nothing."),
    Rule(
        "alt-long", "advice", _NON_TEXT, "Say the gist in a sentence, and the rest in a caption or the text beside it."
    ),
    Rule("logo-alt-missing", "error", _NON_TEXT, "Say in “logo_alt” whose logo it is."),
    Rule("film-silent", "warning", _ONLY, "Say in a transcript what the film shows."),
    Rule("film-transcript-missing", "advice", _DESCRIBED, "Add a transcript that also says what is to be seen."),
    # What is heard, for those who do not hear it
    Rule("captions-missing", "error", _CAPTIONS, "Add captions as WebVTT or SRT."),
    Rule("captions-language", "warning", _CAPTIONS, "Add captions in the language of the course."),
    Rule("captions-overlap", "warning", _CAPTIONS, "End each cue where the next begins."),
    Rule("captions-late", "warning", _CAPTIONS, "See whether these captions belong to this film."),
    Rule("captions-encoding", "warning", _CAPTIONS, "Save the captions as UTF-8."),
    Rule("transcript-missing", "error", _ONLY, "Add a transcript, or captions."),
    # Colours
    Rule("contrast-low", "error", _CONTRAST, "Choose a darker text or a lighter background, or the other way round."),
    Rule("contrast-accent-low", "warning", _NON_TEXT_CONTRAST, "Choose an accent that stands out from the background."),
    # Reading order
    Rule("heading-skipped", "warning", _STRUCTURE, "Go down one level at a time: no ### right under a #."),
    Rule("heading-empty", "error", _STRUCTURE, "Write the heading, or take it out."),
    Rule("heading-long", "advice", _HEADINGS, "Shorten the heading; what is a paragraph need not be a heading."),
    Rule("link-empty", "error", _LINKS, "Write between the brackets where the link leads."),
    Rule("link-vague", "warning", _LINKS, "Let the link's own words say where it leads."),
    Rule("table-headers-missing", "warning", _STRUCTURE, "Make the first row or column a row or column of headers."),
    # Languages
    Rule("language-tag", "warning", _LANGUAGE, "Use a tag such as “en” or “zh-Hant” in “lang”."),
    Rule("language-script", "warning", _LANGUAGE, "See whether the text stands under the right language."),
    Rule("translation-missing", "warning", _TRANSLATION, "Translate the text, or promise fewer languages."),
    Rule("translation-same", "advice", _TRANSLATION, "See whether the text was forgotten when it was translated."),
    # Sizes and tracking
    Rule("course-large", "warning", _SIZE, "Shorten or split films, or the course: learners pay for their network."),
    Rule("film-large", "warning", _SIZE, "Cut the film into parts, or leave out what is not needed."),
    Rule("picture-large", "advice", _SIZE, "Crop it, or choose a picture with less small detail."),
    Rule("suspend-scorm12", "warning", _TRACKING, "Split the course, or ask fewer questions with written answers."),
    Rule("suspend-scorm2004", "error", _TRACKING, "Split the course: no SCORM platform can save where learners are."),
    # Licences
    Rule("licence-missing", "warning", _LICENCE, "Write down under which licence the file may be used."),
    Rule("licence-unknown", "advice", _LICENCE, "Use an SPDX id or the address of a Creative Commons licence."),
    Rule("credit-missing", "warning", _LICENCE, "Name who made it, as the licence demands."),
    Rule("licence-non-commercial", "warning", _LICENCE, "Take another file, or a licence for the course that fits."),
    Rule("licence-no-derivatives", "advice", _LICENCE, "See that it is shown whole: it may not be passed on changed."),
    # Files, and what of a draft could not be used
    Rule("video-4k", "advice", _FILES, "Upload the film in 1080p: it builds faster and looks the same."),
    Rule("video-long", "advice", _FILES, "Cut the film into parts of a few minutes."),
    Rule("media-incomplete", "warning", _FILES, "Upload the file again."),
    Rule("svg-reduced", "warning", _FILES, "See how the drawing looks now."),
    Rule("pdf-unreadable", "warning", _FILES, "Open the file and see whether it is whole and without a password."),
    Rule("image-small", "warning", _FILES, "Upload the picture at its full size."),
    Rule("markup-removed", "warning", _DRAFT, "See whether the text still says what it should."),
    Rule("formula-unreadable", "warning", _DRAFT, "Write the formula in plain LaTeX."),
    Rule("unknown-field", "advice", _DRAFT, "Take the field out, or see how it is spelled."),
    Rule("asset-unused", "advice", _DRAFT, "Take the file out, or use it."),
    Rule("assistant-missing", "warning", _DRAFT, "Publish the course again."),
    Rule("more-problems", "warning", _DRAFT, "Mend what is listed first."),
)
RULES: dict[str, Rule] = {row.code: row for row in _ROWS}


def table() -> str:
    """The rules as the table of docs/quality.md."""
    rows = [f"| `{row.code}` | {row.severity} | {row.reason} | {row.advice} |" for row in _ROWS]
    return "\n".join(("| code | weight | why | what to do |", "|---|---|---|---|", *rows))
