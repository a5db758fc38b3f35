"""The images: each Dockerfile keeps the rules, installs its part of the one lock, and what it would build starts.

No image can be built where these tests run, so the steps of the Dockerfiles themselves are performed in empty roots
(`images.rehearsal`). The command line's image always; those with Ray, which take minutes, in `make test-all`.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from images import requirements
from images.check import FORBIDDEN, KINDS, problems
from images.dockerfile import DockerfileError, broken_rules, parse
from images.rehearsal import UID, Built, perform

pytestmark = pytest.mark.xdist_group("images")  # what one process has built is not built by another
ROOT = requirements.ROOT
DRIVERS = ("boto3", "psycopg", "asyncpg", "nats", "pgqueuer")
KEPT = (ROOT / "images/cli/Dockerfile").read_text()


def test_every_rule_is_kept() -> None:
    assert problems() == []


def test_the_parts_of_the_lock_are_the_locks_own_lines() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for kind in (*KINDS, requirements.TOOLS):
        text = requirements.path_of(kind).read_text()
        for name, block in requirements.blocks(text).items():
            assert block == requirements.blocks(lock)[name], (kind, name)
        assert "--hash=sha256:" in text


def test_an_image_needs_nothing_that_the_service_does_not() -> None:
    service = set(requirements.closure(requirements.direct(requirements.SERVICE)))
    for kind in (requirements.IMPORTER, requirements.CLI):
        assert requirements.closure(requirements.direct(kind)) <= service


def test_more_than_one_version_of_a_name_is_kept() -> None:
    lock = "one==1 ; python_version < '3.12' \\\n    --hash=sha256:a\n    # via x\none==2 ; python_version >= '3.12' \\\n    --hash=sha256:b\n"
    assert requirements.blocks(lock)["one"].count("--hash") == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("@sha256:" + "0" * 64, "", "tag and digest"),
        ("FROM ${BASE} AS build", "FROM python:latest AS build", "built on python:latest"),
        ("--require-hashes ", "", "without its hash"),
        ("--no-deps --no-index", "--no-index", "without its hash"),
        ("RUN python -m venv /build", "RUN apt-get install -y gcc", "not in the lock"),
        ("COPY content content", "COPY . .", "not everything"),
        ("COPY content content", "COPY nowhere nowhere", "not everything"),
        ("USER 65532:65532", "USER root", "last USER"),
        ("USER 65532:65532", "USER 0:0", "last USER"),
        ("WORKDIR /opt/content", "RUN rm -rf /var", "final stage runs"),
        ("COPY --from=build /opt/content /opt/content", "COPY --from=build / /", "only what was built"),
        ("ARG VERSION=0", "ARG API_TOKEN=0", "secret"),
        ("cyclonedx-py environment", "true", "list of parts"),
        ("unchecked-hash", "timestamp", "by content"),
        ("SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} ", "", "SOURCE_DATE_EPOCH"),
        ("org.opencontainers.image.licenses", "licenses", "no label licenses"),
    ],
)
def test_a_wrong_dockerfile_is_found(old: str, new: str, told: str) -> None:
    assert broken_rules(KEPT, ROOT) == []
    assert old in KEPT
    assert any(told in each for each in broken_rules(KEPT.replace(old, new), ROOT))


@pytest.mark.parametrize("text", ["ADD x /x", "RUN x", "FROM a\nSHELL x", "FROM a\nRUN x \\", "FROM a AS"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError):
        parse(text)


# -- what they would build ------------------------------------------------------------------------------------------------


def built(kind: str, folder: Path) -> Built:
    cache = {folder / "cache": "/cache"}
    (folder / "cache" / "uv").mkdir(parents=True)
    known = subprocess.run([ROOT / ".venv/bin/uv", "cache", "dir"], capture_output=True, text=True, check=False)
    if known.returncode == 0 and Path(known.stdout.strip()).is_dir():
        cache[Path(known.stdout.strip())] = "/cache/uv"  # what `make install` fetched
    text = (ROOT / "images" / kind / "Dockerfile").read_text()
    return perform(parse(text), ROOT, folder / "stages", cache, {"VERSION": "1.2.3"})


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built("cli", tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="module")
def importer(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built("importer", tmp_path_factory.mktemp("importer"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built("service", tmp_path_factory.mktemp("service"))


def said(image: Built, *argv: str, env: dict[str, str] | None = None) -> str:
    done = image.run(argv, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require_sound(image: Built, kind: str) -> None:
    """What holds of every image: who runs it, what cannot be written, what it holds and that it says so."""
    assert image.user == UID
    assert f"uid={UID} gid={UID}" in said(image, "id")
    assert image.run(["touch", "/opt/content/new"]).returncode != 0
    installed = json.loads(said(image, "python", "-c", INSTALLED))
    assert not set(FORBIDDEN[kind]) & set(installed)
    known = requirements.blocks(requirements.path_of(kind).read_text())
    assert set(installed) == set(known) - FOR_OTHERS | {"content-service"}
    for name, version in installed.items():
        assert name == "content-service" or f"{name}=={version}" in known[name]
    parts = json.loads((image.root / "opt/content/sbom.cdx.json").read_text())
    assert parts["bomFormat"] == "CycloneDX"
    assert {part["name"].lower().replace("_", "-").replace(".", "-") for part in parts["components"]} == set(installed)
    compiled = [path for path in (image.root / "opt/content/lib").rglob("*.pyc") if "serve_app" in path.parts]
    assert len(compiled) > 50
    assert all(path.read_bytes()[4] == 1 for path in compiled)  # by content, and not looked at again (PEP 552)


FOR_OTHERS = {"tzdata", "colorama"}
"""In the lock for Windows alone."""
INSTALLED = """
import json, re
from importlib.metadata import distributions
name = lambda found: re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
print(json.dumps({name(found): found.version for found in distributions()}))
"""


@pytest.mark.timeout(600)
def test_the_command_line_starts_out_of_its_image(cli: Built) -> None:
    require_sound(cli, requirements.CLI)
    assert cli.command == ["content-service", "--help"]
    assert "The content engine" in said(cli, *cli.command)
    settings = said(cli, "content-service", "settings", env={"CONTENT_PROFILE": "production", "CONTENT_REGION": "ap"})
    assert "region = ap" in settings
    assert "Be a device" in said(cli, "content-service", "device", "--help")
    assert "canary" in said(cli, "content-service", "release", "promote", "--help")  # a Job of this image promotes
    said(cli, "python", "-c", "import cluster.release.promoter, cluster.release.kubernetes")
    # What only operators do is elsewhere, and says so in two lines.
    refused = cli.run(["content-service", "gc"], env={"CONTENT_PROFILE": "production"})
    assert refused.returncode == 1
    assert "not-installed" in refused.stderr
    assert "content-service/service" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_steps_build_the_same_bytes(cli: Built, tmp_path: Path) -> None:
    assert digests(cli.root / "opt/content") == digests(built("cli", tmp_path).root / "opt/content")


def digests(folder: Path) -> dict[str, str]:
    """Path → digest, of everything that is a file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


