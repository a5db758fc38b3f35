from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from content.exports import Options, plan_export
from content.exports.schemas import schema_errors
from tests.content.exports.examples import (
    HOSTILE,
    REPO,
    both,
    draft,
    manifest,
    ordered,
    plan,
    player,
    quiz,
    results,
    text,
    unzipped,
)

SCORM = ("scorm12", "scorm2004-3rd", "scorm2004-4th")
ADL = REPO.parent / "shared/scorm/adl-2004-4th"


def tree(document: dict[str, Any] | None = None, **options: Any) -> Any:
    return etree.fromstring(unzipped(plan(document, **options))["imsmanifest.xml"])


def local(element: Any) -> str:
    return etree.QName(element).localname


def items(root: Any) -> list[Any]:
    return [each for each in root.iter("{*}item") if each.get("identifierref")]


@pytest.mark.parametrize("packaging", ["course", "unit"])
@pytest.mark.parametrize("format", SCORM)
def test_schema_files_and_identifiers(format: str, packaging: str):
    made = plan(format=format, packaging=packaging, report="passed-failed")
    assert set(results(made).values()) <= {"passed", "not-run"}
    files = unzipped(made)
    root = etree.fromstring(files["imsmanifest.xml"])
    listed = [each.get("href") for each in root.iter("{*}file")]
    assert set(listed) == set(files) - {"imsmanifest.xml"}
    assert [each.text for each in root.iter("{*}schemaversion")] == [
        {"scorm12": "1.2", "scorm2004-3rd": "2004 3rd Edition", "scorm2004-4th": "2004 4th Edition"}[format]
    ]
    scos = [each for each in root.iter("{*}resource") if "sco" in each.attrib.values()]
    assert [each.get("href") for each in scos] == (
        ["index.html"] if packaging == "course" else ["unit-01.html", "unit-02.html"]
    )
    assert [each.get("identifierref") for each in items(root)] == [each.get("identifier") for each in scos]


@pytest.mark.parametrize("format", SCORM)
def test_schema_locations_lie_in_the_zip(format: str):
    files = unzipped(plan(format=format))
    located = etree.fromstring(files["imsmanifest.xml"]).get(
        "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
    )
    names = located.split()[1::2]
    assert names
    assert set(names) <= set(files)
    assert b"MIT" in files["control-documents-license.txt"]


@pytest.mark.parametrize("format", SCORM)
def test_the_schema_is_a_judge(format: str):
    """The check itself must be able to fail: break what it is given in ways that only a schema sees."""
    files = unzipped(plan(format=format))
    module = __import__(f"content.exports.{'scorm12' if format == 'scorm12' else 'scorm2004'}", fromlist=["SCHEMAS"])
    good = files["imsmanifest.xml"]
    assert schema_errors(good, files, module.SCHEMAS) == []
    for broken in (
        good.replace(b"<resources>", b"<resources bad='1'>"),
        good.replace(b'identifier="org"', b'identifier="1 org"'),
        good.replace(b"organizations", b"organisations"),
        good.replace(b"<schema>", b"<scheme>").replace(b"</schema>", b"</scheme>"),
        good[:-20],
    ):
        assert schema_errors(broken, files, module.SCHEMAS), broken


@pytest.mark.parametrize("packaging", ["course", "unit"])
@pytest.mark.parametrize("format", SCORM)
def test_hostile_titles(format: str, packaging: str):
    document = draft(title=both(HOSTILE * 20), description=both(HOSTILE), license=HOSTILE[:60])
    document["units"][0]["title"] = both(HOSTILE)
    made = plan(document, format=format, packaging=packaging)
    assert set(results(made).values()) <= {"passed", "not-run"}
    root = etree.fromstring(unzipped(made)["imsmanifest.xml"])
    titles = [each.text for each in root.iter("{*}title") if each.text and each.text.strip()]
    assert any("]]> <script>alert(1)</script> \ufffd" in title for title in titles)
    assert format != "scorm12" or max(map(len, titles)) <= 200
    assert not list(root.iter("{*}script"))


