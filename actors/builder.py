"""Pool content-builder: builds and previews, rendered as Ray tasks; and imports, of which the importer does the hard part."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.job_pool import JobReplica
from cluster.database import Transaction
from cluster.queue import BUILD, IMPORT, PREVIEW
from tasks import build, preview, workspace
from tasks.importing import import_scorm
from tasks.recovery import restore_packages
from tasks.seats import Seats

STALE_S = 3600.0
WORK = {BUILD: build, PREVIEW: preview, IMPORT: import_scorm}


class Builder(JobReplica):
    """Its jobs leave folders on the node, which are removed whatever becomes of the job. An import mostly waits for the importer,
    so a replica follows many beside its builds; what it does of one itself takes a seat."""

    queue = BUILD
    beside = (PREVIEW, IMPORT)

    async def start(self) -> None:
        # What jobs left on this node that went on elsewhere; nobody else looks into a pod's scratch space.
        await asyncio.to_thread(workspace.sweep, self.settings.workspace, max(STALE_S, self.settings.lease_s))
        self.apart = {IMPORT: self.settings.imports_at_once}
        self._seats = Seats(self.settings.import_large_bytes)
        await super().start()

    async def work_at(self, begun: dict[str, Any]) -> None:
        match begun["kind"]:
            case "import":
                await import_scorm.run(self.connections, begun, self._seats)
            case "preview":
                await preview.run(self.connections, begun)
            case _ if begun["subject"].get(restore_packages.AGAIN):
                await restore_packages.run(self.connections, begun)
            case _:
                await build.run(self.connections, begun)

    async def give_up(self, tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
        again = begun["subject"].get(restore_packages.AGAIN)
        await (restore_packages if again else WORK[begun["kind"]]).give_up(tx, begun, problem)

    async def ended_elsewhere(self, job: str) -> None:
        await asyncio.to_thread(workspace.forget, self.settings.workspace, job)
