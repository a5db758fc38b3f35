"""What a sandbox holds: which modules wait there imported, and the few folders of this installation that it sees.

Everything else of the machine does not exist in it. Paths of the interpreter are the same inside as outside (its own
search for its library starts from them); packages and sources have fixed places of their own.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Backend = Literal["bubblewrap", "runsc", "none"]

SITE, SOURCES, RUNNER = "/site", "/sources", "/runner.py"
IN, OUT = "/in", "/out"
_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")


@dataclass(frozen=True)
class Kind:
    """`preload`: modules imported ahead. `packages`: names below site-packages. `sources`: packages and modules of ours.
    `programs`: other executables, seen under their own paths. `prefers`: backends, best first."""

    name: str
    preload: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    prefers: tuple[Backend, ...] = ("bubblewrap", "runsc")


@dataclass(frozen=True)
class View:
    """Read-only places (inside → outside) and symbolic links (inside → their text), parents first."""

    places: dict[str, Path]
    links: dict[str, str]


@functools.cache
def interpreter() -> str:
    """The interpreter's own path, in and outside: a virtual environment's is a link to it."""
    return str(Path(sys.executable).resolve())


@functools.cache
def view(kind: Kind) -> View:
    """What a sandbox of this kind sees. What of `packages` is not installed is left out: importing it will say so."""
    places: dict[str, Path] = {}
    links: dict[str, str] = {}
    for name in (*_SYSTEM, str(Path(sys.base_prefix) / "lib")):
        path = Path(name)
        if path.is_symlink() and path.parent == Path("/"):
            links[name] = str(path.readlink())
        elif path.exists() and not any(path.is_relative_to(place) for place in places):
            places[name] = path
    for name in (interpreter(), *kind.programs):
        places[name] = Path(name)
    site = Path(sysconfig.get_path("platlib"))
    places |= {f"{SITE}/{name}": site / name for name in kind.packages if (site / name).exists()}
    places |= dict(map(_source, kind.sources))
    places[RUNNER] = Path(__file__).with_name("runner.py")
    return View(places, links)


def _source(name: str) -> tuple[str, Path]:
    """Where a package or a single module is seen inside, and where it lies."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(name)
    path = Path(found.origin)
    inside = f"{SOURCES}/{name.replace('.', '/')}"
    return (inside, path.parent) if path.name == "__init__.py" else (f"{inside}.py", path)
