"""An AICC course as a course: .crs (what it is), .au (what is opened), .des (titles), .cst (the tree), .pre and .ort.

Identifiers differ in case between the tables. Launch = an AU's `file_name` with its `web_launch` as parameters. What the model
has no fields for is kept as elements of the namespace `namespaces.AICC`: `course` with its sections, `au`, `objective`,
`behavior` with a row's cells as attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from content.scorm.archive import Archive
from content.scorm.course.aicc_tables import Row, Tables, sections
from content.scorm.course.hrefs import Base
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.launches import choose
from content.scorm.course.namespaces import AICC
from content.scorm.course.openings import Openings
from content.scorm.course.words import MAX_DESCRIPTION, plain
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course, Element, Item, Organization

MAX_DEPTH = 50
_WITH_FIELDS = frozenset(
    ("file_name", "max_time_allowed", "time_limit_action", "mastery_score", "core_vendor", "web_launch")
)


def read_aicc(archive: Archive, path: str, limits: ImportLimits, found: Findings) -> Course:
    """`path`: of the .crs file. Raises PackageRefused."""
    tables = Tables(archive, path, limits, found)
    parts = sections(tables.text(path))
    course = parts.get("course", {})
    units = tables.rows("au", "system_id")
    found.edition = "aicc"
    if not units:
        found.error("no-launch", path, "The AICC course has no assignable units (.au), so there is nothing to open.")
        raise found.refuse()
    builder = _Builder(tables, units, found)
    title = plain(course.get("course_title", ""))
    if not title:
        found.warn("title-missing", path, "The course has no Course_Title; its Course_ID stands for it.")
    identifier = plain(course.get("course_id", "")) or "course"
    organization = Organization(
        builder.identifiers.claim("ROOT", "organization", path), title or identifier, builder.items()
    )
    builder.tell_lost()
    _, launches = choose((organization,), organization.identifier, builder.openings, path, found)
    tables.files.tell_unlisted()
    return Course(
        edition="aicc",
        identifier=identifier,
        title=organization.title,
        manifest=path,
        organizations=(organization,),
        default=organization.identifier,
        resources=tuple(builder.openings.resources.values()),
        launches=launches,
        description=plain(parts.get("course_description", {}).get("", ""), MAX_DESCRIPTION),
        extras=(_element("course", {}, tuple(_element(name, cells) for name, cells in parts.items())),),
    )


@dataclass
class _Builder:
    tables: Tables
    units: list[Row]
    found: Findings

    def __post_init__(self) -> None:
        self.identifiers = Identifiers(self.found)
        self.openings = Openings(self.tables.files)
        self._by_name = {row["system_id"].lower(): row for row in self.units}
        self._described = {row["system_id"].lower(): row for row in self.tables.rows("des", "system_id")}
        self._prerequisites = self._read_prerequisites()
        self._objectives: dict[str, list[Row]] = {}
        for row in self.tables.rows("ort"):
            self._objectives.setdefault(row.get("au_system_id", "").lower(), []).append(row)
        self._structure: dict[str, list[str]] = {}
        self._behavior: dict[str, Row] = {}
        for cells, row in self.tables.rows_with_rest("cst", "block"):
            self._add_members(cells, row)
        self._used: set[str] = set()
        self._objective_ids = {row.get("objective_id", "").lower() for row in self._flat()}

    def items(self) -> tuple[Item, ...]:
        """The tree below `root`; where there is no structure, the units one after the other."""
        roots = self._structure.get("root") or [row["system_id"] for row in self.units]
        return self._below(roots, ("root",))

    def tell_lost(self) -> None:
        lost = [row["system_id"] for row in self.units if row["system_id"].lower() not in self._used]
        if lost:
            message = f"Units that the structure (.cst) does not hold were left out: {', '.join(lost[:5])}."
            self.found.warn("aicc-lost", self.tables.path, message)

    def _below(self, members: list[str], above: tuple[str, ...]) -> tuple[Item, ...]:
        items: list[Item] = []
        for name in members:
            key = name.lower()
            if key in self._used or key in above or len(above) > MAX_DEPTH:
                message = f"“{name}” stands more than once in the structure (.cst), or too deep; the first counts."
                self.found.warn("aicc-structure", self.tables.path, message)
            elif key in self._by_name or key in self._structure:
                self._used.add(key)
                items.append(self._item(name, (*above, key)))
            elif key not in self._described and key not in self._objective_ids:
                message = f"The structure (.cst) names “{name}”, which is nowhere described; it was left out."
                self.found.warn("aicc-structure", self.tables.path, message)
        return tuple(items)

    def _item(self, name: str, above: tuple[str, ...]) -> Item:
        key = name.lower()
        unit = self._by_name.get(key)
        described = self._described.get(key, {})
        behavior = self._behavior.get(key, {})
        identifier = self.identifiers.claim(name, "item", self.tables.path)
        extras = [_element("behavior", behavior)] if behavior else []
        more = {column: cell for column, cell in (unit or {}).items() if column not in _WITH_FIELDS and cell}
        more.update({column: described[column] for column in ("developer_id", "description") if described.get(column)})
        if more:
            extras.append(_element("au" if unit else "block", more))
        extras.extend(_element("objective", row) for row in self._objectives.get(key, ()))
        children = self._below(self._structure.get(key, []), above)
        cells = unit or {}
        return Item(
            identifier=identifier,
            title=plain(described.get("title", "")) or name,
            resource=self._resource(name, unit) if unit else None,
            parameters=cells.get("web_launch", ""),
            prerequisites=behavior.get("prerequisites", "") or self._prerequisites.get(key, ""),
            max_time_allowed=cells.get("max_time_allowed", ""),
            time_limit_action=cells.get("time_limit_action", ""),
            data_from_lms=cells.get("core_vendor", ""),
            mastery_score=cells.get("mastery_score", ""),
            extras=tuple(extras),
            children=children,
        )

    def _resource(self, name: str, unit: Row) -> str:
        place, said = self.tables.path, unit.get("file_name", "")
        identifier = self.identifiers.claim(f"{name}-resource", "resource", place)
        base, top = Base(self.tables.folder, self.tables.folder), Base()
        if said and base != top and self._is_there(top, said) and not self._is_there(base, said):
            base = top
        self.openings.add_page(identifier, base, said, place)
        return identifier

    def _is_there(self, base: Base, said: str) -> bool:
        return self.tables.files.resolve(base, said, self.tables.path).exists

    def _add_members(self, cells: Row, row: list[str]) -> None:
        """A row is a block and its members; behind them some write prerequisites and attributes of the last one."""
        columns = list(cells)
        named = {"prerequisites", "attributes"}
        members = [cell for n, cell in enumerate(row[1:], 1) if cell and (n >= len(columns) or columns[n] not in named)]
        self._structure.setdefault(cells["block"].lower(), []).extend(members)
        behavior = {name: cells[name] for name in sorted(named) if cells.get(name)}
        if behavior and len(members) == 1:
            self._behavior.setdefault(members[0].lower(), behavior)

    def _read_prerequisites(self) -> dict[str, str]:
        """The first column is what must wait, the second for what; several rows of one must all be met."""
        needs: dict[str, list[str]] = {}
        for _, row in self.tables.rows_with_rest("pre"):
            if len(row) > 1 and row[0] and row[1]:
                needs.setdefault(row[0].lower(), []).append(row[1])
        return {
            name: each[0]
            if len(each) == 1
            else "&".join(f"({one})" if re.search(r"[&|~]", one) else one for one in each)
            for name, each in needs.items()
        }

    def _flat(self) -> list[Row]:
        return [row for rows in self._objectives.values() for row in rows]


def _element(name: str, cells: Row, children: tuple[Element, ...] = ()) -> Element:
    attributes = {re.sub(r"\W", "_", column): cell for column, cell in cells.items() if column}
    local = re.sub(r"\W", "_", name) or "section"
    return Element(f"{{{AICC}}}{local}", tuple(sorted(attributes.items())), cells.get("", ""), children)
