"""A zip of others, opened safely: which files there are, and their bytes under limits.

open_archive (everything that can be checked before a byte is unpacked) → Archive (entries by clean paths, tolerant lookups,
streams that check sizes and checksums) → write_canonical (the same files, stored, in one layout) → read_canonical (the trusted
side, which takes that layout and nothing else). What is hostile is refused with a code; what is merely odd is taken and told.
"""

from content.scorm.archive.archive import Archive, verify
from content.scorm.archive.canonical_layout import CanonicalFile
from content.scorm.archive.canonical_read import read_canonical, stream_canonical
from content.scorm.archive.canonical_write import write_canonical
from content.scorm.archive.entry import Entry, Found, How
from content.scorm.archive.opening import open_archive

__all__ = [
    "Archive",
    "CanonicalFile",
    "Entry",
    "Found",
    "How",
    "open_archive",
    "read_canonical",
    "stream_canonical",
    "verify",
    "write_canonical",
]
