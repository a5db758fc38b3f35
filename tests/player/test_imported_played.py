"""Imported packages played in Chromium on an origin of their own, with every other address blocked, and launched twice.

Their html exports are played under the policy of the edge; every call that content makes is recorded with its answer. The shell for
bundles is played too, in a page of another origin, and once more without a network. More packages: `test_packages_played.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from content.exports import Options
from tests.content.scorm.packages import zip_of
from tests.player.packages import course_with, play, shared, site
from tests.player.playing import told

pytestmark = [pytest.mark.xdist_group("player"), pytest.mark.timeout(400)]
Recorded = dict[str, Any]
GOLF_12, GOLF_2004 = "scorm12__RuntimeBasicCalls_SCORM12", "scorm2004__RuntimeBasicCalls_SCORM20043rdEdition"
FORCED = "scorm2004__SequencingForcedSequential_SCORM20043rdEdition"
PACKAGES: dict[str, tuple[str, str]] = {
    "golf12": (GOLF_12, "golf"),
    "golf2004": (GOLF_2004, "golf"),
    "forced": (FORCED, "sequenced"),
    "around": (GOLF_12, "around"),
    "failing": (GOLF_12, "failing"),
}
HOSTILE = """<?xml version="1.0"?>
<manifest identifier="m" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
 xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2"><metadata><schemaversion>1.2</schemaversion></metadata>
<organizations default="o"><organization identifier="o"><title>&lt;img src=x onerror="ran=1"&gt;</title>
<item identifier="a" identifierref="r"><title>&lt;script&gt;ran=2&lt;/script&gt;</title></item>
<item identifier="b" identifierref="r"><title>"&gt;&lt;iframe srcdoc="&lt;script&gt;top.ran=3&lt;/script&gt;"&gt;</title></item>
</organization></organizations>
<resources><resource identifier="r" type="webcontent" adlcp:scormtype="sco" href="index.html"/></resources></manifest>"""
PLATFORM = """<!doctype html><title>Platform</title><script>
var heard = [];
const api = (name) => new Proxy({}, {get: (_, each) => (...given) => {
  heard.push([name, each, ...given]);
  return /GetValue/.test(each) ? "" : /Error|Diagnostic/.test(each) ? "0" : "true";
}});
var API = api("API"), API_1484_11 = api("API_1484_11");
</script><iframe id="course" src="index.html" style="inline-size: 1000px; block-size: 700px"></iframe>"""
"""Has both interfaces, and says yes to everything."""
TAKES_OVER = """<script>
let climbs = 0; for (let w = window; w.parent !== w && climbs < 9; w = w.parent) climbs++;
parent.API.LMSInitialize(""); parent.API.LMSSetValue("cmi.suspend_data", String(climbs));
try { top.location = "/elsewhere.html"; } catch (error) { parent.API.LMSSetValue("cmi.core.lesson_location", error.name); }
fetch("http://other.localhost:1/").catch(() => parent.API.LMSSetValue("cmi.comments", "unreachable"));
navigator.serviceWorker?.register("sw.js").catch((error) => parent.API.LMSSetValue("cmi.core.session_time", "0000:00:01"));
</script>"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("packages")
    jobs = dict[str, dict[str, Any]]()
    for name, (package, what) in PACKAGES.items():
        site(shared(package), folder / name, f"pkg_{name}")
        jobs[name] = {"folder": str(folder / name), "play": what}
    strange = folder / "around" / "content" / "odd"
    strange.mkdir()
    (strange / "ä b#c.txt").write_text("odd")
    hostile = folder / "hostile.zip"
    hostile.write_bytes(
        zip_of({"imsmanifest.xml": HOSTILE, "index.html": TAKES_OVER, "sw.js": "self.onfetch = () => 0;"})
    )
    site(hostile, folder / "hostile", "pkg_hostile")
    jobs["hostile"] = {"folder": str(folder / "hostile"), "play": "shown"}
    course_with(shared(GOLF_12), folder / "embed", Options("scorm2004-4th"))
    (folder / "embed" / "lms.html").write_text(PLATFORM)
    jobs["embed"] = {"folder": str(folder / "embed"), "play": "embed"}
    return play(jobs, folder)


