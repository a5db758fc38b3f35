"""The fast path of a recovery: a base backup and the archive of the WAL, replayed up to a moment (docs/recovery.md).

A Postgres of its own, from the wheel, with the service's schema; no stack.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plain_postgres import PlainPostgres, owned

pytestmark = pytest.mark.xdist_group("servers")

TENANT = "insert into tenants (tenant, region) values ('{}', 'eu')"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that Postgres' user may enter; pytest's own belong to whoever runs the tests, and are closed by each run anew."""
    with tempfile.TemporaryDirectory(prefix="content-recovery-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_database_is_restored_to_a_moment(open_folder: Path) -> None:
    wal = open_folder / "wal"
    first = PlainPostgres(open_folder / "first", wal).made().start().migrated()
    second = PlainPostgres(open_folder / "second", open_folder / "wal-2")
    try:
        first.execute(TENANT.format("before"))
        first.base_backup(second.data)
        first.execute(TENANT.format("after-the-backup"))
        (moment,) = first.execute("select clock_timestamp()::text")[0]
        time.sleep(0.01)
        first.execute(TENANT.format("too-late"))
        segment = first.execute("select pg_walfile_name(pg_switch_wal())")[0][0]
        deadline = time.monotonic() + 30
        while not (wal / segment).exists():
            assert time.monotonic() < deadline, "the WAL is not archived"
            time.sleep(0.05)
    finally:
        first.stop()
    (second.data / "recovery.signal").touch()
    owned(second.data / "recovery.signal")
    began = time.monotonic()
    try:
        second.start(restore_command=f"cp {wal}/%f %p", recovery_target_time=moment, recovery_target_action="promote")
        while second.execute("select pg_is_in_recovery()")[0][0]:
            assert time.monotonic() - began < 30
            time.sleep(0.05)
        tenants = {row[0] for row in second.execute("select tenant from tenants")}
        assert tenants == {"before", "after-the-backup"}
        logged = {row[0] for row in second.execute("select tenant from change_log where name = 'tenants'")}
        assert logged == tenants, "the log goes with its rows"
        second.execute(TENANT.format("goes-on"))
    finally:
        second.stop()
