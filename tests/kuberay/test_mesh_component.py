"""The component mtls: whoever is told of a certificate has it, in its own name; and everybody it talks to has a name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster.settings import Settings
from kuberay import mtls, names
from kuberay.check.build import Variant
from kuberay.check.finding import Pod, pods_of
from tests.kuberay.conftest import built

MTLS = Variant("eu", ("aws", "cloudfront", "mtls"))


def certificates() -> dict[str, dict[str, Any]]:
    """By the Secret that each is kept in."""
    return {each["spec"]["secretName"]: each["spec"] for each in built(MTLS) if each["kind"] == "Certificate"}


def mounted(pod: Pod) -> str | None:
    """The Secret at the certificate's place."""
    names_ = [
        mount["name"] for mount in pod.spec["containers"][0].get("volumeMounts", ()) if mount["mountPath"] == mtls.TLS
    ]
    found = [volume["secret"]["secretName"] for volume in pod.spec.get("volumes", ()) if volume["name"] in names_]
    return found[0] if found else None


def needs_one(pod: Pod) -> bool:
    """It has a login of NATS."""
    return any(each["name"].startswith("CONTENT_NATS_") for each in pod.spec["containers"][0].get("env", ()))


@pytest.mark.parametrize(
    "pod", [pod for pod in pods_of(built(MTLS)) if mounted(pod) or needs_one(pod)], ids=lambda p: p.group
)
def test_a_certificate_is_of_the_pods_own_account(pod: Pod) -> None:
    secret, account = mounted(pod), pod.spec["serviceAccountName"]
    assert secret is not None, "it talks to NATS and has nothing to show"
    assert certificates()[secret]["uris"] == [f"spiffe://content.example/ns/{names.NAMESPACE}/sa/{account}"]


def test_every_certificate_is_somebodys() -> None:
    assert set(certificates()) == {mounted(pod) for pod in pods_of(built(MTLS))} - {None}


def test_settings_name_everybody_that_is_spoken_to() -> None:
    told = mtls.settings()
    peers = json.loads(told["CONTENT_MESH_PEERS"])
    assert set(peers) == {"nats", "importer", "authoring", "media", "catalog", "ai-gateway", "sync"}
    assert len(set(peers.values())) == len(peers) and all(name.startswith("spiffe://") for name in peers.values())
    used = Settings(mesh_folder=told["CONTENT_MESH_FOLDER"], mesh_peers=peers)  # type: ignore[call-arg, arg-type]
    assert str(used.mesh_folder) == mtls.TLS
