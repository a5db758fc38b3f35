"""A plain page of an opened course, one per language: enough to see that all of it is there. Not the player.

Works from `file://`, runs no script, and forbids all by its content security policy but the files beside it. Texts that
the manifest holds as HTML were sanitised when the package was built and are signed since; everything else is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from content.media.renditions import Rendition
from serve_app.device import page_blocks

COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}")


@dataclass(frozen=True)
class AssetFile:
    """A rendition in the folder `assets/` of the opened course."""

    name: str
    size_bytes: int
    path: Path
    rendition: Rendition


Files = Mapping[str, Mapping[str, AssetFile]]
"""Asset id → role → file."""

STYLE = """
:root{--text:%s;--background:%s;--accent:%s}
body{color:var(--text);background:var(--background);font:1rem/1.6 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem}
nav a{margin-inline-end:1rem}a{color:var(--accent)}
img,video{max-width:100%%;height:auto;display:block}audio{width:100%%}
figure{margin:1.5rem 0}figcaption,footer,small{font-size:.85rem;opacity:.8}
section.quiz{border-inline-start:.25rem solid var(--accent);padding-inline-start:1rem}
.absent{border:1px dashed;border-radius:.25rem;padding:.25rem .75rem}
.correct::after{content:" ✓";color:var(--accent);font-weight:bold}
pre{white-space:pre-wrap}footer{border-top:1px solid;margin-top:3rem;overflow-wrap:anywhere}
"""


def write_pages(manifest: Mapping[str, Any], files: Files, folder: Path) -> dict[str, str]:
    """`index.html` in the course's own language and `index.<tag>.html` in each other; returns tag → file name."""
    metadata = manifest["metadata"]
    languages = [(each["tag"], each["direction"]) for each in metadata["languages"]]
    names = {
        tag: "index.html" if tag == metadata["language"] else f"index.{re.sub(r'[^A-Za-z0-9-]', '-', tag)}.html"
        for tag, _ in languages
    }
    for tag, direction in languages:
        text = _page(manifest, files, tag, direction, names)
        (folder / names[tag]).write_text(text, encoding="utf-8")
    return names


def without_files(manifest: Mapping[str, Any], files: Files) -> list[Mapping[str, Any]]:
    """The units of which the bundle lacks something, in the order of the course."""
    return [unit for unit in manifest["structure"]["units"] if _lacks(unit, files)]


def _page(manifest: Mapping[str, Any], files: Files, tag: str, direction: str, names: Mapping[str, str]) -> str:
    metadata = manifest["metadata"]
    speak = page_blocks.Speaker(tag, metadata["language"])
    style = style_of(metadata)
    title = escape(speak(metadata["title"]))
    units = "\n".join(
        f"<section><h2>{escape(speak(unit['title']))}</h2>\n{_missing(unit, files)}"
        + "\n".join(page_blocks.block(block, files, speak) for block in unit["blocks"])
        + "</section>"
        for unit in manifest["structure"]["units"]
    )
    body = f"""<nav>{_switch(names, tag)}</nav>
<h1>{title}</h1>
<p>{escape(speak(metadata["description"]))}</p>
{_left_out(manifest, files, speak)}{units}
<footer>{_credits(manifest)}</footer>"""
    return html_page(tag, direction, title, style, body)


def html_page(tag: str, direction: str, title: str, style: str, body: str) -> str:
    """A page that loads nothing but its own style and the files beside it; `title` and `body` are HTML."""
    return f"""<!doctype html>
<html lang="{escape(tag)}" dir="{"rtl" if direction == "rtl" else "ltr"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _left_out(manifest: Mapping[str, Any], files: Files, speak: page_blocks.Speaker) -> str:
    """Which units a bundle that was made to fit a small device does not hold."""
    names = [speak(unit["title"]) for unit in without_files(manifest, files)]
    listed = "".join(f"<li>{escape(name)}</li>" for name in names)
    return f'<aside class="absent"><p>Not in this bundle:</p><ul>{listed}</ul></aside>\n' if names else ""


def _missing(unit: Mapping[str, Any], files: Files) -> str:
    if not _lacks(unit, files):
        return ""
    return '<p class="absent"><small>Pictures, films or files of this unit are not in this bundle.</small></p>\n'


def _lacks(unit: Mapping[str, Any], files: Files) -> bool:
    return any(not files.get(block["asset"]) for block in unit["blocks"] if "asset" in block)


def _policy(style: str) -> str:
    """Nothing but our own style and the files beside the page (`file:` is what 'self' means to nobody on disk)."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' file:; media-src 'self' file: data:; "
        "base-uri 'none'; form-action 'none'"
    )


def style_of(metadata: Mapping[str, Any]) -> str:
    """The page's style in the course's colours, or plain ones."""
    return STYLE % _colours(metadata)


def _colours(metadata: Mapping[str, Any]) -> tuple[str, str, str]:
    given: Mapping[str, Any] = (metadata.get("theme") or {}).get("colours") or {}
    plain = {"text": "#1b1f24", "background": "#ffffff", "accent": "#0b5cad"}
    text, background, accent = (
        value if isinstance(value := given.get(name), str) and COLOUR.fullmatch(value) else otherwise
        for name, otherwise in plain.items()
    )
    return text, background, accent


def _switch(names: Mapping[str, str], here: str) -> str:
    return " ".join(
        f"<strong>{escape(tag)}</strong>"
        if tag == here
        else f'<a href="{escape(name)}" lang="{escape(tag)}" hreflang="{escape(tag)}">{escape(tag)}</a>'
        for tag, name in names.items()
    )


def _credits(manifest: Mapping[str, Any]) -> str:
    """Who made it and under which licence: the course, then each asset that says so."""
    metadata = manifest["metadata"]
    authors = ", ".join(author["name"] for author in metadata["authors"])
    lines = [f"{authors} · {metadata['license'] or ''} · {manifest['package_id']} version {manifest['version']}"]
    for asset, entry in manifest["assets"].items():
        facts = [asset, *(entry[name] for name in ("credit", "license", "source_url") if entry.get(name))]
        lines.append(" · ".join(facts))
    return "<br>\n".join(f"<bdi>{escape(line)}</bdi>" for line in lines)
