"""Random courses, written down as plain XML, come back as they were; random mutations are refused by name or read soundly."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.scorm.archive.names import clean_path
from content.scorm.course.encoding import decode
from content.scorm.course.words import plain
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Item, Organization, Resource
from tests.content.scorm import fuzz_manifests
from tests.content.scorm.course.reading import codes, read
from tests.content.scorm.hostile_manifests import HEAD12, NS12, NS2004, PAGE, head

LETTERS = st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cn", "Co", "Cc", "Zl", "Zp"))
TEXT = st.text(LETTERS, max_size=30)
TITLE = TEXT.map(plain).filter(bool)
NAME = st.from_regex(r"[A-Za-z_é][A-Za-z0-9._é-]{0,8}", fullmatch=True)
SEGMENT = st.text(
    st.characters(codec="utf-8", categories=("L", "Nd"), include_characters=" -_().&'%+#"), min_size=1, max_size=8
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "gb18030")


@dataclass(frozen=True)
class Written:
    """A course in the model's terms, and its family."""

    modern: bool
    organizations: tuple[Organization, ...]
    resources: tuple[Resource, ...]
    encoding: str


@st.composite
def courses(draw: st.DrawFn) -> Written:
    names = iter(draw(st.lists(NAME, min_size=60, max_size=60, unique=True)))
    paths = draw(st.lists(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), min_size=1, max_size=4, unique=True))
    paths = _apart([path for path in paths if _is_name(path)]) or ["index.html"]
    resources = tuple(
        Resource(
            next(names),
            scorm_type=draw(st.sampled_from(["sco", "asset"])),
            href=_href(path) + draw(st.sampled_from(["", "?a=1", "#top", "?a=1&b=%20#x"])),
            files=(path,),
        )
        for path in paths
    )

    def item(depth: int) -> Item:
        below = draw(st.integers(0, 2)) if depth < 3 else 0
        return Item(
            next(names, f"late{draw(st.integers(0, 10**12))}"),
            draw(TITLE),
            draw(st.sampled_from([None, *(each.identifier for each in resources)])),
            visible=draw(st.booleans()),
            parameters=draw(st.sampled_from(["", "?x=1", "&x=1&y=<>\"'", "#x"])),
            mastery_score=draw(st.sampled_from(["", "80"])),
            data_from_lms=draw(TEXT.filter(lambda text: not text or bool(text.strip()))),
            children=tuple(item(depth + 1) for _ in range(below)),
        )

    first = Item("first", draw(TITLE), resources[0].identifier)
    organizations = tuple(
        Organization(next(names), draw(TITLE), (*((first,) if n == 0 else ()), item(0)))
        for n in range(draw(st.integers(1, 2)))
    )
    return Written(draw(st.booleans()), organizations, resources, draw(st.sampled_from(ENCODINGS)))


@settings(max_examples=60)
@given(courses())
def test_courses_come_back_as_they_were_written(written: Written) -> None:
    files: dict[str, bytes | str] = {path: PAGE for each in written.resources for path in each.files}
    course, found = read({"imsmanifest.xml": _manifest(written), **files})
    assert course.organizations == written.organizations
    assert course.resources == written.resources
    assert course.default == written.organizations[0].identifier
    assert course.edition == ("2004-4th" if written.modern else "1.2")
    assert course.launches[0].item == "first"
    assert not codes(found)


@settings(max_examples=200)
@given(
    st.binary(max_size=200), st.sampled_from(["utf-8", "gb2312", "x", "utf-16", "shift_jis", "windows-1252", "koi8-r"])
)
def test_any_bytes_are_some_text(data: bytes, encoding: str) -> None:
    for each in (data, f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + data):
        assert decode(each, "x", Findings()).encode("utf-8", "surrogatepass") is not None


@given(st.text(max_size=300))
def test_titles_are_one_printable_line(text: str) -> None:
    shown = plain(text, 50)
    assert len(shown) <= 50
    assert shown == " ".join(shown.split()) == plain(shown, 50)
    assert not any(each < " " or each in "\x7f\u202e\u2066\u2028" for each in shown)


@pytest.mark.parametrize("seed", range(0, 400, 100))
def test_mutations_are_refused_by_name_or_read_soundly(seed: int) -> None:
    outcomes = {fuzz_manifests.one(Random(n)) for n in range(seed, seed + 100)}
    assert len(outcomes) > 3


def _manifest(written: Written) -> bytes:
    modern = written.modern
    organizations = "".join(
        f"<organization identifier={quoteattr(each.identifier)}><title>{escape(each.title)}</title>"
        f"{''.join(_item(item, modern) for item in each.items)}</organization>"
        for each in written.organizations
    )
    resources = "".join(
        f"<resource identifier={quoteattr(each.identifier)} type='webcontent' href={quoteattr(_written(each))}"
        f" adlcp:{'scormType' if modern else 'scormtype'}='{each.scorm_type}'><file href={quoteattr(_encoded(each.files[0]))}/>"
        "</resource>"
        for each in written.resources
    )
    declared = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "gb18030": "GB18030"}.get(written.encoding, "UTF-8")
    text = (
        f'<?xml version="1.0" encoding="{declared}"?>\n<manifest identifier="M-anifest" {NS2004 if modern else NS12}>'
        f"{head('2004 4th Edition') if modern else HEAD12}<organizations>{organizations}</organizations>"
        f"<resources>{resources}</resources></manifest>"
    )
    return text.encode(written.encoding)


def _item(item: Item, modern: bool) -> str:
    parts = [f"<item identifier={quoteattr(item.identifier)}"]
    if item.resource:
        parts.append(f" identifierref={quoteattr(item.resource)}")
    parts.append(f" isvisible='{str(item.visible).lower()}' parameters={quoteattr(item.parameters)}>")
    parts.append(f"<title>{escape(item.title)}</title>")
    if item.data_from_lms:
        name = "dataFromLMS" if modern else "datafromlms"
        parts.append(f"<adlcp:{name}>{escape(item.data_from_lms)}</adlcp:{name}>")
    if item.mastery_score:
        parts.append(f"<adlcp:masteryscore>{item.mastery_score}</adlcp:masteryscore>")
    parts.extend(_item(each, modern) for each in item.children)
    return "".join((*parts, "</item>"))


def _href(path: str) -> str:
    """As the model has it."""
    return path.replace("#", "%23")


def _encoded(path: str) -> str:
    """As a manifest has it."""
    return path.replace("%", "%25").replace("#", "%23")


def _written(resource: Resource) -> str:
    (path,) = resource.files
    return _encoded(path) + resource.href[len(_href(path)) :]


def _is_name(path: str) -> bool:
    """Whether the zip's reader takes it as it is; odd names have tests of their own."""
    segments = path.split("/")
    taken = clean_path(path, ImportLimits(), Findings()) == path  # not `NUL`, say
    return taken and all(each == each.strip(" .") and each.isprintable() for each in segments) and path.isascii()


def _apart(paths: list[str]) -> list[str]:
    """Those that a disk holds beside each other: of two that differ in case, or of a file and a folder of one name, the first."""
    kept: dict[str, str] = {}
    for path in paths:
        folded = path.casefold()
        if not any(each == folded or each.startswith(f"{folded}/") or folded.startswith(f"{each}/") for each in kept):
            kept[folded] = path
    return list(kept.values())
