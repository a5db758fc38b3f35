"""All rules over what one variant becomes."""

from __future__ import annotations

from kuberay.check import network_rules, schemas, service_rules, whole_rules
from kuberay.check.build import Variant
from kuberay.check.finding import Finding, Manifest, of_kind, pods_of
from kuberay.check.pod_rules import RULES


def of(manifests: list[Manifest], variant: Variant) -> list[Finding]:
    """Every finding. What a schema refuses is not looked at further: rules take the shape of objects for granted."""
    return [finding for manifest in manifests for finding in _by_schema(manifest)] or rules(manifests, variant)


_judged: dict[str, list[Finding]] = {}


def _by_schema(manifest: Manifest) -> list[Finding]:
    """Most objects are the same in most variants: each is looked at once."""
    key = repr(manifest)
    if key not in _judged:
        _judged[key] = list(schemas.judge(manifest))
    return _judged[key]


def rules(manifests: list[Manifest], variant: Variant) -> list[Finding]:
    """Our own rules alone."""
    return [
        *(finding for pod in pods_of(manifests) for rule in RULES for finding in rule(pod)),
        *(finding for service in of_kind(manifests, "RayService") for finding in service_rules.judge(service)),
        *network_rules.judge(manifests, variant.region, variant.components),
        *whole_rules.judge(manifests),
    ]
