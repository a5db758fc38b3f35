"""The form of the names that stand in place of persons: `lrn_` and 32 hex digits, given by the database (migration 0016).

Nobody may bring a name of this form along. It would be taken for what it looks like: never given a pseudonym of its own, so never
erased, and shown in the audit log as whoever it belongs to.
"""

from __future__ import annotations

import re

PATTERN = "^lrn_[0-9a-f]{32}$"
_FORM = re.compile(PATTERN.removesuffix("$"))


def is_pseudonym(name: str) -> bool:
    return _FORM.fullmatch(name) is not None
