"""Paths of files as the addresses of a manifest, so that whoever reads them finds the file: escaped where XML's readers want it."""

from __future__ import annotations

from collections.abc import Container
from urllib.parse import quote

from content.scorm.course.hrefs import split

# Unreserved and harmless in a path. A colon is not among them: what stands before it would be taken for a scheme.
_PLAIN = "/-._~!$&'()*+,;=@"


def address(path: str, paths: Container[str]) -> str:
    """The address of a file: letters stay as they are, what means something in addresses is escaped (RFC 3986, 3987)."""
    escaped = "".join(each if _stays(each) else quote(each, safe="") for each in path)
    # Of two files `a b` and `a%20b`, only their own names tell them apart.
    return path if escaped != path and escaped in paths else escaped


def written_href(href: str, remote: bool, paths: Container[str]) -> str:
    """An href of the model as a manifest has it; one whose file is not there stays as it was written."""
    path, tail = split(href)
    return href if remote or path not in paths else address(path, paths) + tail


def _stays(letter: str) -> bool:
    return letter.isalnum() or (letter in _PLAIN if letter.isascii() else letter.isprintable())
