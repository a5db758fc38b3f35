from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from content.errors import ContentError
from content.events import (
    EVENT_TYPES,
    BundlePublished,
    CourseDraftPublished,
    EnrollmentCreated,
    Envelope,
    PlayPackagePublished,
    make,
    parse,
)
from content.events.envelope import MAX_BYTES, to_bytes
from content.events.schema import schema_texts

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64
BLOB = {"path": "bnd_1/3f9c/0.part", "size": 5, "digest": DIGEST}
DATA: dict[str, dict[str, Any]] = {
    "authoring.course_draft.published.v1": {
        "course_id": "c1",
        "draft_id": "d1",
        "revision": 1,
        "published_at": "2026-11-23T09:59:59Z",
    },
    "enrollment.created.v1": {
        "enrollment_id": "e1",
        "learner_id": "l1",
        "course_id": "c1",
        "ends_at": "2027-01-01T00:00:00+03:00",
    },
    "enrollment.cancelled.v1": {"enrollment_id": "e1", "reason": "left"},
    "content.play_package.published.v1": {
        "package_id": "pkg_1",
        "course_id": "c1",
        "version": 1,
        "manifest_digest": DIGEST,
        "languages": ["en", "ar"],
        "bytes": 7,
    },
    "content.play_package.withdrawn.v1": {
        "package_id": "pkg_1",
        "course_id": "c1",
        "version": 1,
        "manifest_digest": DIGEST,
        "withdrawn_at": "2026-11-23T10:00:00Z",
    },
    "content.export.finished.v1": {
        "job_id": "job_1",
        "export_id": "exp_1",
        "package_id": "pkg_1",
        "version": 1,
        "format": "scorm12",
        "result": "ready",
        "location": "/v1/exports/exp_1",
        "size": 7,
        "digest": DIGEST,
    },
    "content.import.finished.v1": {
        "job_id": "job_1",
        "import_id": "imp_1",
        "file_name": "course.zip",
        "result": "accepted",
        "location": "/v1/imports/imp_1",
        "course_id": "c1",
        "package_id": "pkg_1",
        "version": 1,
        "edition": "1.2",
        "warnings": 0,
        "errors": [],
    },
    "content.revocation.issued.v1": {
        "version": [2, 1],
        "issued_at": "2026-11-23T10:00:00Z",
        "bundles": ["bnd_1"],
        "devices": [],
        "packages": [],
        "versions": ["pkg_1/3"],
        "kids": [],
        "complete": True,
    },
    "content.tamper.detected.v1": {
        "report_id": "tmp_1",
        "source": "device",
        "code": "segment-digest",
        "observed_at": "2026-11-23T10:00:00Z",
        "device_id": "dev",
        "bundle_id": "bnd_1",
    },
    "content.learner.erased.v1": {
        "tenant_id": "acme",
        "erasure_id": "ers_1",
        "pseudonym": "lrn_00000000000000000000000000000000",
        "enrollment_ids": ["enr-1"],
        "device_ids": ["device-1"],
        "erased_at": "2026-11-20T10:00:00Z",
    },
    "content.tenant.homed.v1": {"home_region": "eu"},
    "content.play_package.removed.v1": {
        "folders": ["packages/acme/", "exports/acme/"],
        "reason": "tenant-deleted",
        "removed_at": "2026-11-20T10:00:00Z",
    },
    "content.play_package.bundle.published.v1": {
        "bundle_id": "bnd_1",
        "issue": 1,
        "package_id": "pkg_1",
        "version": 1,
        "enrollment_id": "e1",
        "learner_id": "l1",
        "device_id": "dev",
        "sequence": [1, 1, 1],
        "policy": "device",
        "profile": "phone",
        "index": BLOB,
        "parts": [BLOB],
        "not_after": "2027-11-23T10:00:00Z",
    },
}
KEYS = {
    "authoring": "c1",
    "enrollment": "e1",
    "content.play_package.published.v1": "pkg_1",
    "content.play_package.withdrawn.v1": "pkg_1",
    "content.play_package.removed.v1": "acme",
    "content.play_package.bundle": "dev",
    "content.export": "job_1",
    "content.import": "job_1",
    "content.revocation": "acme",
    "content.tamper": "acme",
    "content.tenant": "acme",
    "content.learner": "ers_1",
}


def event(name: str, **changes: Any) -> Envelope:
    data = {"tenant_id": "acme", **DATA[name], **changes}
    return make(EVENT_TYPES[name], event_id="01J", sequence=42, time=NOW, data=data, region="eu")


def document(name: str, **changes: Any) -> dict[str, Any]:
    return {**event(name).document(), **changes}


def validator_of(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads((ROOT / "docs/events" / f"{name}.schema.json").read_text(encoding="utf-8"))
    )


def refusal(data: bytes) -> ContentError:
    with pytest.raises(ContentError) as refused:
        parse(data)
    return refused.value


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_round_trip_and_schema(name: str):
    made = event(name)
    assert parse(to_bytes(made)) == made
    assert isinstance(parse(to_bytes(made)), EVENT_TYPES[name])
    assert made.key == next(key for start, key in KEYS.items() if name.startswith(start))
    assert (made.tenant_id, made.number(), made.document()["time"]) == ("acme", 42, "2026-11-23T10:00:00Z")
    validator = validator_of(name)
    validator.validate(made.document())
    assert not validator.is_valid({**made.document(), "data": {}})


