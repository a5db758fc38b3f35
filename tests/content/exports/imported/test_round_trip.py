"""import(export(import(x))) equals import(x): what a package is does not change by going out and coming back.

Equal means: the same course but for the path of its manifest, the edition where a 2nd one becomes a 3rd, and one more resource
(`exported-files`) of the files that none named and of those that the export added; and the same bytes under the same paths, but
for the manifest and the control documents, which are written anew. A second time nothing changes at all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.exports.imported.repair import LISTED
from content.exports.passport import PASSPORT
from content.exports.player_files import SCHEMA_LICENSE_FILE
from content.exports.scorm import MANIFEST
from content.scorm.archive.lookup import caseless
from content.scorm.findings import PackageRefused
from content.scorm.model import Course, Element, Item, Launch, Organization, Resource
from tests.content.exports.examples import CONTROL_DOCUMENTS
from tests.content.exports.imported.travel import NATIVE, PLAYER, Imported, imported
from tests.content.scorm.hostile_manifests import CASES
from tests.content.scorm.odd_zips import ODD
from tests.content.scorm.packages import shared_packages, zip_of

pytestmark = pytest.mark.skipif(
    not CONTROL_DOCUMENTS.exists(), reason="needs `make player`: the control documents of SCORM"
)
REPORTED = {
    "launch-file-missing",
    "launch-remote",
    "file-missing",
    "href-remote",
    "metadata-missing",
    "metadata-unreadable",
    "manifest-more",
    "href-outside",
    "zip-name-characters",
}
"""Of faults that no export can mend: what is missing is missing, what is elsewhere is elsewhere."""


def ours(format: str) -> set[str]:
    """The files that an export in this format writes itself."""
    if format in ("cmi5", "xapi"):
        return {f"{'tincan' if format == 'xapi' else 'cmi5'}.xml", PASSPORT}
    return {MANIFEST, PASSPORT, SCHEMA_LICENSE_FILE, *PLAYER.schemas(format)}


def assert_same(before: Imported, after: Imported, format: str) -> None:
    written = {caseless(path) for path in ours(format)} | {before.course.manifest}
    kept = {
        path: digest for path, digest in before.digests.items() if caseless(path) not in written and path not in written
    }
    assert {path: digest for path, digest in after.digests.items() if path in kept} == kept
    assert after.files.keys() - kept.keys() <= ours(format) | {f"passport-{n}.json" for n in (2, 3)}
    expected = replace(before.course, manifest=after.course.manifest, edition=after.course.edition)
    assert after.course.edition == {"2004-2nd": "2004-3rd"}.get(before.course.edition, before.course.edition)
    if format in ("cmi5", "xapi"):
        # Their elements are kept whole, with the address in them.
        assert [each.href for each in after.course.launches] == [each.href for each in before.course.launches]
        assert after.course.resources == before.course.resources
        return
    resources = tuple(each for each in after.course.resources if each.identifier != LISTED)
    named = {path for each in resources for path in each.files}
    added = [each for each in after.course.resources if each.identifier == LISTED]
    assert added == [Resource(LISTED, files=tuple(sorted(after.files.keys() - named - {MANIFEST})))]
    assert replace(after.course, resources=resources) == replace(expected, resources=bare(before))


def bare(before: Imported) -> tuple[Resource, ...]:
    """Its resources without the manifest, which no manifest lists, and with an earlier export's list left out."""
    return tuple(
        replace(each, files=tuple(path for path in each.files if path != before.course.manifest))
        for each in before.course.resources
        if each.identifier != LISTED
    )


def travel(data: bytes) -> Imported:
    before = imported(data)
    format = NATIVE[before.course.edition]
    plan = before.plan(format)
    assert [check for check in plan.passport["checks"] if check["result"] == "failed"] == []
    after = imported(before.zipped(plan))
    assert_same(before, after, format)
    assert {each.code for each in after.warnings} <= REPORTED | (
        {"files-unlisted"} if format in ("cmi5", "xapi") else set()
    )
    again = after.exported(format)
    assert again.course == after.course
    # The passport names the digest of its manifest, which names the digest of the one before.
    assert {path for path in again.files if again.digests[path] != after.digests.get(path)} <= {
        PASSPORT,
        "passport-2.json",
    }
    return after


