"""Reading packages through their sandbox: what honest and broken ones come to, and what of an answer is believed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

from cluster import sandbox
from cluster.sandbox import slots
from cluster.sandbox.kind import Backend
from cluster.settings import Settings
from content.errors import ContentError
from content.scorm.archive import read_canonical, stream_canonical
from content.scorm.limits import ImportLimits
from tasks.importing import reading_packages
from tasks.importing.reading_packages import Reading, limits_of, read_package
from tests.content.scorm.course.reading import LIMITS
from tests.content.scorm.hostile_manifests import CASES as MANIFESTS
from tests.content.scorm.hostile_zips import HOSTILE
from tests.content.scorm.odd_zips import ODD
from tests.content.scorm.packages import package_files, shared_packages, zip_of

SOUND = zip_of(package_files())
REFUSED = {"scorm12__MalformedXml_SCORM12.zip": "xml-malformed", "scorm12__MissingLaunchUrl_SCORM12.zip": "no-launch"}


@dataclass
class World:
    """A folder with a package in it, and readings of that."""

    folder: Path
    backend: Backend
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def settings(self) -> Settings:
        return Settings(workspace=self.folder / "work", sandbox=self.backend, **self.more)

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def read(self, data: bytes, *, canonical: bool = True, **more: Any) -> Reading:
        path = self.folder / "upload.zip"
        path.write_bytes(data)
        return read_package(path, self.output, self.settings, canonical=canonical, **more)

    def works(self) -> None:
        """A sound package in a new sandbox is read as it should be."""
        reading = self.read(SOUND)
        assert reading.report.accepted and reading.course is not None and reading.canonical is not None, reading


@pytest.fixture(params=["bubblewrap", "runsc"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    finding = sandbox.find(request.param)
    if not finding.works:
        pytest.skip(f"{request.param} does not work on this machine: {finding.why}")
    (tmp_path / "output").mkdir()
    world = World(tmp_path, request.param)
    yield world
    world.works()
    assert [path for path in world.output.iterdir() if path.name.startswith(slots.MOVED)] == []


def only_bubblewrap(test: Callable[..., None]) -> Any:
    return pytest.mark.parametrize("world", ["bubblewrap"], indirect=True)(test)


# -- honest and broken packages ---------------------------------------------------------------------------------------


def test_a_sound_package_gives_report_course_and_canonical_zip(world: World) -> None:
    shares: list[float] = []
    reading = world.read(SOUND, on_share=shares.append)
    report, course = reading.report, reading.course
    assert (report.accepted, report.edition, report.launch, report.items) == (True, "1.2", ("index.html",), 1)
    assert report.sandbox.startswith(world.backend) and report.sandbox != world.backend, "it names its version, too"
    assert course is not None and [each.href for each in course.launches] == ["index.html"]
    assert reading.canonical is not None and reading.canonical.stat().st_mode & 0o777 == 0o600
    with reading.canonical.open("rb") as file:
        files = read_canonical(file, ImportLimits())
        assert {each.path: b"".join(stream_canonical(file, each)) for each in files} == {
            name: text if isinstance(text, bytes) else text.encode() for name, text in package_files().items()
        }
    assert shares and shares == sorted(shares) and shares[-1] == 1.0


@only_bubblewrap
def test_without_a_canonical_zip_there_is_a_report_alone(world: World) -> None:
    reading = world.read(SOUND, canonical=False)
    assert reading.report.accepted and (reading.course, reading.canonical) == (None, None)
    assert [path.name for path in world.output.iterdir()] == ["report.json"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> World:
    """For many packages, one after the other."""
    if not sandbox.find("bubblewrap").works:
        pytest.skip(sandbox.find("bubblewrap").why)
    world = World(tmp_path_factory.mktemp("packages"), "bubblewrap")
    world.output.mkdir()
    return world


@pytest.mark.parametrize("path", shared_packages(), ids=lambda path: path.name)
def test_every_shared_package_gets_its_answer(path: Path, reader: World) -> None:
    reading = read_package(path, reader.output, reader.settings, canonical=True)
    if code := REFUSED.get(path.name):
        assert (reading.report.accepted, reading.course, reading.canonical) == (False, None, None)
        assert code in [each.code for each in reading.report.errors]
    else:
        assert reading.report.accepted and reading.canonical is not None, reading.report.errors
        assert reading.course is not None and reading.report.launch
    assert not reading.broke


@pytest.mark.parametrize("name", HOSTILE)
def test_every_hostile_zip_is_refused_for_its_reasons(name: str, reader: World) -> None:
    case = HOSTILE[name]
    reader.more = {f"import_{each.name}": getattr(case.limits, each.name) for each in fields(ImportLimits)}
    reading = reader.read(case.build())
    reader.more = {}
    assert {each.code for each in reading.report.errors} == case.codes, reading.report.errors
    assert (reading.course, reading.canonical, reading.broke) == (None, None, False)


@pytest.mark.parametrize("name", ODD)
def test_every_odd_zip_is_read_and_believed(name: str, reader: World) -> None:
    reading = reader.read(ODD[name].build())
    assert reading.report.accepted and reading.canonical is not None, reading.report.errors
    with reading.canonical.open("rb") as file:
        assert {each.path for each in read_canonical(file, ImportLimits())} == set(ODD[name].paths)


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_odd_and_hostile_manifest_gets_its_answer(name: str, reader: World) -> None:
    case = MANIFESTS[name]
    reader.more = {f"import_{each.name}": getattr(LIMITS, each.name) for each in fields(ImportLimits)}
    reading = reader.read(zip_of(case.files))
    reader.more = {}
    assert not reading.broke, reading.report.errors
    assert reading.report.accepted == case.accepted
    assert {each.code for each in (*reading.report.errors, *reading.report.warnings)} >= case.codes


@only_bubblewrap
@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 100, SOUND[:-30], SOUND[: len(SOUND) // 2]])
def test_what_is_no_zip_is_refused_by_name(data: bytes, world: World) -> None:
    reading = world.read(data)
    assert not reading.report.accepted
    assert all(each.code.startswith(("zip-", "not-a-zip")) for each in reading.report.errors), reading.report.errors
    assert not reading.broke


@only_bubblewrap
def test_every_limit_is_a_setting(world: World) -> None:
    world.more = {"import_entries": 1, "import_zip_bytes": 1 << 20}
    assert limits_of(world.settings).entries == 1
    assert world.read(SOUND).report.errors[0].code == "zip-entries"
    world.more = {"import_zip_bytes": len(SOUND) - 1}
    reading = world.read(SOUND)
    assert [each.code for each in reading.report.errors] == ["zip-size"]
    assert reading.report.sandbox.startswith("bubblewrap")
    world.more = {}


@only_bubblewrap
def test_memory_and_time_that_are_not_enough_refuse_the_package_and_say_so(world: World) -> None:
    big = zip_of(package_files(**{"big.bin": os.urandom(1 << 20) * 40}), deflated=False)
    world.more = {"import_timeout_s": 0.001}
    reading = world.read(big)
    assert [each.code for each in reading.report.errors] == ["package-unreadable"]
    assert "0.001 s" in reading.report.errors[0].message and reading.broke
    world.more = {"import_memory_bytes": 1 << 20}
    reading = world.read(big)
    assert [each.code for each in reading.report.errors] == ["package-unreadable"]
    world.more = {}


@only_bubblewrap
def test_whoever_watches_may_end_it(world: World) -> None:
    class Enough(Exception):
        pass

    def watch() -> None:
        raise Enough

    big = zip_of(package_files(**{"big.bin": bytes(200 << 20)}), deflated=False)
    with pytest.raises(Enough):
        world.read(big, watch=watch)


def test_without_a_sandbox_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(kind: object, setting: object) -> Backend:
        raise sandbox.backends.unavailable([sandbox.Finding("bubblewrap", False, why="it is not there")])

    monkeypatch.setattr(sandbox.backends, "choose", none)
    path = tmp_path / "upload.zip"
    path.write_bytes(SOUND)
    with pytest.raises(ContentError) as refused:
        read_package(path, tmp_path, Settings(workspace=tmp_path), canonical=True)
    assert refused.value.code == "sandbox-unavailable" and "Install" in refused.value.remedy


# -- what a sandbox says that was taken over --------------------------------------------------------------------------

SAY = """
import os
for fd in range(3, 64):
    try:
        os.write(fd, b'{"value": null}\\n')
    except OSError:
        pass
