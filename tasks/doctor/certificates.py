"""mTLS: certificates that can be read, of one name each, and renewed in time; and everybody else's name is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cluster import mesh
from cluster.neighbours import addresses
from cluster.settings import Settings
from content.errors import ContentError
from tasks.doctor.findings import Finding, fail, ok, warn

LATE = 0.15
"""What is left of a certificate's life when its renewal is late: cert-manager and `up` renew at a third or more."""
REMEDY = "Look at what renews it: cert-manager's Certificate, or `content-service mesh rotate` of a local stack."


async def check(settings: Settings) -> list[Finding]:
    if settings.mesh_folder is None:
        return [ok("mesh", "nothing is spoken by mTLS here: mesh_folder is not set")]
    used = {"nats": settings.nats_url, "importer": settings.importer_url, **addresses(settings)}
    unknown = [peer for peer, url in used.items() if url and peer not in settings.mesh_peers]
    found = [_certificate(folder) for folder in mesh.folders(settings.mesh_folder)]
    if unknown:
        found.append(fail("mesh: peers", f"not named: {', '.join(unknown)}", "Add their SPIFFE names to mesh_peers."))
    return found


def _certificate(folder: Path) -> Finding:
    try:
        found = mesh.shown(folder)
        mesh.of_folder(folder, mesh.SPIFFE)  # that its key fits, and whom we trust
    except ContentError as error:
        return fail("mesh: certificate", error.message, error.remedy)
    name = f"mesh: {found.names[0].rpartition('/')[2] if found.names else folder.name}"
    if len(found.names) != 1:
        return fail(name, f"its certificate has {len(found.names)} names, and everybody refuses it", REMEDY)
    left = (found.ends - datetime.now(UTC)) / (found.ends - found.begins)
    when = f"{found.ends:%Y-%m-%d %H:%M} UTC"
    if left <= 0:
        return fail(name, f"its certificate ended {when}", REMEDY)
    return ok(name, f"good until {when}") if left > LATE else warn(name, f"ends {when} and was not renewed", REMEDY)
