"""An imported package in a course: in its manifest, its bundles, its plans, its exports; not in a preview."""

from __future__ import annotations

import json
from typing import Any

import pytest

from content.canonical import digest
from content.drafts import parse as parse_draft
from content.errors import ContentError
from content.exports import ExportPlan, Options, Stored, plan_export
from content.exports.xml import etree
from content.media.choose import PROFILES, choose, ladder
from content.packages import Embedded, Manifest, Planner, Source, build_manifest, compare, lite_variants, parse
from content.packages.menu import Menu
from tests.content.exports.examples import ASSETS, CONTROL_DOCUMENTS, both, draft, player, results, text
from tests.content.scorm.imported import FILES, course
from tests.content.scorm.imported import manifest as imported

PACKAGE = "pkg_" + "0" * 26
PLAYER = player(**{"player-imported.js": b"/* imported */"})
ODD = {**FILES, "what 100%#1.html": b"odd"}
needs_schemas = pytest.mark.skipif(
    not CONTROL_DOCUMENTS.exists(), reason="needs `make player`: the control documents of SCORM"
)


def embedded(**changes: Any) -> Embedded:
    return Embedded(imported(files=ODD, **{"package_id": PACKAGE, **changes}))


def build(
    *,
    version: int = 3,
    packages: dict[str, Embedded] | None = None,
    tenant: str = "acme",
    package_id: str = "pkg_" + "0" * 25 + "1",
    **head: Any,
) -> Manifest:
    block = {"type": "embed", "id": "e1", "package": PACKAGE, "title": both("Birds")}
    units = [*draft()["units"], {"id": "three", "title": both("Third"), "blocks": [text("t9"), block]}]
    parsed = parse_draft(draft(**{"units": units, **head}))
    return build_manifest(
        tenant=tenant,
        package_id=package_id,
        version=version,
        draft=parsed,
        source=Source("course-1", "draft-1", 3, digest(b"draft"), "2026-11-23T10:00:00Z"),
        assets={each.asset: ASSETS[each.asset] for each in parsed.originals()},
        listing={},
        assistant=None,
        toolchain="tools",
        packages={PACKAGE: embedded()} if packages is None else packages,
    )


def test_the_manifest_names_version_and_files():
    made = build()
    assert parse(made.to_bytes()) == made
    pinned = embedded().manifest
    assert made.document["inputs"]["packages"] == {PACKAGE: {"version": 1, "manifest": pinned.digest}}
    asset = made.document["assets"][PACKAGE]
    assert asset["kind"] == "package"
    assert asset["package"] == {"package_id": PACKAGE, "version": 1, "manifest": pinned.digest}
    assert {each["path"]: each["digest"] for each in asset["renditions"]} == {
        path: digest(data) for path, data in ODD.items()
    }
    block = made.document["structure"]["units"][2]["blocks"][1]
    assert {name: block[name] for name in ("type", "id", "asset", "title")} == {
        "type": "embed", "id": "e1", "asset": PACKAGE, "title": both("Birds"),
    }  # fmt: skip
    scorm = block["course"]["scorm"]
    assert scorm["launches"] == course().document()["launches"]
    assert all(each["files"] == [] for each in scorm["resources"])


def test_courses_without_embeds_keep_their_bytes():
    assert set(build(units=draft()["units"], packages={}).document["inputs"]) == {"catalog"}


def test_what_was_not_resolved_is_not_built():
    with pytest.raises(ContentError) as refused:
        build(packages={})
    assert refused.value.code == "block-not-buildable"


def test_a_course_is_no_package_to_embed():
    with pytest.raises(ContentError) as refused:
        Embedded(build())
    assert refused.value.code == "embed-kind"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_bundle_has_all_files_of_it(profile: str):
    made = build()
    held = {file.digest for file in made.files_for(profile) if file.asset == PACKAGE}
    assert held == {digest(data) for data in ODD.values()}
    menu = Menu.of(made, profile)
    assert PACKAGE in menu.units["three"]
    carried = menu.carried(Planner(made, profile).choose(None)[0], lite_variants(made, menu))
    assert {file.digest for file in carried} == {file.digest for file in made.files_for(profile)}


def test_files_of_a_package_are_never_made_smaller():
    renditions = build().renditions(PACKAGE)
    assert choose(renditions, "phone") == renditions
    assert all(ladder(renditions, each) == (each,) for each in renditions)


def test_the_planner_leaves_a_package_out_with_its_unit():
    planner = Planner(build(), "phone")
    assert not any(PACKAGE in step.assets for step in planner.steps if step.kind == "reduce")
    least = planner.plan(planner.least_bytes)
    (asset,) = [each for each in least.assets if each.asset == PACKAGE]
    assert (asset.state, asset.files) == ("left-out", ())


def test_another_version_of_the_package_is_a_change():
    newer = Embedded(imported(files={**ODD, "shared/api.js": b"new!"}, version=2, package_id=PACKAGE))
    found = compare(build(), build(version=4, packages={PACKAGE: newer}))
    assert [(each.id, each.change) for each in found.assets] == [(PACKAGE, "changed")]
    assert [(each.id, each.members) for each in found.blocks] == [("e1", ("course",))]


