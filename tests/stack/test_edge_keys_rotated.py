"""The key of the edge is rotated while addresses of the old and the new one are in flight, by the command, on the running edge."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cluster.local.edge_keys import LocalKeys
from cluster.local.home import Home, read_json
from serve_app.cli import app
from tasks.edge.edge_rotation import FileStore, advance, edge_accepts
from tests.support.populated import Populated
from tests.support.replicas import replicas
from tests.support.running import Running
from tests.support.tenants import bearer
from tests.support.waiting import until


class Rotated(Home):
    """The stack's home as replicas see it that were rolled out with other settings."""

    def __init__(self, home: Home, settings: Path) -> None:
        super().__init__(home.path)
        self.settings = settings


class Readers:
    """Fetches every address that it was given, over and over, and counts what is answered."""

    def __init__(self) -> None:
        self._urls: list[str] = []
        self._stop = threading.Event()
        self.seen: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._run)

    def add(self, url: str) -> None:
        self._urls.append(url)

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as http:
            while not self._stop.is_set():
                for url in list(self._urls):
                    try:
                        self.seen[http.get(url).status_code] += 1
                    except httpx.HTTPError:
                        self.seen[0] += 1

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join(60)


@pytest.fixture
def group(running: Running) -> Iterator[LocalKeys]:
    """The edge's key group, as it was before and is afterwards."""
    before = running.home.edge_keys.read_text()
    yield LocalKeys(running.home.edge_keys)
    running.home.edge_keys.write_text(before)


def run(running: Running, keys: Path, *words: str) -> tuple[int, Any]:
    answer = CliRunner().invoke(app, ["edge", *words, "--keys", str(keys), "--home", str(running.home.path), "--json"])
    assert "PRIVATE KEY" not in answer.output
    return answer.exit_code, json.loads(answer.stdout)


def test_no_address_fails_while_the_key_that_signs_is_rotated(
    running: Running, group: LocalKeys, tmp_path: Path
) -> None:
    tenant = Populated(running)
    settings = tmp_path / "settings.json"
    settings.write_text(running.home.settings.read_text())
    first = running.settings.edge_key_id

    def url() -> str:
        return tenant.api.manifest_url(tenant.package_id, 1)["url"]

    with Readers() as readers:
        readers.add(url())
        assert run(running, settings, "keys") == (
            0, [{"key": first, "state": "signs", "at_the_edge": True, "since": None}],
        )  # fmt: skip
        code, done = run(running, settings, "rotate")
        assert (code, done["step"]) == (0, "publish")
        readers.add(url())  # the old key goes on signing
        code, done = run(running, settings, "rotate")
        second = done["key"]
        assert (code, done["step"]) == (0, "switch") and second != first
        with replicas(Rotated(running.home, settings), 1) as (rolled_out,):
            path = f"/v1/packages/{tenant.package_id}/versions/1/manifest/url"
            token = bearer(tenant, "content:read")
            asked = httpx.get(rolled_out + path, headers=token, trust_env=False, timeout=60)
            assert f"Key-Pair-Id={second}" in asked.json()["url"]
            readers.add(asked.json()["url"])
            readers.add(url())  # a replica that is not rolled out yet
        code, done = run(running, settings, "rotate")
        assert (code, done["step"]) == (5, "wait"), "what the old key signed is alive"
        states = {each["key"]: (each["state"], each["at_the_edge"]) for each in run(running, settings, "keys")[1]}
        assert states == {first: ("retired", True), second: ("signs", True)}
        before = sum(readers.seen.values())
        until("read by all addresses since", lambda: sum(readers.seen.values()) >= before + 8)
    assert set(readers.seen) == {200} and readers.seen[200] > 20
    # Long after, when nothing that it signed is alive, the old one goes; here such an address shows that it is gone.
    old, new, store = url(), asked.json()["url"], FileStore([settings])
    late = datetime.now(UTC) + timedelta(hours=3)
    done = advance(store, group, running.settings, late, edge_accepts(running.settings))
    assert (type(done.step).__name__, done.key_id) == ("Remove", first)
    gone, good = (httpx.get(url, trust_env=False, timeout=30) for url in (old, new))
    assert (gone.status_code, gone.json()["code"], good.status_code) == (403, "url-signature", 200)
    kept = read_json(settings)
    assert (kept["edge_key_id"], kept["api_url"]) == (second, running.settings.api_url)
    logs = [
        text for path in running.home.logs.glob("*") if path.is_file() for text in [path.read_text(errors="replace")]
    ]
    secrets = [read_json(settings)["edge_private_key"], running.settings.edge_private_key.get_secret_value()]
    inner = ["".join(pem.splitlines()[1:-1])[:60] for pem in secrets]
    assert logs and not any(each in text for text in logs for each in inner)


def test_a_command_that_finds_no_keys_says_so(running: Running, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    argv = ["edge", "rotate", "--keys", str(tmp_path / "keys.json"), "--home", str(running.home.path)]
    answer = CliRunner().invoke(app, argv)
    assert answer.exit_code == 1
    assert "edge-keys-missing" in f"{answer.output} {getattr(answer.exception, 'code', '')}"
