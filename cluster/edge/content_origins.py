"""The origin of an imported package: one for each, so that what strangers wrote meets nothing but itself.

Beside a tenant's own origin (`site_url`) stands `LABEL--TENANT`; the label follows from the package, so who asks for a file of a
package at an origin can be answered without looking anything up. No tenant's own origin looks like that (`split`), whatever
a tenant is called. The learner's page works out the same (`player/src/learner/origins.ts`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

LABEL_CHARACTERS: Final = 20
"""100 bits; with `--` and the longest name of a tenant it stays within the 63 characters of a label of DNS."""
_OF_A_PACKAGE: Final = re.compile(rf"([a-z2-7]{{{LABEL_CHARACTERS}}})--(.+)")


def label_of(package_id: str) -> str:
    return base64.b32encode(hashlib.sha256(package_id.encode()).digest()).decode().lower()[:LABEL_CHARACTERS]


def address_of(site_url: str, tenant: str, package_id: str) -> str:
    """The origin of a package, by the address of tenants' sites, which has `{tenant}` in it."""
    return site_url.format(tenant=f"{label_of(package_id)}--{tenant}")


def split(name: str) -> tuple[str | None, str]:
    """(label, tenant) of what stands in the place of the tenant; the label is None on a tenant's own origin."""
    found = _OF_A_PACKAGE.fullmatch(name)
    return (found[1], found[2]) if found else (None, name)
