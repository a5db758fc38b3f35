"""Launch, edition and tree of the packages in shared/, against what their manifests were read to say.

ADL's: every one keeps its pages under `resources/` by an xml:base (SX-03 by its hrefs), names its test and activity in the
item's parameters, and begins with the first activity that has a resource: the first one, but for those in `BEGINS_LATER`.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from content.scorm.findings import PackageRefused
from content.scorm.model import Course, Element
from tests.content.scorm.course.reading import codes, read
from tests.content.scorm.packages import shared_package, shared_packages

ADL = [path.name for path in shared_packages("adl-2004-4th")]
SECOND = "CM-03a CM-04a CM-04c CM-07c CM-14 CO-12a CO-12c OB-16b OB-16d RU-06b RU-13b RU-13d RU-14a RU-14c RU-18b RU-19b SX-07b"
BEGINS_LATER = {**dict.fromkeys(SECOND.split(), 2), "CM-07a": 3}
PAGES = {"API": "AssetLaunchTest.htm", "DMI": "DMImplementationTest1.htm", "SX-09": "SequencingTest_SX09_exit.htm"}

# name → edition, launch, items, launches of the default organization, title
HANDMADE = {
    "aicc__complex": ("aicc", "intro.html", 3, 3, "Complex AICC Course"),
    "aicc__package": ("aicc", "default.htm", 1, 1, "UniversitySite AICC Testing Tool"),
    "scorm12__ComplexNestedOrganization_SCORM12": (
        "1.2",
        "content/module1.html",
        12,
        11,
        "Complex Nested Organization Test",
    ),
    "scorm12__ContentPackagingOneFilePerSCO_SCORM12": (
        "1.2",
        "Playing/Playing.html",
        22,
        18,
        "Golf Explained - CP One File Per SCO",
    ),
    "scorm12__ContentPackagingWithMetadata_SCORM12": ("1.2", "index.html", 1, 1, "SCORM 1.2 With Metadata"),
    "scorm12__InvalidFileReferences_SCORM12": (
        "1.2",
        "content/nonexistent.html",
        1,
        1,
        "Invalid File References Test",
    ),
    "scorm12__ItemWithNonExistentResourceId_SCORM12": (
        "1.2",
        "content/item2.html",
        2,
        1,
        "Item With Non-Existent Resource ID Test",
    ),
    "scorm12__LaunchUrlFromNestedItem_SCORM12": (
        "1.2",
        "content/topic1.html",
        7,
        2,
        "Launch URL From Nested Item Test",
    ),
    "scorm12__MissingRequiredFields_SCORM12": ("1.2", "content/index.html", 1, 1, "Test Item"),
    "scorm12__MultipleItemsWithIdentifierRef_SCORM12": (
        "1.2",
        "content/item1.html",
        3,
        3,
        "Multiple Items With IdentifierRef Test",
    ),
    "scorm12__RuntimeBasicCalls_SCORM12": (
        "1.2",
        "shared/launchpage.html",
        1,
        1,
        "Golf Explained - Run-time Basic Calls",
    ),
    "scorm2004__AdlAttributes_SCORM20043rdEdition": ("2004-3rd", "index.html", 1, 1, "ADL Attributes Example"),
    "scorm2004__ContentPackagingMetadata_SCORM20043rdEdition": (
        "2004-3rd",
        "shared/launchpage.html",
        1,
        1,
        "Golf Explained - Metadata Example",
    ),
    "scorm2004__ContentPackagingNoSchemaVersion_SCORM20042ndEdition": (
        "2004-2nd",
        "index.html",
        1,
        1,
        "Minimal 2nd Edition No SchemaVersion",
    ),
    "scorm2004__ContentPackagingSingleSCO_SCORM20042ndEdition": (
        "2004-2nd",
        "shared/launchpage.html",
        1,
        1,
        "Golf Explained - CP Single SCO",
    ),
    "scorm2004__ContentPackagingSingleSCO_SCORM20043rdEdition": (
        "2004-3rd",
        "shared/launchpage.html",
        1,
        1,
        "Golf Explained - CP Single SCO",
    ),
    "scorm2004__InvalidMissingOrgIdentifier_SCORM20043rdEdition": ("2004-3rd", "index.html", 1, 1, "Minimal Course"),
    "scorm2004__MinimalValid_SCORM20043rdEdition": ("2004-3rd", "index.html", 1, 1, "Minimal Course"),
    "scorm2004__RuntimeBasicCalls_SCORM20043rdEdition": (
        "2004-3rd",
        "shared/launchpage.html",
        1,
        1,
        "Golf Explained - Run-time Basic Calls",
    ),
    "scorm2004__SequencingForcedSequential_SCORM20043rdEdition": (
        "2004-3rd",
        "shared/launchpage.html?content=playing",
        5,
        5,
        "Golf Explained - Sequencing Forced Order",
    ),
    "scorm2004__SequencingPostTestRollup4thEd_SCORM20044thEdition": (
        "2004-4th",
        "shared/launchpage.html?content=playing",
        5,
        5,
        "Golf Explained - 4th Edition Features",
    ),
    "scorm2004__SequencingPreOrPostTestRollup_SCORM20043rdEdition": (
        "2004-3rd",
        "shared/launchpage.html?content=assessment",
        8,
        6,
        "Golf Explained - Sequencing Pre or Post Test Rollup",
    ),
    "scorm2004__SequencingSimpleRemediation_SCORM20043rdEdition": (
        "2004-3rd",
        "shared/launchpage.html?content=playing",
        9,
        8,
        "Golf Explained - Simple Remediation",
    ),
    "xapi__basic_course": ("tincan", "index.html", 1, 1, "Basic xAPI Course"),
}
REFUSED = {
    "scorm12__MalformedXml_SCORM12": "xml-malformed",
    "scorm12__MissingLaunchUrl_SCORM12": "no-launch",
}
WARNED = {
    "scorm12__InvalidFileReferences_SCORM12": {"launch-file-missing", "file-missing"},
    "scorm12__ItemWithNonExistentResourceId_SCORM12": {"identifierref-dangling"},
    "scorm12__MissingRequiredFields_SCORM12": {"title-missing"},
    "scorm2004__InvalidMissingOrgIdentifier_SCORM20043rdEdition": {"identifier-missing", "default-dangling"},
    "scorm2004__ContentPackagingNoSchemaVersion_SCORM20042ndEdition": {"schemaversion-missing"},
}


@pytest.mark.parametrize("file", ADL)
def test_adl_packages_launch_where_their_manifests_say(file: str) -> None:
    name = file.removeprefix("LMSTestPackage_").removesuffix(".zip")
    course, found = read(shared_package(file))
    page = PAGES.get(name, "SequencingTest.htm")
    query = "?tc=DDM&act=1b" if name == "DDMb" else f"?tc={name}&act={BEGINS_LATER.get(name, 1)}"
    assert course.launches[0].href == f"resources/{page}{query}"
    assert course.edition == "2004-4th"
    assert course.identifier == f"LMSTestPackage_{name}"
    assert course.title == f"LMS Test Content Package {name}"
    # The suite's zips lack the Java applet's archive that their manifests list; nothing else is odd about them.
    assert codes(found) <= {"file-missing"}


@pytest.mark.parametrize("file", ADL)
def test_nothing_of_adls_trees_is_lost(file: str) -> None:
    path = shared_package(file)
    course, _ = read(path)
    root = ElementTree.fromstring(zipfile.ZipFile(path).read("imsmanifest.xml"))
    items = [node for node in root.iter() if _local(node.tag) == "item"]
    resources = [node for node in root.iter() if _local(node.tag) == "resource"]
    told = [item for organization in course.organizations for item in organization.walk()]
    assert [item.identifier for item in told] == [node.attrib["identifier"].strip() for node in items]
    assert [item.parameters for item in told] == [node.get("parameters", "").strip() for node in items]
    assert [item.visible for item in told] == [node.get("isvisible", "true") != "false" for node in items]
    assert [each.identifier for each in course.resources] == [node.attrib["identifier"].strip() for node in resources]
    assert len(course.launches) == sum("identifierref" in node.attrib for node in items)
    assert _kept(course) == _written(root)


@pytest.mark.parametrize("name", HANDMADE)
def test_handmade_packages_are_read_as_their_manifests_say(name: str) -> None:
    course, found = read(shared_package(f"{name}.zip"))
    launch = course.launches[0].href
    assert (course.edition, launch, course.items, len(course.launches), course.title) == HANDMADE[name]
    assert codes(found) >= WARNED.get(name, set())


@pytest.mark.parametrize("name", REFUSED)
def test_broken_handmade_packages_are_refused_by_name(name: str) -> None:
    with pytest.raises(PackageRefused) as refused:
        read(shared_package(f"{name}.zip"))
    assert [each.code for each in refused.value.errors] == [REFUSED[name]]


def test_the_table_names_every_handmade_package() -> None:
    names = {path.stem for path in shared_packages("handmade")}
    assert not names or names == {*HANDMADE, *REFUSED}


def test_metadata_in_a_file_of_their_own() -> None:
    course, _ = read(shared_package("scorm2004__ContentPackagingMetadata_SCORM20043rdEdition.zip"))
    assert course.language == "en"
    assert course.keywords == ("golf", "golf etiquette", "golf handicap")
    assert course.description.startswith(
        "A high level overview of the sport of golf. This course describes how to play"
    )
    assert [(each.name.rpartition("}")[2], each.text) for each in course.metadata] == [
        ("location", "metadata_course.xml")
    ]
    (file,) = [each for each in course.resources[0].extras if each.name.endswith("}file")]
    assert file.attributes == (("href", "Handicapping/example.jpg"),)
    assert "Elmridge Golf Course" in str(file)


def test_the_golf_course_keeps_what_the_fourth_edition_added() -> None:
    course, _ = read(shared_package("scorm2004__SequencingPostTestRollup4thEd_SCORM20044thEdition.zip"))
    (organization,) = course.organizations
    assert {name.rpartition("}")[2]: value for name, value in organization.attributes} == {
        "objectivesGlobalToSystem": "false",
        "sharedDataGlobalToSystem": "false",
    }
    assert [each.name.rpartition("}")[2] for each in organization.items[0].extras] == [
        "data",
        "completionThreshold",
        "sequencing",
    ]
    assert [each.name.rpartition("}")[2] for each in course.extras] == ["sequencingCollection"]


def test_the_complex_aicc_course() -> None:
    course, _ = read(shared_package("aicc__complex.zip"))
    (first,) = course.organizations[0].items
    second, third = first.children
    assert [each.title for each in (first, second, third)] == ["Intro AU", "Scenario AU", "Assessment AU"]
    assert (third.prerequisites, third.mastery_score, third.max_time_allowed) == ("A1 AND *A2", "75", "00:45:00")
    assert second.prerequisites == "A1"
    assert (first.mastery_score, first.time_limit_action) == ("80", "C,N")
    assert course.description == "Complex course for parsing tests"
    kept = [each for item in (first, second, third) for each in item.extras if each.name.endswith("}objective")]
    assert sorted(dict(each.attributes)["objective_id"] for each in kept) == ["OBJ-FINAL", "OBJ-INTRO", "OBJ-INTRO"]


def _written(root: ElementTree.Element) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """Names and attributes of everything that the model keeps as elements."""
    fields = {"title", "item", "organization", "organizations", "dataFromLMS", "timeLimitAction"}
    found: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for part in root:
        if _local(part.tag) in ("organizations", "sequencingCollection"):
            nodes = [node for node in part.iter() if _local(node.tag) not in fields]
            found.update((node.tag, tuple(sorted(node.attrib.items()))) for node in nodes)
    return found


def _kept(course: Course) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    roots = [*course.extras]
    for organization in course.organizations:
        roots.extend(organization.extras)
        for item in organization.walk():
            roots.extend(item.extras)
    return Counter((each.name, each.attributes) for root in roots for each in _walk(root))


def _walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _walk(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