def recorded(played: Recorded, name: str) -> Recorded:
    assert "failed" not in played[name], played[name]["failed"]
    return played[name]


def refused(calls: list[list[str]]) -> list[list[str]]:
    return [call for call in calls if "SetValue" in call[0] and call[-1] != "0"]


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "around"])
def test_nothing_is_asked_of_elsewhere_and_nothing_goes_wrong(played: Recorded, name: str) -> None:
    found = recorded(played, name)
    assert found["outside"] == found["errors"] == []


@pytest.mark.parametrize("name", ["golf12", "golf2004"])
def test_a_course_goes_on_where_one_was_and_is_passed(played: Recorded, name: str) -> None:
    found = recorded(played, name)
    old = name == "golf12"
    status, location = (
        ("cmi.core.lesson_status", "cmi.core.lesson_location") if old else ("cmi.completion_status", "cmi.location")
    )
    assert told(found["begun"]) == {status: "incomplete", location: "2"}
    get = "LMSGetValue" if old else "GetValue"
    assert found["resumed"][1:3] == [[get, status, "incomplete", "0"], [get, location, "2", "0"]]
    assert found["dialogs"] == ["Would you like to resume from where you previously left off?"]
    values = told(found["ended"])
    outcome = {"cmi.core.lesson_status": "passed"} if old else {"cmi.success_status": "passed", "cmi.completion_status": "completed"}  # fmt: skip
    score = "cmi.core.score.raw" if old else "cmi.score.raw"
    assert outcome.items() <= values.items() and float(values[score]) >= 70
    assert refused(found["begun"]) == refused(found["ended"]) == []
    assert found["ended"][-1] == [("LMSFinish" if old else "Terminate"), "", "true", "0"]
    (kept,) = found["kept"]["items"].values()
    assert (kept["status"], kept["exit"]) == ("passed", "") and kept["score"] == pytest.approx(
        float(values[score]) / 100
    )
    assert kept["cmi"][location] == values[location]
    assert found["said"] == "You have finished this course."


def test_the_time_of_all_sessions_is_added_up(played: Recorded) -> None:
    found = recorded(played, "golf2004")
    (kept,) = found["kept"]["items"].values()
    before, last = kept["cmi"]["cmi.total_time"], told(found["ended"])["cmi.session_time"]
    seconds = [float(each.removeprefix("PT").removesuffix("S")) for each in (kept["total"], before, last)]
    assert seconds[1] > 0 and seconds[0] == pytest.approx(seconds[1] + seconds[2], abs=0.02)


def test_rules_say_what_may_be_opened_and_the_session_goes_on_after_the_page_was_closed(played: Recorded) -> None:
    found = recorded(played, "forced")
    closed = [f"{title}\nNot open yet" for title in ("Handicapping", "Having Fun", "Quiz")]
    assert found["before"][1:] == ["Etiquette\nNot open yet", *closed] and found["heading"] == "Playing the Game"
    assert told(found["told"])["cmi.success_status"] == "passed"
    assert found["then"] == "Etiquette" and found["after"] == [
        "Playing the Game\nPassed",
        "Etiquette\nNot begun",
        *closed,
    ]
    resumed = found["resumed"]
    assert resumed["heading"] == "Etiquette" and resumed["lines"] == [
        "Playing the Game\nPassed",
        "Etiquette\nBegun",
        *closed,
    ]
    assert resumed["calls"][1:3] == [
        ["GetValue", "cmi.completion_status", "incomplete", "0"],
        ["GetValue", "cmi.location", "1", "0"],
    ]
    state = json.loads(found["kept"]["sequencing"])
    assert state["globalObjectiveMap"]["com.scorm.golfsamples.sequencing.forcedsequential.playing_satisfied"][
        "satisfiedStatus"
    ]


