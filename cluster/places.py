"""Where blobs lie in the bucket: every key below its kind and tenant.

A manifest's key ends in its digest, so that a late attempt whose manifest differs (ai-gateway was away, say) can never
overwrite the one that was committed.

Statements that work on many blobs at once say the same keys in SQL (`…_sql`), of the row by that name.
"""

from __future__ import annotations

SITE = "/site/"
"""Behind the folder of an attempt: its files one by one, served as a site. Of an export only where it is published."""
IMPORTED_SITE = "/imported/"
"""The same of an imported package: it is served on that package's own origin alone (`content_origins`)."""
SITES = (SITE, IMPORTED_SITE)
ATTEMPT_PARTS = {"exports": 6, "previews": 4}
"""How many parts of a key name the folder of an attempt: `exports`, tenant, package, version, export and attempt; `previews`,
tenant, preview and attempt."""
HELD = "held/"
"""What a legal hold keeps though it had to leave its place; the edge serves nothing from there."""
DOCTOR = "doctor/"
"""What `content-service doctor` puts and removes again; no row ever names it."""


def asset(tenant: str, digest: str) -> str:
    return f"assets/{tenant}/{digest.removeprefix('sha256:')}"


def asset_sql(row: str) -> str:
    """`asset` of a row with `tenant` and `digest`."""
    return f"'assets/' || {row}.tenant || '/' || substr({row}.digest, 8)"


def manifest(tenant: str, package_id: str, version: int, digest: str) -> str:
    return f"packages/{tenant}/{package_id}/{version}/{digest.removeprefix('sha256:')}.json"


def withdrawn(tenant: str, package_id: str, version: int, digest: str) -> str:
    """Where the manifest of a withdrawn version is kept: the edge serves nothing from there."""
    return f"withdrawn/{tenant}/{package_id}/{version}/{digest.removeprefix('sha256:')}.json"


def manifest_sql(row: str) -> str:
    """`manifest`, or `withdrawn` where it is, of a row of `package_versions`; null where the version has none yet."""
    return (
        f"case when {row}.state = 'withdrawn' then 'withdrawn/' else 'packages/' end || {row}.tenant || '/' || "
        f"{row}.package_id || '/' || {row}.version || '/' || substr({row}.manifest_digest, 8) || '.json'"
    )


def exports(tenant: str, package_id: str, version: int, export_id: str = "") -> str:
    """What stands before everything that was exported of a version, or of one export. The edge reads the version out of it."""
    return f"exports/{tenant}/{package_id}/{version}/" + (f"{export_id}/" if export_id else "")


def previews(tenant: str, preview_id: str) -> str:
    """What stands before everything that was made of a preview."""
    return f"previews/{tenant}/{preview_id}/"


def imports(tenant: str, import_id: str) -> str:
    """What stands before an uploaded package and what was read of it: quarantine, of which the edge serves nothing."""
    return f"imports/{tenant}/{import_id}/"


def uploaded(tenant: str, import_id: str) -> str:
    """A package as it was uploaded."""
    return f"{imports(tenant, import_id)}upload.zip"


def attempt_of(key: str) -> str:
    """The folder of the attempt at an export or a preview to which a key belongs, without `/` at its end."""
    kind = key.partition("/")[0]
    return "/".join(key.split("/")[: ATTEMPT_PARTS.get(kind)])


def site_settings(tenant: str) -> str:
    """What the edge must know of a tenant to serve its sites; written by whoever changes the tenant's settings."""
    return f"sites/{tenant}/settings.json"


def bundles(tenant: str) -> str:
    """What stands before the `path` of a licence's index and parts."""
    return f"bundles/{tenant}/"


def bundle_sql(row: str, path: str = "path") -> str:
    """The key of an index or part, of a row with `tenant` and its path."""
    return f"'bundles/' || {row}.tenant || '/' || {row}.{path}"


def events(region: str, epoch: int | None = None, sequence: int | None = None) -> str:
    """The segments of a region's event log, of one epoch of it, or one: named so that they sort as they follow each other."""
    log = f"events/{region}/log/"
    if epoch is None:
        return log
    return f"{log}{epoch:06d}/" + ("" if sequence is None else f"{sequence:012d}")


def slips(region: str, epoch: int | None = None) -> str:
    """What had to be in the store before it was acknowledged, until its segment is there."""
    return f"events/{region}/slips/" + ("" if epoch is None else f"{epoch:06d}/")


def identity(tenant: str, name: str) -> str:
    """Who is behind a pseudonym, or the salt of a tenant's erasures: personal, so apart from all that is kept for good."""
    return f"identities/{tenant}/{name}"


def held(key: str) -> str:
    """Where a blob is kept that had to leave its place under a legal hold."""
    return HELD + key


def audit_segment(tenant: str, first: int, last: int) -> str:
    """Entries of a tenant's audit log in the archive: named so that they sort as they follow each other."""
    return f"archive/audit/{tenant}/{first:012d}-{last:012d}.jsonl"
