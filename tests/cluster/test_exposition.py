"""The numbers of a process outside Ray: under Ray's names, on a port of its own, and nothing at all where nobody asked for them."""

from __future__ import annotations

import subprocess
import sys

TOLD = """
import httpx
from cluster.telemetry import exposition
from cluster.telemetry.metrics import HTTP, RATE_LIMITED, RELEASE_SHARE
from prometheus_client.parser import text_string_to_metric_families

HTTP.observe(9.0, method="GET", route="/before", status="200")  # nobody keeps it yet
kept = exposition.tell(0, "127.0.0.1")
assert exposition.tell(0) is kept
HTTP.observe(0.02, method="GET", route="/v1/x", status="500")
RATE_LIMITED.add(2, policy="tenant")
RELEASE_SHARE.set(50)
text = httpx.get(f"http://127.0.0.1:{kept.port}/metrics", trust_env=False).text
families = {family.name: family for family in text_string_to_metric_families(text)}
samples = {(s.name, s.labels.get("le", "")): s for family in families.values() for s in family.samples}
count = samples["ray_content_http_seconds_count", ""]
assert count.value == 1 and len(count.labels["WorkerId"]) == 28
assert {k: v for k, v in count.labels.items() if k != "WorkerId"} == {"method": "GET", "route": "/v1/x", "status": "500"}
assert samples["ray_content_http_seconds_bucket", "0.01"].value == 0
assert samples["ray_content_http_seconds_bucket", "0.025"].value == 1
assert samples["ray_content_http_seconds_bucket", "+Inf"].value == 1
assert samples["ray_content_rate_limited_total", ""].value == 2
assert samples["ray_content_release_share", ""].value == 50
assert families["ray_content_http_seconds"].documentation == HTTP.help
assert httpx.get(f"http://127.0.0.1:{kept.port}/metrics", trust_env=False).headers["content-type"].startswith("text/plain")
print("told")
"""


def test_numbers_are_told_under_rays_names() -> None:
    """In a process of its own: what is kept, is kept for its life."""
    found = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=False, timeout=60)
    assert found.stdout == "told\n", found.stderr


def test_every_number_can_be_kept() -> None:
    code = """
from cluster.telemetry import exposition
from cluster.telemetry.metrics import METRICS
exposition.tell(0, "127.0.0.1")
for metric in METRICS:
    labels = dict.fromkeys(metric.labels, "x")
    {"gauge": metric.set, "counter": metric.add, "histogram": metric.observe}[metric.kind](1.0, **labels)
print(len(METRICS))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert int(found.stdout or 0) > 25, found.stderr
