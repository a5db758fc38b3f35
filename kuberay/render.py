"""`python -m kuberay.render`: write the manifests anew. What is there and is not made any more is removed.

Order: the pool table, duties and regions are read as Python, turned into documents, and written. A test shows that doing it
again changes nothing, so the committed files are what these modules say.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kuberay import edge, guards, jobs, names, network, releases, routing, scraping, seccomp, services
from kuberay.components import COMPONENTS
from kuberay.network import block
from kuberay.patches import images, kustomization, patch, replace, settings
from kuberay.regions import ALL, EXAMPLE, Region
from kuberay.settings import IMPORTER, IMPORTER_MAP, SERVICE, SERVICE_MAP
from kuberay.text import to_yaml

HERE = Path(__file__).parent
WRITTEN = ("base", "overlays", "components", "nodes", "release")
"""Folders that hold nothing but what is written here."""

BASE: dict[str, Any] = {
    "namespace.yaml": lambda: [guards.namespace()],
    "priorities.yaml": guards.priorities,
    "runtimes.yaml": guards.runtimes,
    "accounts.yaml": guards.accounts,
    "network.yaml": lambda: network.all_policies(jobs.reaches() | edge.REACHES),
    "budgets.yaml": guards.budgets,
    "services.yaml": services.all_services,
    "route.yaml": lambda: [routing.route()],
    "jobs.yaml": jobs.all_jobs,
    "scraping.yaml": scraping.monitors,
}


def files() -> Iterator[tuple[str, str]]:
    """(file below `kuberay/`, text) of everything."""
    for name, documents in BASE.items():
        yield f"base/{name}", to_yaml(documents())
    yield "base/references.yaml", to_yaml([_references()])
    yield "base/kustomization.yaml", to_yaml([_base()])
    for region in ALL:
        yield f"overlays/{region.name}/kustomization.yaml", to_yaml([_overlay(region)])
    for name, made in COMPONENTS.items():
        for file, documents in made().items():
            yield f"components/{name}/{file}", to_yaml(documents)
    yield "nodes/seccomp/bubblewrap.json", seccomp.as_json()
    for name, documents in releases.files().items():
        yield f"release/{name}", to_yaml(documents)


def write(folder: Path = HERE) -> list[str]:
    """Have the folder hold these files, and return the names of those that were not so before."""
    wanted = dict(files())
    changed = []
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(name)
    for path in strays(folder, set(wanted)):
        path.unlink()
        changed.append(str(path.relative_to(folder)))
    return changed


def strays(folder: Path, wanted: set[str]) -> list[Path]:
    """Files that nothing makes any more."""
    return [
        path
        for top in WRITTEN
        for path in sorted((folder / top).rglob("*"))
        if path.is_file() and str(path.relative_to(folder)) not in wanted
    ]


def _base() -> dict[str, Any]:
    return kustomization(
        namespace=names.NAMESPACE,
        resources=list(BASE),
        configurations=["references.yaml"],
        configMapGenerator=[
            settings(SERVICE_MAP, SERVICE | EXAMPLE.settings(), merge=False),
            settings(IMPORTER_MAP, IMPORTER | EXAMPLE.importer_settings(), merge=False),
            # Nobody's keys: until an installation puts its identity provider's here, no token is accepted.
            settings("content-identity", {"jwks.json": '{"keys":[]}'}, merge=False),
        ],
        images=images(),
    )


def _references() -> dict[str, Any]:
    """Where RayServices name ConfigMaps: kustomize knows it of its own kinds alone."""
    pods = ("headGroupSpec", "workerGroupSpecs")
    fields = ("containers/envFrom/configMapRef/name", "volumes/configMap/name")
    paths = [f"spec/rayClusterConfig/{pod}/template/spec/{field}" for pod in pods for field in fields]
    return {
        "nameReference": [{"kind": "ConfigMap", "fieldSpecs": [{"kind": "RayService", "path": path} for path in paths]}]
    }


def _overlay(region: Region) -> dict[str, Any]:
    cidr = {
        "heads-to-control-plane": region.control_plane,
        "to-control-plane": region.control_plane,
        "to-postgres": region.postgres,
        "to-store": region.store,
    }
    return kustomization(
        resources=["../../base"],
        configMapGenerator=[
            settings(SERVICE_MAP, region.settings()),
            settings(IMPORTER_MAP, region.importer_settings()),
        ],
        patches=[
            *(
                patch("NetworkPolicy", name, [replace("/spec/egress/0/to", [block(network)])])
                for name, network in cidr.items()
            ),
            patch(
                "NetworkPolicy",
                "to-keys",
                [replace("/spec/egress/0/to", [block(each) for each in (region.keys, region.replica_keys)])],
            ),
            patch("HTTPRoute", names.API, [replace("/spec/hostnames/0", region.api_host)]),
            *(
                patch(
                    "PodMonitor",
                    monitor["metadata"]["name"],
                    [
                        replace(f"/spec/podMetricsEndpoints/{index}/relabelings/0/replacement", region.name)
                        for index in range(len(monitor["spec"]["podMetricsEndpoints"]))
                    ],
                )
                for monitor in scraping.monitors()
            ),
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m kuberay.render", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    for each in write(parser.parse_args().folder):
        print(each)
