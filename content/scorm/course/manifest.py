"""imsmanifest.xml of SCORM 1.2 and 2004 as a course.

parse → is it SCORM at all → edition → parts (manifests inside it) → names → resources → organizations → metadata → launches. What is wrong and can be
understood is a warning with its line.
"""

from __future__ import annotations

from content.scorm.archive import Archive
from content.scorm.course.editions import edition_of
from content.scorm.course.files import EXAMPLES, Files
from content.scorm.course.grafting import plan
from content.scorm.course.hrefs import Base
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.keeping import Keeper
from content.scorm.course.launches import choose
from content.scorm.course.metadata import Metadata, MetadataReader
from content.scorm.course.namespaces import IMSSS, XML, XSI
from content.scorm.course.nodes import Document, Node
from content.scorm.course.organizations import OrganizationReader
from content.scorm.course.parts import Parts
from content.scorm.course.remains import Remains
from content.scorm.course.resources import ResourceReader
from content.scorm.course.words import language_tag, plain
from content.scorm.course.xml import parse
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course, Organization


def read_manifest(archive: Archive, path: str, limits: ImportLimits, found: Findings) -> Course:
    """`path`: of the manifest in the archive. Raises PackageRefused."""
    document = parse(archive.read(path, limits.manifest_bytes), path, limits, found)
    manifest = document.root
    schema, version = _head(manifest, "schema"), _head(manifest, "schemaversion")
    _refuse_others(document, schema, found)
    edition = edition_of(manifest, version, document.place(manifest), found)
    found.edition = edition
    document.family = "1.2" if edition == "1.2" else "2004"
    _tell_odd(document, archive, found)

    files, keeper, identifiers = Files(archive, path, found), Keeper(document.family), Identifiers(found)
    beside = Base(_folder(path), _folder(path))
    parts = Parts(document, files, beside)
    base, planned = parts.outer.base, plan(parts, document, limits, found)
    for node in _all(manifest) if IMSSS in document.spaces else ():
        if node.local == "sequencing" and (name := node.attributes.get("ID")):
            identifiers.reserve(name)
    organization_reader = OrganizationReader(document, files, identifiers, keeper, parts, planned, found)
    organization_reader.identify()
    resources = ResourceReader(document, files, identifiers, keeper, found).read(parts)
    identifier = identifiers.claim(manifest.get("identifier"), "manifest", document.place(manifest))
    organizations = organization_reader.read(resources)
    metadata = MetadataReader(files, keeper, limits, found).read(document, base)
    default = organization_reader.default()
    chosen, launches = choose(organizations, default, resources.openings, path, found)
    organizations = tuple(_titled(each, metadata, each.identifier == chosen, path, found) for each in organizations)
    files.tell_unlisted()
    return Course(
        edition=edition,
        identifier=identifier,
        title=next(each.title for each in organizations if each.identifier == chosen),
        manifest=path,
        organizations=organizations,
        default=chosen,
        resources=tuple(resources.openings.resources.values()),
        launches=launches,
        version=plain(manifest.get("version") or "", 100),
        language=metadata.language or language_tag(manifest.attributes.get(f"{{{XML}}}lang")),
        description=metadata.description,
        keywords=metadata.keywords,
        metadata=metadata.elements,
        extras=Remains(document, files, keeper, found).extras([part for part in parts.all if part in planned.used]),
    )


def _head(manifest: Node, name: str) -> str:
    """`schema` and `schemaversion`."""
    found = (child.words() for metadata in manifest.each("metadata") for child in metadata.each(name))
    return plain(next(found, ""), 100)


def _refuse_others(document: Document, schema: str, found: Findings) -> None:
    """What has a manifest and is no SCORM, by its name."""
    root = document.root
    where, what = document.place(root), schema.lower()
    spaces = " ".join((root.space, root.attributes.get(f"{{{XSI}}}schemaLocation", ""), *document.spaces))
    has_adl = "adlnet.org" in spaces or "scorm" in what
    types = [(each.get("type") or "").lower() for resources in root.each("resources") for each in resources.children]
    if root.local in ("questestinterop", "assessmenttest", "assessmentitem") or (not has_adl and "qti" in what):
        _refuse(found, "qti", where, "questions or a test (QTI), not a course. Import it where questions are kept")
    elif root.local != "manifest":
        message = f"<{plain(root.name.rpartition('}')[2], 60)}>, not a SCORM manifest"
        _refuse(found, "not-a-manifest", where, message)
    elif "imsccv" in spaces or "common cartridge" in what:
        _refuse(found, "common-cartridge", where, "a Common Cartridge, which is for learning platforms, not SCORM")
    elif types and not has_adl and all(type_.startswith("imsqti") for type_ in types):
        _refuse(found, "qti", where, "questions or a test (QTI), not a course. Import it where questions are kept")


def _refuse(found: Findings, code: str, where: str, what: str) -> None:
    found.error(code, where, f"The package holds {what}. In the tool that made it, export the course as SCORM.")
    raise found.refuse()


def _tell_odd(document: Document, archive: Archive, found: Findings) -> None:
    manifest, where = document.root, document.place(document.root)
    if not manifest.space:
        found.warn(
            "namespace-missing", where, "The manifest stands in no namespace; it was read as IMS Content Packaging."
        )
    folder = _folder(document.path)
    if folder:
        message = (
            f"The manifest is not at the top of the package but in “{folder}”, beside other files; it was taken there."
        )
        found.warn("manifest-nested", document.path, message)
    others = [path for path in archive.entries if path.lower().endswith("imsmanifest.xml") and path != document.path]
    if others:
        message = (
            f"There are {len(others)} more manifests ({', '.join(others[:EXAMPLES])}); only {document.path} counts."
        )
        found.warn("manifest-more", others[0], message)
    located = manifest.attributes.get(f"{{{XSI}}}schemaLocation", "").split()[1::2]
    lacking = [each for each in dict.fromkeys(located) if "://" not in each and not archive.find(folder + each[:300])]
    if lacking:
        message = (
            f"Schemas that the manifest names are not in the package: {', '.join(lacking[:EXAMPLES])}. None is needed."
        )
        found.warn("schema-missing", where, message)


def _titled(organization: Organization, metadata: Metadata, played: bool, path: str, found: Findings) -> Organization:
    if organization.title:
        return organization
    first = next((item.title for item in organization.items), organization.identifier)
    title = (metadata.title if played else "") or first
    message = f"The organization “{organization.identifier}” has no title; “{title}” stands for it."
    found.warn("title-missing", f"{path}#{organization.identifier}", message)
    return Organization(
        organization.identifier,
        title,
        organization.items,
        organization.structure,
        organization.attributes,
        organization.extras,
    )


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _all(node: Node) -> list[Node]:
    every, waiting = [node], [node]
    while waiting:
        children = waiting.pop().children
        every.extend(children)
        waiting.extend(children)
    return every
