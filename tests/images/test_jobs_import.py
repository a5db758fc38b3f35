"""Jobs and deployments find in their image what their commands import: each is tried with nothing but its image's distributions.

In place of an image there is this environment, in which an import of anything that the image does not hold fails. That a
command is installed in its image at all is tried in test_images.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from images import requirements
from kuberay import names
from kuberay.check.build import Variant
from kuberay.check.finding import Pod, pods_of
from tests.kuberay.conftest import built
from tests.kuberay.test_roles import environment

ROOT = Path(__file__).resolve().parents[2]
KINDS = {names.SERVICE_IMAGE: requirements.SERVICE, names.CLI_IMAGE: requirements.CLI}
VARIANTS = (Variant("eu", ("aws",)), Variant("eu", ("aws", "cloudfront")), Variant("eu", ("r2", "cloudflare")))
IDS = {
    "CONTENT_CLOUDFRONT_DISTRIBUTION_IDS": '{"files": "E1", "sites": "E2"}',
    "CONTENT_CLOUDFLARE_ZONE_ID": "z", "CONTENT_CLOUDFLARE_ACCOUNT_ID": "a",
}  # fmt: skip
"""What an installation fills in."""
CDN = "from cluster.edge import purging; purging.connect(Settings.load())"
USES = {
    "content-service restore": "import tasks.recovery.restore, tasks.recovery.restore_source, cluster.connections",
    "content-service reconcile": "import tasks.recovery.reconcile, cluster.connections",
    "python -m cluster.streams": "import cluster.streams",
    "python -m cluster.migrations": "import cluster.migrations.__main__",
    "content-service release promote": f"""
from serve_app.cli import release
from cluster.release.plan import Plan
release._listen()
release._promoter(release._gateway("", "content", "r", "https://k", release.ACCOUNT, "a", "b"), "http://p", "http://a", "http://b", None, Plan(), False)
{CDN}""",
    "content-service release rollback": f"""
from serve_app.cli import release
from cluster.release.plan import Plan
release._listen()
release._promoter(release._gateway("", "content", "r", "https://k", release.ACCOUNT, "a", "b"), "", "", "", None, Plan(), False)
{CDN}""",
    "content-service edge tell": f"import tasks.edge.edge_words, tasks.edge.edge_shell, cluster.objects; {CDN}",
    "content-service edge rotate": f"import tasks.edge.edge_rotation, cluster.edge.edge_keys; {CDN}",
}
"""Every command of a job, and what it comes to: its heavy imports stand inside of functions."""
PROGRAM = """
import importlib.abc, importlib.machinery, importlib.metadata, json, re, sys

held = set(json.loads(sys.argv[1]))
plain = lambda name: re.sub(r"[-_.]+", "-", name).lower()
known = {top: {plain(each) for each in names} for top, names in importlib.metadata.packages_distributions().items()}

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        owners = known.get(name.partition(".")[0], set()) - {"content-service"}
        if owners and not owners & held:
            found = importlib.machinery.PathFinder.find_spec(name, path)
            if found is not None and "thirdparty_files" in (found.origin or ""):
                return found  # Ray brings some of its own
            raise ModuleNotFoundError(f"{name} is in no part of this image", name=name)

sys.meta_path.insert(0, Missing())
from serve_app.cli import main
from cluster.settings import Settings
exec(sys.argv[2])
print("done")
"""


def command_of(pod: Pod) -> str:
    words = pod.containers[0]["command"]
    known = [each for each in USES if words[: len(each.split())] == each.split()]
    assert len(known) == 1, f"{words}: say in USES what it imports"
    return known[0]


def tried(kind: str, code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    held = sorted(requirements.blocks(requirements.path_of(kind).read_text()))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CONTENT_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(held), code],
        cwd=ROOT, env={**plain, **env, **IDS, "AWS_REGION": "eu-central-1"}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def jobs() -> list[tuple[str, str, str, Variant]]:
    found = {}
    for variant in VARIANTS:
        for pod in pods_of(built(variant)):
            if not pod.in_ray:
                kind = KINDS[pod.containers[0]["image"].rpartition(":")[0]]
                found[pod.group, kind, command_of(pod)] = variant
    return [(*each, variant) for each, variant in found.items()]


@pytest.mark.parametrize(("group", "kind", "command", "variant"), [pytest.param(*each, id=f"{each[0]}-{each[1]}") for each in jobs()])  # fmt: skip
def test_a_job_can_import_what_it_needs(group: str, kind: str, command: str, variant: Variant) -> None:
    pod = next(each for each in pods_of(built(variant)) if each.group == group)
    env = {name: value for name, value in environment(pod, built(variant)).items() if name.startswith("CONTENT_")}
    env |= {"CONTENT_METRICS_PORT": "0", "CONTENT_CLOUDFLARE_TOKEN": "x"}
    done = tried(kind, USES[command], env)
    assert done.stdout.endswith("done\n"), done.stdout + done.stderr


def test_every_command_of_the_table_is_some_jobs() -> None:
    assert {command for _, _, command, _ in jobs()} == set(USES)


def test_the_promoter_has_boto3_where_it_speaks_to_cloudfront_and_would_miss_it_in_the_slim_image() -> None:
    images = {
        variant.components: next(pod for pod in pods_of(built(variant)) if pod.group == "content-release").containers[0]["image"]
        for variant in VARIANTS
    }  # fmt: skip
    kinds = {components: KINDS[image.rpartition(":")[0]] for components, image in images.items()}
    assert kinds == {("aws",): "cli", ("aws", "cloudfront"): "service", ("r2", "cloudflare"): "cli"}
    done = tried("cli", USES["content-service release promote"], {"CONTENT_EDGE_CDN": "cloudfront"})
    assert "done" not in done.stdout and "boto3 is in no part of this image" in done.stderr
