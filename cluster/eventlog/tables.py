"""Which tables of a tenant the event log holds, and from what the others follow.

Migrations say it to the database (`call log_changes`), and this module to people; a test compares both with what is there,
so that a new table is either logged or explained.
"""

from __future__ import annotations

from cluster import places

PERSONAL = {"learners": "pseudonym", "erasure_salts": ""}
"""Tables whose rows never go into a segment, and the column that names the object which keeps a row in their place: what is
in a segment cannot be erased, and these are what erasure is about. The segment tells that there is such a row."""
SALT = "salt"
KEYS, SEALED, UNSEALED = "content_keys", "sealed", "wrapped"
"""A table with a column that is told in place of another, where it is filled: what is sealed so under a person's secret (which is in the
row of `learners`) is noise in the segment once that row and its object are gone. An object for each key would cost a put a bundle."""

UNTOLD = {
    "change_log": "the log itself, on its way to the archive",
    "restore_rows": "the log on its way back",
    "restore_items": "blobs that a restore makes again",
    "previews": "they live for an hour; whoever wants to look asks again and gets a new one",
    "idempotency_keys": "answers of the last day, which may hold secrets: a request that is sent again is done again",
    "rate_budgets": "lost rows mean a full budget",
    "device_challenges": "they live for five minutes; a registration that broke off begins anew",
    "device_proofs": "they live for a minute, less than any restore takes",
    "foreign_tenants": "heard from the other regions, whose streams `tasks.recovery.hearing` has heard again from their beginning",
    "foreign_revocations": "heard from the other regions, like their tenants",
    "foreign_reports": "heard from the other regions, like their tenants",
}
"""Tables of tenants that are not in the log, and why a rebuild does not need them."""

WORK = {
    "queues": "queues that are paused: an operator pauses them again",
    "event_streams": "what the relay knows of NATS: it asks again",
    "event_log": "how far the archive is: a restored database begins the next epoch",
    "restore_segments": "how far a restore has read",
    "restore_progress": "how far a restore is",
    "migrations": "made by the migrations",
}
"""Tables without a tenant. The queue's own are PgQueuer's: what was queued is called for again by the rows (`call_forgotten`)."""


def identity(name: str, tenant: str, key: dict[str, str]) -> str:
    """Where the object lies that keeps a row of a personal table."""
    column = PERSONAL[name]
    return places.identity(tenant, key[column] if column else SALT)
