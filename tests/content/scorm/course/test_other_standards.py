"""cmi5, Tin Can and AICC: what becomes an item's, and what is kept beside."""

from __future__ import annotations

from content.scorm.course.namespaces import AICC, CMI5, TINCAN
from content.scorm.model import Element, Launch, Resource
from tests.content.scorm.course.reading import codes, read
from tests.content.scorm.hostile_manifests import PAGE

COURSE_STRUCTURE = f"""<courseStructure xmlns="{CMI5}">
<course id="https://example.org/course"><title><langstring lang="de-DE">Vögel</langstring>
<langstring lang="en-US">Birds</langstring></title><description><langstring lang="de-DE">Von Vögeln</langstring></description></course>
<objectives><objective id="https://example.org/o"><title><langstring>O</langstring></title>
<description><langstring>O</langstring></description></objective></objectives>
<block id="https://example.org/block"><title><langstring>Block</langstring></title><description/>
  <objectives><objective idref="https://example.org/o"/></objectives>
  <au id="https://example.org/one" moveOn="CompletedOrPassed" masteryScore="0.75" launchMethod="OwnWindow" activityType="x">
    <title><langstring>One</langstring></title><description/><url>one/index.html?x=1#t</url>
    <launchParameters>{{"a": 1}}</launchParameters><entitlementKey>key</entitlementKey></au></block>
<au id="https://example.org/two"><title><langstring>Two</langstring></title><description/><url>two.html</url></au>
</courseStructure>"""


def test_a_cmi5_course() -> None:
    course, found = read({"cmi5.xml": COURSE_STRUCTURE, "one/index.html": PAGE, "one/x.js": b""})
    assert (course.edition, course.identifier, course.title) == ("cmi5", "https://example.org/course", "Vögel")
    assert (course.language, course.description) == ("de-DE", "Von Vögeln")
    block, two = course.organizations[0].items
    (one,) = block.children
    assert [each.activity for each in (block, one, two)] == [
        f"https://example.org/{each}" for each in ("block", "one", "two")
    ]
    assert (one.mastery_score, one.data_from_lms, one.title) == ("0.75", '{"a": 1}', "One")
    # The other one is not in the package.
    assert course.launches == (Launch("course", "au-1", "One", "one/index.html?x=1#t"),)
    (kept,) = one.extras
    assert dict(kept.attributes)["moveOn"] == "CompletedOrPassed"
    assert dict(kept.attributes)["launchMethod"] == "OwnWindow"
    assert [each.name.rpartition("}")[2] for each in kept.children] == [
        "title",
        "description",
        "url",
        "launchParameters",
        "entitlementKey",
    ]
    (of_block,) = block.extras
    assert [each.name.rpartition("}")[2] for each in of_block.children] == ["title", "description", "objectives"]
    assert [each.name for each in course.extras] == [f"{{{CMI5}}}course", f"{{{CMI5}}}objectives"]
    assert codes(found) == {"launch-file-missing", "files-unlisted"}


def test_a_tin_can_course() -> None:
    text = f"""<tincan xmlns="{TINCAN}"><activities>
    <activity id="https://example.org/course" type="http://adlnet.gov/expapi/activities/course">
      <name lang="en-US">Course</name><name lang="fr">Cours</name><description lang="en-US">Words</description>
      <launch lang="en-US">a b/index_lms.html?x=1</launch></activity>
    <activity id="https://example.org/course/q1" type="http://adlnet.gov/expapi/activities/cmi.interaction">
      <name lang="und">Q</name></activity></activities></tincan>"""
    course, found = read({"tincan.xml": text, "a b/index_lms.html": PAGE})
    assert (course.edition, course.identifier, course.title) == ("tincan", "https://example.org/course", "Course")
    assert (course.language, course.description) == ("en-US", "Words")
    assert course.launches == (Launch("course", "activity-1", "Course", "a b/index_lms.html?x=1"),)
    assert course.organizations[0].items[0].activity == "https://example.org/course"
    assert len(course.organizations[0].items[0].extras[0].children) == 4
    assert [dict(each.attributes)["id"] for each in course.extras] == ["https://example.org/course/q1"]
    assert not found.warnings


AICC_FILES: dict[str, bytes | str] = {
    "c/Course.CRS": "[COURSE]\r\nCourse_Title=Vögel\r\nCourse_ID=B 1\r\n[Course_Description]\r\nFirst line\r\nsecond = line?\r\n".encode(
        "cp1252"
    ),
    "c/course.au": '"System_ID","Type","Command_Line","File_Name","Max_Score","Mastery_Score","Core_Vendor","Web_Launch"\n'
    '"A1","lesson","","one.html","100","80","a=1\nb=2","id=1&x=""2"""\n"A2","","","sub/two.html?y=1","","","","z=3"\n"A3","","","three.html","","","",""\n',
    "c/course.des": "system_id,title,description\nA1,One,First\na2,Two,\nB1,A block,\n",
    "c/course.cst": "block,member,member\nROOT,B1\nb1,a1,A2,A9\n",
    "c/course.pre": "structure_element,prerequisite\nA2,A1\nA2,B1|A3\n",
    "c/one.html": PAGE,
    "c/sub/two.html": PAGE,
}


def test_an_aicc_course() -> None:
    course, found = read(AICC_FILES)
    assert (course.edition, course.identifier, course.title) == ("aicc", "B 1", "Vögel")
    assert course.description == "First line"
    (block,) = course.organizations[0].items
    one, two = block.children
    assert [each.title for each in (block, one, two)] == ["A block", "One", "Two"]
    assert (one.mastery_score, one.data_from_lms, one.parameters) == ("80", "a=1\nb=2", 'id=1&x="2"')
    assert two.prerequisites == "A1&(B1|A3)"
    assert [each.href for each in course.launches] == ['one.html?id=1&x="2"', "sub/two.html?y=1&z=3"]
    assert course.resources[0] == Resource("a1-resource", scorm_type="sco", href="one.html", files=("one.html",))
    assert one.extras == (
        Element(
            f"{{{AICC}}}au",
            (("description", "First"), ("max_score", "100"), ("system_id", "A1"), ("type", "lesson")),
        ),
    )
    sections = {each.name.rpartition("}")[2]: dict(each.attributes) for each in course.extras[0].children}
    assert sections["course"] == {"course_id": "B 1", "course_title": "Vögel"}
    assert codes(found) == {"zip-root-folder", "aicc-structure", "aicc-lost", "xml-encoding"}


def test_an_aicc_course_without_structure_is_a_list() -> None:
    files = {path: data for path, data in AICC_FILES.items() if not path.endswith(".cst")}
    course, _ = read(files)
    assert [item.identifier for item in course.organizations[0].items] == ["A1", "A2", "A3"]
