"""The HTTP API from a client's side: the command line, the device, the demo, notebooks and tests speak through it.

    with Client("http://127.0.0.1:8000", token=token) as api:
        job = api.build(course_id="first-aid", draft_id="d1", revision=3)
        api.wait(job["job_id"], lambda job: print(job["progress"], job["message"]))

One method for each thing the API does, typed results, lists that go through all their pages. A problem of the API comes out
as a `ContentError` with code, sentence and remedy, an `ApiError` if there is no list of findings, and with the request's
id. Needs neither Ray nor FastAPI nor a database; synchronous, and used from one thread.
"""

from serve_app.client.connection import Connection
from serve_app.client.devices import DeviceCalls
from serve_app.client.errors import ApiError, ApiInvalidInput, problem_of
from serve_app.client.exports import ExportCalls
from serve_app.client.imports import ImportCalls
from serve_app.client.jobs import JobCalls
from serve_app.client.packages import PackageCalls
from serve_app.client.previews import PreviewCalls
from serve_app.client.rows import (
    ArchiveVerification,
    Asset,
    AuditEntry,
    BuildAccepted,
    BundleOffer,
    BundleRow,
    BundlesRequested,
    Challenge,
    Deletion,
    Delivery,
    DeviceRow,
    Download,
    Enrolment,
    Erasure,
    Export,
    ExportShown,
    Finding,
    Hold,
    Import,
    ImportAsked,
    ImportShown,
    Job,
    Judgement,
    LicenceStatus,
    Location,
    Me,
    Package,
    Part,
    Parts,
    Plan,
    Preview,
    PreviewShown,
    Queue,
    RebundleEstimate,
    Registered,
    Restore,
    Revocation,
    Rotation,
    SignedDocument,
    SignedLists,
    SignedUrl,
    Site,
    TamperReport,
    Tenant,
    TrustLists,
    UnitInPlan,
    UploadState,
    Verification,
    Version,
    Webhook,
    WebhookWithSecret,
)
from serve_app.client.storage import StorageCalls
from serve_app.client.tenants import TenantCalls
from serve_app.client.trust import TrustCalls
from serve_app.client.webhooks import WebhookCalls


class Client(
    PackageCalls,
    PreviewCalls,
    ExportCalls,
    ImportCalls,
    DeviceCalls,
    TenantCalls,
    TrustCalls,
    JobCalls,
    WebhookCalls,
    StorageCalls,
):
    """One API at one address. `token` is a bearer token; `device` a device that proves each request instead."""


__all__ = [
    "ApiError",
    "ApiInvalidInput",
    "ArchiveVerification",
    "Asset",
    "AuditEntry",
    "BuildAccepted",
    "BundleOffer",
    "BundleRow",
    "BundlesRequested",
    "Challenge",
    "Client",
    "Connection",
    "Deletion",
    "Delivery",
    "DeviceRow",
    "Download",
    "Enrolment",
    "Erasure",
    "Export",
    "ExportShown",
    "Finding",
    "Hold",
    "Import",
    "ImportAsked",
    "ImportShown",
    "Job",
    "Judgement",
    "LicenceStatus",
    "Location",
    "Me",
    "Package",
    "Part",
    "Parts",
    "Plan",
    "Preview",
    "PreviewShown",
    "Queue",
    "RebundleEstimate",
    "Registered",
    "Restore",
    "Revocation",
    "Rotation",
    "SignedDocument",
    "SignedLists",
    "SignedUrl",
    "Site",
    "TamperReport",
    "Tenant",
    "TrustLists",
    "UnitInPlan",
    "UploadState",
    "Verification",
    "Version",
    "Webhook",
    "WebhookWithSecret",
    "problem_of",
]
