"""What a file is by its first bytes, where its name or sender says otherwise, in words an author knows.

Only formats that are not taken stand here, so that each can be refused by name and with a way out. Before: the file as
it came. After: the parsers, which see nothing that was named here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from content.errors import ContentError
from content.media.probe import Kind

HEAD_BYTES = 4096

_AS_PICTURE = "Export it as JPEG, PNG, WebP or SVG and upload it anew."
_AS_FILM = "Export it as MP4 (H.264 with AAC) and upload it anew."
_AS_SOUND = "Export it as M4A, MP3 or WAV and upload it anew."
_WAYS_OUT = {"image": _AS_PICTURE, "video": _AS_FILM, "audio": _AS_SOUND}


@dataclass(frozen=True)
class Stranger:
    """A format that is not taken: its name in a sentence, and what to do if that is not the usual way out."""

    name: str
    remedy: str = ""


_HEIC = Stranger("a HEIC picture, as iPhones make", "Export it as JPEG and upload it anew.")
_RAW = Stranger("a camera's raw picture", "Develop it and export it as JPEG, then upload that.")
_FILM = Stranger("a film", "Use it in a video block, or upload a picture of it.")
_PLAYLIST = Stranger("a list of other files, which holds no film or sound itself")
_PDF = Stranger("a PDF document", "Export the page as a picture, or offer the PDF in a file block.")

# ISO 14496-12 §4.3: the major brand of a file that begins with an `ftyp` box.
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), _HEIC),
    b"crx ": _RAW,
}
# HEIF's structural brands: only the compatible brands tell AVIF from HEIC.
_STRUCTURAL = (b"mif1", b"msf1", b"mif2", b"miaf")
_PICTURES = {
    b"8BPS": Stranger("a Photoshop document"),
    b"\x00\x00\x01\x00": Stranger("an icon (ICO)"),
    b"\x00\x00\x02\x00": Stranger("a cursor (CUR)"),
    b"\xff\x0a": Stranger("a JPEG XL picture"),
    b"\x00\x00\x00\x0cJXL ": Stranger("a JPEG XL picture"),
    b"\x00\x00\x00\x0cjP  ": Stranger("a JPEG 2000 picture"),
    b"\xff\x4f\xff\x51": Stranger("a JPEG 2000 picture"),
    b"%!PS": Stranger("a PostScript picture (EPS)"),
    b"\xc5\xd0\xd3\xc6": Stranger("a PostScript picture (EPS)"),
    b"FUJIFILMCCD-RAW": _RAW,
    b"IIU\x00": _RAW,
    b"IIRO": _RAW,
    b"IIRS": _RAW,
    b"MMOR": _RAW,
    b"\x00MRM": _RAW,
    b"FOVb": _RAW,
    b"gimp xcf": Stranger("a GIMP document"),
    b"\x1aE\xdf\xa3": _FILM,
    b"FLV\x01": _FILM,
}
_ANYWHERE = {
    b"%PDF-": _PDF,
    b"PK\x03\x04": Stranger("a ZIP archive or an office document", "Upload the file that is inside of it."),
    b"Rar!": Stranger("a RAR archive", "Upload the file that is inside of it."),
    b"7z\xbc\xaf\x27\x1c": Stranger("a 7-Zip archive", "Upload the file that is inside of it."),
    b"\x1f\x8b": Stranger("a compressed file (gzip)", "Unpack it and upload what is inside."),
    b"\x7fELF": Stranger("a program"),
    b"MZ\x90\x00": Stranger("a program"),
    b"{\\rtf": Stranger("a text document (RTF)"),
    b"\xd0\xcf\x11\xe0": Stranger("an office document"),
}
_TEXTS = (
    (b"#extm3u", _PLAYLIST),
    (b"ffconcat", _PLAYLIST),
    (b"[playlist]", _PLAYLIST),
    (b"<smil", _PLAYLIST),
    (b"<mpd", _PLAYLIST),
    (b"<!doctype html", Stranger("a web page", "Open the page and download the file itself.")),
    (b"<html", Stranger("a web page", "Open the page and download the file itself.")),
    (b"<?xpacket", Stranger("only the metadata of a file (XMP)")),
)
_STILLS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP"}


def refuse_strangers(head: bytes, kind: Kind, asset: str) -> None:
    """Judge a file by its first HEAD_BYTES. Raises ContentError `media-unsupported` if they show a format that is not
    taken for this kind; `media-unreadable` if there are none."""
    if kind not in _WAYS_OUT:
        return
    if not head.strip(b"\0"):
        why = "is empty" if not head else "holds nothing but zeros"
        raise ContentError("media-unreadable", f"“{asset}” {why}.", "Upload it anew.")
    for stranger in _strangers(head, kind):
        remedy = stranger.remedy or _WAYS_OUT[kind]
        raise ContentError("media-unsupported", f"“{asset}” is {stranger.name}, which is not taken here.", remedy)


def is_pdf(head: bytes) -> bool:
    """Whether this begins as a PDF does: readers take the mark anywhere in the first 1024 bytes."""
    return b"%PDF-" in head[:1024]


def is_svg(head: bytes) -> bool:
    """Whether this begins as an SVG picture does, in whatever encoding."""
    text = _text(head)
    if not text.startswith((b"<?xml", b"<svg", b"<!--", b"<!doctype svg")):
        return False
    return b"<svg" in text or b":svg" in text or b"<!doctype svg" in text


def _strangers(head: bytes, kind: Kind) -> Iterator[Stranger]:
    for table in (_ANYWHERE, _PICTURES) if kind == "image" else (_ANYWHERE,):
        yield from (stranger for start, stranger in table.items() if head.startswith(start))
    if head[4:8] == b"ftyp":
        yield from _by_brand(head, kind)
    if head[:4] in (b"II*\0", b"MM\0*") and head[8:10] == b"CR":
        yield _RAW
    if kind == "image" and head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        yield _FILM
    text = _text(head)
    yield from (stranger for start, stranger in _TEXTS if text.startswith(start))
    if kind != "image":
        if b"#extm3u" in text[:512]:
            yield _PLAYLIST
        if is_svg(head):
            yield Stranger("a picture (SVG)", "Use it in an image block.")
        yield from (
            Stranger(f"a picture ({name})", "Use it in an image block.")
            for start, name in _STILLS.items()
            if head.startswith(start)
        )


def _by_brand(head: bytes, kind: Kind) -> Iterator[Stranger]:
    size, major = int.from_bytes(head[:4]), head[8:12]
    compatible = {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    if major in _BRANDS:
        yield _BRANDS[major]
    elif major in _STRUCTURAL and not compatible & {b"avif", b"avis"}:
        yield _HEIC
    elif kind == "image" and major not in (*_STRUCTURAL, b"avif", b"avis"):
        yield _FILM
    elif kind != "image" and major in (b"avif", *_STRUCTURAL):
        yield Stranger("a picture (AVIF)", "Use it in an image block.")


def _text(head: bytes) -> bytes:
    """Lower-case letters of the beginning, whether of 8 or 16 bits."""
    return head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
