"""The last line of defence of logs: what looks like a secret, is one of ours, or names a person is cut out of a line.

The first line is that nobody logs such a thing. Fields are judged by their names, the rendered line by shapes and by the
very secrets of this process's settings; `hide` adds what is known of the caller (a learner's id) for the rest of a task.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from pydantic import SecretStr

from cluster.settings import Settings

CUT = "[redacted]"
LEAST = 6
"""Shorter texts are not looked for: they would cut words out of ordinary sentences."""

FORBIDDEN = re.compile(
    r"authorization|cookie|token|passw|secret|private|pem$|^dpop$|^proof|signature|credential|api_?key|dsn"
    r"|learner|subject_id|author|user(_?name)?$|^name$|full_?name|e_?mail|phone|address$",
    re.IGNORECASE,
)
"""Names of fields whose value never stands in a line."""

SHAPES = tuple(
    (needle, re.compile(pattern))
    for needle, pattern in (
        ("eyJ", r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*"),  # JWT, DPoP proof, JWE
        ("-----BEGIN", r"-----BEGIN [A-Z ]+-----[^\"]*?(?:-----END [A-Z ]+-----|(?=\"))"),
        ("://", r"(?<=://)[^/\s\"@]+:[^/\s\"@]+(?=@)"),  # user and password of a URL
        *((name, rf"(?<={name})[\w~%+/=-]+") for name in ("Signature=", "Policy=", "redential=", "assword=")),
        ("earer ", r"(?<=earer )[\w.~+/=-]+"),
        ("hv", r"\bhv[sb]\.[\w-]{20,}"),  # OpenBao's tokens
        ("s.", r"\bs\.\w{20,}"),
        ("vault:v", r"vault:v\d+:[\w+/=-]+"),  # wrapped keys
        ("whsec_", r"whsec_[\w+/=-]+"),  # webhooks' secrets
        ("@", r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"),  # mail addresses
    )
)
"""What secrets and people look like; a pattern is tried where its needle is found, which costs next to nothing."""

_hidden: ContextVar[tuple[str, ...]] = ContextVar("hidden", default=())
_known: tuple[str, ...] = ()


def know(settings: Settings) -> None:
    """Cut the secrets of these settings out of every line from now on."""
    global _known
    own = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    parts = {piece for value in own for piece in (value, _password(value)) if len(piece) >= LEAST}
    _known = tuple(sorted(parts, key=len, reverse=True))


def _password(value: str) -> str:
    """The password of a database's URL; it may turn up without the rest."""
    found = re.match(r"\w+://[^:/@]*:([^@/]+)@", value)
    return found[1] if found else ""


def begin() -> None:
    """Nothing is hidden yet: a task that serves one caller after another calls this before each."""
    _hidden.set(())


def hide(*words: str) -> None:
    """Cut these words out of every line of this task and of those it starts."""
    _hidden.set((*_hidden.get(), *(word for word in words if len(word) >= LEAST))[-256:])


def clean(text: str) -> str:
    """A line, or any text, without what must not stand in it."""
    for needle, pattern in SHAPES:
        if needle in text:
            text = pattern.sub(CUT, text)
    for word in (*_known, *_hidden.get()):
        if word in text:
            text = text.replace(word, CUT)
    return text


@cache
def forbidden(name: str) -> bool:
    """Whether a field of this name never stands in a line."""
    return FORBIDDEN.search(name) is not None


def fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor of structlog: values under forbidden names, at any depth, are cut."""
    for name, value in event.items():
        if forbidden(name):
            event[name] = CUT
        elif isinstance(value, (Mapping, list, tuple)):
            event[name] = _inner(value)
    return event


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: CUT if FORBIDDEN.search(str(name)) else _inner(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inner(entry) for entry in _first(value)]
    return value


def _first(values: Iterable[Any], most: int = 64) -> list[Any]:
    return list(values)[:most]
