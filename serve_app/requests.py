"""What is known of a request beside its route: its id, who asks, and header fields that its answer is to carry.

The id is the caller's own `X-Request-Id` if it is a sane one, else a new one. It stands in the answer's header, in a
problem as `instance`, and in every log line of the request. These facts live in the ASGI scope, so that middleware,
dependencies and error handlers see the same ones.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from content.errors import ContentError

SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}")
_ID, _CALLER, _HEADERS = "content.request_id", "content.caller", "content.headers"


@dataclass(frozen=True)
class Caller:
    """An authenticated caller. `device_id` is set when a device proved itself; then there are no scopes."""

    tenant: str
    subject: str
    scopes: frozenset[str]
    device_id: str | None = None

    def require(self, scope: str) -> None:
        """Raises `forbidden` unless the token has the scope; `operator` has them all."""
        if not self.scopes & {scope, "operator"}:
            raise ContentError("forbidden", f"This needs the scope {scope}.", "Ask for a token with that scope.")


def begin(scope: MutableMapping[str, Any]) -> str:
    """Choose the id of this request and remember it in the scope."""
    told = [value for name, value in scope["headers"] if name == b"x-request-id"]
    text = told[0].decode("latin-1") if len(told) == 1 else ""
    scope[_ID] = text if SANE.fullmatch(text) else uuid.uuid4().hex
    scope[_HEADERS] = []
    return scope[_ID]


def request_id(scope: Mapping[str, Any]) -> str:
    """The id chosen by `begin`, or nothing where no request was begun (a route tried alone)."""
    return scope.get(_ID, "")


def authenticated(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Remember who asks, once it is proven."""
    scope[_CALLER] = caller


def caller_of(scope: Mapping[str, Any]) -> Caller | None:
    """Who asks, or None as long as that is not proven."""
    return scope.get(_CALLER)


def add_header(scope: MutableMapping[str, Any], name: str, value: str) -> None:
    """Have the answer carry a header field, whatever the answer will be; it replaces what the route says."""
    scope.setdefault(_HEADERS, []).append((name, value))


def added_headers(scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What `add_header` was told."""
    yield from scope.get(_HEADERS, ())
