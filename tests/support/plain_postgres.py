"""A Postgres of a test's own, without a stack: migrated, with a WAL archive, to be copied and set back to a moment."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr

from cluster.local.ports import choose
from cluster.local.postgres import DATABASE, LOGINS, as_user, programs
from cluster.migrations import migrate
from cluster.settings import Settings


class PlainPostgres:
    """One server in a folder; `archive` is where it sends its WAL, `restored_to` the moment up to which it is to be replayed."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.data, self.archive = folder / "data", archive
        self.port = choose([f"postgres-{folder.name}"], set())[f"postgres-{folder.name}"]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "log"
        for path in (folder, archive):
            path.mkdir(parents=True, exist_ok=True)
            owned(path)

    def made(self) -> PlainPostgres:
        run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        return self

    def start(self, **options: str) -> PlainPostgres:
        given = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "archive_mode": "on",
            "archive_command": f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f",
            **options,
        }
        argv = [*as_user(self.data), str(programs() / "postgres"), "-D", str(self.data)]
        for name, value in given.items():
            argv += ["-c", f"{name}={value}"]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(argv, stdout=out, stderr=out)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.execute("select 1", database="postgres")
                return self
            except psycopg.Error:
                assert time.monotonic() < deadline and self._process.poll() is None, self._log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(2)
            self._process.wait(30)

    def execute(self, sql: str, *, database: str = DATABASE, user: str = "postgres") -> list[Any]:
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, dbname=database, autocommit=True, connect_timeout=2
        ) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    def migrated(self) -> PlainPostgres:
        for login in LOGINS:
            self.execute(f"create role {login} login nosuperuser", database="postgres")
        self.execute(f"create database {DATABASE} owner content_owner", database="postgres")
        migrate(self.settings)
        return self

    @property
    def settings(self) -> Settings:
        dsns = {
            f"postgres_{role}": SecretStr(f"postgresql://content_{role}@127.0.0.1:{self.port}/{DATABASE}")
            for role in ("owner", "api", "worker", "relay", "ops")
        }
        return Settings(**dsns)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def base_backup(self, into: Path) -> None:
        """A copy of the running server, as pg_basebackup makes it."""
        into.parent.mkdir(parents=True, exist_ok=True)
        owned(into.parent)
        run("pg_basebackup", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-D", str(into), "-X", "none", "-c", "fast")  # fmt: skip


def run(program: str, *words: str) -> None:
    argv = [*as_user(Path("/")), str(programs() / program), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def owned(path: Path) -> None:
    """Postgres refuses root, so its folders are somebody else's; whoever runs the tests may enter them all the same."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
        shared = Path(tempfile.gettempdir())
        for parent in path.parents:  # pytest's own folders are closed to everybody else
            found = parent.stat()
            if shared in parent.parents and found.st_uid == 0 and not found.st_mode & 0o001:
                parent.chmod(found.st_mode | 0o011)
