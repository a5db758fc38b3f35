"""Which file a manifest means, although it writes its name another way than the zip does.

Each step is tried alone and on top of the steps before it, the surest first; the path given back is the archive's own. Real
manifests need all of them: percent-encoded hrefs, backslashes, other case, decomposed letters, names in a DOS code page.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import unquote, unquote_to_bytes

from content.scorm.archive.charsets import CODECS
from content.scorm.archive.entry import Entry, Found, How

MAX_HREF = 4096


class Lookup:
    """Tables for one archive; made at the first reference that is not a path as it stands."""

    def __init__(self, entries: Mapping[str, Entry], root: str) -> None:
        self._entries = entries
        self._root = root
        self._by_case = {caseless(path): path for path in entries}
        self._by_name: dict[bytes, str] = {}
        depth = root.count("/")
        for path, entry in entries.items():
            if not entry.name.isascii():
                for name in (entry.name.replace(b"\\", b"/"), entry.name):
                    self._by_name[b"/".join(name.split(b"/")[depth:])] = path

    def find(self, href: str) -> Found | None:
        if len(href) > MAX_HREF or _encoded(href, "utf-8") is None:
            return None
        texts = [href]
        for how, change in self._steps():
            for text in tuple(texts):
                changed = change(text)
                if changed in self._entries:
                    return Found(changed, how)
                if changed not in texts:
                    texts.append(changed)
        for text in texts:
            if (path := self._by_case.get(caseless(text))) is not None:
                return Found(path, "case")
        return self._by_bytes(texts) if self._by_name else None

    def _steps(self) -> tuple[tuple[How, Callable[[str], str]], ...]:
        return (
            ("decoded", unquote),
            ("backslash", lambda text: text.replace("\\", "/")),
            ("relative", straightened),
            ("relative", lambda text: text.removeprefix(self._root)),
            ("form", lambda text: unicodedata.normalize("NFC", text)),
        )

    def _by_bytes(self, texts: list[str]) -> Found | None:
        """By the bytes that the name would have in some character set: one of the two was written or guessed wrong."""
        for text in texts:
            for name in (unquote_to_bytes(text), *(_encoded(text, codec) for codec in CODECS)):
                if name is not None and (path := self._by_name.get(name)) is not None:
                    return Found(path, "encoding")
        return None


def straightened(text: str) -> str:
    """A path without empty and dot segments, as a browser reads it; unchanged if it leaves the root."""
    kept: list[str] = []
    for segment in text.strip().split("/"):
        if segment == "..":
            if not kept:
                return text
            kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    return "/".join(kept)


def caseless(text: str) -> str:
    """Equal for paths that differ in case or Unicode form only (Unicode 3.13, canonical caseless match)."""
    if text.isascii():
        return text.lower()
    normal = unicodedata.normalize
    return normal("NFC", normal("NFD", text).casefold())


def _encoded(text: str, codec: str) -> bytes | None:
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None
