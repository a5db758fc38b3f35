"""CDNs that keep the quotas and versions of the real ones, which are not to be had here: CloudFront's client and Cloudflare's API.

What CloudFront is asked is checked by botocore's own model of its API.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.validate import ParamValidator

MODEL = botocore.session.get_session().get_service_model("cloudfront")
PATHS, FOLDERS = 3000, 15
"""Under way at once, in a distribution."""


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


def checked(operation: str, given: Mapping[str, Any]) -> None:
    report = ParamValidator().validate(given, MODEL.operation_model(operation).input_shape)
    assert not report.has_errors(), report.generate_report()


@dataclass
class FakeCloudFront:
    """`lost_answers`: so many invalidations are taken and not answered. `clock` says when what is under way is done."""

    clock: Callable[[], float] = lambda: 0.0
    takes_s: float = 10.0
    lost_answers: int = 0
    invalidations: dict[str, list[tuple[float, str, tuple[str, ...]]]] = field(default_factory=dict)
    refused: int = 0
    public_keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    group: dict[str, Any] = field(default_factory=lambda: {"Name": "content-eu-edge", "Items": []})
    version: str = "0"
    changed_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # Invalidations

    def create_invalidation(self, **given: Any) -> dict[str, Any]:
        checked("CreateInvalidation", given)
        known = self.invalidations.setdefault(given["DistributionId"], [])
        batch = given["InvalidationBatch"]
        paths, reference = tuple(batch["Paths"]["Items"]), batch["CallerReference"]
        assert len(paths) == batch["Paths"]["Quantity"] and all(path.startswith("/") for path in paths)
        for _, there, its in known:
            if there == reference:
                if its != paths:
                    raise error("InvalidationBatchAlreadyExists")
                return {"Invalidation": {"Id": reference}}
        under_way = [path for at, _, its in known if self.clock() < at + self.takes_s for path in its]
        together = [*under_way, *paths]
        if len(together) > PATHS or sum("*" in path for path in together) > FOLDERS:
            self.refused += 1
            raise error("TooManyInvalidationsInProgress")
        known.append((self.clock(), reference, paths))
        if self.lost_answers:
            self.lost_answers -= 1
            raise ReadTimeoutError(endpoint_url="https://cloudfront.example")
        return {"Invalidation": {"Id": reference}}

    def paths(self, distribution: str = "EFILES") -> list[str]:
        return [path for _, _, paths in self.invalidations.get(distribution, []) for path in paths]

    # Keys

    def create_public_key(self, **given: Any) -> dict[str, Any]:
        checked("CreatePublicKey", given)
        asked = given["PublicKeyConfig"]
        if any(each["Name"] == asked["Name"] for each in self.public_keys.values()):
            raise error("PublicKeyAlreadyExists")
        key_id = f"K{next(self.numbers)}"
        self.public_keys[key_id] = asked
        return {"PublicKey": {"Id": key_id, "PublicKeyConfig": asked}, "ETag": f"E{key_id}"}

    def get_public_key(self, **given: Any) -> dict[str, Any]:
        checked("GetPublicKey", given)
        if given["Id"] not in self.public_keys:
            raise error("NoSuchPublicKey")
        return {"PublicKey": {"PublicKeyConfig": self.public_keys[given["Id"]]}, "ETag": f"E{given['Id']}"}

    def delete_public_key(self, **given: Any) -> None:
        checked("DeletePublicKey", given)
        if given["Id"] in self.group["Items"]:
            raise error("PublicKeyInUse")
        del self.public_keys[given["Id"]]

    def list_public_keys(self, **given: Any) -> dict[str, Any]:
        checked("ListPublicKeys", given)
        names = sorted(self.public_keys)
        begin = names.index(given["Marker"]) if "Marker" in given else 0
        items = [{"Id": name, "Name": self.public_keys[name]["Name"]} for name in names[begin : begin + 1]]
        more = {"NextMarker": names[begin + 1]} if begin + 1 < len(names) else {}
        return {"PublicKeyList": {"Items": items, **more}}

    def get_key_group(self, **given: Any) -> dict[str, Any]:
        checked("GetKeyGroup", given)
        group = {"KeyGroupConfig": json.loads(json.dumps(self.group)), "LastModifiedTime": self.changed_at}
        return {"KeyGroup": group, "ETag": self.version}

    def update_key_group(self, **given: Any) -> None:
        checked("UpdateKeyGroup", given)
        if given["IfMatch"] != self.version:
            raise error("PreconditionFailed")
        assert len(given["KeyGroupConfig"]["Items"]) <= 5
        self.group, self.version = given["KeyGroupConfig"], str(next(self.numbers))


@dataclass
class FakeCloudflare:
    """What the API was asked, and what it keeps. `busy`: so many requests are answered with 429."""

    url: str = ""
    tags: list[list[str]] = field(default_factory=list)
    everything: int = 0
    values: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    busy: int = 0


@contextmanager
def cloudflare() -> Iterator[FakeCloudflare]:
    told = FakeCloudflare()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: Any) -> None:
            text = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def body(self) -> str:
            told.tokens.add(self.headers["authorization"])
            return self.rfile.read(int(self.headers.get("content-length", 0))).decode()

        def do_POST(self) -> None:
            asked = json.loads(self.body())
            if self.path != "/zones/z1/purge_cache":
                self.answer(404, {"success": False})
            elif told.busy:
                told.busy -= 1
                self.answer(429, {"success": False})
            elif asked.get("purge_everything"):
                told.everything += 1
                self.answer(200, {"success": True})
            else:
                assert 1 <= len(asked["tags"]) <= 30
                told.tags.append(asked["tags"])
                self.answer(200, {"success": True})

        def do_GET(self) -> None:
            self.body()
            found = told.values.get(self.path)
            self.answer(404 if found is None else 200, found or {"success": False})

        def do_PUT(self) -> None:
            told.values[self.path] = self.body()
            self.answer(200, {"success": True})

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