os._exit(0)
"""


@pytest.fixture
def hijack(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reading]:
    """Reads a “package” that takes over its reader at the first byte: it is code, and all of it is run in place of ours."""
    call = sandbox.call

    def called(job: Any, function: str, arguments: Any, settings: Settings, on_share: Any = None) -> Any:
        assert function == "tasks.importing.packages_inside:read"
        return call(job, "runpy:run_path", {"path_name": arguments["path"]}, settings, None)

    def read(code: str, *, facts: object = None, canonical: bool = True, **more: Any) -> Reading:
        script = f"import json\nfacts = json.loads({json.dumps(json.dumps(facts))})\n{code}\n{SAY}"
        with monkeypatch.context() as patched:
            patched.setattr(reading_packages.sandbox, "call", called)
            return world.read(script.encode(), canonical=canonical, **more)

    return read


@pytest.fixture
def honest(world: World) -> dict[str, Any]:
    """What the reader says of a sound package, as documents."""
    reading = world.read(SOUND)
    assert reading.course is not None and reading.canonical is not None
    report = {**reading.report.document(), "sandbox": ""}
    return {"report": report, "course": reading.course.document(), "zip": reading.canonical.read_bytes().hex()}


WRITE = """
def write(report=facts["report"], course=facts["course"], package=bytes.fromhex(facts["zip"])):
    for name, what in (("report.json", report), ("course.json", course), ("canonical.zip", package)):
        if what is not None:
            data = what if isinstance(what, bytes) else json.dumps(what).encode()
            open(name, "wb").write(data)
