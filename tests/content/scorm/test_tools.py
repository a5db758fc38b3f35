"""Authoring tools are recognised by what they leave in their packages, with their versions where those are written."""

from __future__ import annotations

import io

import pytest

from content.scorm.inspect import inspect_package
from content.scorm.limits import ImportLimits
from content.scorm.report import Tool
from tests.content.scorm.packages import manifest_12, package_files, shared_packages, zip_of

STORYLINE = "<!DOCTYPE html>\n<html><head>\n<!-- Created using Storyline 360 - http://www.articulate.com  -->\n<!-- version: 3.43.22859.0 -->"
META = '<?xml version="1.0"?><meta><project title="T"/><application name="Articulate Storyline" version="3.126.38052.0"/></meta>'
MADE: dict[str, tuple[dict[str, str], Tool | None]] = {
    "Storyline": ({"index.html": STORYLINE, "story_content/slides/a.png": ""}, Tool("Articulate Storyline", "3.43.22859.0")),
    "Storyline, by its metadata": ({"story.html": "", "story_content/user.js": "", "meta.xml": META}, Tool("Articulate Storyline", "3.126.38052.0")),
    "Rise": ({"scormcontent/index.html": "", "scormcontent/lib/rise/ab12.js": "", "scormdriver/scormdriver.js": ""}, Tool("Articulate Rise")),
    "Captivate": (
        {"assets/js/CPM.js": "cp.initVariables = function() { cp.cv('CaptivateVersion', '10.0.0', 1); }", "project.txt": "{}"},
        Tool("Adobe Captivate", "10.0.0"),
    ),
    "iSpring": ({"data/player.js": "", "metainfo.xml": "", "data/slide1.js": ""}, Tool("iSpring")),
    "iSpring, by its page": ({"index.html": "<title>x</title><!-- iSpring Suite 10.1 -->"}, Tool("iSpring", "10.1")),
    "Lectora": ({"trivantis-cookie.js": "", "a001index.html": ""}, Tool("Lectora")),
    "Lectora, with a version": ({"index.html": '<meta name="generator" content="Lectora v. 18.1">', "trivantis.css": ""}, Tool("Lectora", "18.1")),
    "eXeLearning": ({"index.html": '<meta name="generator" content="eXeLearning 2.6 - exelearning.net" />'}, Tool("eXeLearning", "2.6")),
    "eXeLearning 4": ({"index.html": '<meta name="generator" content="eXeLearning v4.0.0-beta1">'}, Tool("eXeLearning", "4.0.0")),
    "Adapt": ({"adapt/js/adapt.min.js": "", "course/config.json": "{}"}, Tool("Adapt")),
    "Evolve": ({"index.html": "<!-- Evolve Authoring -->", "evolve/a.js": ""}, Tool("Evolve")),
    "H5P": ({"h5p.json": "{}", "content/content.json": "{}"}, Tool("H5P")),
    "Lumi": ({"index.html": '<meta name="generator" content="Lumi">'}, Tool("Lumi")),
    "Presenter": ({"player.html": "", "presentation_content/a.js": ""}, Tool("Articulate Presenter")),
    "Camtasia": ({"scripts/techsmith-smart-player.min.js": ""}, Tool("Camtasia")),
    "Xerte": ({"common_html5/js/xenith.js": "", "version.txt": "Version: 3.9 of x"}, Tool("Xerte", "3.9")),
    "Easygenerator": ({"index.html": "<script>// easygenerator</script>"}, Tool("Easygenerator")),
    "dominKnow": ({"index.html": "<title>dominKnow ONE</title>"}, Tool("dominKnow")),
    "Elucidat": ({"index.html": '<script src="elucidat-player.js">'}, Tool("Elucidat")),
    "Gomo": ({"index.html": "<!-- www.gomolearning.com -->"}, Tool("Gomo")),
    "CourseLab": ({"index.html": "<!-- CourseLab 2.4 -->"}, Tool("CourseLab", "2.4")),
    "one that nobody knows": ({"index.html": '<meta content="Course Wizard 3.2.1" name="generator">'}, Tool("Course Wizard", "3.2.1")),
    "one without a version": ({"index.html": "<META NAME=Generator CONTENT='My Editor'>"}, Tool("My Editor")),
    "one that would be markup": ({"index.html": '<meta name="generator" content="A&#60;b\x1b[2J">'}, Tool("A&#60;b\N{REPLACEMENT CHARACTER}[2J")),
    "no tool": ({"index.html": "<p>To elucidate the storyline of a captivating course.</p>"}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_is_recognised(name: str):
    files, tool = MADE[name]
    report = inspect_package(io.BytesIO(zip_of(package_files(**files))), ImportLimits()).report
    assert report.accepted and report.tool == tool


def test_its_pages_are_looked_for_where_the_course_begins():
    files = {
        "imsmanifest.xml": manifest_12(href="course/index.html"),
        "course/index.html": STORYLINE,
        "course/story_content/a.js": "",
    }
    assert inspect_package(io.BytesIO(zip_of(files)), ImportLimits()).report.tool == Tool(
        "Articulate Storyline", "3.43.22859.0"
    )


def test_samples_are_known_as_samples():
    found = {path.name: inspect_package(path.open("rb"), ImportLimits()).report.tool for path in shared_packages()}
    if not found:
        pytest.skip("shared/ is absent")
    names = [tool.name for name, tool in found.items() if tool and name.startswith("LMSTestPackage")]
    assert names == ["ADL test suite"] * len([name for name in found if name.startswith("LMSTestPackage")])
    assert found["scorm12__RuntimeBasicCalls_SCORM12.zip"] == Tool("Rustici Software sample")
