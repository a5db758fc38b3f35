"""What a CDN of ours serves, to whom, and for how long: one table, of which every edge is made.

The local edge reads it (`cluster.local.edge`), CloudFront's behaviours and policies are rendered from it (`cluster.aws.edge`), and the
functions and the Worker that run at an edge get it as `RULES` (`for_code`). A prefix is the first part of a key in the store; what has
no row is served to nobody.

Two places: `files` is the edge's own address, `sites` the origins of tenants and of imported packages (`content_origins`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from cluster import places
from cluster.edge import content_origins

MANIFEST_S: Final = 60
"""An edge keeps a manifest no longer, whatever becomes of an invalidation."""
DAY_S: Final = 86_400
OPEN: Final = "_open/"
"""Before the path of a page: the link that hands over its cookies."""
SHELL: Final = "_player/"
SHELL_WORKER: Final = f"/{SHELL}sw.js"
METHODS: Final = ("GET", "HEAD")


@dataclass(frozen=True)
class Rule:
    """`kept_s`: how long an edge may keep what it fetched; 0: not at all. `told`: the Cache-Control that a browser is told, where it is not
    the stored one. `any_page`: pages of any origin may read it (CORS)."""

    place: Literal["files", "sites"]
    prefix: str
    signed: bool
    kept_s: int
    told: str = ""
    any_page: bool = False


RULES: Final = (
    Rule("files", "packages/", signed=True, kept_s=MANIFEST_S, told="max-age=60"),
    # Encrypted for devices: the signature in the URL opens it, no cookie is looked at, so any page may fetch it.
    Rule("files", "bundles/", signed=True, kept_s=DAY_S, any_page=True),
    Rule("files", "assets/", signed=True, kept_s=DAY_S),
    Rule("files", "exports/", signed=True, kept_s=DAY_S),
    # A browser asks again for every file, so that a session that has ended shows nothing; an edge need not.
    Rule("sites", "exports/", signed=True, kept_s=DAY_S, told="private, no-cache"),
    Rule("sites", "previews/", signed=True, kept_s=0, told="private, no-cache"),
    Rule("sites", SHELL, signed=False, kept_s=300, told="no-cache"),
    Rule("sites", OPEN, signed=False, kept_s=0, told="no-store"),
)

ALWAYS: Final = {"x-content-type-options": "nosniff"}
FOR_PAGES: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "content-length, content-range, etag",
}
DEFAULT_CSP: Final = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
IMPORTED_CSP: Final = (
    "sandbox allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads allow-pointer-lock; "
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'self'; base-uri 'self'; form-action 'self'"
)
"""Old content is full of inline scripts, which harm nobody but itself here. No popup leaves the sandbox, and no top is navigated."""
NO_SENSORS: Final = (
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=(), display-capture=()"
)
OF_SITES: Final = {"referrer-policy": "no-referrer"}
OF_IMPORTED: Final = {"permissions-policy": NO_SENSORS, "origin-agent-cluster": "?1"}


def rule_of(place: str, key: str) -> Rule | None:
    """The rule for a key of the store, or None: then there is nothing."""
    return next((rule for rule in RULES if rule.place == place and key.startswith(rule.prefix)), None)


def prefixes(place: str) -> tuple[str, ...]:
    return tuple(rule.prefix for rule in RULES if rule.place == place)


def for_code(site_url: str = "") -> dict[str, Any]:
    """The table as the code at an edge reads it. `site_url`: the origin of tenants' sites, with `{tenant}` in it."""
    before, _, after = site_url.partition("://")[2].partition("{tenant}")
    return {
        "site_host": [before, after],
        "files": {rule.prefix: _facts(rule) for rule in RULES if rule.place == "files"},
        "sites": {rule.prefix: _facts(rule) for rule in RULES if rule.place == "sites"},
        "open": f"/{OPEN}",
        "shell": f"/{SHELL}",
        "shell_worker": SHELL_WORKER,
        "site": places.SITE.strip("/"),
        "imported": places.IMPORTED_SITE.strip("/"),
        "attempt_parts": places.ATTEMPT_PARTS,
        "label_characters": content_origins.LABEL_CHARACTERS,
        "default_csp": DEFAULT_CSP,
        "imported_csp": IMPORTED_CSP,
        "always": ALWAYS,
        "for_pages": FOR_PAGES,
        "of_sites": OF_SITES,
        "of_imported": OF_IMPORTED,
    }


def _facts(rule: Rule) -> dict[str, Any]:
    return {"signed": rule.signed, "kept_s": rule.kept_s, "told": rule.told, "any_page": rule.any_page}
