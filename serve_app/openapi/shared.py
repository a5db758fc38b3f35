"""The parts of the OpenAPI document that operations refer to: schemes of security, header fields, parameters, the problem."""

from __future__ import annotations

from typing import Any, Final

TAGS: Final[list[dict[str, Any]]] = [
    {"name": "health", "description": "Is a replica alive, and can it serve?"},
    {"name": "me", "description": "Who is asking, as the service sees it."},
    {
        "name": "tenants",
        "description": "Tenants with settings, limits and keys; what is signed for everybody is public.",
    },
    {"name": "audit", "description": "The append-only log of who changed what, and whether its chain holds."},
    {"name": "holds", "description": "Legal holds: what must not be deleted, whoever asks."},
    {"name": "erasures", "description": "Learners who asked to be forgotten."},
    {"name": "packages", "description": "Courses as PlayPackages: versions, signed manifests, assets."},
    {"name": "plans", "description": "What of a version fits a space, and having a device get that."},
    {"name": "drafts", "description": "Drafts, judged and shown before they are published."},
    {"name": "devices", "description": "Learners' devices: challenge, registration, deactivation."},
    {"name": "enrolments", "description": "Enrolments as the neighbours told of them; read only."},
    {"name": "bundles", "description": "A package, encrypted and licensed for one device."},
    {"name": "exports", "description": "A version as a zip for learning platforms, browsers and disks."},
    {
        "name": "imports",
        "description": "A package of another tool, uploaded in pieces, read in a sandbox, made a version.",
    },
    {"name": "trust", "description": "Keys and their rotation, what was taken back, what was found changed."},
    {"name": "jobs", "description": "Long work: its progress, its result, its problem."},
    {"name": "queues", "description": "The queues of work: how much waits, and pausing one."},
    {"name": "webhooks", "description": "Where a tenant is told of what happened, signed as Standard Webhooks."},
    {"name": "schemas", "description": "The JSON Schemas of drafts and events; public."},
    {"name": "problems", "description": "What each problem means and what to do; public."},
]

SECURITY: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the identity provider (ES256 or RS256) with `tenant` and `scope`.",
    },
    "device": {
        "type": "apiKey",
        "in": "header",
        "name": "DPoP",
        "description": "A proof by the device's own key for this one request (RFC 9449), with `Content-Tenant`. "
        "The format is in docs/bundle-format.md.",
    },
}

_TEXT: Final = {"type": "string"}
PARAMETERS: Final[dict[str, Any]] = {
    "Content-Tenant": {
        "name": "Content-Tenant",
        "in": "header",
        "description": "The tenant of the device that proves itself with `DPoP`; not read with a token.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{1,38}$"},
        "example": "acme",
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of your copy: 304 if it is still the same.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
        "example": '"33a64df551425fcc55e4d42a148795d9"',
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of what is changed: 428 without it, 412 if it is another one now.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
        "example": '"33a64df551425fcc55e4d42a148795d9"',
    },
}

HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {"description": "Names this request in our logs; yours, if you sent one.", "schema": _TEXT},
    "RateLimit": {"description": "`r` requests are left; in `t` seconds all are there again.", "schema": _TEXT},
    "RateLimit-Policy": {"description": "`q` requests are allowed in `w` seconds.", "schema": _TEXT},
    "Retry-After": {
        "description": "Seconds to wait before the same request is sent again.",
        "schema": {"type": "integer"},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": _TEXT},
    "Location": {"description": "The path of what was made, or of the job.", "schema": _TEXT},
    "Link": {"description": 'The page that follows, with `rel="next"`.', "schema": _TEXT},
    "ETag": {"description": "Names this representation, for `If-None-Match` and `If-Match`.", "schema": _TEXT},
    "Idempotent-Replayed": {
        "description": "`true` on an answer that was given before under this key.",
        "schema": _TEXT,
    },
    "Deprecation": {"description": "Since when the operation is deprecated (RFC 9745).", "schema": _TEXT},
    "Sunset": {"description": "When it stops working (RFC 8594).", "schema": _TEXT},
}

PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "Problem details (RFC 9457). `type` and `code` are stable and name the kind; `/problems` lists them all.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "remedy", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "The path of the kind's page."},
        "title": {"type": "string", "description": "The kind, the same each time."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "description": "The last part of `type`."},
        "detail": {"type": "string", "description": "What happened this time."},
        "remedy": {"type": "string", "description": "What to do about it."},
        "retryable": {"type": "boolean", "description": "Whether the same request can succeed later."},
        "instance": {"type": "string", "description": "The id of the request."},
        "problems": {
            "type": "array",
            "description": "Each finding in the input.",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message", "severity"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) to it."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "severity": {"type": "string"},
                },
            },
        },
        "home_region": {
            "type": "object",
            "description": "With 421: where the tenant lives.",
            "properties": {"region": {"type": "string"}, "url": {"type": ["string", "null"]}},
        },
    },
}
