"""The files of an AICC course as tables and sections: .au, .des, .cst, .pre, .ort (CSV) and .crs (`[Section]`, `key=value`).

Columns are named in the first row, in any order and case; rows are by their names in lower case. Before: `aicc`, which knows
what they mean.
"""

from __future__ import annotations

import csv
import io
import re

from content.scorm.archive import Archive
from content.scorm.course.encoding import decode
from content.scorm.course.files import Files
from content.scorm.course.hrefs import Base
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

MAX_ROWS = 50_000
Row = dict[str, str]
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Tables:
    """The tables beside the .crs file: those of its name first, else the only ones there are."""

    def __init__(self, archive: Archive, path: str, limits: ImportLimits, found: Findings) -> None:
        self.archive, self.path, self._limits, self._found = archive, path, limits, found
        self.files = Files(archive, path, found)
        self.folder = path[: path.rfind("/") + 1]

    def text(self, path: str) -> str:
        self.files.resolve(Base(), path, path)
        return _CONTROLS.sub("", decode(self.archive.read(path, self._limits.manifest_bytes), path, self._found))

    def rows(self, kind: str, *needed: str) -> list[Row]:
        """The table's rows by lower-case column; none where the table or a needed column is missing."""
        return [cells for cells, _ in self.rows_with_rest(kind, *needed)]

    def rows_with_rest(self, kind: str, *needed: str) -> list[tuple[Row, list[str]]]:
        """And all cells of each row: a structure's members have columns without end."""
        path = self._table(kind)
        if not path:
            return []
        rows: list[list[str]] = []
        try:
            for row in csv.reader(io.StringIO(self.text(path), newline="")):
                if len(rows) > MAX_ROWS:
                    self._found.error("aicc-table", path, f"{path} has more than {MAX_ROWS} rows.")
                    raise self._found.refuse()
                if any(cell.strip() for cell in row):
                    rows.append([cell.strip() for cell in row])
        except csv.Error as error:
            self._found.error(
                "aicc-table", path, f"{path} cannot be read as a table ({error}). Export the course again."
            )
            raise self._found.refuse() from error
        if not rows:
            return []
        columns = [name.lower() for name in rows[0]]
        if any(name not in columns for name in needed):
            message = f"{path} lacks the column {' or '.join(needed)}; it was left out."
            self._found.warn("aicc-table", path, message)
            return []
        return [(dict(zip(columns, row, strict=False)), row) for row in rows[1:]]

    def _table(self, kind: str) -> str:
        stem = self.path[: -len(".crs")].lower()
        paths = [path for path in self.archive.entries if path.lower().endswith(f".{kind}")]
        beside = [path for path in paths if path[: path.rfind("/") + 1] == self.folder]
        same = [path for path in paths if path.lower() == f"{stem}.{kind}"]
        return next(iter(sorted(same) or sorted(beside) or sorted(paths)), "")


def sections(text: str) -> dict[str, Row]:
    """The .crs file: `[Section]`, `key=value`; lines without a key are the section's text (under the empty key)."""
    sections: dict[str, Row] = {}
    section: Row = {}
    texts: dict[int, list[str]] = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = sections.setdefault(line[1:-1].strip().lower(), {})
        elif line and not line.startswith(";"):
            key, mark, value = line.partition("=")
            if mark and re.fullmatch(r"[\w ]{1,60}", key.strip()):
                section[key.strip().lower()] = value.strip()
            else:
                texts.setdefault(id(section), []).append(line)
    for section in sections.values():
        if lines := texts.get(id(section)):
            section[""] = " ".join(lines)
    return sections
