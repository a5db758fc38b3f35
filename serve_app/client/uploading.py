"""A file to an import, piece by piece: a few at once, tried again when something broke, gone on with after a break.

What the service says is there is not sent again, if it is what the file still holds. The caller keeps the id of the import for a
next time; everything else the service knows.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from content.canonical import DIGEST_PREFIX
from content.errors import ContentError
from serve_app.client.rows import Import, ImportShown, Part

if TYPE_CHECKING:
    from serve_app.client import Client

FLYING = 4
"""Pieces on their way, each of which is in memory."""
TIMEOUT = httpx.Timeout(120.0, connect=10.0)
PATIENCE_S, FIRST_WAIT_S, LONGEST_WAIT_S = 120.0, 0.5, 10.0


class _Expired(Exception):
    """The address of a piece does not work any more."""


def store_client() -> httpx.Client:
    """For the object store alone, which gets nobody's token."""
    return httpx.Client(timeout=TIMEOUT, trust_env=False)


def begin(api: Client, path: Path, *, course_id: str | None = None, piece_bytes: int | None = None) -> str:
    """The id of a new import for a file."""
    size = path.stat().st_size
    if not size:
        raise ContentError("file-empty", f"{path} is empty.", "Name the zip of a package.")
    return api.begin_import(path.name, size, course_id=course_id, piece_bytes=piece_bytes)["import_id"]


def send(api: Client, path: Path, found: ImportShown, on_bytes: Callable[[int], None] | None = None) -> Import:
    """Send what is missing of an import that is `uploading`, and complete it. `on_bytes` hears of bytes that are there.

    Raises ContentError `file-changed` where the file is of another size than was said, `upload-unreachable` (retryable), and what
    the API raises.
    """
    upload = found["upload"]
    if upload is None or path.stat().st_size != found["size_bytes"]:
        raise ContentError("file-changed", f"{path} is another file than the one that was begun.", "Begin again.")
    there = {each["number"]: (each["size_bytes"], each["digest"]) for each in upload["uploaded"]}
    whole, told = hashlib.sha256(), on_bytes or (lambda _: None)
    with store_client() as store, ThreadPoolExecutor(FLYING) as senders:
        flying: dict[Future[None], int] = {}
        asking = threading.Lock()  # a client is used by one thread at a time
        try:
            with path.open("rb") as file:
                for number in range(1, upload["pieces"] + 1):
                    data = file.read(upload["piece_bytes"])
                    whole.update(data)
                    digest = DIGEST_PREFIX + hashlib.sha256(data).hexdigest()
                    if there.get(number) == (len(data), digest):
                        told(len(data))
                        continue
                    while len(flying) >= FLYING:
                        _landed(flying, told)
                    sender = _Sender(api, asking, store, found["import_id"], number, digest, data)
                    flying[senders.submit(sender.run)] = len(data)
            while flying:
                _landed(flying, told)
        finally:
            for each in flying:
                each.cancel()
    return api.complete_import(found["import_id"], DIGEST_PREFIX + whole.hexdigest())


def _landed(flying: dict[Future[None], int], told: Callable[[int], None]) -> None:
    done, _ = wait(flying, return_when=FIRST_COMPLETED)
    for each in done:
        size = flying.pop(each)
        each.result()
        told(size)


class _Sender:
    """One piece."""

    def __init__(
        self,
        api: Client,
        asking: threading.Lock,
        store: httpx.Client,
        import_id: str,
        number: int,
        digest: str,
        data: bytes,
    ) -> None:
        self._api, self._asking, self._store, self._import_id = api, asking, store, import_id
        self._number, self._digest, self._data = number, digest, data

    def run(self) -> None:
        """Until it is there, or patience is over."""
        began, wait_s, part = time.monotonic(), FIRST_WAIT_S, self._address()
        while True:
            try:
                self._put(part)
                return
            except _Expired:
                part = self._address()
                error = ContentError("upload-refused", "The store refuses this piece.", "Try again.", True)
            except ContentError as failed:
                error = failed
            if not error.retryable or time.monotonic() + wait_s > began + PATIENCE_S:
                raise error
            time.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _address(self) -> Part:
        with self._asking:
            return self._api.import_parts(self._import_id, {self._number: self._digest})["parts"][0]

    def _put(self, part: Part) -> None:
        try:
            answer = self._store.put(part["url"], content=self._data, headers=part["headers"])
        except httpx.HTTPError as error:
            told = f"The object store does not answer ({type(error).__name__})."
            raise ContentError("upload-unreachable", told, "Run the same command again: it goes on.", True) from error
        if answer.status_code == 403:
            raise _Expired
        if answer.status_code != 200:
            told = f"The object store answered {answer.status_code}."
            raise ContentError("upload-unreachable", told, "Run the same command again: it goes on.", True)