def test_a_file_with_the_name_of_a_package_is_refused():
    image = {"type": "image", "id": "i9", "asset": PACKAGE, "decorative": True}
    block = {"type": "embed", "id": "e1", "package": PACKAGE}
    parsed = parse_draft(draft(units=[{"id": "u", "title": both("U"), "blocks": [image, block]}], theme=None))
    with pytest.raises(ContentError) as refused:
        build_manifest(
            tenant="acme", package_id="pkg_1", version=1, draft=parsed,
            source=Source("c", "d", 1, digest(b""), "2026-11-23T10:00:00Z"), assets={PACKAGE: ASSETS["picture"]}, listing={},
            assistant=None, toolchain="t", packages={PACKAGE: embedded()},
        )  # fmt: skip
    assert refused.value.code == "asset-is-package"


# -- exports --------------------------------------------------------------------------------------------------------------------

FOLDER = f"embed/{PACKAGE}/"


def plan(format: str, **options: Any) -> ExportPlan:
    return plan_export(build(), Options(format, **options), PLAYER)


def document_of(made: ExportPlan, path: str) -> dict[str, Any]:
    (data,) = [entry.content for entry in made.entries if entry.path == path]
    assert isinstance(data, bytes)
    return json.loads(data.decode().partition(" = ")[2].rstrip(";\n"))


@needs_schemas
@pytest.mark.parametrize("options", [{"packaging": "course"}, {"packaging": "unit"}])
@pytest.mark.parametrize("format", ["scorm12", "scorm2004-3rd", "scorm2004-4th", "cmi5", "xapi", "html"])
def test_every_export_holds_the_package_as_a_site(format: str, options: dict[str, Any]):
    if options["packaging"] == "unit" and format in ("xapi", "html"):
        pytest.skip("has one packaging")
    made = plan(format, **options)
    paths = {entry.path for entry in made.entries if entry.path.startswith(FOLDER)}
    assert paths == {
        *(f"{FOLDER}{name}" for name in ("index.html", "course.js", "player.js", "player.css")),
        *(f"{FOLDER}content/{path}" for path in ODD),
    }
    foreign = {entry.path: entry.content for entry in made.entries if entry.foreign}
    assert foreign == {f"{FOLDER}content/{path}": Stored(digest(data), len(data)) for path, data in ODD.items()}
    shown = document_of(made, "course.js")
    (block,) = [each for unit in shown["structure"]["units"] for each in unit["blocks"] if each["type"] == "embed"]
    assert block == {
        "type": "embed",
        "id": "e1",
        "title": both("Birds"),
        "asset": PACKAGE,
        "page": f"{FOLDER}index.html",
    }
    assert shown["assets"][PACKAGE]["renditions"] == []
    inner = document_of(made, f"{FOLDER}course.js")
    assert (inner["kind"], inner["package_id"], inner["version"]) == ("scorm", PACKAGE, 1)
    assert {name: result for name, result in results(made).items() if result not in ("passed", "not-run")} in (
        {}, {"suspend-data": "warning"},
    )  # fmt: skip
    assert not [each for each in made.findings if each.code == "export-block-left-out" and "embed" in each.message]


@needs_schemas
def test_files_are_listed_with_the_unit_that_shows_them_and_found_under_their_addresses():
    made = plan("scorm12", packaging="unit")
    (data,) = [entry.content for entry in made.entries if entry.path == "imsmanifest.xml"]
    root = etree.fromstring(data)
    unit = root.find(".//{*}resource[@identifier='U3-sco']")
    hrefs = {each.get("href") for each in unit.iter("{*}file")}
    assert f"{FOLDER}content/what%20100%25%231.html" in hrefs
    assert f"{FOLDER}content/shared/api.js" in hrefs


def test_a_site_keeps_them_by_their_addresses():
    kept = next(entry.content for entry in plan("html").entries if entry.path == "precache.js")
    assert isinstance(kept, bytes)
    paths = json.loads(kept.decode().removeprefix("self.precache = ").rstrip(";\n"))["paths"]
    assert f"{FOLDER}content/what%20100%25%231.html" in paths
    assert f"{FOLDER}index.html" in paths


def test_pages_may_show_frames_only_where_there_is_a_package():
    def policy(made: ExportPlan) -> bool:
        page = next(entry.content for entry in made.entries if entry.path == "index.html")
        return b"frame-src 'self'" in page if isinstance(page, bytes) else False

    assert policy(plan("html"))
    assert not policy(plan_export(build(units=draft()["units"], packages={}), Options("html"), PLAYER))


def test_a_preview_leaves_it_out_and_says_so():
    made = plan_export(build(), Options("html"), PLAYER, preview=True)
    assert not [entry.path for entry in made.entries if entry.path.startswith("embed/")]
    assert "export-block-left-out" in {each.code for each in made.findings}
    assert "embed" not in {
        block["type"] for unit in document_of(made, "course.js")["structure"]["units"] for block in unit["blocks"]
    }
