"""The pages of an export: a skeleton that names the player's files, and nothing that runs or styles by itself.

The player fills `#app`. In packaging “unit” each page says in `data-unit` which unit it plays. What a page may load is in
its Content-Security-Policy, so that it holds where no server adds one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from content.exports.export_course import ExportCourse
from content.exports.options import Options
from content.exports.xml import in_language, text

COURSE, CAPTIONS, SCRIPT, STYLE = "course.js", "captions.js", "player.js", "player.css"
INDEX, WEB_MANIFEST, ICON = "index.html", "manifest.webmanifest", "icon.svg"
_NOSCRIPT = {
    "ar": "تحتاج هذه الدورة إلى JavaScript. فعّله في متصفحك ثم أعد تحميل الصفحة.",
    "en": "This course needs JavaScript. Switch it on in your browser and load the page again.",
    "es": "Este curso necesita JavaScript. Actívelo en su navegador y vuelva a cargar la página.",
    "fr": "Ce cours a besoin de JavaScript. Activez-le dans votre navigateur et rechargez la page.",
}
# The record store's address comes with the launch, so nobody can name it here.
_ANY_STORE = ("cmi5", "xapi")


@dataclass(frozen=True)
class Page:
    """One page; `unit` is what it plays, None for the whole course."""

    path: str
    unit: Mapping[str, Any] | None
    title: str
    html: bytes


def make_pages(course: ExportCourse, options: Options, *, captions: bool) -> tuple[Page, ...]:
    """`index.html`, or `unit-01.html` and so on in the order of the units. `captions`: whether there is a captions.js."""
    scripts = (COURSE, *((CAPTIONS,) if captions else ()), SCRIPT)
    if options.packaging == "course":
        title = text(in_language(course.metadata["title"], course.language))
        return (Page(INDEX, None, title, _skeleton(course, options, title, None, scripts)),)
    width = max(2, len(str(len(course.units))))
    pages: list[Page] = []
    for number, unit in enumerate(course.units, start=1):
        title = text(in_language(unit["title"], course.language))
        html = _skeleton(course, options, title, unit["id"], scripts)
        pages.append(Page(f"unit-{number:0{width}}.html", unit, title, html))
    return tuple(pages)


def security_policy(options: Options, *, frames: bool = False) -> str:
    """`frames`: whether there are embedded packages, which are pages of their own."""
    shown = "; frame-src 'self'" if frames else ""
    connect = "*" if options.format in _ANY_STORE else "'self'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        f"font-src 'self'; connect-src {connect}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
        f"form-action 'none'{shown}"
    )


def _skeleton(course: ExportCourse, options: Options, title: str, unit: str | None, scripts: Sequence[str]) -> bytes:
    app = options.format == "html"
    policy = security_policy(options, frames=bool(course.packages))
    return skeleton(course.language, course.direction, title, policy, scripts, app=app, unit=unit)


def skeleton(
    language: str,
    direction: str,
    title: str,
    policy: str,
    scripts: Sequence[str],
    *,
    app: bool = False,
    unit: str | None = None,
) -> bytes:
    """A page that the scripts fill; an `app` names its manifest and icon."""
    lines = [
        "<!doctype html>",
        f'<html lang="{escape(language)}" dir="{direction}"{_unit_attribute(unit)}>',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>{escape(title)}</title>",
        *([f'<link rel="manifest" href="{WEB_MANIFEST}">', f'<link rel="icon" href="{ICON}">'] if app else []),
        f'<link rel="stylesheet" href="{STYLE}">',
        *(f'<script defer src="{script}"></script>' for script in scripts),
        "</head>",
        "<body>",
        f'<main id="app"><noscript>{_noscript(language)}</noscript></main>',
        "</body>",
        "</html>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _unit_attribute(unit: str | None) -> str:
    return "" if unit is None else f' data-unit="{escape(unit)}"'


def _noscript(language: str) -> str:
    spoken = language.split("-")[0].lower()
    if spoken in _NOSCRIPT:
        return escape(_NOSCRIPT[spoken])
    return f'<p lang="en" dir="ltr">{escape(_NOSCRIPT["en"])}</p>'