@pytest.mark.parametrize("path", [pytest.param(each, id=each.name) for each in shared_packages()])
def test_real_packages(path: Any):
    data = path.read_bytes()
    try:
        edition = imported(data).course.edition
    except PackageRefused:
        pytest.skip("refused, and rightly so")
    if edition not in NATIVE:
        pytest.skip(f"{edition} goes out as a site, or as SCORM where its scripts allow")
    travel(data)


@pytest.mark.parametrize("name", ODD)
def test_odd_zips(name: str):
    data = ODD[name].build()
    try:
        imported(data)
    except PackageRefused:
        pytest.skip("a zip of the table without a course in it")
    travel(data)


@pytest.mark.parametrize("name", CASES)
def test_hostile_manifests(name: str):
    data = zip_of(dict(CASES[name].files))
    try:
        edition = imported(data).course.edition
    except PackageRefused:
        pytest.skip("refused")
    if edition not in NATIVE:
        pytest.skip(f"{edition} goes out as a site, or as SCORM where its scripts allow")
    travel(data)


MANIFEST_12 = """<manifest identifier="m" version="1.0" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
 xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2" {more}>
<metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion>{metadata}</metadata>
<organizations default="o"><organization identifier="o"><title>T</title>
<item identifier="i" identifierref="r" parameters="{parameters}"><title>I</title>{item}</item></organization></organizations>
<resources {base}>{resource}</resources></manifest>"""
RESOURCE = (
    '<resource identifier="r" type="webcontent" adlcp:scormtype="sco" href="{0}"><file href="{0}"/>{1}</resource>'
)


def package(
    *,
    files: Mapping[str, bytes] | None = None,
    href: str = "a.html",
    inside: str = "",
    resource: str = "",
    **parts: str,
) -> bytes:
    filled = {"more": "", "metadata": "", "parameters": "", "item": "", "base": ""} | parts
    text = MANIFEST_12.format(**filled, resource=resource or RESOURCE.format(href, inside))
    return zip_of({MANIFEST: text.encode(), "a.html": b"<p>a</p>", **(files or {})})


