"""Addresses on the network that a page, style or script of a package uses, found by reading it as text.

Nothing is executed and no tree is built: a few expressions, each linear in the text (bounded or possessive repeats), over at
most so much of a file as the caller hands in. What a page names in a tag it needs (`sure`); what stands in a script as text it
may load. Plain links are counted and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["script", "style", "image", "media", "font", "frame", "data", "applet", "link"]
MARKUP = ("html", "htm", "xhtml", "svg")


@dataclass(frozen=True)
class Use:
    """`address` begins with a scheme or with `//`."""

    kind: Kind
    address: str
    line: int
    sure: bool


_SCRIPT = re.compile(r"<script\b[^<>]{0,4000}>", re.I)
_TAG = re.compile(
    r"<(script|link|img|image|input|source|video|audio|track|iframe|frame|embed|object|applet|a|area|body|table|td)\b([^<>]{0,4000})",
    re.I,
)
_ATTRIBUTE = re.compile(
    r"([a-z][a-z:-]{0,30}+)\s{0,20}+=\s{0,20}+(?:\"([^\"]{0,4000}+)\"|'([^']{0,4000}+)'|([^\s\"'>]{1,4000}+))", re.I
)
_REMOTE = re.compile(r"(?:https?:|wss?:)?//[^\s\"'<>()\\/]{1,255}[.:\]][^\s\"'<>\\]{0,1000}", re.I)
_CSS = re.compile(
    r"(@import\s{0,20}+(?:url\(\s{0,20}+)?|url\(\s{0,20}+)[\"']?((?:https?:)?//[^\s\"')<>]{3,1000})", re.I
)
_QUOTED = re.compile(r"([\"'`])((?:https?:|wss?:)?//[^\s\"'`<>\\]{3,1000}+)[\"'`]", re.I)
_CALLED = re.compile(
    r"(?:(importScripts|import|Worker)|fetch|WebSocket|EventSource|getJSON|ajax|open\([\"'](?:GET|HEAD|POST|PUT)|\bsrc)[\s(\"',:=A-Z]{0,40}$"
)
_COMMENT_LINE = re.compile(r"\s{0,80}(?://|/?\*)")
_BEFORE, _COMMENT = 60, 500

_BY_TAG: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "script": ("script", ("src",)), "img": ("image", ("src", "srcset")), "image": ("image", ("href", "xlink:href")),
    "input": ("image", ("src",)), "source": ("media", ("src",)), "video": ("media", ("src", "poster")), "audio": ("media", ("src",)),
    "track": ("media", ("src",)), "iframe": ("frame", ("src",)), "frame": ("frame", ("src",)), "embed": ("frame", ("src",)),
    "object": ("frame", ("data",)), "applet": ("applet", ("codebase", "archive", "code")), "a": ("link", ("href",)),
    "area": ("link", ("href",)), "body": ("image", ("background",)), "table": ("image", ("background",)),
    "td": ("image", ("background",)),
}  # fmt: skip
_NEEDED_LINKS: dict[str, Kind] = {
    "stylesheet": "style", "icon": "image", "preload": "data", "modulepreload": "script", "manifest": "data",
    "apple-touch-icon": "image",
}  # fmt: skip
_ENDINGS: dict[Kind, str] = {
    "script": "js mjs", "style": "css", "image": "png jpg jpeg gif svg webp avif", "font": "woff woff2 ttf otf eot",
    "media": "mp4 m4v webm mp3 m4a ogg wav m3u8 mpd vtt mov flv", "data": "json swf",
}  # fmt: skip
_BY_ENDING: dict[str, Kind] = {ending: kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
# Where films and exercises are shown in a frame; the part after the host is asked for, too, since the hosts alone are in
# every library.
_FRAMED = re.compile(
    r"//(?:www\.)?(?:youtube(?:-nocookie)?\.com/(?:embed/|watch\?)|youtu\.be/\w|player\.vimeo\.com/video/|vimeo\.com/\d"
    r"|fast\.wistia\.(?:net|com)/embed|[\w-]+\.wistia\.com/medias|dailymotion\.com/embed|players\.brightcove\.net/\d"
    r"|w\.soundcloud\.com/player|view\.genial\.?ly|[\w-]+\.h5p\.com/content|docs\.google\.com/(?:forms|presentation)"
    r"|forms\.office\.com/|[\w-]+\.typeform\.com/to)",
    re.I,
)
# Players for films of others that libraries load when there is such a film, and only then.
_IN_LIBRARIES = re.compile(r"//(?:www\.)?(?:youtube\.com/(?:iframe|player)_api|player\.vimeo\.com/api|f\.vimeocdn\.com)", re.I)  # fmt: skip
_NAMESPACES = re.compile(r"//(?:www\.)?(?:w3\.org|purl\.org|imsglobal\.org|adlnet\.(?:org|gov)|ltsc\.ieee\.org)/", re.I)


class _Lines:
    """The lines of places that come in order."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 1

    def of(self, at: int) -> int:
        self._line += self._text.count("\n", self._at, at)
        self._at = max(self._at, at)
        return self._line


