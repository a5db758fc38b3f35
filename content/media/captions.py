"""Captions of any make to one plain WebVTT.

Takes WebVTT or SRT as authors' tools write them. Gives cues in order of time, with nothing but text and the few tags
below: no styles, regions or positions, which could hide text or load files.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from content.errors import ContentError

MAX_BYTES = 4 << 20
GUESSED = "windows-1252"
OVERLAP_SLACK_S = 0.05  # what rounding to frames and hundredths leaves between two cues that follow each other
_MAX_FOREIGN_SHARE = 0.3  # of letters beyond ASCII in a text of Western Europe
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-{{2,3}}>\s*{_TIME}.*")
_TAG = re.compile(r"</?([A-Za-z]*)[^<>]*>")
_KEPT = frozenset({"i", "b", "u", "ruby", "rt"})
_REMEDY = "Save the captions as WebVTT or SRT in UTF-8."


@dataclass(frozen=True)
class Captions:
    """Normalised WebVTT, when its last cue ends, how many cues it has, and the encoding it came in. `overlaps`: when each
    cue begins that begins while an earlier one is still shown."""

    webvtt: bytes
    end_s: float
    cues: int
    encoding: str
    overlaps: tuple[float, ...] = ()


def to_webvtt(data: bytes) -> bytes:
    """Normalised WebVTT. Raises as `read_captions`."""
    return read_captions(data).webvtt


def read_captions(data: bytes) -> Captions:
    """Any captions, normalised. Raises ContentError `captions-unreadable` with what is wrong and where."""
    # Here and not above: every sandbox loads this module before its job, and few jobs are captions.
    import webvtt
    from webvtt.errors import MalformedCaptionError, MalformedFileError

    if len(data) > MAX_BYTES:
        raise ContentError("captions-unreadable", f"The captions are larger than {MAX_BYTES >> 20} MiB.", _REMEDY)
    text, encoding = _decode(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    try:
        cues = list(cast("Any", webvtt).from_buffer(io.StringIO(_regular(text)), format="vtt"))
        lines = sorted({_cue(cue) for cue in cues if _seconds(cue.end) >= _seconds(cue.start)})
    except (MalformedFileError, MalformedCaptionError, ValueError) as error:
        raise ContentError("captions-unreadable", f"The captions cannot be read: {error}.", _REMEDY) from error
    lines = [line for line in lines if line[2]]
    if not lines:
        raise ContentError("captions-unreadable", "The captions hold no text.", _REMEDY)
    body = "\n".join(f"{start} --> {end}\n{words}\n" for start, end, words in lines)
    end_s = max(_seconds(end) for _, end, _ in lines)
    times = [(_seconds(start), _seconds(end)) for start, end, _ in lines]
    return Captions(f"WEBVTT\n\n{body}".encode(), end_s, len(lines), encoding, tuple(_overlaps(times)))


def _overlaps(times: list[tuple[float, float]]) -> Iterator[float]:
    """The beginnings of cues, given in order, that lie before the end of one that came earlier."""
    until = 0.0
    for start, end in sorted(times):
        if until - start > OVERLAP_SLACK_S:
            yield start
        until = max(until, end)


def _decode(data: bytes) -> tuple[str, str]:
    encoding = _utf16(data) or "utf-8-sig"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        guess = _western(data)
        if guess is None:
            message = f"The captions are not UTF-8 (byte {error.start})."
            raise ContentError("captions-unreadable", message, _REMEDY) from error
        return guess, GUESSED


def _utf16(data: bytes) -> str | None:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    # Without a mark: digits, colons and line ends are ASCII, so every second byte of many is zero.
    head = data[:400]
    for name, at in (("utf-16-le", 1), ("utf-16-be", 0)):
        if len(head) >= 8 and head[at::2].count(0) > len(head) // 4:
            return name
    return None


def _western(data: bytes) -> str | None:
    """The text as older Windows programs of Western Europe write it, or None if it does not read like that."""
    if any(byte < 32 and byte not in b"\t\n\r" for byte in data):
        return None
    try:
        text = data.decode(GUESSED)
    except UnicodeDecodeError:
        return None
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not letter.isascii() for letter in letters)
    return text if letters and foreign <= _MAX_FOREIGN_SHARE * len(letters) else None


def _regular(text: str) -> str:
    """The same cues as WebVTT with regular times, each after an empty line; an SRT's numbers become cue names."""
    lines = text.lstrip("\ufeff \n").split("\n")
    if lines[0].startswith("WEBVTT"):
        lines[0] = "WEBVTT"
    else:
        lines = ["WEBVTT", "", *lines]
    return "\n".join(_lines(lines)) + "\n"


def _lines(lines: list[str]) -> Iterator[str]:
    before = ""
    for index, line in enumerate(lines):
        timing = _TIMING.fullmatch(line)
        if timing:
            if before.strip() and not _names_a_cue(before):
                yield ""
            yield f"{_time(timing.groups()[:4])} --> {_time(timing.groups()[4:])}"
        else:
            following = lines[index + 1] if index + 1 < len(lines) else ""
            if _names_a_cue(line) and _TIMING.fullmatch(following) and before.strip():
                yield ""
            yield line
        before = line


def _names_a_cue(line: str) -> bool:
    return line.strip().isdigit()


def _time(parts: tuple[str | None, ...]) -> str:
    hours, minutes, seconds, fraction = parts
    return f"{int(hours or 0):02}:{int(minutes or 0):02}:{int(seconds or 0):02}.{(fraction or '').ljust(3, '0')}"


def _seconds(time: str) -> float:
    # webvtt-py's own `end_in_seconds` leaves the fraction out.
    hours, minutes, seconds = str(time).split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _cue(cue: Any) -> tuple[str, str, str]:
    body = _TAG.sub(lambda tag: _tag(tag[0], tag[1].lower()), cue.raw_text)
    body = "\n".join(line.strip() for line in body.replace("-->", "→").split("\n") if line.strip())
    return str(cue.start), str(cue.end), body


def _tag(whole: str, name: str) -> str:
    if name not in _KEPT:
        return ""
    return f"</{name}>" if whole.startswith("</") else f"<{name}>"
