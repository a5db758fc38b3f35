"""Opening a zip of others: everything that can be known before a byte of it is unpacked is checked here, in one order.

end records → directory → claims against limits → local headers and places → names → all paths together. Reasons are collected
and told together wherever a later check still makes sense after an earlier one failed. Memory is bounded by the directory's size.
Before: a file. After: an Archive, whose streams check the contents.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO

from content.scorm.archive.archive import Archive
from content.scorm.archive.checks import check_claims, check_file_size, is_folder
from content.scorm.archive.decoding import decode_names
from content.scorm.archive.directory import Central, read_directory
from content.scorm.archive.end import find_end
from content.scorm.archive.entry import Entry
from content.scorm.archive.inflate import pieces
from content.scorm.archive.local import check_places
from content.scorm.archive.names import clean_path, too_long
from content.scorm.archive.tree import check_twice, is_junk, rooted, without_mark
from content.scorm.archive.words import counted
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits


def open_archive(file: BinaryIO, limits: ImportLimits, found: Findings) -> Archive:
    """The archive. `file` must be seekable, and stay open and unchanged. Raises PackageRefused with all reasons, which are
    also in `found`; codes begin with `zip-`, but for `not-a-zip`."""
    try:
        return _opened(file, limits, found)
    except PackageRefused as refusal:
        for each in refusal.errors:
            found.error(each.code, each.place, each.message)
        raise found.refuse() from None


def _opened(file: BinaryIO, limits: ImportLimits, found: Findings) -> Archive:
    file_bytes = file.seek(0, io.SEEK_END)
    check_file_size(file_bytes, limits)
    end = find_end(file, file_bytes, found)
    headers = read_directory(file, end, limits, found)
    found.require()  # sizes or places are unknown then
    check_claims(headers, limits, found)
    starts = check_places(file, headers, end, found)
    names = decode_names(headers, lambda: _witness(file, headers, starts, limits, found), found)
    entries, folders = _entries(headers, starts, names, limits, found)
    check_twice((entry.path for entry in entries), folders, found)
    found.require()
    by_path, root = rooted({entry.path: entry for entry in entries}, found)
    if not by_path:
        found.error("zip-empty", "", "The zip holds no file. Pack the folder that holds the course's files.")
        found.require()
    return Archive(file, {path: _moved(entry, path) for path, entry in by_path.items()}, root, file_bytes)


def _entries(
    headers: Sequence[Central], starts: Sequence[int], names: Sequence[str], limits: ImportLimits, found: Findings
) -> tuple[list[Entry], list[str]]:
    """The files and the paths of folders; what systems left behind is left out."""
    entries: list[Entry] = []
    folders: list[str] = []
    junk: list[str] = []
    for header, start, name in zip(headers, starts, names, strict=True):
        if len(header.name) > 4 * limits.name_bytes:
            found.error("zip-name-length", name, too_long(len(header.name), limits))
            continue
        bare = without_mark(name)
        folder = is_folder(header, name, found)
        path = clean_path(bare, limits, found)
        if path is None:
            continue
        if not path:  # the root itself, as a folder
            if not folder and header.size:
                found.error("zip-name-empty", name, "A file in the zip has no name but dots. Make the zip anew.")
            continue
        if bare != name or is_junk(path):
            junk.append(path)
        elif folder:
            folders.append(path)
        else:
            entries.append(
                Entry(path, header.size, header.packed, header.crc32, header.method == 8, start, header.name)
            )
    if junk:
        some = counted(len(junk), "file was", "files were")
        message = f"{some} left out that a system left behind and no author made (as “{junk[0]}”)."
        found.warn("zip-junk", junk[0], message)
    return entries, folders


def _witness(
    file: BinaryIO, headers: Sequence[Central], starts: Sequence[int], limits: ImportLimits, found: Findings
) -> bytes:
    """The bytes of the topmost manifest, or nothing: none is there, or the zip is refused anyway."""
    if found.errors:
        return b""
    manifests = [
        number
        for number, header in enumerate(headers)
        if header.name.lower().replace(b"\\", b"/").rpartition(b"/")[2] == b"imsmanifest.xml"
        and header.size <= limits.manifest_bytes
    ]
    for number in sorted(manifests, key=lambda number: len(headers[number].name))[:1]:
        header = headers[number]
        entry = Entry("", header.size, header.packed, header.crc32, header.method == 8, starts[number], b"")
        try:
            return b"".join(pieces(file, entry))
        except PackageRefused:
            return b""
    return b""


def _moved(entry: Entry, path: str) -> Entry:
    return (
        entry
        if entry.path == path
        else Entry(path, entry.size_bytes, entry.packed_bytes, entry.crc32, entry.deflated, entry.start, entry.name)
    )
