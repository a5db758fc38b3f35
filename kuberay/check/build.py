"""What kustomize makes of an overlay with a set of components: `kubectl kustomize`, as a cluster would be given it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kuberay.components import CDNS, CHOICES, PLATFORMS
from kuberay.regions import ALL
from kuberay.render import HERE
from kuberay.text import to_yaml

KUBECTL = Path(sys.executable).parent / "kubectl"
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BuildError(Exception):
    """kustomize refused; its reason is the message."""


@dataclass(frozen=True)
class Variant:
    """An overlay with components, as an installation would put them together."""

    region: str
    components: tuple[str, ...]

    def __str__(self) -> str:
        return "+".join((self.region, *self.components))


def variants(*, every_set: bool = False) -> Iterator[Variant]:
    """Every region with each platform and each CDN (and none). Of the other components: in the first region none, each, every
    pair, and all of them; in the others, which differ in names and networks alone, none and all. Or every set everywhere."""
    for region in ALL:
        sizes = {0, 1, 2, len(CHOICES)} if region is ALL[0] else {0, len(CHOICES)}
        sets = [
            chosen
            for size in (range(len(CHOICES) + 1) if every_set else sorted(sizes))
            for chosen in itertools.combinations(CHOICES, size)
        ]
        for platform, cdn, chosen in itertools.product(_none_or(PLATFORMS), _none_or(CDNS), sets):
            yield Variant(region.name, (*platform, *cdn, *chosen))


def _none_or(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(), *((name,) for name in names)]


def build(variant: Variant, folder: Path = HERE) -> list[dict[str, Any]]:
    """The documents. Raises BuildError with what kustomize said."""
    if not variant.components:
        return kustomize(folder / "overlays" / variant.region)
    with tempfile.TemporaryDirectory() as home:
        # kustomize takes relative paths alone.
        below = Path(os.path.relpath(folder, Path(home).resolve()))
        document = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [str(below / "overlays" / variant.region)],
            "components": [str(below / "components" / name) for name in variant.components],
        }
        (Path(home) / "kustomization.yaml").write_text(to_yaml([document]))
        return kustomize(Path(home))


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize FOLDER` prints, parsed."""
    done = subprocess.run([str(KUBECTL), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(done.stderr.strip())
    return parse(done.stdout)


def parse(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.load_all(text, Loader=Loader) if document]


def some() -> Sequence[Variant]:
    """A choice that holds every region, platform and component: for tests."""
    return (
        *(Variant(region.name, ("aws",)) for region in ALL),
        Variant("eu", ()),
        Variant("eu", ("r2",)),
        Variant("us", ("aws", "cloudfront", *CHOICES)),
        Variant("ap", ("r2", "cloudflare", *CHOICES)),
    )