def test_titles_are_texts_and_content_reaches_nothing_but_its_own_run_time(played: Recorded) -> None:
    found = recorded(played, "hostile")
    assert (
        found["ran"] is None
        and '<img src=x onerror="ran=1">' in found["text"]
        and "<script>ran=2</script>" in found["text"]
    )
    values = told(found["calls"])
    assert values["cmi.suspend_data"] == "1", "the way up ends at the wrapper"
    assert values["cmi.core.lesson_location"] == "SecurityError", "nor does it take the whole window with it"
    assert values["cmi.comments"] == "unreachable"


def test_what_cannot_be_kept_is_said_to_the_learner_and_to_the_content(played: Recorded) -> None:
    found = recorded(played, "failing")
    assert "Not saved, and this device cannot keep it." in found["sign"]
    assert found["commit"] == ["false", "101"]
    items, commit = found["kept"]
    assert items["item_1"]["cmi"]["cmi.core.lesson_location"] == "1" and commit == "true"


def test_a_page_of_another_origin_gives_the_files_and_keeps_what_was_done(played: Recorded) -> None:
    found = recorded(played, "around")
    assert told(found["calls"]) == {"cmi.core.lesson_status": "incomplete", "cmi.core.lesson_location": "2"}
    assert json.loads(found["saved"])["items"]["item_1"]["cmi"]["cmi.core.student_id"] == "ada"
    assert "shared/launchpage.html" in found["asked"] and found["standings"][0]["all"] == 1
    assert "it is kept on this device and will be sent" in found["unsaved"]
    assert found["unnamed"] == {"asked": 0, "text": ""}, "a frame of another origin than was named is not spoken to"
    assert found["errors"] == []


def test_the_worker_answers_in_ranges_and_for_its_own_session_alone(played: Recorded) -> None:
    fetched = recorded(played, "around")["fetched"]
    jpeg, none = "image/jpeg", [404, None, "text/plain;charset=UTF-8", 0]
    assert fetched["whole"] == [200, None, jpeg, 4012] and fetched["head"] == [200, None, jpeg, 0]
    assert fetched["part"] == [206, "bytes 10-19/4012", jpeg, 10]
    assert fetched["rest"] == [206, "bytes 4000-4011/4012", jpeg, 12]
    assert fetched["last"] == [206, "bytes 4007-4011/4012", jpeg, 5]
    assert fetched["beyond"][:2] == [416, "bytes */4012"]
    assert fetched["odd"][0] == 200 and fetched["odd"][3] == 3
    assert fetched["none"] == fetched["outside"] == none and fetched["post"][0] == 405
    assert fetched["policy"].startswith("sandbox allow-scripts")


def test_content_in_the_shell_sees_neither_the_page_around_nor_what_it_keeps(played: Recorded) -> None:
    assert recorded(played, "around")["reach"] == {
        "page": "SecurityError",
        "climb": True,
        "cookie": "",
        "storage": "SecurityError",
    }


def test_without_a_network_it_begins_again_where_one_was(played: Recorded) -> None:
    resumed = recorded(played, "around")["resumed"]
    assert resumed[1:3] == [
        ["LMSGetValue", "cmi.core.lesson_status", "incomplete", "0"],
        ["LMSGetValue", "cmi.core.lesson_location", "3", "0"],
    ]


def test_a_package_inside_a_course_tells_the_course_and_never_the_platform(played: Recorded) -> None:
    found = recorded(played, "embed")
    assert found["outside"] == found["errors"] == []
    assert found["before"] == {"title": "Golf", "finished": "", "button": "Full screen: Golf"}
    assert told(found["inside"])["cmi.core.lesson_status"] == "completed"
    heard = found["platform"]
    assert [each for each in heard if each[0] == "API"] == [], (
        "content of 1.2 found its own player's, not the platform's"
    )
    assert ["API_1484_11", "SetValue", "cmi.completion_status", "completed"] in heard, "and the course was told"
    ((key, _),) = found["kept"]
    assert key.endswith("/pkg_00000000000000000000000009/e1")
    assert ["LMSGetValue", "cmi.core.lesson_location", "14", "0"] in found["again"]
