"""The catalogue of problems: every code that the API answers with, its HTTP status, what it means, what to do.

A code is stable: it is the last part of a problem's `type`, and `GET /problems/{code}` shows its row. A test walks the
source: each code that can reach HTTP stands here, and each one here is raised somewhere.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProblemType:
    """One kind of problem. `retryable` says whether the same request can succeed later without a change."""

    code: str
    status: int
    title: str
    remedy: str
    retryable: bool = False

    @property
    def type(self) -> str:
        """The URI reference that names it, stable and an absolute path."""
        return f"/problems/{self.code}"


_REGISTRATION = "Make the registration anew from a new challenge; the format is in the bundle format's document."
_ROWS = (
    # Who is asking
    ProblemType("unauthenticated", 401, "Nobody is named", "Send `Authorization: Bearer …`, or a device's proof."),
    ProblemType("token-invalid", 401, "The token is not valid here", "Get a new one from the identity provider."),
    ProblemType("proof-invalid", 401, "The device's proof is not valid", "Make a proof for this very request."),
    ProblemType("proof-replayed", 401, "The proof was used before", "Make a new proof for each request."),
    ProblemType("forbidden", 403, "The token lacks a scope", "Ask for a token with the scope that the detail names."),
    ProblemType("mesh-required", 403, "Not asked by the mesh", "Ask at the address of the API, not behind it."),
    ProblemType("wrong-region", 421, "The tenant lives in another region", "Ask the service that `Link` names."),
    # The request itself
    ProblemType("json-malformed", 400, "The body is not JSON", "Send one well-formed JSON document, in UTF-8."),
    ProblemType("cursor-invalid", 400, "The cursor is not one of ours", "Begin the list again without a cursor."),
    ProblemType(
        "value-not-storable", 400, "A value cannot be stored", "Leave out NUL, lone surrogates and huge numbers."
    ),
    ProblemType("not-found", 404, "It is not there", "Check the id, and that the token is of its tenant."),
    ProblemType("method-not-allowed", 405, "The method is not allowed here", "Use one of those in `Allow`."),
    ProblemType("not-acceptable", 406, "There is no such representation", "Ask for application/json or text/html."),
    ProblemType("body-too-large", 413, "The body is too large", "Send less."),
    ProblemType("uri-too-long", 414, "The address is too long", "Shorten the query."),
    ProblemType(
        "media-type-not-supported", 415, "The body is of another type", "Send `Content-Type: application/json`."
    ),
    ProblemType("request-invalid", 422, "The request is not valid", "Mend what `problems` names."),
    ProblemType("headers-too-large", 431, "The header fields are too large", "Send fewer or shorter header fields."),
    # Conditions, idempotency and limits
    ProblemType("precondition-failed", 412, "It has changed meanwhile", "Read it again, and decide again."),
    ProblemType("precondition-required", 428, "The change needs a condition", "Send `If-Match` with the ETag you saw."),
    ProblemType(
        "idempotency-key-invalid", 400, "The Idempotency-Key is not valid", "Use 1 to 255 printable ASCII characters."
    ),
    ProblemType(
        "idempotency-in-progress",
        409,
        "The first request with this key still runs",
        "Send the same request again in a moment.",
        retryable=True,
    ),
    ProblemType(
        "idempotency-key-reused", 422, "The key belongs to another request", "Use a new key for each new request."
    ),
    ProblemType(
        "rate-limited", 429, "Too many requests", "Wait for as long as `Retry-After` says, then go on.", retryable=True
    ),
    # Tenants
    ProblemType("tenant-closed", 410, "The tenant was deleted", "There is nothing here any more."),
    ProblemType("confirmation", 422, "The confirmation is another name", "Give the tenant's name once more."),
    ProblemType("tenant-exists", 409, "The tenant exists with other settings", "Choose another name."),
    # Holds and erasures
    ProblemType("held", 409, "It is under legal hold", "Nothing of it is deleted until the hold is released."),
    ProblemType("hold-of-operator", 409, "An operator placed the hold", "Have an operator release it."),
    ProblemType("learner-erased", 410, "The learner was erased", "Sign in anew."),
    # Devices
    ProblemType("jwk-malformed", 400, "The key is not a public P-256 JWK", "Send crv, kty, x and y of a P-256 key."),
    ProblemType("jwk-off-curve", 400, "The key is no point of P-256", "Make a new key pair."),
    ProblemType("jwk-private", 400, "The key holds its private part", "Treat this key as disclosed; make another."),
    ProblemType("unknown-profile", 400, "There is no such device profile", "Use one of those that the detail names."),
    ProblemType("nonce-unknown", 409, "The nonce was used or has expired", "Ask for a new challenge."),
    ProblemType("device-taken", 409, "The device is registered otherwise", "Make new keys, and register those."),
    ProblemType("device-limit", 409, "The learner has too many devices", "Remove one, or raise the tenant's limit."),
    ProblemType("device-revoked", 410, "The device was deactivated", "Register the device anew, with new keys."),
    ProblemType("jws-malformed", 400, "The registration is no compact JWS", _REGISTRATION),
    ProblemType("jws-header", 400, "The registration's header is not the one it must be", _REGISTRATION),
    ProblemType("jws-header-malformed", 400, "The registration's header is not JSON", _REGISTRATION),
    ProblemType("jws-header-too-large", 400, "The registration's header is too large", _REGISTRATION),
    ProblemType("jws-signature", 400, "The registration's signature does not hold", _REGISTRATION),
    ProblemType("registration-malformed", 400, "The registration cannot be read", _REGISTRATION),
    ProblemType("registration-too-large", 400, "The registration is too large", _REGISTRATION),
    ProblemType("registration-tenant", 400, "The registration is for another tenant", _REGISTRATION),
    ProblemType("registration-nonce", 400, "The registration answers another nonce", _REGISTRATION),
    ProblemType("registration-answer", 400, "The registration does not answer the challenge", _REGISTRATION),
    ProblemType("registration-encryption-key", 400, "The challenge was for another key", _REGISTRATION),
    ProblemType("registration-same-key", 400, "The device uses one key for both purposes", "Make two key pairs."),
    ProblemType("document-type", 400, "The registration is a document of another type", _REGISTRATION),
    ProblemType("document-shape", 400, "The registration's shape is not known here", _REGISTRATION),
    # Packages and their versions
    ProblemType("revision-outdated", 409, "A newer revision was taken in already", "Ask for the newest one."),
    ProblemType("version-not-published", 409, "The version was never published", "Choose a published version."),
    ProblemType("quality-not-assessed", 409, "The version has no quality report", "Publish the course again."),
    ProblemType("version-withdrawn", 410, "The version was withdrawn", "Take a newer one."),
    # Plans
    ProblemType(
        "space-too-small", 409, "Not even the smallest bundle fits", "Give it as much room as the remedy names."
    ),
    ProblemType(
        "plan-outdated", 409, "The plan is another one by now", "Look at the plan again, and ask for that one."
    ),
    ProblemType("not-enrolled", 409, "The learner is not enrolled in the course", "Enrol them first."),
    # Bundles
    ProblemType("bundle-not-ready", 409, "The bundle is not ready yet", "Ask again in a moment.", retryable=True),
    ProblemType("bundle-failed", 409, "The bundle could not be made", "See its problem in the list of bundles."),
    ProblemType("bundle-revoked", 410, "The bundle was taken back", "List the bundles again."),
    # Exports
    ProblemType("export-option", 422, "The export cannot be made so", "Use a value that the detail or remedy names."),
    ProblemType(
        "too-many-waiting",
        429,
        "The tenant has too many exports, imports or previews waiting",
        "Ask again when some of them are made, or cancel those that are not needed.",
        retryable=True,
    ),
    ProblemType("player-not-built", 501, "The learner's player is not part of this installation", "Run `make player`."),
    ProblemType("sites-not-served", 501, "This installation shows no pages", "Have the setting site_url set."),
    # Imports
    ProblemType("import-too-large", 413, "The file is too large", "Leave out what is not needed, or split the course."),
    ProblemType("import-pieces", 422, "The pieces are not those of the file", "Number them from 1 to the last one."),
    ProblemType("import-ended", 409, "The import is beyond that", "Begin a new one."),
    ProblemType("upload-incomplete", 409, "Pieces of the upload are missing", "Upload those that the detail names."),
    ProblemType("report-not-ready", 409, "There is no report yet", "Wait for the end of the import's job."),
    ProblemType("course-built", 409, "The course is built from drafts", "Import the package into another course."),
    ProblemType("course-imported", 409, "The course was imported", "Publish the draft as another course."),
    ProblemType("importer-missing", 501, "Nothing is imported by this installation", "Have importer_url set."),
    # Licences
    ProblemType("licence-returned", 410, "The course was given back", "Enrol again to get it anew."),
    ProblemType("licence-revoked", 410, "The course was taken back", "Ask the school."),
    ProblemType("licence-cancelled", 410, "The course was taken back before it arrived", "Ask the school."),
    ProblemType("renewal-ended", 409, "The enrolment has run out", "Enrol again, then the course comes by itself."),
    ProblemType("renewal-end", 409, "The licence cannot end then", "See `renewable_until` of its status."),
    # Keys, revocations and tampering
    ProblemType("version-missing", 422, "The version has no number", "Name the version beside its package."),
    ProblemType("key-announced", 409, "The next key is announced already", "Wait, or rotate in an emergency."),
    ProblemType("key-revoked", 409, "The key is revoked already", "There is nothing left to do."),
    ProblemType("kid-unknown", 404, "The tenant has no such key", "See its keys with the tenant."),
    ProblemType("drill-tenant", 409, "The tenant is not marked for drills", "Mark one: `settings.drill = true`."),
    ProblemType("tamper-report-refused", 400, "The report is not valid", "See the bundle format, “Tamper report”."),
    # Jobs
    ProblemType("job-ended", 409, "The job has ended", "There is nothing to cancel any more."),
    ProblemType(
        "job-not-retryable", 409, "The job cannot be tried again", "Only one that failed or was cancelled can."
    ),
    ProblemType(
        "too-many-streams",
        429,
        "The tenant has too many streams open",
        "Close some, or ask for the job.",
        retryable=True,
    ),
    ProblemType("webhook-url-refused", 422, "Nothing is sent to this address", "Give a public https URL."),
    ProblemType("webhook-type-unknown", 422, "There is no such event type", "Choose from those that the remedy names."),
    ProblemType("webhook-limit", 409, "There are as many webhooks as may be", "Delete one that is not needed."),
    ProblemType("streams-full", 503, "No further stream can be opened here", "Ask for the job itself.", retryable=True),
    ProblemType("bundle-not-failed", 409, "The bundle has not failed", "Only a failed bundle is made again."),
    ProblemType("bundle-superseded", 410, "A newer version took its place", "List the bundles again."),
    ProblemType("enrolment-cancelled", 410, "The enrolment has ended", "Enrol the learner again."),
    # What the service itself waits for, and what is its own fault
    ProblemType("database-unavailable", 503, "The database does not answer", "Try again.", retryable=True),
    ProblemType(
        "not-archived",
        503,
        "It holds, and is not archived yet",
        "Ask again: then it outlives the region.",
        retryable=True,
    ),
    ProblemType("storage-unavailable", 503, "The object store does not answer", "Try again.", retryable=True),
    ProblemType("keys-unavailable", 503, "The key service does not answer", "Try again.", retryable=True),
    ProblemType("internal", 500, "Something in the service failed", "Try again; tell us the request's id if it stays."),
)

CATALOGUE: dict[str, ProblemType] = {row.code: row for row in _ROWS}
HIDDEN = frozenset(
    (
        "object-missing", "object-truncated", "key-refused", "bad-time", "not-canonical", "document-not-canonical",
        "edge-key", "manifest-invalid", "jwe-malformed", "jwe-header", "jwe-header-malformed", "jwe-header-too-large",
        "jwe-decrypt", "no-signing-key", "key-rotated", "audit-segment", "mesh-certificate", "mesh-unknown-peer",
    )
)  # fmt: skip
"""Codes of faults inside the service: they are logged, and answered as `internal`."""
