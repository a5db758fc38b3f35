"""The browser's reader (player/): types, every vector under node and in Chromium, a whole device, second opinions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey

from tests.player.node import NODE, PLAYER, ROOT, node
from tests.player.school import ASSETS, School, serve
from tests.vectors.world import PACKAGE

# One worker runs all of them: what they share is one launch of the browser.
pytestmark = pytest.mark.xdist_group("player")

VECTORS = ROOT / "tests" / "vectors"


def load(path: str) -> dict[str, Any]:
    vector = json.loads((VECTORS / f"{path}").read_text(encoding="utf-8"))
    return {**load(vector["base"]), **vector} if "base" in vector else vector


NAMES = [f"{kind}/{path.name}" for kind in ("good", "bad") for path in sorted((VECTORS / kind).glob("*.json"))]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("player")
    node("build.mjs", str(folder))
    return folder


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the browser is unpacked, for this run alone: an unpacking that was broken off would stay broken elsewhere."""
    folder = tmp_path_factory.mktemp("chromium")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def school(dist: Path) -> School:
    return School(dist, {name: load(name) for name in NAMES})


@pytest.fixture(scope="module")
def browser(school: School, temporary: Path) -> dict[str, Any]:
    """Everything that Chromium did, in one launch."""
    with serve(school) as url:
        return node("tests/chromium.mjs", url, TMPDIR=str(temporary), HOME=str(temporary))


def test_types_hold() -> None:
    done = subprocess.run(
        [NODE, "node_modules/typescript/bin/tsc", "--noEmit"], cwd=PLAYER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_vector_under_node(dist: Path) -> None:
    assert node(str(dist / "node.js"), str(VECTORS)) == {"ran": len(NAMES), "problems": []}


def test_changed_vectors_end_in_a_refusal_or_not_at_all(dist: Path) -> None:
    found = node(str(dist / "fuzz.js"), str(VECTORS), "800")
    assert found["problems"] == []
    assert found["codes"] > 15


def test_jose_agrees(dist: Path) -> None:
    assert len(node(str(dist / "crosscheck.js"), str(VECTORS))) == 9


def test_every_vector_in_chromium(browser: dict[str, Any]) -> None:
    assert browser["vectors"] == {"ran": len(NAMES), "problems": []}


def test_nothing_went_wrong_unseen(browser: dict[str, Any]) -> None:
    # A transfer that breaks off is told on the console by the browser itself.
    unseen = [problem for problem in browser["problems"] if "net::ERR_CONTENT_LENGTH_MISMATCH" not in problem]
    assert unseen == []


def whole(found: dict[str, Any]) -> bool:
    return found["found"] == {name: {"read": name, "stream": name, "ranges": name} for name in ASSETS}


def test_a_device_registers_downloads_and_opens(browser: dict[str, Any], school: School) -> None:
    first = browser["first"]
    assert school.device is not None
    assert (first["device"], first["packageId"], first["version"]) == (school.device.id, PACKAGE, 3)
    assert whole(first["found"])


def test_a_download_goes_on_where_it_broke(browser: dict[str, Any], school: School) -> None:
    begins = [begin for path, begin in school.ranges if path.startswith("/parts/first/")]
    assert begins[0] == 0
    assert 0 < begins[1] < 3_000_000


def test_a_download_goes_on_after_its_page_was_closed(browser: dict[str, Any], school: School) -> None:
    begins = [begin for path, begin in school.ranges if path.startswith("/parts/third/")]
    assert begins == [0, browser["interrupted"]]
    assert browser["interrupted"] > 0
    assert browser["resumed"]["done"]["version"] == 5


def test_after_a_reload_the_keys_are_there_and_stay_there(browser: dict[str, Any]) -> None:
    reloaded = browser["reloaded"]
    assert whole(reloaded)
    assert reloaded["device"] == browser["first"]["device"]
    assert reloaded["extractable"] == {"flags": [False, False], "exported": 0}


def test_what_the_browser_signs_joserfc_verifies(browser: dict[str, Any], school: School) -> None:
    assert {kind for kind, _ in school.signed} == {"registration", "proof", "tamper-report"}
    for _, token in school.signed:
        header = joserfc_jws.extract_compact(token.encode()).headers()
        key = ECKey.import_key(header["jwk"])
        assert joserfc_jws.deserialize_compact(token, key, algorithms=["ES256"]).payload
        assert not key.is_private


def test_a_changed_part_is_refused_and_fetched_anew(browser: dict[str, Any]) -> None:
    assert browser["tampered"] == {"refused": "segment-digest"}
    assert browser["mended"]["done"]["version"] == 3


def test_a_refused_bundle_leaves_the_one_before(browser: dict[str, Any]) -> None:
    assert browser["foreign"] == {"refused": "licence-device"}
    assert browser["damaged"] == {"refused": "segment-digest"}
    assert whole(browser["kept"])
    assert browser["kept"]["version"] == 3
    assert len(browser["kept"]["paths"]) == 2


def test_a_single_file_brings_the_next_version(browser: dict[str, Any]) -> None:
    assert browser["second"]["done"]["version"] == 4
    assert whole(browser["updated"])
    assert browser["updated"]["version"] == 4
    assert len(browser["updated"]["paths"]) == 2  # the version before is swept away
    assert browser["older"] == {"refused": "licence-rollback"}


def test_an_exported_file_is_the_one_the_service_writes(browser: dict[str, Any], school: School) -> None:
    assert school.exported == school.version("first").single_file()


def test_progress_outlives_its_bundle(browser: dict[str, Any]) -> None:
    removed = browser["removed"]
    assert (removed["rows"], removed["paths"]) == (0, [])
    assert removed["progress"] == [{"item": "quiz-1", "savedAt": 1, "value": {"score": 0.5}}]
