"""Schemas: Kubernetes' own kinds, KubeRay's CRDs where they are at hand, and what we use of kinds that have no schema here.

A field that no schema knows is refused everywhere: an API server drops it without a word, and a setting that was meant to protect
does nothing. The CRDs are looked for beside the clone (`CRDS`); a clone alone has none, and the check says that it skipped them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from referencing import Registry, Resource

from kuberay.check.build import Loader
from kuberay.check.finding import Finding, Manifest, name_of
from kuberay.check.own_schemas import OWN

VERSION = "1.37.0"
CRDS = Path(__file__).parents[3] / "shared" / "kuberay" / "crds"
RAY_KINDS = {
    ("ray.io/v1", "RayService"): "ray.io_rayservices.yaml",
    ("ray.io/v1", "RayCluster"): "ray.io_rayclusters.yaml",
}


def judge(manifest: Manifest, crds: Path = CRDS) -> Iterator[Finding]:
    """At most one finding: the first thing that the schema does not know or allow."""
    key = (manifest.get("apiVersion", ""), manifest.get("kind", ""))
    if key in RAY_KINDS:
        if have_crds(crds):
            yield from _against("schema-crd", manifest, _crd(crds / RAY_KINDS[key]))
        return
    if key in OWN:
        yield from _against("schema-own", manifest, _own(key))
        return
    builtin = _builtin(*key)
    if builtin is None:
        yield Finding("unknown-kind", name_of(manifest), f"there is no schema for {' '.join(key)}")
    else:
        yield from _against("schema-builtin", manifest, builtin)


def have_crds(crds: Path = CRDS) -> bool:
    return all((crds / name).exists() for name in RAY_KINDS.values())


def _against(rule: str, manifest: Manifest, validator: Any) -> Iterator[Finding]:
    error = next(iter(validator.iter_errors(manifest)), None)
    if error is not None:
        yield Finding(rule, name_of(manifest), _told(error))


def _told(error: Any) -> str:
    deepest = error
    while deepest.context:
        deepest = max(deepest.context, key=lambda each: len(each.absolute_path))
    path = ".".join(str(part) for part in deepest.absolute_path)
    return f"{path or 'the object'}: {deepest.message[:300]}"


@functools.cache
def _builtin(api_version: str, kind: str) -> Any:
    """Kubernetes' own schema out of kubernetes-validate, unknown fields refused; None for what it does not know. Its own
    `validate` reads megabytes anew for each object."""
    group, _, version = api_version.rpartition("/")
    stem = "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part)
    folder = f"kubernetes-json-schema/v{VERSION}-local-strict"
    try:
        schema = kubernetes_validate.utils.schema_contents(f"{folder}/{stem}.json", VERSION)
    except FileNotFoundError:
        return None
    return jsonschema.Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(folder))


@functools.cache
def _definitions(folder: str) -> Any:
    definitions = kubernetes_validate.utils.schema_contents(f"{folder}/_definitions.json", VERSION)
    return Resource.from_contents(definitions) @ Registry()


@functools.cache
def _own(key: tuple[str, str]) -> Any:
    return jsonschema.Draft202012Validator(OWN[key])


@functools.cache
def _crd(path: Path) -> Any:
    """The v1 schema of a CRD as JSON Schema, unknown fields refused."""
    with path.open() as file:
        definition = yaml.load(file, Loader=Loader)  # noqa: S506 - the safe loader, in C
    version = next(each for each in definition["spec"]["versions"] if each["name"] == "v1")
    schema = _closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft202012Validator(schema)


def _closed(schema: Any) -> Any:
    """OpenAPI's dialect turned into JSON Schema's: objects closed, `nullable` and int-or-string written out."""
    if not isinstance(schema, dict):
        return schema
    found = {
        key: value
        for key, value in schema.items()
        if not key.startswith("x-") and key not in ("nullable", "default", "format")
    }
    for key in ("properties",):
        if key in found:
            found[key] = {name: _closed(value) for name, value in found[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _closed(found[key])
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and "properties" in schema and not open_ended:
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if schema.get("nullable") and "type" in found:
        found["type"] = [found["type"], "null"]
    return found
