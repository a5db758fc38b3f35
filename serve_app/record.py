"""The audit entry of a call that changes something: who, what, and in which request.

The log cannot be changed, so it names people by their pseudonyms; who that is, is read out of `learners` when it is shown.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import Request

from cluster.database import Transaction
from serve_app.auth import Caller
from serve_app.requests import request_id
from tasks import audit


async def record(
    tx: Transaction, request: Request, caller: Caller, action: str, tenant: str | None = None, **details: str | int
) -> None:
    """Append the entry to the log of `tenant` (the caller's own by default), last in the transaction of the change."""
    if here := request_id(request.scope):
        details["request_id"] = here
    if tenant is not None and tenant != caller.tenant:
        details["of_tenant"] = caller.tenant
    of = tenant or caller.tenant
    actor = f"device:{caller.device_id}" if caller.device_id else await audit.pseudonym(tx, of, caller.subject)
    await audit.append(tx, of, actor, action, dict(details), datetime.now(UTC))
