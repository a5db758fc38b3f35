"""An API in memory for tests of the command line: routes to documents, and what was asked of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

API = "https://api.test"
Answer = Any | Callable[[httpx.Request], Any]
Run = Callable[..., tuple[int, str, str]]
"""A command's arguments and `api=`, to its exit code, standard output and standard error."""


def token(tenant: str = "acme") -> str:
    """A token whose signature nobody checks here."""
    claims = base64.urlsafe_b64encode(json.dumps({"tenant": tenant}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


@dataclass
class Answers:
    """What the API answers, by method and path; a list stands for its items. Everything else is 404."""

    routes: Mapping[str, Answer]
    asked: list[httpx.Request] = field(default_factory=list[httpx.Request])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        found = self.routes.get(f"{request.method} {request.url.path}")
        if callable(found):
            found = found(request)
        match found:
            case None:
                return problem(404, "not-found", "There is no such thing.", "Check the id.")
            case httpx.Response():
                return found
            case list():
                return httpx.Response(200, json={"items": found, "next": None})
            case _:
                return httpx.Response(200, json=found)

    def bodies(self, path: str) -> list[Any]:
        """What was sent to a path."""
        return [json.loads(request.content) for request in self.asked if request.url.path == path and request.content]


def problem(status: int, code: str, title: str, remedy: str = "", **members: Any) -> httpx.Response:
    body = {"code": code, "title": title, "detail": title, "remedy": remedy, "status": status, **members}
    return httpx.Response(status, json=body, headers={"X-Request-Id": "req-0123456789"})
