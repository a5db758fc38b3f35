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
from cluster.local.part import Site, environment
from cluster.local.processes import spawn, stop
from cluster.settings import Settings
from tests.support.faulty_keys import FaultyKeys
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def openbao(folder: Path) -> Iterator[tuple[Settings, str]]:
    """The part of the stack, by itself: settings of the service, and the token of an operator who may do all."""
    part, home = Keys(), Home(folder)
    home.prepare()
    site = Site(home, ports.choose(part.ports, home.reserved_by_others()), configuration.ensure_secrets(home))
    part.before_start(site)
    plan = part.plan(site)
    started = spawn(part.name, plan.argv, home.log(part.name), environment(plan.env), folder)
    try:
        until("OpenBao answering", lambda: part.unhealthy(site) is None, 30.0)
        part.set_up(site)
        token = SecretStr(site.secrets["openbao_token"])
        settings = Settings(openbao_url=site.url("openbao"), openbao_token=token)  # pyright: ignore[reportCallIssue]
        yield settings, str(read_json(home.keys / "openbao-init.json")["root_token"])
    finally:
        stop(started, part.ask, part.patience_s)


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
        process.wait(10)


def kms_settings(primary: str, replica: str, **changes: object) -> Settings:
    """Settings for KMS at these addresses; quotas are out of the way, unless named."""
    given = {
        "key_service": "kms", "kms_endpoint": primary, "kms_replica_endpoint": replica, "kms_access_key": "test",
        "kms_secret_key": "test", "kms_account": "123456789012", "kms_sign_quota": 100_000, "kms_timeout_s": 1.0,
        "kms_wait_s": 5.0, **changes,
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