@pytest.mark.parametrize(
    ("report", "mark"),
    [("passed-failed", "80"), ("passed-incomplete", None), ("completed-failed", None), ("completed-incomplete", None)],
)
def test_masteryscore_only_where_the_platform_is_to_decide(report: str, mark: str | None):
    for packaging in ("course", "unit"):
        root = tree(report=report, packaging=packaging)
        assert [each.text for each in root.iter("{*}masteryscore")] == ([mark] if mark else [])
        second = tree(format="scorm2004-4th", report=report, packaging=packaging)
        leaf = items(second)[-1]
        marks = [each.text for each in leaf.iter("{*}minNormalizedMeasure")]
        assert marks == (["0.8000"] if mark else [])


def test_mastery_is_the_one_chosen():
    root = tree(report="passed-failed", mastery=0.66)
    assert [each.text for each in root.iter("{*}masteryscore")] == ["66"]
    root = tree(format="scorm2004-3rd", report="passed-failed", mastery=0.66)
    assert [each.text for each in root.iter("{*}minNormalizedMeasure")] == ["0.6600"]


def test_without_points_nobody_is_judged_and_it_is_told():
    document = draft(units=[{"id": "u", "title": both("u"), "blocks": [text("t")]}])
    made = plan(document, report="passed-failed")
    assert b"masteryscore" not in unzipped(made)["imsmanifest.xml"]
    assert "export-no-points" in [each.code for each in made.findings]
    assert "export-no-points" not in [each.code for each in plan(document).findings]


def test_steps_that_lead_nowhere_are_not_offered():
    for packaging, hidden in (("course", ["previous", "continue"]), ("unit", [])):
        root = tree(format="scorm2004-3rd", packaging=packaging)
        assert [each.text for each in root.iter("{*}hideLMSUI")] == hidden


def test_titles_in_the_first_language():
    root = tree(languages=("ar", "en"), packaging="unit")
    organization = next(root.iter("{*}organization"))
    assert organization[0].text == "ع Birds"
    assert items(root)[0][0].text == "ع First"


def test_descriptions_in_all_languages():
    root = tree()
    spoken = [each.get("{http://www.w3.org/XML/1998/namespace}lang") for each in root.iter("{*}langstring")]
    assert spoken == ["en", "ar", "en", "ar", "x-none"]
    lom = etree.fromstring(unzipped(plan(format="scorm2004-3rd"))["metadata.xml"])
    assert [each.get("language") for each in lom.iter("{*}string")] == ["en", "ar", "en", "ar", "x-none"]


def test_lom_agrees_with_the_schema_of_the_standard(tmp_path: Path):
    package = ADL / "LMSTestPackage_API.zip"
    if not package.exists():
        pytest.skip("ADL's packages, which carry the schema of LOM, are not in this checkout")
    with zipfile.ZipFile(package) as opened:
        opened.extractall(tmp_path, [name for name in opened.namelist() if name.endswith(".xsd")])
    schema = etree.XMLSchema(etree.parse(tmp_path / "lom.xsd"))
    made = unzipped(plan(draft(description=both(HOSTILE * 100)), format="scorm2004-4th"))["metadata.xml"]
    schema.assertValid(etree.fromstring(made))
    assert not schema.validate(etree.fromstring(made.replace(b"title>", b"titel>")))


def test_two_hundred_units():
    units = [{"id": f"unit.{at}", "title": both(f"{at}"), "blocks": [quiz(f"q{at}")]} for at in range(200)]
    document = draft(units=units, sequencing={"order": "forced"})
    for format in SCORM:
        made = plan(document, format=format, packaging="unit", report="passed-incomplete")
        assert {name for name, result in results(made).items() if result == "failed"} == set()
        assert len([entry for entry in made.entries if re.fullmatch(r"unit-\d{3}\.html", entry.path)]) == 200
        assert len(items(etree.fromstring(unzipped(made)["imsmanifest.xml"]))) == 200


# --- order of units ---------------------------------------------------------------------------------------------------


def prerequisites(**sequencing: Any) -> list[str | None]:
    root = tree(ordered(**sequencing), packaging="unit")
    return [getattr(item.find("{*}prerequisites"), "text", None) for item in items(root)]


