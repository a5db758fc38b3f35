"""docs/kubernetes.md says what is there: rules, components, Secrets with their keys, seconds, and an example that builds."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from kuberay import names, pods, services
from kuberay.check import verdict
from kuberay.check.build import Variant, kustomize
from kuberay.check.finding import of_kind, pods_of
from kuberay.components import COMPONENTS
from kuberay.duties import DUTIES
from kuberay.external_secrets import keys_by_secret
from kuberay.render import BASE, HERE
from tests.kuberay.test_wrong_manifests import CASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/kubernetes.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The rows of the table that begins with that row of headings, by their first cell."""
    rows = PAGE[PAGE.index(heading) :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {each[0]: " ".join(each[1:]) for each in cells}


def test_every_rule_has_its_place() -> None:
    named = {name for cell in table("| rules | hold that |") for name in re.findall(r"`([a-z-]+)`", cell)}
    assert named == {rule for rule, _, _ in CASES}


def test_every_component_is_told() -> None:
    assert list(table("| component | what it adds |")) == [f"`{name}`" for name in COMPONENTS]


def test_every_secret_is_listed_with_its_keys() -> None:
    told = {name.strip("`"): re.findall(r"`([^`]+)`", keys) for name, keys in table("| Secret | keys |").items()}
    assert told == {name: list(keys) for name, keys in keys_by_secret().items()}


def test_every_file_of_the_base_is_named() -> None:
    for name in BASE:
        assert f"base/{name}" in PAGE


def test_the_seconds_are_the_manifests() -> None:
    told = table("| pod | drain | grace period |")
    for row, duty in (("API, workers", DUTIES[0]), ("importer", DUTIES[-1])):
        drain = pods.drain_s(duty.pool, services.longest_read_s())
        assert f"{drain} s" in told[row] and f"{pods.grace_s(drain)} s" in told[row]


def test_the_example_of_an_installation_builds_and_has_its_own_names(tmp_path: Path) -> None:
    here = os.path.relpath(HERE, tmp_path.resolve() / "site")
    examples = dict(re.findall(r"```yaml\n# (\S+kustomization.yaml|kustomization.yaml)\n(.*?)```", PAGE, re.DOTALL))
    site = tmp_path / "site"
    for name, text in examples.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        up = "../" * name.count("/")
        (site / name).write_text(re.sub(r"(\.\./)+content-service/kuberay", up + here, text))
    (site / "jwks.json").write_text('{"keys": []}')
    built = kustomize(site)
    components = tuple(re.findall(r"components/([a-z0-9-]+)", examples["parts/kustomization.yaml"]))
    unexpected = [
        finding
        for finding in verdict.of(built, Variant("eu", components))
        # Its image and its network are its own.
        if finding.rule not in ("image-tag", "egress")
    ]
    assert unexpected == []
    written = yaml.safe_dump_all(built)
    assert "10.1.8.0/24" in written
    told = {name: value for each in of_kind(built, "ConfigMap") for name, value in each["data"].items()}
    assert told["CONTENT_API_URL"] == "https://api.eu.yours.example" and told["CONTENT_KMS_ACCOUNT"] == "444455556666"
    assert told["CONTENT_CLOUDFRONT_KEY_GROUP_ID"] == "abc" and told["CONTENT_EDGE_CDN"] == "cloudfront"
    # Each track's pods know which release they are: by their image, which was not known before.
    for pod in pods_of(built):
        if names.TRACK in pod.labels:
            told = {entry["name"]: entry.get("value") for entry in pod.containers[0]["env"]}
            digit = {"stable": "0", "canary": "1"}[told["CONTENT_RELEASE_TRACK"] or ""]
            assert told["CONTENT_RELEASE"] == pod.containers[0]["image"]
            assert told["CONTENT_RELEASE"].endswith("@sha256:" + digit * 64)


@pytest.mark.parametrize("command", ["kubectl apply -f content.yaml -l 'content-service/apply!=once"])
def test_a_release_leaves_out_what_is_the_promoters(command: str) -> None:
    assert command in PAGE
