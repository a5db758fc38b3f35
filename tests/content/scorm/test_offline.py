"""What is found in a package that matters without a network, and what is rightly not found; and that looking is linear."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import get_args

import pytest

from content.scorm import sightings
from content.scorm.addresses import Kind
from content.scorm.findings import Finding
from content.scorm.inspect import inspect_package
from content.scorm.limits import ImportLimits
from content.scorm.offline import TEXT_BYTES, Offline
from content.scorm.sightings import LARGE_FILE_BYTES, LARGE_PACKAGE_BYTES
from tests.content.scorm.packages import manifest_12, package_files, shared_package, zip_of

CDN = "https://cdn.example.com"


def findings(files: dict[str, bytes | str], manifest: str | None = None) -> tuple[Finding, ...]:
    whole = package_files(**files, **({"imsmanifest.xml": manifest} if manifest else {}))
    return inspect_package(io.BytesIO(zip_of(whole)), ImportLimits()).report.offline


def codes(files: dict[str, bytes | str]) -> set[str]:
    return {each.code for each in findings(files)}


NEEDED = {
    "script": (f'<script src="{CDN}/a.js"></script>', "remote-script"),
    "script in capitals": (f"<SCRIPT\n TYPE=text/javascript SRC={CDN}/a.js></SCRIPT>", "remote-script"),
    "protocol of the page": ('<script src="//cdn.example.com/a.js"></script>', "remote-script"),
    "style": (f"<link rel='stylesheet' href='{CDN}/a.css'>", "remote-style"),
    "imported style": (f"<style>@import url({CDN}/a.css);</style>", "remote-style"),
    "picture": (f'<img alt="a > b" src="{CDN}/a.png">'.replace(" > ", " "), "remote-image"),
    "picture set": (f'<img srcset="a.png 1x, {CDN}/b.png 2x">', "remote-image"),
    "background": (f"<div style=\"background: url('{CDN}/a.png')\">", "remote-image"),
    "film": (f'<video><source src="{CDN}/a.mp4"></video>', "remote-media"),
    "poster": (f'<video poster="{CDN}/a.png"></video>', "remote-media"),
    "frame": ('<iframe width="560" src="https://www.youtube.com/embed/abc"></iframe>', "remote-frame"),
    "object": (f'<object data="{CDN}/a.pdf"></object>', "remote-frame"),
    "font": (f"<style>@font-face {{ src: url({CDN}/a.woff2) }}</style>", "remote-font"),
    "in a script": (f'<script>$.getScript("{CDN}/a.js")</script>', "remote-script"),
    "fetched": (f'<script>fetch("{CDN}/api/v1")</script>', "remote-data"),
    "socket": ('<script>new WebSocket("wss://live.example.com/x")</script>', "remote-data"),
    "asked for": (f'<script>xhr.open("GET", "{CDN}/api")</script>', "remote-data"),
    "without encryption": ('<img src="http://cdn.example.com/a.png">', "mixed-content"),
    "window": ("<a onclick=\"window.open('help.html')\">", "popup"),
    "applet": ('<applet code="A.class"></applet>', "java"),
    "applet as object": ('<object classid="x" codetype="application/x-java-applet">', "java"),
    "Flash": ('<embed type="application/x-shockwave-flash" src="a.swf">', "flash"),
    "geolocation": ("<script>navigator.geolocation.getCurrentPosition(f)</script>", "device-feature"),
    "camera": ("<script>navigator.mediaDevices.getUserMedia({video: true})</script>", "device-feature"),
    "worker": ("<script>navigator.serviceWorker.register('sw.js')</script>", "device-feature"),
    "link": ('<a href="https://example.com/">x</a>', "links-out"),
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDED)
def test_a_page_needs(name: str):
    page, code = NEEDED[name]
    found = findings({"page.html": f"<!doctype html>\n\n{page}"})
    assert code in {each.code for each in found}, found
    (first, *_) = [each for each in found if each.code == code]
    assert first.place in ("page.html:3", "page.html", "") and first.message.endswith(".")


NOTHING = {
    "namespaces": '<html xmlns="http://www.w3.org/1999/xhtml"><svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "document type": '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1.dtd">',
    "comment": f'<!-- <script src="{CDN}/a.js"></script> -->',
    "comment in a script": f'<script>\n  // load("{CDN}/a.js")\n /*\n * "{CDN}/b.js" */\n</script>',
    "style comment": f"<style>/* @import url({CDN}/a.css) */</style>",
    "library's home": '<script>/*! jQuery | (c) */ var home = "https://jquery.com/license";</script>',
    "library's player": '<script>load("https://www.youtube.com/iframe_api")</script>',
    "own files": '<script src="a.js"></script><img src="/b.png"><iframe src="../c.html"></iframe>',
    "data": '<img src="data:image/png;base64,AAAA//BBBB">',
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_page_does_not_need(name: str):
    assert {code for code in codes({"page.html": NOTHING[name]}) if not code.startswith("links")} == set()


@pytest.mark.parametrize(("path", "code"), [
    ("a/film.SWF", "flash"), ("a.jar", "java"), ("a.xap", "silverlight"), ("quiz.php", "server-page"), ("a.aspx", "server-page"),
    ("film.wmv", "old-media"), ("film.flv", "old-media"), ("setup.exe", "program-file"),
])  # fmt: skip
def test_files_by_their_names(path: str, code: str):
    assert code in codes({path: b"x"})


@pytest.mark.parametrize(("path", "text", "code"), [
    ("a.css", f"a {{ background: url({CDN}/a.png) }}", "remote-image"),
    ("data.json", '{"video": "https:\\/\\/player.vimeo.com\\/video\\/123"}', "remote-frame"),
    ("data.js", f'var media = {{\\"src\\":\\"{CDN}/a.mp3\\"}}', "remote-media"),
    ("data.js", "document.write('<script src=\"https://cdn.example.com/a.js\"><\\/script>')", "remote-script"),
    ("utf16.html", f'<script src="{CDN}/a.js"></script>'.encode("utf-16"), "remote-script"),
])  # fmt: skip
def test_other_files_are_read_too(path: str, text: str | bytes, code: str):
    assert code in codes({path: text})


def test_hosts_are_told_once_and_what_is_needed_before_what_may_be():
    page = "".join(f'<script src="{CDN}/{n}.js"></script>' for n in range(5))
    found = findings({"a.html": page, "b.html": page, "c.js": 'load("https://other.example/x.js")'})
    scripts = [each.message for each in found if each.code == "remote-script"]
    assert (
        len(scripts) == 2
        and "5 scripts from cdn.example.com, in 2 files" in scripts[0]
        and "names a script" in scripts[1]
    )


def test_a_launch_on_the_network_is_told():
    manifest = manifest_12(href="https://play.example.com/course")
    extra = '<item identifier="item_2" identifierref="res_2"><title>Two</title></item></organization>'
    manifest = manifest.replace("</organization>", extra, 1).replace(
        "</resources>", '<resource identifier="res_2" type="webcontent" href="index.html"/></resources>'
    )
    assert "remote-launch" in {each.code for each in findings({}, manifest)}


def test_saved_state_over_the_editions_room():
    page = f"<script>API.LMSSetValue('cmi.suspend_data', '{'x' * 5000}')</script>"
    (found,) = [each for each in findings({"a.html": page}) if each.code == "suspend-data-long"]
    assert "5,000" in found.message and "4,096" in found.message
    assert codes({"a.html": page.replace("x" * 1000, "")}) == set()


def test_aicc_without_the_api_is_told():
    report = inspect_package(shared_package("aicc__package.zip").open("rb"), ImportLimits()).report
    assert {"aicc-hacp", "remote-script"} <= {each.code for each in report.offline}


def test_applets_of_the_test_suite_are_told():
    report = inspect_package(shared_package("LMSTestPackage_CM-16.zip").open("rb"), ImportLimits()).report
    assert "java" in {each.code for each in report.offline}


def test_large_files_and_packages():
    looked = Offline()
    looked.name("film.mp4", LARGE_FILE_BYTES + 1)
    looked.name("rest.bin", LARGE_PACKAGE_BYTES)
    assert [each.code for each in looked.findings()] == ["large-file", "large-file", "large-package"]


def test_of_a_large_script_the_beginning_is_read_and_that_is_said():
    looked = Offline()
    assert looked.name("a.js", 10 * TEXT_BYTES) == TEXT_BYTES
    assert [each.code for each in looked.findings()] == ["not-read-whole"]


@pytest.mark.parametrize("text", [
    "<img ", "<img src=", '<img src="', "<img a=", "<a href='", "<!--", "<script>", "</script", "//", '"//', "'https://a.b", "url(", "@import ",
    "url(//", "/*", "*/", "\\/", "src=", "a.b/", "<img src=//a.b ", "\n", "<<", ">", '"https://a.b/c.js"', "window.open(", "cmi.suspend_data',",
    "<applet ", "<link rel=stylesheet ", "<img srcset=//a.b/,",
])  # fmt: skip
@pytest.mark.timeout(60)
def test_looking_is_linear_in_hostile_text(text: str):
    """A look that took quadratic time would take hours for so much."""
    data = (text * ((1 << 20) // len(text))).encode()
    for ending in ("html", "js", "css"):
        looked = Offline()
        looked.name(f"a.{ending}", len(data))
        looked.text(f"a.{ending}", data)
        looked.findings()


def test_every_finding_is_documented():
    source = Path(sightings.__file__).read_text()
    told = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source)) | {
        f"remote-{kind}" for kind in get_args(Kind) if kind != "link"
    }
    told |= {"flash", "java", "silverlight", "popup"}
    page = (Path(__file__).parents[3] / "docs" / "import-report.md").read_text()
    assert told <= set(re.findall(r"`([a-z-]+)`", page)), told - set(re.findall(r"`([a-z-]+)`", page))
