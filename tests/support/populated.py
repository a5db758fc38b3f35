"""A tenant with one of everything, made without a builder or bundler: rows and blobs as those would have written them.

What a test of the API needs stands in `ids`, by the name of the path parameter. The manifest is a real one, signed by the
tenant's key; the device is registered through the API.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from cluster import places
from cluster.connections import Connections
from cluster.database import Transaction
from content.canonical import canonical, derive_id, digest, rfc3339
from content.drafts import parse as parse_draft
from content.exports.options import Options
from content.media import Rendition
from content.packages import AssetResult, Choices, Manifest, Source, build_manifest
from content.quality import Report, assess
from content.scorm.findings import Finding
from content.scorm.report import refused
from content.signatures import sign_documents
from tasks import exports, jobs, planning, previews
from tasks.importing import imports
from tasks.signing import current_signer
from tests.support.running import Running
from tests.support.tenants import Tenant

LEARNER, ENROLMENT = "learner-1", "enr-1"
PIXELS = b"not really a picture"


class Populated(Tenant):
    """A course with `versions` published versions, an enrolment, a device, a bundle of the newest version, a job."""

    def __init__(self, running: Running, versions: int = 1) -> None:
        super().__init__(running)
        self.course_id, self.draft_id, self.newest = f"course-of-{self.name}", "draft-1", versions
        self.package_id = derive_id("pkg", self.name, self.course_id)
        self.enrolled = self.device(LEARNER)
        row = {"enrollment_id": ENROLMENT, "device_id": self.enrolled.id, "package_id": self.package_id}
        self.bundle_id = planning.bundle_id({**row, "version": versions, "profile": "phone", "plan_round": 0})
        self.job_id = jobs.job_id(self.name, "build", self.package_id, versions)
        self.export_id = derive_id("exp", self.name, self.package_id, versions)
        self.preview_id = previews.Wanted(self.draft_id, versions + 1, "none").id(self.name)
        self.import_id = derive_id("imp", self.name)
        self.hold_id, self.erasure_id = derive_id("hld", self.name), derive_id("ers", self.name)
        asyncio.run(self._fill(versions))

    @property
    def ids(self) -> dict[str, str]:
        """One id of each kind, by the name of the path parameter that takes it."""
        return {
            "tenant": self.name,
            "package_id": self.package_id,
            "version": str(self.newest),
            "older": str(self.newest),
            "newer": str(self.newest),
            "bundle_id": self.bundle_id,
            "device_id": self.enrolled.id,
            "enrollment_id": ENROLMENT,
            "job_id": self.job_id,
            "webhook_id": "wh_1",
            "event_id": "event-1",
            "export_id": self.export_id,
            "preview_id": self.preview_id,
            "import_id": self.import_id,
            "hold_id": self.hold_id,
            "erasure_id": self.erasure_id,
        }

    async def _fill(self, versions: int) -> None:
        connections = await Connections.open(self.running.settings, "worker", size=2)
        try:
            for version in range(1, versions + 1):
                await self._publish(connections, version)
            await self._bundle(connections)
        finally:
            await connections.close()

    def _manifest(self, version: int) -> tuple[Manifest, Report]:
        blocks = [
            {"type": "text", "id": "t", "text": {"en": f"Version {version}"}},
            {"type": "image", "id": "i", "asset": "cover", "alt": {"en": "A cover"}},
        ]
        draft = parse_draft(
            {
                "language": "en",
                "title": {"en": "Populated"},
                "description": {"en": "Made for a test."},
                "license": "CC0-1.0",
                "units": [{"id": "u", "title": {"en": "Unit"}, "blocks": blocks}],
            }
        )
        source = Source(self.course_id, self.draft_id, version, digest(b"draft"), rfc3339(datetime.now(UTC)))
        cover = Rendition("image", "image-webp-320", "image/webp", digest(PIXELS), len(PIXELS), None, 320, 200)
        manifest = build_manifest(
            tenant=self.name, package_id=self.package_id, version=version, draft=draft, source=source,
            assets={"cover": AssetResult(digest(b"original"), 9, (cover,))}, listing={}, assistant=None, toolchain="none",
        )  # fmt: skip
        return manifest, assess(draft, manifest, (), {})

    async def _publish(self, connections: Connections, version: int) -> None:
        (manifest, quality), now = self._manifest(version), datetime.now(UTC)
        body = manifest.to_bytes()
        connections.objects.put(places.asset(self.name, digest(PIXELS)), PIXELS, "image/webp")
        connections.objects.put(places.manifest(self.name, self.package_id, version, manifest.digest), body)
        async with connections.db.tenant(self.name) as tx:
            signer = await current_signer(tx, connections.keys, now)
            (signature,) = sign_documents([body], signer, iss=self.name, iat=now)
            insert: list[tuple[str, list[Any]]] = [
                (
                    "insert into packages (tenant, package_id, course_id) values (%s, %s, %s) on conflict do nothing",
                    [self.name, self.package_id, self.course_id],
                ),
                (
                    """insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at, state, title,
                              languages, manifest_digest, manifest_bytes, total_bytes, signature, report, published_at)
                       values (%s, %s, %s, %s, %s, %s, 'published', %s, %s, %s, %s, %s, %s, %s, now())""",
                    [
                        self.name, self.package_id, version, self.draft_id, version, now, Jsonb({"en": "Populated"}),
                        ["en"], manifest.digest, len(body), manifest.size_bytes, Jsonb(signature),
                        Jsonb({"problems": [], "reused": 0, "made": 1, "quality": quality.as_dict()}),
                    ],
                ),
                (
                    """insert into assets (tenant, digest, media_type, size_bytes) values (%s, %s, 'image/webp', %s)
                       on conflict do nothing""",
                    [self.name, digest(PIXELS), len(PIXELS)],
                ),
                (
                    "insert into version_assets (tenant, package_id, version, digest) values (%s, %s, %s, %s)",
                    [self.name, self.package_id, version, digest(PIXELS)],
                ),
            ]  # fmt: skip
            for statement, values in insert:
                await tx.execute(statement.encode(), values)

    async def _bundle(self, connections: Connections) -> None:
        index, part = f"{self.bundle_id}/a/index", f"{self.bundle_id}/a/0.part"
        for path in (index, part):
            connections.objects.put(places.bundles(self.name) + path, b"sealed")
        async with connections.db.tenant(self.name) as tx:
            await tx.execute(
                b"""insert into enrolments (tenant, enrollment_id, learner_id, course_id, ends_at)
                    values (%s, %s, %s, %s, %s)""",
                [self.name, ENROLMENT, LEARNER, self.course_id, datetime.now(UTC) + timedelta(days=30)],
            )
            await tx.execute(
                b"""insert into seals (tenant, seal_id, package_id, version, profile, scope, epoch, state, attempt, index_path,
                           index_size, index_digest, kids, total_bytes, new_bytes, ready_at)
                    values (%s, %s, %s, %s, 'phone', %s, 1, 'ready', 'a', %s, 6, %s, '{}', 12, 6, now())""",
                [self.name, self.bundle_id, self.package_id, self.newest, self.enrolled.id, index, digest(b"sealed")],
            )
            await tx.execute(
                b"""insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile,
                           state, seal_id, total_bytes, ready_at)
                    values (%s, %s, %s, %s, %s, %s, %s, 'phone', 'ready', %s, 12, now())""",
                [
                    self.name, self.bundle_id, ENROLMENT, LEARNER, self.enrolled.id, self.package_id, self.newest,
                    self.bundle_id,
                ],
            )  # fmt: skip
            await tx.execute(
                b"""insert into licences (tenant, bundle_id, issue, document, signature, not_after, issued_at, kid)
                    values (%s, %s, 1, %s, '{}', now(), now(), 'kid')""",
                [self.name, self.bundle_id, canonical({"sequence": [1, self.newest, 1]}).decode()],
            )
            await tx.execute(
                b"insert into parts (tenant, path, size_bytes, digest) values (%s, %s, 6, %s)",
                [self.name, part, digest(b"sealed")],
            )
            await tx.execute(
                b"insert into seal_parts (tenant, seal_id, number, path) values (%s, %s, 0, %s)",
                [self.name, self.bundle_id, part],
            )
            await tx.execute(
                b"insert into scope_epochs (tenant, package_id, scope, epoch, reason) values (%s, %s, 'phone', 2, 'a test')",
                [self.name, self.package_id],
            )
            await tx.execute(
                b"""insert into revocations (tenant, kind, subject, cause, until, listed)
                    values (%s, 'bundle', 'bnd_gone', 'operator', now(), array[1, 1])""",
                [self.name],
            )
            await tx.execute(
                b"insert into licence_events (tenant, bundle_id, n, type) values (%s, %s, 1, 'register')",
                [self.name, self.bundle_id],
            )
            await tx.execute(
                # Asked for in times to come, so that no worker takes it.
                b"insert into renewals (tenant, bundle_id, not_after, requested_at) values (%s, %s, now(), '9999-01-01')",
                [self.name, self.bundle_id],
            )
            await tx.execute(
                b"""insert into tamper_reports (tenant, report_id, source, code, observed_at)
                    values (%s, 'tmp_1', 'scrub', 'segment-digest', now())""",
                [self.name],
            )
            await tx.execute(
                b"""insert into plans (tenant, package_id, version, profile, space_bytes, planned_profile, choices, bytes)
                    values (%s, %s, %s, 'phone', 1000000, 'phone', %s, 12)""",
                [self.name, self.package_id, self.newest, Jsonb(Choices().document())],
            )
            await tx.execute(
                b"insert into device_plans (tenant, device_id, package_id, space_bytes) values (%s, %s, %s, 1000000)",
                [self.name, self.enrolled.id, self.package_id],
            )
            await tx.execute(
                b"""insert into webhooks (tenant, webhook_id, url, types, secret, state)
                    values (%s, 'wh_1', 'https://nowhere.example/hook', array['content.play_package.published.v1'], '', 'paused')""",
                [self.name],
            )
            await tx.execute(
                b"""insert into webhook_deliveries (tenant, webhook_id, event_id, type, data, state, ended_at)
                    values (%s, 'wh_1', 'event-1', 'content.play_package.published.v1', '{}', 'delivered', now())""",
                [self.name],
            )
            subject = {"package_id": self.package_id, "version": self.newest}
            await jobs.create(tx, self.name, self.job_id, "build", subject)
            await jobs.succeed(tx, self.job_id, subject)
            await self._export(tx, connections)
            await self._preview(tx, connections)
            await self._import(tx, connections)
            await self._kept(tx)

    async def _kept(self, tx: Transaction) -> None:
        """A hold that is released, an erasure of long ago, something cold, a use and an archived stretch of the audit log."""
        await tx.execute(
            b"""insert into holds (tenant, hold_id, reason, by_operator, job_id, released_at, release_reason)
                values (%s, %s, 'a test', false, 'job_none', now(), 'a test')""",
            [self.name, self.hold_id],
        )
        await tx.execute(b"insert into erasure_salts (tenant) values (%s) on conflict do nothing", [self.name])
        await tx.execute(
            b"""insert into erasures (tenant, erasure_id, pseudonym, state, job_id, done_at)
                values (%s, %s, 'lrn_00000000000000000000000000000000', 'done', 'job_none', now())""",
            [self.name, self.erasure_id],
        )
        await tx.execute(
            b"""insert into cold_objects (tenant, key, size_bytes, state, storage_class)
                values (%s, %s, 1, 'cold', 'PREFIX')""",
            [self.name, f"assets/{self.name}/none"],
        )
        await tx.execute(
            b"insert into uses (tenant, kind, subject, last_used) values (%s, 'export', 'exp_none', now())", [self.name]
        )

    async def _import(self, tx: Transaction, connections: Connections) -> None:
        """A refused package: the only kind of an import that leaves something in the store."""
        job = jobs.job_id(self.name, imports.KIND, self.import_id)
        await jobs.create(tx, self.name, job, imports.KIND, {"import_id": self.import_id})
        await jobs.succeed(tx, job, {"import_id": self.import_id, "accepted": False})
        connections.objects.put(places.uploaded(self.name, self.import_id), PIXELS)
        report = refused(Finding("no-manifest", "", "Made for a test.")).document()
        await tx.execute(
            b"""insert into imports (tenant, import_id, file_name, size_bytes, piece_bytes, digest, state, upload_id, job_id,
                       report, completed_at, ended_at)
                values (%s, %s, 'course.zip', %s, 5242880, %s, 'refused', 'gone', %s, %s, now(), now())""",
            [self.name, self.import_id, len(PIXELS), digest(PIXELS), job, Jsonb(report)],
        )
        await imports.announce(tx, self.name, self.import_id, {1: digest(PIXELS)})

    async def _export(self, tx: Transaction, connections: Connections) -> None:
        job = jobs.job_id(self.name, exports.KIND, self.export_id)
        await jobs.create(tx, self.name, job, exports.KIND, {"export_id": self.export_id})
        await jobs.succeed(tx, job, {"export_id": self.export_id})
        key = places.exports(self.name, self.package_id, self.newest, self.export_id) + "a/course.zip"
        connections.objects.put(key, PIXELS, "application/zip", file_name="course.zip")
        await tx.execute(
            b"""insert into exports (tenant, export_id, package_id, version, format, options, exporter_version, player_version,
                       state, job_id, key, file_name, size_bytes, digest, passport, ready_at)
                values (%s, %s, %s, %s, 'html', %s, 1, 'none', 'ready', %s, %s, 'course.zip', %s, %s, '{}', now())""",
            [
                self.name, self.export_id, self.package_id, self.newest, Jsonb(Options("html").document()), job, key,
                len(PIXELS), digest(PIXELS),
            ],
        )  # fmt: skip

    async def _preview(self, tx: Transaction, connections: Connections) -> None:
        job = jobs.job_id(self.name, previews.KIND, self.preview_id)
        await jobs.create(tx, self.name, job, previews.KIND, {"preview_id": self.preview_id})
        await jobs.succeed(tx, job, {"preview_id": self.preview_id})
        folder = previews.folder_of(self.name, self.preview_id, "a")
        connections.objects.put(f"{folder}{places.SITE}index.html", b"<!doctype html>", "text/html; charset=utf-8")
        await tx.execute(
            b"""insert into previews (tenant, preview_id, draft_id, revision, exporter_version, player_version, state, job_id,
                       folder, draft_digest, report, ended_at, expires_at)
                values (%s, %s, %s, %s, 1, 'none', 'ready', %s, %s, %s, '{}', now(), '9999-01-01')""",
            [self.name, self.preview_id, self.draft_id, self.newest + 1, job, folder, digest(b"draft")],
        )
