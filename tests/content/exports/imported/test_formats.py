"""Which formats an imported package has, what another edition makes of it, and what is said where something cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from content.canonical import digest
from content.errors import ContentError
from content.exports import FORMATS, ExportPlan, Options, Stored
from content.exports.imported.editions import in_edition
from content.exports.imported.formats import interfaces_in, require_possible, scripts_to_search
from content.exports.xml import etree
from content.packages import Manifest
from content.scorm.course.namespaces import ADLCP_2004, ADLNAV, ADLSEQ, IMSSS
from content.scorm.model import Course, Edition, Element, Item, Launch, Organization, Resource
from tests.content.exports.examples import CONTROL_DOCUMENTS
from tests.content.exports.imported.travel import Imported, imported
from tests.content.scorm.imported import FILES, course
from tests.content.scorm.packages import shared_package

needs_schemas = pytest.mark.skipif(
    not CONTROL_DOCUMENTS.exists(), reason="needs `make player`: the control documents of SCORM"
)
BOTH = b"if (win.API_1484_11) {} else if (win.API) { win.API.LMSInitialize('') }"


def package(edition: Edition, script: bytes = b"", **changes: Any) -> Imported:
    changed = course(edition=edition, **changes)
    return Imported(changed, {**FILES, "shared/api.js": script})


def possible(edition: Edition, script: bytes = b"") -> set[str]:
    found: set[str] = set()
    for name in FORMATS:
        try:
            package(edition, script).plan(name)
        except ContentError as error:
            assert error.code == "export-option"
            assert error.message.endswith(".")
            assert error.remedy.startswith("Use “")
            assert name not in error.remedy.replace("“", "”").split("”")
        else:
            found.add(name)
    return found


@needs_schemas
@pytest.mark.parametrize(
    ("edition", "script", "formats"),
    [
        ("1.2", b"API.LMSInitialize('')", {"scorm12", "html"}),
        ("1.2", BOTH, {"scorm12", "scorm2004-3rd", "scorm2004-4th", "html"}),
        ("2004-2nd", b"", {"scorm2004-3rd", "scorm2004-4th", "html"}),
        ("2004-3rd", b"API_1484_11", {"scorm2004-3rd", "scorm2004-4th", "html"}),
        ("2004-4th", BOTH, {"scorm12", "scorm2004-3rd", "scorm2004-4th", "html"}),
        ("aicc", b"", {"html"}),
        ("aicc", b"API.LMSInitialize('')", {"scorm12", "html"}),
        ("cmi5", BOTH, {"cmi5"}),
        ("tincan", BOTH, {"xapi"}),
    ],
)
def test_formats(edition: Edition, script: bytes, formats: set[str]):
    assert possible(edition, script) == formats


@needs_schemas
def test_pages_that_look_for_no_platform_go_into_every_edition():
    resources = tuple(replace(each, scorm_type="asset") for each in course().resources)
    made = package("1.2", resources=resources)
    for name in ("scorm12", "scorm2004-3rd", "scorm2004-4th"):
        assert made.plan(name).entries
    assert scripts_to_search(made.manifest(), made.course, Options("scorm2004-4th")) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"report": "passed-failed"}, {"mastery": 0.5}, {"packaging": "unit"}, {"languages": ("de-CH",)},
        {"profile": "phone"}, {"video": False},
    ],
)  # fmt: skip
def test_options_of_courses_are_refused(change: Mapping[str, Any]):
    with pytest.raises(ContentError) as refused:
        package("1.2").plan("scorm12", **change)
    assert refused.value.code == "export-option"
    assert f"“{next(iter(change))}”" in refused.value.message
    assert refused.value.remedy == "Leave it out."


def test_before_anybody_looked_nothing_is_refused_for_what_might_be_found():
    require_possible("1.2", Options("scorm2004-4th"))
    with pytest.raises(ContentError):
        require_possible("1.2", Options("scorm2004-4th"), ())
    with pytest.raises(ContentError):
        require_possible("1.2", Options("cmi5"))


def test_only_scripts_are_searched_and_only_where_it_matters():
    made = package("1.2", BOTH)
    manifest: Manifest = made.manifest()
    assert scripts_to_search(manifest, made.course, Options("scorm12")) == ()
    assert scripts_to_search(manifest, made.course, Options("html")) == ()
    searched = {each.digest for each in scripts_to_search(manifest, made.course, Options("scorm2004-3rd"))}
    names = [path for path, data in made.files.items() if path.endswith((".html", ".js"))]
    assert searched == {digest(made.files[name]) for name in names}


@pytest.mark.parametrize("cut", range(1, len(BOTH)))
def test_names_are_found_however_the_bytes_come(cut: int):
    assert interfaces_in([BOTH[:cut], BOTH[cut:]]) == {"API", "API_1484_11"}


def test_nothing_is_found_in_nothing():
    assert interfaces_in([]) == interfaces_in([b"findAPI", b"API"]) == frozenset()


# -- what another edition makes of it -------------------------------------------------------------------------------------------


def element(space: str, name: str, *children: Element, text: str = "", **attributes: str) -> Element:
    return Element(f"{{{space}}}{name}", tuple(sorted(attributes.items())), text, children)


def of(edition: Edition, item: Item, *organization: Element, extras: tuple[Element, ...] = ()) -> Course:
    tree = Organization(
        "o",
        "O",
        (item,),
        attributes=((f"{{{ADLSEQ}}}objectivesGlobalToSystem", "false"),) if organization else (),
        extras=organization,
    )
    resource = Resource("r", scorm_type="asset", href="a.html", files=("a.html",))
    return Course(
        edition,
        "m",
        "T",
        "imsmanifest.xml",
        (tree,),
        "o",
        (resource,),
        (Launch("o", "i", "I", "a.html"),),
        extras=extras,
    )


def xml(made: ExportPlan) -> Any:
    (data,) = [entry.content for entry in made.entries if entry.path == "imsmanifest.xml"]
    assert isinstance(data, bytes)
    return etree.fromstring(data)


SEQUENCED = element(
    IMSSS,
    "sequencing",
    element(IMSSS, "controlMode", flow="true"),
    element(IMSSS, "objectives", element(IMSSS, "primaryObjective", element(IMSSS, "minNormalizedMeasure", text=" 0.75 "), satisfiedByMeasure="true")),
    element(ADLSEQ, "objectives", element(ADLSEQ, "objective", objectiveID="x")),
)  # fmt: skip


@needs_schemas
def test_from_12_to_2004():
    item = Item(
        "i",
        "I",
        "r",
        mastery_score="80",
        max_time_allowed="01:30:15.50",
        prerequisites="j",
        time_limit_action="exit,message",
        data_from_lms=" d ",
    )
    made = Imported(of("1.2", item), {"a.html": b"a"}).plan("scorm2004-4th")
    root = xml(made)
    assert root.findtext("{*}metadata/{*}schemaversion") == "2004 4th Edition"
    assert root.findtext(".//{*}item//{*}minNormalizedMeasure") == "0.8"
    assert root.find(".//{*}item//{*}primaryObjective").get("satisfiedByMeasure") == "true"
    assert root.find(".//{*}limitConditions").get("attemptAbsoluteDurationLimit") == "PT1H30M15.5S"
    assert root.findtext(f".//{{{ADLCP_2004}}}dataFromLMS") == " d "
    assert root.findtext(f".//{{{ADLCP_2004}}}timeLimitAction") == "exit,message"
    assert root.find(".//{*}organization/{*}sequencing/{*}controlMode").get("flow") == "true"
    assert root.find(".//{*}prerequisites") is None
    assert [each.code for each in made.findings] == ["export-prerequisites"]
    assert not [check for check in made.passport["checks"] if check["result"] in ("failed", "warning")]


@needs_schemas
def test_from_2004_to_12():
    item = Item("i", "I", "r", extras=(SEQUENCED, element(ADLNAV, "presentation"), element("urn:tool", "note")))
    made = Imported(
        of("2004-4th", item, SEQUENCED, extras=(element(IMSSS, "sequencingCollection"),)), {"a.html": b"a"}
    ).plan("scorm12")
    root = xml(made)
    assert root.findtext("{*}metadata/{*}schemaversion") == "1.2"
    assert root.findtext(".//{*}masteryscore") == "75"
    spaces = {etree.QName(each).namespace for each in root.iter()}
    assert not spaces & {IMSSS, ADLNAV, ADLSEQ, ADLCP_2004}
    assert root.find(".//{urn:tool}note") is not None
    assert root.find(".//{*}organization").attrib.keys() == ["identifier"]
    assert [each.code for each in made.findings] == ["export-sequencing"]
    assert not [check for check in made.passport["checks"] if check["result"] in ("failed", "warning")]


@needs_schemas
@pytest.mark.parametrize(
    ("before", "after", "threshold", "expected"),
    [
        ("2004-3rd", "2004-4th", element(ADLCP_2004, "completionThreshold", text="0.5"), ("", {"completedByMeasure": "true", "minProgressMeasure": "0.5"})),
        ("2004-4th", "2004-3rd", element(ADLCP_2004, "completionThreshold", completedByMeasure="true", minProgressMeasure="0.5"), ("0.5", {})),
        ("2004-4th", "2004-3rd", element(ADLCP_2004, "completionThreshold", completedByMeasure="false"), None),
        ("2004-4th", "2004-4th", element(ADLCP_2004, "completionThreshold", completedByMeasure="true"), ("", {"completedByMeasure": "true"})),
        ("2004-3rd", "2004-3rd", element(ADLCP_2004, "completionThreshold", text="0.5"), ("0.5", {})),
    ],
)  # fmt: skip
def test_thresholds(before: Edition, after: Edition, threshold: Element, expected: tuple[str, dict[str, str]] | None):
    made = Imported(of(before, Item("i", "I", "r", extras=(threshold,))), {"a.html": b"a"}).plan(f"scorm{after}")
    found = xml(made).find(".//{*}completionThreshold")
    assert (found if found is None else (found.text or "", dict(found.attrib))) == expected
    assert not [check for check in made.passport["checks"] if check["result"] in ("failed", "warning")]


@needs_schemas
def test_what_the_3rd_edition_does_not_know_is_left_out_and_told():
    data = element(ADLCP_2004, "data", element(ADLCP_2004, "map", targetID="t"))
    made = Imported(of("2004-4th", Item("i", "I", "r", extras=(SEQUENCED, data))), {"a.html": b"a"}).plan(
        "scorm2004-3rd"
    )
    assert xml(made).find(".//{*}data") is None
    assert xml(made).find(f".//{{{ADLSEQ}}}objectives") is None
    assert xml(made).find(f".//{{{IMSSS}}}objectives") is not None
    assert [each.code for each in made.findings] == ["export-shared-data"]
    assert not [check for check in made.passport["checks"] if check["result"] in ("failed", "warning")]


@pytest.mark.parametrize("score", ["", "x", "-1", "101", "nan"])
def test_marks_that_are_none_are_not_carried_over(score: str):
    changed, _ = in_edition(of("1.2", Item("i", "I", "r", mastery_score=score)), "2004-3rd")
    assert changed.organizations[0].items[0].extras == ()


@needs_schemas
@pytest.mark.parametrize("name", ["scorm2004-3rd", "scorm2004-4th"])
def test_a_real_package_in_the_other_editions(name: str):
    before = imported(shared_package("scorm12__RuntimeBasicCalls_SCORM12.zip").read_bytes())
    try:
        made = before.plan(name)
    except ContentError as error:
        assert "API_1484_11" in error.message
        return
    after = imported(before.zipped(made))
    assert [each.href for each in after.course.launches] == [each.href for each in before.course.launches]
    assert {check["result"] for check in made.passport["checks"]} <= {"passed", "not-run"}


# -- html -----------------------------------------------------------------------------------------------------------------------


def test_a_site():
    made = package("1.2")
    plan = made.plan("html")
    entries = {entry.path: entry for entry in plan.entries}
    assert {path for path in entries if not path.startswith("content/")} == {
        "index.html", "course.js", "player.js", "player.css", "licenses.txt", "passport.json",
    }  # fmt: skip
    assert {path.removeprefix("content/"): entry.content for path, entry in entries.items() if entry.foreign} == {
        path: Stored(digest(data), len(data)) for path, data in made.files.items()
    }
    script = entries["course.js"].content
    assert isinstance(script, bytes)
    document = json.loads(script.decode().removeprefix("globalThis.course = ").rstrip(";\n"))
    assert set(document) == {"shape", "kind", "package_id", "version", "metadata", "scorm"}
    assert document["kind"] == "scorm"
    assert document["scorm"] == json.loads(json.dumps(made.course.document()))
    page = entries["index.html"].content
    assert isinstance(page, bytes)
    assert b"default-src 'none'" in page
    assert b"frame-src 'self'" in page
    assert b"unsafe" not in page
    assert b'lang="de-CH"' in page
    assert {check["result"] for check in plan.passport["checks"]} <= {"passed", "not-run"}
    assert plan.passport["mastery"] is None


def test_titles_are_text_in_our_page():
    page = next(
        each.content
        for each in package("1.2", title="</title><script>x").plan("html").entries
        if each.path == "index.html"
    )
    assert isinstance(page, bytes)
    assert b"<script>x" not in page


@needs_schemas
def test_the_same_bytes_every_time():
    made = package("1.2", BOTH)
    for name in ("scorm12", "scorm2004-3rd", "html"):
        assert made.zipped(made.plan(name)) == made.zipped(made.plan(name))


# -- checks ---------------------------------------------------------------------------------------------------------------------


def results(made: ExportPlan) -> dict[str, str]:
    return {check["name"]: check["result"] for check in made.passport["checks"]}


@needs_schemas
def test_checks_tell_what_the_package_brought_along():
    resources = (*course().resources, Resource("far", href="https://e.example/", remote=True))
    made = Imported(course(resources=resources), {"imsmanifest.xml": b"", "shared/copy.js": b"", "what?.html": b""})
    plan = made.plan("scorm12")
    assert results(plan) == {
        "file-names": "warning", "files-listed": "passed", "identifiers": "passed", "schema": "passed", "launches": "warning",
        "no-remote-files": "warning", "no-inline-code": "not-run",
    }  # fmt: skip
    assert {each.code for each in plan.findings} == {"export-file-names", "export-launches", "export-no-remote-files"}
    assert {each.severity for each in plan.findings} == {"warning"}


@needs_schemas
def test_checks_find_a_course_that_no_import_gives():
    broken = course(identifier="1 x", resources=(*course().resources, Resource("r1", dependencies=("nowhere",))))
    plan = Imported(broken, FILES).plan("scorm12")
    assert results(plan)["identifiers"] == results(plan)["schema"] == "failed"


def test_letters_that_no_xml_holds_are_told():
    bad = course(organizations=(Organization("o1", "\x00", (Item("i1", "x", "r1"),)),))
    with pytest.raises(ContentError) as refused:
        Imported(bad, FILES).plan("scorm12")
    assert refused.value.code == "export-unwritable"


@needs_schemas
def test_what_was_kept_and_does_not_agree_with_the_schemas_is_no_fault_of_ours():
    odd = element(IMSSS, "sequencing", element(IMSSS, "unheardOf"))
    plan = Imported(of("2004-3rd", Item("i", "I", "r", extras=(odd,))), {"a.html": b""}).plan("scorm2004-3rd")
    assert results(plan)["schema"] == "warning"
    gone = course(resources=(*course().resources, Resource("gone", href="no#address#at all")))
    assert results(Imported(gone, FILES).plan("scorm12"))["schema"] == "warning"
