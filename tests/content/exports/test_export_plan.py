from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from lxml import etree

from content.canonical import digest
from content.errors import ContentError
from content.exports import (
    FORMATS,
    REPORTS,
    ExportPlan,
    Options,
    PlayerFiles,
    Stored,
    caption_files,
    files_version,
    plan_export,
)
from content.exports.check import Made
from content.exports.checks import run_checks
from content.exports.course import make_course
from content.exports.export_course import activity
from content.exports.plan import MAX_CAPTIONS_BYTES
from content.packages import Manifest
from content.packages import parse as parse_manifest
from tests.content.exports.examples import (
    ASSETS,
    CMI5_SCHEMA,
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
    zip_bytes,
)

PACKAGINGS = [(format, "course") for format in FORMATS] + [(format, "unit") for format in FORMATS[:4]]


@pytest.mark.parametrize(("format", "packaging"), PACKAGINGS)
@pytest.mark.parametrize("report", REPORTS)
def test_same_bytes_twice_and_every_check_passes(format: str, packaging: str, report: str):
    first, second = (plan(format=format, packaging=packaging, report=report) for _ in range(2))
    assert zip_bytes(first) == zip_bytes(second)
    assert len(zip_bytes(first)) == first.size_bytes
    assert set(results(first).values()) <= {"passed", "not-run"}
    assert [entry.path for entry in first.entries] == sorted(entry.path for entry in first.entries)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "change",
    [
        {"report": "passed-failed"},
        {"mastery": 0.5},
        {"languages": ("ar",)},
        {"languages": ("ar", "en")},
        {"profile": "phone"},
        {"video": False},
    ],
)
def test_every_option_changes_the_bytes(format: str, change: dict[str, Any]):
    assert zip_bytes(plan(format=format, **change)) != zip_bytes(plan(format=format))
    assert set(results(plan(format=format, **change)).values()) <= {"passed", "not-run"}


@pytest.mark.parametrize(("format", "packaging"), PACKAGINGS)
def test_a_manifest_out_of_the_store_gives_the_same_bytes(format: str, packaging: str):
    """Its members come back in another order than they were built in."""
    again = parse_manifest(manifest(ordered(order="forced")).to_bytes())
    made = plan_export(again, Options(format, packaging=packaging), player())
    assert made.entries == plan(ordered(order="forced"), format=format, packaging=packaging).entries


def test_another_process_gives_the_same_bytes():
    """Sets are walked in another order there."""
    code = (
        "from tests.content.exports.examples import plan, zip_bytes; from content.canonical import digest; "
        "print([digest(zip_bytes(plan(format=f))) for f in ('scorm12', 'scorm2004-4th', 'cmi5', 'html')])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPO,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {
        f"{[digest(zip_bytes(plan(format=f))) for f in ('scorm12', 'scorm2004-4th', 'cmi5', 'html')]}\n".encode()
    }


def words(**options: Any) -> tuple[tuple[Stored, ...], ExportPlan, ExportPlan]:
    """The files of captions that are asked for; the plan that got them; the plan that lacks the last one."""
    chosen = Options("html", **options)
    wanted = caption_files(manifest(), chosen)
    given = {each.digest: b"WEBVTT" for each in wanted}
    lacking = {each.digest: b"WEBVTT" for each in wanted[:-1]}
    whole, less = (plan_export(manifest(), chosen, player(), captions=each) for each in (given, lacking))
    return wanted, whole, less


def apart(made: ExportPlan) -> bool:
    """Whether the captions are apart, which its author is told."""
    there = "captions.js" in [entry.path for entry in made.entries]
    told = "export-captions-apart" in [each.code for each in made.findings]
    assert there != told
    return told


@pytest.mark.parametrize(("languages", "tags"), [((), ("ar", "en")), (("ar",), ("ar",)), (("en",), ("en",))])
def test_captions_are_read_of_what_is_shown_alone(languages: tuple[str, ...], tags: tuple[str, ...]):
    wanted, whole, lacking = words(languages=languages)
    assert {each.digest for each in wanted} == {ASSETS[f"words-{tag}"].renditions[0].digest for tag in tags}
    assert not apart(whole)
    assert apart(lacking)
    assert apart(plan(format="html", languages=languages))