def test_published_schemas_are_the_models():
    folder = ROOT / "docs/events"
    published = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.schema.json")}
    assert published == schema_texts(), "run: python -m content.events.schema docs/events"


def test_sequences_sort_as_text_as_they_do_as_numbers():
    numbers = [1, 9, 10, 1 << 40]
    texts = [make(PlayPackagePublished, event_id="x", sequence=n, time=NOW, data={"tenant_id": "acme", **DATA["content.play_package.published.v1"]}).sequence for n in numbers]  # fmt: skip
    assert texts == sorted(texts, key=str)


def test_unknown_fields_are_kept():
    sent = document("enrollment.created.v1", campaign="spring")
    sent["data"]["seat"] = {"row": 4}
    read = parse(json.dumps(sent).encode())
    assert isinstance(read, EnrollmentCreated)
    assert read.document()["campaign"] == "spring"
    assert read.document()["data"]["seat"] == {"row": 4}


def test_a_neighbour_may_leave_out_what_cloudevents_makes_optional():
    sent = document("authoring.course_draft.published.v1")
    for name in ("subject", "time", "sequence", "datacontenttype"):
        del sent[name]
    read = parse(json.dumps(sent).encode())
    assert isinstance(read, CourseDraftPublished)
    assert (read.key, read.number()) == ("c1", None)
    assert read.data.published_at == datetime(2026, 11, 23, 9, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "event-not-json"),
        (b"{", "event-not-json"),
        (b"\xff", "event-not-json"),
        (b"[" * 100_000, "event-not-json"),
        (b"[]", "event-invalid"),
        (b"{}", "event-invalid"),
        (b'{"type": "weather.changed.v1"}', "event-unknown-type"),
        (b'{"type": "enrollment.created"}', "event-unknown-type"),
        (b'{"type": "enrollment.created.v2"}', "event-unknown-version"),
        (b'{"type": "enrollment.created.v1"}', "event-invalid"),
        (b" " * (MAX_BYTES + 1), "event-too-large"),
    ],
)
def test_refused(data: bytes, code: str):
    assert refusal(data).code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"source": None},
        {"datacontenttype": "text/xml"},
        {"data": {**DATA["enrollment.created.v1"], "tenant_id": "No Tenant"}},
        {"data": DATA["enrollment.created.v1"]},
        {"data": {"tenant_id": "acme", **DATA["enrollment.created.v1"], "learner_id": 4}},
        {"data": {"tenant_id": "acme", **DATA["enrollment.created.v1"], "starts_at": "tomorrow"}},
        {"data": {"tenant_id": "acme", **DATA["enrollment.created.v1"], "starts_at": "2026-11-23T10:00:00"}},
        # what Postgres cannot store must be refused here, or it would come again for ever
        {"id": "a\u0000b"},
        {"data": {"tenant_id": "acme", **DATA["enrollment.created.v1"], "learner_id": "a\u0000b"}},
        {"data": {"tenant_id": "acme", **DATA["enrollment.created.v1"], "ends_at": "9999-12-31T23:59:59-05:00"}},
        {"data": {"tenant_id": "acme", **DATA["enrollment.created.v1"], "starts_at": "0001-01-01T00:00:00+14:00"}},
    ],
)
def test_invalid(changes: dict[str, Any]):
    assert refusal(json.dumps(document("enrollment.created.v1", **changes)).encode()).code == "event-invalid"


def test_nobody_is_named_by_the_form_of_a_pseudonym():
    """They could never be erased. What we say ourselves may well name an erased learner so."""
    named, valid = f"lrn_{7:032x}", validator_of("enrollment.created.v1").is_valid
    sent = document("enrollment.created.v1")
    sent["data"]["learner_id"] = named
    assert refusal(json.dumps(sent).encode()).code == "event-invalid"
    assert not valid(sent)
    for other in ("lrn_bob", named + "0", named.upper()):
        sent["data"]["learner_id"] = other
        assert parse(json.dumps(sent).encode()) and valid(sent)
    data = {"tenant_id": "acme", **DATA["content.play_package.bundle.published.v1"], "learner_id": named}
    assert make(BundlePublished, event_id="x", sequence=1, time=NOW, data=data).data.learner_id == named


def test_a_revision_that_no_database_holds_is_refused():
    data = {"tenant_id": "acme", **DATA["authoring.course_draft.published.v1"], "revision": 3_000_000_000}
    sent = document("authoring.course_draft.published.v1", data=data)
    assert refusal(json.dumps(sent).encode()).code == "event-invalid"


def test_what_we_make_is_checked_too():
    with pytest.raises(ContentError) as refused:
        make(BundlePublished, event_id="x", sequence=1, time=NOW, data={"tenant_id": "acme", "device_id": "d"})
    assert refused.value.code == "event-invalid"
