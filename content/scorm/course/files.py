"""Which files of the archive a document's hrefs name, and which files nobody names.

A reference never leaves the package: it is looked up among the archive's entries and nowhere else. What is missing is told and
taken; what nobody lists is told once, at the end, with examples.
"""

from __future__ import annotations

from dataclasses import dataclass

from content.scorm.archive import Archive, Found
from content.scorm.course.hrefs import Base, Target, written
from content.scorm.findings import Findings

EXAMPLES = 5
_CONTROL_ENDS = (".xsd", ".dtd", ".mod")
_CONTROL_NAMES = frozenset(("imsmanifest.xml", "cmi5.xml", "tincan.xml"))
_ODD = {
    "outside": ("href-outside", "“{href}” leads out of the package; it was read as “{path}” inside it."),
    "absolute": ("href-absolute", "“{href}” is an absolute path; it was read as “{path}” in the package."),
    "backslash": (
        "href-backslash",
        "“{href}” has backslashes, which are no separators in addresses; read as “{path}”.",
    ),
}
_HOW = {
    "case": ("href-case", "“{href}” differs in case from the file “{path}”, which was taken; many servers would not."),
    "form": ("href-spelling", "“{href}” is spelled otherwise than the file “{path}”, which was taken."),
    "encoding": ("href-spelling", "“{href}” is spelled otherwise than the file “{path}”, which was taken."),
}


@dataclass(frozen=True)
class Reference:
    """`path`: of the archive where `exists`, else what was asked for. `tail`: query and fragment."""

    kind: str
    path: str = ""
    tail: str = ""
    url: str = ""
    exists: bool = False
    outside: bool = False  # it leads out of the package, and what it comes to inside is not there

    @property
    def href(self) -> str:
        """As the model has it."""
        return written(self.path, self.tail) if self.kind == "local" else self.url


class Files:
    """For one document (`document`: its path)."""

    def __init__(self, archive: Archive, document: str, found: Findings) -> None:
        self.archive = archive
        self._found = found
        self._named = {document}
        self._folders: dict[str, list[str]] | None = None
        self._seen: dict[tuple[Base, str], tuple[Target, Found | None]] = {}

    def resolve(self, base: Base, href: str, place: str) -> Reference:
        """What the href means; tells what had to be forgiven, not whether the file is there."""
        target, found = self._look(base, href)
        if target.kind != "local":
            return Reference(target.kind, url=target.url)
        path = found.path if found else target.path
        self._tell(target, found, href, place, path)
        if found:
            self._named.add(path)
        return Reference(
            "local", path, target.tail, exists=found is not None, outside=not found and "outside" in target.odd
        )

    def base(self, base: Base, href: str | None, place: str) -> Base:
        """The base below an element with this xml:base; tells what had to be forgiven in that."""
        if not href or not href.strip():
            return base
        below, target = base.under(href)
        if target.kind == "local":
            self._tell(target, None, href, place, target.path)
        return below

    def folder(self, path: str) -> list[str]:
        """All files below what a manifest lists as if it were a file."""
        if self._folders is None:
            self._folders = {}
            for each in self.archive.entries:
                parts = each.split("/")
                for n in range(1, len(parts)):
                    self._folders.setdefault("/".join(parts[:n]), []).append(each)
        inside = self._folders.get(path.rstrip("/"), [])
        self._named.update(inside)
        return inside

    def tell_unlisted(self) -> None:
        """One warning for all files that no reference named; control documents need none."""
        unlisted = [path for path in self.archive.entries if path not in self._named and not _is_control(path)]
        if unlisted:
            shown = ", ".join(unlisted[:EXAMPLES]) + ("" if len(unlisted) <= EXAMPLES else ", …")
            amount = "file is" if len(unlisted) == 1 else "files are"
            message = f"{len(unlisted)} {amount} in the package but not in its manifest: {shown}. They were kept."
            self._found.warn("files-unlisted", unlisted[0], message)

    def _tell(self, target: Target, found: Found | None, href: str, place: str, path: str) -> None:
        forgiven = [_ODD[odd] for odd in sorted(target.odd)]
        if found and found.how in _HOW:
            forgiven.append(_HOW[found.how])
        for code, message in forgiven:
            self._found.warn(code, place, message.format(href=href.strip(), path=path))

    def _look(self, base: Base, href: str) -> tuple[Target, Found | None]:
        known = self._seen.get((base, href))
        if known is None:
            known = self._seen[base, href] = self._look_anew(base, href)
        return known

    def _look_anew(self, base: Base, href: str) -> tuple[Target, Found | None]:
        targets = base.resolve(href)
        for target in targets:
            if target.kind == "local" and target.path and (found := self.archive.find(target.path)):
                return target, found
        first = targets[0]
        if first.kind == "local" and first.tail:  # a file whose own name has a `#` or `?` that nobody escaped
            whole = first.path + first.tail
            for end in (len(whole), whole.rfind("?"), whole.rfind("#")):
                if end > len(first.path) and (found := self.archive.find(whole[:end])):
                    return Target("local", whole[:end], whole[end:], odd=first.odd), found
        # `//index.html` is an address by the book, and in a package mostly one slash too many.
        if first.url.startswith("//") and (found := self.archive.find(first.url.lstrip("/"))):
            return Target("local", found.path, odd=frozenset(("absolute",))), found
        return first, None


def _is_control(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name in _CONTROL_NAMES or name.endswith(_CONTROL_ENDS)
