"""One file from the edge, in as many requests as it takes and no byte twice.

What has arrived is in `<file>.partial`; its length is where the next request begins. A URL that has expired is asked for
anew. Nothing is believed of the content here: it is named by a signed licence or index, and checked against that.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import httpx

from content.errors import ContentError
from serve_app.client import problem_of
from serve_app.device.files import sync_folder

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
ATTEMPTS = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
STALE_URL = {"url-expired", "url-signature"}
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Watch(Protocol):
    """Who is told how it goes: a progress bar, a test, nobody."""

    def begin(self, path: str, size: int, have: int) -> None:
        """A file is wanted; `have` of its `size` bytes are here already."""

    def advance(self, path: str, count: int) -> None:
        """`count` more bytes of it have arrived."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Silent:
    """Watches and says nothing."""

    def begin(self, path: str, size: int, have: int) -> None: ...
    def advance(self, path: str, count: int) -> None: ...
    def note(self, text: str) -> None: ...


class Urls(Protocol):
    """The signed URLs of one bundle."""

    def of(self, path: str) -> str:
        """The URL of a blob. Raises ContentError if the API offers none."""
        ...

    def renew(self) -> None:
        """Ask the API for fresh ones."""


def edge_client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, trust_env=False)


def fetch(
    edge: httpx.Client,
    urls: Urls,
    path: str,
    size: int,
    target: Path,
    watch: Watch,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Download what is missing of a file of `size` bytes; returns how many bytes came over the network.

    Raises ContentError `download-broken` (retryable; what came is kept), `download-size`, or what the edge answers.
    """
    if target.exists() and target.stat().st_size == size:
        return 0
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{path[:8]}…/{target.name}"
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("ab", buffering=0) as file:
        if file.tell() > size:  # of another file, or damaged
            file.truncate(0)
        first = file.tell()
        watch.begin(path, size, first)
        failures, renewals = 0, 0
        while (have := file.tell()) < size:
            try:
                _stream(edge, urls.of(path), have, size, file, lambda count: watch.advance(path, count))
            except ContentError as error:
                if error.code not in STALE_URL or renewals == ATTEMPTS:
                    raise
                renewals += 1
                watch.note(f"{name}: the URL has expired; asking for a fresh one")
                urls.renew()
            except (httpx.TransportError, _Interrupted) as error:
                failures = 1 if file.tell() > have else failures + 1
                if failures >= ATTEMPTS:
                    message = f"The download broke off after {file.tell()} of {size} bytes ({type(error).__name__})."
                    raise ContentError(
                        "download-broken", message, "Sync again: it goes on from there.", True
                    ) from error
                watch.note(f"{name}: broken off at {file.tell():,} of {size:,} bytes; going on")
                pause(min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S))
        os.fsync(file.fileno())
    partial.replace(target)
    sync_folder(target.parent)
    return size - first


class _Interrupted(Exception):
    """The edge, or what is behind it, is away for the moment."""


def _stream(
    edge: httpx.Client, url: str, have: int, size: int, file: BinaryIO | io.FileIO, tell: Callable[[int], None]
) -> None:
    """Append the bytes from `have` on as they come; whatever came is in the file when this raises."""
    # identity: the bytes of the file, never of a compressed form whose ranges would mean something else
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with edge.stream("GET", url, headers=headers) as response:
        if response.status_code >= 500:
            raise _Interrupted(response.status_code)
        if response.status_code >= 400:
            response.read()
            raise problem_of(response)
        _require_place(response, have, size)
        for chunk in response.iter_raw():
            if have + len(chunk) > size:
                raise _wrong_size(f"it is longer than the {size} bytes that were signed")
            file.write(chunk)
            have += len(chunk)
            tell(len(chunk))
    if have < size:
        raise _Interrupted("short")


def _require_place(response: httpx.Response, have: int, size: int) -> None:
    """The answer must be the rest of the file, of the right whole. Raises ContentError `download-size`."""
    if response.status_code == 206:
        found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or (int(found[1]), int(found[2])) != (have, size):
            raise _wrong_size("the edge answered with another range")
    elif have or response.status_code != 200:
        raise _wrong_size("the edge did not answer with the rest of it")


def _wrong_size(why: str) -> ContentError:
    return ContentError("download-size", f"The file from the edge is not the one expected: {why}.", "Sync again.")
