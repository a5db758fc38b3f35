"""From the gateway to the API: one HTTPRoute, whose weights say which share of requests the canary gets. Written once, then the
promoter's: it is left out of what a release applies (label `content-service/apply: once`), or a release in the middle is undone.
"""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.regions import EXAMPLE

WEIGHTS = {names.API: 100, names.CANARY: 0}


def route() -> dict[str, Any]:
    return names.manifest(
        "gateway.networking.k8s.io/v1", "HTTPRoute", names.API,
        labels={names.APPLY: "once"},
        spec={
            "parentRefs": [{"name": "content", "namespace": "gateway-system", "sectionName": "https"}],
            "hostnames": [EXAMPLE.api_host],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "timeouts": {"request": "60s", "backendRequest": "60s"},
                    "backendRefs": [
                        {"name": f"{service}-serve-svc", "port": names.SERVE, "weight": weight}
                        for service, weight in WEIGHTS.items()
                    ],
                }
            ],
        },
    )  # fmt: skip