def test_the_same_captions_are_read_once_and_a_course_without_any_has_none_apart():
    document = draft()
    film = document["units"][0]["blocks"][2]
    document["units"][0]["blocks"].append({**film, "id": "v2"})
    assert len(caption_files(manifest(document), Options("html"))) == 2
    del document["units"][0]["blocks"][4]
    del film["captions"]
    assert caption_files(manifest(document), Options("html")) == ()
    made = plan(document, format="html")
    assert "export-captions-apart" not in [each.code for each in made.findings]


def test_a_preview_is_sent_by_a_server_and_has_its_captions_there():
    made = plan_export(manifest(), Options("html"), player(), preview=True)
    assert "export-captions-apart" not in [each.code for each in made.findings]


def test_captions_that_are_too_large_together_stay_in_their_files():
    def sized(size: int) -> Manifest:
        document = json.loads(manifest().to_bytes())
        for tag in ("en", "ar"):
            document["assets"][f"words-{tag}"]["renditions"][0]["size_bytes"] = size
        return Manifest(document)

    assert len(caption_files(sized(MAX_CAPTIONS_BYTES // 2), Options("html"))) == 2
    assert caption_files(sized(MAX_CAPTIONS_BYTES // 2 + 1), Options("html")) == ()
    # In one language they are half as large.
    assert len(caption_files(sized(MAX_CAPTIONS_BYTES // 2 + 1), Options("html", languages=("en",)))) == 1
    assert apart(plan_export(sized(MAX_CAPTIONS_BYTES), Options("html"), player(), captions={}))


def test_formats_and_packages_differ():
    assert len({zip_bytes(plan(format=format)) for format in FORMATS}) == len(FORMATS)
    assert zip_bytes(plan()) != zip_bytes(plan_export(manifest(version=4), Options("scorm12"), player()))


@pytest.mark.parametrize(("format", "packaging"), PACKAGINGS)
def test_what_is_in_it(format: str, packaging: str):
    files = unzipped(plan(format=format, packaging=packaging))
    pages = ["index.html"] if packaging == "course" else ["unit-01.html", "unit-02.html"]
    own = {
        "html": ["icon.svg", "manifest.webmanifest", "precache.js", "sw.js"],
        "cmi5": ["cmi5.xml"],
        "xapi": ["tincan.xml"],
        "scorm12": ["control-documents-license.txt", "imsmanifest.xml"],
    }.get(format, ["control-documents-license.txt", "imsmanifest.xml", "metadata.xml"])
    found = [name for name in files if not name.startswith("media/") and not name.endswith((".xsd", ".dtd"))]
    assert found == sorted([*pages, *own, "course.js", "player.js", "player.css", "passport.json", "licenses.txt"])
    script = {"scorm2004-3rd": "scorm2004", "scorm2004-4th": "scorm2004", "html": "local"}.get(format, format)
    assert files["player.js"] == f"/* {script} */".encode()
    assert any(name.endswith(".xsd") for name in files) == format.startswith("scorm")


class Page(HTMLParser):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_page():
    page = Page(unzipped(plan(languages=("ar", "en")))["index.html"])
    assert page.all("html") == [{"lang": "ar", "dir": "rtl"}]
    assert [each.get("src") for each in page.all("script")] == ["course.js", "player.js"]
    assert page.all("main") == [{"id": "app"}]
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy and policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert "JavaScript" in page.text


def test_pages_of_units_say_which():
    files = unzipped(plan(format="cmi5", packaging="unit"))
    assert Page(files["unit-02.html"]).all("html") == [{"lang": "en", "dir": "ltr", "data-unit": "two"}]
    assert b"connect-src *;" in files["unit-02.html"]


def test_hostile_texts_stay_texts():
    document = draft(title=both(HOSTILE), description=both(HOSTILE))
    for format in FORMATS:
        made = plan(document, format=format)
        assert set(results(made).values()) <= {"passed", "not-run"}
        page = Page(unzipped(made)["index.html"])
        assert "<script>alert(1)</script>" in page.text
        assert len(page.all("script")) == 2
    shown = json.loads(unzipped(plan(document, format="html"))["manifest.webmanifest"])
    assert len(shown["short_name"]) <= 30


def test_pwa():
    files = unzipped(plan(format="html"))
    script = files["precache.js"].decode()
    assert script.startswith("self.precache = ")
    cached = json.loads(script.removeprefix("self.precache = ").removesuffix(";\n"))
    assert set(cached["paths"]) == set(files) - {"precache.js", "sw.js", "passport.json", "licenses.txt"}
    assert cached["size_bytes"] == sum(len(files[path]) for path in cached["paths"])
    app = json.loads(files["manifest.webmanifest"])
    assert app["start_url"] in files
    assert [icon["src"] for icon in app["icons"]] == ["icon.svg"]
    assert (app["lang"], app["dir"]) == ("en", "ltr")
    etree.fromstring(files["icon.svg"])
    assert b'href="manifest.webmanifest"' in files["index.html"]
    other = unzipped(plan(format="html", video=False))["precache.js"].decode()
    assert re.search('"version":"[0-9a-f]{16}"', other)
    assert cached["version"] not in other


@pytest.mark.parametrize(
    ("report", "move_on", "mark"),
    [
        ("passed-incomplete", "Passed", "0.8000"),
        ("passed-failed", "Passed", "0.8000"),
        ("completed-incomplete", "Completed", None),
        ("completed-failed", "CompletedAndPassed", "0.8000"),
    ],
)
def test_cmi5(report: str, move_on: str, mark: str | None):
    root = etree.fromstring(unzipped(plan(format="cmi5", report=report))["cmi5.xml"])
    (au,) = root.iter("{*}au")
    assert (au.get("moveOn"), au.get("masteryScore"), au.get("launchMethod")) == (move_on, mark, "AnyWindow")
    assert [each.text for each in root.iter("{*}url")] == ["index.html"]
    package = manifest().package_id
    assert next(root.iter("{*}course")).get("id") == activity(package)
    by_unit = etree.fromstring(unzipped(plan(format="cmi5", report=report, packaging="unit"))["cmi5.xml"])
    first, second = by_unit.iter("{*}au")
    assert (first.get("moveOn"), first.get("masteryScore")) == ("Completed", None)
    assert (second.get("moveOn"), second.get("masteryScore")) == (move_on, mark)
    assert len({each.get("id") for each in [au, first, second, next(root.iter("{*}course"))]}) == 4


def test_cmi5_schema():
    if not CMI5_SCHEMA.exists():
        pytest.skip("the schema of cmi5 is not in this checkout")
    for packaging in ("course", "unit"):
        made = plan(draft(title=both(HOSTILE)), format="cmi5", packaging=packaging)
        assert results(made)["schema"] == "passed"
    schemaless = PlayerFiles("0", {n: f for n, f in player().files.items() if not n.startswith("schemas/cmi5/")})
    made = plan_export(manifest(), Options("cmi5"), schemaless)
    assert results(made)["schema"] == "not-run"


def test_cmi5_ids_outlive_a_version():
    def ids(version: int) -> list[str]:
        made = plan_export(manifest(version=version), Options("cmi5", packaging="unit"), player())
        return [each.get("id") for each in etree.fromstring(unzipped(made)["cmi5.xml"]).iter("{*}au")]

    assert ids(1) == ids(2)


def test_an_order_that_a_format_cannot_ask_for_is_told():
    document = ordered(order="forced", pretest={"unit": "pre", "skips": ["a"], "mastery": 0.5})
    made = plan(document, format="cmi5", packaging="unit")
    assert [each.code for each in made.findings] == ["export-sequencing"]
    root = etree.fromstring(unzipped(made)["cmi5.xml"])
    assert [each.get("moveOn") for each in root.iter("{*}au")] == ["Passed"] + ["Completed"] * 4
    assert next(root.iter("{*}au")).get("masteryScore") == "0.5000"
    assert plan(document, format="cmi5").findings == ()


def test_tincan():
    root = etree.fromstring(unzipped(plan(format="xapi", languages=("ar", "en")))["tincan.xml"])
    (listed,) = root.iter("{*}activity")
    assert listed.get("id") == activity(manifest().package_id)
    assert [(each.get("lang"), each.text) for each in listed.iter("{*}name")] == [("ar", "ع Birds"), ("en", "Birds")]
    assert [(each.get("lang"), each.text) for each in listed.iter("{*}launch")] == [("ar", "index.html")]


def test_passport():
    made = plan(format="scorm12", languages=("ar",), report="passed-failed")
    files = unzipped(made)
    assert json.loads(files["passport.json"]) == made.passport
    assert made.passport["manifest"] == manifest().digest
    assert made.passport["options"] == Options("scorm12", languages=("ar",), report="passed-failed").document()
    assert made.passport["player"] == player().version
    assert made.passport["languages"] == ["ar"]
    assert made.passport["files"] == len(files) - 1
    assert made.passport["content_bytes"] == sum(len(files[name]) for name in files if name != "passport.json")
    names = [check["name"] for check in made.passport["checks"]]
    assert names == [
        "file-names",
        "files-listed",
        "identifiers",
        "schema",
        "links",
        "no-inline-code",
        "no-remote-files",
        "suspend-data",
        "network-blocked-play",
        "resume",
        "popup-launch",
        "iframe-launch",
    ]
    assert [each["code"] for each in made.passport["findings"]] == [each.code for each in made.findings]


def test_what_a_browser_measured_is_handed_in():
    measured = {"resume": {"result": "passed", "detail": "Launched twice."}, "unknown": {"result": "passed"}}
    made = plan_export(manifest(), Options("html"), player(), measured)
    assert results(made)["resume"] == "passed"
    assert results(made)["network-blocked-play"] == "not-run"
    assert "unknown" not in results(made)
    failed = plan_export(manifest(), Options("html"), player(), {"resume": {"result": "failed", "detail": "Lost."}})
    assert ("export-resume", "error") in [(each.code, each.severity) for each in failed.findings]


def test_more_answers_than_a_platform_keeps():
    asked = [
        {"kind": "short_text", "id": f"x{at}", "prompt": both("?"), "answers": {"en": ["x"], "ar": ["x"]}}
        for at in range(40)
    ]
    document = draft(
        units=[{"id": "u", "title": both("u"), "blocks": [{"type": "quiz", "id": "q", "questions": asked}]}]
    )
    made = plan(document)
    assert results(made)["suspend-data"] == "warning"
    finding = next(each for each in made.findings if each.code == "export-suspend-data")
    assert finding.severity == "warning"
    assert "4096" in finding.message
    assert results(plan(document, format="scorm2004-4th"))["suspend-data"] == "passed"
    # One unit at a time may be little enough where the course as a whole is not.
    units = [
        {"id": f"u{at}", "title": both("u"), "blocks": [{"type": "quiz", "id": f"q{at}", "questions": asked[:20]}]}
        for at in range(2)
    ]
    assert results(plan(draft(units=units)))["suspend-data"] == "warning"
    assert results(plan(draft(units=units), packaging="unit"))["suspend-data"] == "passed"


@pytest.mark.parametrize("missing", ["player-scorm12.js", "player.css", "schemas/LICENSE"])
def test_a_player_built_in_part_is_refused(missing: str):
    files = {name: data for name, data in player().files.items() if name != missing}
    with pytest.raises(ContentError) as caught:
        plan_export(manifest(), Options("scorm12"), PlayerFiles("0", files))
    assert caught.value.code == "player-incomplete"
    assert missing in caught.value.message


def test_without_control_documents_no_scorm():
    files = {name: data for name, data in player().files.items() if not name.startswith("schemas/scorm12/")}
    with pytest.raises(ContentError, match="schemas/scorm12/"):
        plan_export(manifest(), Options("scorm12"), PlayerFiles("0", files))


def test_a_player_that_loads_from_elsewhere_is_found_out():
    made = plan_export(
        manifest(), Options("html"), player(**{"player.css": b"@font-face{src:url(https://x.example/f)}"})
    )
    assert results(made)["no-remote-files"] == "failed"
    assert "export-no-remote-files" in [each.code for each in made.findings]


def test_version_of_a_player():
    files = dict(player().files)
    assert files_version(files) == files_version(dict(reversed(files.items()))) == player().version
    assert re.fullmatch("[0-9a-f]{16}", player().version)
    assert files_version({**files, "player.css": b""}) != player().version


# --- the checks themselves must be able to fail -----------------------------------------------------------------------


def broken(format: str, **changes: bytes | None) -> dict[str, str]:
    """Results over an export in which some files are replaced, added, or (None) lost."""
    options = Options(format)
    files = unzipped(plan(format=format))
    for name, data in changes.items():
        if data is None:
            del files[name]
        else:
            files[name] = data
    main = {"scorm12": "imsmanifest.xml", "cmi5": "cmi5.xml", "html": None}[format]
    unlisted = {"scorm12": {main}, "html": {"precache.js", "sw.js", "licenses.txt", "passport.json"}}.get(format, set())
    made = Made(
        make_course(manifest(), options),
        options,
        frozenset(files),
        files,
        main,
        {},
        (),
        frozenset(filter(None, unlisted)),
    )
    return {check.name: check.result for check in run_checks(made)}


@pytest.mark.parametrize(
    ("check", "format", "changes"),
    [
        ("files-listed", "scorm12", {"more.txt": b""}),
        ("files-listed", "scorm12", {"player.css": None}),
        ("files-listed", "html", {"more.txt": b""}),
        ("files-listed", "html", {"player.js": None}),
        ("files-listed", "cmi5", {"index.html": None}),
        ("links", "html", {"media/0.webp": b""}),
        ("links", "html", {"player.css": None}),
        ("file-names", "html", {"a b": b""}),
        ("file-names", "html", {"../x": b""}),
        ("file-names", "html", {"X.js": b"", "x.js": b""}),
        ("no-inline-code", "html", {"more.html": b"<script>x()</script>"}),
        ("no-inline-code", "html", {"more.html": b"<p onclick=x>"}),
        ("no-inline-code", "html", {"more.html": b"<p style=x>"}),
        ("no-inline-code", "html", {"more.html": b"<p>"}),
        ("no-remote-files", "html", {"more.html": b"<img src='//x.example/y'>"}),
        ("no-remote-files", "html", {"more.css": b"@import 'x.css';"}),
    ],
)
def test_faults_are_found(check: str, format: str, changes: dict[str, bytes | None]):
    assert broken(format)[check] == "passed"
    assert broken(format, **changes)[check] == "failed"


def test_media_that_are_named_must_be_there():
    files = unzipped(plan(format="html"))
    media = next(name for name in files if name.startswith("media/"))
    assert broken("html", **{media: None})["links"] == "failed"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"U1"', b'"1U"'), (b'identifier="files"', b'identifier="org"'), (b'ref="course-sco"', b'ref="x"')],
)
def test_identifiers_are_looked_at(old: bytes, new: bytes):
    good = unzipped(plan())["imsmanifest.xml"]
    odd = good.replace(old, new).replace(
        b'identifier="course"', b'identifier="1U"' if old == b'"U1"' else b'identifier="course"'
    )
    assert broken("scorm12", **{"imsmanifest.xml": odd})["identifiers"] == "failed"


def test_html_in_a_course_that_loads_something():
    given = manifest()
    document = json.loads(given.to_bytes())
    document["structure"]["units"][0]["blocks"][0]["html"]["en"] = '<p><IMG src="https://x.example/y">'
    made = plan_export(dataclasses.replace(given, document=document), Options("html"), player())
    assert results(made)["no-remote-files"] == "failed"


def test_renditions_keep_their_digests():
    made = plan()
    files = unzipped(made)
    stored = {entry.path: entry.content.digest for entry in made.entries if not isinstance(entry.content, bytes)}
    assert stored
    assert {path: digest(files[path]) for path in stored} == stored


def test_a_course_without_media():
    document = {name: value for name, value in draft().items() if name != "theme"}
    document["units"] = [
        {"id": "u", "title": both("u"), "blocks": [text("t"), quiz("q")]},
        {"id": "v", "title": both("v"), "blocks": []},
    ]
    for format, packaging in PACKAGINGS:
        assert set(results(plan(document, format=format, packaging=packaging)).values()) <= {"passed", "not-run"}


def test_a_preview_says_that_it_is_one_and_has_no_worker():
    shown = plan_export(manifest(), Options("html"), player(), preview=True)
    published = plan_export(manifest(), Options("html"), player())
    before, after = unzipped(published), unzipped(shown)
    assert set(before) - set(after) == {"sw.js", "precache.js"} and set(after) <= set(before)
    document = json.loads(after["course.js"].removeprefix(b"globalThis.course = ").rstrip(b";\n"))
    assert document["tracking"].pop("preview") is True
    assert document == json.loads(before["course.js"].removeprefix(b"globalThis.course = ").rstrip(b";\n"))
    assert set(results(shown).values()) <= {"passed", "not-run"}
