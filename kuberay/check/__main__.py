"""`python -m kuberay.check` (make manifests-check): build every variant, judge it, and say what was not checked. Exit code 1 with
findings."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rich.progress import Progress

from kuberay.check import verdict
from kuberay.check.build import BuildError, Variant, build, variants
from kuberay.check.schemas import CRDS, have_crds
from kuberay.render import HERE, files

MOST = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kuberay.check", description=__doc__)
    parser.add_argument(
        "--every-set", action="store_true", help="every set of components, not just none, each, pairs and all"
    )
    chosen = list(variants(every_set=parser.parse_args().every_set))
    begun, findings, documents = time.monotonic(), _not_rendered(), 0
    with Progress(transient=True) as progress, ThreadPoolExecutor(2) as builders:
        task = progress.add_task("manifests", total=len(chosen))
        for variant, built in zip(chosen, builders.map(_built, chosen), strict=True):
            if isinstance(built, str):
                findings.append(f"{variant}: kustomize: {built}")
            else:
                documents += len(built)
                findings += [f"{variant}: {finding}" for finding in verdict.of(built, variant)]
            progress.advance(task)
    for finding in findings[:MOST]:
        print(finding)
    if len(findings) > MOST:
        print(f"and {len(findings) - MOST} more")
    print(
        f"{len(chosen)} variants of overlays and components, {documents} objects, {len(findings)} findings, "
        f"{time.monotonic() - begun:.0f} s"
    )
    if not have_crds():
        print(f"Not checked: RayServices against KubeRay's CRDs, which are not at {CRDS}.")
    print("By rules of our own, since their schemas are not at hand: HTTPRoute, PodMonitor, PrometheusRule, Issuer, Certificate, "
          "ExternalSecret.")  # fmt: skip
    return 1 if findings else 0


def _built(variant: Variant) -> list[dict[str, object]] | str:
    try:
        return build(variant)
    except BuildError as error:
        return str(error)


def _not_rendered() -> list[str]:
    """Files that are not what `make manifests` would write."""
    return [
        f"not rendered: {name} differs from what `make manifests` writes"
        for name, text in files()
        if not (HERE / name).exists() or (HERE / name).read_text() != text
    ]


if __name__ == "__main__":
    sys.exit(main())
