"""A POST that is sent again with the same `Idempotency-Key` gives the first answer again and does nothing anew.

The answer is stored in the transaction of the change itself, so there is never one without the other (ADR 0015). A route
takes `Idempotent`, and inside its transaction:

    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)                # gives the stored answer, or lets this request go on alone
        …                                   # the change
        return await once.answer(tx, 201, shown, {"Location": …})

Only what was done is remembered: an error rolls back the change and the key with it, so the key can be used again. Keys
belong to the caller (tenant and subject) and are forgotten after `idempotency_ttl_s`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_one, seen_as
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform

KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
REPLAYED = "Idempotent-Replayed"
FORGOTTEN_AT_ONCE = 100


class Replay(Exception):
    """Carries the stored answer out of the transaction, in which nothing was done."""

    def __init__(self, response: Response) -> None:
        super().__init__("the request was answered before")
        self.response = response


@dataclass(frozen=True)
class Once:
    """One request and its key; without a key it does nothing but make the answer."""

    caller: Caller
    key: str | None
    request: str
    body_digest: str
    ttl_s: int

    async def begin(self, tx: Transaction) -> None:
        """Let this request alone go on under its key until `tx` ends.

        Raises Replay with the stored answer, or ContentError `idempotency-in-progress`, `idempotency-key-reused`.
        """
        if self.key is None:
            return
        async with seen_as(tx, self.caller.tenant):
            locked = await fetch_one(
                tx,
                "select pg_try_advisory_xact_lock(hashtextextended(%s, 1)) as got",
                ["\n".join(("idempotency", self.caller.tenant, self._subject, self.key))],
            )
            if locked is None or not locked["got"]:
                raise ContentError(
                    "idempotency-in-progress",
                    "The first request with this Idempotency-Key still runs.",
                    "Send the same request again in a moment.",
                    True,
                )
            row = await fetch_one(
                tx,
                """select request, body_digest, status, headers, body from idempotency_keys
                   where subject = %s and key = %s and expires_at > now()""",
                [self._subject, self.key],
            )
        if row is None:
            return
        if (row["request"], row["body_digest"]) != (self.request, self.body_digest):
            raise ContentError(
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request.",
                "Use a new key for each new request.",
            )
        raise Replay(Response(row["body"], row["status"], {**row["headers"], REPLAYED: "true"}))

    async def answer(
        self, tx: Transaction, status: int, content: Any, headers: Mapping[str, str] | None = None
    ) -> JSONResponse:
        """The answer to send, stored under the key as part of `tx`. `content` is a model or plain JSON."""
        response = JSONResponse(jsonable_encoder(content), status, dict(headers or {}))
        if self.key is None:
            return response
        kept = {name: value for name, value in response.headers.items() if name != "content-length"}
        async with seen_as(tx, self.caller.tenant):
            await tx.execute(
                b"""delete from idempotency_keys where (subject, key) in
                        (select subject, key from idempotency_keys where expires_at <= now() limit %s)
                    or (subject = %s and key = %s and expires_at <= now())""",
                [FORGOTTEN_AT_ONCE, self._subject, self.key],
            )
            await tx.execute(
                b"""insert into idempotency_keys (tenant, subject, key, request, body_digest, status, headers, body, expires_at)
                    values (%s, %s, %s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))""",
                [
                    self.caller.tenant, self._subject, self.key, self.request, self.body_digest,
                    status, Jsonb(kept), bytes(response.body).decode(), self.ttl_s,
                ],
            )  # fmt: skip
        return response

    @property
    def _subject(self) -> str:
        return f"device:{self.caller.device_id}" if self.caller.device_id else f"token:{self.caller.subject}"


def parse_key(told: list[str]) -> str | None:
    """The key of a request, with or without the quotes of a structured field. Raises `idempotency-key-invalid`."""
    if not told:
        return None
    text = told[0]
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if len(told) > 1 or not KEY.fullmatch(text):
        raise ContentError(
            "idempotency-key-invalid",
            "The Idempotency-Key is not one of 1 to 255 printable ASCII characters, or there are several.",
            "Send one; a new UUID is a good one.",
        )
    return text


async def once(
    request: Request,
    caller: Authenticated,
    platform: Platform,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="a new value for each new request, such as a UUID; the same request with the same key is done once",
            examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
        ),
    ] = None,
) -> Once:
    """What a route takes as `Idempotent`."""
    query = f"?{request.url.query}" if request.url.query else ""
    return Once(
        caller,
        parse_key(request.headers.getlist("idempotency-key")),
        f"{request.method} {request.url.path}{query}",
        hashlib.sha256(await request.body()).hexdigest(),
        platform.settings.idempotency_ttl_s,
    )


Idempotent = Annotated[Once, Depends(once)]


def install(app: FastAPI) -> None:
    """Have the stored answer sent when a route's transaction ends with Replay."""

    async def replayed(request: Request, error: Exception) -> Response:
        assert isinstance(error, Replay)
        return error.response

    app.add_exception_handler(Replay, replayed)
