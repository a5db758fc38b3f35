"""How a package version goes on when its build does not: it fails with the reason, or is planned anew.

The job's row (the second argument names the job) is locked before the version's, here and where a build commits. A version that failed (or whose build was
cancelled) may be built again: by a retry of its job, or when the same revision is published once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_one


async def fail(tx: Transaction, _: str, subject: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
    """The version says why it was not built; the package keeps the version before."""
    await tx.execute(
        b"""update package_versions set state = 'failed', report = %s
            where package_id = %s and version = %s and state = 'planned'""",
        [Jsonb({"problems": problem.get("problems", [problem])}), subject["package_id"], subject["version"]],
    )


async def plan_again(tx: Transaction, _: str, subject: Mapping[str, Any]) -> bool:
    """False if the version has not failed, so that there is nothing to be built."""
    row = await fetch_one(
        tx,
        """update package_versions set state = 'planned', report = null
           where package_id = %s and version = %s and state = 'failed' returning version""",
        [subject["package_id"], subject["version"]],
    )
    return row is not None