report, course, package = facts["report"], facts["course"], bytes.fromhex(facts["zip"])
"""
LIES = {
    "accepted with an error": 'report["errors"] = [{"code": "x", "place": "", "message": ""}]; write(report)',
    "accepted without a launch": 'report["launch"] = []; write(report)',
    "accepted without an edition": 'report["edition"] = None; write(report)',
    "refused without a reason": 'report["accepted"] = False; write(report, None, None)',
    "refused and yet a course": 'report |= {"accepted": False, "errors": [{"code": "x", "place": "", "message": ""}]}; write(report)',
    "another launch than the course": 'report["launch"] = ["evil.html"]; write(report)',
    "another title than the course": 'report["title"] = "Another"; write(report)',
    "another tree than the course": 'report["tree"][0]["items"] = []; write(report)',
    "other sizes than the files": 'report["sizes"]["files"] += 1; write(report)',
    "says what it was read in": 'report["sandbox"] = "runsc"; write(report)',
    "a member more": 'report["sandboxed"] = True; write(report)',
    "a member less": 'del report["accepted"]; write(report)',
    "another shape": "write([])",
    "no JSON": 'write(b"{")',
    "not even text": r'write(b"\xff\xfe\x00")',
    "no number": 'write(json.dumps(report).replace(\'"items": 1\', \'"items": NaN\').encode())',
    "endless number": 'write(json.dumps(report).replace(\'"items": 1\', \'"items": \' + "9" * 100000).encode())',
    "deep JSON": 'write(b"[" * 1000000)',
    "deep tree": 'write(json.dumps(report).replace(\'"items": []\', \'"items": [{"identifier":"","title":"","href":null,"items":\' * 100000).encode())',
    "giant JSON": 'write(json.dumps(report).encode() + b" " * (17 << 20))',
    "many findings": 'report["warnings"] = [{"code": "x", "place": "", "message": ""}] * 20000; write(report)',
    "a title that moves the cursor": 'report["title"] = course["organizations"][0]["title"] = course["title"] = "\\x1b[2J"; write(report, course)',
    "a finding that turns the line": 'report["warnings"] = [{"code": "x", "place": "", "message": "a\\u202eb"}]; write(report)',
    "a code that is none": 'report["warnings"] = [{"code": "<b>", "place": "", "message": ""}]; write(report)',
    "no course": "write(report, None)",
    "no canonical zip": "write(report, course, None)",
    "no report": "write(None)",
    "a course of another shape": "write(report, {})",
    "a deep course": 'write(report, b\'{"a":\' * 200000)',
    "a giant course": 'write(report, b" " * ((64 << 20) + 1))',
    "a course that leaves its folder": 'course["resources"][0]["files"] = ["../../../etc/passwd"]; write(report, course)',
    "a course that opens a script": 'course["resources"][0]["href"] = "javascript:alert(1)"; write(report, course)',
    "a course that begins elsewhere": 'course["resources"][0]["href"] = "//evil.example/"; write(report, course)',
    "a course that opens a script, in disguise": 'course["resources"][0]["href"] = "java\\tscript:alert(1)"; write(report, course)',
    "a course that leaves its folder, encoded": 'course["resources"][0]["files"] = ["a/%2e%2e/%2e%2e/x"]; write(report, course)',
    "a zip that is none": 'write(report, course, b"PK" * 100)',
    "a zip as anybody writes it": "write(report, course, open('../in/package.zip', 'rb').read()[-1:] + package)",
    "a zip with more behind it": 'write(report, course, package + b"more")',
    "a zip with a path upwards": 'write(report, course, package.replace(b"index.html", b"../ex.html"))',
    "a zip with a link in it": 'write(report, course, package.replace(b"\\xa4\\x81", b"\\xff\\xa1"))',
    "a link as report": 'write(); os.unlink("report.json"); os.symlink("/etc/passwd", "report.json")',
    "something besides": 'write(); open("more", "w").write("x")',
    "something hidden besides": 'write(); open(".hidden", "w").write("x")',
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_believed(lie: str, hijack: Callable[..., Reading], honest: dict[str, Any], world: World) -> None:
    if world.backend == "runsc" and LIES[lie].startswith("report"):
        pytest.skip("what is believed is decided outside: once is enough for those that only write")
    reading = hijack(f"import os\n{WRITE}\n{LIES[lie]}", facts=honest)
    assert (reading.report.accepted, reading.course, reading.canonical) == (False, None, None), reading
    assert [each.code for each in reading.report.errors] == ["package-unreadable"], reading.report.errors
    assert reading.broke and not (world.output / "more").exists()


@only_bubblewrap
def test_the_same_without_a_lie_would_be_believed(hijack: Callable[..., Reading], honest: dict[str, Any]) -> None:
    """Else the test above could not fail."""
    assert hijack(f"{WRITE}\nwrite()", facts=honest).report.accepted


@pytest.mark.parametrize(
    "end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.abort()", "raise SystemExit(1)", "bytearray(1 << 45)"]
)
def test_poison_that_kills_its_sandbox_each_time_is_refused(end: str, hijack: Callable[..., Reading]) -> None:
    for _ in range(2):
        reading = hijack(f"import os\n{end}")
        assert [each.code for each in reading.report.errors] == ["package-unreadable"]


@pytest.mark.parametrize(
    "code", ["while True: pass", "import time; time.sleep(3600)", "import os\nwhile True: os.write(1, b'x' * 65536)"]
)
def test_poison_that_never_ends_is_ended(code: str, hijack: Callable[..., Reading], world: World) -> None:
    world.more = {"import_timeout_s": 2.0}
    reading = hijack(code)
    world.more = {}
    assert [each.code for each in reading.report.errors] == ["package-unreadable"] and reading.broke


@only_bubblewrap
def test_a_flood_of_files_is_ended(hijack: Callable[..., Reading]) -> None:
    reading = hijack("number = 0\nwhile True:\n    open(str(number), 'w').close()\n    number += 1")
    assert [each.code for each in reading.report.errors] == ["package-unreadable"] and reading.broke
