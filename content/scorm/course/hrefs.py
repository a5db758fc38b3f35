"""Addresses inside a package: what a manifest's hrefs, bases and parameters come to. Nothing here looks at files.

A package is a tree of its own: its manifest's folder is the base, `..` ends at its root (RFC 3986, 5.2.4), and what has a
scheme or a host is not of the package. What comes out is `path?query#fragment` where a `?` or `#` in a file's own name is
written `%3F` or `%23` and everything else of the path as the file is called; `split` takes it apart again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urljoin

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_LIKE_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\])")
_IGNORED = re.compile("[\t\n\r]")  # browsers drop them anywhere, so `java\nscript:` is a scheme
_EDGES = "".join(chr(code) for code in range(0x21)) + "\x7f\xa0\ufeff\u200b"
_SIMPLE = re.compile(r"(?:[\w-][\w.-]*+/)*+[\w-][\w.-]*+")  # nearly all are: nothing in them means anything
_SIMPLE_BASE = re.compile(r"(?:[\w-][\w.-]*+/)*+")
_DOT = re.compile("%2e", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """`path` and `tail` (`?query#fragment`) of what is in the package; `url` of what is not. `odd`: what had to be forgiven."""

    kind: Literal["local", "remote", "other"]
    path: str = ""
    tail: str = ""
    url: str = ""
    odd: frozenset[Literal["outside", "absolute", "backslash"]] = frozenset()


@dataclass(frozen=True)
class Base:
    """Where relative hrefs begin. `strict`: as RFC 3986 has it; `loose`: as authors mean it who write `xml:base="content"`
    without the slash at its end."""

    strict: str = ""
    loose: str = ""

    def under(self, href: str) -> tuple[Base, Target]:
        """The base of what stands below an element with this xml:base, and what that comes to."""
        strict, loose = resolve(self.strict, href), resolve(self.loose, href)
        return Base(strict.url or strict.path, loose.url or _folder(loose.path)), strict

    def resolve(self, href: str) -> tuple[Target, ...]:
        """What it can mean, the right one first."""
        if self.strict == self.loose:
            return (resolve(self.strict, href),)
        strict, loose = resolve(self.strict, href), resolve(self.loose, href)
        return (strict,) if strict == loose else (strict, loose)


def resolve(base: str, href: str) -> Target:
    """The href against a base that is a path of the package or an address on the network."""
    if _SIMPLE.fullmatch(href) and (not base or _SIMPLE_BASE.fullmatch(base)):
        return Target("local", base[: base.rfind("/") + 1] + href)
    href = _IGNORED.sub("", href.strip(_EDGES))
    odd: set[Literal["outside", "absolute", "backslash"]] = set()
    if _DRIVE.match(href):
        odd.add("absolute")
        href = href[2:]
    scheme = _SCHEME.match(href)
    if scheme:
        remote = scheme[1].lower() in ("http", "https")
        return Target("remote" if remote else "other", url=href)
    path, tail = _cut(href)
    if "\\" in path:
        odd.add("backslash")
        path = path.replace("\\", "/")
    if path.startswith("//"):
        return Target("remote", url=path + tail)
    scheme = _SCHEME.match(base)
    if scheme and scheme[1].lower() not in ("http", "https"):
        return Target("other", url=base + path + tail)
    if scheme or base.startswith("//"):
        return Target("remote", url=urljoin(base, path + tail))
    if path.startswith("/"):
        odd.add("absolute")
    merged = path.lstrip("/") if path.startswith("/") else base[: base.rfind("/") + 1] + path if path else base
    clean, outside = _without_dots(_DOT.sub(".", merged))
    hidden = unquote(clean).replace("\\", "/")
    if ".." in hidden.split("/") or "\0" in hidden:  # `..%2f`: harmless here, not in whoever decodes it later
        clean, outside = _without_dots(hidden.replace("\0", ""))[0], True
    if outside:
        odd.add("outside")
    if _LIKE_SCHEME.match(clean):  # `./javascript:…`: no file has a colon, and whoever joins it to an address runs it
        return Target("other", url=clean + tail)
    return Target("local", clean, tail, odd=frozenset(odd))


def compose(href: str, parameters: str) -> str:
    """An item's parameters at its resource's href: SCORM 2004 CAM 3.4.1.4, but that a query goes before a fragment that is
    there already, where RFC 3986 and browsers look for it."""
    parameters = _IGNORED.sub("", parameters.strip(_EDGES)).lstrip("?&")
    if not href or not parameters:
        return href
    if parameters.startswith("#"):
        return href if "#" in href or "?" in href else href + parameters
    before, mark, fragment = href.partition("#")
    parameters, more, other = parameters.partition("#")
    joint = ("" if before.endswith(("?", "&")) else "&") if "?" in before else "?"
    return f"{before}{joint}{parameters}{mark or more}{fragment if mark else other}"


def written(path: str, tail: str) -> str:
    """A path of the archive and what follows it as one href."""
    return path.replace("?", "%3F").replace("#", "%23") + tail


def split(href: str) -> tuple[str, str]:
    """The path in the archive and what follows it, of an href of the model."""
    path, tail = _cut(href)
    return path.replace("%3F", "?").replace("%23", "#"), tail


def _cut(href: str) -> tuple[str, str]:
    end = min((at for at in (href.find("?"), href.find("#")) if at >= 0), default=len(href))
    return href[:end], href[end:]


def _folder(path: str) -> str:
    return path if not path or path.endswith("/") else path + "/"


def _without_dots(path: str) -> tuple[str, bool]:
    """Dot segments and empty ones removed; whether it tried to leave."""
    kept: list[str] = []
    outside = False
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            outside = outside or not kept
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    ends_in_folder = bool(kept) and segments[-1] in ("", ".", "..")
    return "/".join(kept) + ("/" if ends_in_folder else ""), outside