def test_prerequisites():
    assert prerequisites(order="free") == [None] * 5
    assert prerequisites(order="forced") == [None, "U1", "U2", "U3", "U4"]
    assert prerequisites(posttest={"unit": "post"}) == [None] * 4 + ["U1&U2&U3&U4"]
    skipping = {"unit": "pre", "skips": ["a", "b"]}
    assert prerequisites(pretest=skipping) == [None] * 5
    assert prerequisites(order="forced", pretest=skipping) == [None, "U1", 'U2|U1="passed"', 'U3|U1="passed"', "U4"]
    assert prerequisites(pretest=skipping, posttest={"unit": "post"})[-1] == ('U1&(U2|U1="passed")&(U3|U1="passed")&U4')
    late = {"unit": "pre", "skips": ["b", "c"]}
    assert prerequisites(order="forced", pretest=late) == [
        None,
        "U1",
        "U2",
        '(U3|U1="passed")&(U3|U2)',
        '(U4|U1="passed")&(U4|U2)',
    ]


def test_a_test_is_judged_by_the_platform_whatever_the_report():
    document = ordered(pretest={"unit": "pre", "skips": ["a"], "mastery": 0.5})
    root = tree(document, packaging="unit", report="completed-incomplete")
    marks = {item.get("identifier"): item.find("{*}masteryscore") for item in items(root)}
    assert [(name, mark.text) for name, mark in marks.items() if mark is not None] == [("U1", "50")]


def test_prerequisites_that_do_not_fit_are_told():
    units = [{"id": f"u{at}", "title": both(f"{at}"), "blocks": [quiz(f"q{at}")]} for at in range(99)]
    made = plan(draft(units=units, sequencing={"order": "free", "posttest": {"unit": "u98"}}), packaging="unit")
    assert [each.pointer for each in made.findings if each.code == "export-prerequisites"] == ["/structure/units/98"]
    assert results(made)["schema"] == "passed"


@pytest.mark.parametrize("format", SCORM[1:])
@pytest.mark.parametrize("report", ["passed-failed", "completed-incomplete"])
@pytest.mark.parametrize(
    "sequencing",
    [
        {"order": "forced"},
        {"order": "free", "posttest": {"unit": "post"}},
        {"order": "forced", "pretest": {"unit": "pre", "skips": ["b", "c"]}, "posttest": {"unit": "post"}},
        {"order": "free", "pretest": {"unit": "pre", "skips": ["a", "post"]}},
    ],
)
def test_every_order_agrees_with_the_schema(format: str, report: str, sequencing: dict[str, Any]):
    made = plan(ordered(**sequencing), format=format, report=report, packaging="unit")
    assert set(results(made).values()) <= {"passed", "not-run"}
    root = etree.fromstring(unzipped(made)["imsmanifest.xml"])
    written = {
        each.get("targetObjectiveID") for each in root.iter("{*}mapInfo") if each.get("writeSatisfiedStatus") == "true"
    }
    read = {
        each.get("targetObjectiveID") for each in root.iter("{*}mapInfo") if each.get("readSatisfiedStatus") == "true"
    }
    assert read <= written
    for sequenced in root.iter("{*}sequencing"):
        own = {each.get("objectiveID") for each in sequenced.iter("{*}objective", "{*}primaryObjective")}
        asked = {each.get("referencedObjective") for each in sequenced.iter("{*}ruleCondition")}
        assert asked <= own


def test_shares_of_the_score():
    def shares(document: dict[str, Any]) -> list[float]:
        root = tree(document, format="scorm2004-4th", packaging="unit", report="passed-failed")
        return [float(each.get("objectiveMeasureWeight")) for each in root.iter("{*}rollupRules")]

    assert shares(ordered(order="forced")) == [0.3333, 0, 0.3333, 0, 0.3333]
    assert shares(ordered(order="forced", posttest={"unit": "post"})) == [0, 0, 0, 0, 1]
    assert shares(ordered(pretest={"unit": "pre", "skips": ["b"]})) == [0, 0, 0, 0, 1]


def test_same_bytes_in_whatever_order_the_player_lists_its_files():
    first = player()
    second = type(first)(first.version, dict(reversed(first.files.items())))
    options = Options("scorm2004-4th", packaging="unit")
    assert plan_export(manifest(), options, first).entries == plan_export(manifest(), options, second).entries
