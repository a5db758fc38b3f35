"""Rows by the hundred thousand, as if years had passed: devices, enrolments, bundles that are ready, signed licences.

They are copied into the tables as the superuser, past triggers and foreign keys that the rows would fulfil anyway.
Licences are real: written, signed in batches by the key service, and readable by a device.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from cluster.connections import Connections
from cluster.local.home import read_json
from cluster.local.postgres import DATABASE
from content.bundles.keys import ContentKey, wrap_for_device
from content.bundles.licence import Device, IndexRef, Licence, Sequence
from content.canonical import derive_id, digest
from content.devices.identity import DeviceIdentity
from content.signatures import sign_documents
from tasks.signing import current_signer

SIGNED_TOGETHER = 1000
PACKAGE = "pkg_crowd"


def superuser(home: Path) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that no policy and, in this session, no foreign key binds."""
    state, secrets = read_json(home / "stack.json"), read_json(home / "keys" / "secrets.json")
    connection = psycopg.connect(
        host="127.0.0.1", port=state["ports"]["postgres"], user="postgres", password=secrets["postgres"], dbname=DATABASE,
        autocommit=True,
    )  # fmt: skip
    connection.execute("set session_replication_role = replica")
    return connection


async def licensed(connections: Connections, home: Path, tenant: str, count: int) -> None:
    """So many ready bundles of one shared package, each of a device of its own, with a licence signed by the tenant."""
    identity = DeviceIdentity.generate(tenant, os.urandom)
    jwe = wrap_for_device(ContentKey("key_crowd", bytes(32)), identity.encryption_jwk, os.urandom)
    now = datetime.now(UTC).replace(microsecond=0)
    base = Licence(
        bundle_id="",
        issue=1,
        tenant=tenant,
        package_id=PACKAGE,
        version=1,
        manifest=digest(b"manifest"),
        device=Device(identity.id, identity.encryption_thumbprint),
        sequence=Sequence(1, 1, 1),
        issued_at=now,
        not_before=now,
        not_after=now + timedelta(days=365),
        offline_grace_s=30 * 86_400,
        min_revocations=(1, 1),
        profile="phone",
        keys={"key_crowd": jwe},
        index=IndexRef("sea_" + "0" * 26 + "/a/index.json", 1000, digest(b"index")),
    )
    async with connections.db.tenant(tenant) as tx:
        signer = await current_signer(tx, connections.keys, now)

    def licences() -> Iterator[list[tuple[str, str, Jsonb]]]:
        for start in range(0, count, SIGNED_TOGETHER):
            names = [derive_id("bnd", tenant, n) for n in range(start, min(start + SIGNED_TOGETHER, count))]
            documents = [replace(base, bundle_id=name).to_bytes() for name in names]
            signatures = sign_documents(documents, signer, iss=tenant, iat=now)
            yield [(n, d.decode(), Jsonb(s)) for n, d, s in zip(names, documents, signatures, strict=True)]

    def fill() -> None:
        with superuser(home) as connection, connection.cursor() as cursor:
            _package(connection, tenant)
            with cursor.copy(
                "copy licences (tenant, bundle_id, issue, document, signature, not_after, issued_at, kid) from stdin"
            ) as copy:
                for batch in licences():
                    for name, document, signature in batch:
                        copy.write_row((tenant, name, 1, document, signature, base.not_after, now, signer.kid))
            connection.execute(
                """insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk)
                   select tenant, 'dev-' || bundle_id, 'learner', 'phone', '{}', '{}' from licences where tenant = %s""",
                [tenant],
            )
            connection.execute(
                """insert into enrolments (tenant, enrollment_id, learner_id, course_id)
                   select tenant, 'enr-' || bundle_id, 'learner', 'crowd' from licences where tenant = %s""",
                [tenant],
            )
            connection.execute(
                """insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile,
                                        policy, state, seal_id, total_bytes, ready_at)
                   select tenant, bundle_id, 'enr-' || bundle_id, 'learner', 'dev-' || bundle_id, %s, 1, 'phone', 'shared',
                          'ready', 'sea_crowd', 1000, now() from licences where tenant = %s""",
                [PACKAGE, tenant],
            )
            connection.execute("analyze")

    await asyncio.to_thread(fill)


def history(home: Path, tenant: str, count: int) -> None:
    """So many bundles of years gone by, with a licence each: a thousand devices, many versions of an old package."""
    with superuser(home) as connection:
        _package(connection, tenant)
        connection.execute(
            """insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile, state,
                                    seal_id, total_bytes, created_at, ready_at)
               select %(tenant)s, 'bnd_old' || n, 'enr-old' || n, 'learner-old' || n %% 1000, 'dev-old' || n %% 1000, %(package)s,
                      1 + n / 1000, 'phone', 'ready', 'sea_old', 1000, now() - interval '1 year', now() - interval '1 year'
               from generate_series(1, %(count)s) as n on conflict do nothing""",
            {"tenant": tenant, "package": PACKAGE, "count": count},
        )
        connection.execute(
            """insert into licences (tenant, bundle_id, issue, document, signature, not_after, issued_at, kid)
               select %(tenant)s, 'bnd_old' || n, 1, '{}', '{}', now(), now() - interval '1 year', 'kid'
               from generate_series(1, %(count)s) as n on conflict do nothing""",
            {"tenant": tenant, "count": count},
        )
        connection.execute("analyze")


def _package(connection: psycopg.Connection[tuple[object, ...]], tenant: str) -> None:
    connection.execute(
        "insert into packages (tenant, package_id, course_id) values (%s, %s, 'crowd') on conflict do nothing",
        [tenant, PACKAGE],
    )
    connection.execute(
        """insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at)
           values (%s, %s, 1, 'd', 1, now()) on conflict do nothing""",
        [tenant, PACKAGE],
    )
    connection.execute(
        """insert into seals (tenant, seal_id, package_id, version, profile, scope, epoch, state, attempt, index_path, index_size,
                              index_digest, kids, total_bytes, new_bytes)
           values (%s, 'sea_crowd', %s, 1, 'phone', 'phone', 1, 'ready', 'a', 'sea_crowd/a/index.json', 1000, %s, '{}', 1000, 0)
           on conflict do nothing""",
        [tenant, PACKAGE, digest(b"index")],
    )
    connection.execute(
        "insert into parts (tenant, path, size_bytes, digest) values (%s, 'sea_crowd/a/0.part', 9, %s) on conflict do nothing",
        [tenant, digest(b"part")],
    )
    connection.execute(
        """insert into seal_parts (tenant, seal_id, number, path) values (%s, 'sea_crowd', 0, 'sea_crowd/a/0.part')
           on conflict do nothing""",
        [tenant],
    )