ODD_MANIFESTS: dict[str, bytes] = {
    "upper-case name": zip_of({"IMSMANIFEST.XML": MANIFEST_12.format(more="", metadata="", parameters="", item="", base="", resource=RESOURCE.format("a.html", "")), "a.html": b"a"}),
    "xml:base": package(files={"x/y/b.html": b"b"}, base='xml:base="x/"', resource='<resource identifier="r" xml:base="y/" type="webcontent" href="b.html"/>'),
    "space and percent": package(files={"a b.html": b"1", "a%20b.html": b"2"}, href="a%20b.html"),
    "only percent": package(files={"100%25.html": b"1"}, href="100%25.html"),
    "hash in a name": package(files={"a#1.html": b"1"}, href="a%231.html?x=1#top"),
    "question mark in a name": package(files={"a?1.html": b"1"}, href="a%3F1.html"),
    "letters": package(files={"Über/二.html": b"1"}, href="%C3%9Cber/%E4%BA%8C.html"),
    "parameters": package(href="a.html?x=1", parameters="?y=2&amp;z=%20"),
    "missing": package(href="gone%20away.html?x#y"),
    "remote": package(resource=RESOURCE.format("a.html", "") + '<resource identifier="s" type="webcontent" href="https://e.example/x?a=1&amp;b"/>'),
    "control document listed": package(files={"IMSCP_rootv1p1p2.XSD": b"old"}, inside='<file href="IMSCP_rootv1p1p2.XSD"/><file href="imsmanifest.xml"/>'),
    "own passport": package(files={"passport.json": b"{}", "Passport-2.json": b"{}"}),
    "file with metadata": package(files={"z.txt": b"z"}, inside='<x:y xmlns:x="urn:x">1</x:y><file href="z.txt"><metadata><schema>S</schema></metadata></file><metadata><schema>R</schema></metadata>'),
    "dependencies": package(resource=RESOURCE.format("a.html", '<dependency identifierref="s"/><dependency identifierref="nowhere"/>') + '<resource identifier="s" type="webcontent"><file href="a.html"/></resource>'),
    "twice the same": package(inside='<file href="a.html"/><file href="./a.html"/>'),
    "identifiers": package(resource='<resource identifier="r" type="webcontent" href="a.html"/><resource identifier="r" type="webcontent"/><resource identifier="1 x" type="webcontent"/><resource type="webcontent"/><resource identifier="i"/>'),
    "no namespace inside": package(item='<foo xmlns="" a="1"><bar>b</bar></foo>'),
    "undeclared prefix": package(item="<y:z>1</y:z><y:z/>"),
    "other packaging namespace": package(item='<p:metadata xmlns:p="http://www.imsproject.org/content"><p:schema>x</p:schema></p:metadata>'),
    "elements of 2004": package(item='<imsss:sequencing xmlns:imsss="http://www.imsglobal.org/xsd/imsss"><imsss:controlMode flow="true"/></imsss:sequencing>'),
    "metadata": package(metadata='<lom xmlns="http://www.imsglobal.org/xsd/imsmd_rootv1p2p1"><general><title><langstring xml:lang="fr">Les &lt;oiseaux&gt; &amp; moi</langstring></title><language>fr</language></general></lom>'),
    "location": package(files={"m d.xml": b"<lom/>"}, metadata="<adlcp:location>m%20d.xml</adlcp:location>"),
    "language of the manifest": package(more='xml:lang="ar"'),
    "texts": package(item="<adlcp:prerequisites type='aicc_script'>i&amp;(o|p)</adlcp:prerequisites><adlcp:maxtimeallowed>00:10:00</adlcp:maxtimeallowed><adlcp:timelimitaction>exit,message</adlcp:timelimitaction><adlcp:datafromlms>  a\n b </adlcp:datafromlms><adlcp:masteryscore>80</adlcp:masteryscore>"),
    "white space in elements": package(item='<x:a xmlns:x="urn:x" b=" c&#10;d "> text <x:e/> more </x:a>'),
    "names that are none": package(item='<x:a xmlns:x="my tool/ü" x:b="1"><x:c xmlns:x="http://www.w3.org/2000/xmlns/" x:d=""/><q:1/></x:a>'),
    "hidden letters": package(item='<x:a xmlns:x="urn:x" b="&#13;&#9;&#10;">a&#13;b&#x202e;</x:a>'),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_MANIFESTS)
def test_odd_manifests(name: str):
    before = imported(ODD_MANIFESTS[name])
    after = travel_loosely(ODD_MANIFESTS[name])
    assert [each.href for each in after.course.launches] == [each.href for each in before.course.launches]


def travel_loosely(data: bytes) -> Imported:
    """As `travel`, where the export has something to mend beside files."""
    before = imported(data)
    format = NATIVE[before.course.edition]
    plan = before.plan(format)
    assert [check for check in plan.passport["checks"] if check["result"] == "failed"] == []
    after = imported(before.zipped(plan))
    assert {each.code for each in after.warnings} <= REPORTED
    assert after.exported(format).course == after.course
    mended = {
        "other packaging namespace",
        "no namespace inside",
        "control document listed",
        "file with metadata",
        "names that are none",
    }
    if data not in [ODD_MANIFESTS[name] for name in mended]:
        assert_same(before, after, format)
    return after


def test_what_is_mended():
    """Elements of another namespace of packaging stand in the edition's own; of two spellings of a control document one is
    there; what describes a resource comes before what only its tool knows."""
    moved = imported(ODD_MANIFESTS["other packaging namespace"]).exported("scorm12").course
    space = "{http://www.imsproject.org/xsd/imscp_rootv1p1p2}"
    extra = moved.organizations[0].items[0].extras[0]
    assert (extra.name, extra.children[0].name) == (f"{space}metadata", f"{space}schema")
    listed = imported(ODD_MANIFESTS["control document listed"]).exported("scorm12")
    assert listed.course.resources[0].files == ("a.html", "imscp_rootv1p1p2.xsd")
    assert b"old" not in listed.files.values()
    described = imported(ODD_MANIFESTS["file with metadata"]).exported("scorm12").course.resources[0]
    assert [each.name.rpartition("}")[2] for each in described.extras] == ["metadata", "file", "y"]

    odd = imported(ODD_MANIFESTS["names that are none"]).exported("scorm12").course.organizations[0].items[0].extras[0]
    assert odd.name == "{my%20tool/%C3%BC}a"
    assert odd.attributes == (("{my%20tool/%C3%BC}b", "1"),)
    assert odd.children[0].name.startswith("{urn:namespace:")


