"""What we use of kinds whose schemas are not at hand here: written down from their documentation, closed, and no wider than our use.

So a field that these kinds do have is refused too, until somebody looks it up and writes it down. That is weaker than their own
schemas in one way (what we wrote down wrongly is accepted) and is said so in docs/kubernetes.md.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}
STRING: Schema = {"type": "string", "minLength": 1}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
DURATION = {"type": "string", "pattern": r"^([0-9]+(h|m|s|ms))+$"}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}


def closed(required: list[str], **properties: Any) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def listed(items: Schema, least: int = 1, **more: Any) -> Schema:
    return {"type": "array", "items": items, "minItems": least, **more}


def _object(api_version: str, kind: str, spec: Schema) -> Schema:
    metadata = closed(["name"], name=NAME, namespace=NAME, labels=LABELS, annotations=LABELS)
    return closed(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": api_version}, kind={"const": kind}, metadata=metadata, spec=spec,
    )  # fmt: skip


_SELECTOR = closed(
    [],
    matchLabels=LABELS,
    matchExpressions=listed(
        closed(
            ["key", "operator"],
            key=STRING, operator={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]}, values=listed({"type": "string"}),
        )
    ),
)  # fmt: skip
_RELABELING = closed(
    [],
    sourceLabels=listed(STRING), targetLabel={"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}, regex=STRING,
    replacement={"type": "string"}, separator={"type": "string"},
    action={"enum": ["replace", "keep", "drop", "labeldrop", "labelkeep", "labelmap"]},
)  # fmt: skip
_HTTP_ROUTE = closed(
    ["parentRefs", "hostnames", "rules"],
    parentRefs=listed(closed(["name"], name=NAME, namespace=NAME, sectionName=STRING)),
    hostnames=listed({"type": "string", "pattern": r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$"}),
    rules=listed(
        closed(
            ["backendRefs"],
            matches=listed(
                closed(["path"], path=closed(["type", "value"], type={"enum": ["Exact", "PathPrefix"]}, value={"type": "string", "pattern": "^/"}))
            ),
            timeouts=closed([], request=DURATION, backendRequest=DURATION),
            backendRefs=listed(
                closed(
                    ["name", "port", "weight"],
                    name=NAME, port=PORT, weight={"type": "integer", "minimum": 0, "maximum": 1_000_000},
                )
            ),
        ),
        maxItems=16,
    ),
)  # fmt: skip
_POD_MONITOR = closed(
    ["selector", "podMetricsEndpoints"],
    selector=_SELECTOR,
    podMetricsEndpoints=listed(
        closed(
            ["port"],
            port={"type": "string", "maxLength": 15}, path={"type": "string", "pattern": "^/"}, interval=DURATION,
            relabelings=listed(_RELABELING), metricRelabelings=listed(_RELABELING),
        )
    ),
)  # fmt: skip
_RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["expr"],
    "properties": {
        "alert": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"},
        "record": {"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$"},
        "expr": STRING, "for": DURATION, "keep_firing_for": DURATION, "labels": LABELS, "annotations": LABELS,
    },
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
}  # fmt: skip
_PROMETHEUS_RULE = closed(
    ["groups"], groups=listed(closed(["name", "rules"], name=STRING, interval=DURATION, rules=listed(_RULE)))
)
_ISSUER = closed(["ca"], ca=closed(["secretName"], secretName=NAME))
_CERTIFICATE = closed(
    ["secretName", "issuerRef", "usages", "privateKey"],
    secretName=NAME, duration=DURATION, renewBefore=DURATION,
    privateKey=closed(
        ["algorithm"],
        algorithm={"enum": ["ECDSA", "RSA", "Ed25519"]}, size={"type": "integer"}, rotationPolicy={"enum": ["Always", "Never"]},
    ),
    usages=listed({"enum": ["digital signature", "client auth", "server auth", "cert sign"]}),
    uris=listed({"type": "string", "pattern": "^spiffe://"}), dnsNames=listed(STRING), commonName=STRING,
    issuerRef=closed(["name", "kind"], name=NAME, kind={"enum": ["Issuer", "ClusterIssuer"]}, group=STRING),
)  # fmt: skip
_EXTERNAL_SECRET = closed(
    ["secretStoreRef", "target", "dataFrom"],
    refreshInterval=DURATION,
    secretStoreRef=closed(["name", "kind"], name=NAME, kind={"enum": ["SecretStore", "ClusterSecretStore"]}),
    target=closed(
        ["name"],
        name=NAME, creationPolicy={"enum": ["Owner", "Merge", "None"]}, deletionPolicy={"enum": ["Retain", "Delete", "Merge"]},
    ),
    dataFrom=listed(closed(["extract"], extract=closed(["key"], key=STRING))),
)  # fmt: skip

_SPECS = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _HTTP_ROUTE,
    ("monitoring.coreos.com/v1", "PodMonitor"): _POD_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): _PROMETHEUS_RULE,
    ("cert-manager.io/v1", "Issuer"): _ISSUER,
    ("cert-manager.io/v1", "Certificate"): _CERTIFICATE,
    ("external-secrets.io/v1", "ExternalSecret"): _EXTERNAL_SECRET,
}
OWN = {key: _object(*key, spec) for key, spec in _SPECS.items()}
"""By (apiVersion, kind)."""
