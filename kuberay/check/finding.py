"""What a rule says, and how rules look at manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """`rule` is its name in docs/kubernetes.md, `where` is kind/name and the pod or field."""

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.message}"


@dataclass(frozen=True)
class Pod:
    """A template of pods, wherever it stands. `group` is the group of workers, or `head`, or the job's name."""

    owner: Manifest
    group: str
    template: Manifest

    @property
    def where(self) -> str:
        return f"{name_of(self.owner)}/{self.group}"

    @property
    def spec(self) -> Manifest:
        return self.template["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.template.get("metadata", {}).get("labels", {})

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def in_ray(self) -> bool:
        return self.owner["kind"] == "RayService"


def name_of(manifest: Manifest) -> str:
    return f"{manifest.get('kind', '?')}/{manifest.get('metadata', {}).get('name', '?')}"


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest.get("kind") == kind]


def pods_of(manifests: list[Manifest]) -> Iterator[Pod]:
    """Every template of pods: heads, groups of workers, jobs."""
    for manifest in manifests:
        match manifest["kind"]:
            case "RayService":
                cluster = manifest["spec"]["rayClusterConfig"]
                yield Pod(manifest, "head", cluster["headGroupSpec"]["template"])
                for group in cluster.get("workerGroupSpecs", []):
                    yield Pod(manifest, group["groupName"], group["template"])
            case "Deployment":
                yield Pod(manifest, manifest["metadata"]["name"], manifest["spec"]["template"])
            case "Job":
                yield Pod(manifest, manifest["metadata"]["name"], manifest["spec"]["template"])
            case "CronJob":
                template = manifest["spec"]["jobTemplate"]["spec"]["template"]
                yield Pod(manifest, manifest["metadata"]["name"], template)
            case _:
                pass


def groups_of(manifest: Manifest) -> list[Manifest]:
    return manifest["spec"]["rayClusterConfig"].get("workerGroupSpecs", [])
