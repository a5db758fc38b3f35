"""Captions of any make to one plain WebVTT.

Takes WebVTT or SRT as UTF-8 or UTF-16. Gives cues in order of time, with nothing but text and the few tags below: no
styles, regions or positions, which could hide text or load files.
"""

from __future__ import annotations

import io
import re
from typing import Any, cast

import webvtt
from webvtt.errors import MalformedCaptionError, MalformedFileError

from content.errors import ContentError

MAX_BYTES = 4 << 20
_TAG = re.compile(r"</?([A-Za-z]*)[^<>]*>")
_KEPT = frozenset({"i", "b", "u", "ruby", "rt"})
_REMEDY = "Save the captions as WebVTT or SRT in UTF-8."


def to_webvtt(data: bytes) -> bytes:
    """Normalised WebVTT. Raises ContentError `captions-unreadable` with what is wrong and where."""
    if len(data) > MAX_BYTES:
        raise ContentError("captions-unreadable", f"The captions are larger than {MAX_BYTES >> 20} MiB.", _REMEDY)
    text = _decode(data).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    form = "vtt" if text.lstrip("\ufeff \n").startswith("WEBVTT") else "srt"
    try:
        cues = list(cast("Any", webvtt).from_buffer(io.StringIO(text), format=form))
        lines = sorted({_cue(cue) for cue in cues if cue.end_in_seconds >= cue.start_in_seconds})
    except (MalformedFileError, MalformedCaptionError, ValueError) as error:
        raise ContentError("captions-unreadable", f"The captions cannot be read: {error}.", _REMEDY) from error
    if not any(body for _, _, body in lines):
        raise ContentError("captions-unreadable", "The captions hold no text.", _REMEDY)
    return ("WEBVTT\n\n" + "\n".join(f"{start} --> {end}\n{body}\n" for start, end, body in lines if body)).encode()


def _decode(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ContentError(
            "captions-unreadable", f"The captions are not UTF-8 (byte {error.start}).", _REMEDY
        ) from error


def _cue(cue: Any) -> tuple[str, str, str]:
    body = _TAG.sub(lambda tag: _tag(tag[0], tag[1].lower()), cue.raw_text)
    body = "\n".join(line.strip() for line in body.replace("-->", "→").split("\n") if line.strip())
    return str(cue.start), str(cue.end), body


def _tag(whole: str, name: str) -> str:
    if name not in _KEPT:
        return ""
    return f"</{name}>" if whole.startswith("</") else f"<{name}>"
