"""More imported packages in Chromium: ADL's conformance pages, AICC, trees, what is missing; and the page around them for everybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.content.scorm.packages import shared_packages
from tests.player.packages import play, shared, site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("player"), pytest.mark.timeout(900)]
Recorded = dict[str, Any]
FORCED = "scorm2004__SequencingForcedSequential_SCORM20043rdEdition"
DATA_MODEL = [
    "cmi.location", "cmi.launch_data", "cmi.completion_threshold", "cmi.time_limit_action", "adl.data._count", "adl.data.0.id",
    "adl.data.0.store", ["adl.data.0.store", "shared"], ["cmi.progress_measure", "0.9"], "cmi.completion_status",
    ["cmi.location", "page 4"], ["cmi.exit", "suspend"],
]  # fmt: skip
PACKAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "datamodel": (
        "LMSTestPackage_DMI",
        {"play": "adl", "item": "Data Model Implementation Test 1", "elements": DATA_MODEL},
    ),
    "api": ("LMSTestPackage_API", {"play": "adl", "item": "API Implementation Test 1", "elements": ["cmi.learner_id"]}),
    "aicc": ("aicc__complex", {"play": "walk"}),
    "many": ("scorm12__ContentPackagingOneFilePerSCO_SCORM12", {"play": "walk"}),
    "missing": ("scorm12__ComplexNestedOrganization_SCORM12", {"play": "shown"}),
    "tincan": ("xapi__basic_course", {"play": "shown"}),
    "access": (FORCED, {"play": "access"}),
}
ADL = [path.stem for path in shared_packages("adl-2004-4th")]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("packages")
    jobs = dict[str, dict[str, Any]]()
    for name, (package, job) in PACKAGES.items():
        site(shared(package), folder / name, f"pkg_{name}")
        jobs[name] = {"folder": str(folder / name), **job}
    for number, package in enumerate(ADL):
        site(shared(package), folder / f"adl{number}", f"pkg_adl{number}")
        jobs[f"adl{number}"] = {"folder": str(folder / f"adl{number}"), "play": "begun"}
    return play(jobs, folder)


def recorded(played: Recorded, name: str) -> Recorded:
    assert "failed" not in played[name], played[name]["failed"]
    return played[name]


@pytest.mark.parametrize("name", ["aicc", "many", "missing", "tincan"])
def test_nothing_is_asked_of_elsewhere_and_nothing_goes_wrong(played: Recorded, name: str) -> None:
    found = recorded(played, name)
    assert found["outside"] == found["errors"] == []


def test_adls_own_pages_find_the_run_time_and_what_the_manifest_says(played: Recorded) -> None:
    found = recorded(played, "datamodel")
    first, second = (
        {str(each[0]): each[1] for each in run["noted"] if isinstance(each, list)}
        for run in (found["first"], found["second"])
    )
    assert first["cmi.launch_data"] == "Launch Data Test" and first["cmi.time_limit_action"] == "continue,message"
    assert (first["cmi.completion_threshold"], first["cmi.completion_status"]) == ("0.8", "completed")
    assert (first["adl.data._count"], first["adl.data.0.id"], first["adl.data.0.store"]) == ("4", "tarID1", "")
    assert (second["adl.data.0.store"], second["cmi.location"], first["cmi.location"]) == ("shared", "page 4", "")
    assert found["first"]["noted"][0] == "DMI!1" and found["first"]["url"].endswith(
        "DMImplementationTest1.htm?tc=DMI&act=1"
    )
    assert found["first"]["lines"][0] == "Data Model Implementation Test 1\nDone"
    api = recorded(played, "api")
    assert api["first"]["calls"] == [["Initialize", "", "true", "0"], ["GetValue", "cmi.learner_id", "learner", "0"], ["Terminate", "", "true", "0"]]  # fmt: skip
    assert api["first"]["lines"][0] == "Asset Launch Test\nDone"


def test_every_package_of_adls_opens_its_first_activity_below_all_its_bases(played: Recorded) -> None:
    for number, package in enumerate(ADL):
        found = recorded(played, f"adl{number}")
        assert found["address"].startswith("resources/") and "?tc=" in found["address"], package
        assert found["said"] == "", package


def test_aicc_is_walked_through_in_the_order_of_its_prerequisites(played: Recorded) -> None:
    found = recorded(played, "aicc")
    assert (
        found["before"] == ["Intro AU\nNot begun", "Scenario AU\nNot open yet", "Assessment AU\nNot open yet"]
        or found["opened"][0][1] == "intro.html"
    )
    assert [address for _, address in found["opened"]] == ["intro.html", "scenario.html", "assessment.html"]


def test_what_tells_nothing_is_done_once_it_was_opened(played: Recorded) -> None:
    found = recorded(played, "many")
    assert len(found["opened"]) == 18
    assert {
        line.partition("\n")[2]
        for line in found["after"][1:]
        if "\n" in line and not line.startswith("Having Fun Quiz")
    } == {"Done"}


def test_a_file_that_is_not_there_is_said(played: Recorded) -> None:
    assert "This could not be loaded." in recorded(played, "missing")["text"]


def test_a_course_that_needs_a_record_store_opens_and_says_what_is_not_recorded(played: Recorded) -> None:
    found = recorded(played, "tincan")
    assert "What you do here is not recorded" in found["text"] and found["api"] == ["undefined", "undefined"]


@pytest.mark.parametrize("kind", ["desktop", "phone", "arabic"])
def test_the_page_around_the_content_is_for_everybody(played: Recorded, kind: str) -> None:
    found = recorded(played, "access")[kind]
    assert found["violations"] == [] and found["wide"] <= 0
    assert found["focus"] == "IFRAME", "the link at the top leads into the content"
    assert found["dir"] == ("rtl" if kind == "arabic" else "ltr")
    assert found["lines"][1] == ("Etiquette\nغير مفتوح بعد" if kind == "arabic" else "Etiquette\nNot open yet")
