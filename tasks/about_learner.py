"""Whether a message is about a certain person, of whom no more is known than the digest that an erasure keeps.

An event that has its tenant and its learner where they belong says so itself. One that has not is a dead letter, or is about to be
one: there every text and every number is held against the digest, whatever it stands under, unless it names another tenant. That may
take a letter too many with it; what nobody could take in is missed by nobody.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from cluster.erasing import CUT

TENANT = ("tenant_id", "tenant")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
WORD = re.compile(r"""[^\s"'=,;&<>(){}\[\]]+""")
OF_TENANT = re.compile(r'"tenant(?:_id)?"\s*:\s*"((?:[^"\\]|\\.)*)"')


def about(tenant: str, salt: str, digest: str) -> Callable[[dict[str, Any]], bool]:
    """Says it of a message as `cluster.erasing` reads it."""

    def is_them(learner: str) -> bool:
        found = hmac.new(salt.encode(), learner.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        return hmac.compare_digest(found, digest)

    def ours(names: list[str]) -> bool:
        return not names or any(name.strip().casefold() == tenant.casefold() for name in names)

    def holds(event: dict[str, Any]) -> bool:
        if CUT in event:
            text = str(event[CUT])
            if not ours([_unescaped(name) for name in OF_TENANT.findall(text)]):
                return False
            return any(is_them(_unescaped(found)) for found in TEXT.findall(text)) or any(
                is_them(word) for word in WORD.findall(text)
            )
        data: object = event.get("data")
        if isinstance(data, dict):
            known = cast("dict[str, object]", data)
            learner, of = known.get("learner_id"), known.get("tenant_id")
            if isinstance(learner, str) and isinstance(of, str):
                return ours([of]) and is_them(learner)
        found = list(_values(event))
        return ours([value for name, value in found if name in TENANT and isinstance(value, str)]) and any(
            is_them(str(value)) for name, value in found if name not in TENANT
        )

    return holds


def _values(document: object) -> Iterator[tuple[str, str | float]]:
    """Every text and number of a document, each under the name that it has; and every name, under none."""
    left: list[tuple[str, object]] = [("", document)]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            members = cast("dict[str, object]", value)
            yield from (("", each) for each in members)
            left += members.items()
        elif isinstance(value, list):
            left += [(name, each) for each in cast("list[object]", value)]
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield name, value


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
