"""What resources open: their hrefs as targets, and what is wrong with them, kept until it is known which are launched."""

from __future__ import annotations

from dataclasses import dataclass, field

from content.scorm.course.files import Files, Reference
from content.scorm.course.hrefs import Base
from content.scorm.model import Resource

_NOT_OPENED = ("imsqti", "associatedcontent", "imsbasiclti", "imswl", "imsdt")


@dataclass
class Openings:
    """`resources`: by identifier, in the order of the document. `forbidden`: resource → (its address, where it stands), of
    those whose address is none of the web. `outside`: the same of those that lead out of the package. `missing`: resources whose file is not there."""

    files: Files
    resources: dict[str, Resource] = field(default_factory=dict[str, Resource])
    forbidden: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    outside: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    missing: set[str] = field(default_factory=set[str])

    def target(self, name: str, base: Base, said: str, place: str) -> Reference | None:
        """What the resource of that name opens; None where that is nothing."""
        if not said:
            return None
        target = self.files.resolve(base, said, place)
        if target.kind == "other":
            self.forbidden[name] = (target.url, place)
            return None
        if target.outside:
            self.outside[name] = (said, place)
        if target.kind == "local" and not target.path.strip("/"):
            return None
        if target.kind == "local" and not target.exists:
            self.missing.add(name)
        return target

    def add(self, resource: Resource) -> None:
        self.resources[resource.identifier] = resource

    def add_page(self, name: str, base: Base, said: str, place: str) -> None:
        """A resource of the standards that say no more than an address: it reports, as a SCO does."""
        target = self.target(name, base, said, place)
        if target is None:
            self.add(Resource(name, scorm_type="sco"))
            return
        files = (target.path,) if target.exists else ()
        self.add(Resource(name, scorm_type="sco", href=target.href, remote=target.kind == "remote", files=files))


def is_opened(resource: Resource) -> bool:
    """Whether a browser can open it."""
    return bool(resource.href) and not resource.type.lower().startswith(_NOT_OPENED)
