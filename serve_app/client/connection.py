"""One request to the API: credentials, retries within a deadline, and errors that say what to do.

A request is sent again when the connection failed and when the answer was 429, 503 or, to a GET, 202 (it is being restored from cold storage), after `Retry-After` if it was told,
until `patience_s` is over. That is safe because every POST carries an `Idempotency-Key`, the same for each time it is
sent: what was done already is answered and not done again. A PATCH names in `If-Match` what it changes.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from content.devices.identity import DeviceIdentity
from content.devices.proof import make_proof
from content.errors import ContentError
from serve_app.client.errors import being_restored, problem_of

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PATIENCE_S, FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 0.1, 5.0
CONNECT_PATIENCE_S = 1.0
"""For a server that cannot be reached at all: it restarts, or somebody forgot to start it and should hear so soon."""
UNREACHED = httpx.ConnectError, httpx.ConnectTimeout
Query = str | int | list[str] | None
"""A list stands for a parameter that is repeated."""


class Connection:
    """One API at one address. `token` is a bearer token; `device` a device that proves each request instead.

    `patience_s` is how long a request that may be sent again is tried. Errors: ContentError with the problem's code, or
    `api-unreachable` where nobody answers.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        device: DeviceIdentity | None = None,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token, self._device, self._clock = token, device, clock
        self._patience_s, self._sleep = patience_s, sleep
        # trust_env: a proxy of the environment must not see a device's requests to a local stack
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False)

    def __repr__(self) -> str:
        who = "a token" if self._token else f"device {self._device.id}" if self._device else "nobody"
        return f"<{type(self).__name__} of {self.url} as {who}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # -- any resource -------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: Query) -> Any:
        """The JSON of a GET."""
        return self.request("GET", path, query=query).json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of a POST, done once however often it has to be sent."""
        return self.request("POST", path, body=body or {}).json()

    def items(self, path: str, **query: Query) -> Iterator[Any]:
        """The rows of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Query] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer to one request, sent again as long as that is safe and may help."""
        url, sent = f"{self.url}{path}", dict(headers or {})
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        if method == "POST":
            sent["Idempotency-Key"] = str(uuid.uuid4())
        began, wait_s = time.monotonic(), FIRST_WAIT_S
        while True:
            told, patience_s = None, self._patience_s
            try:
                credentials = self._credentials(method, url)  # a proof works once
                response = self._http.request(
                    method, url, params=parameters or None, json=body, headers={**sent, **credentials}
                )
            except httpx.HTTPError as error:
                failure = self._unreachable(error)
                again = _may_repeat(method, error)
                if isinstance(error, UNREACHED):
                    patience_s = min(patience_s, CONNECT_PATIENCE_S)
            else:
                if response.status_code < 400 and not (method == "GET" and response.status_code == 202):
                    return response
                failure = being_restored(response) if response.status_code == 202 else problem_of(response)
                again, told = failure.retryable, _retry_after(response)
            # Spread, so that clients that failed together do not come back together.
            pause_s = random.uniform(wait_s / 2, wait_s) if told is None else told  # noqa: S311
            if not again or time.monotonic() + pause_s > began + patience_s:
                raise failure
            self._sleep(pause_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _unreachable(self, error: httpx.HTTPError) -> ContentError:
        return ContentError(
            "api-unreachable",
            f"The API at {self.url} does not answer ({type(error).__name__}).",
            "Is it up? See `content-service status`.",
            True,
        )

    def _credentials(self, method: str, url: str) -> dict[str, str]:
        if self._token is not None:
            return {"Authorization": f"Bearer {self._token}"}
        if self._device is None:
            return {}
        proof = make_proof(self._device, method=method, url=url, now=self._clock(), rng=os.urandom)
        return {"DPoP": proof, "Content-Tenant": self._device.tenant}


def _may_repeat(method: str, error: httpx.HTTPError) -> bool:
    """Whether a request whose answer was lost may be sent again: a PATCH that was done would meet its own change."""
    return isinstance(error, UNREACHED) or (method != "PATCH" and isinstance(error, httpx.TransportError))


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
