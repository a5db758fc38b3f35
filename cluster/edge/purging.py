"""Telling a CDN to forget: which paths a change concerns, few enough of them, and one interface for whoever is told.

A path begins with `/`; one that ends in `/*` means all below it. `reduced` leaves out what is covered by another and, where there are
too many, takes whole folders in place of their members: an edge that forgets more than it must asks the store again, and nobody sees
a wrong answer. `reference_of` names a purge by what it says, so the same one sent again is the same one.

After: `cluster.edge.cloudfront`, `cluster.edge.cloudflare`, and `tasks.edge.edge_words`, which sends what was withdrawn.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from cluster import places
from cluster.edge import edge_rules
from cluster.settings import Settings
from content.errors import ContentError

MOST_PATHS, MOST_FOLDERS = 1000, 10
"""In one purge. CloudFront has 3,000 paths and 15 folders under way at once, so one more fits in beside it."""
ANY: Final = "/*"
_SERVED: Final = tuple(
    sorted({rule.prefix for rule in edge_rules.RULES if rule.kept_s and rule.prefix != edge_rules.SHELL})
)
"""What an edge keeps of tenants: the second part of a key is its tenant."""


class Purger(Protocol):
    """A CDN that forgets on word. Blocks. Raises ContentError `edge-busy` or `edge-unavailable`, both retryable."""

    def purge(self, paths: Sequence[str], reference: str) -> None:
        """Returns once the CDN has taken it; `reference` makes a repetition the same purge."""
        ...


def of_version(tenant: str, package_id: str, version: int, manifest_digest: str | None) -> list[str]:
    """What an edge may keep of a version: its manifest, and everything that was exported of it."""
    if manifest_digest:
        manifest = "/" + places.manifest(tenant, package_id, version, manifest_digest)
    else:
        manifest = f"/packages/{tenant}/{package_id}/{version}{ANY}"
    return [manifest, f"/{places.exports(tenant, package_id, version)}*"]


def folders_of(tenant: str) -> list[str]:
    """Where in the store all lies of a tenant that an edge may keep."""
    return [f"{prefix}{tenant}/" for prefix in _SERVED]


def of_folders(tenant: str, folders: Iterable[str]) -> list[str]:
    """What an edge may keep below folders of a tenant. Raises ValueError for one that is not the tenant's, or is never kept."""
    found: list[str] = []
    for folder in folders:
        if not folder.endswith("/") or not folder.startswith(tuple(folders_of(tenant))):
            raise ValueError(f"{folder} is no folder of {tenant} of which an edge keeps anything")
        found.append(f"/{folder}*")
    return found


def reduced(paths: Iterable[str], most_paths: int = MOST_PATHS, most_folders: int = MOST_FOLDERS) -> list[str]:
    """The same or more, in at most so many: sorted, nothing twice, nothing below a folder that is there."""
    found = _uncovered(set(paths))
    while sum(not path.endswith(ANY) for path in found) > most_paths:
        found = _gathered(found, lambda path: not path.endswith(ANY))
    while sum(path.endswith(ANY) for path in found) > most_folders:
        found = _gathered(found, lambda path: path.endswith(ANY))
    return sorted(found)


def reference_of(paths: Iterable[str], causes: Iterable[str] = ()) -> str:
    """The same for the same paths and causes (ids of events); another one for another cause of the same paths."""
    text = "\n".join([*sorted(set(paths)), "", *sorted(set(causes))])
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _parent(path: str) -> str:
    """The folder around a path or around a folder."""
    return path.removesuffix(ANY).rpartition("/")[0] + ANY


def _uncovered(paths: set[str]) -> set[str]:
    folders = {path for path in paths if path.endswith(ANY)}
    return {path for path in paths if not any(above in folders for above in _above(path))}


def _above(path: str) -> Iterable[str]:
    while path != ANY:
        path = _parent(path)
        yield path


def _gathered(paths: set[str], of: Callable[[str], bool]) -> set[str]:
    """With the folder of the most members of that kind in their place; of several as full, the deepest."""
    counts = Counter(_parent(path) for path in paths if of(path))
    folder = max(counts, key=lambda each: (counts[each], each.count("/"), each))
    return _uncovered(paths | {folder})


def connect(settings: Settings) -> Purger | None:
    """The CDN that the settings name; None where there is none to be told."""
    match settings.edge_cdn:
        case "cloudfront":
            from cluster.edge.cloudfront import CloudFrontPurger

            return CloudFrontPurger.of(settings)
        case "cloudflare":
            from cluster.edge.cloudflare import CloudflarePurger

            return CloudflarePurger.of(settings)
        case _:
            return None


def invalidate_prefix(settings: Settings, prefix: str, cause: str) -> bool:
    """Have the CDN forget everything below a prefix such as `packages/`: when a release changes the shape of what is served.

    Blocks. `cause` (the release's name, say) makes a repetition free. False where no CDN is told. Raises ContentError as `Purger.purge`.
    """
    path = f"/{prefix.strip('/')}{ANY}"
    if not prefix.strip("/"):
        raise ContentError("edge-path", "A prefix names at least one folder.", "Say packages/, or exports/acme/.")
    purger = connect(settings)
    if purger is None:
        return False
    purger.purge([path], reference_of([path], [cause]))
    return True
