from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from content.canonical import canonical, digest
from content.drafts import parse as parse_draft
from content.drafts import validate
from content.errors import ContentError, InvalidInput, Problem
from content.media import Rendition
from content.packages import (
    AssetResult,
    Manifest,
    Source,
    build_manifest,
    build_problems,
    embedded_packages,
    parse,
    refuse_unbuildable,
)

SOURCE = Source("course-1", "draft-1", 3, digest(b"draft"), "2026-11-23T10:00:00Z")
RED, BLUE = digest(b"red"), digest(b"blue")
PICTURE = AssetResult(
    digest(b"original"),
    900,
    tuple(
        Rendition("image", f"image-webp-{width}", "image/webp", digest(str(width).encode()), width, None, width, 9)
        for width in (1920, 320, 960)
    ),
)
SETTINGS = {"model": "tutor", "limits": {"turns": 20}}


def document(*more: dict[str, Any]) -> dict[str, Any]:
    blocks = [
        {"type": "text", "id": "t", "text": {"en": "**hi**<script>x</script>", "ar": "مرحبًا"}},
        {"type": "image", "id": "i", "asset": "m1", "alt": {"en": "cat", "ar": "قطة"}},
        {"type": "image", "id": "d", "asset": "m1", "decorative": True},
        {
            "type": "quiz",
            "id": "q",
            "shuffle": True,
            "questions": [{"kind": "true_false", "id": "x", "prompt": {"en": "?", "ar": "؟"}, "answer": True}],
        },
        *more,
    ]
    return {
        "language": "en",
        "translations": ["ar"],
        "title": {"en": "T", "ar": "ع"},
        "description": {"en": "D", "ar": "و"},
        "license": "CC-BY-4.0",
        "assets": {"m1": {"kind": "image", "license": "CC0-1.0", "credit": "someone"}},
        "units": [{"id": "u", "title": {"en": "U", "ar": "و"}, "blocks": blocks}],
        "not_known": "dropped",
    }


ASSISTANT = {"type": "assistant", "id": "s", "purpose": {"en": "help", "ar": "مساعدة"}}


def build(doc: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    arguments: dict[str, Any] = {
        "tenant": "acme",
        "package_id": "pkg_1",
        "version": 1,
        "draft": parse_draft(doc or document()),
        "source": SOURCE,
        "assets": {"m1": PICTURE},
        "listing": {"policy": "device"},
        "assistant": None,
        "toolchain": "tools",
    }
    return build_manifest(**{**arguments, **changes})


def test_same_inputs_same_bytes_in_whatever_order_renditions_came():
    shuffled = dataclasses.replace(PICTURE, renditions=PICTURE.renditions[::-1])
    reordered = dict(reversed(document().items()))
    assert build().to_bytes() == build(reordered, assets={"m1": shuffled}).to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"tenant": "other"},
        {"toolchain": "newer"},
        {"listing": {"policy": "shared"}},
        {"source": dataclasses.replace(SOURCE, revision=4)},
        {"assets": {"m1": dataclasses.replace(PICTURE, digest=RED)}},
    ],
)
def test_every_input_is_in_it(change: dict[str, Any]):
    assert build(**change).digest != build().digest


def test_unknown_fields_of_the_draft_are_not():
    assert b"not_known" not in build().to_bytes()


def test_round_trip():
    manifest = build()
    again = parse(manifest.to_bytes())
    assert again == manifest
    assert again.to_bytes() == manifest.to_bytes()
    assert (again.tenant, again.package_id, again.version, again.languages) == ("acme", "pkg_1", 1, ("en", "ar"))


def test_content():
    manifest = build().document
    text, picture, decoration, quiz = manifest["structure"]["units"][0]["blocks"]
    assert text == {"type": "text", "id": "t", "html": {"en": "<p><strong>hi</strong></p>", "ar": "<p>مرحبًا</p>"}}
    assert picture["alt"] == {"en": "cat", "ar": "قطة"}
    assert decoration["alt"] == {}
    assert manifest["metadata"]["languages"] == [
        {"tag": "en", "direction": "ltr"},
        {"tag": "ar", "direction": "rtl"},
    ]
    assert manifest["assets"]["m1"]["credit"] == "someone"
    assert quiz["points"] == 1
    assert isinstance(quiz["seed"], int)
    assert quiz["questions"][0]["answer"] is True


def test_files_for_a_device():
    assert [file.size_bytes for file in build().asset_files()] == [320, 960, 1920]
    assert [file.size_bytes for file in build().files_for("phone")] == [960]
    assert build().size_bytes == 3200


def test_without_ai_gateway_only_the_assistant_differs():
    draft = document(ASSISTANT)
    with_it, without = build(draft, assistant=SETTINGS).document, build(draft, assistant=None).document
    assert with_it["assistant"] == {"settings": SETTINGS, "answer": digest(canonical(SETTINGS))}
    assert without["assistant"] is None
    assert {**with_it, "assistant": None} == without


def test_without_an_assistant_block_the_answer_does_not_matter():
    assert build(assistant=SETTINGS).digest == build(assistant=None).digest


def test_report():
    report = validate(document(ASSISTANT))
    finding = Problem("/units/0/blocks/1/asset", "image-small", "small", "warning")
    codes = [problem.code for problem in build_problems(report, None, [finding])]
    assert set(codes) == {"markup-removed", "unknown-field", "image-small", "assistant-missing"}
    assert "assistant-missing" not in [problem.code for problem in build_problems(report, SETTINGS)]


def test_what_was_not_rendered_is_named():
    with pytest.raises(ContentError) as refused:
        build(assets={})
    assert refused.value.code == "asset-not-rendered"
    assert "m1" in refused.value.message


def test_embed_of_what_cannot_be_had_is_refused_before_and_at_build():
    name = "pkg_" + "0" * 26
    draft = parse_draft(document({"type": "embed", "id": "e", "package": name}))
    assert embedded_packages(draft) == (name,)
    with pytest.raises(InvalidInput) as refused:
        refuse_unbuildable(draft, {name: ("embed-unknown", "There is no such package.")})
    (problem,) = refused.value.problems
    assert (problem.pointer, problem.code) == ("/units/0/blocks/4/package", "embed-unknown")
    refuse_unbuildable(draft, {})
    with pytest.raises(ContentError) as late:
        build(draft=draft)
    assert late.value.code == "block-not-buildable"
    assert embedded_packages(parse_draft(document())) == ()


def altered(**changes: Any) -> bytes:
    return canonical({**build().document, **changes})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        build().to_bytes() + b"\n",
        json.dumps(dict(build().document)).encode(),
        altered(type="licence"),
        altered(shape=2),
        altered(shape=True),
        altered(version="1"),
        altered(version=True),
        altered(assets={"m1": {}}),
        altered(assets={"m1": {"renditions": [{"role": "image"}]}}),
        altered(metadata={}),
    ],
)
def test_no_manifest(data: bytes):
    with pytest.raises(ContentError) as refused:
        parse(data)
    assert refused.value.code == "manifest-invalid"
