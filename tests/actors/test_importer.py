"""What the importer is told, and whom it listens to: without a store, a sandbox or Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from actors.importer import Importer, given
from cluster.importer import Order, token_digest
from cluster.settings import Settings
from content.errors import ContentError

STORE = "https://store.example"
ORDER = Order(f"{STORE}/a", 7, f"{STORE}/b", f"{STORE}/c", (f"{STORE}/d",), 7)


def every_secret(tmp_path: Path) -> Settings:
    """Settings in which each secret has a value of its own."""
    names = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    told: dict[str, Any] = {name: f"secret-{name}" for name in names}
    return Settings(**told, workspace=tmp_path, s3_endpoint=STORE, sandbox="none")


def replica(tmp_path: Path, **changes: Any) -> Importer:
    return Importer("content-scorm-importer", **{**given(every_secret(tmp_path)), **changes})


async def ask(
    importer: Importer, method: str, path: str, body: bytes = b"", token: str = "secret-importer_token"
) -> tuple[int, dict[str, Any]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http", "method": method, "path": f"/importer{path}", "root_path": "/importer", "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode())], "server": ("importer", 80), "scheme": "http",
    }  # fmt: skip
    answer = await importer(Request(scope, receive))
    return answer.status_code, json.loads(bytes(answer.body))


def test_it_is_told_limits_and_no_secret(tmp_path: Path) -> None:
    settings = every_secret(tmp_path)
    told = given(settings)
    assert "secret-" not in json.dumps(told)
    assert told["token_sha256"] == token_digest(settings) and told["origins"] == [STORE]
    assert told["settings"]["import_zip_bytes"] == settings.import_zip_bytes
    its = replica(tmp_path).settings
    assert not any(value.get_secret_value() for _, value in its if isinstance(value, SecretStr))


def test_production_names_origins_and_the_digest_alone(tmp_path: Path) -> None:
    named: dict[str, Any] = {"importer_token_sha256": "ab" * 32, "importer_origins": (STORE, "https://other.example")}
    settings = Settings(**named, workspace=tmp_path)
    told = given(settings)
    assert (told["token_sha256"], told["origins"]) == ("ab" * 32, [STORE, "https://other.example"])


async def test_it_listens_to_the_service_alone(tmp_path: Path) -> None:
    importer = replica(tmp_path)
    assert (await ask(importer, "GET", "/status", token="secret-guessed"))[0] == 401
    assert (await ask(importer, "GET", "/status"))[1]["sandbox"] == "none"
    assert (await ask(importer, "GET", "/imports"))[0] == 404
    # Without a token nobody is let in, also not who shows none.
    assert (await ask(replica(tmp_path, token_sha256=""), "GET", "/status", token=""))[0] == 401


@pytest.mark.parametrize(
    "url",
    [
        "http://store.example/a", "https://store.example:8443/a", "https://store.example@elsewhere.example/a",
        "https://elsewhere.example/store.example", "https://store.example.elsewhere.example/", "file:///a", "a", "//store.example/a",
        "https://169.254.169.254/", "https://store.example:99999/",
    ],
)  # fmt: skip
async def test_an_address_elsewhere_is_refused(tmp_path: Path, url: str) -> None:
    order = Order(ORDER.source, 7, ORDER.report, ORDER.course, (ORDER.package[0], url), 7)
    status, found = await ask(replica(tmp_path), "POST", "/imports", order.to_bytes())
    assert (status, found["code"]) == (403, "origin-refused")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", ORDER.to_bytes()[:-1], b'{"source": 1}', b"[" * 100_000])
async def test_what_is_no_order_is_refused(tmp_path: Path, body: bytes) -> None:
    status, found = await ask(replica(tmp_path), "POST", "/imports", body)
    assert (status, found["code"]) == (400, "order-malformed")
    assert Order.parse(ORDER.to_bytes()) == ORDER


async def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    importer = replica(tmp_path)
    order = Order(ORDER.source, importer.settings.import_zip_bytes + 1, ORDER.report, ORDER.course, ORDER.package, 7)
    assert (await ask(importer, "POST", "/imports", order.to_bytes()))[0] == 413


def test_a_size_is_a_number() -> None:
    for size in (True, 0, -1, 1.5, "7", None):
        with pytest.raises(ContentError):
            Order.parse(json.dumps({**json.loads(ORDER.to_bytes()), "size_bytes": size}).encode())
