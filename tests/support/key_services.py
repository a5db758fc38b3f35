"""Key services that a test may use up: OpenBao alone of the local stack, and AWS KMS as moto plays it, in two regions."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr

from cluster.local import configuration, ports
from cluster.local.home import Home, read_json
from cluster.local.keys import Keys
from cluster.local.part import Part, Site, environment
from cluster.local.processes import Started, spawn, stop
from cluster.settings import Settings
from tests.support.faulty_keys import FaultyKeys
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def alone(folder: Path, *parts: Part) -> Iterator[Site]:
    """These parts of the local stack and no others, set up."""
    home = Home(folder)
    home.prepare()
    wanted = [name for part in parts for name in part.ports]
    site = Site(home, ports.choose(wanted, home.reserved_by_others()), configuration.ensure_secrets(home))
    started: list[tuple[Part, Started]] = []
    try:
        for part in parts:
            part.before_start(site)
            plan = part.plan(site)
            started.append((part, spawn(part.name, plan.argv, home.log(part.name), environment(plan.env), folder)))
        for part in parts:
            until(f"{part.name} answering", lambda part=part: part.unhealthy(site) is None, 60.0)
            part.set_up(site)
        yield site
    finally:
        for part, process in started:
            stop(process, part.ask, part.patience_s)


@contextmanager
def openbao(folder: Path) -> Iterator[tuple[Settings, str]]:
    """OpenBao by itself: settings of the service, and the token of an operator who may do all."""
    with alone(folder, Keys()) as site:
        yield Settings(**of_openbao(site)), operator_token(site)  # pyright: ignore[reportArgumentType]


def of_openbao(site: Site) -> dict[str, object]:
    """The settings that say where it is."""
    return {"openbao_url": site.url("openbao"), "openbao_token": SecretStr(site.secrets["openbao_token"])}


def operator_token(site: Site) -> str:
    return str(read_json(site.home.keys / "openbao-init.json")["root_token"])


@contextmanager
def moto(*, plain: bool = False) -> Iterator[str]:
    """moto's server in a process of its own; its address."""
    port = ports.choose(["moto"], set())["moto"]
    argv = [sys.executable, "-m", "tests.support.kms_like_aws", str(port), *(["--plain"] if plain else [])]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(url):
            assert process.poll() is None and time.monotonic() < deadline, "moto does not start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def kms_settings(primary: str, replica: str, **changes: object) -> Settings:
    """Settings for KMS at these addresses; quotas are out of the way, unless named."""
    given = {
        "key_service": "kms", "kms_endpoint": primary, "kms_replica_endpoint": replica, "kms_access_key": "test",
        "kms_secret_key": "test", "kms_account": "123456789012", "kms_sign_quota": 100_000, "kms_timeout_s": 20.0,
        "kms_wait_s": 60.0, **changes,
    }  # fmt: skip
    return Settings(**given)  # pyright: ignore[reportArgumentType]


@contextmanager
def two_regions(url: str) -> Iterator[tuple[FaultyKeys, FaultyKeys]]:
    """A proxy for each region before one server."""
    both = FaultyKeys(url), FaultyKeys(url)
    try:
        yield both
    finally:
        for each in both:
            each.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", trust_env=False, timeout=2).status_code < 500
    except httpx.HTTPError:
        return False