def test_a_passport_of_the_package_stays_its_own():
    after = imported(ODD_MANIFESTS["own passport"]).exported("scorm12")
    assert after.files["passport.json"] == b"{}"
    assert b"export-passport" in after.files["passport-3.json"]


# -- whatever an import can give ------------------------------------------------------------------------------------------------

_LETTERS = st.characters(codec="utf-8", exclude_characters='/\\\0<>:"|?*', exclude_categories=("C", "Z"))
_NAMES = st.text(_LETTERS | st.sampled_from(list(" %#&;+=@'~")), min_size=1, max_size=12).map(
    lambda name: unicodedata.normalize("NFC", name)
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12).map(
    lambda text: " ".join(text.split())
)
_TAILS = st.sampled_from(["", "?a=1", "?a=1&b=%20#x", "#/slide/1", "?é"])


@st.composite
def packages(draw: st.DrawFn) -> Imported:
    """A package whose files have any names, and a course over them."""
    names: list[str] = draw(st.lists(_PATHS, min_size=1, max_size=5))
    paths = {caseless(name): name for name in names if _is_kept(name, names)}
    files = {path: path.encode() for path in paths.values()} or {"a.html": b"a"}
    resources = tuple(
        Resource(
            f"r{n}", scorm_type="sco", href=_href(path) + draw(_TAILS), files=(path,), attributes=draw(_attributes())
        )
        for n, path in enumerate(sorted(files))
    )
    items = tuple(
        Item(
            f"i{n}", draw(_TEXTS) or "x", each.identifier, visible=draw(st.booleans()),
            mastery_score=draw(st.sampled_from(["", "80", "x"])), data_from_lms=draw(_TEXTS),
            extras=draw(st.lists(_elements(), max_size=2).map(tuple)), attributes=draw(_attributes()),
        )
        for n, each in enumerate(resources)
    )  # fmt: skip
    launches = tuple(
        Launch("o", item.identifier, item.title, each.href) for item, each in zip(items, resources, strict=True)
    )
    title = draw(_TEXTS) or "T"
    course = Course(
        "1.2", "m", title, MANIFEST, (Organization("o", title, items),), "o", resources, launches, version=draw(_TEXTS)
    )
    return Imported(course, {MANIFEST: b"<manifest/>", **files})


_DEVICES = {"con", "aux", "nul", "prn", *(f"{kind}{number}" for kind in ("com", "lpt") for number in "123456789¹²³")}


def _is_kept(name: str, names: list[str]) -> bool:
    """Whether an archive takes it beside the others."""
    parts = name.split("/")
    odd = any(part.strip(" .") != part or part.split(".")[0].strip().lower() in _DEVICES for part in parts)
    below = any(caseless(other).startswith(caseless(name) + "/") for other in names)
    return (
        not odd
        and not below
        and caseless(name) not in {caseless(path) for path in ours("scorm12")}
        and len(name.encode()) < 200
    )


def _href(path: str) -> str:
    return path.replace("?", "%3F").replace("#", "%23")


def _elements() -> st.SearchStrategy[Element]:
    names = st.sampled_from(["{urn:x}a", "{urn:y/b}b", "{http://www.imsglobal.org/xsd/imsss}sequencing"])
    return st.builds(lambda name, pairs, text: Element(name, pairs, text), names, _attributes(), _TEXTS)


def _attributes() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    pairs = st.dictionaries(st.sampled_from(["a", "{urn:x}b"]), _TEXTS, max_size=2)
    return pairs.map(lambda each: tuple(sorted(each.items())))


@settings(max_examples=150, deadline=None)
@given(packages())
def test_any_course_comes_back(before: Imported):
    after = before.exported("scorm12")
    assert_same(before, after, "scorm12")
    assert after.exported("scorm12").course == after.course


def test_names_that_differ_in_case_only_are_no_package():
    with pytest.raises(PackageRefused):
        imported(zip_of({MANIFEST: b"<manifest/>", "a.html": b"1", "A.html": b"2"}))
