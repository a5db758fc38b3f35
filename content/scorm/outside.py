"""Whether a course names anything but files of its package: asked inside the sandbox, and again by whoever believes its answer.

`content.scorm.course` resolves every href to a path of the package or to an address on the network. This looks at what came of
that as a browser or a server would that resolves it once more: a path that begins with `javascript:` or `//`, that goes up, or
that would after decoding, is none.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from content.scorm.model import Course

_ADDRESS = re.compile(r"(?:https?:)?//", re.I)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.I)


def outside(course: Course) -> list[str]:
    """The hrefs and paths that lead out of the package, addresses on the network that are marked as such aside."""
    remote = {each.href for each in course.resources if each.remote}
    names = [name for each in course.resources for name in each.files]
    names += [each.href for each in course.resources if each.href not in remote]
    names += [each.href for each in course.launches]
    found = [name for name in names if _leaves(name) and not (remote and _is_address(name))]
    return found + [name for name in remote if not _is_address(name)]


def _leaves(name: str) -> bool:
    path = name.partition("?")[0].partition("#")[0]
    steps = {*path.split("/"), *unquote(path).replace("\\", "/").split("/")}
    return _hides(name) or path.startswith("/") or "\\" in path or ".." in steps or _SCHEME.match(path) is not None


def _is_address(name: str) -> bool:
    return _ADDRESS.match(name) is not None and not _hides(name)


def _hides(name: str) -> bool:
    """Whether there is something in it that browsers drop before they look for a scheme."""
    return name.startswith(" ") or any(each < " " for each in name)
