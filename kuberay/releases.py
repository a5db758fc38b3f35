"""`kuberay/release`: writes into the API's pods which release they are (`CONTENT_RELEASE`), once all images are known.

A transformer, to be named last in the kustomization of an installation: kustomize then runs it after `images:`. Without it both
tracks have no name, and the promoter halts.
"""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.patches import kustomization

POD = "spec.rayClusterConfig.{place}.template.spec.containers.0"


def files() -> dict[str, list[Any]]:
    return {
        "kustomization.yaml": [kustomization(resources=["release.yaml"])],
        "release.yaml": [
            {
                "apiVersion": "builtin",
                "kind": "ReplacementTransformer",
                "metadata": {"name": "content-release"},
                "replacements": [_from_image(service) for service in (names.API, names.CANARY)],
            }
        ],
    }


def _from_image(service: str) -> dict[str, Any]:
    head, worker = (POD.format(place=place) for place in ("headGroupSpec", "workerGroupSpecs.0"))
    chosen = {"kind": "RayService", "name": service}
    return {
        "source": {**chosen, "fieldPath": f"{head}.image"},
        "targets": [
            # kustomize takes the name for a pattern, which CONTENT_RELEASE_TRACK would fit as well.
            {"select": chosen, "fieldPaths": [f"{pod}.env.[name=^CONTENT_RELEASE$].value" for pod in (head, worker)]}
        ],
    }