def used(text: str, ending: str) -> Iterator[Use]:
    """What a file of this ending uses; the same address may come more than once."""
    if ending == "css":
        yield from _in_css(text)
    elif ending in MARKUP:
        text = without(text, "<!--", "-->")
        yield from _in_css(text)
        yield from _in_tags(text, sure=True)
        yield from _in_script(text, scripts(text))
    else:
        text = text.replace("\\/", "/").replace('\\"', '"')
        yield from _in_tags(text, sure=False)
        yield from _in_script(text, iter(((0, len(text)),)))


def scripts(text: str) -> Iterator[tuple[int, int]]:
    """Where the scripts of a page begin and end."""
    at = 0
    while found := _SCRIPT.search(text, at):
        end = text.find("</script", found.end())
        at = len(text) if end < 0 else end
        yield found.end(), at


def without(text: str, begin: str, end: str) -> str:
    """The text with what stands between these marks blanked, line by line, so that places stay what they are."""
    parts: list[str] = []
    at = 0
    while (found := text.find(begin, at)) >= 0 and (close := text.find(end, found + len(begin))) >= 0:
        close += len(end)
        parts += (text[at:found], re.sub(r"[^\n]", " ", text[found:close]))
        at = close
    return "".join((*parts, text[at:])) if parts else text


def host(address: str) -> str:
    """The host of an address, in lower case."""
    return address.partition("//")[2].partition("/")[0].partition("?")[0].rpartition("@")[2].lower()


def _in_tags(text: str, *, sure: bool) -> Iterator[Use]:
    lines = _Lines(text)
    for tag in _TAG.finditer(text):
        if "//" not in tag[2]:
            continue
        attributes = {name.lower(): one or two or three for name, one, two, three in _ATTRIBUTE.findall(tag[2])}
        name = tag[1].lower()
        if name == "link":
            kinds: list[Kind] = [
                _NEEDED_LINKS[each] for each in attributes.get("rel", "").lower().split() if each in _NEEDED_LINKS
            ]
            found: list[tuple[Kind, str]] = [(kinds[0], "href")] if kinds else []
        else:
            kind, names = _BY_TAG[name]
            found = [(kind, each) for each in names]
        for kind, each in found:
            for address in _remote(attributes.get(each, "")):
                yield Use(kind, address, lines.of(tag.start()), sure)


def _remote(value: str) -> Iterator[str]:
    """The addresses in an attribute, which begins with one; in a `srcset` others follow."""
    for part in value.strip().split(", "):
        if found := _REMOTE.match(part.strip()):
            yield found[0]


def _in_css(text: str) -> Iterator[Use]:
    lines = _Lines(text)
    for found in _CSS.finditer(text):
        before = max(0, found.start() - _COMMENT)
        commented = text.rfind("/*", before, found.start()) > text.rfind("*/", before, found.start())
        if not commented and not _NAMESPACES.search(found[2]):
            kind = "style" if found[1].startswith("@") else _BY_ENDING.get(_ending(found[2]), "image")
            yield Use(kind, found[2], lines.of(found.start()), True)


def _in_script(text: str, places: Iterator[tuple[int, int]]) -> Iterator[Use]:
    lines = _Lines(text)
    for begin, end in places:
        for found in _QUOTED.finditer(text, begin, end):
            kind = _loaded(found[2], text[max(begin, found.start() - _BEFORE) : found.start() + 1])
            line = text.rfind("\n", max(begin, found.start() - 300), found.start()) + 1
            if kind is not None and _COMMENT_LINE.match(text, line, found.start()) is None:
                yield Use(kind, found[2], lines.of(found.start()), False)


def _loaded(address: str, before: str) -> Kind | None:
    """What a script seems to load when it names an address; None where nothing says that it loads it."""
    if "." not in host(address) or _NAMESPACES.search(address) or _IN_LIBRARIES.search(address):
        return None
    if _FRAMED.search(address):
        return "frame"
    called = _CALLED.search(before)
    return _BY_ENDING.get(_ending(address)) or (("script" if called[1] else "data") if called else None)


def _ending(address: str) -> str:
    path = address.partition("//")[2].partition("?")[0].partition("#")[0]
    return path.rpartition(".")[2].lower() if "/" in path else ""