STATUS = """
import hashlib, sys, threading, time
import httpx, uvicorn
from starlette.requests import Request
from actors.importer import Importer
importer = Importer("content-scorm-importer", {"workspace": "/tmp/work"}, ["http://127.0.0.1:1"], hashlib.sha256(b"token").hexdigest())
async def app(scope, receive, send):
    if scope["type"] == "http":
        answer = await importer(Request(scope, receive))
        await answer(scope, receive, send)
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started:
    time.sleep(0.05)
url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/status"
print(httpx.get(url).status_code, httpx.get(url, headers={"Authorization": "Bearer token"}).text)
loaded = {name.partition(".")[0] for name in sys.modules}
print("drivers:", sorted(loaded & set(DRIVERS)))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_importer_starts_out_of_its_image(importer: Built) -> None:
    require_sound(importer, requirements.IMPORTER)
    bound = "from serve_app import production; print(production.importer({})._bound_deployment.name)"
    assert "content-scorm-importer" in said(importer, "python", "-c", bound, env={"CONTENT_PROFILE": "production"})
    # Whoever names another application for this image gets an import error, and no pool.
    other = importer.run(["python", "-c", bound.replace("importer", "bundler")], env={"CONTENT_PROFILE": "production"})
    assert "ModuleNotFoundError" in other.stderr
    answered = said(importer, "python", "-c", f"DRIVERS = {DRIVERS!r}\n{STATUS}")
    assert re.search(r'^401 \{"works":(true|false),', answered, re.MULTILINE), answered
    assert "drivers: []" in answered
    assert "ray, version" in said(importer, "ray", "--version")
    assert "--wait-s" in said(importer, "python", "-m", "actors.drain", "--help")


LIVES = """
import threading, time
import httpx, uvicorn
from serve_app.api import create_app
server = uvicorn.Server(uvicorn.Config(create_app, factory=True, port=0, log_level="error"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started:
    time.sleep(0.05)
print(httpx.get(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/livez").text)
"""


@pytest.fixture
def bare() -> Iterator[dict[str, str]]:
    """Settings of a pod whose servers are all away: the API lives, and is not ready."""
    away = "postgresql://nobody@127.0.0.1:1/content"
    yield {
        "CONTENT_PROFILE": "production",
        **{f"CONTENT_POSTGRES_{role}": away for role in ("API", "WORKER", "OPS", "RELAY")},
        "CONTENT_NATS_URL": "nats://127.0.0.1:1",
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_service_starts_out_of_its_image(service: Built, bare: dict[str, str]) -> None:
    require_sound(service, requirements.SERVICE)
    bind = "import serve_app.production as p\nfor n in ('api', 'builder', 'bundler', 'exporter', 'relay'): print(getattr(p, n)({})._bound_deployment.name)"
    names = said(service, "python", "-c", bind, env=bare).split()
    assert names == ["content-api", "content-builder", "content-bundler", "content-exporter", "content-outbox-relay"]
    assert said(service, "python", "-c", LIVES, env=bare) == '{"status":"alive"}\n'
    assert "ray, version" in said(service, "ray", "--version")
    assert said(service, "content-service", "--version").strip()
