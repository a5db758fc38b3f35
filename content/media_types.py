"""The media type of a file by the ending of its name: the one table of packages, sites and exports.

No text type names a charset here. Whoever serves texts of ours adds UTF-8; texts of others say in themselves in what they are
written, and a charset of the server's would outrank that. What is not here is only downloaded: browsers are told not to guess.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

UNKNOWN: Final = "application/octet-stream"
TYPES: Final = {
    "html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "css": "text/css",
    "js": "text/javascript", "mjs": "text/javascript", "json": "application/json", "map": "application/json",
    "webmanifest": "application/manifest+json", "wasm": "application/wasm", "txt": "text/plain", "csv": "text/csv",
    "xml": "application/xml", "xsd": "application/xml", "xsl": "application/xslt+xml", "xslt": "application/xslt+xml",
    "dtd": "application/xml-dtd",
    "svg": "image/svg+xml", "png": "image/png", "apng": "image/apng", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "bmp": "image/bmp",
    "ico": "image/vnd.microsoft.icon", "cur": "image/vnd.microsoft.icon",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg", "mov": "video/quicktime",
    "mpg": "video/mpeg", "mpeg": "video/mpeg", "avi": "video/x-msvideo", "wmv": "video/x-ms-wmv", "flv": "video/x-flv",
    "m4a": "audio/mp4", "aac": "audio/aac", "mp3": "audio/mpeg", "opus": "audio/ogg", "ogg": "audio/ogg",
    "oga": "audio/ogg", "wav": "audio/wav", "weba": "audio/webm", "flac": "audio/flac", "mid": "audio/midi",
    "vtt": "text/vtt", "srt": "application/x-subrip",
    "woff2": "font/woff2", "woff": "font/woff", "ttf": "font/ttf", "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject",
    "pdf": "application/pdf", "zip": "application/zip", "epub": "application/epub+zip", "rtf": "application/rtf",
    "doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "swf": "application/x-shockwave-flash",
}  # fmt: skip


def media_type(path: str) -> str:
    """Of a file of this name, without a charset."""
    return TYPES.get(PurePosixPath(path).suffix.lower().lstrip("."), UNKNOWN)


def with_charset(kind: str) -> str:
    """The same where the file is known to be written in UTF-8."""
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
