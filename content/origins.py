"""Origins of browsers that a tenant lets read its answers (CORS): https, a host, perhaps a port, and nothing more."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
ORIGIN: Final = re.compile(rf"https://{_LABEL}(?:\.{_LABEL})*(?::[1-9][0-9]{{0,4}})?")
MOST_CHARS: Final = 255
MOST: Final = 50


def is_origin(text: str) -> bool:
    """Whether a browser would send exactly this as `Origin` from a page over https; `*` and `null` are none."""
    if len(text) > MOST_CHARS or not ORIGIN.fullmatch(text):
        return False
    port = text.rpartition(":")[2]
    return not port.isdigit() or (int(port) <= 65535 and int(port) != 443)


def _checked(text: str) -> str:
    if not is_origin(text):
        raise ValueError("an origin is https://host or https://host:port, in lower case, without a path")
    return text


Origin = Annotated[
    str,
    Field(max_length=MOST_CHARS, pattern=f"^{ORIGIN.pattern}$", examples=["https://learn.example"]),
    AfterValidator(_checked),
]
"""The type of an entry of the tenant's setting `cors_origins`."""
